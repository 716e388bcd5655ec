//! The kernels: one file each, with its parameters, its variants and the shape of its dispatch. The WGSL of the same
//! name is in `shaders/`, the plain-Rust twin in `cpu/`. What a kernel reads and writes is declared once, in [`Kernel::operands`]: both
//! refer to it by name.
//!
//! Kernels know slices of memory and shapes. They must never know models, requests or where weights came from.
//!
//! Every kernel (but `copy` and `expert_gemm`, which has its rows from a list) reads at binding 0 the *batch* (`shaders/shared/batch.wgsl`): how many rows are valid in this step and, for
//! each row, its token, position and sequence. Rows beyond the count are skipped, so one plan serves every length up to
//! its own, and a finished batch (count 0) makes the steps still queued behind it nearly free.

/// The text of a shader or of a part of one, as `build.rs` has left it: `shaders/` without its endings.
macro_rules! wgsl {
    ($($name:tt)+) => {
        include_str!(concat!(env!("OUT_DIR"), "/shaders/", $($name)+, ".wgsl"))
    };
}

pub mod altup;
pub mod anchor_rows;
pub mod attention;
pub mod batch;
pub mod blend;
pub mod chunk_argmax;
pub mod commit;
pub mod conv;
pub mod copy;
pub mod cpu;
pub mod draft_rows;
pub mod dry;
pub mod embed;
pub mod encode;
pub mod experts;
pub mod filter_draw;
pub mod gated_activation;
pub mod gemm;
pub mod gemv;
pub mod kv;
pub mod layer_norm;
pub mod logprobs;
pub mod lora;
pub mod matmul;
mod operands;
pub mod pool;
pub mod rms_norm;
pub mod rope;
pub mod row_scale;
pub mod sampling;
pub mod scale;
pub mod scan;
pub mod scan_gates;
pub mod verify;
pub mod weights;

pub use gated_activation::Activation;
pub use operands::{Arguments, Operand, TensorRef};

use std::fmt;

use crate::gpu::{AdapterInfo, RequiredFeatures, Shader};
use cpu::FastWay;
use encode::Encode;
use matmul::Matmul;
use verify::KernelTest;
#[cfg(not(target_arch = "wasm32"))]
use weights::WeightInput;

/// The ways a kernel can be written. Each kernel offers some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Variant {
    /// No workgroup barrier and no optional feature: what software adapters need, and what always works.
    Plain,
    /// Workgroup memory and barriers.
    Shared,
    /// Subgroup operations of any subgroup size.
    Subgroups,
    /// Packed 8-bit integer dot products.
    Dot4,
    /// f16 arithmetic.
    F16,
}

impl Variant {
    /// Of a kernel whose variants differ in whether a workgroup works together, with barriers, which software adapters do better without.
    pub fn with_barriers_or_without(facts: &AdapterInfo) -> Vec<Variant> {
        match facts.software {
            true => vec![Variant::Plain, Variant::Shared],
            false => vec![Variant::Shared, Variant::Plain],
        }
    }

    /// True where the adapter has what the variant needs.
    pub fn fits(self, facts: &AdapterInfo) -> bool {
        match self {
            Variant::Plain | Variant::Shared => true,
            Variant::Subgroups => facts.features.subgroups.is_some(),
            Variant::Dot4 => facts.features.dot4,
            Variant::F16 => facts.features.f16,
        }
    }
}

/// A tensor that lives inside one plan: f32 `[rows, cols]`, its memory given by the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tensor {
    /// Number within its plan.
    pub id: usize,
    /// Rows: tokens of the step at most.
    pub rows: u32,
    /// Columns.
    pub cols: u32,
}

/// One variant of a kernel, ready for the GPU.
#[derive(Debug, Clone, PartialEq)]
pub struct LaunchConfig {
    /// WGSL with its imports in front, without `enable` lines and without the bindings.
    pub text: String,
    /// Values of the text's `override` declarations.
    pub constants: Vec<(&'static str, f64)>,
    /// Workgroups along x, y, z.
    pub workgroups: [u32; 3],
    /// Extensions used.
    pub needs: RequiredFeatures,
}

/// An operation of a plan.
pub trait Kernel: Encode {
    /// The name of its files, and its label everywhere.
    fn name(&self) -> &'static str;

    /// What it reads and writes, in `@binding` order; the batch is the first. The shader's bindings, their layout and the twin's
    /// arguments come from here.
    fn operands(&self) -> Vec<Operand>;

    /// The variants this operation has, the one most likely to be fastest on `facts` first. Never empty; all of them fit.
    fn variants(&self, facts: &AdapterInfo) -> Vec<Variant>;

    /// Operations of the same name and class share the choice of a variant (a weight type and a size range, say).
    fn class(&self) -> String {
        String::new()
    }

    /// True for kernels heavy enough that the right variants are timed at load.
    fn timed(&self) -> bool {
        false
    }

    /// A small known-answer check of this kernel's class, asked of a variant before it is used.
    fn guard(&self) -> KernelTest;

    /// The variant's shader and dispatch.
    fn launch(&self, variant: Variant, facts: &AdapterInfo) -> LaunchConfig;

    /// The twin: the same computation on host memory.
    fn run(&self, arguments: &Arguments);

    /// The same by faster instructions of the CPU; false, and nothing done, where this operation has none.
    fn run_fast(&self, arguments: &Arguments, way: FastWay) -> bool {
        let _ = (arguments, way);
        false
    }

    /// On the CPU, hands out the rows that are about to meet weights, for importance matrices; none where there are no weights.
    #[cfg(not(target_arch = "wasm32"))]
    fn weight_inputs(&self, arguments: &Arguments, see: &mut dyn FnMut(WeightInput<'_>)) {
        let _ = (arguments, see);
    }

    /// The matmul that this is, if it is one.
    fn as_matmul(&self) -> Option<&Matmul> {
        None
    }
}

/// Its name: what each holds would cost a page kilobytes that nobody reads.
impl fmt::Debug for dyn Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The shader of one variant of `kernel`, as the facade compiles it.
pub fn shader(kernel: &dyn Kernel, launch: &LaunchConfig) -> Shader {
    let operands = kernel.operands();
    let text = operands::declarations(&operands) + &launch.text;
    let bindings = operands.iter().map(|operand| operand.access).collect();
    Shader::new(kernel.name(), text, &launch.constants, bindings, launch.needs)
}

/// `groups` workgroups in x, folded into y where one dimension cannot hold them. Kernels number their workgroups
/// `y * num_workgroups.x + x` and skip what is beyond the end.
pub fn grid_2d(groups: u32, facts: &AdapterInfo) -> [u32; 3] {
    let limit = facts.limits.workgroups;
    let rows = groups.div_ceil(limit).max(1);
    [groups.div_ceil(rows).max(1), rows, 1]
}
