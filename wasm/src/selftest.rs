//! The checks of `inglenook::selftest` for JavaScript to run, the same in Chromium, Firefox and Node as natively; and the
//! parts of this crate one by one, for tests/browser to look at.

use std::sync::Arc;

use inglenook::device::Device;
use inglenook::engine::score::{LogitsEvaluator, ScoreError, ScoreOptions};
use inglenook::format::gguf::Gguf;
use inglenook::gpu::{Gpu, GpuError, GpuOptions, Without};
use inglenook::kernels::kv::KvType;
use inglenook::plan::KernelCache;
use inglenook::selftest;
use inglenook::selftest::synthetic::{Shape, Synthetic};
use inglenook::selftest::tokenizers::{VocabularyFile, compare, read_vocabulary};
use inglenook::source::{Memory, Source};
use inglenook_wasm_host::{self as host, JsSource};
use js_sys::{Array, Float32Array, Object, Promise, Uint8Array, Uint32Array};
use wasm_bindgen::prelude::*;

use crate::errors;

/// Runs the cases whose name starts with `prefix`; gives their reports as JSON. The GPU is opened `how`: see [`gpu_options`].
#[wasm_bindgen(unchecked_return_type = "Promise<string>")]
pub fn selftest(prefix: String, how: String) -> Promise {
    host::promise(async move {
        let reports = selftest::run(&prefix, &gpu_options(&how)?).await.map_err(errors::to_js)?;
        Ok(serde_json::to_string(&reports).map_err(errors::internal)?.into())
    })
}

/// `default`; `plain`: f16, subgroups and the integer dot product are left unused; `as-hardware`: a software adapter is used like
/// a real GPU.
fn gpu_options(how: &str) -> Result<GpuOptions, JsValue> {
    let plain = Without { f16: true, subgroups: true, dot4: true, ..Without::default() };
    match how {
        "default" => Ok(GpuOptions::default()),
        "plain" => Ok(GpuOptions { without: plain, ..GpuOptions::default() }),
        "as-hardware" => Ok(GpuOptions { as_hardware: true, ..GpuOptions::default() }),
        _ => Err(errors::misuse("a GPU is opened by default, plain or as-hardware")),
    }
}

/// The logits after each token of `prompt`, `[tokens, vocab]`, computed `chunk` tokens at a time, and the `steps` most likely
/// tokens that follow. The GPU is opened `how`: see [`gpu_options`].
#[wasm_bindgen(unchecked_return_type = "Promise<[Float32Array, Uint32Array]>")]
pub fn selftest_score(gguf: Vec<u8>, prompt: Vec<u32>, steps: usize, chunk: u32, how: String) -> Promise {
    host::promise(async move {
        let options = gpu_options(&how)?;
        let (logits, greedy) = score(gguf, &prompt, steps, chunk, &options).await.map_err(errors::to_js)?;
        let logits: JsValue = Float32Array::from(&logits[..]).into();
        Ok(Array::of2(&logits, &Uint32Array::from(&greedy[..]).into()).into())
    })
}

async fn score(
    gguf: Vec<u8>,
    prompt: &[u32],
    steps: usize,
    chunk: u32,
    gpu: &GpuOptions,
) -> Result<(Vec<f32>, Vec<u32>), ScoreError> {
    let device = Device::Gpu(Gpu::request(gpu).await?);
    let options = ScoreOptions { chunk, context: (prompt.len() + steps) as u32, kv: KvType::F32 };
    let scorer = LogitsEvaluator::load(KernelCache::new(device), &Memory(gguf), options).await?;
    let logits = scorer.logits(prompt).await?;
    let mut last = logits[logits.len() - logits.len() / prompt.len()..].to_vec();
    let mut greedy = Vec::new();
    for position in (prompt.len() as u32..).take(steps) {
        let best = (0..last.len()).max_by(|a, b| last[*a].total_cmp(&last[*b])).unwrap_or_default() as u32;
        greedy.push(best);
        last = scorer.extend(position, &[best]).await?;
    }
    Ok((logits, greedy))
}

/// The header of a synthetic model of about 2 GB, and the length of the whole file in bytes.
#[wasm_bindgen(unchecked_return_type = "[Uint8Array, number]")]
pub fn selftest_large_model() -> Array {
    let shape = Shape { layers: 8, hidden: 2048, heads: 16, kv_heads: 8, head_dim: 128, ffn: 8192, vocab: 2048 };
    let model = Synthetic::new(&shape);
    let length = model.len().unwrap_or_default() as f64;
    Array::of2(&Uint8Array::from(model.header()).into(), &length.into())
}

/// `length` bytes of a file from `offset` on, as the engine gets them.
#[wasm_bindgen(unchecked_return_type = "Promise<Uint8Array>")]
pub fn selftest_read(source: JsSource, offset: f64, length: usize, signal: Option<Object>) -> Promise {
    host::promise(async move {
        let mut bytes = vec![0; length];
        let reading = source.read_at(offset as u64, &mut bytes);
        let read = match &signal {
            Some(signal) => host::until_aborted(signal, reading).await.ok_or_else(errors::aborted)?,
            None => reading.await,
        };
        read.map_err(errors::to_js)?;
        Ok(Uint8Array::from(&bytes[..]).into())
    })
}

/// Number of tensors that a GGUF file declares.
#[wasm_bindgen(unchecked_return_type = "Promise<number>")]
pub fn selftest_tensors(source: JsSource) -> Promise {
    host::promise(async move {
        let header = Gguf::read(&source).await.map_err(errors::to_js)?;
        Ok((header.tensors().len() as u32).into())
    })
}

/// Compares a tokenizer with its reference on each `step`-th string: see `selftest::tokenizers::compare`. `kind` is the
/// ending of the vocabulary's file, `gguf`, `json` or `model`. Gives the number of strings compared, and what was wrong.
#[wasm_bindgen(unchecked_return_type = "Promise<[number, string[]]>")]
pub fn selftest_tokenizer(
    vocabulary: Vec<u8>,
    kind: String,
    strings: Vec<u8>,
    checksums: Vec<u8>,
    step: usize,
) -> Promise {
    host::promise(async move {
        let kind = match kind.as_str() {
            "gguf" => VocabularyFile::Gguf,
            "json" => VocabularyFile::Json,
            "model" => VocabularyFile::SentencePiece,
            _ => return Err(errors::misuse("a vocabulary is a file of gguf, json or model")),
        };
        let tokenizer = read_vocabulary(&vocabulary, kind).await.map_err(errors::internal)?;
        let found = compare(&Arc::new(tokenizer), &strings, &checksums, step).map_err(errors::internal)?;
        let first: Array = found.first.iter().map(JsValue::from).collect();
        Ok(Array::of2(&(found.compared as u32).into(), &first.into()).into())
    })
}

/// Uses a GPU until it is lost, then gives the error.
#[wasm_bindgen(unchecked_return_type = "Promise<never>")]
pub fn selftest_until_lost() -> Promise {
    host::promise(async move { Err(errors::to_js(until_lost().await)) })
}

async fn until_lost() -> GpuError {
    let gpu = match Gpu::request(&GpuOptions::default()).await {
        Ok(gpu) => gpu,
        Err(error) => return error,
    };
    loop {
        let buffer = match gpu.buffer("values", 1 << 16) {
            Ok(buffer) => buffer,
            Err(error) => return error,
        };
        if let Err(error) = gpu.read(&buffer, 0..256).await {
            return error;
        }
    }
}

/// Panics in the middle of a promise.
#[wasm_bindgen(unchecked_return_type = "Promise<never>")]
pub fn selftest_panic() -> Promise {
    host::promise(async move {
        let ready = wasm_bindgen_futures::JsFuture::from(Promise::resolve(&JsValue::NULL)).await;
        panic!("as the test has asked for: {ready:?}");
    })
}
