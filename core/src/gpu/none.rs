//! The facade where there is no GPU: in the module that computes on the CPU.

use std::convert::Infallible;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{AdapterInfo, Copy, Counters, Dispatch, GpuError, GpuOptions, Shader};

/// A GPU: none.
#[derive(Debug, Clone)]
pub struct Gpu(Infallible);

/// A buffer of none.
#[derive(Debug, Clone)]
pub struct Buffer(Infallible);

/// A compiled kernel of none.
#[derive(Debug, Clone)]
pub struct Pipeline(Infallible);

/// A pass of none.
#[derive(Debug)]
pub struct Pass(Infallible);

/// A read of none.
#[derive(Debug)]
pub struct PendingRead(Infallible);

impl Buffer {
    /// Never called.
    pub fn bytes(&self) -> u64 {
        match self.0 {}
    }

    /// Never called.
    pub fn is_same(&self, _: &Buffer) -> bool {
        match self.0 {}
    }
}

impl Pass {
    /// Never called.
    pub fn len(&self) -> usize {
        match self.0 {}
    }

    /// Never called.
    pub fn is_empty(&self) -> bool {
        match self.0 {}
    }
}

impl Future for PendingRead {
    type Output = Result<Vec<u8>, GpuError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        match self.0 {}
    }
}

impl Gpu {
    /// Always an error.
    pub async fn request(_: &GpuOptions) -> Result<Gpu, GpuError> {
        Err(GpuError::NoWebGpu("this module has none".into()))
    }

    /// Never called, as all below.
    pub fn client(&self) -> Gpu {
        match self.0 {}
    }

    /// The same device.
    pub fn is_beside(&self, _: &Gpu) -> bool {
        match self.0 {}
    }

    /// Its facts.
    pub fn facts(&self) -> &AdapterInfo {
        match self.0 {}
    }

    /// Its counters.
    pub fn counters(&self) -> Counters {
        match self.0 {}
    }

    /// Its fault.
    pub fn fault(&self) -> Option<GpuError> {
        match self.0 {}
    }

    /// A buffer.
    pub fn buffer(&self, _: &str, _: u64) -> Result<Buffer, GpuError> {
        match self.0 {}
    }

    /// A write.
    pub fn write(&self, _: &Buffer, _: u64, _: &[u8]) {
        match self.0 {}
    }

    /// Pipelines.
    pub async fn pipelines(&self, _: &[Shader]) -> Result<Vec<Pipeline>, GpuError> {
        match self.0 {}
    }

    /// A pass.
    pub fn pass(&self, _: &[Dispatch]) -> Pass {
        match self.0 {}
    }

    /// A submission.
    pub fn submit(&self, _: &[&Pass]) {
        match self.0 {}
    }

    /// Copies.
    pub fn copy(&self, _: &[Copy<'_>]) {
        match self.0 {}
    }

    /// A submission and a read.
    pub fn submit_and_read(&self, _: &[&Pass], _: &Buffer, _: Range<u64>) -> PendingRead {
        match self.0 {}
    }

    /// A read.
    pub fn read(&self, _: &Buffer, _: Range<u64>) -> PendingRead {
        match self.0 {}
    }

    /// All work.
    pub async fn wait_idle(&self) -> Result<(), GpuError> {
        match self.0 {}
    }

    /// Its end.
    pub fn close(&self) {
        match self.0 {}
    }
}
