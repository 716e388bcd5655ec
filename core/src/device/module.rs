//! A module that computes on the CPU apart from the engine's own: on the web a WebAssembly module that is optimised for speed, which a
//! page loads only where the CPU runs the model. Memory and plans live there, and have numbers here.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use crate::gpu::GpuError;

/// What comes of a read.
pub type Reading = Pin<Box<dyn Future<Output = Result<Vec<u8>, GpuError>>>>;

/// A range of a module's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleRange {
    /// The buffer's number.
    pub buffer: u32,
    /// First byte.
    pub offset: u64,
    /// Length.
    pub bytes: u64,
}

/// The module. What is asked of it is done in the order of asking; a fault is told by the next read, and by all after it.
pub trait CpuModule: fmt::Debug {
    /// What it computes with, for people.
    fn instructions(&self) -> String;

    /// Zero-filled memory; `None` where there is not so much.
    fn buffer(&self, bytes: u64) -> Option<u32>;

    /// Gives the memory of a buffer back.
    fn release_buffer(&self, buffer: u32);

    /// Writes bytes into a buffer.
    fn write(&self, buffer: u32, offset: u64, data: &[u8]);

    /// Copies the first of each pair to the second.
    fn copy(&self, copies: &[(ModuleRange, ModuleRange)]);

    /// A plan of steps, and the choices that were made for it: both texts are `plan::module`'s.
    ///
    /// # Errors
    /// Where the module has failed, or cannot read the steps.
    fn plan(&self, steps: &str) -> Result<(u32, String), GpuError>;

    /// Forgets a plan.
    fn release_plan(&self, plan: u32);

    /// Runs plans in order.
    fn run(&self, plans: &[u32]);

    /// Runs plans in order, then reads.
    fn run_and_read(&self, plans: &[u32], range: ModuleRange) -> Reading;

    /// Resolved once all is done that was asked before.
    fn wait_idle(&self) -> Pin<Box<dyn Future<Output = Result<(), GpuError>>>>;
}

/// Memory in a module; the last clone gives it back.
#[derive(Debug, Clone)]
pub struct ModuleBuffer(Rc<Owned>);

#[derive(Debug)]
struct Owned {
    module: Rc<dyn CpuModule>,
    number: u32,
    bytes: u64,
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.module.release_buffer(self.number);
    }
}

impl ModuleBuffer {
    /// Zero-filled memory of `bytes`, rounded up to a multiple of 4, in `module`.
    pub(super) fn new(module: &Rc<dyn CpuModule>, bytes: u64) -> Result<ModuleBuffer, GpuError> {
        let whole = bytes.max(4).checked_next_multiple_of(4);
        let made = whole.and_then(|bytes| Some((module.buffer(bytes)?, bytes)));
        let (number, bytes) = made.ok_or(GpuError::HostMemory { wanted: bytes })?;
        Ok(ModuleBuffer(Rc::new(Owned { module: module.clone(), number, bytes })))
    }

    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Its number in the module.
    pub(super) fn number(&self) -> u32 {
        self.0.number
    }

    /// `bytes` bytes from `offset`.
    pub(crate) fn range(&self, offset: u64, bytes: u64) -> ModuleRange {
        ModuleRange { buffer: self.0.number, offset, bytes }
    }
}
