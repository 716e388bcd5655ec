//! Damaged files of the kinds that have no test program of their own: safetensors, importance matrices, LoRA adapters, and models in parts.
//! Each must be read or refused, within bounds of time and memory.
//!
//! A few hundred of each; `INGLENOOK_FULL=1 cargo test -p inglenook-format --features hf --test mutated_files` tries 100,000.
#![cfg(feature = "hf")]

#[path = "../../tests/shared/memory_meter.rs"]
mod meter;

use std::collections::BTreeMap;
use std::fs;
use std::future::ready;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;
use inglenook_format::gguf::split::join;
use inglenook_format::gguf::write::GgufWriter;
use inglenook_format::gguf::{Gguf, Strings};
use inglenook_format::hf::{Directory, read_lora};
use inglenook_format::imatrix::Imatrix;
use inglenook_format::lora::Lora;
use inglenook_format::quant::WeightType;
use inglenook_format::safetensors::read_header;
use inglenook_format::source::{LocalFuture, Memory, Source, SourceError};

/// What one file may take. (Under a millisecond; a test machine may be slow and busy.)
const TIME: Duration = Duration::from_secs(2);
/// Memory beside what the size of the files explains.
const ROOM: usize = 16 << 20;

/// Numbers at which arithmetic goes wrong.
const AWKWARD: [u64; 12] =
    [0, 1, 31, 0xff, 0xffff, 1 << 31, u32::MAX as u64, 1 << 61, i64::MAX as u64, 1 << 63, u64::MAX, 0x7fc0_0000];
/// Texts at which readers of JSON go wrong.
const WORDS: [&str; 10] = ["-1", "0", "1e400", "18446744073709551616", "null", "[]", "{}", "\"\"", "true", "[[[[[[[["];

/// Damages one of these files.
fn mutate(files: &mut [Vec<u8>], random: &mut Rng) {
    let file = random.usize(..files.len());
    let bytes = &mut files[file];
    if bytes.is_empty() {
        bytes.push(0);
    }
    let span = if random.usize(..3) == 0 { bytes.len() } else { bytes.len().min(800) };
    let at = random.usize(..span);
    let end = (at + 1 + random.usize(..40)).min(bytes.len());
    let awkward = AWKWARD[random.usize(..AWKWARD.len())].to_le_bytes();
    match random.usize(..9) {
        0 | 1 => bytes[at] ^= 1 << random.usize(..8),
        2 => bytes[at] = random.u8(..),
        3 => overwrite(bytes, at, &awkward[..4]),
        4 => overwrite(bytes, at, &awkward),
        5 => bytes.truncate(at),
        6 => drop(bytes.drain(at..end)),
        7 => {
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
        }
        _ => drop(bytes.splice(at..(at + 2).min(end), WORDS[random.usize(..WORDS.len())].bytes())),
    }
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    bytes[at..].iter_mut().zip(with).for_each(|(byte, with)| *byte = *with);
}

/// Damages the files again and again, and reads each: what is refused has a message.
fn run(seed: u64, seeds: &[Vec<Vec<u8>>], read: impl Fn(&[Vec<u8>]) -> Result<(), String>) {
    let count = if std::env::var_os("INGLENOOK_FULL").is_some() { 100_000 } else { 300 };
    let mut random = Rng::with_seed(seed);
    let (mut accepted, mut refused) = (0, 0);
    for files in seeds {
        assert_eq!(read(files), Ok(()), "before it is damaged");
    }
    for number in 0..count {
        let mut files = seeds[random.usize(..seeds.len())].clone();
        for _ in 0..1 + random.usize(..3) / 2 {
            mutate(&mut files, &mut random);
        }
        let size: usize = files.iter().map(Vec::len).sum();
        let start = Instant::now();
        let (result, peak) = meter::peak(|| read(&files));
        assert!(start.elapsed() < TIME, "file {number} took {:?}", start.elapsed());
        assert!(peak <= 24 * size + ROOM, "file {number}: {peak} bytes of memory for {size}");
        match result {
            Ok(()) => accepted += 1,
            Err(message) => {
                assert!(!message.is_empty(), "file {number}");
                refused += 1;
            }
        }
    }
    println!("{accepted} accepted, {refused} refused");
    // Were nearly all of one kind, the mutations would test little.
    assert!(accepted > count / 50 && refused > count / 5, "{accepted} accepted, {refused} refused");
}

fn loras() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/loras")
}

/// The files of an adapter of PEFT's.
fn adapter() -> Vec<Vec<u8>> {
    ["adapter_config.json", "adapter_model.safetensors"]
        .map(|file| fs::read(loras().join("patterns").join(file)).unwrap())
        .into()
}

/// A file with tensors of floats, each filled with a number.
fn gguf(entries: &[(&str, &str)], numbers: &[(&str, u32)], tensors: &[(&str, &[u64])]) -> Vec<u8> {
    let mut writer = GgufWriter::new();
    for (key, text) in entries {
        writer.entry(key, *text);
    }
    for (key, number) in numbers {
        writer.entry(key, *number);
    }
    for (name, dims) in tensors {
        writer.tensor(name, dims, WeightType::F32).unwrap();
    }
    let mut out = writer.start(Vec::new()).unwrap();
    for (_, dims) in tensors {
        out.write(&2f32.to_le_bytes().repeat(dims.iter().product::<u64>() as usize)).unwrap();
    }
    out.finish().unwrap()
}

fn told(error: impl ToString) -> String {
    error.to_string()
}

#[test]
fn damaged_safetensors_are_answered() {
    run(1, &[vec![adapter().remove(1)]], |files| {
        let source = Memory(&files[0]);
        pollster::block_on(read_header(&source)).map(drop).map_err(told)
    });
}

#[test]
fn damaged_importance_matrices_are_answered() {
    let mut writer = GgufWriter::new();
    writer.entry("general.type", "imatrix").entry("imatrix.datasets", ["text"].iter().collect::<Strings>());
    writer.entry("imatrix.chunk_count", 3u32).entry("imatrix.chunk_size", 512u32);
    writer.tensor("blk.0.attn_q.weight.in_sum2", &[8, 1], WeightType::F32).unwrap();
    writer.tensor("blk.0.attn_q.weight.counts", &[1, 1], WeightType::F32).unwrap();
    let mut out = writer.start(Vec::new()).unwrap();
    out.write(&2f32.to_le_bytes().repeat(8)).unwrap();
    out.write(&4f32.to_le_bytes()).unwrap();
    let sums = out.finish().unwrap();
    let name = b"blk.0.attn_q.weight";
    let mut dat = Vec::new();
    for number in [1i32, name.len() as i32] {
        dat.extend_from_slice(&number.to_le_bytes());
    }
    dat.extend_from_slice(name);
    for number in [3i32, 8] {
        dat.extend_from_slice(&number.to_le_bytes());
    }
    dat.extend(2f32.to_le_bytes().repeat(8));
    run(2, &[vec![sums], vec![dat]], |files| {
        let source = Memory(&files[0]);
        pollster::block_on(Imatrix::read(&source)).map(drop).map_err(told)
    });
}

#[test]
fn damaged_adapters_in_gguf_files_are_answered() {
    let kinds = [("general.type", "adapter"), ("adapter.type", "lora"), ("general.architecture", "llama")];
    let tensors: [(&str, &[u64]); 2] =
        [("blk.0.attn_q.weight.lora_a", &[12, 3]), ("blk.0.attn_q.weight.lora_b", &[3, 9])];
    run(3, &[vec![gguf(&kinds, &[], &tensors)]], |files| {
        let lora = pollster::block_on(Lora::read(&Memory(files[0].clone()))).map_err(told)?;
        for low_rank in lora.weights.values() {
            assert_eq!(low_rank.a.len(), low_rank.rank * low_rank.inputs());
            assert_eq!(low_rank.b.len(), low_rank.rank * low_rank.outputs());
        }
        Ok(())
    });
}

/// Files in memory.
struct Files(BTreeMap<&'static str, Vec<u8>>);

impl Directory for Files {
    fn open<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<Option<Box<dyn Source>>, SourceError>> {
        let source = self.0.get(name).map(|bytes| Box::new(Memory(bytes.clone())) as Box<dyn Source>);
        Box::pin(ready(Ok(source)))
    }
}

#[test]
fn damaged_adapters_of_peft_are_answered() {
    let described: serde_json::Value =
        serde_json::from_slice(&fs::read(loras().join("patterns.json")).unwrap()).unwrap();
    let dims = |weight: &serde_json::Value| -> Vec<u64> {
        weight["dims"].as_array().unwrap().iter().map(|dim| dim.as_u64().unwrap()).collect()
    };
    let weights = described["weights"].as_object().unwrap();
    let all: Vec<(&str, Vec<u64>)> = weights.iter().map(|(name, weight)| (name.as_str(), dims(weight))).collect();
    let tensors: Vec<(&str, &[u64])> = all.iter().map(|(name, dims)| (*name, &dims[..])).collect();
    let keys = [
        ("llama.block_count", 2),
        ("llama.embedding_length", 32),
        ("llama.attention.head_count", 4),
        ("llama.attention.head_count_kv", 2),
    ];
    let base = gguf(&[("general.architecture", "llama")], &keys, &tensors);
    let base = pollster::block_on(Gguf::read(&Memory(base))).unwrap();
    run(4, &[adapter()], |files| {
        let named = ["adapter_config.json", "adapter_model.safetensors"].into_iter().zip(files.iter().cloned());
        let files = Files(named.collect());
        pollster::block_on(read_lora(&files, &base)).map(drop).map_err(told)
    });
}

#[test]
fn damaged_parts_of_a_model_are_answered() {
    let part = |no: u32| {
        let name = ["a", "b"][no as usize];
        let keys = [("split.no", no), ("split.count", 2), ("split.tensors.count", 2)];
        gguf(&[("general.architecture", "llama")], &keys, &[(name, &[6, 5])])
    };
    run(5, &[vec![part(0), part(1)]], |files| {
        let parts = files.iter().map(|bytes| {
            let source: Box<dyn Source> = Box::new(Memory(bytes.clone()));
            ("part".to_owned(), source)
        });
        let joined = pollster::block_on(join(parts.collect())).map_err(told)?;
        let gguf = pollster::block_on(Gguf::read(&joined)).map_err(told)?;
        for tensor in gguf.tensors() {
            let mut bytes = vec![0; tensor.bytes.min(1 << 16) as usize];
            pollster::block_on(joined.read_at(tensor.offset, &mut bytes)).map_err(told)?;
        }
        Ok(())
    });
}
