//! Plans in a module of the CPU: how the engine writes their steps down, and how the module reads, checks and runs them.
//!
//! A plan is a JSON array: whether activations stay f32, and steps `[name, kernel, places]`: the kernel's own fields without its operands, and for each operand, in the
//! order of their declaration, buffer, first byte and bytes. The choices that the module makes come back as lines, their fields between
//! tabs. Both ends are of one build, so the forms have no version.

#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
mod helper;
#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
mod host;
#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
mod sharing;

use std::borrow::Cow;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::KernelChoice;
use crate::device::Slice;
use crate::device::module::{CpuModule, ModuleRange};
use crate::gpu::GpuError;
use crate::kernels::{Arguments, Kernel};

#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
pub use helper::Helper;
#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
pub use host::ModuleHost;
#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
pub use sharing::Sharing;

/// Where an operand is: buffer, first byte and bytes.
type Place = (u32, u64, u64);

#[derive(Serialize, Deserialize)]
struct Step<'a>(&'a str, #[serde(borrow)] Cow<'a, RawValue>, Vec<Place>);

/// A plan in a module, which forgets it when this is dropped.
#[derive(Debug)]
pub(super) struct ModulePlan {
    module: Rc<dyn CpuModule>,
    number: u32,
    operations: usize,
}

impl Drop for ModulePlan {
    fn drop(&mut self) {
        self.module.release_plan(self.number);
    }
}

impl ModulePlan {
    /// Hands steps to `module`; gives the choices that it made, too.
    pub fn build(
        module: &Rc<dyn CpuModule>,
        exact: bool,
        ops: &[Box<dyn Kernel>],
        arguments: &[Arguments],
    ) -> Result<(ModulePlan, Vec<KernelChoice>), GpuError> {
        let steps: Result<Vec<Step<'_>>, serde_json::Error> =
            ops.iter().zip(arguments).map(|(op, arguments)| step(op.as_ref(), arguments)).collect();
        let text = steps.and_then(|steps| serde_json::to_string(&(exact, steps))).map_err(fault)?;
        let (number, choices) = module.plan(&text)?;
        let plan = ModulePlan { module: module.clone(), number, operations: ops.len() };
        Ok((plan, choices.lines().map(choice).collect()))
    }

    /// Its number in the module.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Operations of one replay.
    pub fn operations(&self) -> usize {
        self.operations
    }
}

fn step<'a>(op: &'a dyn Kernel, arguments: &Arguments) -> Result<Step<'a>, serde_json::Error> {
    let place = |slice: &Slice| {
        let ModuleRange { buffer, offset, bytes } = slice.in_module();
        (buffer, offset, bytes)
    };
    Ok(Step(op.name(), Cow::Owned(op.encode()?), arguments.slices().map(place).collect()))
}

/// The choice that a line tells: kernel, class, variant, and what was wrong.
fn choice(line: &str) -> KernelChoice {
    let mut fields = line.split('\t').map(str::to_string);
    let mut next = || fields.next().unwrap_or_default();
    let (kernel, class, variant) = (next().into(), next(), next());
    KernelChoice { kernel, class, variant, wrong: fields.collect(), times: Vec::new() }
}

fn fault(error: serde_json::Error) -> GpuError {
    GpuError::Fault(format!("the module for the CPU and the engine do not understand each other: {error}"))
}
