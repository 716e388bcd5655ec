//! llama.cpp's grammar notation: <https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md>.

mod parse;

use crate::GrammarError;
use crate::cfg::{self, Given};

/// The grammar in Lark, whose control tokens are still names.
///
/// # Errors
/// When it is not well-formed, too large, or describes no text.
pub fn to_lark(grammar: &str) -> Result<String, GrammarError> {
    let mut grammar = parse::parse(grammar)?;
    grammar.prune()?;
    cfg::join(&mut grammar);
    grammar.check_size()?;
    let (lexemes, _) = cfg::lexemes(&mut grammar, &Given::Not)?;
    Ok(cfg::emit(&grammar, &lexemes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lark(grammar: &str) -> String {
        to_lark(grammar).unwrap()
    }

    #[test]
    fn what_is_regular_is_one_terminal() {
        assert_eq!(lark("root ::= word* \"z\"\nword ::= [a-z]"), "start: T0\nT0: T1* \"z\"\nT1: /[a-z]/\n");
        assert_eq!(
            lark("root ::= (\"a\" | \"b\"){2,3} .? [^\\n\\]]"),
            "start: T0\nT0: T1{2,3} /(?s:.)/? /[^\\n\\]]/\nT1: \"a\" | \"b\"\n"
        );
    }

    #[test]
    fn neighbours_are_joined_around_what_is_recursive() {
        let text = lark("root ::= \"(\" ws root \")\" ws | [0-9]+ | \"x\"\nws ::= \" \"*");
        let expected = "start: r0\nr0: X0 r0 X1 | X2 | \"x\"\nT1: \" \"*\nX0: \"(\" T1\nX1: \")\" T1\nX2: /[0-9]/+\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_goes_on_where_another_ends_is_taken_apart() {
        let text = lark("root ::= t \" +\"\nt ::= \"x\" | \"x (\" t \")\"");
        assert_eq!(text, "start: r0\nr0: r1 \" +\"\nr1: \"x\" | r2 r1 \")\"\nr2: \"x\" \" \" \"(\"\n");
    }

    #[test]
    fn what_is_regular_in_a_loop_is_one_terminal() {
        let text = lark("root ::= \"<\" (root | [a-z])* \">\"");
        let expected =
            "start: r0\nr0: X0 r4* \">\"\nr3: X0 r4* \">\"\nr4: r3 X1\nT2: /[a-z]/\nX0: \"<\" T2*\nX1: T2*\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_a_loop_may_go_on_with_keeps_its_characters_apart() {
        let text = lark("root ::= \"<\" (root | [a-z])* \"z>\"");
        assert!(text.ends_with("T2: /[a-z]/\nX0: T2\n"), "{text}");
    }

    #[test]
    fn what_is_alone_in_a_loop_stays_so_where_others_begin_like_it() {
        let text = lark("root ::= \"<a>\" (root | \"<br/>\" | [a-z])* \"</a>\"");
        assert!(text.contains("T2: /[a-z]/\n") && text.contains("T2*"), "{text}");
    }

    #[test]
    fn a_lexeme_goes_on_with_what_another_rule_begins_with_where_a_repetition_would_be_lost() {
        let text = lark("root ::= \"if\" \" \"? value \" then \" root | value\nvalue ::= [a-z]+ | \"(\" root \")\"");
        let expected = "start: r0\nr0: X0 r0 | X1 r0 X2 r0 | r1\nr1: X3 | \"(\" r0 \")\"\nX0: \"if\" \" \"? /[a-z]/+ \" then \"\n\
                        X1: \"if\" \" \"? \"(\"\nX2: \")\" \" then \"\nX3: /[a-z]/+\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn control_tokens_stand_by_themselves() {
        assert_eq!(lark("root ::= \"a\" <|end|> <[7]>"), "start: r0\nr0: \"a\" <|end|> <[7]>\n");
    }

    #[test]
    fn what_never_ends_is_left_out_or_refused() {
        assert!(matches!(to_lark("root ::= \"a\" root"), Err(GrammarError::Unsatisfiable(_))));
        assert_eq!(lark("root ::= \"a\" | loop | \"b\" loop?\nloop ::= \"x\" loop"), "start: T0\nT0: \"a\" | \"b\"\n");
    }

    #[test]
    fn what_doubles_itself_is_too_large() {
        let doubling: String = (0..40).map(|i| format!("r{i} ::= r{} r{}\n", i + 1, i + 1)).collect();
        assert!(matches!(
            to_lark(&format!("root ::= r0\n{doubling}r40 ::= \"y\"")),
            Err(GrammarError::TooLarge { .. })
        ));
    }

    #[test]
    fn empty_alternatives_and_repetitions_are_the_empty_text() {
        assert_eq!(lark("root ::= \"a\" | "), "start: T0\nT0: \"a\" | \"\"\n");
        assert_eq!(lark("root ::= \"a\"{0} \"b\""), "start: T0\nT0: \"b\"\n");
    }
}
