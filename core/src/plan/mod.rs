//! Plans: a forward pass recorded once and replayed for every step, on a GPU, on the CPU or in a module of the CPU.
//!
//! A model's `forward` pushes kernels into a [`Recorder`]; [`Plan::build`] lays out the activations, chooses and compiles
//! the kernels' variants and creates every bind group. Replaying then creates nothing. This module must never know what
//! a kernel computes.

mod choose;
mod memory;
pub mod module;

use std::ops::Range;
use std::pin::Pin;

pub use choose::{KernelCache, KernelChoice};
use module::ModulePlan;

use crate::device::module::Reading;
use crate::device::{Device, Slice};
use crate::gpu::{Dispatch, Gpu, GpuError, Pass, PendingRead};
use crate::kernels::copy::Copy;
use crate::kernels::cpu::FastWay;
use crate::kernels::verify::Wrong;
#[cfg(not(target_arch = "wasm32"))]
use crate::kernels::weights::WeightInput;
use crate::kernels::{Arguments, Kernel, Tensor, TensorRef, verify};

/// Why a plan could not be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The GPU failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// Every variant of a kernel computes wrongly on this machine.
    #[error(
        "this GPU computes wrongly: the kernel `{kernel}` ({class}) gave a wrong answer in its check ({wrong}); \
         update the graphics driver, or run on the CPU"
    )]
    WrongAnswer {
        /// The kernel's name.
        kernel: &'static str,
        /// Its class: weight type and the like.
        class: String,
        /// What differed in the plainest variant.
        wrong: String,
    },
}

/// What a model's `forward` writes into.
#[derive(Debug, Default)]
pub struct Recorder {
    ops: Vec<Box<dyn Kernel>>,
    tensors: Vec<Tensor>,
    kept: Vec<(String, Tensor)>,
    tapping: bool,
}

impl Recorder {
    /// A recorder that ignores taps.
    pub fn new() -> Recorder {
        Recorder::default()
    }

    /// A recorder that keeps a copy of every tapped tensor.
    pub fn with_taps() -> Recorder {
        Recorder { tapping: true, ..Recorder::default() }
    }

    /// A new activation, f32 `[rows, cols]`.
    pub fn tensor(&mut self, rows: u32, cols: u32) -> Tensor {
        let tensor = Tensor { id: self.tensors.len(), rows, cols };
        self.tensors.push(tensor);
        tensor
    }

    /// Appends an operation.
    pub fn push(&mut self, kernel: impl Kernel + 'static) {
        self.ops.push(Box::new(kernel));
    }

    /// Appends operations.
    pub fn push_all(&mut self, kernels: Vec<Box<dyn Kernel>>) {
        self.ops.extend(kernels);
    }

    /// Marks a stage of the computation by name, for golden tests and for bisecting a wrong answer. Free unless the
    /// recorder keeps taps.
    pub fn tap(&mut self, name: impl Into<String>, tensor: Tensor) {
        if self.tapping {
            let copy = self.tensor(tensor.rows, tensor.cols);
            self.push(Copy::whole(tensor.into(), copy.into(), tensor.rows * tensor.cols));
            self.keep(name, copy);
        }
    }

    /// Keeps a tensor to the end, for another plan or the CPU to read: see [`Plan::kept`].
    pub fn keep(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.kept.push((name.into(), tensor));
    }
}

/// An operation on the CPU, by its twin or by faster instructions.
#[derive(Debug)]
struct CpuStep {
    kernel: Box<dyn Kernel>,
    arguments: Arguments,
    way: Option<FastWay>,
}

impl CpuStep {
    fn run(&self) {
        let CpuStep { kernel, arguments, way } = self;
        if !way.is_some_and(|way| kernel.run_fast(arguments, way)) {
            kernel.run(arguments);
        }
    }
}

/// A recorded forward pass, ready to be replayed.
#[derive(Debug)]
pub struct Plan {
    steps: Steps,
    kept: Vec<(String, Slice)>,
    activations: u64,
}

#[derive(Debug)]
enum Steps {
    Gpu(Pass),
    Cpu(Vec<CpuStep>),
    CpuModule(ModulePlan),
}

impl Plan {
    /// Lays out memory, chooses variants, compiles. While it is built, the batch must hold valid rows (variants are timed
    /// on the plan's own operands); the contents of activations and cache are then undefined.
    ///
    /// # Errors
    /// Of memory, compilation and variants that compute wrongly.
    pub fn build(
        kernels: &mut KernelCache,
        recorder: Recorder,
    ) -> Pin<Box<dyn Future<Output = Result<Plan, PlanError>> + '_>> {
        // Boxed, so that a page has this once and not in each of its callers.
        Box::pin(async move {
            let layout = memory::lay_out(&recorder.ops, &recorder.tensors, &recorder.kept);
            let device = kernels.device().clone();
            let slots = layout
                .slots
                .iter()
                .map(|bytes| device.buffer("activations", *bytes))
                .collect::<Result<Vec<_>, GpuError>>()?;
            let place = |place: &TensorRef| match place {
                TensorRef::Fixed(slice) => slice.clone(),
                TensorRef::Tensor(tensor) => {
                    slots[layout.slot_of[tensor.id]].slice(0, u64::from(tensor.rows) * u64::from(tensor.cols) * 4)
                }
            };
            let arguments: Vec<_> = recorder.ops.iter().map(|op| Arguments::new(op.operands(), place)).collect();
            let kept = recorder.kept.into_iter().map(|(name, tensor)| (name, place(&tensor.into()))).collect();
            let steps = match &device {
                Device::Cpu => {
                    let step = |(kernel, arguments): (Box<dyn Kernel>, _)| {
                        let way = kernels.fast_way(kernel.as_ref());
                        CpuStep { kernel, arguments, way }
                    };
                    Steps::Cpu(recorder.ops.into_iter().zip(arguments).map(step).collect())
                }
                Device::CpuModule(module) => {
                    let (plan, choices) =
                        ModulePlan::build(module, kernels.exact_activations(), &recorder.ops, &arguments)?;
                    kernels.note(choices);
                    Steps::CpuModule(plan)
                }
                Device::Gpu(gpu) => Steps::Gpu(compile(kernels, gpu, &recorder.ops, &arguments).await?),
            };
            Ok(Plan { steps, kept, activations: layout.slots.iter().sum() })
        })
    }

    /// Dispatches of one replay; on the CPU, operations.
    pub fn dispatches(&self) -> usize {
        match &self.steps {
            Steps::Gpu(pass) => pass.len(),
            Steps::Cpu(steps) => steps.len(),
            Steps::CpuModule(plan) => plan.operations(),
        }
    }

    /// Bytes of its activations.
    pub fn activation_bytes(&self) -> u64 {
        self.activations
    }

    /// What was kept or tapped, in the order of the recording: f32 values of the last replay, by name.
    pub fn kept(&self) -> &[(String, Slice)] {
        &self.kept
    }

    /// What was kept or tapped under a name.
    pub fn find(&self, name: &str) -> Option<&Slice> {
        self.kept.iter().find(|(known, _)| known == name).map(|(_, slice)| slice)
    }

    fn run_on_cpu(&self) {
        if let Steps::Cpu(steps) = &self.steps {
            steps.iter().for_each(CpuStep::run);
        }
    }

    /// Replays on the CPU, and hands out each row that meets weights before it does.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn run_observed(&self, see: &mut dyn FnMut(WeightInput<'_>)) {
        let Steps::Cpu(steps) = &self.steps else { unreachable!("what meets weights is seen on the CPU alone") };
        for step in steps {
            step.kernel.weight_inputs(&step.arguments, see);
            step.run();
        }
    }

    fn pass(&self) -> &Pass {
        match &self.steps {
            Steps::Gpu(pass) => pass,
            _ => unreachable!("a plan is replayed on the device it was built for"),
        }
    }

    fn in_module(&self) -> u32 {
        match &self.steps {
            Steps::CpuModule(plan) => plan.number(),
            _ => unreachable!("a plan is replayed on the device it was built for"),
        }
    }
}

async fn compile(
    kernels: &mut KernelCache,
    gpu: &Gpu,
    ops: &[Box<dyn Kernel>],
    arguments: &[Arguments],
) -> Result<Pass, PlanError> {
    kernels.choose(gpu, ops, arguments).await?;
    let launches: Vec<_> = ops.iter().map(|op| op.launch(kernels.variant(op.as_ref()), gpu.facts())).collect();
    let shaders: Vec<_> = ops.iter().zip(&launches).map(|(op, l)| crate::kernels::shader(op.as_ref(), l)).collect();
    let kernels = kernels.compile(gpu, &shaders).await?;
    let dispatches: Vec<Dispatch> = kernels
        .into_iter()
        .zip(arguments)
        .zip(&launches)
        .map(|((kernel, arguments), launch)| Dispatch {
            kernel,
            bindings: verify::bindings(arguments),
            workgroups: launch.workgroups,
        })
        .collect();
    Ok(gpu.pass(&dispatches))
}

/// Replays plans in order, in one submission.
pub fn submit(device: &Device, plans: &[&Plan]) {
    match device {
        Device::Gpu(gpu) => gpu.submit(&plans.iter().map(|plan| plan.pass()).collect::<Vec<_>>()),
        Device::Cpu => plans.iter().for_each(|plan| plan.run_on_cpu()),
        Device::CpuModule(module) => module.run(&in_module(plans)),
    }
}

/// Replays plans in order, then reads `range` (bytes) of `slice`, all in one submission.
pub fn submit_and_read(device: &Device, plans: &[&Plan], slice: &Slice) -> PendingReadback {
    match (device, &slice.storage) {
        (Device::Gpu(gpu), crate::device::Storage::Gpu(buffer)) => {
            let passes: Vec<_> = plans.iter().map(|plan| plan.pass()).collect();
            let range: Range<u64> = slice.offset..slice.offset + slice.bytes;
            PendingReadback::Gpu(gpu.submit_and_read(&passes, buffer, range))
        }
        (Device::CpuModule(module), _) => {
            PendingReadback::CpuModule(module.run_and_read(&in_module(plans), slice.in_module()))
        }
        _ => {
            plans.iter().for_each(|plan| plan.run_on_cpu());
            PendingReadback::Cpu(bytemuck::cast_slice(&slice.u32s()).to_vec())
        }
    }
}

fn in_module(plans: &[&Plan]) -> Vec<u32> {
    plans.iter().map(|plan| plan.in_module()).collect()
}

/// Bytes on their way back from a device.
pub enum PendingReadback {
    /// From a GPU.
    Gpu(PendingRead),
    /// From the CPU: already there.
    Cpu(Vec<u8>),
    /// From a module.
    CpuModule(Reading),
}

impl PendingReadback {
    /// Waits for them.
    pub async fn wait(self) -> Result<Vec<u8>, GpuError> {
        match self {
            PendingReadback::Gpu(pending) => pending.await,
            PendingReadback::Cpu(bytes) => Ok(bytes),
            PendingReadback::CpuModule(reading) => reading.await,
        }
    }
}

impl From<(&dyn Kernel, Wrong)> for PlanError {
    fn from((kernel, wrong): (&dyn Kernel, Wrong)) -> PlanError {
        match wrong {
            Wrong::Gpu(
                error @ (GpuError::Lost(_)
                | GpuError::OutOfMemory(_)
                | GpuError::HostMemory { .. }
                | GpuError::Shaders(_)),
            ) => PlanError::Gpu(error),
            wrong => PlanError::WrongAnswer { kernel: kernel.name(), class: kernel.class(), wrong: wrong.to_string() },
        }
    }
}
