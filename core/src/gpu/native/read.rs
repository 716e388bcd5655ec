//! Reading buffers back.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use super::Gpu;
use crate::gpu::GpuError;

/// Larger readback buffers are given back at once; smaller ones wait for the next read of their size. A page of keys and values of a
/// large model is among these: while answers are under way, one is read for each page that goes to host memory.
const POOLED_BYTES: u64 = 8 << 20;

/// Sizes of small staging buffers are powers of two from 4 to 64 KiB, so that reads of different numbers of rows and steps share them, and
/// none has to be made once as many are under way as ever will be.
pub(super) fn staging_bytes(bytes: u64) -> u64 {
    if bytes > 64 << 10 { bytes } else { bytes.next_power_of_two().max(4 << 10) }
}

/// Bytes on their way back from the GPU. Awaiting it natively blocks the calling thread until they are there. Dropping
/// it leaves its staging buffer to the next read.
#[derive(Debug)]
pub struct PendingRead {
    gpu: Gpu,
    staging: wgpu::Buffer,
    bytes: u64,
    index: wgpu::SubmissionIndex,
    result: Arc<OnceLock<Result<(), wgpu::BufferAsyncError>>>,
}

impl PendingRead {
    /// Of the first `bytes` of `staging`, which the submission `index` copies there.
    pub(super) fn new(gpu: &Gpu, staging: wgpu::Buffer, bytes: u64, index: wgpu::SubmissionIndex) -> PendingRead {
        let result = Arc::new(OnceLock::new());
        let sink = result.clone();
        staging.map_async(wgpu::MapMode::Read, .., move |outcome| {
            let _ = sink.set(outcome);
        });
        PendingRead { gpu: gpu.clone(), staging, bytes, index, result }
    }

    fn collect(&self) -> Result<Vec<u8>, GpuError> {
        if !matches!(self.result.get(), Some(Ok(()))) {
            return Err(GpuError::Lost("a buffer could not be mapped".into()));
        }
        let view = self.staging.get_mapped_range(..self.bytes).map_err(|error| GpuError::Fault(error.to_string()))?;
        let bytes = view.to_vec();
        drop(view);
        Ok(bytes)
    }
}

impl Future for PendingRead {
    type Output = Result<Vec<u8>, GpuError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let wait = wgpu::PollType::Wait { submission_index: Some(self.index.clone()), timeout: None };
        let waited = self.gpu.device().poll(wait);
        Poll::Ready(match (self.gpu.fault(), waited) {
            (Some(fault), _) => Err(fault),
            (None, Err(error)) => Err(GpuError::Lost(error.to_string())),
            (None, Ok(_)) => self.collect(),
        })
    }
}

/// Leaves the staging buffer to the next read, taken or not: unmapping also ends a mapping still under way, and the copy
/// before it is harmless, since the queue keeps its order.
impl Drop for PendingRead {
    fn drop(&mut self) {
        if self.gpu.fault().is_some() || self.staging.size() > POOLED_BYTES {
            return;
        }
        self.staging.unmap();
        let mut pool = self.gpu.0.staging.lock().expect("staging pool");
        pool.entry(self.staging.size()).or_default().push(self.staging.clone());
    }
}
