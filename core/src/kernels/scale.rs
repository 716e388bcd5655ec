//! A factor for rows of a tensor in place: one that a model has learned, or a gate of each row.

use super::verify::{KernelTest, Output, random_f32s};
use super::{Activation, Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("scale");

/// `x[r] *= factor`, or `x[r] *= sigmoid(factor[r])`.
#[derive(Serialize, Deserialize)]
pub struct Scale {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, cols]`.
    #[serde(skip)]
    pub x: TensorRef,
    /// f32 `[1]`, or `[rows]`.
    #[serde(skip)]
    pub factor: TensorRef,
    /// Whether each row has a gate.
    pub is_gate: bool,
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
            constants: vec![("COLS", self.cols.into()), ("IS_GATE", self.is_gate.into())],
            workgroups: [(self.cols / 4).div_ceil(64), self.rows, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        let (factors, mut x) = (arguments.f32s("factor"), arguments.f32s_mut("x"));
        let rows = x.chunks_exact_mut(self.cols as usize).take(batch::count(&arguments.u32s("batch")));
        for (r, row) in rows.enumerate() {
            let factor = match self.is_gate {
                true => cpu::activate(factors[r], Activation::Sigmoid),
                false => factors[0],
            };
            row.iter_mut().for_each(|x| *x *= factor);
        }
    }

    fn guard(&self) -> KernelTest {
        case(3, 260, self.is_gate)
    }
}

/// Cases at awkward shapes, one row skipped.
pub fn cases() -> Vec<KernelTest> {
    vec![case(1, 4, false), case(3, 260, false), case(3, 260, true), case(7, 1760, true)]
}

fn case(rows: u32, cols: u32, is_gate: bool) -> KernelTest {
    let valid: Vec<_> = (0..rows).map(|r| batch::Row::new(0, r, 0)).collect();
    let inputs = vec![batch::words(&valid), random_f32s(1, (rows + 1) * cols), random_f32s(2, rows + 1)];
    KernelTest::new(format!("scale {rows}x{cols} gate {is_gate}"), inputs, vec![Output::f32(1)], move |places| {
        let [batch, x, factor] = places.try_into().expect("three inputs");
        Box::new(Scale { batch, x, factor, is_gate, rows: rows + 1, cols })
    })
}
