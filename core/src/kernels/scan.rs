//! Recurrences over the positions of a sequence: of each head a state, a matrix of keys by values, which decays, takes a row's value in under
//! its key, and is asked by its query. Linear attention, in other words: Mamba 2's, and Qwen3.5's gated delta rule.
//!
//! A page of the cache keeps what the state was behind the last position computed in it (`kv/groups.rs`): `[heads, keys + 1, values]` f32,
//! and in place of the last key, for each value, how many positions the state has gone through, as a word. So a row that is computed again,
//! because it was held, is told from one that is new.

use super::kv::{self, KvShape, KvType, PAGE};
use super::verify::{KernelTest, Output, random_f32s};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{Access, AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const RUN: &str = wgsl!("shared/run");
const BODY: &str = wgsl!("scan");

/// Words of a page for each number of a head's width, of a cache of one head in f32.
const PAGE_VECTORS: u32 = 2 * PAGE;

/// What a row does to a state `S` with its key `k`, its value `v` and its gates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum ScanRule {
    /// `S = decay · S + step · k ⊗ v`, as Mamba 2 has it.
    Add,
    /// `S = decay · S`, then `S += k ⊗ step · (v − Sᵀk)`, as the gated delta rule has it. Keys and queries are divided by their length first,
    /// whose square gets this added, and queries by the root of their width.
    Delta {
        /// Added to squares of lengths.
        eps: f32,
    },
}

/// Sizes of a recurrence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScanShape {
    /// Heads, each with a state and a value.
    pub heads: u32,
    /// Width of a value.
    pub values: u32,
    /// Keys, and queries, of a row.
    pub key_heads: u32,
    /// Width of a key, and of a query.
    pub keys: u32,
    /// Whether head `h` has the key `h % key_heads`; else neighbouring heads share one.
    pub is_tiled: bool,
    /// What a row does.
    pub rule: ScanRule,
    /// Columns of x at which queries, keys and values begin.
    pub columns: [u32; 3],
}

impl ScanShape {
    /// The key that a head has.
    pub fn key_of(&self, head: u32) -> u32 {
        if self.is_tiled { head % self.key_heads } else { head / (self.heads / self.key_heads) }
    }

    /// Values of a row.
    pub fn width(&self) -> u32 {
        self.heads * self.values
    }

    /// Words of a state.
    pub fn words(&self) -> u32 {
        self.width() * (self.keys + 1)
    }

    /// The width of the one head of a cache whose pages hold a state.
    pub fn head_dim(&self) -> u32 {
        self.words().div_ceil(PAGE_VECTORS).next_multiple_of(8)
    }
}

/// `out[r] = Sᵀq + skip · v` for each head, with the state `S` behind row `r`.
#[derive(Serialize, Deserialize)]
pub struct Scan {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, x_cols]`: queries, keys and values.
    #[serde(skip)]
    pub x: TensorRef,
    /// f32 `[rows, 3, heads]`: decay, step and skip.
    #[serde(skip)]
    pub gates: TensorRef,
    /// The segments of the layer's cache.
    pub cache: Vec<TensorRef>,
    /// The page table.
    #[serde(skip)]
    pub pages: TensorRef,
    /// f32 `[rows, heads · values]`.
    #[serde(skip)]
    pub out: TensorRef,
    /// Rows at most.
    pub rows: u32,
    /// Columns of x.
    pub x_cols: u32,
    /// Sizes.
    pub shape: ScanShape,
    /// The cache.
    pub kv: KvShape,
}

impl Kernel for Scan {
    fn name(&self) -> &'static str {
        "scan"
    }

    fn operands(&self) -> Vec<Operand> {
        let mut operands = vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("x", "array<f32>", &self.x),
            Operand::read("gates", "array<f32>", &self.gates),
        ];
        operands.extend(kv::operands(&self.cache, Access::Write));
        operands.extend([
            Operand::read("pages", "array<u32>", &self.pages),
            Operand::write("out", "array<f32>", &self.out),
        ]);
        operands
    }

    fn class(&self) -> String {
        let rule = if self.shape.rule == ScanRule::Add { "add" } else { "delta" };
        format!("{rule} of {}{}", self.shape.keys, kv::class(self.cache.len()))
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        let ScanShape { heads, values, key_heads, keys, is_tiled, rule, columns } = self.shape;
        let eps = match rule {
            ScanRule::Add => 0.0,
            ScanRule::Delta { eps } => eps,
        };
        let mut constants = self.kv.constants_of(self.cache.len());
        constants.retain(|(name, _)| !kv::OF_NUMBERS.contains(name) && *name != "HEAD_DIM");
        constants.extend([
            ("HEADS", heads.into()),
            ("VALUES", values.into()),
            ("KEY_HEADS", key_heads.into()),
            ("TILED", is_tiled.into()),
            ("DELTA", (rule != ScanRule::Add).into()),
            ("EPS", f64::from(eps)),
            ("X_COLS", self.x_cols.into()),
            ("QUERIES", columns[0].into()),
            ("KEYS", columns[1].into()),
            ("VALUES_AT", columns[2].into()),
        ]);
        let sizes = format!("const WIDTH: u32 = {keys}u;\n");
        LaunchConfig {
            text: [&sizes, batch::WGSL, kv::WGSL, &kv::reads_and_writes(self.cache.len()), RUN, BODY].concat(),
            constants,
            workgroups: [self.shape.width().div_ceil(64), self.rows, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        let mut segments: Vec<_> = kv::names(self.cache.len()).map(|name| arguments.u32s_mut(name)).collect();
        cpu::scan(
            batch::rows(&arguments.u32s("batch")),
            (&arguments.f32s("x"), self.x_cols),
            &arguments.f32s("gates"),
            (&mut segments.iter_mut().map(|segment| &mut **segment).collect::<Vec<_>>(), &arguments.u32s("pages")),
            (&self.shape, &self.kv),
            &mut arguments.f32s_mut("out"),
        );
    }

    fn guard(&self) -> KernelTest {
        case(ScanShape { heads: 6, values: 20, key_heads: 2, ..self.shape }, GUARD_ROWS, self.cache.len() as u32)
    }
}

/// Entries of a sequence's row in the page table of the cases.
const PAGES: u32 = 4;

/// A run from within a page over the ends of two, and rows of other sequences: the first, one at a page's beginning, one that was held, and
/// one that has ended.
const GUARD_ROWS: &[(u32, u32, u32)] = &[(20, 70, 1), (0, 1, 0), (32, 1, 2), (40, 1, 3), (9, 1, 4)];

/// The number of the sequence of the cases whose first row has been gone through.
const HELD: u32 = 3;

/// Cases: both rules, keys shared in both ways, runs within and across pages, segments.
pub fn cases() -> Vec<KernelTest> {
    let shape = |rule, heads, values, key_heads, keys, is_tiled| ScanShape {
        heads,
        values,
        key_heads,
        keys,
        is_tiled,
        rule,
        columns: [0; 3],
    };
    let delta = ScanRule::Delta { eps: 1e-6 };
    vec![
        case(shape(delta, 6, 20, 2, 16, true), GUARD_ROWS, 1),
        case(shape(delta, 2, 70, 2, 36, true), &[(0, 100, 0), (5, 3, 3)], 1),
        case(shape(ScanRule::Add, 6, 12, 3, 16, false), GUARD_ROWS, 1),
        case(shape(ScanRule::Add, 3, 64, 1, 128, false), &[(63, 2, 1), (31, 1, 0), (1, 31, 2)], 3),
        case(shape(delta, 1, 128, 1, 128, true), &[(95, 33, 0), (127, 1, 1), (128, 1, 2)], 2),
    ]
}

/// `runs`: of each the first position, how many rows, and the sequence.
fn case(shape: ScanShape, runs: &[(u32, u32, u32)], segments: u32) -> KernelTest {
    let keys = shape.key_heads * shape.keys;
    // The parts stand apart, so that a wrong offset shows.
    let shape = ScanShape { columns: [4, keys + 9, 2 * keys + 11], ..shape };
    let x_cols = 2 * keys + shape.width() + 13;
    let rows: Vec<batch::Row> = runs
        .iter()
        .flat_map(|(first, count, sequence)| (*first..first + count).map(|p| batch::Row::new(0, p, *sequence)))
        .collect();
    let rows: Vec<_> =
        rows.into_iter().map(|row| if row.sequence == 4 { row.flagged(batch::FINISHED) } else { row }).collect();
    let count = rows.len() as u32 + 1;
    let all = 5 * PAGES;
    let kv = KvShape {
        kv_heads: 1,
        head_dim: shape.head_dim(),
        pages_per_sequence: PAGES,
        ty: KvType::F32,
        segment_pages: all.div_ceil(segments),
    };
    let pages: Vec<u32> = (0..all).map(|page| (page * 7 + 2) % all).collect();
    let mut words = random_f32s(5, all * kv.page_bytes() as u32 / 4);
    for (first, _, sequence) in runs.iter().filter(|(first, ..)| (1..PAGES * PAGE).contains(first)) {
        // The state before the run, or behind its first row.
        let seen = first + u32::from(*sequence == HELD);
        let page = pages[(sequence * PAGES + (first - 1) / PAGE) as usize];
        let at = page as usize * kv.page_bytes() as usize / 4;
        for head in 0..shape.heads {
            let tags = ((head * (shape.keys + 1) + shape.keys) * shape.values) as usize;
            words[at + tags..][..shape.values as usize].fill(seen);
        }
    }
    let decays =
        random_f32s(7, count * 3 * shape.heads).into_iter().map(|word| (f32::from_bits(word).abs() * 0.9).to_bits());
    let mut inputs = vec![batch::words(&rows), random_f32s(1, count * x_cols), decays.collect()];
    inputs.extend(words.chunks(kv.segment_words()).map(<[u32]>::to_vec));
    inputs.extend([pages, vec![0; (count * shape.width()) as usize]]);
    let last = inputs.len() - 1;
    // Of a state its tags are words that no number is, but both sides write the same.
    let outputs = (3..last - 1).map(Output::f32).chain([Output::f32(last)]).collect();
    let ScanShape { heads, values, key_heads, keys, rule, .. } = shape;
    let name = format!("scan {rule:?} {heads}x{values} by {key_heads}x{keys} of {count} rows, {segments} segments");
    KernelTest::new(name, inputs, outputs, move |mut places| {
        let mut cache = places.split_off(3);
        let out = cache.pop().expect("the last");
        let pages = cache.pop().expect("behind the cache");
        let [batch, x, gates] = places.try_into().expect("three inputs before the cache");
        Box::new(Scan { batch, x, gates, cache, pages, out, rows: count, x_cols, shape, kv })
    })
}
