//! Regular expressions, and grammars in GBNF and in Lark: what comes out belongs to the language, as others see it.

use std::path::PathBuf;

use inglenook_grammar::{GrammarError, Match, Spec};
use serde_json::Value;

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
    // Where an end is a certain word, the search for one does not always guess it.
    assert!(lost.len() as u64 <= walks(), "these do not land: {}", lost.join(" "));
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
    // A palindrome has one way to its end, which the search for one would have to remember.
    assert!(lost.iter().all(|path| path.contains("palindrome")), "these do not land: {}", lost.join(" "));
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

#[test]
fn a_token_that_is_refused_changes_nothing() {
    let tokens = tokens();
    let mut matcher = compiler(&tokens).compile(&Spec::Regex { regex: "ab".to_owned() }).unwrap();
    for token in [b'b' as u32, 256, 257, 1_000_000] {
        assert_eq!(matcher.accept(token), Err(GrammarError::Refused { token }));
    }
    matcher.accept(b'a' as u32).unwrap();
    let mut other = matcher.clone();
    matcher.accept(b'b' as u32).unwrap();
    assert!(matcher.is_complete() && matcher.must_stop() && !other.is_complete());
    assert_eq!(matcher.accept(b'b' as u32), Err(GrammarError::Refused { token: b'b' as u32 }));
    matcher.accept(256).unwrap();
    other.accept(b'b' as u32).unwrap();
    assert!(other.is_complete());
}
