//! Directories of tiny models as `transformers` saves them, beside the GGUF files of the same checkpoints: the view of each directory must have
//! the GGUF file's tensors, number by number, and its keys.
//!
//! The directories are not in the repository, since they hold the same numbers as the GGUF files. `INGLENOOK_HF_DIRECTORIES` names a folder
//! that has one for each model, as the generator of the goldens writes them; without it, nothing is compared.

#![cfg(feature = "hf")]

use std::path::{Path, PathBuf};

use inglenook_format::gguf::{Gguf, TensorInfo, Value};
use inglenook_format::hf::{Directory, HfModel, open};
use inglenook_format::quant::{TensorType, dequantise};
use inglenook_format::source::{LocalFuture, ReadAt, Source, SourceError};

struct Disk(PathBuf);

impl Directory for Disk {
    fn open<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<Option<Box<dyn Source>>, SourceError>> {
        let file = std::fs::File::open(self.0.join(name)).ok();
        let source = file.map(ReadAt::new).transpose();
        Box::pin(async move { Ok(source?.map(|source| Box::new(source) as Box<dyn Source>)) })
    }
}

fn bytes(source: &dyn Source, info: &TensorInfo) -> Vec<u8> {
    let mut raw = vec![0; info.bytes as usize];
    pollster::block_on(source.read_at(info.offset, &mut raw)).unwrap();
    raw
}

fn floats(ty: TensorType, raw: &[u8]) -> Vec<f32> {
    let TensorType::Weights(ty) = ty else { return mxfp4(raw) };
    let mut values = vec![0.0; raw.len() / ty.block_bytes() * ty.block_len()];
    dequantise(ty, raw, &mut values).unwrap();
    values
}

/// Numbers of blocks of MXFP4: number `j` is in the low half of byte `j`, and number `j + 16` in the high one.
fn mxfp4(raw: &[u8]) -> Vec<f32> {
    const VALUES: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
    let number = |code: u8| if code & 8 == 0 { VALUES[usize::from(code & 7)] } else { -VALUES[usize::from(code & 7)] };
    let block = |block: &[u8]| {
        let scale = f32::from_bits(u32::from(block[0]) << 23);
        let (low, high) = (block[1..].iter().map(|byte| byte & 15), block[1..].iter().map(|byte| byte >> 4));
        low.chain(high).map(|code| number(code) * scale).collect::<Vec<f32>>()
    };
    raw.chunks_exact(17).flat_map(block).collect()
}

/// What is wrong with a view, in lines.
fn differences(view: &HfModel, golden: &Gguf, file: &dyn Source) -> Vec<String> {
    let mut found = Vec::new();
    let trimmed = |info: &TensorInfo| {
        let mut dims = info.dims.clone();
        while dims.len() > 1 && dims.last() == Some(&1) {
            dims.pop();
        }
        dims
    };
    for info in golden.tensors() {
        let Some(ours) = view.gguf.find(&info.name) else {
            found.push(format!("lacks {}", info.name));
            continue;
        };
        if trimmed(ours) != trimmed(info) {
            found.push(format!("{}: {:?}, not {:?}", info.name, ours.dims, info.dims));
            continue;
        }
        let (left, right) = (bytes(&view.source, ours), bytes(file, info));
        let is_same =
            if ours.ty == info.ty { left == right } else { floats(ours.ty, &left) == floats(info.ty, &right) };
        let (left, right) = (floats(ours.ty, &left), floats(info.ty, &right));
        // What a library's exponential or power makes is the same but for its last bits.
        let is_computed = info.name.ends_with("ssm_a") || info.name.starts_with("rope_f");
        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 4e-7 * b.abs();
        if !(is_same || is_computed && left.iter().zip(&right).all(near)) {
            let worst = left.iter().zip(&right).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let at = left.iter().zip(&right).position(|(a, b)| a != b).unwrap_or(0);
            let types = (ours.ty.name(), info.ty.name());
            found.push(format!(
                "{} {types:?}: differs from number {at} on, {} and {}, by {worst:e} at most",
                info.name, left[at], right[at]
            ));
        }
    }
    for info in view.gguf.tensors() {
        if golden.find(&info.name).is_none() {
            found.push(format!("has {} besides", info.name));
        }
    }
    let arch = golden.metadata.str("general.architecture").unwrap();
    for (key, value) in
        golden.metadata.iter().filter(|(key, _)| *key == "general.architecture" || key.starts_with(&format!("{arch}.")))
    {
        match view.gguf.metadata.get(key) {
            Some(ours) if same(ours, value) => {}
            ours => found.push(format!("{key}: {ours:?}, not {value:?}")),
        }
    }
    for (key, value) in view.gguf.metadata.iter().filter(|(key, _)| key.starts_with(&format!("{arch}."))) {
        if golden.metadata.get(key).is_none() && std::env::var_os("SHOW_EXTRA_KEYS").is_some() {
            eprintln!("    has {key} = {value:?} besides");
        }
    }
    found
}

fn same(a: &Value, b: &Value) -> bool {
    let integers = |value: &Value| match value {
        Value::Array(array) => array.integers().map(Iterator::collect::<Vec<_>>),
        scalar => scalar.as_integer().map(|integer| vec![integer]),
    };
    match (integers(a), integers(b)) {
        (Some(a), Some(b)) => a == b || (a.iter().all(|x| *x == a[0]) && b.len() == 1 && a[0] == b[0]),
        _ => a == b,
    }
}

/// Any cut of the virtual file is what the whole has there.
fn check_cuts(name: &str, view: &HfModel) {
    let len = view.source.len().unwrap();
    let mut whole = vec![0; len as usize];
    pollster::block_on(view.source.read_at(0, &mut whole)).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..200 {
        let from = random.u64(0..len);
        let count = random.usize(0..=(len - from).min(20_000) as usize);
        let mut cut = vec![1; count];
        pollster::block_on(view.source.read_at(from, &mut cut)).unwrap();
        assert!(cut == whole[from as usize..][..count], "{name}: {count} bytes from {from}");
    }
    let read = pollster::block_on(Gguf::read(&inglenook_format::source::Memory(whole))).unwrap();
    assert_eq!(read, view.gguf, "{name}");
}

#[test]
fn views_equal_the_gguf_files_of_the_same_checkpoints() {
    let Some(folder) = std::env::var_os("INGLENOOK_HF_DIRECTORIES") else { return };
    let models = std::env::var_os("INGLENOOK_HF_GOLDENS")
        .map_or(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/models"), PathBuf::from);
    let mut failed = Vec::new();
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let mut compared = 0;
    for path in names {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Ok(file) = std::fs::File::open(models.join(format!("{name}.gguf"))) else { continue };
        let file = ReadAt::new(file).unwrap();
        let golden = pollster::block_on(Gguf::read(&file)).unwrap();
        match pollster::block_on(open(&Disk(path))) {
            Err(error) => failed.push(format!("{name}: {error}")),
            Ok(view) => {
                let found = differences(&view, &golden, &file);
                if found.is_empty() {
                    eprintln!("{name}: {} tensors and the keys are the same", golden.tensors().len());
                    compared += 1;
                }
                failed.extend(found.into_iter().map(|line| format!("{name}: {line}")));
                check_cuts(&name, &view);
            }
        }
    }
    assert!(failed.is_empty(), "{} models are the same, and:\n{}", compared, failed.join("\n"));
    assert!(compared > 0, "no directory has a GGUF file of its name");
}
