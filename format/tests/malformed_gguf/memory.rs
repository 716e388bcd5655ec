//! Honest files made of whatever takes the most memory for its bytes.

use crate::raw::*;
use crate::{check_parse, read, read_stream};

fn fits(name: &str, bytes: &[u8]) {
    // Both assert on the memory they take.
    let gguf = read(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    check_parse(&gguf, Some(bytes.len() as u64));
    assert_eq!(read_stream(bytes).as_ref(), Ok(&gguf), "{name}, as a stream");
}

fn one_value(ty: u32, value: &[u8]) -> Vec<u8> {
    Raw::new().entry("key", ty, value).bytes()
}

#[test]
fn large_arrays_fit() {
    fits("20 MB of f32", &one_value(ARRAY, &[array(6, 5_000_000), vec![0; 20_000_000]].concat()));
    fits("10 MB of booleans", &one_value(ARRAY, &[array(BOOL, 10_000_000), vec![1; 10_000_000]].concat()));
    fits("2,000,000 empty strings", &one_value(ARRAY, &[array(STRING, 2_000_000), vec![0; 16_000_000]].concat()));
    let word = text("word");
    fits("1,000,000 words", &one_value(ARRAY, &[array(STRING, 1_000_000), word.repeat(1_000_000)].concat()));
}

#[test]
fn large_text_fits() {
    fits("a string of 40 MB", &one_value(STRING, &text(vec![b'x'; 40_000_000])));
    let bad = text([0xff; 300_000]);
    fits("as much bad UTF-8 as allowed", &one_value(STRING, &bad));
    let grows = [array(STRING, 3), text(vec![b'x'; 20_000_000]), text([0xff; 300_000]), text(vec![b'y'; 20_000_000])];
    fits("text that outgrows its memory thrice", &one_value(ARRAY, &grows.concat()));
}

#[test]
fn small_things_in_large_numbers_fit() {
    fits("empty arrays in an array", &one_value(ARRAY, &[array(ARRAY, 16_384), array(U32, 0).repeat(16_384)].concat()));
    let entries = (0..8192).fold(Raw::new(), |raw, i| raw.entry(format!("{i:x}"), BOOL, &[1]));
    fits("8192 entries", &entries.bytes());
    let tensors = (0..65_536u64).fold(Raw::new(), |raw, i| raw.tensor(format!("{i:x}"), &[1], F32, 32 * i));
    fits("65,536 tensors", &tensors.data(65_536 * 32).bytes());
}
