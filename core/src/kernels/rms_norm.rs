//! Root-mean-square norm of each row.

use super::cpu::FastWay;
use super::verify::{KernelTest, Output, random_f32s};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu, grid_2d};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("rms_norm");
pub(super) const SUM_ONE: &str = wgsl!("shared/sum_one");
pub(super) const SUM_SHARED: &str = wgsl!("shared/sum_shared");
/// Where the rows of a norm go.
pub(super) const OUT: &str = wgsl!("shared/norm_out");

/// Where the rows of a norm go.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NormTarget {
    /// Values from one row of `out` to the next; a multiple of 4.
    pub stride: u32,
    /// Values of a row of `out` before the norm's; a multiple of 4.
    pub offset: u32,
    /// Whether the norm is added to what is there: the residual stream.
    pub adds: bool,
    /// What the norm is multiplied by.
    pub factor: f32,
}

impl NormTarget {
    /// Rows of `cols` values that are nothing but the norm.
    pub const fn rows(cols: u32) -> NormTarget {
        NormTarget { stride: cols, offset: 0, adds: false, factor: 1.0 }
    }

    /// The same, added to what is there.
    pub const fn added(cols: u32) -> NormTarget {
        NormTarget { adds: true, ..NormTarget::rows(cols) }
    }
}

/// `out[r] (+)= x[r] / sqrt(mean(x[r]²) + eps) * weight`.
#[derive(Serialize, Deserialize)]
pub struct RmsNorm {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows · parts, cols]`.
    #[serde(skip)]
    pub x: TensorRef,
    /// f32 `[cols]`, or `[parts, cols]`.
    #[serde(skip)]
    pub weight: TensorRef,
    /// f32 `[rows · parts, to.stride]`.
    #[serde(skip)]
    pub out: TensorRef,
    /// Where in `out`.
    pub to: NormTarget,
    /// Rows of the batch at most.
    pub rows: u32,
    /// Rows of x, and of `out`, that each of them has.
    pub parts: u32,
    /// Whether each part has weights of its own.
    pub weights_of_parts: bool,
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
        Variant::with_barriers_or_without(facts)
    }

    fn launch(&self, variant: Variant, facts: &AdapterInfo) -> LaunchConfig {
        let sum = if variant == Variant::Plain { SUM_ONE } else { SUM_SHARED };
        LaunchConfig {
            text: [batch::WGSL, sum, OUT, BODY].concat(),
            constants: [
                ("COLS", self.cols.into()),
                ("EPS", self.eps.into()),
                ("PARTS", self.parts.into()),
                ("WEIGHTS_OF_PARTS", self.weights_of_parts.into()),
            ]
            .into_iter()
            .chain(self.to.constants())
            .collect(),
            workgroups: grid_2d(self.rows * self.parts, facts),
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
        case(2, 256, self.to.adds, (if self.weights_of_parts { 2 } else { 1 }, self.weights_of_parts))
    }
}

impl RmsNorm {
    fn run_by(&self, arguments: &Arguments, norm: impl Fn(&[f32], &[f32], &mut [f32])) {
        let used = batch::count(&arguments.u32s("batch")) * (self.parts * self.cols) as usize;
        let (x, weight, mut out) = (arguments.f32s("x"), arguments.f32s("weight"), arguments.f32s_mut("out"));
        if self.to == NormTarget::rows(self.cols) && !self.weights_of_parts {
            return norm(&x[..used], &weight, &mut out[..used]);
        }
        let mut normed = vec![0.0; used];
        match self.weights_of_parts {
            false => norm(&x[..used], &weight, &mut normed),
            true => {
                let cols = self.cols as usize;
                let parts = x[..used].chunks_exact(cols).zip(normed.chunks_exact_mut(cols));
                parts.zip(weight.chunks_exact(cols).cycle()).for_each(|((x, normed), weight)| norm(x, weight, normed));
            }
        }
        self.to.put(&normed, self.cols, &mut out);
    }
}

impl NormTarget {
    pub(super) fn constants(&self) -> [(&'static str, f64); 4] {
        let NormTarget { stride, offset, adds, factor } = *self;
        [
            ("OUT_STRIDE", stride.into()),
            ("OUT_OFFSET", offset.into()),
            ("ADDS", adds.into()),
            ("OUT_FACTOR", factor.into()),
        ]
    }

    /// Puts rows of `cols` values where they belong.
    pub(super) fn put(&self, rows: &[f32], cols: u32, out: &mut [f32]) {
        let places = out.chunks_mut(self.stride as usize).map(|row| &mut row[self.offset as usize..]);
        for (row, out) in rows.chunks_exact(cols as usize).zip(places) {
            match self.adds {
                true => out.iter_mut().zip(row).for_each(|(out, value)| *out += self.factor * value),
                false => out.iter_mut().zip(row).for_each(|(out, value)| *out = self.factor * value),
            }
        }
    }
}

/// Cases at awkward shapes, one row skipped.
pub fn cases() -> Vec<KernelTest> {
    let shapes = [(1, 4), (3, 60), (2, 1760), (31, 256)];
    shapes
        .into_iter()
        .flat_map(|(rows, cols)| [false, true].map(|adds| case(rows, cols, adds, (1, false))))
        .chain([case(3, 32, true, (5, false)), case(3, 36, false, (5, true))])
        .collect()
}

/// Norms that are added stand in wider rows, so that a wrong stride shows.
fn case(rows: u32, cols: u32, adds: bool, (parts, weights_of_parts): (u32, bool)) -> KernelTest {
    let valid: Vec<_> = (0..rows).map(|r| batch::Row::new(0, r, 0)).collect();
    let to = if adds { NormTarget { stride: cols + 12, offset: 8, adds, factor: 0.7 } } else { NormTarget::rows(cols) };
    KernelTest::new(
        format!("rms_norm {rows}x{parts}x{cols} adds {adds} weights of parts {weights_of_parts}"),
        vec![
            batch::words(&valid),
            random_f32s(1, (rows + 1) * parts * cols),
            random_f32s(2, cols * if weights_of_parts { parts } else { 1 }),
            random_f32s(3, (rows + 1) * parts * to.stride),
        ],
        vec![Output::f32(3)],
        move |places| {
            let [batch, x, weight, out] = places.try_into().expect("four inputs");
            Box::new(RmsNorm { batch, x, weight, out, to, rows: rows + 1, parts, weights_of_parts, cols, eps: 1e-5 })
        },
    )
}
