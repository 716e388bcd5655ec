//! What the matmul kernels have in common: operands, modes and the twin. `gemv` and `gemm` hold the variants.

use super::cpu::{FastWay, WeightRows};
use super::gated_activation::ACTIVATE;
use super::verify::{KernelTest, Output, random_f32s};
#[cfg(not(target_arch = "wasm32"))]
use super::weights::WeightInput;
use super::weights::{CaseWeights, WeightShard, random_planes};
use super::{Activation, Arguments, Kernel, LaunchConfig, Operand, TensorRef, batch, cpu};
use crate::gpu::RequiredFeatures;
use inglenook_format::quant::WeightType;
use serde::{Deserialize, Serialize};

const BIAS: &str = wgsl!("shared/matmul/bias");
const ROW_BIAS: &str = wgsl!("shared/matmul/row_bias");
pub(super) const NO_BIAS: &str = wgsl!("shared/matmul/no_bias");
pub(super) const EPILOGUE: &str = wgsl!("shared/matmul/epilogue");
pub(super) const DOTS: &str = wgsl!("shared/matmul/dots");
const PLAIN: &str = wgsl!("shared/matmul/plain");
/// Every invocation loads its own inputs.
pub(super) const INPUTS: &str = wgsl!("shared/matmul/inputs");
/// Quads share their loads of inputs.
pub(super) const QUAD_INPUTS: &str = wgsl!("shared/matmul/quad_inputs");

/// Row tiles that a workgroup of the plain variants computes: one an invocation.
pub(super) const PLAIN_TILES: u32 = 32;
/// Rows of x that an invocation of the plain variant computes at most.
const PLAIN_ROWS: u32 = 8;

/// What becomes of the dot products.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Epilogue {
    /// `out = sum`.
    Store,
    /// `out += sum`: the residual stream.
    Add,
    /// `out = factor * sum`.
    Scale(f32),
    /// `out += factor * sum`.
    AddScaled(f32),
    /// `out = cap * tanh(sum / cap)`: logits that stay within `±cap`.
    Cap(f32),
    /// `out = act(sum)`.
    Activate(Activation),
    /// The shard's first half of rows are gates, the second half ups: `out[n] = act(gate n) * up n`, half as many outputs.
    Gated(Activation),
}

impl Epilogue {
    /// Its number in `shaders/shared/matmul/epilogue.wgsl`, and what goes with it: a factor, a bound, or which activation.
    pub(super) fn mode(self) -> (u32, f64) {
        match self {
            Epilogue::Store => (0, 1.0),
            Epilogue::Add => (1, 1.0),
            Epilogue::Scale(factor) => (0, factor.into()),
            Epilogue::AddScaled(factor) => (1, factor.into()),
            Epilogue::Cap(cap) => (2, cap.into()),
            Epilogue::Activate(activation) => (3, activation.code()),
            Epilogue::Gated(activation) => (4, activation.code()),
        }
    }
}

/// What is added to dot products before anything becomes of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Bias {
    /// f32 `[weights.rows]`: the same for all rows of x.
    OfWeights(TensorRef),
    /// f32 `[rows, weights.rows]`: each row of x has its own.
    OfRows(TensorRef),
}

/// `out[m, out_offset + n] (op)= weights[n] · x[m] (+ bias[n])` for the rows of one weight shard.
#[derive(Clone, Serialize, Deserialize)]
pub struct Matmul {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, weights.cols]`.
    #[serde(skip)]
    pub x: TensorRef,
    /// The weights; an even number of rows where gated.
    pub weights: WeightShard,
    /// What is added.
    pub bias: Option<Bias>,
    /// f32 `[rows, out_stride]`.
    #[serde(skip)]
    pub out: TensorRef,
    /// Rows of x at most.
    pub rows: u32,
    /// Values from one row of `out` to the next.
    pub out_stride: u32,
    /// Values of a row of `out` before this shard's.
    pub out_offset: u32,
    /// What becomes of the dot products.
    pub epilogue: Epilogue,
}

impl Matmul {
    /// Batch, x, out, the planes, then the bias.
    pub(super) fn operands(&self) -> Vec<Operand> {
        let mut operands = vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("x", "array<vec4<f32>>", &self.x),
            Operand::write("out", "array<f32>", &self.out),
        ];
        operands.extend(self.weights.operands());
        let bias = self.bias.iter().map(|bias| match bias {
            Bias::OfWeights(bias) | Bias::OfRows(bias) => bias,
        });
        operands.extend(bias.map(|bias| Operand::read("bias", "array<f32>", bias)));
        operands
    }

    /// Row tiles: runs of four weight rows, as `shaders/shared/matmul/epilogue.wgsl` counts them.
    pub(super) fn row_tiles(&self) -> u32 {
        match self.epilogue {
            Epilogue::Gated(_) => (self.weights.rows / 2).div_ceil(2),
            _ => self.weights.rows.div_ceil(4),
        }
    }

    /// A variant from its WGSL, which may refer to everything in `shaders/shared/matmul` and `shaders/shared/weights`.
    pub(super) fn launch(&self, body: &[&str], workgroups: [u32; 3], needs: RequiredFeatures) -> LaunchConfig {
        LaunchConfig { text: self.text(body), constants: self.constants(), workgroups, needs }
    }

    /// The variant without barriers, with one of the two ways to load inputs. It unpacks weights once for all rows of x of an invocation.
    pub(super) fn plain(&self, inputs: &str, needs: RequiredFeatures) -> LaunchConfig {
        let rows = self.rows.next_power_of_two().min(PLAIN_ROWS);
        let workgroups = [self.row_tiles().div_ceil(PLAIN_TILES), self.rows.div_ceil(rows), 1];
        self.launch(&[inputs, &format!("const R: u32 = {rows}u;\n"), PLAIN], workgroups, needs)
    }

    fn text(&self, body: &[&str]) -> String {
        let bias = match self.bias {
            None => NO_BIAS,
            Some(Bias::OfWeights(_)) => BIAS,
            Some(Bias::OfRows(_)) => ROW_BIAS,
        };
        [batch::WGSL, &self.weights.wgsl(), ACTIVATE, bias, EPILOGUE, DOTS].concat() + &body.concat()
    }

    fn constants(&self) -> Vec<(&'static str, f64)> {
        let (mode, with) = self.epilogue.mode();
        vec![
            ("ROWS", self.weights.rows.into()),
            ("CHUNKS", self.weights.chunks().into()),
            ("MODE", mode.into()),
            ("WITH", with),
            ("OUT_STRIDE", self.out_stride.into()),
            ("OUT_OFFSET", self.out_offset.into()),
        ]
    }

    /// The twin.
    pub(super) fn run(&self, arguments: &Arguments) {
        let m_count = batch::count(&arguments.u32s("batch"));
        let products = self.with_inputs(arguments, |weights, rows, x| cpu::dot_products(weights, 0..rows, x));
        self.with_outputs(arguments, |bias, out| cpu::finish(&products, bias, self.epilogue, m_count, out));
    }

    /// The same the fast way.
    pub(super) fn run_fast(&self, arguments: &Arguments, way: FastWay) {
        let products = self.with_inputs(arguments, |weights, rows, x| cpu::fast_products(way, weights, 0..rows, x));
        self.with_outputs(arguments, |bias, out| products.finish(bias, self.epilogue, out));
    }

    /// What `compute` makes of the weights, the number of their rows, and the valid rows of x.
    pub(crate) fn with_inputs<T>(
        &self,
        arguments: &Arguments,
        compute: impl FnOnce(WeightRows<'_>, usize, &[f32]) -> T,
    ) -> T {
        let m_count = batch::count(&arguments.u32s("batch"));
        let planes = cpu::HostPlanes::of(self.weights.ty, arguments);
        let weights = planes.rows(self.weights.ty, self.weights.cols as usize);
        let used = m_count * self.weights.cols as usize;
        compute(weights, self.weights.rows as usize, &arguments.f32s("x")[..used])
    }

    /// Hands out the valid rows of x.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn weight_inputs(&self, arguments: &Arguments, see: &mut dyn FnMut(WeightInput<'_>)) {
        let rows = batch::count(&arguments.u32s("batch"));
        for x in arguments.f32s("x").chunks_exact(self.weights.cols as usize).take(rows) {
            see(WeightInput { weights: &self.weights, expert: 0, x });
        }
    }

    /// Calls `finish` with the bias and the outputs.
    pub(crate) fn with_outputs(
        &self,
        arguments: &Arguments,
        finish: impl FnOnce(Option<cpu::BiasRows<'_>>, cpu::Strided<'_>),
    ) {
        let values = self.bias.is_some().then(|| arguments.f32s("bias"));
        let stride = if let Some(Bias::OfRows(_)) = self.bias { self.weights.rows as usize } else { 0 };
        let bias = values.as_deref().map(|values| cpu::BiasRows { values, stride });
        let mut out = arguments.f32s_mut("out");
        let (stride, offset) = (self.out_stride as usize, self.out_offset as usize);
        finish(bias, cpu::Strided { values: &mut out, stride, offset });
    }
}

/// The shape of a known-answer case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Valid rows of x.
    pub m: u32,
    /// Rows of x there is room for; those from `m` on are skipped.
    pub rows: u32,
    /// Weight rows.
    pub n: u32,
    /// Columns.
    pub k: u32,
}

/// Which bias a case has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum CaseBias {
    None,
    OfWeights,
    OfRows,
}

impl From<bool> for CaseBias {
    fn from(is_biased: bool) -> CaseBias {
        if is_biased { CaseBias::OfWeights } else { CaseBias::None }
    }
}

/// A case of `kernel` for one weight type and mode. Outputs stand in wider rows, so that a wrong stride shows.
pub(super) fn case(
    kernel: &'static str,
    ty: WeightType,
    shape: Shape,
    epilogue: Epilogue,
    bias: CaseBias,
    build: fn(Matmul) -> Box<dyn Kernel>,
) -> KernelTest {
    let Shape { m, rows, n, k } = shape;
    let valid: Vec<_> = (0..m).map(|r| batch::Row::new(0, r, 0)).collect();
    let mut batch = batch::words(&valid);
    batch.resize(batch::bytes(rows) as usize / 4, 0);
    let (stride, offset) = (n + 7, 3);
    let mut inputs = vec![batch, random_f32s(1, rows * k), random_f32s(2, rows * stride)];
    inputs.extend(random_planes(ty, 3, n, k));
    let (values, told) = match bias {
        CaseBias::None => (0, ""),
        CaseBias::OfWeights => (n, " biased"),
        CaseBias::OfRows => (n * rows, " biased by rows"),
    };
    if values > 0 {
        inputs.push(random_f32s(4, values));
    }
    let name = format!("{kernel} {ty} {m}/{rows}x{n}x{k} {epilogue:?}{told}");
    let case = KernelTest::new(name, inputs, vec![Output::f32(2)], move |mut places| {
        let bias = match bias {
            CaseBias::None => None,
            CaseBias::OfWeights => places.pop().map(Bias::OfWeights),
            CaseBias::OfRows => places.pop().map(Bias::OfRows),
        };
        let weights = WeightShard::over(ty, n, k, &places[3..]);
        let [batch, x, out] = [0, 1, 2].map(|i| places[i].clone());
        build(Matmul { batch, x, weights, bias, out, rows, out_stride: stride, out_offset: offset, epilogue })
    });
    case.weighted(CaseWeights { first: 3, ty, cols: k })
}
