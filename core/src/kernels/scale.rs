//! A factor that a model has learned, for rows of a tensor in place.

use super::verify::{KernelTest, Output, random_f32s};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("scale");

/// `x[r] *= factor`.
#[derive(Serialize, Deserialize)]
pub struct Scale {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, cols]`.
    #[serde(skip)]
    pub x: TensorRef,
    /// f32 `[1]`.
    #[serde(skip)]
    pub factor: TensorRef,
    /// Rows at most.
    pub rows: u32,
    /// Columns; a multiple of 4.
    pub cols: u32,
}

impl Kernel for Scale {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::write("x", "array<vec4<f32>>", &self.x),
            Operand::read("factor", "array<f32>", &self.factor),
        ]
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        LaunchConfig {
            text: [batch::WGSL, BODY].concat(),
            constants: vec![("COLS", self.cols.into())],
            workgroups: [(self.cols / 4).div_ceil(64), self.rows, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        let used = batch::count(&arguments.u32s("batch")) * self.cols as usize;
        let factor = arguments.f32s("factor")[0];
        arguments.f32s_mut("x")[..used].iter_mut().for_each(|x| *x *= factor);
    }

    fn guard(&self) -> KernelTest {
        case(3, 260)
    }
}

/// Cases at awkward shapes, one row skipped.
pub fn cases() -> Vec<KernelTest> {
    vec![case(1, 4), case(3, 260), case(7, 1760)]
}

fn case(rows: u32, cols: u32) -> KernelTest {
    let valid: Vec<_> = (0..rows).map(|r| batch::Row::new(0, r, 0)).collect();
    let inputs = vec![batch::words(&valid), random_f32s(1, (rows + 1) * cols), random_f32s(2, 1)];
    KernelTest::new(format!("scale {rows}x{cols}"), inputs, vec![Output::f32(1)], move |places| {
        let [batch, x, factor] = places.try_into().expect("three inputs");
        Box::new(Scale { batch, x, factor, rows: rows + 1, cols })
    })
}
