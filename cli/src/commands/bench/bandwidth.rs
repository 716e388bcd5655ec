//! The yardstick: how fast the device copies memory.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use inglenook::device::Device;
use inglenook::gpu::{Access, Binding, Buffer, Copy, Dispatch, Gpu, RequiredFeatures, Shader};
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
/// A device so slow that runs take longer is not asked for more of them.
const PATIENCE: Duration = Duration::from_secs(4);

/// Bytes read and written in a second.
///
/// # Errors
/// What the device says.
pub fn copy(device: &Device) -> Result<f64> {
    match device {
        Device::Gpu(gpu) => on_gpu(gpu),
        Device::Cpu | Device::CpuModule(_) => Ok(on_cpu()),
    }
}

fn on_gpu(gpu: &Gpu) -> Result<f64> {
    let wanted = if gpu.facts().software { SOFTWARE_BYTES } else { BYTES };
    Ok(over(gpu, wanted.min(gpu.facts().limits.binding))?.by_kernel)
}

/// How fast a GPU copies, by each of its two ways: bytes read and written in a second.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// By a kernel.
    pub by_kernel: f64,
    /// By the queue's own copies.
    pub by_queue: f64,
}

/// Copies at least `wanted` bytes at a time, in as many buffers as limits make of them.
///
/// # Errors
/// What the device says.
pub fn over(gpu: &Gpu, wanted: u64) -> Result<Rates> {
    let facts = gpu.facts();
    let most = BYTES.min(facts.limits.binding).min(facts.limits.buffer);
    let bytes = wanted.min(most) / GROUP_BYTES * GROUP_BYTES;
    let pairs = (0..wanted.div_ceil(bytes))
        .map(|_| Ok([gpu.buffer("copied from", bytes)?, gpu.buffer("copied to", bytes)?]))
        .collect::<Result<Vec<[Buffer; 2]>>>()?;
    let numbers = numbers(bytes);
    pairs.iter().for_each(|[from, _]| gpu.write(from, 0, bytemuck::cast_slice(&numbers)));
    let constants = [("VECTORS", (bytes / 16) as f64)];
    let bindings = vec![Access::Read, Access::Write];
    let text = include_str!("bandwidth.wgsl").to_string();
    let shader = Shader::new("bandwidth", text, &constants, bindings, RequiredFeatures::default());
    let kernel = pollster::block_on(gpu.pipelines(&[shader]))?.pop().context("one kernel was asked for")?;
    let dispatch = |pair: &[Buffer; 2]| Dispatch {
        kernel: kernel.clone(),
        bindings: pair.iter().map(|buffer| Binding { buffer: buffer.clone(), offset: 0, bytes }).collect(),
        workgroups: grid_2d((bytes / GROUP_BYTES) as u32, facts),
    };
    let pass = gpu.pass(&pairs.iter().map(dispatch).collect::<Vec<_>>());
    let copies: Vec<_> =
        pairs.iter().map(|[from, to]| Copy { from, from_offset: 0, to, to_offset: 0, bytes }).collect();
    let copied = bytes * pairs.len() as u64 * COPIES as u64;
    Ok(Rates {
        by_kernel: timed(gpu, copied, || gpu.submit(&[&pass; COPIES]))?,
        by_queue: timed(gpu, copied, || (0..COPIES).for_each(|_| gpu.copy(&copies)))?,
    })
}

/// The median rate of several runs of `submit`, which copies so many bytes. The first run warms up.
fn timed(gpu: &Gpu, copied: u64, submit: impl Fn()) -> Result<f64> {
    let begun = Instant::now();
    let mut rates = Vec::new();
    while rates.len() < 2 || (rates.len() <= RUNS && begun.elapsed() < PATIENCE) {
        let started = Instant::now();
        submit();
        pollster::block_on(gpu.wait_idle())?;
        rates.push(rate(copied, started));
    }
    Ok(median(&mut rates[1..]))
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
