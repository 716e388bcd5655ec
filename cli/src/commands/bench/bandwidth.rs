//! The yardstick: how fast the device copies memory.

use std::time::Instant;

use anyhow::{Context, Result};
use inglenook::device::Device;
use inglenook::gpu::{Access, Binding, Dispatch, Gpu, RequiredFeatures, Shader};
use inglenook::kernels::grid_2d;

use super::measure::median;

/// More than any cache holds; a software adapter's caches are the CPU's, and its patience is shorter.
const BYTES: u64 = 256 << 20;
const SOFTWARE_BYTES: u64 = 64 << 20;
/// Bytes that a workgroup of `bandwidth.wgsl` copies.
const GROUP_BYTES: u64 = 8192;
/// Copies in a submission, so that its own cost does not count.
const COPIES: usize = 4;
const RUNS: usize = 5;

/// Bytes read and written in a second.
///
/// # Errors
/// What the device says.
pub fn copy(device: &Device) -> Result<f64> {
    match device {
        Device::Gpu(gpu) => on_gpu(gpu),
        Device::Cpu => Ok(on_cpu()),
    }
}

fn on_gpu(gpu: &Gpu) -> Result<f64> {
    let facts = gpu.facts();
    let wanted = if facts.software { SOFTWARE_BYTES } else { BYTES };
    let bytes = wanted.min(facts.limits.binding).min(facts.limits.buffer) / GROUP_BYTES * GROUP_BYTES;
    let from = gpu.buffer("copied from", bytes)?;
    let to = gpu.buffer("copied to", bytes)?;
    gpu.write(&from, 0, bytemuck::cast_slice(&numbers(bytes)));
    pollster::block_on(async {
        let constants = [("VECTORS", (bytes / 16) as f64)];
        let bindings = vec![Access::Read, Access::Write];
        let text = include_str!("bandwidth.wgsl").to_string();
        let shader = Shader::new("bandwidth", text, &constants, bindings, RequiredFeatures::default());
        let kernel = gpu.pipelines(&[shader]).await?.pop().context("one kernel was asked for")?;
        let whole = |buffer: &inglenook::gpu::Buffer| Binding { buffer: buffer.clone(), offset: 0, bytes };
        let workgroups = grid_2d((bytes / GROUP_BYTES) as u32, facts);
        let pass = gpu.pass(&[Dispatch { kernel, bindings: vec![whole(&from), whole(&to)], workgroups }]);
        let mut rates = Vec::new();
        // The first run warms up.
        for _ in 0..=RUNS {
            let started = Instant::now();
            gpu.submit(&[&pass; COPIES]);
            gpu.wait_idle().await?;
            rates.push(rate(bytes * COPIES as u64, started));
        }
        Ok(median(&mut rates[1..]))
    })
}

fn on_cpu() -> f64 {
    let from = numbers(SOFTWARE_BYTES);
    let mut to = vec![0; from.len()];
    let mut copy = || {
        let started = Instant::now();
        to.copy_from_slice(std::hint::black_box(&from));
        std::hint::black_box(&mut to);
        rate(SOFTWARE_BYTES, started)
    };
    copy();
    median(&mut [(); RUNS].map(|()| copy()))
}

/// Memory of zeros alone may be kept compressed.
fn numbers(bytes: u64) -> Vec<u32> {
    (0..(bytes / 4) as u32).map(|index| index.wrapping_mul(0x9e37_79b9)).collect()
}

fn rate(copied: u64, started: Instant) -> f64 {
    2.0 * copied as f64 / started.elapsed().as_secs_f64()
}
