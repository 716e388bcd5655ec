//! What of a GGUF file's metadata makes a tokenizer, checked.

use crate::format::gguf::{GgufError, Metadata};

use super::vocab::{TokenKind, Vocab};
use super::{MAX_TOKENS, Tokenizer, TokenizerError};

/// The special tokens that a file names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpecialIds {
    /// Begin of text.
    pub bos: Option<u32>,
    /// End of text.
    pub eos: Option<u32>,
    /// End of a turn.
    pub eot: Option<u32>,
    /// End of a message after which the turn goes on.
    pub eom: Option<u32>,
    /// Stands for text that the vocabulary cannot spell.
    pub unknown: Option<u32>,
}

const BOS: &str = "tokenizer.ggml.bos_token_id";
const EOS: &str = "tokenizer.ggml.eos_token_id";
const EOT: &str = "tokenizer.ggml.eot_token_id";
const EOM: &str = "tokenizer.ggml.eom_token_id";
const UNKNOWN: &str = "tokenizer.ggml.unknown_token_id";
const ADD_BOS: &str = "tokenizer.ggml.add_bos_token";
const ADD_EOS: &str = "tokenizer.ggml.add_eos_token";
const SCORES: &str = "tokenizer.ggml.scores";
const TOKEN_TYPE: &str = "tokenizer.ggml.token_type";

/// Everything a tokenizer is built from, as the file gives it.
#[derive(Clone, Debug, Default)]
pub struct Parts<'a> {
    /// `tokenizer.ggml.model`: "gpt2" or "llama".
    pub model: &'a str,
    /// `tokenizer.ggml.pre`, for "gpt2".
    pub pre: Option<&'a str>,
    /// The tokens' texts; a token's place is its id.
    pub tokens: Vec<&'a str>,
    /// Each token's type, GGUF's numbers 1–6. Empty: all are normal.
    pub token_types: Vec<i32>,
    /// Each token's score, for "llama".
    pub scores: Vec<f32>,
    /// Merges "left right", best first, for "gpt2".
    pub merges: Vec<&'a str>,
    /// The special tokens.
    pub ids: SpecialIds,
    /// Whether begin-of-text goes in front; none: as the kind of tokenizer is used.
    pub add_bos: Option<bool>,
    /// Whether end-of-text goes behind.
    pub add_eos: Option<bool>,
    /// Whether a text gets a space in front, for "llama".
    pub add_space_prefix: Option<bool>,
}

impl<'a> Parts<'a> {
    /// Collects them from a file's metadata.
    ///
    /// # Errors
    /// A required key is missing, or one has another type.
    pub fn from_gguf(metadata: &'a Metadata) -> Result<Self, GgufError> {
        let mut ids = SpecialIds {
            bos: metadata.opt_u32(BOS)?,
            eos: metadata.opt_u32(EOS)?,
            eot: metadata.opt_u32(EOT)?,
            eom: metadata.opt_u32(EOM)?,
            unknown: metadata.opt_u32(UNKNOWN)?,
        };
        let model = metadata.str("tokenizer.ggml.model")?;
        let tokens: Vec<&str> = metadata.strings("tokenizer.ggml.tokens")?.iter().collect();
        if model == "llama" {
            // SentencePiece's own defaults, which old files leave out; trusted where the vocabulary bears them out.
            let is = |id: usize, text| tokens.get(id).is_some_and(|&token| token == text);
            ids.unknown = ids.unknown.or_else(|| is(0, "<unk>").then_some(0));
            ids.bos = ids.bos.or_else(|| is(1, "<s>").then_some(1));
            ids.eos = ids.eos.or_else(|| is(2, "</s>").then_some(2));
        }
        Ok(Self {
            model,
            pre: metadata.opt_str("tokenizer.ggml.pre")?,
            tokens,
            token_types: metadata.opt_i32s(TOKEN_TYPE)?.unwrap_or_default().into_owned(),
            scores: metadata.opt_f32s(SCORES)?.unwrap_or_default().into_owned(),
            merges: metadata
                .opt_strings("tokenizer.ggml.merges")?
                .into_iter()
                .flat_map(|merges| merges.iter())
                .collect(),
            ids,
            add_bos: metadata.opt_bool(ADD_BOS)?,
            add_eos: metadata.opt_bool(ADD_EOS)?,
            add_space_prefix: metadata.opt_bool("tokenizer.ggml.add_space_prefix")?,
        })
    }

    /// Checks what concerns all kinds of tokenizers, and gives each token's kind.
    pub(super) fn check(&self) -> Result<Vec<TokenKind>, TokenizerError> {
        let size = self.tokens.len();
        match size {
            0 => return Err(TokenizerError::Empty),
            size if size > MAX_TOKENS => return Err(TokenizerError::TooManyTokens(size)),
            _ => {}
        }
        let same_length = |key, found| {
            if found == size { Ok(()) } else { Err(TokenizerError::LengthMismatch { key, found, expected: size }) }
        };
        if self.model == "llama" {
            same_length(SCORES, self.scores.len())?;
        }
        let SpecialIds { bos, eos, eot, eom, unknown } = self.ids;
        for (key, id) in [(BOS, bos), (EOS, eos), (EOT, eot), (EOM, eom), (UNKNOWN, unknown)] {
            if let Some(id) = id.filter(|&id| id as usize >= size) {
                return Err(TokenizerError::IdOutOfRange { key, id, size });
            }
        }
        for (wanted, flag, key, id) in [(ADD_BOS, self.add_bos, BOS, bos), (ADD_EOS, self.add_eos, EOS, eos)] {
            if flag == Some(true) && id.is_none() {
                return Err(TokenizerError::MissingId { wanted, key });
            }
        }
        if self.token_types.is_empty() {
            return Ok(vec![TokenKind::Normal; size]);
        }
        same_length(TOKEN_TYPE, self.token_types.len())?;
        self.token_types.iter().enumerate().map(|(id, &kind)| TokenKind::from_gguf(id, kind)).collect()
    }
}

impl Tokenizer {
    /// Builds the tokenizer that a GGUF file describes.
    ///
    /// # Errors
    /// Whatever is missing or does not hold together: see [`TokenizerError`].
    pub fn from_gguf(metadata: &Metadata) -> Result<Self, TokenizerError> {
        Self::new(&Parts::from_gguf(metadata)?)
    }
}

/// Names of tokens with which families end a turn. Files often name only one of several.
const TURN_ENDS: &[&str] = &[
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|end_of_turn|>",
    "<end_of_turn>",
    "<turn|>",
    "<|eot|>",
    "<|eom|>",
    "<EOT>",
    "<｜end▁of▁sentence｜>",
];

/// Names that end a turn only in a vocabulary that also has `marker`.
const FAMILY_TURN_ENDS: &[(&str, &[&str])] = &[
    // GLM-4: the model hands over to the next speaker.
    ("[gMASK]", &["<|user|>", "<|observation|>"]),
    // gpt-oss (harmony): `<|end|>` only ends a channel's message there.
    ("<|channel|>", &["<|return|>", "<|call|>"]),
];

/// The tokens at which generation ends, sorted.
pub(super) fn stop_ids(vocab: &Vocab, ids: &SpecialIds) -> Vec<u32> {
    let mut named: Vec<(&[u8], u32)> = vocab
        .kinds()
        .filter(|&(_, kind)| matches!(kind, TokenKind::Control | TokenKind::UserDefined))
        .map(|(id, _)| (vocab.bytes(id), id))
        .collect();
    named.sort_unstable();
    let find = |name: &str| {
        let at = named.binary_search_by_key(&name.as_bytes(), |&(bytes, _)| bytes).ok()?;
        Some(named[at].1)
    };
    let is_harmony = find("<|channel|>").is_some() && find("<|return|>").is_some();
    let mut stops: Vec<u32> = [ids.eos, ids.eot, ids.eom].into_iter().flatten().collect();
    stops.extend(TURN_ENDS.iter().filter(|&&name| !(is_harmony && name == "<|end|>")).filter_map(|name| find(name)));
    for (marker, names) in FAMILY_TURN_ENDS {
        if find(marker).is_some() {
            stops.extend(names.iter().filter_map(|name| find(name)));
        }
    }
    stops.sort_unstable();
    stops.dedup();
    stops
}
