//! `inglenook`: language models on the user's own GPU, from the command line.
//!
//! A subcommand is one file of plain functions under `commands`; what several of them need lies beside this file. Answers
//! go to standard output and everything else to standard error, so that output can be piped. This crate must never hold
//! what the engine, the wasm face or the npm package need, too: that belongs into `core`.

mod adapter;
mod answer;
mod arguments;
mod commands;
mod completion;
mod folder;
mod interrupt;
mod load;
mod new_file;
mod parts;
mod printer;
mod remote;
mod scoring;
mod show;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::interrupt::Interrupted;

/// Language models on your own GPU.
///
/// With no model named, the tiny built-in model `ember` answers. Models are GGUF files, or folders as Hugging Face keeps them. Nothing leaves this machine.
#[derive(Parser)]
#[command(name = "inglenook", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Chat(commands::chat::Options),
    Run(commands::run::Options),
    Embed(commands::embed::Options),
    Rerank(commands::rerank::Options),
    Tokenize(commands::tokenize::Options),
    Render(commands::render::Options),
    Inspect(commands::inspect::Options),
    Models(commands::models::Options),
    Convert(commands::convert::Options),
    Devices(commands::devices::Options),
    Bench(commands::bench::Options),
    Evaluate(commands::evaluate::Options),
    Perplexity(commands::perplexity::Options),
    Compare(commands::compare::Options),
    Imatrix(commands::imatrix::Options),
    GpuCheck(commands::gpu_check::Options),
    Synth(commands::synth::Options),
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let done = interrupt::listen().and_then(|()| match command {
        Command::Chat(options) => commands::chat::run(&options),
        Command::Run(options) => commands::run::run(&options),
        Command::Embed(options) => commands::embed::run(&options),
        Command::Rerank(options) => commands::rerank::run(&options),
        Command::Tokenize(options) => commands::tokenize::run(&options),
        Command::Render(options) => commands::render::run(&options),
        Command::Inspect(options) => commands::inspect::run(&options),
        Command::Models(options) => commands::models::run(&options),
        Command::Convert(options) => commands::convert::run(&options),
        Command::Devices(options) => commands::devices::run(&options),
        Command::Bench(options) => commands::bench::run(&options),
        Command::Evaluate(options) => commands::evaluate::run(&options),
        Command::Perplexity(options) => commands::perplexity::run(&options),
        Command::Compare(options) => commands::compare::run(&options),
        Command::Imatrix(options) => commands::imatrix::run(&options),
        Command::GpuCheck(options) => commands::gpu_check::run(&options),
        Command::Synth(options) => commands::synth::run(&options),
    });
    exit_code(done)
}

/// 0 for success, 1 for a failure, 130 where ctrl-C ended it. Wrong usage is 2, and clap's.
fn exit_code(done: anyhow::Result<()>) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    if error.is::<Interrupted>() {
        return ExitCode::from(130);
    }
    // Whoever reads our output has enough of it, as `head` does.
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    eprintln!("inglenook: {error:#}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
