//! How fast a device decodes: what `auto` compares.

use crate::clock::Instant;
use crate::device::Device;
use crate::gpu::GpuError;
use crate::kernels::batch::{self, Row};
use crate::kernels::gemv::Gemv;
use crate::kernels::matmul::{Epilogue, Matmul};
use crate::kernels::weights::WeightShard;
use crate::plan::{KernelCache, Plan, PlanError, Recorder, submit};
use inglenook_format::quant::WeightType;

/// The matrices together are larger than the caches of machines whose GPU may lose; each is small enough to time variants on.
const MATRICES: u32 = 3;
const ROWS: u32 = 4096;
const COLS: u32 = 2048;

/// A run this long tells enough, seconds.
const LONG: f64 = 0.01;
/// Replays in a run at most.
const MOST: usize = 256;

/// Weights of Q4_0 that `device` multiplies with one row of x in a second, in about a tenth of a second.
///
/// # Errors
/// Where the device fails, or computes wrongly.
pub(super) async fn decode_rate(device: &Device) -> Result<f64, PlanError> {
    let plan = matmuls(device).await?;
    let run = async |replays: usize| -> Result<f64, GpuError> {
        let started = Instant::now();
        submit(device, &vec![&plan; replays]);
        device.wait_idle().await?;
        Ok(started.elapsed().as_secs_f64())
    };
    // In the first run drivers still compile, and memory is first touched.
    run(1).await?;
    let alone = run(1).await?;
    let mut replays = 4;
    let mut together = run(replays).await?;
    while replays < MOST && (together < LONG || together < 2.0 * alone) {
        replays *= 4;
        together = run(replays).await?;
    }
    // The difference leaves out what a submission costs by itself, but a clock may be coarse.
    let seconds = (together - alone).max(together / 4.0).max(1e-4);
    Ok(f64::from(MATRICES * ROWS * COLS) * (replays - 1) as f64 / seconds)
}

async fn matmuls(device: &Device) -> Result<Plan, PlanError> {
    // Which numbers are multiplied takes no other time. As f16 this word is 1 twice, as f32 0.008.
    let filled = |words: u32| device.upload("rate", &vec![0x3c00_3c00; words as usize]);
    let batch = device.upload("rate", &batch::words(&[Row::new(0, 0, 0)]))?;
    let x = filled(COLS)?;
    let mut recorder = Recorder::new();
    for _ in 0..MATRICES {
        let weights = WeightShard {
            ty: WeightType::Q4_0,
            rows: ROWS,
            cols: COLS,
            quants: filled(ROWS * COLS / 8)?.all(),
            high_bits: None,
            scales: Some(filled(ROWS * COLS / 64)?.all()),
            grid: None,
        };
        let out = recorder.tensor(1, ROWS);
        recorder.push(Gemv(Matmul {
            batch: batch.all().into(),
            x: x.all().into(),
            weights,
            bias: None,
            out: out.into(),
            rows: 1,
            out_stride: ROWS,
            out_offset: 0,
            epilogue: Epilogue::Store,
        }));
    }
    Plan::build(&mut KernelCache::new(device.clone()), recorder).await
}
