//! A vocabulary as inglenook reads it, and as Hugging Face's own library does.

use inglenook_format::gguf::Gguf;
use inglenook_format::source::Memory;
use inglenook_text::tokenizer::TokenKind;
use inglenook_text::{Special, Tokenizer};
use serde_json::Value;
use tokenizers::Tokenizer as Reference;

/// Both readers of one `tokenizer.json`.
pub struct Pair {
    /// Ours, with the name of the form in which the vocabulary was read.
    pub ours: Vec<(&'static str, Tokenizer)>,
    /// The reference for texts in which special tokens count.
    parse: Reference,
    /// The reference for texts of users.
    as_text: Reference,
    /// What the tokens say.
    pub tokens: Vec<String>,
    /// Names of added tokens.
    pub names: Vec<String>,
}

impl Pair {
    /// From a `tokenizer.json` and, if there is one, the GGUF file of the same vocabulary.
    pub fn new(json: &[u8], gguf: Option<Vec<u8>>) -> Self {
        let mut ours = vec![("tokenizer.json", Tokenizer::from_json(json, None).expect("inglenook reads it"))];
        if let Some(bytes) = gguf {
            let gguf = pollster::block_on(Gguf::read(&Memory(bytes))).expect("a GGUF file");
            ours.push(("GGUF", Tokenizer::from_gguf(&gguf.metadata).expect("inglenook reads it")));
        }
        let parse = read(json);
        let state: Value = serde_json::from_slice(json).expect("JSON");
        let added = state["added_tokens"].as_array().map_or(&[][..], Vec::as_slice);
        let mut as_text = read(hide_special_tokens(json, &state).as_bytes());
        as_text.set_encode_special_tokens(true);
        let content = |token: &Value| token["content"].as_str().expect("a text").to_owned();
        let mut names: Vec<String> = added.iter().map(content).filter(|name| !name.is_empty()).collect();
        names.push("<|im_end|>".into());
        let vocabulary = &ours[0].1;
        let text = |id: u32| String::from_utf8_lossy(vocabulary.token_bytes(id)).into_owned();
        let tokens = (0..vocabulary.vocab_size() as u32).map(text).collect();
        Self { ours, parse, as_text, tokens, names }
    }

    /// What comes out otherwise for a text, if anything does.
    pub fn difference(&self, text: &str) -> Option<String> {
        let ids = |reference: &Reference, whole: bool| {
            reference.encode_fast(text, whole).expect("the reference encodes").get_ids().to_vec()
        };
        let plain = ids(&self.as_text, false);
        let whole = ids(&self.parse, true);
        let decoded = self.parse.decode(&plain, true).expect("the reference decodes");
        let expected = (plain, whole, decoded);
        for (form, ours) in &self.ours {
            let plain = ours.encode(text, Special::AsText, false);
            let decoded = ours.decode(&expected.0);
            let found = (plain, ours.encode_whole(text, Special::Parse), decoded);
            if found != expected {
                return Some(format!("{form}: {text:?}\n  found    {found:?}\n  expected {expected:?}"));
            }
        }
        None
    }

    /// Whether a token is a byte beside tokens of characters. Of a run of them the reference decodes all or nothing, where SentencePiece and
    /// inglenook decode those that are characters: only a decoder that sees the whole run can do the former.
    pub fn is_byte(&self, id: u32) -> bool {
        self.ours[0].1.token_kind(id) == Some(TokenKind::Byte)
    }

    /// What is decoded otherwise, if anything is.
    pub fn decoding_difference(&self, ids: &[u32]) -> Option<String> {
        let expected = self.parse.decode(ids, true).expect("the reference decodes");
        for (form, ours) in &self.ours {
            let found = ours.decode(ids);
            if found != expected {
                return Some(format!("{form}: {ids:?}\n  found    {found:?}\n  expected {expected:?}"));
            }
        }
        None
    }
}

/// The reference for whole texts, whatever length the file cuts them to or fills them up to.
fn read(json: &[u8]) -> Reference {
    let json = with_published_scores(json);
    let mut reference = Reference::from_bytes(&json).expect("the reference reads it");
    reference.with_padding(None).with_truncation(None).expect("no truncation is none that is wrong");
    reference
}

/// The file with the scores that published builds of the reference read in it. They read numbers the quick way, and in this build another
/// crate may have switched on the exact one; the last bit decides between spellings that are equally likely.
fn with_published_scores(json: &[u8]) -> Vec<u8> {
    let mut state: Value = serde_json::from_slice(json).expect("JSON");
    let scored = state["model"]["vocab"].as_array_mut();
    let mut differ = false;
    for score in scored.into_iter().flatten().filter_map(|entry| entry.get_mut(1)) {
        let text = score.to_string();
        let quick = quick(&text);
        if serde_json::from_str::<f64>(&text).expect("a number") != quick {
            (*score, differ) = (quick.into(), true);
        }
    }
    if differ { serde_json::to_vec(&state).expect("JSON") } else { json.to_vec() }
}

/// A number of at most 19 digits, as one integer and a power of ten.
fn quick(text: &str) -> f64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: f64 = (whole.to_owned() + fraction).parse::<i64>().expect("few digits") as f64;
    digits / format!("1e{}", fraction.len()).parse::<f64>().expect("a power of ten")
}

/// The file with names for special tokens that no text has, where the model would find theirs in its own vocabulary. inglenook never lets a
/// user's text become one.
fn hide_special_tokens(json: &[u8], state: &Value) -> String {
    let mut text = String::from_utf8(json.to_vec()).expect("UTF-8");
    if !matches!(state["model"]["type"].as_str(), Some("Unigram" | "WordLevel")) {
        return text;
    }
    let added = state["added_tokens"].as_array().map_or(&[][..], Vec::as_slice);
    for (number, token) in added.iter().filter(|token| token["special"] == true).enumerate() {
        text = text.replace(&token["content"].to_string(), &format!("\"\u{ffffd}{number}\""));
    }
    text
}
