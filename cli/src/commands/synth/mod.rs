//! `inglenook synth`: synthetic models of chosen shapes, for benchmarks and tests. Their answers mean nothing.

mod repeated;
mod shape;
mod tensors;
mod vocabulary;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use inglenook::format::gguf::write::GgufWriter;

pub use self::repeated::Repeated;
pub use self::shape::Name;
use self::shape::{FileType, Shape};

/// Write a synthetic model: random weights in a real model's shape, the same for the same seed
#[derive(Debug, Args)]
#[command(hide = true)]
pub struct Options {
    /// Which one
    name: Name,
    /// The GGUF file to write
    out: PathBuf,
    /// Seed of the weights
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Types of the matrices, in the place of the shape's own
    #[arg(long, value_name = "TYPE")]
    weights: Option<FileType>,
}

/// Writes the file, under another name until it is whole.
///
/// # Errors
/// When it cannot be written.
pub fn run(options: &Options) -> Result<()> {
    let out = &options.out;
    let partial = out.with_extension("partial");
    let mut shape = options.name.shape();
    shape.weights = options.weights.map_or(shape.weights, FileType::weights);
    let written = File::create(&partial).and_then(|file| write_shape(options.name, &shape, options.seed, file));
    written.and_then(|_| std::fs::rename(&partial, out)).with_context(|| format!("cannot write {}", out.display()))
}

/// Writes the model `name` to `out`, which is handed back.
///
/// # Errors
/// What `out` says.
pub fn write(name: Name, seed: u64, out: File) -> io::Result<File> {
    write_shape(name, &name.shape(), seed, out)
}

fn write_shape(name: Name, shape: &Shape, seed: u64, out: File) -> io::Result<File> {
    let mut writer = GgufWriter::new();
    describe(&mut writer, name, shape);
    vocabulary::describe(&mut writer, shape.vocab);
    let tensors = tensors::all(shape);
    for tensor in &tensors {
        writer.tensor(&tensor.name, &tensor.dims, tensor.ty)?;
    }
    let mut data = writer.start(BufWriter::with_capacity(1 << 20, out))?;
    for (index, tensor) in tensors.iter().enumerate() {
        tensor.pieces(seed << 32 | index as u64).try_for_each(|piece| data.write(&piece))?;
    }
    let mut out = data.finish()?;
    out.flush()?;
    out.into_inner().map_err(|error| error.into_error())
}

fn describe(writer: &mut GgufWriter, name: Name, shape: &Shape) {
    writer.entry("general.architecture", "qwen3").entry("general.name", format!("synthetic {name}").as_str());
    let sizes = [
        ("block_count", shape.layers),
        ("context_length", shape.context),
        ("embedding_length", shape.hidden),
        ("feed_forward_length", shape.ffn),
        ("attention.head_count", shape.heads),
        ("attention.head_count_kv", shape.kv_heads),
        ("attention.key_length", shape.head_dim),
        ("attention.value_length", shape.head_dim),
    ];
    for (key, value) in sizes {
        writer.entry(&format!("qwen3.{key}"), value);
    }
    writer.entry("qwen3.attention.layer_norm_rms_epsilon", 1e-6f32).entry("qwen3.rope.freq_base", 1e6f32);
}
