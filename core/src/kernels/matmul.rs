//! What the matmul kernels have in common: operands, modes and the twin. `gemv` and `gemm` hold the variants.

use super::gated_activation::ACTIVATE;
use super::verify::{KernelTest, Output, random_f32s};
use super::weights::{WeightShard, random_planes};
use super::{Activation, Kernel, LaunchConfig, Operand, TensorRef, batch, cpu};
use crate::device::Slice;
use crate::gpu::RequiredFeatures;
use inglenook_format::quant::WeightType;

macro_rules! wgsl {
    ($name:literal) => {
        include_str!(concat!("../../../shaders/shared/", $name, ".wgsl"))
    };
}
const BIAS: &str = wgsl!("matmul/bias");
const NO_BIAS: &str = wgsl!("matmul/no_bias");
const EPILOGUE: &str = wgsl!("matmul/epilogue");
const DOTS: &str = wgsl!("matmul/dots");
/// Every invocation loads its own inputs.
pub(super) const INPUTS: &str = wgsl!("matmul/inputs");
/// Quads share their loads of inputs.
pub(super) const QUAD_INPUTS: &str = wgsl!("matmul/quad_inputs");

/// First binding of the weights; batch, x and out come before.
const FIRST_PLANE: u32 = 3;

/// What becomes of the dot products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epilogue {
    /// `out = sum`.
    Store,
    /// `out += sum`: the residual stream.
    Add,
    /// The shard's first half of rows are gates, the second half ups: `out[n] = act(gate n) * up n`, half as many outputs.
    Gated(Activation),
}

/// `out[m, out_offset + n] (op)= weights[n] · x[m] (+ bias[n])` for the rows of one weight shard.
#[derive(Debug, Clone)]
pub struct Matmul {
    /// The batch.
    pub batch: TensorRef,
    /// f32 `[rows, weights.cols]`.
    pub x: TensorRef,
    /// The weights; an even number of rows where gated.
    pub weights: WeightShard,
    /// f32 `[weights.rows]`.
    pub bias: Option<TensorRef>,
    /// f32 `[rows, out_stride]`.
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
        let mut operands = vec![Operand::read(&self.batch), Operand::read(&self.x), Operand::write(&self.out)];
        operands.extend(self.weights.operands());
        operands.extend(self.bias.iter().map(Operand::read));
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

    fn text(&self, body: &[&str]) -> String {
        let mut text = batch::WGSL.to_string();
        text += "@group(0) @binding(0) var<storage, read> batch: Batch;\n";
        text += "@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;\n";
        text += "@group(0) @binding(2) var<storage, read_write> out: array<f32>;\n";
        text += &self.weights.wgsl(FIRST_PLANE);
        if self.bias.is_some() {
            let binding = FIRST_PLANE as usize + self.weights.operands().len();
            text += &format!("@group(0) @binding({binding}) var<storage, read> bias: array<f32>;\n");
        }
        let bias = if self.bias.is_some() { BIAS } else { NO_BIAS };
        text + &[ACTIVATE, bias, EPILOGUE, DOTS].concat() + &body.concat()
    }

    fn constants(&self) -> Vec<(&'static str, f64)> {
        let mode = match self.epilogue {
            Epilogue::Store => 0,
            Epilogue::Add => 1,
            Epilogue::Gated(Activation::Silu) => 2,
            Epilogue::Gated(Activation::GeluTanh) => 3,
        };
        vec![
            ("ROWS", self.weights.rows.into()),
            ("CHUNKS", self.weights.chunks().into()),
            ("MODE", mode.into()),
            ("OUT_STRIDE", self.out_stride.into()),
            ("OUT_OFFSET", self.out_offset.into()),
        ]
    }

    /// The twin.
    pub(super) fn run(&self, operands: &[Slice]) {
        let [batch, x, out, rest @ ..] = operands else { unreachable!("operands() has four or more") };
        let m_count = batch::count(&batch.u32s());
        let (planes, rest) = cpu::HostPlanes::split(self.weights.ty, rest);
        let weights = planes.rows(self.weights.ty, self.weights.cols as usize);
        let used = m_count * self.weights.cols as usize;
        let sums = cpu::dot_products(weights, self.weights.rows as usize, &x.f32s()[..used]);
        let bias = rest.first().map(Slice::f32s);
        let mut out = out.f32s_mut();
        let out = cpu::Strided { values: &mut out, stride: self.out_stride as usize, offset: self.out_offset as usize };
        cpu::finish(&sums, bias.as_deref(), self.epilogue, m_count, out);
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

/// A case of `kernel` for one weight type and mode. Outputs stand in wider rows, so that a wrong stride shows.
pub(super) fn case(
    kernel: &'static str,
    ty: WeightType,
    shape: Shape,
    epilogue: Epilogue,
    biased: bool,
    build: fn(Matmul) -> Box<dyn Kernel>,
) -> KernelTest {
    let Shape { m, rows, n, k } = shape;
    let valid: Vec<_> = (0..m).map(|r| batch::Row::new(0, r, 0)).collect();
    let mut batch = batch::words(&valid);
    batch.resize(batch::bytes(rows) as usize / 4, 0);
    let (stride, offset) = (n + 7, 3);
    let mut inputs = vec![batch, random_f32s(1, rows * k), random_f32s(2, rows * stride)];
    inputs.extend(random_planes(ty, 3, n, k));
    if biased {
        inputs.push(random_f32s(4, n));
    }
    let name = format!("{kernel} {ty} {m}/{rows}x{n}x{k} {epilogue:?}{}", if biased { " biased" } else { "" });
    KernelTest::new(name, inputs, vec![Output::f32(2)], move |mut places| {
        let bias = biased.then(|| places.pop().expect("a bias"));
        let weights = WeightShard::over(ty, n, k, &places[3..]);
        let [batch, x, out] = [0, 1, 2].map(|i| places[i].clone());
        build(Matmul { batch, x, weights, bias, out, rows, out_stride: stride, out_offset: offset, epilogue })
    })
}
