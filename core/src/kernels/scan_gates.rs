//! The gates of a recurrence ([`scan`](super::scan)), from what a row says of them and what a model has learned.

use super::verify::{KernelTest, Output, random_f32s};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("scan_gates");

/// Of each head: `time = softplus(x + bias)`, `decay = exp(rate · time)`; its step is the time, or a sigmoid of a column of its own, and its
/// skip what the model has learned, or 0.
#[derive(Serialize, Deserialize)]
pub struct ScanGates {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, stride]`: times from column `times` on.
    #[serde(skip)]
    pub x: TensorRef,
    /// f32 `[2, heads]`: rate, bias; a third row where there are skips.
    #[serde(skip)]
    pub learned: TensorRef,
    /// f32 `[rows, 3, heads]`: decay, step, skip.
    #[serde(skip)]
    pub out: TensorRef,
    /// Rows at most.
    pub rows: u32,
    /// Heads.
    pub heads: u32,
    /// Columns of x.
    pub stride: u32,
    /// The column at which times begin.
    pub times: u32,
    /// The column at which steps begin, where they are their own.
    pub steps: Option<u32>,
    /// Whether there are skips.
    pub skips: bool,
}

impl Kernel for ScanGates {
    fn name(&self) -> &'static str {
        "scan_gates"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("x", "array<f32>", &self.x),
            Operand::read("learned", "array<f32>", &self.learned),
            Operand::write("out", "array<f32>", &self.out),
        ]
    }

    fn class(&self) -> String {
        format!("{} {}", self.steps.is_some(), self.skips)
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        LaunchConfig {
            text: [batch::WGSL, BODY].concat(),
            constants: vec![
                ("HEADS", self.heads.into()),
                ("STRIDE", self.stride.into()),
                ("TIMES", self.times.into()),
                ("HAS_STEPS", self.steps.is_some().into()),
                ("STEPS", self.steps.unwrap_or(0).into()),
                ("SKIPS", self.skips.into()),
            ],
            workgroups: [self.heads.div_ceil(64), self.rows, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        cpu::scan_gates(
            batch::count(&arguments.u32s("batch")),
            (&arguments.f32s("x"), self.stride, self.times, self.steps),
            (&arguments.f32s("learned"), self.heads, self.skips),
            &mut arguments.f32s_mut("out"),
        );
    }

    fn guard(&self) -> KernelTest {
        case(3, 7, self.steps.is_some(), self.skips)
    }
}

/// Cases at awkward shapes, one row skipped.
pub fn cases() -> Vec<KernelTest> {
    vec![case(3, 7, true, false), case(5, 70, false, true), case(1, 1, false, false)]
}

fn case(rows: u32, heads: u32, has_steps: bool, skips: bool) -> KernelTest {
    let valid: Vec<_> = (0..rows).map(|r| batch::Row::new(0, r, 0)).collect();
    let (stride, times) = (2 * heads + 5, 3);
    let steps = has_steps.then_some(heads + 4);
    // Times from far below 0 to far above, where the softplus is its argument; rates are negative.
    let x = random_f32s(1, (rows + 1) * stride).into_iter().map(|word| (f32::from_bits(word).powi(3) * 40.0).to_bits());
    let mut learned = random_f32s(2, 3 * heads);
    learned[..heads as usize].iter_mut().for_each(|rate| *rate = (-f32::from_bits(*rate).abs()).to_bits());
    let inputs = vec![batch::words(&valid), x.collect(), learned, vec![0; ((rows + 1) * 3 * heads) as usize]];
    let name = format!("scan_gates {rows}x{heads} steps {has_steps} skips {skips}");
    KernelTest::new(name, inputs, vec![Output::f32(3)], move |places| {
        let [batch, x, learned, out] = places.try_into().expect("four inputs");
        Box::new(ScanGates { batch, x, learned, out, rows: rows + 1, heads, stride, times, steps, skips })
    })
}
