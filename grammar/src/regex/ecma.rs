//! ECMAScript's regular expressions in Rust's syntax. Where the two read the same text differently, the result matches what both
//! do (in a negated class it excludes what either does).

use regex_syntax::is_escapeable_character;

/// Digits and letters of words are Unicode's in Rust and ASCII's in ECMAScript.
const DIGIT: &str = "0-9";
const WORD: &str = "0-9A-Za-z_";
/// The spaces that every reading of `\s` takes, and those that some reading takes.
const SPACE: &str = r" \t\n\r\x0b\x0c";
const ANY_SPACE: &str = r"\s\u{feff}";
/// ECMAScript's dot stops at four kinds of line ends, Rust's at one.
const DOT: &str = r"[^\n\r\u{2028}\u{2029}]";

/// Where in the expression the reader is.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Outside,
    Class,
    NegatedClass,
}

/// The expression in Rust's syntax, which may still hold what Rust refuses (look-around, back-references).
pub fn to_rust(pattern: &str) -> Result<String, &'static str> {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut place = Place::Outside;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match (c, place) {
            ('\\', _) => rest = escape(rest, place, &mut out)?,
            ('.', Place::Outside) => out.push_str(DOT),
            ('[', Place::Outside) => (rest, place) = open_class(rest, &mut out),
            ('[' | '&' | '~', Place::Class | Place::NegatedClass) => {
                // These begin nested classes and set operations in Rust.
                out.extend(['\\', c]);
            }
            ('-', Place::Class | Place::NegatedClass) if rest.starts_with('-') => {
                return Err("`--` in a class is ambiguous; escape one of the two");
            }
            (']', _) => {
                place = Place::Outside;
                out.push(']');
            }
            _ => out.push(c),
        }
    }
    Ok(out)
}

/// What follows a `[`. In ECMAScript `[]` matches nothing and `[^]` anything, where Rust would take the `]` literally.
fn open_class<'a>(rest: &'a str, out: &mut String) -> (&'a str, Place) {
    if let Some(after) = rest.strip_prefix("^]") {
        out.push_str(r"[\s\S]");
        (after, Place::Outside)
    } else if let Some(after) = rest.strip_prefix(']') {
        out.push_str(r"[^\s\S]");
        (after, Place::Outside)
    } else if let Some(after) = rest.strip_prefix('^') {
        out.push_str("[^");
        (after, Place::NegatedClass)
    } else {
        out.push('[');
        (rest, Place::Class)
    }
}

/// What follows a backslash.
fn escape<'a>(rest: &'a str, place: Place, out: &mut String) -> Result<&'a str, &'static str> {
    let Some(c) = rest.chars().next() else { return Err("it ends in a backslash") };
    let after = &rest[c.len_utf8()..];
    let space = if place == Place::NegatedClass { ANY_SPACE } else { SPACE };
    let not_space = if place == Place::NegatedClass { SPACE } else { ANY_SPACE };
    match c {
        'd' => class(DIGIT, place, out),
        'w' => class(WORD, place, out),
        's' => class(space, place, out),
        'D' => out.extend(["[^", DIGIT, "]"]),
        'W' => out.extend(["[^", WORD, "]"]),
        'S' => out.extend(["[^", not_space, "]"]),
        'u' => return unicode(after, out),
        'b' if place != Place::Outside => out.push_str(r"\x08"),
        '0' if !after.starts_with(|next: char| next.is_ascii_digit()) => out.push_str(r"\x00"),
        // ECMAScript lets any character be escaped, Rust only some.
        _ if c.is_ascii_alphanumeric() || is_escapeable_character(c) => out.extend(['\\', c]),
        _ => out.push(c),
    }
    Ok(after)
}

fn class(ranges: &str, place: Place, out: &mut String) {
    if place == Place::Outside {
        out.extend(["[", ranges, "]"]);
    } else {
        out.push_str(ranges);
    }
}

/// What follows `\u`: `1234`, two of them as a surrogate pair, or `{1f600}`.
fn unicode<'a>(after: &'a str, out: &mut String) -> Result<&'a str, &'static str> {
    if after.starts_with('{') {
        out.push_str(r"\u");
        return Ok(after);
    }
    let (unit, after) = code_unit(after).ok_or("`\\u` needs four hexadecimal digits")?;
    let (code, after) = match after.strip_prefix(r"\u").and_then(code_unit) {
        Some((low, after)) if (0xd800..0xdc00).contains(&unit) && (0xdc00..0xe000).contains(&low) => {
            (0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00), after)
        }
        _ => (unit, after),
    };
    if char::from_u32(code).is_none() {
        return Err("half a surrogate pair is no character");
    }
    out.push_str(&format!(r"\u{{{code:x}}}"));
    Ok(after)
}

fn code_unit(text: &str) -> Option<(u32, &str)> {
    let digits = text.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    Some((u32::from_str_radix(digits, 16).ok()?, &text[4..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_languages_common_part_is_written() {
        for (ecma, rust) in [
            (r"^\d+$", "^[0-9]+$"),
            (r"[\w-]", "[0-9A-Za-z_-]"),
            (r"[^\s]", r"[^\s\u{feff}]"),
            (r"\s", r"[ \t\n\r\x0b\x0c]"),
            (r"[^\S]", r"[^[^ \t\n\r\x0b\x0c]]"),
            (r"[[&~]", r"[\[\&\~]"),
            ("[]", r"[^\s\S]"),
            ("[^]", r"[\s\S]"),
            (r"\u00e9\ud83d\ude00\u{1f600}", r"\u{e9}\u{1f600}\u{1f600}"),
            (r"[\b]\0\/\.", r"[\x08]\x00\/\."),
            ("a]", "a]"),
            (r"\<\%\ü\_", r"<\%ü\_"),
        ] {
            assert_eq!(to_rust(ecma).as_deref(), Ok(rust), "{ecma}");
        }
    }

    #[test]
    fn what_neither_would_read_the_same_is_refused() {
        for pattern in [r"\", r"\u12", r"\ud83d", "[a--b]"] {
            assert!(to_rust(pattern).is_err(), "{pattern}");
        }
    }
}
