//! The gate of a feed-forward layer, where gate and up were made by two matmuls.

use super::verify::{KernelTest, Output, random_f32s};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("gated_activation");

/// WGSL of the activations.
pub(super) const ACTIVATE: &str = wgsl!("shared/activate");

/// A nonlinearity, by itself or of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activation {
    /// `v * sigmoid(v)`.
    Silu,
    /// GELU in its tanh form.
    GeluTanh,
    /// GELU by the error function.
    Gelu,
    /// `max(v, 0)²`.
    ReluSquared,
    /// `g * sigmoid(1.702 g) * (u + 1)` with `g` at most 7 and `u` within ±7, as gpt-oss gates. By itself, `u` is 0.
    ClampedSilu,
    /// `sigmoid(v)`.
    Sigmoid,
}

impl Activation {
    /// All of them.
    pub const ALL: [Activation; 6] = [
        Activation::Silu,
        Activation::GeluTanh,
        Activation::Gelu,
        Activation::ReluSquared,
        Activation::ClampedSilu,
        Activation::Sigmoid,
    ];

    /// Its number in `shaders/shared/activate.wgsl`.
    pub(super) fn code(self) -> f64 {
        f64::from(self as u8)
    }
}

/// `out[r] = act(gate[r]) * up[r]`.
#[derive(Serialize, Deserialize)]
pub struct GatedActivation {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, cols]`.
    #[serde(skip)]
    pub gate: TensorRef,
    /// f32 `[rows, up_stride]`, of which columns from `up_offset` on.
    #[serde(skip)]
    pub up: TensorRef,
    /// Values from one row of `up` to the next; a multiple of 4.
    pub up_stride: u32,
    /// Values of a row of `up` before those that count; a multiple of 4.
    pub up_offset: u32,
    /// f32 `[rows, cols]`.
    #[serde(skip)]
    pub out: TensorRef,
    /// Rows at most.
    pub rows: u32,
    /// Columns; a multiple of 4.
    pub cols: u32,
    /// The nonlinearity.
    pub activation: Activation,
}

impl Kernel for GatedActivation {
    fn name(&self) -> &'static str {
        "gated_activation"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("gate", "array<vec4<f32>>", &self.gate),
            Operand::read("up", "array<vec4<f32>>", &self.up),
            Operand::write("out", "array<vec4<f32>>", &self.out),
        ]
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        LaunchConfig {
            text: [batch::WGSL, ACTIVATE, BODY].concat(),
            constants: vec![
                ("COLS", self.cols.into()),
                ("UP_STRIDE", self.up_stride.into()),
                ("UP_OFFSET", self.up_offset.into()),
                ("ACTIVATION", self.activation.code()),
            ],
            workgroups: [(self.cols / 4).div_ceil(64), self.rows, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn guard(&self) -> KernelTest {
        case(3, 260, self.activation)
    }

    fn run(&self, arguments: &Arguments) {
        let (rows, cols) = (batch::count(&arguments.u32s("batch")), self.cols as usize);
        let (gate, up, mut out) = (arguments.f32s("gate"), arguments.f32s("up"), arguments.f32s_mut("out"));
        let ups = up.chunks(self.up_stride as usize).map(|up| &up[self.up_offset as usize..][..cols]);
        for ((gate, up), out) in gate.chunks_exact(cols).zip(ups).zip(out.chunks_exact_mut(cols)).take(rows) {
            cpu::gated_activation(gate, up, self.activation, out);
        }
    }
}

/// Cases at awkward shapes, one row skipped; arguments up to ±100, where exp and tanh have long met their limits.
pub fn cases() -> Vec<KernelTest> {
    let each = Activation::ALL.into_iter().map(|activation| case(3, 260, activation));
    each.chain([case(1, 4, Activation::Silu), case(31, 1760, Activation::Silu)]).collect()
}

fn case(rows: u32, cols: u32, activation: Activation) -> KernelTest {
    let valid: Vec<_> = (0..rows).map(|r| batch::Row::new(0, r, 0)).collect();
    // The ups stand in wider rows, so that a wrong stride shows.
    let (len, up_stride, up_offset) = ((rows + 1) * cols, cols + 12, 8);
    let gate = random_f32s(1, len).into_iter().map(|word| (f32::from_bits(word).powi(3) * 100.0).to_bits()).collect();
    KernelTest::new(
        format!("gated_activation {activation:?} {rows}x{cols}"),
        vec![batch::words(&valid), gate, random_f32s(2, (rows + 1) * up_stride), vec![0; len as usize]],
        vec![Output::f32(3)],
        move |places| {
            let [batch, gate, up, out] = places.try_into().expect("four inputs");
            Box::new(GatedActivation { batch, gate, up, up_stride, up_offset, out, rows: rows + 1, cols, activation })
        },
    )
}
