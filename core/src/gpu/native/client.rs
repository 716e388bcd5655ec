//! What belongs to one client of a device: its counters, its first fault, its buffers.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};

use crate::gpu::{Counters, GpuError};

/// The kinds of error that wgpu tells apart.
const FILTERS: [wgpu::ErrorFilter; 3] =
    [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation];

/// What callbacks and drops reach without the device.
#[derive(Debug)]
pub struct State {
    counters: Mutex<Counters>,
    fault: OnceLock<GpuError>,
    /// What ends every client of the device: its loss.
    loss: Arc<OnceLock<GpuError>>,
    /// The buffers alive, by number; none are added once it is closed.
    buffers: Mutex<HashMap<u64, wgpu::Buffer>>,
}

impl State {
    pub fn new(loss: Arc<OnceLock<GpuError>>) -> State {
        State { counters: Mutex::default(), fault: OnceLock::new(), loss, buffers: Mutex::default() }
    }

    pub fn counters(&self) -> Counters {
        *self.counters.lock().expect("a counter update never panics")
    }

    pub fn count(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.counters.lock().expect("a counter update never panics"));
    }

    pub fn fault(&self) -> Option<GpuError> {
        self.fault.get().or_else(|| self.loss.get()).cloned()
    }

    /// Makes a call whose errors become this client's fault, and nobody else's. wgpu reports errors on the calling thread before
    /// the call returns.
    pub fn scoped<T>(&self, device: &wgpu::Device, call: impl FnOnce() -> T) -> T {
        let scopes = FILTERS.map(|filter| device.push_error_scope(filter));
        let made = call();
        for error in scopes.into_iter().rev().filter_map(|scope| at_once(scope.pop())) {
            let _ = self.fault.set(fault_of(&error));
        }
        made
    }

    /// Notes a buffer; its number.
    pub fn add(&self, raw: &wgpu::Buffer) -> u64 {
        let mut number = 0;
        self.count(|c| {
            c.buffers += 1;
            c.live_bytes += raw.size();
            number = c.buffers;
        });
        self.buffers.lock().expect("nothing panics here").insert(number, raw.clone());
        number
    }

    /// Gives a buffer's memory back, unless that was done already.
    pub fn free(&self, number: u64) {
        let freed = self.buffers.lock().expect("nothing panics here").remove(&number);
        self.destroy(freed);
    }

    /// Gives the memory of all buffers back. What comes later fails. False where it was closed before.
    pub fn close(&self) -> bool {
        let freed = std::mem::take(&mut *self.buffers.lock().expect("nothing panics here"));
        self.destroy(freed.into_values());
        self.fault.set(closed()).is_ok()
    }

    fn destroy(&self, buffers: impl IntoIterator<Item = wgpu::Buffer>) {
        for buffer in buffers {
            buffer.destroy();
            self.count(|c| c.live_bytes -= buffer.size());
        }
    }
}

/// The error of whatever is asked of what was closed.
pub fn closed() -> GpuError {
    GpuError::Lost("it was closed".into())
}

/// wgpu's error as ours.
pub fn fault_of(error: &wgpu::Error) -> GpuError {
    match error {
        wgpu::Error::OutOfMemory { .. } => GpuError::OutOfMemory(error.to_string()),
        _ => GpuError::Fault(error.to_string()),
    }
}

/// The output of a future that is ready, as natively an error scope's answer is.
pub fn at_once<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(std::task::Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::yield_now();
    }
}
