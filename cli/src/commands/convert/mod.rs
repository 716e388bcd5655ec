//! `inglenook convert`: a model's weights in other types.

mod merge;
mod pieces;
#[cfg(test)]
mod tests;
mod weights;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use inglenook::format::gguf::Gguf;
use inglenook::format::imatrix::Imatrix;
use inglenook::format::quant::TensorType;
use inglenook::format::quant::mix::Mix;
use inglenook::source::ReadAt;

use self::weights::Conversion;
use crate::arguments::{LoraArgument, mix_parser};
use crate::interrupt::{self, Interrupted};
use crate::new_file::NewFile;
use crate::{adapter, load, show};

const EXAMPLES: &str = "\
Examples:
  inglenook convert qwen3-0.6b-bf16.gguf qwen3-0.6b-q4_k_m.gguf --type q4_k_m
  inglenook convert model.gguf small.gguf --type iq4_xs --imatrix imatrix.gguf
  inglenook convert model.gguf model-q8_0.gguf --type q8_0 --force
  inglenook convert model-bf16.gguf merged.gguf --lora adapter --lora style.gguf=0.5

Types, from those that keep most to those that are smallest: f32, bf16 and f16 round or keep the weights; q8_0 is hardly to be told from
them; q6_k and q5_k_m lose little; q4_k_m is the usual choice; q3_k_m and q2_k are for what does not fit otherwise.";

/// Write a model with its weights in another type
///
/// Each block's scales are searched for, so that its weights come out as near as the type can write them. Matrices through which errors do
/// most harm get better types than the rest, as the names of mixes such as q4_k_m promise. Vectors stay floats.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The model: a GGUF file or a folder from Hugging Face, best of f32, bf16 or f16
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The GGUF file to write
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// What its matrices become; with --lora it may be left out, and weights stay in their types
    #[arg(short, long = "type", value_name = "TYPE", ignore_case = true, value_parser = mix_parser(), required_unless_present = "lora")]
    mix: Option<&'static Mix>,
    /// Merge a LoRA adapter into the weights: a GGUF file, or a folder as PEFT saves it. Can be given several times
    ///
    /// What it changes is multiplied by SCALE, 1 if there is none. The weights are added to as floats, then written in their type.
    #[arg(long, value_name = "PATH[=SCALE]")]
    lora: Vec<LoraArgument>,
    /// How much errors in each column count: an importance matrix, as llama-imatrix writes it
    #[arg(long, value_name = "FILE")]
    imatrix: Option<PathBuf>,
    /// Threads that compute [default: as many as there are cores]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Replace OUT if it is there
    #[arg(long)]
    force: bool,
}

/// Writes the file, under another name until it is whole.
///
/// # Errors
/// [`Interrupted`]; what is wrong with the model, the importance matrix, or where it is to be written.
pub fn run(options: &Options) -> Result<()> {
    let (input, output) = (&options.input, &options.output);
    let file = NewFile::create(output, options.force)?;
    let source = load::source(Some(input))?;
    let cannot_read = || format!("cannot read {}", input.display());
    let gguf = pollster::block_on(Gguf::read(source.as_ref())).with_context(cannot_read)?;
    gguf.check_whole().with_context(cannot_read)?;
    let imatrix = options.imatrix.as_deref().map(read_imatrix).transpose()?;
    let adapters = options.lora.iter().map(|lora| Ok((adapter::read(&lora.path, &gguf)?, lora.scale)));
    let adapters = adapters.collect::<Result<Vec<_>>>()?;
    let conversion = Conversion::new(&gguf, options.mix, imatrix.as_ref(), &adapters)?;
    warn(&conversion, imatrix.as_ref());
    let threads = rayon::ThreadPoolBuilder::new().num_threads(options.threads.unwrap_or(0).into()).build()?;
    let bar = ProgressBar::new(conversion.bytes()).with_style(style());
    let mut progress = |bytes| {
        bar.inc(bytes);
        if interrupt::pressed() { Err(Interrupted.into()) } else { Ok(()) }
    };
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let written = conversion.write(source.as_ref(), &mut out, &threads, &mut progress);
    bar.finish_and_clear();
    written.with_context(|| format!("cannot convert {}", input.display()))?;
    out.flush().with_context(|| format!("cannot write {}", output.display()))?;
    let bytes = out.into_inner().map_err(|error| error.into_error())?.finish()?;
    let weights = gguf.tensors().iter().map(|tensor| tensor.weights()).sum::<u64>();
    let bits = 8.0 * bytes as f64 / weights.max(1) as f64;
    let types = options.mix.map_or("types as they were", |mix| mix.name);
    eprintln!("{}: {types}, {}, {bits:.2} bits a weight", output.display(), show::bytes(bytes));
    Ok(())
}

fn read_imatrix(path: &Path) -> Result<(String, Imatrix)> {
    let cannot_read = || format!("cannot read {}", path.display());
    let source = ReadAt::new(File::open(path).with_context(cannot_read)?).with_context(cannot_read)?;
    let imatrix = pollster::block_on(Imatrix::read(&source)).with_context(cannot_read)?;
    Ok((path.display().to_string(), imatrix))
}

/// Says what the user may not have meant.
fn warn(conversion: &Conversion<'_>, imatrix: Option<&(String, Imatrix)>) {
    let changed = conversion.tensors().iter().filter(|tensor| tensor.is_computed());
    let coarse = |ty: TensorType| ty.block().is_some_and(|(len, bytes)| bytes < len);
    let again: Vec<_> = changed.filter(|tensor| coarse(tensor.info.ty)).collect();
    if let Some(first) = again.first() {
        eprintln!(
            "{} matrices are quantised already, such as {} in {}; what they lost does not come back, so better convert the original",
            again.len(),
            show::harmless(&first.info.name),
            first.info.ty.name(),
        );
    }
    if let Some(problem) = conversion.tokenizer_problem() {
        eprintln!(
            "the file keeps the model's tokenizer.json, which inglenook reads; llama.cpp will not open it: {}",
            show::harmless(&problem.to_string())
        );
    }
    let quantised = |ty: TensorType| matches!(ty, TensorType::Weights(ty) if ty.block_len() > 1);
    let all = conversion.tensors().iter().filter(|tensor| quantised(tensor.ty));
    let (with, without): (Vec<_>, Vec<_>) = all.partition(|tensor| tensor.importance.is_some());
    if let (Some((name, _)), Some(first)) = (imatrix, without.first()) {
        eprintln!(
            "{name} has importances for {} of {} matrices, and none for such as {}",
            with.len(),
            with.len() + without.len(),
            show::harmless(&first.info.name),
        );
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("converting {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} left")
        .expect("the template is well-formed")
}
