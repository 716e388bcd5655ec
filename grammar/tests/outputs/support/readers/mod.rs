//! Readers of outputs, which share nothing with what made them.

pub mod gbnf;

/// What tells whether a text is of its form.
pub type Reader = Box<dyn Fn(&str) -> bool>;

/// A reader of whole matches of a pattern that is known to be good.
pub fn regex(pattern: &str) -> Reader {
    // A comment at the end of a verbose expression would hide the parenthesis that closes it.
    let end = if pattern.contains("(?x)") { "\n" } else { "" };
    let whole = regex::Regex::new(&format!(r"\A(?:{pattern}{end})\z")).expect("a pattern");
    Box::new(move |text| whole.is_match(text))
}

/// A reader of the language of a grammar that is known to be good.
pub fn gbnf(grammar: &str) -> Reader {
    let recogniser = gbnf::Recogniser::new(grammar);
    Box::new(move |text| recogniser.accepts(text))
}
