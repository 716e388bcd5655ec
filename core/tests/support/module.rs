//! A module of the CPU in this very program, which can be told to fail.

use std::cell::{Cell, RefCell};
use std::future::{Future, ready};
use std::pin::Pin;
use std::rc::Rc;

use inglenook::Device;
use inglenook::device::module::{CpuModule, ModuleRange, Reading};
use inglenook::gpu::GpuError;
use inglenook::plan::module::ModuleHost;

#[derive(Debug, Default)]
pub struct InProcess {
    host: RefCell<ModuleHost>,
    pub has_failed: Cell<bool>,
    /// Runs so far.
    pub runs: Cell<usize>,
}

impl InProcess {
    /// A module, and the device that it is.
    pub fn device() -> (Rc<InProcess>, Device) {
        let module = Rc::new(InProcess::default());
        (module.clone(), Device::CpuModule(module))
    }

    fn fault(&self) -> Result<(), GpuError> {
        if self.has_failed.get() { Err(GpuError::Module("a test".into())) } else { Ok(()) }
    }
}

impl CpuModule for InProcess {
    fn instructions(&self) -> String {
        self.host.borrow().instructions()
    }

    fn buffer(&self, bytes: u64) -> Option<u32> {
        self.host.borrow_mut().buffer(bytes)
    }

    fn release_buffer(&self, buffer: u32) {
        self.host.borrow_mut().release_buffer(buffer);
    }

    fn write(&self, buffer: u32, offset: u64, data: &[u8]) {
        let slice = self.host.borrow().slice(ModuleRange { buffer, offset, bytes: data.len() as u64 });
        let words: Vec<u32> = data.chunks(4).map(|word| u32::from_le_bytes(word.try_into().expect("words"))).collect();
        slice.u32s_mut().copy_from_slice(&words);
    }

    fn copy(&self, copies: &[(ModuleRange, ModuleRange)]) {
        let host = self.host.borrow();
        let copies: Vec<_> = copies.iter().map(|(from, to)| (host.slice(*from), host.slice(*to))).collect();
        Device::Cpu.copy(&copies);
    }

    fn plan(&self, steps: &str) -> Result<(u32, String), GpuError> {
        self.fault()?;
        self.host.borrow_mut().plan(steps).map_err(|error| GpuError::Fault(error.to_string()))
    }

    fn release_plan(&self, plan: u32) {
        self.host.borrow_mut().release_plan(plan);
    }

    fn run(&self, plans: &[u32]) {
        self.runs.set(self.runs.get() + 1);
        if !self.has_failed.get() {
            for plan in plans {
                self.host.borrow_mut().start(*plan);
                assert!(!self.host.borrow_mut().go_on(), "nothing is shared");
            }
        }
    }

    fn run_and_read(&self, plans: &[u32], range: ModuleRange) -> Reading {
        self.run(plans);
        let words = self.host.borrow().slice(range).u32s().to_vec();
        let bytes = words.into_iter().flat_map(u32::to_le_bytes).collect();
        Box::pin(ready(self.fault().map(|()| bytes)))
    }

    fn wait_idle(&self) -> Pin<Box<dyn Future<Output = Result<(), GpuError>>>> {
        Box::pin(ready(self.fault()))
    }
}
