//! Layer norm of each row: the mean taken off, then divided by the standard deviation.

use super::cpu::FastWay;
use super::rms_norm::{NormTarget, OUT, SUM_ONE, SUM_SHARED};
use super::verify::{KernelTest, Output, random_f32s};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("layer_norm");
const BIAS: &str = wgsl!("layer_norm/bias");
const NO_BIAS: &str = wgsl!("layer_norm/no_bias");

/// `out[r] (+)= (x[r] - mean(x[r])) / sqrt(variance(x[r]) + eps) * weight (+ bias)`.
#[derive(Serialize, Deserialize)]
pub struct LayerNorm {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, cols]`.
    #[serde(skip)]
    pub x: TensorRef,
    /// f32 `[cols]`.
    #[serde(skip)]
    pub weight: TensorRef,
    /// f32 `[cols]`.
    pub bias: Option<TensorRef>,
    /// f32 `[rows, to.stride]`.
    #[serde(skip)]
    pub out: TensorRef,
    /// Where in `out`.
    pub to: NormTarget,
    /// Rows at most.
    pub rows: u32,
    /// Columns; a multiple of 4.
    pub cols: u32,
    /// Added to the variance.
    pub eps: f32,
}

impl Kernel for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn operands(&self) -> Vec<Operand> {
        let mut operands = vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("x", "array<vec4<f32>>", &self.x),
            Operand::read("weight", "array<vec4<f32>>", &self.weight),
            Operand::write("out", "array<vec4<f32>>", &self.out),
        ];
        operands.extend(self.bias.iter().map(|bias| Operand::read("bias", "array<vec4<f32>>", bias)));
        operands
    }

    fn class(&self) -> String {
        if self.bias.is_some() { "biased".into() } else { String::new() }
    }

    fn variants(&self, facts: &AdapterInfo) -> Vec<Variant> {
        Variant::with_barriers_or_without(facts)
    }

    fn launch(&self, variant: Variant, _: &AdapterInfo) -> LaunchConfig {
        let sum = if variant == Variant::Plain { SUM_ONE } else { SUM_SHARED };
        let bias = if self.bias.is_some() { BIAS } else { NO_BIAS };
        let mut constants = vec![("COLS", self.cols.into()), ("EPS", self.eps.into())];
        constants.extend(self.to.constants());
        LaunchConfig {
            text: [batch::WGSL, sum, OUT, bias, BODY].concat(),
            constants,
            workgroups: [self.rows, 1, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        self.run_by(arguments, |x, weight, bias, out| cpu::layer_norm(x, weight, bias, out, self.eps));
    }

    fn run_fast(&self, arguments: &Arguments, way: FastWay) -> bool {
        self.run_by(arguments, |x, weight, bias, out| cpu::fast_layer_norm(way, x, weight, bias, out, self.eps));
        true
    }

    fn guard(&self) -> KernelTest {
        case(2, 256, self.to.adds, self.bias.is_some())
    }
}

impl LayerNorm {
    fn run_by(&self, arguments: &Arguments, norm: impl Fn(&[f32], &[f32], Option<&[f32]>, &mut [f32])) {
        let used = batch::count(&arguments.u32s("batch")) * self.cols as usize;
        let (x, weight) = (arguments.f32s("x"), arguments.f32s("weight"));
        let bias = self.bias.is_some().then(|| arguments.f32s("bias"));
        let mut normed = vec![0.0; used];
        norm(&x[..used], &weight, bias.as_deref(), &mut normed);
        self.to.put(&normed, self.cols, &mut arguments.f32s_mut("out"));
    }
}

/// Cases at awkward shapes, one row skipped.
pub fn cases() -> Vec<KernelTest> {
    let shapes = [(1, 4, false), (3, 60, true), (2, 1760, false), (31, 256, true)];
    let both = |(rows, cols, adds)| [false, true].map(|biased| case(rows, cols, adds, biased));
    shapes.into_iter().flat_map(both).collect()
}

/// Rows whose mean is far from zero. Norms that are added stand in wider rows, so that a wrong stride shows.
fn case(rows: u32, cols: u32, adds: bool, biased: bool) -> KernelTest {
    let valid: Vec<_> = (0..rows).map(|r| batch::Row::new(0, r, 0)).collect();
    let to = if adds { NormTarget { stride: cols + 12, offset: 8, adds, factor: 0.7 } } else { NormTarget::rows(cols) };
    let x = random_f32s(1, (rows + 1) * cols).into_iter().map(|word| (f32::from_bits(word) + 3.0).to_bits()).collect();
    let mut inputs = vec![batch::words(&valid), x, random_f32s(2, cols), random_f32s(3, (rows + 1) * to.stride)];
    if biased {
        inputs.push(random_f32s(4, cols));
    }
    let name = format!("layer_norm {rows}x{cols} adds {adds}{}", if biased { " biased" } else { "" });
    KernelTest::new(name, inputs, vec![Output::f32(3)], move |mut places| {
        let bias = biased.then(|| places.pop().expect("a bias"));
        let [batch, x, weight, out] = places.try_into().expect("four inputs before the bias");
        Box::new(LayerNorm { batch, x, weight, bias, out, to, rows: rows + 1, cols, eps: 1e-5 })
    })
}
