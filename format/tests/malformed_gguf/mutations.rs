//! A hundred thousand damaged files, the same ones at every run.

use fastrand::Rng;
use inglenook_format::gguf::write::GgufWriter;
use inglenook_format::gguf::{Array, Strings, Value};
use inglenook_format::quant::{WeightType, random_blocks};

use crate::{WORST, check_parse, in_time, read, read_stream};

const FILES: u64 = 100_000;

/// Numbers at which arithmetic goes wrong.
const AWKWARD: [u64; 14] =
    [0, 1, 9, 31, 0x7f, 0xff, 0xffff, 1 << 30, 1 << 31, u32::MAX as u64, 1 << 61, i64::MAX as u64, 1 << 63, u64::MAX];

#[test]
fn a_hundred_thousand_mutations_are_answered() {
    let seeds = [every_type(), like_a_model()];
    let mut random = Rng::with_seed(20);
    let (mut accepted, mut refused) = (0, 0);
    for number in 0..FILES {
        let mut bytes = seeds[random.usize(..seeds.len())].clone();
        for _ in 0..1 + random.usize(..4) {
            mutate(&mut bytes, &seeds, &mut random);
        }
        match in_time(|| read(&bytes)) {
            Ok(gguf) => {
                accepted += 1;
                check_parse(&gguf, Some(bytes.len() as u64));
                let streamed = in_time(|| read_stream(&bytes)).unwrap();
                assert_eq!(streamed.tensors(), gguf.tensors(), "file {number}");
                // Not by value, since a damaged float may be no number, which equals nothing.
                assert!(streamed.metadata.iter().map(|(key, _)| key).eq(gguf.metadata.iter().map(|(key, _)| key)));
            }
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
                if let Ok(gguf) = in_time(|| read_stream(&bytes)) {
                    check_parse(&gguf, None);
                }
            }
        }
    }
    let (time, bytes) = WORST.get();
    println!("{accepted} accepted, {refused} refused; at most {time:?} and {bytes} bytes a file");
    // Were nearly all of one kind, the mutations would test little.
    assert!(accepted > FILES / 20 && refused > FILES / 4, "{accepted} accepted, {refused} refused");
}

/// One change, mostly in the header.
fn mutate(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Rng) {
    if bytes.is_empty() {
        bytes.push(0);
    }
    let span = if random.usize(..8) == 0 { bytes.len() } else { bytes.len().min(1500) };
    let at = random.usize(..span);
    let awkward = AWKWARD[random.usize(..AWKWARD.len())].to_le_bytes();
    let run = 1 + random.usize(..40);
    let end = (at + run).min(bytes.len());
    match random.usize(..10) {
        0 | 1 => bytes[at] ^= 1 << random.usize(..8),
        2 => bytes[at] = random.u8(..),
        3 => overwrite(bytes, at, &awkward[..4]),
        4 => overwrite(bytes, at, &awkward),
        // The counts and versions of the header proper.
        5 => overwrite(bytes, 4 * random.usize(..6), &awkward[..4]),
        6 => bytes.truncate(at),
        7 => drop(bytes.drain(at..end)),
        8 => {
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
        }
        _ => {
            let other = &seeds[random.usize(..seeds.len())];
            let from = random.usize(..other.len());
            let piece = other[from..(from + run).min(other.len())].to_vec();
            overwrite(bytes, at, &piece);
        }
    }
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    for (byte, with) in bytes.iter_mut().skip(at).zip(with) {
        *byte = *with;
    }
}

/// A value and a tensor of each type.
fn every_type() -> Vec<u8> {
    let mut writer = GgufWriter::new();
    let arrays = [
        Array::U8(vec![1, 2, 3]),
        Array::I8(vec![-1]),
        Array::U16(vec![7; 5]),
        Array::I16(vec![-7; 3]),
        Array::U32(vec![1, 2]),
        Array::I32(vec![-1, 2]),
        Array::F32(vec![0.5; 9]),
        Array::Bool(vec![true, false]),
        Array::String(["a", "", "löss"].iter().collect()),
        Array::Nested(vec![Array::U8(vec![1]), Array::Nested(vec![Array::F32(vec![])])]),
        Array::U64(vec![1 << 40]),
        Array::I64(vec![-1]),
        Array::F64(vec![2.5]),
    ];
    for (i, array) in arrays.into_iter().enumerate() {
        writer.entry(&format!("array.{i}"), array);
    }
    let scalars: [Value; 12] = [
        1u8.into(),
        (-1i8).into(),
        1u16.into(),
        (-1i16).into(),
        1u32.into(),
        (-1i32).into(),
        0.5f32.into(),
        true.into(),
        "some text".into(),
        1u64.into(),
        (-1i64).into(),
        0.5f64.into(),
    ];
    for (i, scalar) in scalars.into_iter().enumerate() {
        writer.entry(&format!("scalar.{i}"), scalar);
    }
    let shapes = WeightType::ALL.map(|ty| (ty.name().to_owned(), vec![ty.block_len() as u64, 2], ty));
    finish(writer, &shapes)
}

/// What a small model's header looks like, with an alignment of its own.
fn like_a_model() -> Vec<u8> {
    let mut writer = GgufWriter::new();
    writer.entry("general.architecture", "qwen3").entry("general.alignment", 64u32).entry("qwen3.block_count", 2u32);
    writer.entry("split.no", 0u16).entry("split.count", 1u16).entry("split.tensors.count", 7i32);
    writer.entry("tokenizer.ggml.tokens", (0..40).map(|i| format!("token{i}")).collect::<Strings>());
    writer.entry("tokenizer.ggml.scores", vec![0.0f32; 40]).entry("tokenizer.ggml.token_type", vec![1i32; 40]);
    let mut shapes = vec![("token_embd.weight".to_owned(), vec![32, 40], WeightType::Q8_0)];
    for layer in 0..2 {
        shapes.push((format!("blk.{layer}.attn_norm.weight"), vec![32], WeightType::F32));
        shapes.push((format!("blk.{layer}.attn_q.weight"), vec![32, 3, 2, 2], WeightType::Q4_0));
        shapes.push((format!("blk.{layer}.attn_k.weight"), vec![32, 5], WeightType::BF16));
    }
    finish(writer, &shapes)
}

fn finish(mut writer: GgufWriter, shapes: &[(String, Vec<u64>, WeightType)]) -> Vec<u8> {
    for (name, dims, ty) in shapes {
        writer.tensor(name, dims, *ty).unwrap();
    }
    let mut out = writer.start(Vec::new()).unwrap();
    for (_, dims, ty) in shapes {
        let blocks = dims.iter().product::<u64>() as usize / ty.block_len();
        out.write(&random_blocks(*ty, 1, blocks, 1.0)).unwrap();
    }
    out.finish().unwrap()
}
