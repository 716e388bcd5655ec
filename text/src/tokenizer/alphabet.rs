//! GPT-2's alphabet: how byte-level vocabularies spell bytes with printable characters ("Ġ" is a space).

/// The byte that a character of the alphabet stands for. Printable Latin-1 stands for itself; the 68 other bytes are
/// numbered from U+0100 on. Source: `bytes_to_unicode` in GPT-2's encoder.py.
fn byte_of(c: char) -> Option<u8> {
    let code = u32::from(c);
    let byte = match code {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => code,
        0x100..=0x120 => code - 0x100,
        0x121..=0x142 => code - 0x121 + 0x7f,
        0x143 => 0xad,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

/// The bytes of a token written in the alphabet; none if a character is outside it.
pub(super) fn spelled(text: &str) -> Option<Vec<u8>> {
    text.chars().map(byte_of).collect()
}

/// The character of the alphabet that stands for a byte.
pub(super) fn char_of(byte: u8) -> char {
    let code = match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => u32::from(byte),
        0..=0x20 => 0x100 + u32::from(byte),
        0x7f..=0xa0 => 0x121 + u32::from(byte - 0x7f),
        0xad => 0x143,
    };
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_gpt2s() {
        // As GPT-2's source derives it: printable bytes as themselves, the rest numbered on.
        let printable = |b: u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
        for byte in 0..=255u8 {
            let numbered = 0x100 + (0..byte).filter(|&b| !printable(b)).count() as u32;
            let expected = char::from_u32(if printable(byte) { byte.into() } else { numbered }).unwrap();
            assert_eq!(char_of(byte), expected);
            assert_eq!(spelled(&expected.to_string()), Some(vec![byte]));
        }
        assert_eq!(spelled("aĠ字"), None);
    }
}
