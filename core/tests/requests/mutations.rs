//! Good requests whose parts were exchanged, taken away or made awkward: each is refused in time, or becomes an answer.

use std::fs;
use std::time::Instant;

use fastrand::Rng;
use inglenook::engine::request::Request;
use serde_json::{Value, json};

use crate::{ANSWER, TIME, load, send};

/// How many of them are answered, and not only begun.
const ANSWERED: usize = 20;

/// Longer requests are too slow to be tried by the thousand.
const MAX_BYTES: usize = 4096;

#[test]
fn mutated_requests_are_refused_or_answered() {
    let times = if std::env::var_os("INGLENOOK_FULL").is_some() { 100_000 } else { 2_000 };
    let (mut seeds, mut values) = (Vec::new(), awkward());
    for path in crate::files() {
        let text = fs::read_to_string(&path).unwrap();
        let Some(request) = serde_json::from_str(&text).ok().filter(|_| text.len() < MAX_BYTES) else { continue };
        collect(&request, &mut values);
        let expected = fs::read_to_string(path.with_extension("expected")).unwrap();
        seeds.extend((expected.trim_end() == ANSWER).then_some(request));
    }
    let mut engine = load();
    let mut random = Rng::with_seed(1);
    let (mut begun, mut refused) = (0, 0);
    for time in 0..times {
        let mut request = seeds[random.usize(..seeds.len())].clone();
        for _ in 0..=random.usize(..2) {
            mutate(&mut request, &values, &mut random);
        }
        let json = request.to_string();
        let start = Instant::now();
        let outcome = match time % ANSWERED {
            0 => send(&mut engine, json.as_bytes()),
            _ => Request::from_json(&json)
                .map_err(|error| error.to_string())
                .and_then(|request| engine.submit(request).map(drop).map_err(|error| error.to_string())),
        };
        assert!(start.elapsed() < TIME, "{json} takes {:?}", start.elapsed());
        match outcome {
            Ok(()) => begun += 1,
            Err(message) => {
                assert!(!message.is_empty(), "{json}");
                refused += 1;
            }
        }
    }
    // Were nearly all of one kind, the mutations would test little.
    assert!(begun > times / 10 && refused > times / 4, "{begun} begun, {refused} refused");
}

fn awkward() -> Vec<Value> {
    let deep = (0..40).fold(json!("x"), |inner, _| json!([inner]));
    vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(0.5),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("\0"),
        json!("<|im_end|>"),
        json!("\u{fdd0}\u{e000}"),
        json!("("),
        json!("{{ x }}"),
        json!([]),
        json!({}),
        json!("a".repeat(1000)),
        deep,
    ]
}

/// All values within a value.
fn collect(value: &Value, values: &mut Vec<Value>) {
    values.push(value.clone());
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, values)),
        Value::Object(members) => members.values().for_each(|member| collect(member, values)),
        _ => {}
    }
}

/// Changes a value somewhere within: walks down at random, and puts another in its place or takes it away.
fn mutate(value: &mut Value, values: &[Value], random: &mut Rng) {
    let go_on = random.usize(..4) > 0;
    match value {
        Value::Array(items) if go_on && !items.is_empty() => {
            let at = random.usize(..items.len());
            match random.usize(..8) {
                0 => drop(items.remove(at)),
                1 => items.insert(at, items[at].clone()),
                _ => mutate(&mut items[at], values, random),
            }
        }
        Value::Object(members) if go_on && !members.is_empty() => {
            let key = members.keys().nth(random.usize(..members.len())).cloned().unwrap_or_default();
            match random.usize(..8) {
                0 => drop(members.remove(&key)),
                _ => mutate(&mut members[&key], values, random),
            }
        }
        _ => *value = values[random.usize(..values.len())].clone(),
    }
}
