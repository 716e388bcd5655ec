//! Characters as Python's `str` sees them, where Rust sees them otherwise.

/// What `strip()` strips and `split()` splits at.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// What ends a line in `splitlines()`.
pub fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// `splitlines()`, with the line breaks if they are kept.
pub fn lines(text: &str, keep: bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_line_break(*c)) {
        let len = if rest[at..].starts_with("\r\n") { 2 } else { c.len_utf8() };
        lines.push(&rest[..if keep { at + len } else { at }]);
        rest = &rest[at + len..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// Whether `repr` shows it as it is.
pub fn is_printable(c: char) -> bool {
    // Behind a letter, only what is not printable is escaped.
    let mut buffer = [0; 5];
    buffer[0] = b'a';
    let len = 1 + c.encode_utf8(&mut buffer[1..]).len();
    let text = std::str::from_utf8(&buffer[..len]).unwrap_or_default();
    matches!(c, '\'' | '"' | '\\') || text.escape_debug().nth(1) != Some('\\')
}

/// The letter that begins a word in `title()` and `capitalize()`.
pub fn titlecase(c: char) -> String {
    // Letters of two characters have a form of their own.
    match c {
        '\u{1c4}'..='\u{1c6}' => return "\u{1c5}".into(),
        '\u{1c7}'..='\u{1c9}' => return "\u{1c8}".into(),
        '\u{1ca}'..='\u{1cc}' => return "\u{1cb}".into(),
        '\u{1f1}'..='\u{1f3}' => return "\u{1f2}".into(),
        _ => {}
    }
    let mut upper = c.to_uppercase();
    let first: String = upper.next().into_iter().collect();
    first + &upper.collect::<String>().to_lowercase()
}

/// `capitalize()`.
pub fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| titlecase(first) + &chars.as_str().to_lowercase())
}

/// `str.title()`: whatever follows a letter is small.
pub fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut within_word = false;
    for c in text.chars() {
        match within_word {
            true => out.extend(c.to_lowercase()),
            false => out.push_str(&titlecase(c)),
        }
        within_word = is_cased(c);
    }
    out
}

/// The filter `title`: words begin after white space and opening brackets.
pub fn title_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut within_word = false;
    for c in text.chars() {
        match within_word {
            true => out.extend(c.to_lowercase()),
            false => out.extend(c.to_uppercase()),
        }
        within_word = !(is_space(c) || matches!(c, '-' | '(' | '{' | '[' | '<'));
    }
    out
}

/// Whether there is a small or a large form of it.
pub fn is_cased(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase() || (('\u{1c4}'..='\u{1f3}').contains(&c) && titlecase(c).starts_with(c))
}

/// The zeros of the scripts that have decimal digits.
const ZEROS: [u32; 65] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0,
    0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620,
    0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0,
    0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x11f50,
    0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1fbf0,
];

/// `isdecimal()`: a digit of a decimal number, in any script.
pub fn is_decimal(c: char) -> bool {
    decimal(c).is_some()
}

/// The value of a decimal digit.
fn decimal(c: char) -> Option<u32> {
    let code = u32::from(c);
    let at = ZEROS.partition_point(|zero| *zero <= code);
    let zero = ZEROS.get(at.checked_sub(1)?)?;
    Some(code - zero).filter(|value| *value < 10)
}

/// A text with the decimal digits of all scripts as ASCII has them.
pub fn ascii_digits(text: &str) -> String {
    text.chars().map(|c| decimal(c).and_then(|value| char::from_digit(value, 10)).unwrap_or(c)).collect()
}

/// `isdigit()`: also raised, lowered and circled ones.
pub fn is_digit(c: char) -> bool {
    is_decimal(c)
        || matches!(c, '\u{b2}' | '\u{b3}' | '\u{b9}' | '\u{2070}' | '\u{2074}'..='\u{2079}' | '\u{2080}'..='\u{2089}')
        || matches!(c, '\u{2460}'..='\u{2468}' | '\u{2474}'..='\u{247c}' | '\u{2488}'..='\u{2490}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_is_what_python_says() {
        // From Python 3.11's str.isprintable().
        for (c, printable) in [
            ('a', true),
            (' ', true),
            ('\'', true),
            ('\\', true),
            ('é', true),
            ('\u{301}', true),
            ('😀', true),
            ('\u{a0}', false),
            ('\u{ad}', false),
            ('\u{200b}', false),
            ('\u{2028}', false),
            ('\u{3000}', false),
            ('\u{e000}', false),
            ('\u{7f}', false),
            ('\n', false),
            ('\0', false),
        ] {
            assert_eq!(is_printable(c), printable, "{c:?}");
        }
    }

    #[test]
    fn digits_of_all_scripts_count() {
        assert!("0९๓𝟗".chars().all(is_decimal));
        assert!(!"²½aⅫ".chars().any(is_decimal));
        assert!("²₃①".chars().all(is_digit));
    }
}
