//! What of a GGUF file's metadata makes a tokenizer, checked.

use inglenook_format::gguf::{Array, GgufError, Metadata, Value};

use super::added::{Added, AddedTokens};
use super::alphabet::spelled;
use super::bpe::{self, Bpe, MergeTable, Units};
use super::charsmap::Charsmap;
use super::decoding::Decoding;
use super::json::bert_normalizer;
use super::normalize::{self, SPACE_MARK, SentencePiece};
use super::pattern::Finder;
use super::spelling::{byte_level_vocab, byte_tokens, candidates, chars, marked_vocab};
use super::spm::{Spm, SpmOptions};
use super::unigram::{Unigram, UnigramOptions};
use super::vocab::{TokenKind, Vocab, WordIndex, ids_by_text};
use super::wordpiece::WordPiece;
use super::{MAX_TOKENS, Model, SpecialIds, Tokenizer, TokenizerError, json, pre_tokenizer, split, stops};

/// Values of `tokenizer.ggml.model`.
pub(super) const MODELS: [&str; 5] = ["gpt2", "llama", "t5", "bert", "gemma4"];

pub(super) const BOS: &str = "tokenizer.ggml.bos_token_id";
pub(super) const EOS: &str = "tokenizer.ggml.eos_token_id";
const EOT: &str = "tokenizer.ggml.eot_token_id";
const EOM: &str = "tokenizer.ggml.eom_token_id";
pub(super) const UNKNOWN: &str = "tokenizer.ggml.unknown_token_id";
pub(super) const CLS: &str = "tokenizer.ggml.cls_token_id";
/// Spelled as the format spells it.
pub(super) const SEPARATOR: &str = "tokenizer.ggml.seperator_token_id";
pub(super) const ADD_BOS: &str = "tokenizer.ggml.add_bos_token";
pub(super) const ADD_EOS: &str = "tokenizer.ggml.add_eos_token";
const ADD_SEP: &str = "tokenizer.ggml.add_sep_token";
pub(super) const SCORES: &str = "tokenizer.ggml.scores";
pub(super) const MERGES: &str = "tokenizer.ggml.merges";
pub(super) const TOKEN_TYPE: &str = "tokenizer.ggml.token_type";
pub(super) const CHARSMAP: &str = "tokenizer.ggml.precompiled_charsmap";

/// A whole `tokenizer.json`, which goes before the other keys: they may be less than it says.
#[cfg(feature = "hf")]
const WHOLE: &str = "tokenizer.huggingface.json";

/// A longer word is unknown to BERT's vocabularies. Source: `max_input_chars_per_word` of their `tokenizer.json`.
const MAX_WORD_CHARS: usize = 100;

/// Everything a tokenizer is built from, as the file gives it.
#[derive(Clone, Debug, Default)]
pub struct Parts<'a> {
    /// `tokenizer.ggml.model`: "gpt2", "llama", "t5", "bert" or "gemma4".
    pub model: &'a str,
    /// `tokenizer.ggml.pre`, for "gpt2".
    pub pre_tokenizer: Option<&'a str>,
    /// The tokens' texts; a token's place is its id.
    pub tokens: Vec<&'a str>,
    /// Each token's type, GGUF's numbers 1–6. Empty: all are normal.
    pub token_types: Vec<i32>,
    /// Each token's score, for "llama" and "t5".
    pub scores: Vec<f32>,
    /// Merges "left right", best first, for "gpt2" and "gemma4".
    pub merges: Vec<&'a str>,
    /// SentencePiece's character map, for "t5". Empty: none.
    pub charsmap: Vec<u8>,
    /// The special tokens.
    pub ids: SpecialIds,
    /// Whether begin-of-text goes in front; none: as the kind of tokenizer is used.
    pub add_bos: Option<bool>,
    /// Whether end-of-text goes behind.
    pub add_eos: Option<bool>,
    /// Whether a separator goes behind.
    pub add_sep: Option<bool>,
    /// Whether a text gets a space in front, for "llama" and "t5".
    pub add_space_prefix: Option<bool>,
    /// Whether spaces at the ends, and all but one of a run, are taken away, for "llama" and "t5".
    pub remove_extra_whitespaces: Option<bool>,
    /// The chat template's source, whose markers are control tokens whatever type the file gives them. May be empty.
    pub template: &'a str,
}

impl<'a> Parts<'a> {
    /// Collects them from a file's metadata.
    ///
    /// # Errors
    /// A required key is missing, or one has another type.
    pub fn from_gguf(metadata: &'a Metadata) -> Result<Self, GgufError> {
        let model = metadata.str("tokenizer.ggml.model")?;
        let tokens: Vec<&str> = metadata.strings("tokenizer.ggml.tokens")?.iter().collect();
        let named = |key| optional_id(metadata, key, tokens.len());
        let mut ids = SpecialIds {
            bos: metadata.opt_u32(BOS)?,
            eos: metadata.opt_u32(EOS)?,
            eot: named(EOT),
            eom: named(EOM),
            unknown: named(UNKNOWN),
            separator: named(SEPARATOR),
        };
        let is = |id: u32, text| tokens.get(id as usize).is_some_and(|&token| token == text);
        // Defaults, which old files leave out; trusted where the vocabulary bears them out.
        if model == "llama" {
            ids.unknown = ids.unknown.or_else(|| is(0, "<unk>").then_some(0));
            ids.bos = ids.bos.or_else(|| is(1, "<s>").then_some(1));
            ids.eos = ids.eos.or_else(|| is(2, "</s>").then_some(2));
        } else if model == "bert" {
            ids.bos = metadata.opt_u32(CLS)?.or(ids.bos).or_else(|| is(101, "[CLS]").then_some(101));
            ids.unknown = ids.unknown.or_else(|| is(100, "[UNK]").then_some(100));
            ids.separator = ids.separator.or_else(|| is(102, "[SEP]").then_some(102));
        }
        Ok(Self {
            model,
            pre_tokenizer: metadata.opt_str("tokenizer.ggml.pre")?,
            tokens,
            token_types: metadata.opt_i32s(TOKEN_TYPE)?.unwrap_or_default().into_owned(),
            // What a kind of tokenizer does not use may hold anything.
            scores: match model {
                "llama" | "t5" => metadata.opt_f32s(SCORES)?.unwrap_or_default().into_owned(),
                _ => Vec::new(),
            },
            merges: match model {
                "gpt2" | "gemma4" => metadata.opt_strings(MERGES)?.map_or(Vec::new(), |merges| merges.iter().collect()),
                _ => Vec::new(),
            },
            charsmap: charsmap(metadata),
            ids,
            add_bos: flag(metadata, ADD_BOS)?,
            add_eos: flag(metadata, ADD_EOS)?,
            add_sep: flag(metadata, ADD_SEP)?,
            add_space_prefix: flag(metadata, "tokenizer.ggml.add_space_prefix")?,
            remove_extra_whitespaces: flag(metadata, "tokenizer.ggml.remove_extra_whitespaces")?,
            template: metadata.text("tokenizer.chat_template").unwrap_or_default(),
        })
    }

    /// What stands for text that the vocabulary cannot spell: never a token that begins or ends something.
    fn unknown(&self) -> Option<u32> {
        let SpecialIds { bos, eos, eot, eom, .. } = self.ids;
        self.ids.unknown.filter(|_| ![bos, eos, eot, eom].contains(&self.ids.unknown))
    }

    /// Checks what concerns all kinds of tokenizers, and gives each token's kind.
    fn check(&self) -> Result<Vec<TokenKind>, TokenizerError> {
        let size = self.tokens.len();
        match size {
            0 => return Err(TokenizerError::Empty),
            size if size > MAX_TOKENS => return Err(TokenizerError::TooManyTokens(size)),
            _ => {}
        }
        let same_length = |key, found| {
            if found == size { Ok(()) } else { Err(TokenizerError::LengthMismatch { key, found, expected: size }) }
        };
        if matches!(self.model, "llama" | "t5") {
            same_length(SCORES, self.scores.len())?;
        }
        let SpecialIds { bos, eos, separator, .. } = self.ids;
        for (key, id) in [(BOS, bos), (EOS, eos)] {
            if let Some(id) = id.filter(|&id| id as usize >= size) {
                return Err(TokenizerError::IdOutOfRange { key, id, size });
            }
        }
        for (wanted, flag, key, id) in
            [(ADD_BOS, self.add_bos, BOS, bos), (ADD_EOS, self.add_eos, EOS, eos.or(separator))]
        {
            if flag == Some(true) && id.is_none() {
                return Err(TokenizerError::MissingId { wanted, key });
            }
        }
        let mut kinds = vec![TokenKind::Normal; size];
        if !self.token_types.is_empty() {
            same_length(TOKEN_TYPE, self.token_types.len())?;
            for ((id, &number), kind) in self.token_types.iter().enumerate().zip(&mut kinds) {
                *kind = TokenKind::from_gguf(id, number)?;
                // In a byte-level vocabulary no token stands for a byte but by its letters.
                if self.model == "gpt2" && *kind == TokenKind::Byte && !self.tokens[id].starts_with("<0x") {
                    *kind = TokenKind::Normal;
                }
            }
        }
        stops::mark_control(self, &mut kinds);
        if !kinds.iter().any(|kind| matches!(kind, TokenKind::Normal | TokenKind::Byte)) {
            return Err(TokenizerError::NoText);
        }
        Ok(kinds)
    }
}

/// The id of a token that a vocabulary need not have: many files name one that is not there (-1, or the vocabulary's size).
fn optional_id(metadata: &Metadata, key: &str, size: usize) -> Option<u32> {
    let id = metadata.get(key).and_then(Value::as_integer).and_then(|id| u32::try_from(id).ok());
    id.filter(|id| (*id as usize) < size)
}

/// A flag; some files have 0 or 1 for it.
fn flag(metadata: &Metadata, key: &str) -> Result<Option<bool>, GgufError> {
    match metadata.get(key).and_then(Value::as_integer) {
        Some(number @ (0 | 1)) => Ok(Some(number == 1)),
        _ => metadata.opt_bool(key),
    }
}

/// The character map, which files keep as an array of bytes.
fn charsmap(metadata: &Metadata) -> Vec<u8> {
    match metadata.get(CHARSMAP) {
        Some(Value::Array(Array::U8(bytes))) => bytes.clone(),
        Some(Value::Array(Array::I8(bytes))) => bytes.iter().map(|&byte| byte as u8).collect(),
        _ => Vec::new(),
    }
}

/// What the kinds of tokenizers differ in.
struct Kind {
    vocab: Vocab,
    model: Model,
    normalizer: Vec<normalize::Step>,
    splitter: Vec<split::Step>,
    decoding: Decoding,
    adds_bos: bool,
    adds_eos: bool,
}

impl Tokenizer {
    /// Builds the tokenizer that a GGUF file describes.
    ///
    /// # Errors
    /// Whatever is missing or does not hold together: see [`TokenizerError`].
    pub fn from_gguf(metadata: &Metadata) -> Result<Self, TokenizerError> {
        #[cfg(feature = "hf")]
        if let Some(json) = metadata.text(WHOLE) {
            return Self::from_whole(json, metadata);
        }
        Self::new(&Parts::from_gguf(metadata)?)
    }

    /// Builds that of a `tokenizer.json`, with the special tokens that the metadata names.
    #[cfg(feature = "hf")]
    fn from_whole(json: &str, metadata: &Metadata) -> Result<Self, TokenizerError> {
        let mut tokenizer = Tokenizer::from_json(json.as_bytes(), None)?;
        let (found, size) = (tokenizer.ids, tokenizer.vocab_size());
        let named = |key| optional_id(metadata, key, size);
        tokenizer.ids = SpecialIds {
            bos: named(BOS).or(found.bos),
            eos: named(EOS).or(found.eos),
            eot: named(EOT),
            eom: named(EOM),
            unknown: named(UNKNOWN).or(found.unknown),
            separator: named(SEPARATOR),
        };
        tokenizer.stop_ids = stops::stop_ids(&tokenizer.vocab, &tokenizer.ids);
        Ok(tokenizer)
    }

    /// Builds a tokenizer from its parts.
    ///
    /// # Errors
    /// Whatever of the parts does not hold together: see [`TokenizerError`].
    pub fn new(parts: &Parts<'_>) -> Result<Self, TokenizerError> {
        let kinds = parts.check()?;
        let kind = match parts.model {
            "gpt2" => byte_level(parts, &kinds)?,
            "gemma4" => merged_characters(parts, &kinds)?,
            "llama" => spm(parts, &kinds)?,
            "t5" => unigram(parts, &kinds)?,
            "bert" => wordpiece(parts, &kinds)?,
            other => return Err(TokenizerError::UnknownModel(other.to_owned())),
        };
        let ids = parts.ids;
        let suffix = ids.separator.filter(|_| parts.add_sep == Some(true) || parts.model == "bert").or(ids.eos);
        let adds_eos = match (parts.add_eos, parts.add_sep) {
            (None, None) => kind.adds_eos,
            flags => flags.0 == Some(true) || flags.1 == Some(true),
        };
        let vocab = kind.vocab;
        Ok(Self {
            added: added(parts, &vocab)?,
            normalizer: kind.normalizer,
            added_normal: AddedTokens::new(Vec::new())?,
            splitter: kind.splitter,
            model: kind.model,
            decoding: kind.decoding,
            stop_ids: stops::stop_ids(&vocab, &ids),
            add_bos: parts.add_bos.unwrap_or(kind.adds_bos) && ids.bos.is_some(),
            add_eos: adds_eos && suffix.is_some(),
            affixes: (ids.bos.into_iter().collect(), suffix.into_iter().collect()),
            vocab,
            ids,
        })
    }
}

/// Whether user-defined tokens are part of the text for the encoder, as SentencePiece has it. Where a space is put in front of what
/// follows such a token, as Llama 2's `tokenizer.json` does, they are found before.
fn finds_user_defined(parts: &Parts<'_>) -> bool {
    parts.model == "llama" && parts.add_space_prefix == Some(false)
}

/// Control, unknown and user-defined tokens, which are looked for as they are written.
fn added(parts: &Parts<'_>, vocab: &Vocab) -> Result<AddedTokens, TokenizerError> {
    let added = vocab.kinds().zip(&parts.tokens).filter_map(|((id, kind), &text)| match kind {
        TokenKind::Control | TokenKind::Unknown => Some(Added::new(id, text, true)),
        TokenKind::UserDefined if finds_user_defined(parts) => None,
        TokenKind::UserDefined if parts.model == "gemma4" => Some(Added::new(id, text, false)),
        // Marks stand for spaces in the text.
        TokenKind::UserDefined => Some(Added::new(id, String::from_utf8_lossy(vocab.bytes(id)), false)),
        _ => None,
    });
    AddedTokens::new(added.collect())
}

/// The merges of `parts`.
///
/// # Errors
/// What is wrong with one; there are none, and without them tokens of several characters could not be reached.
fn merges(parts: &Parts<'_>, kinds: &[TokenKind]) -> Result<MergeTable, TokenizerError> {
    let mut normal = parts.tokens.iter().zip(kinds).filter(|(_, kind)| **kind == TokenKind::Normal);
    if parts.merges.is_empty() && normal.any(|(text, _)| text.chars().nth(1).is_some()) {
        return Err(GgufError::Missing { key: MERGES.into() }.into());
    }
    if let Some((index, text)) = parts.merges.iter().enumerate().find(|(_, text)| bpe::halves(text).is_none()) {
        return Err(TokenizerError::BadMerge { index, text: (*text).to_owned() });
    }
    let halves = parts.merges.iter().filter_map(|text| bpe::halves(text));
    MergeTable::new(&ids_by_text(&parts.tokens), kinds, halves, 0)
}

/// A byte-level vocabulary ("gpt2").
fn byte_level(parts: &Parts<'_>, kinds: &[TokenKind]) -> Result<Kind, TokenizerError> {
    let row = pre_tokenizer::row(parts.pre_tokenizer)?;
    let vocab = byte_level_vocab(&parts.tokens, kinds);
    let units = if row.in_alphabet() {
        Units::Chars(chars(&parts.tokens, kinds, None))
    } else {
        Units::Bytes(bpe::single_bytes(&vocab, |id| spelled(parts.tokens[id as usize]).is_some()))
    };
    let whole_words = row.whole_words.then(|| {
        WordIndex::new(&vocab, &|id, kind| kind == TokenKind::Normal && spelled(parts.tokens[id as usize]).is_some())
    });
    // Such a vocabulary has no unknown token of its own: what a file names is the configuration's, often the end of text. A byte
    // without a token is left out, as the reference does.
    let model = Bpe { units, merges: merges(parts, kinds)?, whole_words, unknown: None, fuse_unknown: false };
    Ok(Kind {
        model: Model::Bpe(model),
        normalizer: row.normalizer(),
        splitter: row.steps()?,
        decoding: Decoding::Plain,
        adds_bos: row.add_bos,
        adds_eos: false,
        vocab,
    })
}

/// Merges over characters, with byte tokens for the rest ("gemma4").
fn merged_characters(parts: &Parts<'_>, kinds: &[TokenKind]) -> Result<Kind, TokenizerError> {
    let vocab = marked_vocab(&parts.tokens, kinds)?;
    let chars = chars(&parts.tokens, kinds, Some(byte_tokens(&vocab)));
    let model = Bpe {
        units: Units::Chars(chars),
        merges: merges(parts, kinds)?,
        whole_words: None,
        unknown: parts.unknown(),
        fuse_unknown: true,
    };
    Ok(Kind {
        vocab,
        model: Model::Bpe(model),
        normalizer: vec![normalize::Step::Replace(Finder::Literal(" ".into()), SPACE_MARK.into())],
        splitter: Vec::new(),
        decoding: Decoding::Plain,
        adds_bos: true,
        adds_eos: false,
    })
}

/// What SentencePiece does with spaces, and with a character map if there is one.
fn spaces(parts: &Parts<'_>, removes_extra: bool) -> Result<(SentencePiece, Decoding), TokenizerError> {
    let map = || Charsmap::new(&parts.charsmap).ok_or(TokenizerError::BadCharsmap);
    let charsmap = if parts.charsmap.is_empty() { None } else { Some(map()?) };
    let normalizer = SentencePiece {
        charsmap,
        add_prefix: parts.add_space_prefix.unwrap_or(true),
        remove_extra: parts.remove_extra_whitespaces.unwrap_or(removes_extra),
        ..SentencePiece::default()
    };
    let decoding = normalizer.decoding();
    Ok((normalizer, decoding))
}

/// SentencePiece's byte-pair encoding ("llama").
fn spm(parts: &Parts<'_>, kinds: &[TokenKind]) -> Result<Kind, TokenizerError> {
    let vocab = marked_vocab(&parts.tokens, kinds)?;
    let (normalizer, decoding) = spaces(parts, false)?;
    let options = SpmOptions {
        scores: &parts.scores,
        bytes: Some(byte_tokens(&vocab)),
        unknown: parts.unknown(),
        finds_user_defined: finds_user_defined(parts),
    };
    Ok(Kind {
        model: Model::Spm(Spm::new(options, &vocab)?),
        normalizer: vec![normalize::Step::SentencePiece(normalizer)],
        splitter: Vec::new(),
        decoding,
        adds_bos: true,
        adds_eos: false,
        vocab,
    })
}

/// SentencePiece's unigram model ("t5").
fn unigram(parts: &Parts<'_>, kinds: &[TokenKind]) -> Result<Kind, TokenizerError> {
    let vocab = marked_vocab(&parts.tokens, kinds)?;
    let (normalizer, decoding) = spaces(parts, true)?;
    let has_bytes = kinds.contains(&TokenKind::Byte);
    let options =
        UnigramOptions { bytes: has_bytes.then(|| byte_tokens(&vocab)), unknown: parts.unknown(), single: true };
    let scores = parts.scores.iter().map(|&score| f64::from(score)).collect();
    let model = Unigram::new(candidates(&vocab), scores, options)?;
    Ok(Kind {
        model: Model::Unigram(model),
        normalizer: vec![normalize::Step::SentencePiece(normalizer)],
        splitter: Vec::new(),
        decoding,
        adds_bos: false,
        adds_eos: true,
        vocab,
    })
}

/// BERT's WordPiece ("bert"). Files mark words ("▁") where `tokenizer.json` marks what continues them ("##").
fn wordpiece(parts: &Parts<'_>, kinds: &[TokenKind]) -> Result<Kind, TokenizerError> {
    let is_text = |id: u32| matches!(kinds[id as usize], TokenKind::Normal | TokenKind::Unused);
    let texts = || (0u32..).zip(parts.tokens.iter().copied());
    // llama.cpp's converter leaves what is in brackets without a mark. Brackets are cut off words, so that none continues one.
    let begins = |text: &'_ str| text.starts_with(SPACE_MARK) || text.starts_with('[') && text.ends_with(']');
    let initial = texts()
        .filter_map(|(id, text)| Some((text.strip_prefix(SPACE_MARK)?.as_bytes(), id)))
        .filter(|&(_, id)| is_text(id));
    let continuing = texts().filter(|&(id, text)| is_text(id) && !begins(text)).map(|(id, text)| (text.as_bytes(), id));
    let model = WordPiece::new(initial, continuing, parts.unknown(), MAX_WORD_CHARS)?;

    let mut vocab = Vocab::with_capacity(parts.tokens.len(), parts.tokens.iter().map(|text| text.len()).sum());
    for (id, text) in texts() {
        let kind = kinds[id as usize];
        let text = match text.strip_prefix(SPACE_MARK).unwrap_or(text) {
            word if is_text(id) && begins(text) => format!(" {word}"),
            _ => text.to_owned(),
        };
        vocab.push(json::without_space_before_marks(&text).into_owned().into_bytes(), kind);
    }
    let continues = texts().map(|(id, text)| is_text(id) && !begins(text)).collect();
    // The file does not say whether the model ignores case, but a vocabulary without a capitalised word leaves no choice.
    let is_capital = |c: char| !c.to_lowercase().eq([c]);
    let is_capitalised = |word: &str| word.chars().count() > 1 && word.starts_with(is_capital);
    let mut words = texts().filter(|&(id, _)| is_text(id)).filter_map(|(_, text)| text.strip_prefix(SPACE_MARK));
    let ignores_case = !words.any(is_capitalised);
    Ok(Kind {
        vocab,
        model: Model::WordPiece(model),
        normalizer: bert_normalizer(true, true, ignores_case, ignores_case)?,
        splitter: json::bert_splitter()?,
        decoding: Decoding::Words { mark: "##".into(), continues },
        adds_bos: true,
        adds_eos: true,
    })
}
