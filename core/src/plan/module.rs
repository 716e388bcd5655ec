//! Plans in a module of the CPU: how the engine writes their steps down, and how the module reads, checks and runs them.
//!
//! A plan is a JSON array: whether activations stay f32, and steps `[name, kernel, places]`: the kernel's own fields without its operands, and for each operand, in the
//! order of their declaration, buffer, first byte and bytes. The choices that the module makes come back as lines, their fields between
//! tabs. Both ends are of one build, so the forms have no version.

use std::borrow::Cow;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{CpuStep, KernelCache, KernelChoice};
use crate::device::module::{CpuModule, ModuleRange};
use crate::device::{Device, Slice, Storage};
use crate::gpu::GpuError;
use crate::kernels::encode::decode;
use crate::kernels::{Arguments, Kernel};

#[derive(Serialize, Deserialize)]
struct Step<'a>(&'a str, #[serde(borrow)] Cow<'a, RawValue>, Vec<(u32, u64, u64)>);

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

/// A choice as a line: kernel, class, variant, and what was wrong.
fn line(KernelChoice { kernel, class, variant, wrong, times: _ }: &KernelChoice) -> String {
    let fields = [kernel.as_ref(), class, variant].into_iter().chain(wrong.iter().map(String::as_str));
    fields.collect::<Vec<&str>>().join("\t") + "\n"
}

fn choice(line: &str) -> KernelChoice {
    let mut fields = line.split('\t').map(str::to_string);
    let mut next = || fields.next().unwrap_or_default();
    let (kernel, class, variant) = (next().into(), next(), next());
    KernelChoice { kernel, class, variant, wrong: fields.collect(), times: Vec::new() }
}

fn fault(error: serde_json::Error) -> GpuError {
    GpuError::Fault(format!("the module for the CPU and the engine do not understand each other: {error}"))
}

/// The other end: buffers and plans by number, in the memory of this program.
#[derive(Debug)]
pub struct ModuleHost {
    kernels: KernelCache,
    buffers: Vec<Option<Storage>>,
    plans: Vec<Option<Vec<CpuStep>>>,
    told: usize,
}

impl Default for ModuleHost {
    fn default() -> ModuleHost {
        let kernels = KernelCache::new(Device::Cpu);
        ModuleHost { kernels, buffers: Vec::new(), plans: Vec::new(), told: 0 }
    }
}

impl ModuleHost {
    /// What it computes with.
    pub fn instructions(&self) -> String {
        self.kernels.instructions()
    }

    /// Zero-filled memory; `None` where there is not so much.
    pub fn buffer(&mut self, bytes: u64) -> Option<u32> {
        let storage = Device::Cpu.buffer("module", bytes).ok()?;
        Some(put(&mut self.buffers, storage))
    }

    /// Gives a buffer back. Plans that use it keep it.
    pub fn release_buffer(&mut self, buffer: u32) {
        self.buffers[buffer as usize] = None;
    }

    /// A range of a buffer.
    ///
    /// # Panics
    /// Where there is no such buffer.
    pub fn slice(&self, ModuleRange { buffer, offset, bytes }: ModuleRange) -> Slice {
        let storage =
            self.buffers[buffer as usize].as_ref().unwrap_or_else(|| unreachable!("the engine owns its buffers"));
        storage.slice(offset, bytes)
    }

    /// Reads a plan and chooses instructions for its kernels, each checked before; the choices that are new.
    ///
    /// # Errors
    /// Steps of another build of the engine.
    pub fn plan(&mut self, text: &str) -> Result<(u32, String), serde_json::Error> {
        let (exact, steps): (bool, Vec<Step<'_>>) = serde_json::from_str(text)?;
        self.kernels.set_exact_activations(exact);
        let mut plan = Vec::with_capacity(steps.len());
        for Step(name, fields, places) in steps {
            let kernel = decode(name, fields.get())?;
            let mut places = places.into_iter();
            let arguments = Arguments::new(kernel.operands(), |_| {
                let (buffer, offset, bytes) = places.next().unwrap_or_else(|| unreachable!("each operand has a place"));
                self.slice(ModuleRange { buffer, offset, bytes })
            });
            let way = self.kernels.fast_way(kernel.as_ref());
            plan.push(CpuStep { kernel, arguments, way });
        }
        let new = self.kernels.choices()[self.told..].iter().map(line).collect();
        self.told = self.kernels.choices().len();
        Ok((put(&mut self.plans, plan), new))
    }

    /// Forgets a plan.
    pub fn release_plan(&mut self, plan: u32) {
        self.plans[plan as usize] = None;
    }

    /// Runs a plan.
    pub fn run(&self, plan: u32) {
        self.plans[plan as usize].iter().flatten().for_each(CpuStep::run);
    }
}

/// Puts `value` in the first free place, and tells its number.
fn put<T>(places: &mut Vec<Option<T>>, value: T) -> u32 {
    let free = places.iter().position(Option::is_none).unwrap_or_else(|| {
        places.push(None);
        places.len() - 1
    });
    places[free] = Some(value);
    free as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::verify::{self, KernelTest};
    use crate::kernels::{TensorRef, Variant};

    impl ModuleHost {
        fn of_twins() -> ModuleHost {
            ModuleHost { kernels: KernelCache::new(Device::Cpu).force(Variant::Plain), ..ModuleHost::default() }
        }
    }

    /// The words of a case's inputs after a module has run its kernels.
    fn run_in_module(case: &KernelTest) -> Vec<Vec<u32>> {
        let mut host = ModuleHost::of_twins();
        let mut ranges = Vec::new();
        for words in &case.inputs {
            let bytes = words.len() as u64 * 4;
            let range = ModuleRange { buffer: host.buffer(bytes).expect("memory"), offset: 0, bytes };
            host.slice(range).u32s_mut().copy_from_slice(words);
            ranges.push(range);
        }
        let slices: Vec<Slice> = ranges.iter().map(|range| host.slice(*range)).collect();
        let number_of = |place: &TensorRef| match place {
            TensorRef::Fixed(slice) => slices.iter().position(|other| slice.is_same(other)).expect("an input"),
            TensorRef::Tensor(_) => unreachable!("a case has no plan"),
        };
        for build in std::iter::once(&case.build).chain(&case.followers) {
            let kernel = build(slices.iter().cloned().map(TensorRef::Fixed).collect());
            let operands = kernel.operands();
            let places = operands.iter().map(|operand| ranges[number_of(&operand.place)]);
            let places = places.map(|range| (range.buffer, range.offset, range.bytes)).collect();
            let step = Step(kernel.name(), Cow::Owned(kernel.encode().expect("JSON")), places);
            let (plan, _) =
                host.plan(&serde_json::to_string(&(false, [step])).expect("JSON")).expect("reads its own form");
            host.run(plan);
            host.release_plan(plan);
        }
        slices.iter().map(|slice| slice.u32s().to_vec()).collect()
    }

    #[test]
    fn every_kernel_gives_in_a_module_what_its_twin_gives() {
        for case in verify::all_cases() {
            assert!(run_in_module(&case) == verify::run_twin(&case), "{}", case.name);
        }
    }

    #[test]
    fn choices_come_back_as_they_were_made() {
        let times = Vec::new;
        for wrong in [vec![], vec!["AVX2: binding 1 differs".to_string(), "portable: so does this".into()]] {
            let made = KernelChoice {
                kernel: "gemv".into(),
                class: "Q8_0 1".into(),
                variant: "x".into(),
                wrong,
                times: times(),
            };
            assert_eq!(choice(line(&made).trim_end_matches('\n')), made);
        }
    }

    #[test]
    fn plan_rejects_steps_of_another_build() {
        let mut host = ModuleHost::default();
        for text in
            ["", "[", "[]", r#"[true, [["no_such_kernel", {}, []]]]"#, r#"[false, [["copy", {"source": null}, []]]]"#]
        {
            assert!(host.plan(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_of_released_buffers_are_used_again() {
        let mut host = ModuleHost::default();
        let [a, b] = [4, 8].map(|bytes| host.buffer(bytes).expect("memory"));
        host.release_buffer(a);
        assert_eq!((host.buffer(12), host.buffer(4)), (Some(a), Some(b + 1)));
        assert_eq!(host.buffer(u64::MAX), None);
    }
}
