//! Clients of one GPU: what one of them does wrong, runs out of or closes leaves the others as they are.

use super::facade::{crooked, filled, growing, ramp, scale_add, words};
use super::{KernelTest, Outcome, expect, told};
use crate::gpu::{Buffer, Gpu, GpuError, GpuOptions, Pass};

/// Elements that are read of what [`growing`] made.
const READ: usize = 4;

/// The cases, named `clients/…`.
pub fn cases() -> Vec<KernelTest> {
    vec![
        KernelTest::new("clients/a_fault_leaves_the_others", fault),
        KernelTest::new("clients/running_out_of_memory_leaves_the_others", out_of_memory),
        KernelTest::new("clients/closing_frees_its_own_and_leaves_the_others", close),
        KernelTest::new("clients/the_last_takes_the_device", last),
    ]
}

async fn fault(gpu: Gpu) -> Outcome {
    let other = gpu.client();
    let ours = growing(&gpu).await?;
    expect_step(&gpu, &ours, 1).await?;
    let kernel = scale_add(&other, 2).await?;
    let y = filled(&other, &ramp(64, 1))?;
    let read = other.submit_and_read(&[&crooked(&other, &kernel, &y)], &y, 0..4);
    expect_step(&gpu, &ours, 2).await?;
    expect("the read fails", &matches!(read.await, Err(GpuError::Fault(_))), &true)?;
    other.write(&y, y.bytes(), &[0; 4]);
    expect("waiting fails", &matches!(other.wait_idle().await, Err(GpuError::Fault(_))), &true)?;
    expect_step(&gpu, &ours, 3).await?;
    gpu.wait_idle().await.map_err(told)?;
    expect("our fault", &gpu.fault(), &None)?;
    Ok(String::new())
}

async fn out_of_memory(gpu: Gpu) -> Outcome {
    // Of the largest there are: more than any GPU has. A driver that allocates only what is used (lavapipe) holds them all.
    const BUFFERS: usize = 256;
    let other = gpu.client();
    let ours = growing(&gpu).await?;
    expect_step(&gpu, &ours, 1).await?;
    let bytes = gpu.facts().limits.buffer / 4 * 4;
    let mut hoard = Vec::new();
    let mut refused = None;
    for _ in 0..BUFFERS {
        match other.buffer("hoarded", bytes) {
            Ok(buffer) => hoard.push(buffer),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    let refused = refused.or(other.wait_idle().await.err());
    expect_step(&gpu, &ours, 2).await?;
    let told_of = match refused {
        Some(GpuError::OutOfMemory(_)) => format!("out of memory after {} buffers of {bytes} bytes", hoard.len()),
        None => format!("{} buffers of {bytes} bytes are not too much here", hoard.len()),
        Some(error) => return Err(format!("instead of running out of memory: {error}")),
    };
    other.close();
    expect("live bytes of the other", &other.counters().live_bytes, &0)?;
    expect_step(&gpu, &ours, 3).await?;
    gpu.wait_idle().await.map_err(told)?;
    let new = filled(&gpu, &[1, 2])?;
    expect("a new buffer", &words(&gpu.read(&new, 0..8).await.map_err(told)?), &vec![1, 2])?;
    Ok(told_of)
}

async fn close(gpu: Gpu) -> Outcome {
    let other = gpu.client();
    let (ours, theirs) = (growing(&gpu).await?, growing(&other).await?);
    expect_step(&gpu, &ours, 1).await?;
    expect_step(&other, &theirs, 1).await?;
    let live = gpu.counters().live_bytes;
    let under_way =
        [gpu.submit_and_read(&[&ours.0], &ours.1, 0..4 * READ as u64), other.read(&theirs.1, 0..4 * READ as u64)];
    other.close();
    expect("live bytes of the closed one", &other.counters().live_bytes, &0)?;
    expect("our live bytes", &gpu.counters().live_bytes, &live)?;
    let [mine, lost] = under_way;
    expect("our read", &words(&mine.await.map_err(told)?), &ramp(READ, 2))?;
    expect("its read", &matches!(lost.await, Err(GpuError::Lost(_))), &true)?;
    other.submit(&[&theirs.0]);
    other.write(&theirs.1, 0, &[0; 4]);
    expect_step(&gpu, &ours, 3).await?;
    drop((theirs, other));
    expect_step(&gpu, &ours, 4).await?;
    gpu.wait_idle().await.map_err(told)?;
    Ok(String::new())
}

async fn last(_: Gpu) -> Outcome {
    let first = Gpu::request(&GpuOptions::default()).await.map_err(told)?;
    let second = first.client();
    let theirs = growing(&second).await?;
    drop(first);
    expect_step(&second, &theirs, 1).await?;
    second.close();
    let third = second.client();
    expect("a client of a closed device", &matches!(third.buffer("late", 64), Err(GpuError::Lost(_))), &true)?;
    expect("waiting", &matches!(third.wait_idle().await, Err(GpuError::Lost(_))), &true)?;
    Ok(String::new())
}

/// Runs what [`growing`] made; its values after `step` runs.
async fn expect_step(gpu: &Gpu, (pass, y): &(Pass, Buffer), step: u32) -> Result<(), String> {
    let read = gpu.submit_and_read(&[pass], y, 0..4 * READ as u64).await.map_err(told)?;
    expect("the step's values", &words(&read), &ramp(READ, step))
}
