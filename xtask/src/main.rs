//! `cargo xtask`: every chore of the project, with all the set-up it needs.
//!
//! Each subcommand is one file of plain functions. Nothing here links the engine: what needs it is run as a program,
//! so that a chore starts within seconds on a fresh machine.

mod apps;
mod bench;
mod browser;
mod demo;
mod goldens;
mod gpu_check;
mod lockfile;
mod minilm;
mod packages;
mod real_files;
mod setup;
mod shapes;
mod shell;
mod size;
mod smollm2;
mod stamp;
mod synthetic;
mod test;
mod tokenizers;
mod wasm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build everything and serve the demo page
    Demo(demo::Options),
    /// Check everything: formatting, lints, types, tests, size, browsers
    Test(test::Options),
    /// Run the browser tests alone, or take a picture of a page
    Browser(browser::Options),
    /// Build small applications with several bundlers on the packed npm package, and ask each in Chromium
    Apps(apps::Options),
    /// Time models natively and in browsers, and add the figures to benches/
    Bench(bench::Options),
    /// Check every kernel on this machine's GPU and time models on it, as a CSV file
    GpuCheck(gpu_check::Options),
    /// Measure what a page downloads; fails above the limit
    Size,
    /// Make the reference results in tests/goldens again (needs Python)
    Goldens(goldens::Options),
    /// Compare SmolLM2-135M at 4,000 tokens of context with Hugging Face transformers (needs Python)
    Smollm2(smollm2::Options),
    /// Compare embeddings of all-MiniLM-L6-v2 with Hugging Face transformers (needs Python)
    Minilm(minilm::Options),
    /// Compare tokenizers of published models with Hugging Face's own library, on 10,000 strings each
    Tokenizers(tokenizers::Options),
    /// Compare real files, of SmolLM2-135M and Gemma 3 270M, with what Hugging Face transformers made of them
    RealFiles(real_files::Options),
    /// Compare full-size layers of published models with Hugging Face transformers, and the memory they take with that computed (needs Python)
    Shapes(shapes::Options),
    /// Make models of real shapes with random weights, for benchmarks and tests
    Synthetic(synthetic::Options),
    /// Install what the other chores need; quick when nothing is missing
    Setup,
    /// Build the WebAssembly modules into npm/wasm/, npm/wasm-cpu/, npm/wasm-convert/ and npm/wasm-grammar/
    Wasm(wasm::Options),
}

fn main() -> ExitCode {
    match run(Cli::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One sentence, and no backtrace even where RUST_BACKTRACE is set: it is the machine that lacks something.
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> anyhow::Result<()> {
    let workspace = workspace::Workspace::find()?;
    match chore {
        Chore::Demo(options) => demo::demo(&workspace, &options),
        Chore::Test(options) => test::test(&workspace, &options),
        Chore::Browser(options) => browser::browser(&workspace, &options),
        Chore::Apps(options) => apps::apps(&workspace, &options),
        Chore::Bench(options) => bench::bench(&workspace, &options),
        Chore::GpuCheck(options) => gpu_check::gpu_check(&workspace, &options),
        Chore::Size => size::size(&workspace),
        Chore::Goldens(options) => goldens::goldens(&workspace, &options),
        Chore::Smollm2(options) => smollm2::smollm2(&workspace, &options),
        Chore::Minilm(options) => minilm::minilm(&workspace, &options),
        Chore::Tokenizers(options) => tokenizers::tokenizers(&workspace, &options),
        Chore::RealFiles(options) => real_files::real_files(&workspace, &options),
        Chore::Shapes(options) => shapes::shapes(&workspace, &options),
        Chore::Synthetic(options) => synthetic::synthetic(&workspace, &options),
        Chore::Setup => setup::everything(&workspace),
        Chore::Wasm(options) => {
            setup::for_wasm(&workspace)?;
            wasm::build(&workspace, &options)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn options_of_chores_do_not_clash() {
        Cli::command().debug_assert();
    }
}
