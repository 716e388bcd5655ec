//! A model that needs no file: its header is made, and its weights are computed from their place in the file, so that it may
//! be larger than memory.

use inglenook_format::gguf::write::GgufWriter;
use inglenook_format::gguf::{Array, Strings, Value};
use inglenook_format::quant::WeightType;
use inglenook_format::source::{LocalFuture, Source, SourceError};

/// Size of a Qwen3-shaped model with tied embeddings, all of it F32.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Layers.
    pub layers: u32,
    /// Width of the residual stream; a multiple of 32.
    pub hidden: u32,
    /// Query heads.
    pub heads: u32,
    /// Key/value heads.
    pub kv_heads: u32,
    /// Width of a head; a multiple of 8.
    pub head_dim: u32,
    /// Width of the feed-forward layer; a multiple of 32.
    pub ffn: u32,
    /// Tokens, at least 300.
    pub vocab: u32,
}

/// The model as a file.
#[derive(Debug, Clone)]
pub struct Synthetic {
    header: Vec<u8>,
    len: u64,
}

impl Synthetic {
    /// The file of a model of this shape.
    pub fn new(shape: &Shape) -> Synthetic {
        let mut writer = GgufWriter::new();
        describe(&mut writer, shape);
        vocabulary(&mut writer, shape.vocab);
        let mut bytes = 0;
        for (name, dims) in tensors(shape) {
            writer.tensor(&name, &dims, WeightType::F32).expect("rows of whole numbers");
            bytes += dims.iter().product::<u64>() * 4;
            assert!(bytes.is_multiple_of(32), "no padding lies between the tensors");
        }
        let mut header = Vec::new();
        writer.start(&mut header).expect("memory takes every byte");
        let len = header.len() as u64 + bytes;
        Synthetic { header, len }
    }

    /// What comes before the weights.
    pub fn header(&self) -> &[u8] {
        &self.header
    }
}

impl Source for Synthetic {
    fn len(&self) -> Option<u64> {
        Some(self.len)
    }

    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> LocalFuture<'a, Result<(), SourceError>> {
        let wanted = buf.len();
        let have = self.len.saturating_sub(offset).min(wanted as u64) as usize;
        for (at, byte) in (offset..).zip(&mut buf[..have]) {
            *byte = match self.header.get(at as usize) {
                Some(byte) => *byte,
                None => weight(at / 4).to_le_bytes()[at as usize % 4],
            };
        }
        let result = if have == wanted { Ok(()) } else { Err(SourceError::UnexpectedEnd { offset, wanted, have }) };
        Box::pin(std::future::ready(result))
    }
}

/// Between -0.5 and 0.5, by the weight's place: what norms scale down, matrices of a few hundred columns scale up again.
fn weight(place: u64) -> f32 {
    let mixed = (place as u32).wrapping_mul(0x9e37_79b9);
    let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x85eb_ca6b);
    ((mixed >> 8) as f32) / (1 << 24) as f32 - 0.5
}

fn describe(writer: &mut GgufWriter, shape: &Shape) {
    writer
        .entry("general.architecture", "qwen3")
        .entry("general.name", "synthetic")
        .entry("qwen3.context_length", 4096u32)
        .entry("qwen3.embedding_length", shape.hidden)
        .entry("qwen3.block_count", shape.layers)
        .entry("qwen3.feed_forward_length", shape.ffn)
        .entry("qwen3.attention.head_count", shape.heads)
        .entry("qwen3.attention.head_count_kv", shape.kv_heads)
        .entry("qwen3.attention.key_length", shape.head_dim)
        .entry("qwen3.attention.value_length", shape.head_dim)
        .entry("qwen3.attention.layer_norm_rms_epsilon", 1e-6f32)
        .entry("qwen3.rope.freq_base", 1e6f32);
}

/// A byte-level vocabulary without merges: the 256 bytes, names without a meaning, and an end token.
fn vocabulary(writer: &mut GgufWriter, size: u32) {
    const NORMAL: i32 = 1;
    const CONTROL: i32 = 3;
    const UNUSED: i32 = 5;
    const BYTES: u32 = 256;
    let printable = |code: &u32| matches!(code, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let letters = (0x21..=0x143u32).filter(|code| printable(code) || *code >= 0x100).filter_map(char::from_u32);
    let names = letters.map(String::from).chain((0..).map(|index| format!("filler{index}")));
    let tokens: Strings = names.take(size as usize - 1).chain(["<end>".to_string()]).collect();
    let kinds = (1..size).map(|id| if id <= BYTES { NORMAL } else { UNUSED }).chain([CONTROL]).collect();
    writer
        .entry("tokenizer.ggml.model", "gpt2")
        .entry("tokenizer.ggml.pre", "gpt-2")
        .entry("tokenizer.ggml.tokens", tokens)
        .entry("tokenizer.ggml.token_type", Value::Array(Array::I32(kinds)))
        .entry("tokenizer.ggml.merges", Strings::default())
        .entry("tokenizer.ggml.eos_token_id", size - 1)
        .entry("tokenizer.ggml.add_bos_token", false);
}

/// Names and dimensions, the length of a row first.
fn tensors(shape: &Shape) -> Vec<(String, Vec<u64>)> {
    let [hidden, ffn, head_dim] = [shape.hidden, shape.ffn, shape.head_dim].map(u64::from);
    let q = u64::from(shape.heads) * head_dim;
    let kv = u64::from(shape.kv_heads) * head_dim;
    let layer: [(&str, &[u64]); 11] = [
        ("attn_norm", &[hidden]),
        ("attn_q", &[hidden, q]),
        ("attn_k", &[hidden, kv]),
        ("attn_v", &[hidden, kv]),
        ("attn_q_norm", &[head_dim]),
        ("attn_k_norm", &[head_dim]),
        ("attn_output", &[q, hidden]),
        ("ffn_norm", &[hidden]),
        ("ffn_gate", &[hidden, ffn]),
        ("ffn_up", &[hidden, ffn]),
        ("ffn_down", &[ffn, hidden]),
    ];
    let mut all = vec![("token_embd.weight".to_string(), vec![hidden, u64::from(shape.vocab)])];
    for index in 0..shape.layers {
        all.extend(layer.iter().map(|(part, dims)| (format!("blk.{index}.{part}.weight"), dims.to_vec())));
    }
    all.push(("output_norm.weight".to_string(), vec![hidden]));
    all
}
