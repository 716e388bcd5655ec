//! `inglenook devices`: what models could run on here.

use anyhow::Result;
use clap::Args;
use inglenook::gpu::{AdapterInfo, Gpu, GpuOptions};
use inglenook::placement::{DeviceChoice, Placement};
use serde_json::json;

use crate::show;

/// List the GPU adapters, their features and limits, and which device would answer
#[derive(Debug, Args)]
pub struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Lists them.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(options: &Options) -> Result<()> {
    let adapters = pollster::block_on(Gpu::list());
    let Placement { device, reason, measured } =
        pollster::block_on(Placement::choose(&DeviceChoice::Auto, &GpuOptions::default()))?;
    let used = device.facts();
    let on_cpu = used.backend == "cpu";
    if options.json {
        let shown =
            json!({ "adapters": adapters, "used": used, "cpu": on_cpu, "reason": reason, "measured": measured });
        println!("{}", serde_json::to_string_pretty(&shown)?);
        return Ok(());
    }
    for adapter in &adapters {
        println!("{}", describe(adapter, *adapter == used));
    }
    match on_cpu {
        false => println!("* answers, unless --device names another: {reason}"),
        true => println!("The CPU answers, unless --device names another: {reason}"),
    }
    Ok(())
}

fn describe(facts: &AdapterInfo, used: bool) -> String {
    let AdapterInfo { name, backend, driver, software, features, limits } = facts;
    let mark = if used { "*" } else { " " };
    let kind = if *software { ", software: computes on the CPU" } else { "" };
    let subgroups = features.subgroups.map(|(least, most)| match least == most {
        true => format!("subgroups of {least}"),
        false => format!("subgroups of {least} to {most}"),
    });
    let words = |has: bool, name: &str| has.then(|| name.to_string());
    let features: Vec<String> =
        [words(features.f16, "f16"), subgroups, words(features.dot4, "dot4"), words(features.timestamps, "timestamps")]
            .into_iter()
            .flatten()
            .collect();
    format!(
        "{mark} {name} ({backend}{kind})\n    driver    {driver}\n    features  {}\n    limits    buffer {}, binding {}, \
         {} storage buffers a kernel, workgroups of {} with {}",
        if features.is_empty() { "none".to_string() } else { features.join(", ") },
        show::bytes(limits.buffer),
        show::bytes(limits.binding),
        limits.storage_buffers,
        limits.workgroup_invocations,
        show::bytes(limits.workgroup_memory.into()),
    )
}
