//! `inglenook gpu-check`: whether a machine's GPU computes rightly, and how fast, in one go: a table for whoever has no such machine.

mod answers;
mod kernels;
mod memory;
mod report;
mod speed;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use inglenook::device::Device;
use inglenook::gpu::{Gpu, GpuOptions};
use inglenook::placement::{DeviceChoice, Placement};

use self::report::{Report, Row};
use super::bench::bandwidth;

/// What a copy moves at least; a software adapter's is the same, since its figure is compared with others'.
const COPIED_BYTES: u64 = 512 << 20;

/// Check every kernel of this machine's GPU and time models on it, as a table
#[derive(Debug, Args)]
#[command(hide = true)]
pub struct Options {
    /// The CSV file to write
    #[arg(long, value_name = "FILE", default_value = "gpu-check.csv")]
    out: PathBuf,
    /// The first case of each kernel, ember, and the smallest model alone
    #[arg(long)]
    quick: bool,
    /// Seconds after which nothing new is begun; models are left out by what they would take
    #[arg(long, value_name = "SECONDS", default_value_t = 540)]
    budget: u64,
    /// SmolLM2-135M-Instruct, a GGUF file; without it that check is left out
    #[arg(long, value_name = "FILE")]
    smollm2: Option<PathBuf>,
    /// The GPU: `gpu` (the best one), or a part of an adapter's name
    #[arg(short, long, value_name = "DEVICE", default_value = "gpu")]
    device: DeviceChoice,
    /// Use a software adapter like a real GPU
    #[arg(long)]
    as_hardware: bool,
    /// What is noted of where the program is from
    #[arg(long, value_name = "TEXT", default_value = "")]
    commit: String,
}

/// Checks, times, and writes the table row by row, so that what there is stays when it is cut off.
///
/// # Errors
/// When no GPU opens, when the table cannot be written, and when anything is wrong.
pub fn run(options: &Options) -> Result<()> {
    let opening = GpuOptions { as_hardware: options.as_hardware, ..GpuOptions::default() };
    let Device::Gpu(gpu) = pollster::block_on(Placement::choose(&options.device, &opening))?.device else {
        bail!("a GPU is to be checked, not the CPU");
    };
    let mut report = Report::create(&options.out, Duration::from_secs(options.budget))?;
    about(&mut report, options, &gpu)?;
    copy(&mut report, &gpu)?;
    answers::check(&mut report, &gpu, "ember", None)?;
    let smollm2 = options.smollm2.as_deref();
    match smollm2.filter(|_| !options.quick) {
        Some(path) => answers::check(&mut report, &gpu, "smollm2", Some(path))?,
        None => report.skip("answers", "smollm2", "no file was named, or a quick check asked for")?,
    }
    kernels::check(&mut report, &gpu, options.quick)?;
    let is_software = options.as_hardware || gpu.facts().software;
    speed::measure(&mut report, &gpu, is_software, options.quick)?;
    report.finish(&options.out)
}

fn about(report: &mut Report, options: &Options, gpu: &Gpu) -> Result<()> {
    let facts = gpu.facts();
    let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    report.stage(&format!("{} ({})", facts.name, facts.backend));
    let notes = [
        ("adapter", facts.name.clone()),
        ("backend", facts.backend.clone()),
        ("driver", facts.driver.clone()),
        ("software", facts.software.to_string()),
        ("features", serde_json::to_string(&facts.features)?),
        ("limits", serde_json::to_string(&facts.limits)?),
        ("commit", options.commit.clone()),
        ("command", format!("inglenook {command}")),
    ];
    for (case, detail) in notes {
        report.add(Row { stage: "about", case: case.into(), detail, ..Row::default() })?;
    }
    Ok(())
}

fn copy(report: &mut Report, gpu: &Gpu) -> Result<()> {
    report.stage("copy bandwidth");
    if report.left() == 0.0 {
        return report.skip("copy", "", "the budget is spent");
    }
    // Of its own, so that its memory is free afterwards.
    let client = gpu.client();
    let rates = match bandwidth::over(&client, COPIED_BYTES) {
        Ok(rates) => rates,
        Err(error) => return report.skip("copy", "", &format!("{error:#}")),
    };
    for (case, rate) in [("kernel", rates.by_kernel), ("queue", rates.by_queue)] {
        let detail = format!("{} MiB at a time, read and written", COPIED_BYTES >> 20);
        let (value, unit) = (Some(rate / 1e9), "GB/s");
        report.add(Row { stage: "copy", case: case.into(), value, unit, detail, ..Row::default() })?;
    }
    client.close();
    Ok(())
}
