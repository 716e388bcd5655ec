//! RoPE with the head norms before it and the cache write behind it.

use super::batch::Row;
use super::cpu::FastWay;
use super::kv::{self, KvShape, KvType, PAGE};
use super::verify::{KernelTest, Kind, Output, random_f32s};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{Access, AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const STORE: &str = wgsl!("shared/kv_store");
const BODY: &str = wgsl!("rope_kv");

/// Rows of the fine part of the angle table; see `model::rope`.
pub const FINE: u32 = 256;

/// Which dimensions of a head are rotated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RopeStyle {
    /// Neighbours: (0, 1), (2, 3), … as in GGUF's Llama files.
    Interleaved,
    /// The first half with the second: (0, d/2), (1, d/2 + 1), … as in Qwen.
    HalfSplit,
}

/// What is rotated and how.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RopeShape {
    /// Query heads.
    pub heads: u32,
    /// Dimensions of a head that are rotated; even, and 0 where positions play no part.
    pub dims: u32,
    /// Pairing.
    pub style: RopeStyle,
    /// The norms of query and key heads, where there are some.
    pub norm: Option<HeadNorm>,
    /// Epsilon of the norm of value heads, which has no weights, where there is one.
    pub value_norm: Option<f32>,
    /// How queries grow with their position, if they do.
    pub temperature: Option<Temperature>,
}

impl RopeShape {
    /// Rotation alone.
    pub const fn plain(heads: u32, dims: u32, style: RopeStyle) -> RopeShape {
        RopeShape { heads, dims, style, norm: None, value_norm: None, temperature: None }
    }
}

/// Root-mean-square norms over each query head and each key head.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeadNorm {
    /// Added to mean squares.
    pub eps: f32,
    /// Whether heads are normed after they are rotated, as in Hunyuan.
    pub after: bool,
}

/// Queries at position `p` are multiplied by `1 + slope · ln(1 + ⌊p / length⌋)`, as in Ministral 3.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Temperature {
    /// How fast.
    pub slope: f32,
    /// Positions up to which nothing changes.
    pub length: u32,
}

impl Temperature {
    /// What queries at a position are multiplied by.
    pub fn at(self, position: u32) -> f32 {
        1.0 + self.slope * ((1 + position / self.length.max(1)) as f32).ln()
    }
}

/// Rotates queries and keys and writes keys and values into the cache.
#[derive(Serialize, Deserialize)]
pub struct RopeKv {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, (heads + 2 kv_heads) · head_dim]`, or of queries alone; queries and keys are rotated in place.
    #[serde(skip)]
    pub qkv: TensorRef,
    /// f32 `[2, head_dim]`, query norm then key norm; any memory of 4 bytes where `rope.norm` is none.
    #[serde(skip)]
    pub norms: TensorRef,
    /// Pairs (cos, sin), `[FINE + coarse, dims / 2]`.
    #[serde(skip)]
    pub angles: TensorRef,
    /// The segments of the layer's cache.
    pub cache: Vec<TensorRef>,
    /// The page table.
    #[serde(skip)]
    pub pages: TensorRef,
    /// Rows at most.
    pub rows: u32,
    /// What is rotated.
    pub rope: RopeShape,
    /// Whether there are keys and values behind the queries; else the layer reads the cache of another.
    pub has_keys: bool,
    /// The cache.
    pub kv: KvShape,
}

impl Kernel for RopeKv {
    fn name(&self) -> &'static str {
        "rope_kv"
    }

    fn operands(&self) -> Vec<Operand> {
        let mut operands = vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::write("qkv", "array<f32>", &self.qkv),
            Operand::read("norms", "array<f32>", &self.norms),
            Operand::read("angles", "array<vec2<f32>>", &self.angles),
        ];
        operands.extend(kv::operands(&self.cache, Access::Write));
        operands.push(Operand::read("pages", "array<u32>", &self.pages));
        operands
    }

    fn class(&self) -> String {
        let RopeShape { dims, style, norm, value_norm, temperature, .. } = self.rope;
        let norm = norm.map_or("", |norm| if norm.after { "norm after" } else { "norm" });
        let besides =
            [(dims == 0, " unrotated"), (value_norm.is_some(), " values"), (temperature.is_some(), " temperature")];
        let besides: String = besides.into_iter().filter_map(|(is, name)| is.then_some(name)).collect();
        format!("{style:?} {:?} {norm}{besides}{}", self.kv.ty, kv::class(self.cache.len()))
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        let rope = &self.rope;
        let mut constants = self.kv.constants_of(self.cache.len());
        constants.extend([
            ("HEADS", rope.heads.into()),
            ("ROPE_DIMS", rope.dims.into()),
            ("INTERLEAVED", f64::from(u8::from(rope.style == RopeStyle::Interleaved))),
            ("NORM", rope.norm.map_or(0, |norm| if norm.after { 2 } else { 1 }).into()),
            ("EPS", rope.norm.map(|norm| norm.eps).or(rope.value_norm).unwrap_or(0.0).into()),
            ("HAS_KEYS", self.has_keys.into()),
            ("VALUE_NORM", rope.value_norm.is_some().into()),
            ("TEMPERATURE", rope.temperature.map_or(0.0, |temperature| temperature.slope).into()),
            ("TEMPERATURE_LENGTH", rope.temperature.map_or(1, |temperature| temperature.length.max(1)).into()),
        ]);
        LaunchConfig {
            text: [batch::WGSL, kv::WGSL, &kv::writes(self.cache.len()), STORE, BODY].concat(),
            constants,
            workgroups: [(rope.heads + 2 * self.kv.kv_heads * u32::from(self.has_keys)).div_ceil(32), self.rows, 1],
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
        let segments = self.cache.len() as u32;
        let dims = if self.rope.dims == 0 { 0 } else { 16 };
        shaped("guard", &ODD_ROWS, RopeShape { heads: 6, dims, ..self.rope }, (self.kv.ty, 80), segments)
    }
}

impl RopeKv {
    fn run_by(&self, arguments: &Arguments, way: Option<FastWay>) {
        let mut segments: Vec<_> = kv::names(self.cache.len()).map(|name| arguments.u32s_mut(name)).collect();
        cpu::rope_kv(
            batch::rows(&arguments.u32s("batch")),
            &mut arguments.f32s_mut("qkv"),
            &arguments.f32s("norms"),
            &arguments.f32s("angles"),
            &mut segments.iter_mut().map(|segment| &mut **segment).collect::<Vec<_>>(),
            &arguments.u32s("pages"),
            (&self.rope, &self.kv),
            self.has_keys,
            way,
        );
    }
}

/// Entries of a sequence's row in the page table of the cases.
const PAGES: u32 = 11;

/// Positions on both sides of a page's and of the fine table's end.
const FAR_ROWS: [Row; 4] = [Row::new(0, 31, 0), Row::new(0, 255, 1), Row::new(0, 256, 1), Row::new(0, 300, 0)];

/// Neighbours of one sequence, a row that is held, and rows that must not be written: the page table's entry for the
/// positions beyond the context of sequence 0 is one of sequence 1.
const ODD_ROWS: [Row; 7] = [
    Row::new(0, 62, 1),
    Row::new(0, 63, 1),
    Row::new(0, 64, 1),
    Row::new(0, 5, 0).flagged(batch::HELD),
    Row::new(0, 6, 0).flagged(batch::FINISHED),
    Row::new(0, PAGES * PAGE, 0),
    Row::new(0, PAGES * PAGE + 40, 0).flagged(batch::FINISHED),
];

/// Cases: both pairings, with and without norms, all cache types, partial rotation, scattered pages.
pub fn cases() -> Vec<KernelTest> {
    let mut cases = Vec::new();
    for style in [RopeStyle::Interleaved, RopeStyle::HalfSplit] {
        for norm in [false, true] {
            for ty in KvType::ALL {
                cases.push(case("a row", &FAR_ROWS[..1], style, norm, (ty, 24)));
                cases.push(case("far rows", &FAR_ROWS, style, norm, (ty, 80)));
                cases.push(case("odd rows", &ODD_ROWS, style, norm, (ty, 24)));
            }
        }
    }
    // Blocks of every length, an even number and an odd.
    for ty in KvType::ALL {
        for head_dim in [16, 64, 96, 128] {
            cases.push(case("far rows", &FAR_ROWS, RopeStyle::HalfSplit, false, (ty, head_dim)));
        }
    }
    // What some architectures do beside.
    let plain = RopeShape::plain(6, 16, RopeStyle::HalfSplit);
    let norm = Some(HeadNorm { eps: 1e-5, after: true });
    let temperature = Some(Temperature { slope: 0.3, length: 50 });
    for rope in [
        RopeShape { dims: 0, ..plain },
        RopeShape { norm, ..plain },
        RopeShape { value_norm: Some(1e-5), ..plain },
        RopeShape { temperature, ..plain },
    ] {
        for ty in [KvType::F32, KvType::Q8_0] {
            cases.push(shaped("far rows", &FAR_ROWS, rope, (ty, 40), 1));
            cases.push(shaped("odd rows", &ODD_ROWS, rope, (ty, 24), 1));
            cases.push(with_keys("queries alone", &ODD_ROWS, rope, false, (ty, 24), 1));
        }
    }
    for segments in [2, 3] {
        for ty in KvType::ALL {
            cases.push(segmented("far rows", &FAR_ROWS, RopeStyle::HalfSplit, false, (ty, 80), segments));
            cases.push(segmented("odd rows", &ODD_ROWS, RopeStyle::Interleaved, true, (ty, 24), segments));
        }
    }
    cases
}

fn case(name: &str, valid: &[Row], style: RopeStyle, norm: bool, kind: (KvType, u32)) -> KernelTest {
    segmented(name, valid, style, norm, kind, 1)
}

/// A case with a cache of several segments.
fn segmented(
    name: &str,
    valid: &[Row],
    style: RopeStyle,
    norm: bool,
    kind: (KvType, u32),
    segments: u32,
) -> KernelTest {
    let norm = norm.then_some(HeadNorm { eps: 1e-5, after: false });
    shaped(name, valid, RopeShape { norm, ..RopeShape::plain(6, 16, style) }, kind, segments)
}

fn shaped(name: &str, valid: &[Row], rope: RopeShape, kind: (KvType, u32), segments: u32) -> KernelTest {
    with_keys(name, valid, rope, true, kind, segments)
}

fn with_keys(
    name: &str,
    valid: &[Row],
    rope: RopeShape,
    has_keys: bool,
    (ty, head_dim): (KvType, u32),
    segments: u32,
) -> KernelTest {
    let segment_pages = (2 * PAGES).div_ceil(segments);
    let kv = KvShape { kv_heads: 3, head_dim, pages_per_sequence: PAGES, ty, segment_pages };
    let rows = valid.len() as u32 + 1;
    let pages: Vec<u32> = (0..2 * PAGES).map(|page| (page * 7 + 3) % (2 * PAGES)).collect();
    let cache = vec![0; (kv.page_bytes() / 4) as usize * pages.len()];
    let width = (rope.heads + if has_keys { 2 * kv.kv_heads } else { 0 }) * kv.head_dim;
    let angles: Vec<u32> = (0..(FINE + 2) * rope.dims.max(2) / 2)
        .flat_map(|i| [f64::from(i).cos(), f64::from(i).sin()].map(|part| (part as f32).to_bits()))
        .collect();
    let mut inputs = vec![batch::words(valid), random_f32s(1, rows * width), random_f32s(2, 2 * kv.head_dim), angles];
    inputs.extend(cache.chunks(kv.segment_words()).map(<[u32]>::to_vec));
    inputs.push(pages);
    let of_segments = (4..).take(segments as usize).map(|binding| Output { binding, kind: Kind::Cache(kv) });
    let outputs = std::iter::once(Output::f32(1)).chain(of_segments).collect();
    let RopeShape { dims, style, norm, value_norm, temperature, .. } = rope;
    let beside =
        [norm.is_some(), norm.is_some_and(|norm| norm.after), value_norm.is_some(), temperature.is_some(), has_keys];
    let name = format!("rope_kv {name} {dims} {style:?} {beside:?} {ty:?} {head_dim} segments {segments}");
    KernelTest::new(name, inputs, outputs, move |mut places| {
        let mut cache = places.split_off(4);
        let pages = cache.pop().expect("the page table is the last");
        let [batch, qkv, norms, angles] = places.try_into().expect("four inputs before the cache");
        Box::new(RopeKv { batch, qkv, norms, angles, cache, pages, rows, rope, has_keys, kv })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::verify::run_twin;

    /// What the twin leaves in an empty cache.
    fn cache_after(case: &KernelTest) -> Vec<u32> {
        run_twin(case)[4].clone()
    }

    #[test]
    fn rope_kv_leaves_finished_rows_and_positions_beyond_the_table_alone() {
        for ty in KvType::ALL {
            let all = cache_after(&case("", &ODD_ROWS, RopeStyle::HalfSplit, true, (ty, 24)));
            let live = cache_after(&case("", &ODD_ROWS[..4], RopeStyle::HalfSplit, true, (ty, 24)));
            assert!(all == live, "{ty:?}: rows without a place were written");
            assert!(live.iter().any(|word| *word != 0), "{ty:?}");
        }
    }
}
