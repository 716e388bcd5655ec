//! What a file says that nothing depends on: it is taken where it makes sense, and never stops a load.

use super::request::Recommended;
use inglenook_format::gguf::{Metadata, Value};

const SAMPLING: &str = "general.sampling.";
const TEMPLATE: &str = "tokenizer.chat_template";

/// Values of recommended sampling, and the largest that makes sense.
const RECOMMENDED: [(&str, f64); 3] = [("temp", 100.0), ("top_p", 1.0), ("min_p", 1.0)];

/// The sampling that a file recommends. A `top_k` that is not positive switches it off.
pub(super) fn recommended(meta: &Metadata) -> Recommended {
    let number = |name: &str| meta.number(&format!("{SAMPLING}{name}"));
    let [temperature, top_p, min_p] = RECOMMENDED
        .map(|(name, most)| number(name).filter(|value| (0.0..=most).contains(value)).map(|value| value as f32));
    let top_k = number("top_k").filter(|value| value.is_finite()).map(|value| value as u32);
    Recommended { temperature, top_k, top_p, min_p }
}

/// What of a file's optional metadata makes no sense and is left out, in sentences.
pub fn ignored(meta: &Metadata) -> Vec<String> {
    let note = |key: &str, wanted: &str| format!("`{key}` is no {wanted} and is ignored");
    let mut notes = Vec::new();
    let not_text = |key: &str| meta.get(key).is_some_and(|value| !matches!(value, Value::String(_)));
    let size = meta.strings("tokenizer.ggml.tokens").map_or(0, |tokens| tokens.iter().count());
    // A whole `tokenizer.json` has its tokens for itself.
    let named: &[&str] = match meta.get("tokenizer.ggml.tokens") {
        Some(_) => &["eot", "eom", "unknown", "seperator"],
        None => &[],
    };
    for name in named {
        let key = format!("tokenizer.ggml.{name}_token_id");
        let is_token = |value: &Value| value.as_integer().is_some_and(|id| (0..size as i128).contains(&id));
        if meta.get(&key).is_some_and(|value| !is_token(value)) {
            notes.push(note(&key, "token of the vocabulary"));
        }
    }
    let templates = meta.iter().map(|(key, _)| key).filter(|key| key.starts_with(TEMPLATE));
    notes
        .extend(["general.name"].into_iter().chain(templates).filter(|key| not_text(key)).map(|key| note(key, "text")));
    for (name, most) in RECOMMENDED {
        let key = format!("{SAMPLING}{name}");
        let makes_sense = meta.number(&key).is_some_and(|value| (0.0..=most).contains(&value));
        if meta.get(&key).is_some() && !makes_sense {
            notes.push(note(&key, &format!("number from 0 to {most}")));
        }
    }
    let key = format!("{SAMPLING}top_k");
    if meta.get(&key).is_some() && meta.number(&key).is_none() {
        notes.push(note(&key, "number"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(entries: &[(&str, Value)]) -> Metadata {
        Metadata::new(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()).unwrap()
    }

    #[test]
    fn recommendations_are_taken_where_they_make_sense() {
        let sound = meta(&[
            ("general.sampling.temp", 1u32.into()),
            ("general.sampling.top_k", 40i32.into()),
            ("general.sampling.top_p", 0.9f64.into()),
            ("general.sampling.min_p", 0f32.into()),
        ]);
        let wanted = Recommended { temperature: Some(1.0), top_k: Some(40), top_p: Some(0.9), min_p: Some(0.0) };
        assert_eq!((recommended(&sound), ignored(&sound)), (wanted, vec![]));
        let off = meta(&[("general.sampling.top_k", (-1i32).into())]);
        assert_eq!((recommended(&off).top_k, ignored(&off)), (Some(0), vec![]));
    }

    #[test]
    fn what_makes_no_sense_is_left_out_and_told() {
        let odd = meta(&[
            ("general.name", 7u32.into()),
            ("tokenizer.chat_template", true.into()),
            ("general.sampling.temp", f32::NAN.into()),
            ("general.sampling.top_k", "many".into()),
            ("general.sampling.top_p", 1.5f32.into()),
            ("general.sampling.min_p", (-1i8).into()),
        ]);
        assert_eq!(recommended(&odd), Recommended::default());
        let notes = ignored(&odd);
        assert_eq!(notes.len(), 6, "{notes:#?}");
        assert!(notes.contains(&"`general.sampling.top_p` is no number from 0 to 1 and is ignored".to_owned()));
    }
}
