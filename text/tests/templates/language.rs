//! The language against jinja2, over its whole table of filters, tests, methods and operators (`tests/goldens/language`).

use std::collections::BTreeMap;
use std::fs;

use inglenook_text::{ChatTemplate, TemplateError, TemplateInput};
use serde_json::{Value, json};

use crate::{NOW, tests};

/// How answers compare with jinja2's.
#[derive(Default)]
struct Tally {
    equal: usize,
    both_fail: usize,
    /// What inglenook does not have, and says so: how often, by what it says.
    refused: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

impl Tally {
    fn add(&mut self, source: &str, expected: &Value) {
        let messages = [json!({"role": "user", "content": "Hi!"}), json!({"role": "assistant", "content": " é\n"})];
        let input = TemplateInput { messages: &messages, local_time: Some(NOW), ..TemplateInput::default() };
        let found = ChatTemplate::new(source).and_then(|template| template.render(&input));
        match (found, expected) {
            // An address, or what never ends.
            (_, Value::Bool(false)) => {}
            (Ok(found), Value::String(expected)) if found == *expected => self.equal += 1,
            (Err(_), Value::Null) => self.both_fail += 1,
            (Err(TemplateError::Unknown { message, .. }), _) => *self.refused.entry(message).or_default() += 1,
            (found, expected) => self.wrong.push(format!("{source}\n   {found:?}\n   not {expected}")),
        }
    }

    /// Prints what came out, and fails where an answer is another than jinja2's.
    fn check(self, of: &str) -> usize {
        let refused: usize = self.refused.values().sum();
        println!("{of}: {} equal, {} fail in both, {refused} refused", self.equal, self.both_fail);
        self.refused.iter().for_each(|(what, count)| println!("  {count} × {what}"));
        assert!(self.wrong.is_empty(), "{} wrong:\n{}", self.wrong.len(), self.wrong.join("\n"));
        self.equal
    }
}

fn lines(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(tests(&format!("goldens/language/{name}.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_filter_test_method_and_operator_answers_as_jinja2_or_is_refused() {
    let lines = lines("crossed");
    let (values, expressions) = lines.split_first().unwrap();
    let values: Vec<&str> = values["values"].as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect();
    let mut tally = Tally::default();
    for line in expressions {
        let expression = line["of"].as_str().unwrap();
        for (at, value) in values.iter().enumerate() {
            tally.add(&format!("{{% set v = {value} %}}{{{{ {expression} }}}}"), &line["gives"][at]);
        }
    }
    assert!(tally.check("expressions") >= 20_000);
}

#[test]
fn statements_and_literals_answer_as_jinja2_or_are_refused() {
    let mut tally = Tally::default();
    for line in lines("templates") {
        tally.add(line["template"].as_str().unwrap(), &line["gives"]);
    }
    assert!(tally.check("templates") >= 170);
}
