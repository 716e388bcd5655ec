//! What each rule of the module's page says, in small; `tests/rules.rs` compares with an oracle at random.

use super::*;

/// A rule that masks what `regex` matches by `*`.
fn masking(regex: &str) -> RuleSpec {
    RuleSpec { pattern: Pattern::Regex { regex: regex.into() }, action: Action::Mask("*".into()) }
}

fn masking_text(text: &str, mask: &str) -> RuleSpec {
    RuleSpec { pattern: Pattern::Text(text.into()), action: Action::Mask(mask.into()) }
}

fn stopping(regex: &str) -> RuleSpec {
    RuleSpec { pattern: Pattern::Regex { regex: regex.into() }, action: Action::Stop }
}

fn rules(stops: &[&str], rules: &[RuleSpec]) -> ContentRules {
    ContentRules::new(stops, rules).expect("rules that can be served")
}

/// Everything that goes out for `pieces`, joined, and what ended it.
fn run(stops: &[&str], specs: &[RuleSpec], pieces: &[&str]) -> (String, Option<Ended>) {
    let mut rules = rules(stops, specs);
    let mut out = String::new();
    for piece in pieces {
        let passed = rules.push(piece);
        out.push_str(&passed.text);
        if passed.ended.is_some() {
            return (out, passed.ended);
        }
    }
    out.push_str(&rules.flush());
    (out, None)
}

fn stopped(stops: &[&str], pieces: &[&str]) -> (String, bool) {
    let (text, ended) = run(stops, &[], pieces);
    (text, ended == Some(Ended::Stop))
}

fn masked(specs: &[RuleSpec], text: &str) -> String {
    run(&[], specs, &[text]).0
}

/// What goes out for one more piece, and how much is held then.
fn step(rules: &mut ContentRules, text: &str) -> (String, usize) {
    let passed = rules.push(text);
    (passed.text, rules.held())
}

#[test]
fn nothing_of_a_match_goes_out_however_it_is_cut() {
    let text = "ab aab aabaaabz";
    for cut in 0..text.len() {
        for cut2 in cut..text.len() {
            let pieces = [&text[..cut], &text[cut..cut2], &text[cut2..]];
            assert_eq!(stopped(&["aabaaab"], &pieces), ("ab aab ".into(), true));
            assert_eq!(run(&[], &[masking("aabaaab|(?:ab )+")], &pieces), ("*a**z".into(), None));
        }
    }
}

#[test]
fn a_string_may_begin_within_what_almost_was_it() {
    assert_eq!(stopped(&["aabaaac"], &["aabaaabaaac"]), ("aaba".into(), true));
    assert_eq!(masked(&[masking("aabaaac")], "aabaaabaaac"), "aaba*");
}

#[test]
fn holds_the_longest_suffix_that_begins_a_stop_string_and_no_more() {
    let mut rules = rules(&["\n\nUser:", "User"], &[]);
    assert_eq!(step(&mut rules, "one\n"), ("one".into(), 1));
    assert_eq!(step(&mut rules, "\n"), (String::new(), 2));
    // The first of three newlines begins no match any more.
    assert_eq!(step(&mut rules, "\n"), ("\n".into(), 2));
    assert_eq!(step(&mut rules, "Use "), ("\n\nUse ".into(), 0));
    assert_eq!(step(&mut rules, "Us"), (String::new(), 2));
    assert_eq!(rules.flush(), "Us");
}

#[test]
fn the_first_complete_match_counts_and_of_those_the_longest() {
    assert_eq!(stopped(&["abc", "b"], &["xabc"]), ("xa".into(), true));
    assert_eq!(stopped(&["c", "abc"], &["xabc"]), ("x".into(), true));
    assert_eq!(run(&[], &[stopping("c"), stopping("[ab]+c")], &["xabc"]).0, "x");
}

#[test]
fn characters_of_several_bytes_stay_whole() {
    // é is C3 A9, è is C3 A8: the first byte agrees and must not be split off.
    assert_eq!(stopped(&["é"], &["aè", "b"]), ("aèb".into(), false));
    assert_eq!(stopped(&["né"], &["un", "é!"]), ("u".into(), true));
    assert_eq!(masked(&[masking("[é日]")], "aèé日月b"), "aè**月b");
}

#[test]
fn without_stop_strings_everything_passes() {
    assert_eq!(stopped(&[], &["a", "", "b"]), ("ab".into(), false));
    assert_eq!(stopped(&[""], &["a"]), ("a".into(), false));
}

#[test]
fn a_megabyte_that_almost_matches_all_the_time_is_linear() {
    let stop = format!("{}b", "a".repeat(5000));
    let text = "a".repeat(1 << 20);
    let (out, stopped) = stopped(&[&stop], &[&text]);
    assert_eq!((out.len(), stopped), (1 << 20, false));
}

#[test]
fn a_stop_says_whether_it_was_a_string_or_a_rule() {
    assert_eq!(run(&["b"], &[stopping("[0-9]+x")], &["a12", "xb"]), ("a".into(), Some(Ended::Rule)));
    assert_eq!(run(&["b"], &[stopping("[0-9]+x")], &["a12b"]), ("a12".into(), Some(Ended::Stop)));
    assert_eq!(run(&["b"], &[stopping("b")], &["ab"]), ("a".into(), Some(Ended::Stop)));
}

#[test]
fn nothing_goes_out_after_the_end() {
    let mut rules = rules(&["b"], &[masking("c")]);
    let end = Passed { text: "a".into(), ended: Some(Ended::Stop) };
    assert_eq!(rules.push("abc"), end);
    assert_eq!(rules.push("ac"), Passed { text: String::new(), ..end });
    assert_eq!((rules.flush(), rules.held()), (String::new(), 0));
}

#[test]
fn the_leftmost_mask_counts_then_the_longest_then_the_first() {
    assert_eq!(masked(&[masking_text("bcd", "2"), masking_text("abc", "1")], "xabcdx"), "x1dx");
    assert_eq!(masked(&[masking_text("ab", "1"), masking_text("abc", "2")], "abcab"), "21");
    assert_eq!(masked(&[masking_text("ab", "1"), masking("a[b]")], "ab"), "1");
    // What a match has overlapped is looked at again behind it.
    assert_eq!(masked(&[masking_text("aba", "1"), masking_text("ba", "2")], "ababa"), "12");
}

#[test]
fn a_regex_takes_what_it_prefers() {
    assert_eq!(masked(&[masking("<.*?>")], "<a> b <c>"), "* b *");
    assert_eq!(masked(&[masking("<.*>")], "<a> b <c>d"), "*d");
    assert_eq!(masked(&[masking("a|ab")], "ab"), "*b");
    assert_eq!(masked(&[masking("abcd|b")], "abcx"), "a*cx");
    assert_eq!(masked(&[masking(r"(?i)straße|\d{3}")], "STRASSE Straße 1234"), "STRASSE * *4");
}

#[test]
fn a_mask_is_decided_once_its_match_can_no_longer_grow() {
    let mut greedy = rules(&[], &[masking("a+")]);
    assert_eq!(step(&mut greedy, "xa"), ("x".into(), 1));
    assert_eq!(step(&mut greedy, "aa"), (String::new(), 3));
    assert_eq!(step(&mut greedy, "b"), ("*b".into(), 0));
    assert_eq!((step(&mut greedy, "a"), greedy.flush()), ((String::new(), 1), "*".into()));
    let mut lazy = rules(&[], &[masking("a+?")]);
    assert_eq!(step(&mut lazy, "xa"), ("x*".into(), 0));
}

#[test]
fn a_mask_before_a_stop_is_shown_and_one_behind_its_begin_is_not() {
    let mask = [masking_text("abc", "*")];
    assert_eq!(run(&["cd"], &mask, &["xabcd"]).0, "x*");
    assert_eq!(run(&["cd"], &mask, &["xabce"]).0, "x*e");
    assert_eq!(run(&["abcd"], &mask, &["xab", "c", "d"]).0, "x");
    assert_eq!(run(&["abcd"], &mask, &["xab", "c", "e"]).0, "x*e");
    assert_eq!(run(&["b"], &mask, &["xabc"]).0, "xa", "the text ended before the mask's match did");
    assert_eq!(run(&["bc"], &[masking("ab?")], &["xabc"]).0, "x*");
}

#[test]
fn a_mask_is_not_matched_again() {
    assert_eq!(masked(&[masking_text("a", "b"), masking_text("b", "a")], "ab"), "ba");
    assert_eq!(run(&["!"], &[masking_text("a", "!")], &["ab"]), ("!b".into(), None));
}

#[test]
fn text_that_leads_nowhere_is_not_held() {
    let mut rules = rules(&[], &[masking(r"xy|xab[c&&d]|ab[c&&d]")]);
    assert_eq!(step(&mut rules, "a"), ("a".into(), 0));
    assert_eq!(step(&mut rules, "x"), (String::new(), 1));
    assert_eq!(step(&mut rules, "a"), ("xa".into(), 0));
}

#[test]
fn a_match_that_grows_too_long_is_taken_as_it_is_or_given_up() {
    let text = "a".repeat(MAX_MATCH + 10);
    let mut rules = rules(&[], &[masking("a+"), masking(r"(?s)<.*>")]);
    assert_eq!(step(&mut rules, &text), ("*".into(), 10));
    assert_eq!(step(&mut rules, "-<"), ("*-".into(), 1));
    let long = "b".repeat(MAX_MATCH - 1);
    assert_eq!(step(&mut rules, &long), (format!("<{long}"), 0));
    assert_eq!(step(&mut rules, "<b>"), (String::new(), 3));
    assert_eq!(rules.flush(), "*");
    let longest = format!("<{}>", "b".repeat(MAX_MATCH - 2));
    assert_eq!(step(&mut rules, &longest), ("*".into(), 0));
}

#[test]
fn rules_that_cannot_be_served_are_named() {
    let refused = |spec: RuleSpec| ContentRules::new(&["a"], &[spec]).expect_err("refused").to_string();
    for (spec, wanted) in [
        (masking("a**("), "`a**(` is no regular expression: unclosed group"),
        (masking("(?:ab)*"), "`(?:ab)*` can match the empty text"),
        (masking_text("", "*"), "can match the empty text"),
        (masking(r"\bword\b"), r"`\bword\b` looks around"),
        (stopping("^a"), "`^a` looks around"),
        (masking(r"((a{100}){100}){100}"), "needs too much memory"),
        (masking(&"(".repeat(200)), "is no regular expression"),
        (masking_text(&"a".repeat(MAX_MATCH + 1), "*"), "has 16385 bytes"),
        (masking_text("a", &"*".repeat(MAX_MASK + 1)), "mask of the content rule `a` has 1025 bytes"),
    ] {
        let message = refused(spec);
        assert!(message.contains(wanted), "{message}");
        assert!(message.len() < 400 && !message.contains('\n'), "{message}");
    }
}

#[test]
fn too_many_rules_are_refused() {
    let many = ["a"; MAX_RULES + 1];
    assert_eq!(ContentRules::new(&many, &[]).err(), Some(RuleError::TooMany { found: MAX_RULES + 1 }));
    let long = "a".repeat(MAX_MATCH);
    let together = [long.as_str(); MAX_PATTERNS / MAX_MATCH + 1];
    assert!(matches!(ContentRules::new(&together, &[]), Err(RuleError::TooLongTogether { .. })));
    let large = vec![masking(r"\w{40}"); 20];
    assert!(matches!(ContentRules::new(&[""], &large), Err(RuleError::TooLarge { .. })));
}

#[test]
fn rules_are_read_from_json() {
    let read = |json: &str| serde_json::from_str::<RuleSpec>(json);
    assert_eq!(read(r#"{"match":{"regex":"a+"},"action":"mask","mask":"*"}"#).expect("reads"), masking("a+"));
    assert_eq!(read(r#"{"match":"a","action":"mask"}"#).expect("reads"), masking_text("a", DEFAULT_MASK));
    assert_eq!(read(r#"{"match":{"regex":"a"},"action":"stop"}"#).expect("reads"), stopping("a"));
    assert_eq!(read(r#"{"match":{"regex":"a"}}"#).expect("reads"), stopping("a"));
    let refused = |json: &str| read(json).expect_err("refused").to_string();
    assert!(refused(r#"{"match":1,"action":"stop"}"#).contains("must be a string or an object"));
    assert!(refused(r#"{"action":"stop"}"#).contains("match"));
    assert!(refused(r#"{"match":"a","action":"end"}"#).contains("unknown variant `end`"));
    assert!(refused(r#"{"match":"a","action":"stop","mask":"x"}"#).contains("shows no `mask`"));
    assert!(refused(r#"{"match":"a","action":"stop","regexp":"x"}"#).contains("unknown field"));
}
