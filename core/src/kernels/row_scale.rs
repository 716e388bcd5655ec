//! What rows of a tensor become by figures of whole rows: those of another's length, and those of which only outstanding values stay.

use super::rms_norm::{SUM_ONE, SUM_SHARED};
use super::verify::{KernelTest, Output, random_f32s};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("row_scale");
const LIKE: &str = wgsl!("row_scale/like");
const SPARSE: &str = wgsl!("row_scale/sparse");

/// What becomes of a row.
#[derive(Serialize, Deserialize)]
pub enum RowRule {
    /// `x[r] *= rms(like[r]) / max(rms(x[r]), eps)`, where the square of eps is 1e-5: `like` is f32 `[rows, cols]`.
    Like(TensorRef),
    /// `x[r] = max(x[r] − mean(x[r]) − deviations · deviation(x[r]), 0)`.
    Sparse {
        /// Standard deviations above the mean.
        deviations: f32,
    },
}

/// Changes rows in place.
#[derive(Serialize, Deserialize)]
pub struct RowScale {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, cols]`.
    #[serde(skip)]
    pub x: TensorRef,
    /// How.
    pub rule: RowRule,
    /// Rows at most.
    pub rows: u32,
    /// Columns; a multiple of 4.
    pub cols: u32,
}

impl Kernel for RowScale {
    fn name(&self) -> &'static str {
        "row_scale"
    }

    fn operands(&self) -> Vec<Operand> {
        let mut operands =
            vec![Operand::read("batch", "Batch", &self.batch), Operand::write("x", "array<vec4<f32>>", &self.x)];
        if let RowRule::Like(like) = &self.rule {
            operands.push(Operand::read("like", "array<vec4<f32>>", like));
        }
        operands
    }

    fn class(&self) -> String {
        match self.rule {
            RowRule::Like(_) => "like".into(),
            RowRule::Sparse { .. } => "sparse".into(),
        }
    }

    fn variants(&self, facts: &AdapterInfo) -> Vec<Variant> {
        Variant::with_barriers_or_without(facts)
    }

    fn launch(&self, variant: Variant, _: &AdapterInfo) -> LaunchConfig {
        let sum = if variant == Variant::Plain { SUM_ONE } else { SUM_SHARED };
        let mut constants = vec![("COLS", self.cols.into())];
        let rule = match self.rule {
            RowRule::Like(_) => LIKE,
            RowRule::Sparse { deviations } => {
                constants.push(("DEVIATIONS", deviations.into()));
                SPARSE
            }
        };
        LaunchConfig {
            text: [batch::WGSL, sum, rule, BODY].concat(),
            constants,
            workgroups: [self.rows, 1, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        let (cols, used) = (self.cols as usize, batch::count(&arguments.u32s("batch")));
        let mut x = arguments.f32s_mut("x");
        let rows = x.chunks_exact_mut(cols).take(used);
        match self.rule {
            RowRule::Like(_) => {
                let like = arguments.f32s("like");
                rows.zip(like.chunks_exact(cols)).for_each(|(row, like)| cpu::scale_like(row, like));
            }
            RowRule::Sparse { deviations } => rows.for_each(|row| cpu::keep_outstanding(row, deviations)),
        }
    }

    fn guard(&self) -> KernelTest {
        match self.rule {
            RowRule::Like(_) => case(2, 256, None),
            RowRule::Sparse { .. } => case(2, 256, Some(0.7)),
        }
    }
}

/// Cases of both at awkward shapes, one row skipped.
pub fn cases() -> Vec<KernelTest> {
    vec![case(1, 4, None), case(3, 60, None), case(31, 256, None), case(3, 60, Some(1.6)), case(2, 1760, Some(0.7))]
}

fn case(rows: u32, cols: u32, sparse: Option<f32>) -> KernelTest {
    let valid: Vec<_> = (0..rows).map(|r| batch::Row::new(0, r, 0)).collect();
    let len = (rows + 1) * cols;
    let inputs = vec![batch::words(&valid), random_f32s(1, len), random_f32s(2, len)];
    KernelTest::new(format!("row_scale {rows}x{cols} sparse {sparse:?}"), inputs, vec![Output::f32(1)], move |places| {
        let [batch, x, like] = places.try_into().expect("three inputs");
        let rule = sparse.map_or(RowRule::Like(like), |deviations| RowRule::Sparse { deviations });
        Box::new(RowScale { batch, x, rule, rows: rows + 1, cols })
    })
}
