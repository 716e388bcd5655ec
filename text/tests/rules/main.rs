//! Stop strings and content rules against a plain oracle over whole texts: random texts, rules and cuts.
//!
//! `INGLENOOK_FULL=1 cargo test -p inglenook-text --test rules` tries thirty times as many.

mod oracle;
mod random;

use std::time::{Duration, Instant};

use inglenook_text::rules::{Action, ContentRules, Ended, Pattern, RuleSpec, Segment, Segmenter};
use oracle::{Piece, Rule};
use random::Random;

fn cases(few: u64) -> u64 {
    if std::env::var_os("INGLENOOK_FULL").is_some() { few * 30 } else { few }
}

/// Stop strings, which are the first of `rules` that are plain, and the rest as content rules.
fn build(stops: usize, rules: &[Rule]) -> ContentRules {
    let strings: Vec<String> = rules[..stops].iter().map(|rule| rule.pattern.source()).collect();
    let specs: Vec<RuleSpec> = rules[stops..].iter().map(spec).collect();
    ContentRules::new(&strings, &specs).unwrap_or_else(|error| panic!("{rules:?}: {error}"))
}

fn spec(rule: &Rule) -> RuleSpec {
    let source = rule.pattern.source();
    RuleSpec {
        pattern: if rule.pattern.is_text() { Pattern::Text(source) } else { Pattern::Regex { regex: source } },
        action: rule.mask.clone().map_or(Action::Stop, Action::Mask),
    }
}

/// All that goes out for `pieces`, and what ended it.
fn stream(mut rules: ContentRules, pieces: &[&str]) -> (String, Option<Ended>) {
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

#[test]
fn what_goes_out_is_what_an_oracle_over_the_whole_text_says() {
    let mut stopped = 0;
    let mut masked = 0;
    for case in 0..cases(4_000) {
        let random = &mut Random::new(case);
        let letters: &[char] =
            random.of(&[&['a', 'b'][..], &['a', 'b', 'c'], &['é', 'è', '日', ' '], &['a', '\n', '😀']]);
        let text = random.text(letters, 40);
        let (stops, rules) = random.rules(letters);
        let pieces = oracle::pieces(&text, stops, &rules);
        stopped += usize::from(pieces.ended.is_some());
        masked += usize::from(pieces.list.iter().any(|piece| matches!(piece, Piece::Mask { .. })));
        let wanted = (pieces.text(&text, &rules), pieces.ended);
        for cuts in [random.cuts(&text), vec![&text[..]], text.split_inclusive(|_| true).collect()] {
            assert_eq!(
                stream(build(stops, &rules), &cuts),
                wanted,
                "case {case}: {text:?}, {rules:?}, cut as {cuts:?}"
            );
        }
    }
    // The cases are worth their time only if rules do apply.
    assert!(
        stopped as u64 > cases(4_000) / 5 && masked as u64 > cases(4_000) / 5,
        "{stopped} stopped, {masked} masked"
    );
}

/// What may go out is what every continuation agrees on, up to where some continuation would complete a stop.
#[test]
fn what_is_held_back_is_what_some_continuation_could_change() {
    let letters = ['a', 'b'];
    let continuations = random::all_texts(&['a', 'b', 'z'], 4);
    for case in 0..cases(150) {
        let random = &mut Random::new(case);
        let text = random.text(&letters, 8);
        let (stops, rules) = random.short_rules(&letters);
        if oracle::pieces(&text, stops, &rules).ended.is_some() {
            continue;
        }
        let mut filter = build(stops, &rules);
        for (at, c) in text.char_indices() {
            let end = at + c.len_utf8();
            filter.push(&text[at..end]);
            let wanted = oracle::may_go_out(&text[..end], &rules, &continuations);
            assert_eq!(end - filter.held(), wanted, "case {case}: {:?} with {rules:?}", &text[..end]);
        }
    }
}

/// The rules of the test, over four times the text, must not take more than about four times as long.
#[test]
fn a_megabyte_that_almost_matches_all_the_time_is_linear() {
    let almost = ["a{200}b", "(?:a|b)*c", "a+?b", "a?a?a?a?a?a?a?a?aaaaaaaab", "(?s)a.*z", "[^z]+z"];
    for regex in almost {
        for action in [Action::Stop, Action::Mask("*".into())] {
            let pattern = Pattern::Regex { regex: regex.into() };
            let spec = [RuleSpec { pattern, action: action.clone() }];
            let time = |bytes: usize| {
                let filter = ContentRules::new(&[""], &spec).expect("rules");
                let text = "a".repeat(bytes);
                let begun = Instant::now();
                assert_eq!(stream(filter, &[&text]).0, text);
                begun.elapsed()
            };
            let (quarter, whole) = (time(1 << 18), time(1 << 20));
            assert!(whole < quarter * 10 + Duration::from_millis(200), "{regex}: {quarter:?}, then {whole:?}");
        }
    }
}

#[test]
fn segments_are_the_text_however_it_is_cut() {
    for case in 0..cases(500) {
        let random = &mut Random::new(case);
        let text = random.text(&['a', ' ', '.', '!', '"', '\n', '。', '」', '日', 'é'], 40);
        for unit in [Segment::Word, Segment::Sentence, Segment::Line] {
            let segments = |pieces: &[&str]| {
                let mut segmenter = Segmenter::new(unit);
                let mut all: Vec<String> = pieces.iter().flat_map(|piece| segmenter.push(piece)).collect();
                all.push(segmenter.flush());
                all
            };
            let whole = segments(&[&text]);
            assert_eq!(whole.concat(), text);
            assert_eq!(segments(&random.cuts(&text)), whole, "case {case}: {unit:?} of {text:?}");
        }
    }
}
