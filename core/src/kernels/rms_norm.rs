//! Root-mean-square norm of each row.

use super::cpu::FastWay;
use super::verify::{KernelTest, Output, random_f32s};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("rms_norm");
const SUM_ONE: &str = wgsl!("shared/sum_one");
const SUM_SHARED: &str = wgsl!("shared/sum_shared");

/// `out[r] = x[r] / sqrt(mean(x[r]²) + eps) * weight`.
#[derive(Serialize, Deserialize)]
pub struct RmsNorm {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, cols]`.
    #[serde(skip)]
    pub x: TensorRef,
    /// f32 `[cols]`.
    #[serde(skip)]
    pub weight: TensorRef,
    /// f32 `[rows, cols]`.
    #[serde(skip)]
    pub out: TensorRef,
    /// Rows at most.
    pub rows: u32,
    /// Columns; a multiple of 4.
    pub cols: u32,
    /// Added to the mean square.
    pub eps: f32,
}

impl Kernel for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("x", "array<vec4<f32>>", &self.x),
            Operand::read("weight", "array<vec4<f32>>", &self.weight),
            Operand::write("out", "array<vec4<f32>>", &self.out),
        ]
    }

    fn variants(&self, facts: &AdapterInfo) -> Vec<Variant> {
        match facts.software {
            true => vec![Variant::Plain, Variant::Shared],
            false => vec![Variant::Shared, Variant::Plain],
        }
    }

    fn launch(&self, variant: Variant, _: &AdapterInfo) -> LaunchConfig {
        let sum = if variant == Variant::Plain { SUM_ONE } else { SUM_SHARED };
        LaunchConfig {
            text: [batch::WGSL, sum, BODY].concat(),
            constants: vec![("COLS", self.cols.into()), ("EPS", self.eps.into())],
            workgroups: [self.rows, 1, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        self.run_by(arguments, |x, weight, out| cpu::rms_norm(x, weight, out, self.eps));
    }

    fn run_fast(&self, arguments: &Arguments, way: FastWay) -> bool {
        self.run_by(arguments, |x, weight, out| cpu::fast_rms_norm(way, x, weight, out, self.eps));
        true
    }

    fn guard(&self) -> KernelTest {
        case(2, 256)
    }
}

impl RmsNorm {
    fn run_by(&self, arguments: &Arguments, norm: impl FnOnce(&[f32], &[f32], &mut [f32])) {
        let used = batch::count(&arguments.u32s("batch")) * self.cols as usize;
        let (x, weight, mut out) = (arguments.f32s("x"), arguments.f32s("weight"), arguments.f32s_mut("out"));
        norm(&x[..used], &weight, &mut out[..used]);
    }
}

/// Cases at awkward shapes, one row skipped.
pub fn cases() -> Vec<KernelTest> {
    [(1, 4), (3, 60), (2, 1760), (31, 256)].into_iter().map(|(rows, cols)| case(rows, cols)).collect()
}

fn case(rows: u32, cols: u32) -> KernelTest {
    let valid: Vec<_> = (0..rows).map(|r| batch::Row::new(0, r, 0)).collect();
    KernelTest::new(
        format!("rms_norm {rows}x{cols}"),
        vec![
            batch::words(&valid),
            random_f32s(1, (rows + 1) * cols),
            random_f32s(2, cols),
            vec![0; ((rows + 1) * cols) as usize],
        ],
        vec![Output::f32(3)],
        move |places| {
            let [batch, x, weight, out] = places.try_into().expect("four inputs");
            Box::new(RmsNorm { batch, x, weight, out, rows: rows + 1, cols, eps: 1e-5 })
        },
    )
}
