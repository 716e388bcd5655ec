//! `inglenook imatrix`: how much each column of a model's matrices matters, by what meets it on a text.

mod sums;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use inglenook::format::imatrix;
use inglenook::kernels::kv::KvType;
use inglenook::placement::DeviceChoice;

use self::sums::Sums;
use crate::arguments::DeviceArguments;
use crate::new_file::NewFile;
use crate::scoring::{Evaluator, ScoringArguments, Text, TextArguments, progress};

const EXAMPLES: &str = "\
Examples:
  inglenook imatrix --model qwen3-0.6b-bf16.gguf --file calibration.txt -o imatrix.gguf
  inglenook convert qwen3-0.6b-bf16.gguf small.gguf --type q3_k_m --imatrix imatrix.gguf";

/// Compute an importance matrix, for `convert --imatrix`
///
/// Runs the model over a text, on the CPU, and sums up the squares of what meets each column of its matrices: errors in columns that meet
/// much do most harm. The file is what llama-imatrix writes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// A GGUF file, or a folder as Hugging Face keeps models: the one to be converted, or a better one of the same model
    #[arg(short, long, value_name = "FILE")]
    model: PathBuf,
    /// The GGUF file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    /// Have the matrix of the output, too
    #[arg(long)]
    process_output: bool,
    #[command(flatten)]
    text: TextArguments,
    /// Threads that compute [default: as many as there are cores]
    #[arg(long, value_name = "COUNT")]
    threads: Option<usize>,
    /// Compute with activations as they are, instead of rounding them
    #[arg(long)]
    exact_activations: bool,
}

/// Writes the file, under another name until it is whole.
///
/// # Errors
/// [`Interrupted`](crate::interrupt::Interrupted); what is wrong with model, text, or where the matrix is to be written.
pub fn run(options: &Options) -> Result<()> {
    let mut file = NewFile::create(&options.output, options.force)?;
    let text = Text::read(options.text.file.as_deref())?;
    let arguments = ScoringArguments {
        text: options.text.clone(),
        device: DeviceArguments { device: DeviceChoice::Cpu, default_limits: false },
        kv_type: KvType::F16,
        threads: options.threads,
        exact_activations: options.exact_activations,
    };
    let evaluator = Evaluator::load(Some(&options.model), &arguments)?;
    let chunks = text.chunks(&evaluator.tokenizer, &options.text)?;
    let is_output = |name: &str| ["output.weight", "token_embd.weight"].contains(&name);
    let is_wanted = |name: &str| name.starts_with("blk.") || options.process_output && is_output(name);
    let mut sums = Sums::new(evaluator.model().placed(), is_wanted);
    let bar = progress(&chunks);
    for chunk in &chunks {
        for (piece, position) in chunk.chunks(evaluator.rows()).zip((0..).step_by(evaluator.rows())) {
            evaluator.observe(position, piece, &mut |input| sums.add(input))?;
            bar.inc(piece.len() as u64);
        }
    }
    bar.finish_and_clear();
    let (experts, unseen) = sums.unseen_experts();
    let matrices = sums.into_columns();
    let size = (chunks.len() as u32, options.text.context);
    let cannot_write = || format!("cannot write {}", options.output.display());
    imatrix::write(&mut file, &text.name, size, &matrices).with_context(cannot_write)?;
    file.flush().with_context(cannot_write)?;
    file.finish()?;
    eprintln!(
        "{}: importances of {} matrices, over {} chunks of {} tokens",
        options.output.display(),
        matrices.len(),
        size.0,
        size.1
    );
    if unseen > 0 {
        eprintln!("{unseen} of {experts} experts' matrices met no token; a longer text would tell more");
    }
    Ok(())
}
