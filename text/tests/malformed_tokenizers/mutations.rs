//! A hundred thousand damaged vocabularies, the same ones at every run.

use fastrand::Rng;

use crate::seeds;
use crate::{Vocabulary, WORST, try_out};

const FILES: u64 = 100_000;

/// Threads that share them.
const THREADS: u64 = 2;

/// Values in JSON at which readers go wrong.
const AWKWARD: [&str; 22] = [
    "-1",
    "0",
    "1",
    "4294967295",
    "4194303",
    "18446744073709551616",
    "1e308",
    "-1e400",
    "\"\"",
    "null",
    "true",
    "[]",
    "{}",
    "\"\\u0000\"",
    "\"▁\"",
    "\"(\"",
    "\"(a+)+$\"",
    "\"\\\\p{L}{9999}\"",
    "\"\\\\s+(?!\\\\S)\"",
    "\"Sequence\"",
    "[[[[[[[[]]]]]]]]",
    "\"<0x41>\"",
];

#[test]
fn a_hundred_thousand_mutations_are_answered() {
    let threads: Vec<_> = (0..THREADS).map(|share| std::thread::spawn(move || run(share, FILES / THREADS))).collect();
    let (mut accepted, mut refused) = (0, 0);
    for thread in threads {
        let (yes, no) = thread.join().unwrap();
        accepted += yes;
        refused += no;
    }
    // Were nearly all of one kind, the mutations would test little.
    assert!(accepted > FILES / 10 && refused > FILES / 4, "{accepted} accepted, {refused} refused");
}

fn run(share: u64, files: u64) -> (u64, u64) {
    let seeds = seeds::all();
    let mut random = Rng::with_seed(20 + share);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..files {
        let mut vocabulary = seeds[random.usize(..seeds.len())].clone();
        for _ in 0..1 + random.usize(..4) / 3 {
            mutate(&mut vocabulary, &mut random);
        }
        match try_out(&vocabulary) {
            Ok(()) => accepted += 1,
            Err(message) => {
                assert!(!message.is_empty());
                refused += 1;
            }
        }
    }
    let (time, bytes) = WORST.get();
    println!("{accepted} accepted, {refused} refused; at most {time:?} and {bytes} bytes a file");
    (accepted, refused)
}

fn mutate(vocabulary: &mut Vocabulary, random: &mut Rng) {
    match vocabulary {
        Vocabulary::Json(json) if random.usize(..4) > 1 => mutate_json(json, random),
        Vocabulary::Json(json) if random.usize(..2) > 0 => mutate_letter(json, random),
        other => mutate_bytes(other.bytes_mut(), random),
    }
}

/// Puts another value, one of the file's own or an awkward one, in place of a value.
fn mutate_json(json: &mut Vec<u8>, random: &mut Rng) {
    let Some(target) = value_at(json, random) else { return };
    let with = match random.usize(..3) {
        0 => value_at(json, random).map_or(Vec::new(), |range| json[range].to_vec()),
        _ => AWKWARD[random.usize(..AWKWARD.len())].into(),
    };
    json.splice(target, with);
}

/// Puts another letter or digit in place of one, which mostly leaves JSON as JSON.
fn mutate_letter(json: &mut [u8], random: &mut Rng) {
    let at = random.usize(..json.len().max(1));
    if let Some(byte) = json.iter_mut().skip(at).find(|byte| byte.is_ascii_alphanumeric()) {
        let others: &[u8] = if byte.is_ascii_digit() { b"0123456789" } else { b"abcdestwxyzABZ" };
        *byte = others[random.usize(..others.len())];
    }
}

/// A value that stands behind a colon or in an array, at random.
fn value_at(json: &[u8], random: &mut Rng) -> Option<std::ops::Range<usize>> {
    // The vocabularies are the bulk of a file; the parts before and behind them are what matters most.
    let span = if random.usize(..2) == 0 { json.len() } else { json.len().min(1200) };
    let from = random.usize(..span.max(1));
    let start = from + json[from..].iter().position(|byte| matches!(byte, b':' | b'[' | b','))? + 1;
    let mut values = serde_json::Deserializer::from_slice(&json[start..]).into_iter::<serde_json::Value>();
    values.next()?.ok()?;
    Some(start..start + values.byte_offset())
}

fn mutate_bytes(bytes: &mut Vec<u8>, random: &mut Rng) {
    if bytes.is_empty() {
        bytes.push(0);
    }
    let at = random.usize(..bytes.len());
    let end = (at + 1 + random.usize(..30)).min(bytes.len());
    match random.usize(..7) {
        0 | 1 => bytes[at] ^= 1 << random.usize(..8),
        2 => bytes[at] = random.u8(..),
        3 => bytes.iter_mut().skip(at).take(4).for_each(|byte| *byte = 0xff),
        4 if random.usize(..4) == 0 => bytes.truncate(at),
        4 | 5 => drop(bytes.drain(at..end)),
        _ => {
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
        }
    }
}
