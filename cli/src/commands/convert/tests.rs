use inglenook::format::converted::Converted;
use inglenook::format::gguf::write::GgufWriter;
use inglenook::format::gguf::{Gguf, Strings};
use inglenook::format::imatrix::Imatrix;
use inglenook::format::lora::Lora;
use inglenook::format::quant::mix::Mix;
use inglenook::format::quant::{WeightType, quantise_rows};
use inglenook::source::{Memory, Source};

use super::weights::Conversion;
use crate::interrupt::Interrupted;

/// A tensor to write: name, dimensions, type and data.
pub type Tensor<'a> = (&'a str, &'a [u64], WeightType, Vec<u8>);

pub fn floats(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

/// Numbers around 0 that do not repeat.
pub fn some(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * i) as f32 * 0.37).sin() * 0.1).collect()
}

pub fn file(tensors: &[Tensor<'_>]) -> Vec<u8> {
    let mut writer = GgufWriter::new();
    let words: Strings = ["a", "b"].iter().collect();
    writer.entry("general.architecture", "llama").entry("general.file_type", 32u32).entry("words", words);
    writer.entry("split.count", 0u16).entry("general.alignment", 64u32);
    for (name, dims, ty, _) in tensors {
        writer.tensor(name, dims, *ty).unwrap();
    }
    let mut data = writer.start(Vec::new()).unwrap();
    for (.., bytes) in tensors {
        data.write(bytes).unwrap();
    }
    data.finish().unwrap()
}

pub fn header(bytes: &[u8]) -> Gguf {
    pollster::block_on(Gguf::read(&Memory(bytes))).unwrap()
}

/// The converted file, or why there is none.
fn converted(bytes: &[u8], mix: &str, imatrix: Option<&(String, Imatrix)>) -> anyhow::Result<Vec<u8>> {
    merged(bytes, Some(Mix::by_name(mix).unwrap()), imatrix, &[])
}

/// The same with adapters.
pub fn merged(
    bytes: &[u8],
    mix: Option<&Mix>,
    imatrix: Option<&(String, Imatrix)>,
    adapters: &[(Lora, f32)],
) -> anyhow::Result<Vec<u8>> {
    let (source, gguf) = (Memory(bytes), header(bytes));
    let threads = rayon::ThreadPoolBuilder::new().num_threads(3).build()?;
    let conversion = Conversion::new(&gguf, mix, imatrix, adapters)?;
    let (mut out, mut done) = (Vec::new(), 0);
    let mut progress = |bytes| {
        done += bytes;
        Ok(())
    };
    conversion.write(&source, &mut out, &threads, &mut progress)?;
    assert_eq!(done, conversion.bytes());
    Ok(out)
}

pub fn data<'a>(bytes: &'a [u8], gguf: &Gguf, name: &str) -> &'a [u8] {
    let info = gguf.tensor(name).unwrap();
    &bytes[info.offset as usize..info.end() as usize]
}

#[test]
fn model_that_is_converted_as_it_is_read_is_the_file_that_convert_writes() {
    let input = file(&[
        ("blk.0.attn_q.weight", &[512, 300], WeightType::F32, floats(some(512 * 300))),
        ("blk.0.attn_norm.weight", &[512], WeightType::F32, floats(some(512))),
        ("output.weight", &[256, 700], WeightType::F32, floats(some(256 * 700))),
        ("blk.0.ffn_up.weight", &[66_048, 2], WeightType::F32, floats(some(66_048 * 2))),
    ]);
    for mix in ["q4_k_m", "q8_0", "q6_k"] {
        let written = converted(&input, mix, None).unwrap();
        let source = Box::new(Memory(input.clone()));
        let read = pollster::block_on(Converted::open(source, Mix::by_name(mix), Vec::new(), &[])).unwrap();
        let mut bytes = vec![0; read.len().unwrap() as usize];
        pollster::block_on(read.read_at(0, &mut bytes)).unwrap();
        assert!(written[..bytes.len()] == bytes && written[bytes.len()..].iter().all(|byte| *byte == 0), "{mix}");
    }
}

#[test]
fn convert_writes_each_tensor_in_the_type_of_the_mix() {
    let weights = some(512 * 300);
    let q8_0 = {
        let mut out = Vec::new();
        quantise_rows(WeightType::Q8_0, &weights[..64 * 40], 64, None, &mut out).unwrap();
        out
    };
    let halves: Vec<u8> = weights[..512].iter().flat_map(|&x| ((x.to_bits() >> 16) as u16).to_le_bytes()).collect();
    let input = file(&[
        ("blk.0.attn_q.weight", &[512, 300], WeightType::F32, floats(weights.clone())),
        ("blk.0.attn_norm.weight", &[512], WeightType::BF16, halves),
        ("blk.0.attn_k.weight", &[64, 40], WeightType::Q8_0, q8_0.clone()),
        ("output.weight", &[256, 3], WeightType::F32, floats(some(768))),
    ]);
    let output = converted(&input, "q4_k_m", None).unwrap();
    let gguf = header(&output);
    let types: Vec<_> = gguf.tensors().iter().map(|tensor| (tensor.name.as_str(), tensor.ty.name())).collect();
    let wanted = [
        ("blk.0.attn_q.weight", "Q4_K"),
        ("blk.0.attn_norm.weight", "F32"),
        ("blk.0.attn_k.weight", "Q5_0"),
        ("output.weight", "Q6_K"),
    ];
    assert_eq!(types, wanted.map(|(name, ty)| (name, ty.into())));
    let mut blocks = Vec::new();
    quantise_rows(WeightType::Q4_K, &weights, 512, None, &mut blocks).unwrap();
    assert_eq!(data(&output, &gguf, "blk.0.attn_q.weight"), blocks);
    let norm = weights[..512].iter().map(|x| f32::from_bits(x.to_bits() & 0xffff_0000));
    assert_eq!(data(&output, &gguf, "blk.0.attn_norm.weight"), floats(norm));
    assert_eq!(gguf.metadata.opt_u32("general.file_type"), Ok(Some(15)));
    assert_eq!(gguf.metadata.opt_u32("general.quantization_version"), Ok(Some(2)));
    assert_eq!(gguf.metadata.strings("words").unwrap().get(1), Some("b"));
    assert_eq!((gguf.alignment, gguf.metadata.get("split.count")), (64, None));
    // What has the type already stays, bit for bit.
    let output = converted(&input, "q8_0", None).unwrap();
    assert_eq!(data(&output, &header(&output), "blk.0.attn_k.weight"), q8_0);
}

#[test]
fn convert_weighs_each_expert_by_its_own_importances() {
    let weights = some(256 * 5 * 3);
    let name = "blk.0.ffn_down_exps.weight";
    let input = file(&[(name, &[256, 5, 3], WeightType::F32, floats(weights.clone()))]);
    let importance: Vec<f32> = (0..768).map(|i| 1.0 + (i * 37 % 101) as f32).collect();
    let mut dat = 1i32.to_le_bytes().to_vec();
    dat.extend((name.len() as i32).to_le_bytes());
    dat.extend(name.as_bytes());
    dat.extend([1i32, 768].map(i32::to_le_bytes).concat());
    dat.extend(floats(importance.clone()));
    let imatrix = ("some.dat".to_string(), pollster::block_on(Imatrix::read(&Memory(dat))).unwrap());
    let output = converted(&input, "q5_k_m", Some(&imatrix)).unwrap();
    let gguf = header(&output);
    let ty = gguf.tensor(name).unwrap().weight_type().unwrap();
    let mut blocks = Vec::new();
    for (rows, importance) in weights.chunks(256 * 5).zip(importance.chunks(256)) {
        quantise_rows(ty, rows, 256, Some(importance), &mut blocks).unwrap();
    }
    assert_eq!(data(&output, &gguf, name), blocks);
    assert_eq!(gguf.metadata.text("quantize.imatrix.file"), Some("some.dat"));
    let other = file(&[("blk.0.ffn_up.weight", &[256, 5], WeightType::F32, floats(some(1280)))]);
    let error = converted(&other, "q5_k_m", Some(&imatrix)).unwrap_err();
    assert!(error.to_string().contains("another model's"), "{error:#}");
}

#[test]
fn convert_cuts_rows_that_are_too_long_to_hold() {
    let weights = some(2 * 131_328);
    let input = file(&[("blk.0.ffn_up.weight", &[131_328, 2], WeightType::F32, floats(weights.clone()))]);
    let output = converted(&input, "q8_0", None).unwrap();
    let mut blocks = Vec::new();
    quantise_rows(WeightType::Q8_0, &weights, 131_328, None, &mut blocks).unwrap();
    assert_eq!(data(&output, &header(&output), "blk.0.ffn_up.weight"), blocks);
}

#[test]
fn convert_names_the_weight_that_is_no_number() {
    // In the second piece of rows.
    let mut weights = some(256 * 300);
    weights[256 * 290 + 7] = f32::NAN;
    let input = file(&[("blk.0.ffn_up.weight", &[256, 300], WeightType::F32, floats(weights))]);
    let error = format!("{:#}", converted(&input, "q6_k", None).unwrap_err());
    assert!(error.contains("blk.0.ffn_up.weight") && error.contains("row 290, column 7 is NaN"), "{error}");
}

#[test]
fn convert_ends_where_progress_says_so() {
    let bytes = file(&[("blk.0.ffn_up.weight", &[256, 300], WeightType::F32, floats(some(256 * 300)))]);
    let (source, gguf) = (Memory(&bytes), header(&bytes));
    let threads = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let conversion = Conversion::new(&gguf, Mix::by_name("q4_0"), None, &[]).unwrap();
    let stop = &mut |_| Err(Interrupted.into());
    let error = conversion.write(&source as &dyn Source, Vec::new(), &threads, stop).unwrap_err();
    assert!(error.is::<Interrupted>(), "{error:#}");
}

/// A file with a `tokenizer.json` in its metadata, and an embedding of some rows.
fn file_with_tokenizer(json: &str, rows: u64) -> Vec<u8> {
    let mut writer = GgufWriter::new();
    writer.entry("general.architecture", "llama").entry("tokenizer.huggingface.json", json);
    writer.entry("tokenizer.ggml.add_bos_token", true);
    writer.tensor("token_embd.weight", &[32, rows], WeightType::F32).unwrap();
    let mut data = writer.start(Vec::new()).unwrap();
    data.write(&vec![0; 32 * 4 * rows as usize]).unwrap();
    data.finish().unwrap()
}

#[test]
fn a_tokenizer_json_gets_the_keys_that_llama_cpp_reads_beside_it() {
    let json = include_str!("../../../../tests/goldens/tokenizers/qwen2.json");
    let gguf = header(&converted(&file_with_tokenizer(json, 1400), "q8_0", None).unwrap());
    let meta = &gguf.metadata;
    assert_eq!((meta.str("tokenizer.ggml.model"), meta.str("tokenizer.ggml.pre")), (Ok("gpt2"), Ok("qwen2")));
    assert_eq!(meta.strings("tokenizer.ggml.tokens").unwrap().len(), 1400);
    // What the folder's other files said stays.
    assert_eq!(meta.bool("tokenizer.ggml.add_bos_token"), Ok(true));
    assert_eq!(meta.text("tokenizer.huggingface.json"), Some(json));
}

#[test]
fn a_tokenizer_that_llama_cpp_has_no_keys_for_is_told_by_name() {
    let json = include_str!("../../../../tests/goldens/tokenizers/words.json");
    let bytes = file_with_tokenizer(json, 907);
    let gguf = header(&bytes);
    let conversion = Conversion::new(&gguf, Mix::by_name("q8_0"), None, &[]).unwrap();
    let problem = conversion.tokenizer_problem().map(ToString::to_string).unwrap_or_default();
    assert!(problem.contains("WordLevel"), "{problem}");
    let gguf = header(&converted(&bytes, "q8_0", None).unwrap());
    assert!(gguf.metadata.get("tokenizer.ggml.model").is_none());
}
