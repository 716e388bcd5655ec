//! The `normalizer` of a `tokenizer.json`.

use serde_json::Value;

use super::super::TokenizerError;
use super::super::charsmap::Charsmap;
use super::super::normal_forms::Form;
use super::super::normalize::Step;
use super::super::pattern::Finder;
use super::super::pre_tokenizer::regex;
use super::{check_steps, damaged, member, member_or, type_of, unsupported};

/// Marks that carry accents, of all kinds and of the kind that takes no room.
const MARKS: &str = r"\p{M}";
const NONSPACING_MARKS: &str = r"\p{Mn}";

/// What `BertNormalizer` throws away: control characters, and what stands for no character.
const BERT_CONTROL: &str = r"[\u0000\uFFFD\p{Cc}\p{Cf}\p{Co}&&[^\t\n\r]]";

/// The ideographs that `BertNormalizer` sets apart (`is_chinese_char` of BERT's own tokenization.py).
const BERT_IDEOGRAPHS: &str = "[\u{4e00}-\u{9fff}\u{3400}-\u{4dbf}\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{f900}-\u{faff}\u{2f800}-\u{2fa1f}]";

/// What SentencePiece's `nmt` rules throw away, and what they turn into a space.
const NMT_CONTROL: &str = r"[\u0001-\u0008\u000B\u000E-\u001F\u007F\u008F\u009F]";
const NMT_SPACE: &str = r"[\u0009\u000A\u000C\u000D\u1680\u200B-\u200F\u2028\u2029\u2581\uFEFF\uFFFD]";

/// The steps of a normalizer.
pub(super) fn parse(value: &Value) -> Result<Vec<Step>, TokenizerError> {
    let one = |step| Ok(vec![step]);
    match type_of(value) {
        "Sequence" => {
            let parts: Vec<Value> = member(value, "normalizers")?;
            let mut steps = Vec::new();
            for part in &parts {
                steps.extend(parse(part)?);
                check_steps("normalizer", steps.len())?;
            }
            Ok(steps)
        }
        "NFC" => one(Step::Form(Form::Nfc)),
        "NFD" => one(Step::Form(Form::Nfd)),
        "NFKC" => one(Step::Form(Form::Nfkc)),
        "NFKD" => one(Step::Form(Form::Nfkd)),
        "Lowercase" => one(Step::Lowercase),
        "StripAccents" => one(Step::Replace(regex(MARKS)?, String::new())),
        "Strip" => one(Step::Strip {
            left: member_or(value, "strip_left", true)?,
            right: member_or(value, "strip_right", true)?,
        }),
        "Prepend" => one(Step::Prepend(member(value, "prepend")?)),
        "Replace" => one(Step::Replace(finder(value)?, member(value, "content")?)),
        "Nmt" => {
            Ok(vec![Step::Replace(regex(NMT_CONTROL)?, String::new()), Step::Replace(regex(NMT_SPACE)?, " ".into())])
        }
        "Precompiled" => {
            let bytes = base64(member(value, "precompiled_charsmap")?).ok_or(TokenizerError::BadCharsmap)?;
            one(Step::Graphemes(Charsmap::new(&bytes).ok_or(TokenizerError::BadCharsmap)?))
        }
        "BertNormalizer" => {
            let lowercase = member_or(value, "lowercase", true)?;
            bert(
                member_or(value, "clean_text", true)?,
                member_or(value, "handle_chinese_chars", true)?,
                member_or(value, "strip_accents", lowercase)?,
                lowercase,
            )
        }
        other => Err(unsupported("the normalizer", other)),
    }
}

/// The steps of `BertNormalizer`.
pub fn bert(
    clean_text: bool,
    set_ideographs_apart: bool,
    strip_accents: bool,
    lowercase: bool,
) -> Result<Vec<Step>, TokenizerError> {
    let mut steps = Vec::new();
    if clean_text {
        steps.push(Step::Replace(regex(BERT_CONTROL)?, String::new()));
        steps.push(Step::Replace(regex(r"\s")?, " ".into()));
    }
    if set_ideographs_apart {
        steps.push(Step::Surround(regex(BERT_IDEOGRAPHS)?));
    }
    if strip_accents {
        steps.push(Step::Form(Form::Nfd));
        steps.push(Step::Replace(regex(NONSPACING_MARKS)?, String::new()));
    }
    if lowercase {
        steps.push(Step::Lowercase);
    }
    Ok(steps)
}

/// The `pattern` of a part: a string or a regular expression.
pub(super) fn finder(value: &Value) -> Result<Finder, TokenizerError> {
    let pattern: &Value =
        value.get("pattern").ok_or_else(|| damaged(format!("{} without a pattern", type_of(value))))?;
    match (pattern, pattern.get("String"), pattern.get("Regex")) {
        (Value::String(text), ..) | (_, Some(Value::String(text)), _) => Ok(Finder::Literal(text.clone())),
        (_, _, Some(Value::String(pattern))) => regex(pattern),
        _ => Err(damaged(format!("{} has a pattern that is neither a String nor a Regex", type_of(value)))),
    }
}

/// Decodes base64 with padding; none if `text` is not that.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for c in text.bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded() {
        for (text, bytes) in
            [("", &b""[..]), ("Zg==", b"f"), ("Zm8=", b"fo"), ("Zm9v", b"foo"), ("/+8A", &[0xff, 0xef, 0])]
        {
            assert_eq!(base64(text).as_deref(), Some(bytes), "{text}");
        }
        assert_eq!(base64("Zm9v\n"), None);
    }
}
