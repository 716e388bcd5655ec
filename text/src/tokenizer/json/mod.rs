//! Tokenizers from `tokenizer.json`, the file of Hugging Face's tokenizers, and what `tokenizer_config.json` adds.
//!
//! Every kind of normalizer, pre-tokenizer, model, decoder and post-processor that is not built in is an error that names it:
//! a step left out would be a silently different text.

mod config;
mod decoder;
#[cfg(feature = "hf")]
mod export;
mod model;
mod normalizer;
mod post;
mod score;
mod splitter;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::added::{Added, AddedTokens};
use super::aligned::Aligned;
use super::vocab::{TokenKind, ids_by_text};
use super::{SpecialIds, Tokenizer, TokenizerError, normalize, stops};

pub use config::{NamedTemplate, TokenizerConfig};
pub(super) use decoder::without_space_before_marks;
#[cfg(feature = "hf")]
pub use export::gguf_keys;
pub(super) use normalizer::bert as bert_normalizer;
pub(super) use splitter::bert as bert_splitter;

const FILE: &str = "tokenizer.json";

/// The most steps that a normalizer, a pre-tokenizer or a decoder may have. Published ones have up to about 10.
const MAX_STEPS: usize = 32;

/// The parts of the file. The model is read apart, for it is large.
#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow, default)]
    added_tokens: Vec<AddedToken<'a>>,
    normalizer: Option<Value>,
    pre_tokenizer: Option<Value>,
    post_processor: Option<Value>,
    decoder: Option<Value>,
    #[serde(borrow)]
    model: &'a RawValue,
}

#[derive(Deserialize)]
struct AddedToken<'a> {
    id: u32,
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default = "yes")]
    normalized: bool,
    #[serde(default)]
    special: bool,
}

fn yes() -> bool {
    true
}

fn damaged(problem: impl ToString) -> TokenizerError {
    TokenizerError::BadFile { file: FILE, problem: problem.to_string() }
}

fn unsupported(part: &'static str, name: impl Into<String>) -> TokenizerError {
    TokenizerError::Unsupported { part, name: name.into() }
}

/// Refuses a part of too many steps.
fn check_steps(part: &str, steps: usize) -> Result<(), TokenizerError> {
    if steps <= MAX_STEPS { Ok(()) } else { Err(damaged(format!("the {part} has more than {MAX_STEPS} steps"))) }
}

/// The `type` of a part.
fn type_of(value: &Value) -> &str {
    value.get("type").and_then(Value::as_str).unwrap_or("without a type")
}

/// A member of a part, read as what it should be.
fn member<'v, T: Deserialize<'v>>(value: &'v Value, key: &str) -> Result<T, TokenizerError> {
    let member = value.get(key).unwrap_or(&Value::Null);
    T::deserialize(member).map_err(|error| damaged(format!("{key:?} of {:?}: {error}", type_of(value))))
}

/// A member that may be missing.
fn member_or<'v, T: Deserialize<'v>>(value: &'v Value, key: &str, default: T) -> Result<T, TokenizerError> {
    Ok(member::<Option<T>>(value, key)?.unwrap_or(default))
}

/// Every token, by id: its text and its kind.
struct Table<'a> {
    texts: Vec<Option<Cow<'a, str>>>,
    kinds: Vec<TokenKind>,
}

impl<'a> Table<'a> {
    /// From the model's tokens and the added ones.
    fn new(model: Vec<(Cow<'a, str>, u32)>, added: &[AddedToken<'a>], has_bytes: bool) -> Result<Self, TokenizerError> {
        let count = model.len() + added.len();
        let ids = model.iter().map(|&(_, id)| id).chain(added.iter().map(|token| token.id));
        let Some(largest) = ids.max() else { return Err(TokenizerError::Empty) };
        if largest as usize >= super::MAX_TOKENS {
            return Err(TokenizerError::TooManyTokens(largest as usize + 1));
        }
        // Files leave a few numbers out; memory must not follow a number that one token has.
        if largest as usize > 2 * count + 4096 {
            return Err(TokenizerError::SparseIds { largest, count });
        }
        let size = largest as usize + 1;
        let mut table = Self { texts: vec![None; size], kinds: vec![TokenKind::Unused; size] };
        for (text, id) in model {
            let is_byte = has_bytes && super::bytes::byte_token(&text).is_some();
            table.put(text, id, if is_byte { TokenKind::Byte } else { TokenKind::Normal })?;
        }
        Ok(table)
    }

    fn put(&mut self, text: Cow<'a, str>, id: u32, kind: TokenKind) -> Result<(), TokenizerError> {
        let place = &mut self.texts[id as usize];
        match place.as_deref().filter(|first| *first != text) {
            Some(first) => Err(TokenizerError::SameId { id, first: first.to_owned(), second: text.into_owned() }),
            None => {
                *place = Some(text);
                self.kinds[id as usize] = kind;
                Ok(())
            }
        }
    }

    /// The texts; empty where a number was left out.
    fn texts(&self) -> Vec<&str> {
        self.texts.iter().map(|text| text.as_deref().unwrap_or_default()).collect()
    }
}

impl Tokenizer {
    /// Builds the tokenizer that a `tokenizer.json` describes. `config`, if there is one, is the `tokenizer_config.json` beside
    /// it, which names the special tokens.
    ///
    /// # Errors
    /// Whatever cannot be read, is not supported or does not hold together: see [`TokenizerError`].
    pub fn from_json(json: &[u8], config: Option<&[u8]>) -> Result<Self, TokenizerError> {
        let config = config.map(TokenizerConfig::parse).transpose()?.unwrap_or_default();
        let file: File<'_> = serde_json::from_slice(json).map_err(damaged)?;
        let mut parsed = model::parse(file.model.get())?;
        let decoder = decoder::Decoder::parse(file.decoder.as_ref())?;
        let mut table = Table::new(
            std::mem::take(&mut parsed.tokens),
            &file.added_tokens,
            decoder.has_bytes() || parsed.has_bytes,
        )?;
        let unknown = parsed.unknown(&table.texts())?;
        let added = add(&mut table, &file.added_tokens, unknown)?;

        let normalizer = file.normalizer.as_ref().map(normalizer::parse).transpose()?.unwrap_or_default();
        let splitter = splitter::parse(file.pre_tokenizer.as_ref())?;
        let texts = table.texts();
        let (added, added_normal) = by_normalization(added, &file.added_tokens, &normalizer)?;
        let (vocab, decoding) = decoder.vocab(&decoded_texts(&texts, &added_normal), &table.kinds)?;
        let model = parsed.build(&texts, &table.kinds, &vocab, unknown, splitter.bytes)?;
        let ids_by_text = ids_by_text(&texts);
        let by_text = |wanted: &str| ids_by_text.get(wanted).copied();
        let affixes = post::parse(file.post_processor.as_ref(), &by_text)?;
        let named = |name: &Option<String>| name.as_deref().and_then(by_text);
        let ids = SpecialIds {
            bos: named(&config.bos_token).or(affixes.0.first().copied()),
            eos: named(&config.eos_token).or(affixes.1.last().copied()),
            unknown,
            ..SpecialIds::default()
        };
        Ok(Self {
            added: AddedTokens::new(added)?,
            added_normal: AddedTokens::new(added_normal)?,
            normalizer,
            splitter: splitter.steps,
            model,
            decoding,
            stop_ids: stops::stop_ids(&vocab, &ids),
            add_bos: !affixes.0.is_empty(),
            add_eos: !affixes.1.is_empty(),
            affixes,
            vocab,
            ids,
        })
    }
}

/// Enters the added tokens. One whose content the model has is that token, whatever id it names, as in the reference.
fn add<'a>(
    table: &mut Table<'a>,
    tokens: &[AddedToken<'a>],
    unknown: Option<u32>,
) -> Result<Vec<Added>, TokenizerError> {
    let texts = table.texts();
    let by_text = ids_by_text(&texts);
    let ids: Vec<u32> =
        tokens.iter().map(|token| by_text.get(token.content.as_ref()).copied().unwrap_or(token.id)).collect();
    let mut added = Vec::with_capacity(tokens.len());
    for (token, id) in tokens.iter().zip(ids) {
        let kind = match token.special {
            true if Some(id) == unknown => TokenKind::Unknown,
            true => TokenKind::Control,
            false => TokenKind::UserDefined,
        };
        table.put(token.content.clone(), id, kind)?;
        added.push(Added {
            single_word: token.single_word,
            lstrip: token.lstrip,
            rstrip: token.rstrip,
            ..Added::new(id, token.content.as_ref(), token.special)
        });
    }
    Ok(added)
}

/// The texts of tokens for decoding: that of one which is looked for in normalised text is its normal form, as in the reference.
fn decoded_texts<'t>(texts: &[&'t str], added_normal: &'t [Added]) -> Vec<&'t str> {
    let mut texts = texts.to_vec();
    for added in added_normal.iter().filter(|added| !added.special) {
        texts[added.id as usize] = &added.content;
    }
    texts
}

/// Parts the tokens that are looked for in the text as written from those looked for in the normalised text, whose contents
/// are normalised, too.
fn by_normalization(
    added: Vec<Added>,
    tokens: &[AddedToken<'_>],
    normalizer: &[normalize::Step],
) -> Result<(Vec<Added>, Vec<Added>), TokenizerError> {
    let (mut written, mut normal) = (Vec::new(), Vec::new());
    for (mut added, token) in added.into_iter().zip(tokens) {
        if token.normalized {
            let mut content = Aligned::new(&token.content, false);
            normalize::run(normalizer, &mut content);
            added.content = content.as_str().to_owned();
            added.check()?;
            normal.push(added);
        } else {
            written.push(added);
        }
    }
    Ok((written, normal))
}
