//! Attention over the paged cache, for prefill and for decode: causal, but for rows that see positions behind their own.

use super::batch::Row;
use super::cpu::FastWay;
use super::kv::{self, KvShape};
use super::verify::KernelTest;
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{Access, AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

mod cases;

pub use cases::cases;

const SINKS: &str = wgsl!("shared/attention_sinks");
const NO_SINKS: &str = wgsl!("shared/attention_no_sinks");
const COMMON: &str = wgsl!("shared/attention");
const LOAD: &str = wgsl!("shared/kv_load");
const PLAIN: &str = wgsl!("attention_plain");
const SHARED: &str = wgsl!("attention_shared");

/// Queries that a workgroup of the shared variant answers.
const QUERIES: u32 = 32;

/// Sizes of an attention.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AttentionShape {
    /// Query heads.
    pub heads: u32,
    /// Columns of a row of `q`.
    pub qkv_width: u32,
    /// Scores are multiplied by this; usually `1 / sqrt(head_dim)`.
    pub scale: f32,
    /// Scores stay within `±cap`, by `cap · tanh(score / cap)`, where there is one.
    pub cap: Option<f32>,
    /// ALiBi: from scores their distance is taken, by the head's slope, where there is this: see [`AttentionShape::slope`].
    pub max_bias: Option<f32>,
    /// Parts into which positions are split; more than one leaves parts for [`AttentionReduce`].
    pub kv_splits: u32,
    /// True where rows stand together by sequence, positions rising (prefill, encoders).
    pub is_prefill: bool,
    /// With a window `w`, a row at position `p` sees the positions above `p - w`, as in Hugging Face's models; without, all
    /// up to its own. Of those behind its own it sees what its flags say, below `p + w`. A window of 0 is one of 1.
    pub window: Option<u32>,
    /// Leading positions of the sequence that windows do not hide.
    pub keep: u32,
    /// The first position that any row sees, 0 or 1; that of a row that sees none has no answer.
    pub first: u32,
}

impl AttentionShape {
    /// Floats that a head's answer, or one part of it, takes in the output.
    pub fn part_floats(&self, kv: &KvShape) -> u32 {
        kv.head_dim + if self.kv_splits > 1 { 4 } else { 0 }
    }

    /// The positions that a row sees: the kept ones before its window, then its window.
    pub fn visible(&self, row: &Row) -> impl Iterator<Item = u32> + Clone + use<> {
        let start = self.window.map_or(0, |window| (row.position + 1).saturating_sub(window.max(1)));
        let start = start.max(self.first);
        (0..self.keep.min(start)).chain(start..=self.horizon(row))
    }

    /// The last position that a row sees.
    pub fn horizon(&self, row: &Row) -> u32 {
        row.position + self.window.map_or(row.ahead(), |window| row.ahead().min(window.max(1) - 1))
    }

    /// What a score loses by each position of distance, which falls from head to head: by powers of two for as many heads as the largest
    /// power of two, then by those between them.
    pub fn slope(&self, head: u32) -> f32 {
        let whole = 1u32 << self.heads.ilog2();
        let place = if head < whole { (head + 1) as f32 } else { (head - whole) as f32 + 0.5 };
        self.max_bias.map_or(0.0, |most| (-most * place / whole as f32).exp2())
    }

    /// Columns of a row of the output.
    pub fn out_cols(&self, kv: &KvShape) -> u32 {
        self.heads * self.kv_splits * self.part_floats(kv)
    }
}

/// `softmax(q · keys · scale) · values` for each query head, over the positions that the row sees.
#[derive(Serialize, Deserialize)]
pub struct Attention {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, qkv_width]`, rotated queries first.
    #[serde(skip)]
    pub q: TensorRef,
    /// The segments of the layer's cache.
    pub cache: Vec<TensorRef>,
    /// The page table.
    #[serde(skip)]
    pub pages: TensorRef,
    /// f32 `[rows, out_cols]`.
    #[serde(skip)]
    pub out: TensorRef,
    /// f32 `[heads]`: logits that join the softmax without a value, where the model has them.
    pub sinks: Option<TensorRef>,
    /// Rows at most.
    pub rows: u32,
    /// Sizes.
    pub shape: AttentionShape,
    /// The cache.
    pub kv: KvShape,
}

impl Attention {
    fn group(&self) -> u32 {
        self.shape.heads / self.kv.kv_heads
    }

    fn tile_rows(&self) -> u32 {
        if self.shape.is_prefill { (QUERIES / self.group()).max(1) } else { 1 }
    }
}

impl Kernel for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn operands(&self) -> Vec<Operand> {
        let mut operands =
            vec![Operand::read("batch", "Batch", &self.batch), Operand::read("q", "array<f32>", &self.q)];
        operands.extend(kv::operands(&self.cache, Access::Read));
        operands.extend([
            Operand::read("pages", "array<u32>", &self.pages),
            Operand::write("out", "array<f32>", &self.out),
        ]);
        operands.extend(self.sinks.iter().map(|sinks| Operand::read("sinks", "array<f32>", sinks)));
        operands
    }

    fn class(&self) -> String {
        let phase = if self.shape.is_prefill { "prefill" } else { "decode" };
        let KvShape { ty, head_dim, .. } = self.kv;
        let AttentionShape { kv_splits, window, keep, cap, max_bias, first, .. } = self.shape;
        let biased = if max_bias.is_some() { " alibi" } else { "" };
        let capped = if cap.is_some() { " capped" } else { "" };
        let windowed = if window.is_some() { " window" } else { "" };
        let kept = if window.is_some() && keep > 0 { " keep" } else { "" };
        let sinks = if self.sinks.is_some() { " sinks" } else { "" };
        let group = self.group();
        let segments = kv::class(self.cache.len());
        let from = if first > 0 { " from 1" } else { "" };
        format!(
            "{phase} {ty:?} {group} of {head_dim}, {kv_splits} kv_splits{windowed}{kept}{sinks}{capped}{biased}{segments}{from}"
        )
    }

    fn variants(&self, facts: &AdapterInfo) -> Vec<Variant> {
        let memory = 16 * self.kv.head_dim * 4 + QUERIES * 16 * 4;
        let shared = self.group() <= QUERIES && memory <= facts.limits.workgroup_memory;
        match (shared, facts.software) {
            (false, _) => vec![Variant::Plain],
            (true, false) => vec![Variant::Shared, Variant::Plain],
            (true, true) => vec![Variant::Plain, Variant::Shared],
        }
    }

    fn timed(&self) -> bool {
        true
    }

    fn launch(&self, variant: Variant, _: &AdapterInfo) -> LaunchConfig {
        let AttentionShape { heads, qkv_width, scale, cap, max_bias, kv_splits, window, keep, first, .. } = self.shape;
        let sizes = format!("const DIM: u32 = {}u;\nconst GROUP: u32 = {}u;\n", self.kv.head_dim, self.group());
        let mut constants = self.kv.constants_of(self.cache.len());
        constants.extend([
            ("HEADS", heads.into()),
            ("QKV_WIDTH", qkv_width.into()),
            ("SCALE", scale.into()),
            ("CAP", cap.unwrap_or(0.0).into()),
            ("MAX_BIAS", max_bias.unwrap_or(0.0).into()),
            ("SPLITS", kv_splits.into()),
            ("WINDOW", window.map_or(0, |window| window.max(1)).into()),
            ("KEEP", keep.into()),
            ("FIRST", first.into()),
        ]);
        let sinks = if self.sinks.is_some() { SINKS } else { NO_SINKS };
        let (body, workgroups) = match variant {
            Variant::Shared => {
                constants.push(("TILE_ROWS", self.tile_rows().into()));
                (SHARED, [self.rows.div_ceil(self.tile_rows()), self.kv.kv_heads, kv_splits])
            }
            _ => (PLAIN, [self.rows, heads.div_ceil(4), kv_splits]),
        };
        LaunchConfig {
            text: [&sizes, batch::WGSL, kv::WGSL, &kv::reads(self.cache.len()), COMMON, sinks, LOAD, body].concat(),
            constants,
            workgroups,
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        self.run_by(arguments, None);
    }

    fn run_fast(&self, arguments: &Arguments, way: FastWay) -> bool {
        self.run_by(arguments, Some(way));
        true
    }

    fn guard(&self) -> KernelTest {
        cases::guard(self)
    }
}

impl Attention {
    fn run_by(&self, arguments: &Arguments, way: Option<FastWay>) {
        let segments: Vec<_> = kv::names(self.cache.len()).map(|name| arguments.u32s(name)).collect();
        cpu::attention(
            batch::rows(&arguments.u32s("batch")),
            &arguments.f32s("q"),
            (&segments.iter().map(|segment| &**segment).collect::<Vec<_>>(), &arguments.u32s("pages")),
            self.sinks.is_some().then(|| arguments.f32s("sinks")).as_deref(),
            &mut arguments.f32s_mut("out"),
            (&self.shape, &self.kv),
            way,
        );
    }
}

/// Joins the parts of [`Attention`] with several splits.
#[derive(Serialize, Deserialize)]
pub struct AttentionReduce {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, heads, kv_splits, head_dim + 4]`.
    #[serde(skip)]
    pub parts: TensorRef,
    /// f32 `[rows, heads, head_dim]`.
    #[serde(skip)]
    pub out: TensorRef,
    /// Rows at most.
    pub rows: u32,
    /// Query heads.
    pub heads: u32,
    /// Width of a head.
    pub head_dim: u32,
    /// Parts.
    pub kv_splits: u32,
}

impl Kernel for AttentionReduce {
    fn name(&self) -> &'static str {
        "attention_reduce"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("parts", "array<f32>", &self.parts),
            Operand::write("out", "array<f32>", &self.out),
        ]
    }

    fn class(&self) -> String {
        format!("{} of {}", self.kv_splits, self.head_dim)
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        let body = wgsl!("attention_reduce");
        LaunchConfig {
            text: [batch::WGSL, body].concat(),
            constants: vec![
                ("HEADS", self.heads.into()),
                ("DIM", self.head_dim.into()),
                ("SPLITS", self.kv_splits.into()),
            ],
            workgroups: [(self.heads * self.head_dim).div_ceil(64), self.rows, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        let sizes = [self.heads, self.head_dim, self.kv_splits].map(|size| size as usize).into();
        let (batch, parts) = (arguments.u32s("batch"), arguments.f32s("parts"));
        cpu::attention_reduce(batch::rows(&batch), &parts, &mut arguments.f32s_mut("out"), sizes);
    }

    fn guard(&self) -> KernelTest {
        cases::reduce(2, 3, self.head_dim, self.kv_splits)
    }
}
