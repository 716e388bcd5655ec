//! Numbers and texts as people read them.

use std::borrow::Cow;

/// A text that cannot steer the terminal: control characters other than line ends and tabs become U+FFFD.
///
/// Models' answers and files' metadata come from others, and terminals obey escape sequences.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.contains(steers) {
        return text.replace(steers, "\u{fffd}").into();
    }
    text.into()
}

/// A text on one line, in quotes, of at most `width` characters.
pub fn on_one_line(text: &str, width: usize) -> String {
    let mut characters = text.chars();
    let mut start: String = characters.by_ref().take(width).collect();
    if characters.next().is_some() {
        start.push('…');
    }
    harmless(&format!("{start:?}")).into_owned()
}

/// Bytes with a unit: `4.1 MiB`.
pub fn bytes(count: u64) -> String {
    scaled(count as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

/// A count with a unit of thousands: `3.9 M`.
pub fn count(count: u64) -> String {
    scaled(count as f64, 1000.0, &["", "K", "M", "G", "T"]).trim_end().to_string()
}

fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while value >= step && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let decimals = usize::from(unit > 0);
    format!("{value:.decimals$} {}", units[unit])
}

/// `count` things in `milliseconds`, as a rate per second; 0 where there is nothing to divide by.
pub fn per_second(count: f64, milliseconds: f64) -> f64 {
    if milliseconds > 0.0 { count * 1e3 / milliseconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_taken_apart() {
        assert_eq!(harmless("red \x1b[31m\u{9b}1m\n\tend"), "red \u{fffd}[31m\u{fffd}1m\n\tend");
        assert!(matches!(harmless("plain\nß"), Cow::Borrowed(_)));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(on_one_line("aß\n\"x", 80), r#""aß\n\"x""#);
        assert_eq!(on_one_line("ßßß", 2), r#""ßß…""#);
        assert_eq!(on_one_line("ßß", 2), r#""ßß""#);
    }

    #[test]
    fn units_are_chosen() {
        assert_eq!([bytes(0), bytes(1023), bytes(1536), bytes(3 << 30)], ["0 B", "1023 B", "1.5 KiB", "3.0 GiB"]);
        assert_eq!([count(12), count(3_930_112)], ["12", "3.9 M"]);
    }

    #[test]
    fn a_rate_of_no_time_is_zero() {
        assert_eq!(per_second(5.0, 250.0), 20.0);
        assert_eq!(per_second(5.0, 0.0), 0.0);
    }
}
