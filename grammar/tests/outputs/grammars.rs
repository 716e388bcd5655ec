//! Regular expressions, and grammars in GBNF and in Lark: what comes out belongs to the language, as others see it.

use std::path::PathBuf;

use inglenook_grammar::{GrammarError, Match, Matcher, Spec};
use serde_json::{Value, json};

use crate::support::walk::walk;
use crate::support::{compiler, corpus, readers, tokens, walks};

#[test]
fn every_text_of_every_regex_matches() {
    let cases = std::fs::read_to_string(corpus("structured/regexes.jsonl")).unwrap();
    assert!(cases.lines().count() >= 50);
    let tokens = tokens();
    let mut compiler = compiler(&tokens);
    let (mut wrong, mut lost) = (Vec::new(), Vec::new());
    for line in cases.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let pattern = case["regex"].as_str().unwrap();
        let accepts = readers::regex(pattern);
        let spec = Spec::Regex { regex: pattern.to_owned() };
        for seed in 0..walks() {
            match walk(&mut compiler, &tokens, &spec, seed, 20, 100) {
                Some(text) if accepts(&text) => {}
                Some(text) => wrong.push(format!("{}: {text:?}", case["name"])),
                None => lost.push(case["name"].to_string()),
            }
        }
    }
    assert!(wrong.is_empty(), "{} texts do not match:\n{}", wrong.len(), wrong.join("\n"));
    assert!(lost.is_empty(), "these do not land: {}", lost.join(" "));
}

fn files(ending: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(corpus("structured/grammars")).unwrap().map(|file| file.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|found| found == ending)).collect()
}

/// Each language is written down twice, in GBNF and in Lark, and the texts of both are put to a recogniser of the first.
#[test]
fn every_text_of_every_grammar_belongs_to_it() {
    let tokens = tokens();
    let mut compiler = compiler(&tokens);
    let (gbnf, lark) = (files("gbnf"), files("lark"));
    assert!(gbnf.len() + lark.len() >= 50);
    let (mut wrong, mut lost) = (Vec::new(), Vec::new());
    for path in gbnf.iter().chain(&lark) {
        let grammar = std::fs::read_to_string(path).unwrap();
        let accepts = readers::gbnf(&std::fs::read_to_string(path.with_extension("gbnf")).unwrap());
        let spec = if path.extension().is_some_and(|ending| ending == "gbnf") {
            Spec::Gbnf { grammar }
        } else {
            Spec::Lark { grammar }
        };
        for seed in 0..walks() {
            match walk(&mut compiler, &tokens, &spec, seed, 30, 150) {
                Some(text) if accepts(&text) => {}
                Some(text) => wrong.push(format!("{}: {text:?}", path.display())),
                None => lost.push(path.display().to_string()),
            }
        }
    }
    assert!(wrong.is_empty(), "{} texts do not belong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(lost.is_empty(), "these do not land: {}", lost.join(" "));
}

#[test]
fn the_recogniser_knows_what_does_not_belong() {
    let reader = |name: &str| {
        readers::gbnf(&std::fs::read_to_string(corpus(&format!("structured/grammars/{name}.gbnf"))).unwrap())
    };
    let (arithmetic, same, balanced) = (reader("arithmetic"), reader("same-number"), reader("balanced"));
    assert!(arithmetic("1+2*(3-4)") && !arithmetic("1+") && !arithmetic(""));
    assert!(same("aaabbb") && !same("aabbb"));
    assert!(balanced("") && balanced("()(())") && !balanced("())"));
}

#[test]
fn choices_end_where_one_of_them_does() {
    let tokens = tokens();
    let mut compiler = compiler(&tokens);
    let choices: Vec<String> = ["yes", "yes, but", "no", "näh", "\"quoted\"\n"].map(str::to_owned).to_vec();
    let spec = Spec::Choice { choices: choices.clone() };
    let texts: Vec<String> = (0..60).map(|seed| walk(&mut compiler, &tokens, &spec, seed, 30, 30).unwrap()).collect();
    assert!(texts.iter().all(|text| choices.contains(text)), "{texts:?}");
    assert!(choices.iter().all(|choice| texts.contains(choice)), "each is found once: {texts:?}");
}

#[test]
fn control_tokens_are_taken_by_name_and_never_as_text() {
    let tokens = tokens();
    let mut compiler = compiler(&tokens);
    let grammar = "start: <|call|> \"<|call|>\" <[TOOL_CALLS]> <nothing> %json {\"const\": 1}".to_owned();
    let mut matcher = compiler.compile(&Spec::Lark { grammar }).unwrap();
    let mut taken = Vec::new();
    while !matcher.must_stop() {
        for token in matcher.forced().unwrap() {
            matcher.accept(token).unwrap();
            taken.push(token);
        }
    }
    let (call, tool_calls) = (257, 258);
    assert_eq!(taken.first(), Some(&call));
    assert_eq!(taken.iter().filter(|token| **token == call).count(), 1, "the text is made of ordinary tokens");
    assert!(taken.contains(&tool_calls));
    let text: Vec<u8> = taken
        .iter()
        .filter(|token| **token < 256 || **token > 258)
        .flat_map(|token| tokens[*token as usize].bytes.clone())
        .collect();
    assert_eq!(String::from_utf8(text).unwrap(), "<|call|><nothing>1");
}

/// A description of each form.
fn every_form() -> [Spec; 6] {
    let grammar = "start: \"a\" WORD <|call|> \"b\"+\nWORD: /[a-z]{2,4}/\n".to_owned();
    [
        Spec::JsonObject,
        Spec::JsonSchema { schema: json!({"type": "array", "items": {"enum": ["x", 12, null]}}), strict: false },
        Spec::Regex { regex: "ab[0-9]{2}c".to_owned() },
        Spec::Choice { choices: vec!["red".to_owned(), "rebel".to_owned()] },
        Spec::Gbnf { grammar: "root ::= \"(\" root? \")\" [0-9]".to_owned() },
        Spec::Lark { grammar },
    ]
}

#[test]
fn refused_token_leaves_the_matcher_where_it_stands_in_every_form() {
    let tokens = tokens();
    let mut compiler = compiler(&tokens);
    for spec in every_form() {
        let mut matcher = compiler.compile(&spec).unwrap();
        let mut random = fastrand::Rng::with_seed(5);
        let stands = |matcher: &mut Matcher| {
            let mut mask = vec![0; tokens.len().div_ceil(32) + 1];
            matcher.mask(&mut mask).unwrap();
            (mask, matcher.forced().unwrap(), matcher.is_complete(), matcher.must_stop())
        };
        for _ in 0..12 {
            let before = stands(&mut matcher);
            let is_allowed = |token: &u32| before.0[*token as usize / 32] >> (token % 32) & 1 == 1;
            let known = 0..tokens.len() as u32;
            for token in known.clone().filter(|token| !is_allowed(token)).chain([1_000_000, u32::MAX]) {
                // A token that is forced hides others from the mask that would spell the same.
                let mut other = matcher.clone();
                if !before.1.is_empty() && other.accept(token).is_ok() {
                    continue;
                }
                assert_eq!(matcher.accept(token), Err(GrammarError::Refused { token }), "{spec:?}");
                assert_eq!(matcher.land(token, 5), Err(GrammarError::Refused { token }), "{spec:?}");
            }
            assert_eq!(stands(&mut matcher), before, "{spec:?}");
            let allowed: Vec<u32> = known.filter(is_allowed).collect();
            matcher.accept(allowed[random.usize(..allowed.len())]).unwrap();
            if matcher.must_stop() {
                break;
            }
        }
    }
}

#[test]
fn clones_of_a_matcher_go_on_by_themselves() {
    let tokens = tokens();
    let mut matcher = compiler(&tokens).compile(&Spec::Regex { regex: "ab".to_owned() }).unwrap();
    matcher.accept(b'a' as u32).unwrap();
    let mut other = matcher.clone();
    matcher.accept(b'b' as u32).unwrap();
    assert!(matcher.is_complete() && matcher.must_stop() && !other.is_complete());
    assert_eq!(matcher.accept(b'b' as u32), Err(GrammarError::Refused { token: b'b' as u32 }));
    matcher.accept(256).unwrap();
    other.accept(b'b' as u32).unwrap();
    assert!(other.is_complete());
}
