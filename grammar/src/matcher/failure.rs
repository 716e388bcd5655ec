//! llguidance's errors, which are texts, as typed ones.

use crate::GrammarError;

/// What a refusal to compile means.
pub fn to_compile(message: &str) -> GrammarError {
    let message = clean(message);
    if is_panic(&message) {
        return GrammarError::Internal(message);
    }
    match located(&message) {
        Some((line, column, reason)) => GrammarError::Syntax { notation: "Lark", line, column, reason },
        None if message.contains("nsatisfiable") => GrammarError::Unsatisfiable(message),
        None => GrammarError::Compile(message),
    }
}

/// What the failure of a step means.
pub fn of_step(message: &str) -> GrammarError {
    let message = clean(message);
    let says = |word: &str| message.contains(word);
    if is_panic(&message) {
        GrammarError::Internal(message)
    } else if says("NoExtensionBias") {
        GrammarError::Unsatisfiable("no token of the vocabulary continues the output".to_owned())
    } else if LIMITS.iter().any(|words| says(words)) {
        GrammarError::TooComplex(message)
    } else {
        GrammarError::Internal(message)
    }
}

/// How llguidance begins to speak of its limits. Once a matcher has failed, there is nothing else to tell the reason by.
const LIMITS: [&str; 4] = ["parser error: Too many", "lexer error", "Parser Error", "too complex"];

fn is_panic(message: &str) -> bool {
    message.starts_with("panic: ")
}

/// The first line: what follows is a listing of the grammar, or the state of the parser.
fn clean(message: &str) -> String {
    message.lines().next().unwrap_or_default().trim_end().to_owned()
}

/// Splits `at 3(14): what` or `3(14): what`.
fn located(message: &str) -> Option<(usize, usize, String)> {
    let (place, reason) = message.strip_prefix("at ").unwrap_or(message).split_once("): ")?;
    let (line, column) = place.split_once('(')?;
    Some((line.parse().ok()?, column.parse().ok()?, reason.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_in_messages() {
        let expected = |line, column| GrammarError::Syntax { notation: "Lark", line, column, reason: "odd".into() };
        assert_eq!(to_compile("at 3(14): odd\n   3 | x"), expected(3, 14));
        assert_eq!(to_compile("1(2): odd"), expected(1, 2));
        assert_eq!(to_compile("odd (very): so"), GrammarError::Compile("odd (very): so".into()));
    }

    #[test]
    fn panics_are_our_fault_and_limits_are_not() {
        assert_eq!(to_compile("panic: x\n<backtrace>").code(), "Internal");
        assert_eq!(of_step("panic: too complex").code(), "Internal");
        let limit = of_step("parser error: Too many items\n<non-verbose/>");
        assert_eq!(limit, GrammarError::TooComplex("parser error: Too many items".into()));
        assert!(matches!(of_step("NoExtensionBias"), GrammarError::Unsatisfiable(_)));
    }
}
