//! Two tensors in one: a scaled sum.

use super::verify::{KernelTest, Output, random_f32s};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("blend");

/// `out[r] = factor · (out[r] + x[r])`.
#[derive(Serialize, Deserialize)]
pub struct Blend {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, cols]`.
    #[serde(skip)]
    pub x: TensorRef,
    /// f32 `[rows, cols]`.
    #[serde(skip)]
    pub out: TensorRef,
    /// Rows at most.
    pub rows: u32,
    /// Columns; a multiple of 4.
    pub cols: u32,
    /// The factor.
    pub factor: f32,
}

impl Kernel for Blend {
    fn name(&self) -> &'static str {
        "blend"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("x", "array<vec4<f32>>", &self.x),
            Operand::write("out", "array<vec4<f32>>", &self.out),
        ]
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        LaunchConfig {
            text: [batch::WGSL, BODY].concat(),
            constants: vec![("COLS", self.cols.into()), ("FACTOR", self.factor.into())],
            workgroups: [(self.cols / 4).div_ceil(64), self.rows, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        let used = batch::count(&arguments.u32s("batch")) * self.cols as usize;
        let (x, mut out) = (arguments.f32s("x"), arguments.f32s_mut("out"));
        out[..used].iter_mut().zip(&x[..used]).for_each(|(out, x)| *out = self.factor * (*out + x));
    }

    fn guard(&self) -> KernelTest {
        case(3, 260)
    }
}

/// Cases at awkward shapes, one row skipped.
pub fn cases() -> Vec<KernelTest> {
    vec![case(1, 4), case(3, 260)]
}

fn case(rows: u32, cols: u32) -> KernelTest {
    let valid: Vec<_> = (0..rows).map(|r| batch::Row::new(0, r, 0)).collect();
    let len = (rows + 1) * cols;
    let inputs = vec![batch::words(&valid), random_f32s(1, len), random_f32s(2, len)];
    KernelTest::new(format!("blend {rows}x{cols}"), inputs, vec![Output::f32(2)], move |places| {
        let [batch, x, out] = places.try_into().expect("three inputs");
        Box::new(Blend { batch, x, out, rows: rows + 1, cols, factor: 0.7 })
    })
}
