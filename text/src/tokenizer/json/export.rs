//! A `tokenizer.json` as a GGUF file's own keys, for readers that know those alone, such as llama.cpp.
//!
//! What those keys cannot say is an error that names it: a reader that left it out would encode texts otherwise.

use std::borrow::Cow;

use inglenook_format::gguf::{Array, Strings, Value};
use serde_json::Value as Json;

use super::super::TokenizerError;
use super::super::gguf::{ADD_BOS, ADD_EOS, BOS, CHARSMAP, CLS, EOS, MERGES, SCORES, SEPARATOR, TOKEN_TYPE, UNKNOWN};
use super::super::normalize::SPACE_MARK;
use super::super::pre_tokenizer::{self, FoundStage, GPT2, NUMERIC, PUNCTUATION};
use super::super::vocab::TokenKind;
use super::model::{self, BpeFile, Kind, Parsed, WordPieceFile};
use super::normalizer::base64;
use super::{File, Table, add, damaged, decoder, member, member_or, post, type_of, unsupported};

/// Keys and their values.
type Entries = Vec<(&'static str, Value)>;

const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
const TOKENS: &str = "tokenizer.ggml.tokens";
const SPACE_PREFIX: &str = "tokenizer.ggml.add_space_prefix";
const EXTRA_WHITESPACES: &str = "tokenizer.ggml.remove_extra_whitespaces";

/// What the errors of this module are about.
const NORMALIZER: &str = "in a GGUF file's own keys, the normalizer";
const PRE_TOKENIZER: &str = "in a GGUF file's own keys, the pre-tokenizer";

/// The keys for a `tokenizer.json`. `rows`: how many ids the model has, up to which the vocabulary is filled with places kept.
///
/// # Errors
/// The file cannot be read; or it has something that those keys cannot say.
pub fn gguf_keys(json: &[u8], rows: u64) -> Result<Entries, TokenizerError> {
    let file: File<'_> = serde_json::from_slice(json).map_err(damaged)?;
    let mut parsed = model::parse(file.model.get())?;
    let has_bytes = decoder::Decoder::parse(file.decoder.as_ref())?.has_bytes() || parsed.has_bytes;
    let mut table = Table::new(std::mem::take(&mut parsed.tokens), &file.added_tokens, has_bytes)?;
    let unknown = parsed.unknown(&table.texts())?;
    add(&mut table, &file.added_tokens, unknown)?;
    let is_bert = matches!(parsed.kind, Kind::WordPiece(_));
    if let Some(unknown) = unknown {
        table.kinds[unknown as usize] = if is_bert { TokenKind::Control } else { TokenKind::Unknown };
    }
    fill(&mut table, rows);
    let mut entries = match &parsed.kind {
        Kind::Bpe(model) if stages(file.pre_tokenizer.as_ref())?.contains(&FoundStage::Alphabet) => {
            byte_level(&file, model)?
        }
        Kind::Bpe(model) if parsed.has_bytes => sentencepiece(&file, model, &mut table)?,
        Kind::Unigram { scores, .. } => unigram(&file, scores, table.texts.len())?,
        Kind::WordPiece(model) => word_piece(&file, model, &mut table)?,
        _ => return Err(unsupported("in a GGUF file's own keys, the model", kind_name(&parsed))),
    };
    let by_text =
        |wanted: &str| table.texts.iter().position(|text| text.as_deref() == Some(wanted)).map(|id| id as u32);
    let (before, after) = post::parse(file.post_processor.as_ref(), &by_text)?;
    if before.len() > 1 || after.len() > 1 {
        return Err(unsupported("in a GGUF file's own keys, the post-processor", "of several special tokens"));
    }
    let [begin, end] = if is_bert { [CLS, SEPARATOR] } else { [BOS, EOS] };
    entries.extend(unknown.map(|id| (UNKNOWN, id.into())));
    entries.extend(before.first().map(|&id| (begin, id.into())));
    entries.extend(after.first().map(|&id| (end, id.into())));
    // BERT's vocabularies always stand around a text.
    if !is_bert {
        entries.push((ADD_BOS, Value::from(!before.is_empty())));
        entries.push((ADD_EOS, Value::from(!after.is_empty())));
    }
    entries.push((TOKENS, table.texts().iter().collect::<Strings>().into()));
    let kinds = table.kinds.iter().map(|kind| kind.to_gguf()).collect();
    entries.push((TOKEN_TYPE, Value::Array(Array::I32(kinds))));
    Ok(entries)
}

fn kind_name(parsed: &Parsed<'_>) -> &'static str {
    match parsed.kind {
        Kind::WordLevel { .. } => "WordLevel",
        _ => "BPE over characters",
    }
}

/// Gives a name to each id that has none, as llama.cpp's converter does.
fn fill(table: &mut Table<'_>, rows: u64) {
    let missing = (rows.min(super::super::MAX_TOKENS as u64) as usize).max(table.texts.len());
    table.texts.resize(missing, None);
    table.kinds.resize(missing, TokenKind::Unused);
    for (id, text) in table.texts.iter_mut().enumerate() {
        text.get_or_insert_with(|| Cow::Owned(format!("[PAD{id}]")));
    }
}

/// Byte-level merges: "gpt2", with the name of the way of splitting.
fn byte_level(file: &File<'_>, model: &BpeFile<'_>) -> Result<Entries, TokenizerError> {
    let is_nfc = match normalizers(file.normalizer.as_ref())?[..] {
        [] => false,
        [part] if type_of(part) == "NFC" => true,
        [part, ..] => return Err(unsupported(NORMALIZER, type_of(part))),
    };
    let mut stages = stages(file.pre_tokenizer.as_ref())?;
    if stages.last() == Some(&FoundStage::Alphabet) {
        stages.pop();
    }
    let name = pre_tokenizer::name_of(&stages, is_nfc, model.ignore_merges);
    let name = name.ok_or_else(|| unsupported(PRE_TOKENIZER, "of patterns that no name stands for"))?;
    Ok(vec![(MODEL, "gpt2".into()), (PRE, name.into()), (MERGES, merges(model))])
}

fn merges(model: &BpeFile<'_>) -> Value {
    model
        .merges
        .iter()
        .filter_map(|merge| merge.halves())
        .map(|(left, right)| format!("{left} {right}"))
        .collect::<Strings>()
        .into()
}

/// The score of what no merge makes: single characters, which need none, come last.
const LAST: f32 = -1e9;

/// Merges over characters, with bytes for the rest: "llama", whose scores are the merges' ranks.
fn sentencepiece(file: &File<'_>, model: &BpeFile<'_>, table: &mut Table<'_>) -> Result<Entries, TokenizerError> {
    let prefix = space_prefix(file)?;
    let Table { texts, kinds } = table;
    let texts: Vec<&str> = texts.iter().map(|text| text.as_deref().unwrap_or_default()).collect();
    let ids = super::ids_by_text(&texts);
    let mut scores = vec![LAST; texts.len()];
    for (rank, (left, right)) in model.merges.iter().filter_map(|merge| merge.halves()).enumerate() {
        if let Some(&id) = ids.get(format!("{left}{right}").as_str()) {
            let score = &mut scores[id as usize];
            *score = f32::max(*score, -(rank as f32));
        }
    }
    let is_lost =
        |id: &usize| kinds[*id] == TokenKind::Normal && scores[*id] == LAST && texts[*id].chars().nth(1).is_some();
    let lost: Vec<usize> = (0..texts.len()).filter(is_lost).collect();
    // SentencePiece joins any two tokens whose text is one.
    let can_be_joined = |text: &str| {
        let known = |half: &str| ids.contains_key(half);
        text.char_indices().skip(1).any(|(at, _)| known(&text[..at]) && known(&text[at..]))
    };
    if let Some(&id) = lost.iter().find(|id| can_be_joined(texts[**id])) {
        return Err(unsupported("in a GGUF file's own keys, a token that no merge makes,", texts[id]));
    }
    lost.into_iter().for_each(|id| kinds[id] = TokenKind::Unused);
    for (score, kind) in scores.iter_mut().zip(kinds.iter()) {
        if !matches!(kind, TokenKind::Normal | TokenKind::Unused) {
            *score = 0.0;
        }
    }
    Ok(vec![
        (MODEL, "llama".into()),
        (PRE, "default".into()),
        (SCORES, Value::Array(Array::F32(scores))),
        (SPACE_PREFIX, prefix.into()),
    ])
}

/// Whether a text gets a space in front; what else is done to spaces must be what SentencePiece does.
fn space_prefix(file: &File<'_>) -> Result<bool, TokenizerError> {
    let mut prefix = false;
    for part in normalizers(file.normalizer.as_ref())? {
        match type_of(part) {
            "Prepend" if is_mark(part.get("prepend")) => prefix = true,
            "Replace" if is_literal(part, " ") && is_mark(part.get("content")) => {}
            other => return Err(unsupported(NORMALIZER, other)),
        }
    }
    match file.pre_tokenizer.as_ref() {
        None => Ok(prefix),
        // Spaces were replaced, so that it finds none.
        Some(part) if type_of(part) == "Split" && is_literal(part, " ") => Ok(prefix),
        Some(part) if type_of(part) == "Metaspace" && !member_or(part, "split", true)? => Ok(prefix || prepends(part)?),
        Some(part) => Err(unsupported(PRE_TOKENIZER, type_of(part))),
    }
}

/// Whether a value is the mark that stands for a space.
fn is_mark(value: Option<&Json>) -> bool {
    value.and_then(Json::as_str).is_some_and(|text| text.chars().eq([SPACE_MARK]))
}

/// Whether a `Metaspace` puts a mark in front.
fn prepends(part: &Json) -> Result<bool, TokenizerError> {
    let adds: bool = member_or(part, "add_prefix_space", true)?;
    Ok(member_or(part, "prepend_scheme", if adds { "always" } else { "never" })? != "never")
}

fn is_literal(part: &Json, text: &str) -> bool {
    part.get("pattern").and_then(|pattern| pattern.get("String")).and_then(Json::as_str) == Some(text)
}

/// SentencePiece's unigram model: "t5".
fn unigram(file: &File<'_>, scores: &[f64], count: usize) -> Result<Entries, TokenizerError> {
    let mut entries: Entries = vec![(MODEL, "t5".into()), (PRE, "default".into())];
    let mut removes_extra = false;
    for part in normalizers(file.normalizer.as_ref())? {
        match type_of(part) {
            "Precompiled" => {
                let bytes = base64(member(part, "precompiled_charsmap")?).ok_or(TokenizerError::BadCharsmap)?;
                entries.push((CHARSMAP, Value::Array(Array::U8(bytes))));
            }
            "Replace" if part.get("content").and_then(Json::as_str) == Some(" ") => removes_extra = true,
            "Strip" => {}
            other => return Err(unsupported(NORMALIZER, other)),
        }
    }
    let mut prefix = false;
    for part in parts(file.pre_tokenizer.as_ref(), "pretokenizers")? {
        match type_of(part) {
            "WhitespaceSplit" => removes_extra = true,
            "Metaspace" => prefix = prepends(part)?,
            other => return Err(unsupported(PRE_TOKENIZER, other)),
        }
    }
    let mut scores: Vec<f32> = scores.iter().map(|&score| score as f32).collect();
    scores.resize(count, 0.0);
    entries.push((SCORES, Value::Array(Array::F32(scores))));
    entries.push((SPACE_PREFIX, prefix.into()));
    entries.push((EXTRA_WHITESPACES, removes_extra.into()));
    Ok(entries)
}

/// BERT's WordPiece: "bert", where what begins a word is marked in place of what continues one.
fn word_piece(file: &File<'_>, model: &WordPieceFile<'_>, table: &mut Table<'_>) -> Result<Entries, TokenizerError> {
    match file.normalizer.as_ref().map(type_of) {
        Some("BertNormalizer") => {}
        other => return Err(unsupported(NORMALIZER, other.unwrap_or("none"))),
    }
    match file.pre_tokenizer.as_ref().map(type_of) {
        Some("BertPreTokenizer") => {}
        other => return Err(unsupported(PRE_TOKENIZER, other.unwrap_or("none"))),
    }
    let mark = model.continuing_subword_prefix.as_str();
    for (text, kind) in table.texts.iter_mut().zip(&table.kinds) {
        let Some(text) = text.as_mut().filter(|_| *kind == TokenKind::Normal) else { continue };
        let is_bracketed = text.starts_with('[') && text.ends_with(']');
        *text = match text.strip_prefix(mark) {
            Some(rest) => Cow::Owned(rest.to_owned()),
            None if is_bracketed => continue,
            None => Cow::Owned(format!("{SPACE_MARK}{text}")),
        };
    }
    Ok(vec![(MODEL, "bert".into()), (PRE, "default".into())])
}

/// The steps of a normalizer.
fn normalizers(value: Option<&Json>) -> Result<Vec<&Json>, TokenizerError> {
    parts(value, "normalizers")
}

/// The parts of a sequence, of one that is none itself.
fn parts<'v>(value: Option<&'v Json>, key: &str) -> Result<Vec<&'v Json>, TokenizerError> {
    match value {
        None => Ok(Vec::new()),
        Some(value) if type_of(value) == "Sequence" => {
            let parts = value.get(key).and_then(Json::as_array).ok_or_else(|| damaged("a sequence without parts"))?;
            let nested: Result<Vec<_>, _> = parts.iter().map(|part| self::parts(Some(part), key)).collect();
            Ok(nested?.concat())
        }
        Some(value) => Ok(vec![value]),
    }
}

/// The stages of a byte-level pre-tokenizer.
fn stages(value: Option<&Json>) -> Result<Vec<FoundStage>, TokenizerError> {
    let mut stages = Vec::new();
    for part in parts(value, "pretokenizers")? {
        let regex = || part.get("pattern").and_then(|pattern| pattern.get("Regex")).and_then(Json::as_str);
        match type_of(part) {
            "ByteLevel" if member_or(part, "add_prefix_space", true)? => {
                return Err(unsupported(PRE_TOKENIZER, "ByteLevel with add_prefix_space"));
            }
            "ByteLevel" => {
                if member_or(part, "use_regex", true)? {
                    stages.push(FoundStage::Cut(GPT2.to_owned()));
                }
                stages.push(FoundStage::Alphabet);
            }
            "Split" => match (regex(), member::<&str>(part, "behavior")?, member_or(part, "invert", false)?) {
                (Some(pattern), "Isolated", false) => stages.push(FoundStage::Cut(pattern.to_owned())),
                // The patterns cover a text, so that nothing lies between.
                (Some(pattern), "Removed", true) => stages.push(FoundStage::Cut(pattern.to_owned())),
                _ => stages.push(FoundStage::Other),
            },
            "Digits" if member_or(part, "individual_digits", false)? => {
                stages.push(FoundStage::Cut(NUMERIC.to_owned()));
            }
            "Digits" => stages.push(FoundStage::Join(NUMERIC.to_owned())),
            "Punctuation" => match member_or(part, "behavior", "Isolated")? {
                "Isolated" => stages.push(FoundStage::Cut(PUNCTUATION.to_owned())),
                "Contiguous" => stages.push(FoundStage::Join(PUNCTUATION.to_owned())),
                _ => stages.push(FoundStage::Other),
            },
            _ => stages.push(FoundStage::Other),
        }
    }
    Ok(stages)
}
