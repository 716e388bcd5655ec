//! The sum of what a row's experts give, by their weights.

use crate::gpu::{AdapterInfo, RequiredFeatures};
use crate::kernels::rms_norm::{NormTarget, OUT};
use crate::kernels::verify::{KernelTest, Output, random_f32s};
use crate::kernels::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("experts/sum");

/// `out[r] (+)= scale · Σ_j weight(r, j) · parts[r · used + j]`.
#[derive(Serialize, Deserialize)]
pub struct ExpertSum {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows · used, cols]`.
    #[serde(skip)]
    pub parts: TensorRef,
    /// `[rows, 2 · used]`; see [`super::route`].
    #[serde(skip)]
    pub choices: TensorRef,
    /// f32 `[rows, cols]`.
    #[serde(skip)]
    pub out: TensorRef,
    /// Rows at most.
    pub rows: u32,
    /// Columns; a multiple of 4.
    pub cols: u32,
    /// Experts of a row.
    pub used: u32,
    /// What the sum is multiplied by.
    pub scale: f32,
    /// Whether it is added to what is there: the residual stream.
    pub adds: bool,
}

impl Kernel for ExpertSum {
    fn name(&self) -> &'static str {
        "expert_sum"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("parts", "array<vec4<f32>>", &self.parts),
            Operand::read("choices", "array<u32>", &self.choices),
            Operand::write("out", "array<vec4<f32>>", &self.out),
        ]
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        let mut constants = vec![("COLS", self.cols.into()), ("USED", self.used.into())];
        constants.extend(self.target().constants());
        LaunchConfig {
            text: [batch::WGSL, OUT, BODY].concat(),
            constants,
            workgroups: [(self.cols / 4).div_ceil(64), self.rows, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        let rows = batch::count(&arguments.u32s("batch"));
        let (parts, choices) = (arguments.f32s("parts"), arguments.u32s("choices"));
        let used = self.used as usize;
        let mut sums = vec![0.0; rows * self.cols as usize];
        cpu::sum_of_experts(&parts, &choices[..rows * 2 * used], used, &mut sums);
        self.target().put(&sums, self.cols, &mut arguments.f32s_mut("out"));
    }

    fn guard(&self) -> KernelTest {
        case(3, 260, 4, self.adds)
    }
}

impl ExpertSum {
    fn target(&self) -> NormTarget {
        NormTarget { adds: self.adds, factor: self.scale, ..NormTarget::rows(self.cols) }
    }
}

/// Cases at awkward shapes, one row skipped.
pub fn cases() -> Vec<KernelTest> {
    vec![case(1, 4, 1, true), case(3, 260, 4, false), case(7, 1760, 8, true)]
}

fn case(rows: u32, cols: u32, used: u32, adds: bool) -> KernelTest {
    let valid: Vec<_> = (0..rows).map(|r| batch::Row::new(0, r, 0)).collect();
    let inputs = vec![
        batch::words(&valid),
        random_f32s(1, (rows + 1) * used * cols),
        super::sort::random_choices(2, rows + 1, used, 16),
        random_f32s(3, (rows + 1) * cols),
    ];
    KernelTest::new(
        format!("expert_sum {rows}x{cols} of {used} adds {adds}"),
        inputs,
        vec![Output::f32(3)],
        move |places| {
            let [batch, parts, choices, out] = places.try_into().expect("four inputs");
            Box::new(ExpertSum { batch, parts, choices, out, rows: rows + 1, cols, used, scale: 0.7, adds })
        },
    )
}
