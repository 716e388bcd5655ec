//! Pooling: one vector for the rows of each sequence of a step.

use super::batch::Row;
use super::verify::{KernelTest, Output, random_f32s};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("pool");

/// `out[s]` is the mean of some rows of x, or one of them. The batch is one of its own, with a row a sequence: see [`rows_of`].
#[derive(Serialize, Deserialize)]
pub struct Pool {
    /// The batch of sequences.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, cols]`.
    #[serde(skip)]
    pub x: TensorRef,
    /// f32 `[sequences, cols]`.
    #[serde(skip)]
    pub out: TensorRef,
    /// Sequences at most.
    pub sequences: u32,
    /// Columns; a multiple of 4.
    pub cols: u32,
}

/// The row of a batch of sequences that asks for the mean of the rows from `first` to `last`, of which there must be as many.
pub const fn rows_of(first: u32, last: u32) -> Row {
    Row::new(first, last, 0)
}

impl Kernel for Pool {
    fn name(&self) -> &'static str {
        "pool"
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
            constants: vec![("COLS", self.cols.into())],
            workgroups: [(self.cols / 4).div_ceil(64), self.sequences, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        let (batch, x) = (arguments.u32s("batch"), arguments.f32s("x"));
        cpu::pool(batch::rows(&batch), &x, self.cols as usize, &mut arguments.f32s_mut("out"));
    }

    fn guard(&self) -> KernelTest {
        case(&[(0, 6), (7, 7), (8, 40)], 260)
    }
}

/// Cases of one row and of many, at awkward widths.
pub fn cases() -> Vec<KernelTest> {
    vec![case(&[(0, 0)], 4), case(&[(3, 3), (0, 2), (4, 36)], 260), case(&[(0, 30), (31, 63), (20, 20), (0, 63)], 1760)]
}

fn case(ranges: &[(u32, u32)], cols: u32) -> KernelTest {
    let valid: Vec<_> = ranges.iter().map(|(first, last)| rows_of(*first, *last)).collect();
    let rows = ranges.iter().map(|(_, last)| last + 1).max().unwrap_or(1);
    let sequences = ranges.len() as u32 + 1;
    let inputs = vec![batch::words(&valid), random_f32s(1, rows * cols), vec![0; (sequences * cols) as usize]];
    KernelTest::new(format!("pool {ranges:?} of {cols}"), inputs, vec![Output::f32(2)], move |places| {
        let [batch, x, out] = places.try_into().expect("three inputs");
        Box::new(Pool { batch, x, out, sequences, cols })
    })
}
