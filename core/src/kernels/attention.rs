//! Causal attention over the paged cache, for prefill and for decode.

use super::kv::{self, KvShape, KvType, PAGE};
use super::verify::{KernelTest, Output, random_f32s, random_words};
use super::{Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::device::Slice;
use crate::gpu::{AdapterInfo, RequiredFeatures};

const COMMON: &str = include_str!("../../../shaders/shared/attention.wgsl");
const LOAD: &str = include_str!("../../../shaders/shared/kv_load.wgsl");
const PLAIN: &str = include_str!("../../../shaders/attention_plain.wgsl");
const SHARED: &str = include_str!("../../../shaders/attention_shared.wgsl");

/// Queries that a workgroup of the shared variant answers.
const QUERIES: u32 = 32;

/// Sizes of an attention.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionShape {
    /// Query heads.
    pub heads: u32,
    /// Columns of a row of `q`.
    pub qkv_width: u32,
    /// Scores are multiplied by this; usually `1 / sqrt(head_dim)`.
    pub scale: f32,
    /// Parts into which positions are split; more than one leaves parts for [`super::attention_reduce`].
    pub kv_splits: u32,
    /// True when all rows of a step are of one sequence, positions rising (prefill).
    pub is_prefill: bool,
}

impl AttentionShape {
    /// Floats that a head's answer, or one part of it, takes in the output.
    pub fn part_floats(&self, kv: &KvShape) -> u32 {
        kv.head_dim + if self.kv_splits > 1 { 4 } else { 0 }
    }

    /// Columns of a row of the output.
    pub fn out_cols(&self, kv: &KvShape) -> u32 {
        self.heads * self.kv_splits * self.part_floats(kv)
    }
}

/// `softmax(q · keys · scale) · values` for each query head, over the positions up to the row's own.
#[derive(Debug)]
pub struct Attention {
    /// The batch.
    pub batch: TensorRef,
    /// f32 `[rows, qkv_width]`, rotated queries first.
    pub q: TensorRef,
    /// The layer's keys.
    pub keys: TensorRef,
    /// The layer's values.
    pub values: TensorRef,
    /// The page table.
    pub pages: TensorRef,
    /// f32 `[rows, out_cols]`.
    pub out: TensorRef,
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
        let inputs = [&self.batch, &self.q, &self.keys, &self.values, &self.pages];
        inputs.map(Operand::read).into_iter().chain([Operand::write(&self.out)]).collect()
    }

    fn class(&self) -> String {
        let phase = if self.shape.is_prefill { "prefill" } else { "decode" };
        format!("{phase} {:?} {} of {}", self.kv.ty, self.group(), self.kv.head_dim)
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
        let AttentionShape { heads, qkv_width, scale, kv_splits, .. } = self.shape;
        let sizes = format!("const DIM: u32 = {}u;\nconst GROUP: u32 = {}u;\n", self.kv.head_dim, self.group());
        let mut constants = self.kv.constants();
        constants.extend([
            ("HEADS", heads.into()),
            ("QKV_WIDTH", qkv_width.into()),
            ("SCALE", scale.into()),
            ("SPLITS", kv_splits.into()),
        ]);
        let (body, workgroups) = match variant {
            Variant::Shared => {
                constants.push(("TILE_ROWS", self.tile_rows().into()));
                (SHARED, [self.rows.div_ceil(self.tile_rows()), self.kv.kv_heads, kv_splits])
            }
            _ => (PLAIN, [self.rows, heads.div_ceil(4), kv_splits]),
        };
        LaunchConfig {
            text: [&sizes, batch::WGSL, kv::WGSL, COMMON, LOAD, body].concat(),
            constants,
            workgroups,
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, operands: &[Slice]) {
        let [batch, q, keys, values, pages, out] = operands else { unreachable!("operands() has six") };
        cpu::attention(
            batch::rows(&batch.u32s()),
            &q.f32s(),
            (&keys.u32s(), &values.u32s(), &pages.u32s()),
            &mut out.f32s_mut(),
            (&self.shape, &self.kv),
        );
    }

    fn guard(&self) -> KernelTest {
        case(self.group(), self.kv.head_dim, self.kv.ty, 1, 70, if self.shape.is_prefill { 7 } else { 0 })
    }
}

/// Joins the parts of [`Attention`] with several kv_splits.
#[derive(Debug)]
pub struct AttentionReduce {
    /// The batch.
    pub batch: TensorRef,
    /// f32 `[rows, heads, kv_splits, head_dim + 4]`.
    pub parts: TensorRef,
    /// f32 `[rows, heads, head_dim]`.
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
        vec![Operand::read(&self.batch), Operand::read(&self.parts), Operand::write(&self.out)]
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        let body = include_str!("../../../shaders/attention_reduce.wgsl");
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

    fn run(&self, operands: &[Slice]) {
        let [batch, parts, out] = operands else { unreachable!("operands() has three") };
        let heads = batch::count(&batch.u32s()) * self.heads as usize;
        let (dim, kv_splits) = (self.head_dim as usize, self.kv_splits as usize);
        let used = heads * kv_splits * (dim + 4);
        cpu::attention_reduce(&parts.f32s()[..used], &mut out.f32s_mut()[..heads * dim], dim, kv_splits);
    }

    fn guard(&self) -> KernelTest {
        reduce_case(2, 3, 16, 5)
    }
}

/// Cases: both cache types, several group sizes and head widths, split and whole, decode and prefill, odd lengths.
pub fn cases() -> Vec<KernelTest> {
    // lavapipe ends an invocation's loops after 65,535 rounds without a word: a long context must not get there.
    let long = case(1, 64, KvType::F16, 1, 2500, 0);
    let mut cases = vec![long, reduce_case(1, 1, 8, 2), reduce_case(3, 5, 24, 7), reduce_case(2, 8, 128, 16)];
    for ty in [KvType::F16, KvType::F32] {
        for (group, dim, kv_splits, last, rows) in [
            (1, 8, 1, 0, 0),
            (4, 64, 1, 33, 0),
            (7, 24, 1, 100, 0),
            (2, 128, 1, 63, 31),
            (3, 80, 1, 64, 33),
            (1, 64, 1, 16, 17),
            (8, 64, 1, 94, 65),
        ] {
            cases.push(case(group, dim, ty, kv_splits, last, rows));
        }
    }
    cases
}

/// With `prefill` = 0 two sequences decode at positions `last` and `last / 2`; else `prefill` rows of one sequence end
/// at `last`.
fn case(group: u32, dim: u32, ty: KvType, kv_splits: u32, last: u32, prefill: u32) -> KernelTest {
    let kv = KvShape { kv_heads: 2, head_dim: dim, pages_per_sequence: last / PAGE + 1, ty };
    let heads = group * kv.kv_heads;
    let qkv_width = (heads + 2 * kv.kv_heads) * dim;
    let is_prefill = prefill > 0;
    let shape = AttentionShape { heads, qkv_width, scale: 1.7 / (dim as f32).sqrt(), kv_splits, is_prefill };
    let valid: Vec<_> = match prefill {
        0 => vec![batch::Row::new(0, last, 1), batch::Row::new(0, last / 2, 0)],
        rows => (0..rows).map(|r| batch::Row::new(0, last + 1 - rows + r, 1)).collect(),
    };
    let rows = valid.len() as u32 + 1;
    let count = 2 * kv.pages_per_sequence;
    let pages: Vec<u32> = (0..count).rev().collect();
    let words = (kv.page_bytes() / 4) as u32 * count;
    let cache = |seed| match ty {
        KvType::F32 => random_f32s(seed, words),
        KvType::F16 => random_words(seed, words).into_iter().map(|word| word & 0xbbff_bbff).collect(),
    };
    KernelTest::new(
        format!("attention {group}x{dim} {ty:?} kv_splits {kv_splits} to {last}, prefill {prefill}"),
        vec![
            batch::words(&valid),
            random_f32s(4, rows * qkv_width),
            cache(5),
            cache(6),
            pages,
            vec![0; (rows * shape.out_cols(&kv)) as usize],
        ],
        vec![Output::f32(5)],
        move |places| {
            let [batch, q, keys, values, pages, out] = places.try_into().expect("six inputs");
            Box::new(Attention { batch, q, keys, values, pages, out, rows, shape, kv })
        },
    )
}

fn reduce_case(rows: u32, heads: u32, head_dim: u32, kv_splits: u32) -> KernelTest {
    let valid: Vec<_> = (0..rows).map(|r| batch::Row::new(0, r, 0)).collect();
    let part = head_dim + 4;
    let mut parts = random_f32s(8, rows * heads * kv_splits * part);
    // Totals are positive, and one split is empty as beyond a short sequence's end.
    for (index, part) in parts.chunks_exact_mut(part as usize).enumerate() {
        let total = f32::from_bits(part[head_dim as usize + 1]).abs() + 0.5;
        part[head_dim as usize + 1] = total.to_bits();
        if index as u32 % kv_splits == 1 {
            part.fill(0);
            part[head_dim as usize] = (-3.0e38f32).to_bits();
        }
    }
    let out = vec![0; (rows * heads * head_dim) as usize];
    KernelTest::new(
        format!("attention_reduce {rows} rows {heads}x{head_dim}, {kv_splits} kv_splits"),
        vec![batch::words(&valid), parts, out],
        vec![Output::f32(2)],
        move |places| {
            let [batch, parts, out] = places.try_into().expect("three inputs");
            Box::new(AttentionReduce { batch, parts, out, rows, heads, head_dim, kv_splits })
        },
    )
}
