//! Short causal convolutions over the positions of a sequence, a channel at a time. What they read of earlier positions stands in the cache
//! like keys and values, in a layer whose window is the kernel's length: so a sequence rewinds, shares prefixes and moves as with attention.
//!
//! A vector of channels is kept in f32, its first half in place of a key, its second in place of a value.

use super::kv::{self, KvShape, KvType, PAGE};
use super::verify::{KernelTest, Kind, Output, random_cache, random_f32s};
use super::{Activation, Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{Access, AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const CACHE: &str = wgsl!("shared/channels");
const STORE: &str = wgsl!("conv_store");
const BODY: &str = wgsl!("conv");
const ACTIVATE: &str = wgsl!("shared/activate");
const GATE: &str = wgsl!("conv/gate");
const NO_GATE: &str = wgsl!("conv/no_gate");
const BIAS: &str = wgsl!("shared/bias");
const NO_BIAS: &str = wgsl!("shared/no_bias");

/// Columns of a tensor: as many as there are channels, from `offset` on of rows of `stride`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// Values from one row to the next.
    pub stride: u32,
    /// The first column.
    pub offset: u32,
}

/// Keeps the channels of each row: columns of `x`, by others of them if there are some.
#[derive(Serialize, Deserialize)]
pub struct ConvStore {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, columns.stride]`.
    #[serde(skip)]
    pub x: TensorRef,
    /// The segments of the layer's cache.
    pub cache: Vec<TensorRef>,
    /// The page table.
    #[serde(skip)]
    pub pages: TensorRef,
    /// Rows at most.
    pub rows: u32,
    /// The channels.
    pub columns: Columns,
    /// The first of the columns by which they are multiplied.
    pub times: Option<u32>,
    /// The cache.
    pub kv: KvShape,
}

/// `out[r, c] = act(Σ_j weights[c, j] · kept[position − length + 1 + j, c] + bias[c])`, by columns of `gates` if there are some.
#[derive(Serialize, Deserialize)]
pub struct Conv {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// The segments of the layer's cache.
    pub cache: Vec<TensorRef>,
    /// The page table.
    #[serde(skip)]
    pub pages: TensorRef,
    /// f32 `[channels, length]`.
    #[serde(skip)]
    pub weights: TensorRef,
    /// f32 `[channels]`.
    pub bias: Option<TensorRef>,
    /// f32 `[rows, gate_columns.stride]`.
    pub gates: Option<(TensorRef, Columns)>,
    /// f32 `[rows, channels]`.
    #[serde(skip)]
    pub out: TensorRef,
    /// Rows at most.
    pub rows: u32,
    /// Positions that a channel sees, its own included.
    pub length: u32,
    /// The nonlinearity, before the gate.
    pub activation: Option<Activation>,
    /// The cache.
    pub kv: KvShape,
}

/// Channels that a cache of this shape keeps.
pub fn channels(kv: &KvShape) -> u32 {
    2 * kv.head_dim
}

impl Kernel for ConvStore {
    fn name(&self) -> &'static str {
        "conv_store"
    }

    fn operands(&self) -> Vec<Operand> {
        let mut operands =
            vec![Operand::read("batch", "Batch", &self.batch), Operand::read("x", "array<f32>", &self.x)];
        operands.extend(kv::operands(&self.cache, Access::Write));
        operands.push(Operand::read("pages", "array<u32>", &self.pages));
        operands
    }

    fn class(&self) -> String {
        format!("{}{}", self.times.is_some(), kv::class(self.cache.len()))
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        let mut constants = self.kv.constants_of(self.cache.len());
        constants.retain(|(name, _)| !kv::OF_NUMBERS.contains(name));
        constants.extend([
            ("STRIDE", self.columns.stride.into()),
            ("OFFSET", self.columns.offset.into()),
            ("MULTIPLIES", self.times.is_some().into()),
            ("TIMES", self.times.unwrap_or(0).into()),
        ]);
        LaunchConfig {
            text: [batch::WGSL, kv::WGSL, &kv::writes(self.cache.len()), CACHE, STORE].concat(),
            constants,
            workgroups: [channels(&self.kv).div_ceil(64), self.rows, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        let mut segments: Vec<_> = kv::names(self.cache.len()).map(|name| arguments.u32s_mut(name)).collect();
        cpu::conv_store(
            batch::rows(&arguments.u32s("batch")),
            &arguments.f32s("x"),
            (self.columns, self.times),
            (&mut segments.iter_mut().map(|segment| &mut **segment).collect::<Vec<_>>(), &arguments.u32s("pages")),
            &self.kv,
        );
    }

    fn guard(&self) -> KernelTest {
        store_case(self.times.is_some(), self.cache.len() as u32)
    }
}

impl Kernel for Conv {
    fn name(&self) -> &'static str {
        "conv"
    }

    fn operands(&self) -> Vec<Operand> {
        let mut operands = vec![Operand::read("batch", "Batch", &self.batch)];
        operands.extend(kv::operands(&self.cache, Access::Read));
        operands.extend([
            Operand::read("pages", "array<u32>", &self.pages),
            Operand::read("weights", "array<f32>", &self.weights),
            Operand::write("out", "array<f32>", &self.out),
        ]);
        operands.extend(self.bias.iter().map(|bias| Operand::read("bias", "array<f32>", bias)));
        operands.extend(self.gates.iter().map(|(gates, _)| Operand::read("gates", "array<f32>", gates)));
        operands
    }

    fn class(&self) -> String {
        let (gated, biased) = (self.gates.is_some(), self.bias.is_some());
        format!("{gated} {biased} {:?}{}", self.activation, kv::class(self.cache.len()))
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        let gate = if self.gates.is_some() { GATE } else { NO_GATE };
        let bias = if self.bias.is_some() { BIAS } else { NO_BIAS };
        let mut constants = self.kv.constants_of(self.cache.len());
        constants.retain(|(name, _)| !kv::OF_NUMBERS.contains(name));
        constants.extend([
            ("LENGTH", self.length.into()),
            ("ACTIVATES", self.activation.is_some().into()),
            ("ACTIVATION", self.activation.map_or(0.0, Activation::code)),
        ]);
        if let Some((_, Columns { stride, offset })) = self.gates {
            constants.extend([("GATE_STRIDE", stride.into()), ("GATE_OFFSET", offset.into())]);
        }
        LaunchConfig {
            text: [batch::WGSL, kv::WGSL, &kv::reads(self.cache.len()), CACHE, ACTIVATE, bias, gate, BODY].concat(),
            constants,
            workgroups: [channels(&self.kv).div_ceil(64), self.rows, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        let segments: Vec<_> = kv::names(self.cache.len()).map(|name| arguments.u32s(name)).collect();
        let bias = self.bias.as_ref().map(|_| arguments.f32s("bias"));
        let gates = self.gates.as_ref().map(|(_, columns)| (arguments.f32s("gates"), *columns));
        cpu::conv(
            batch::rows(&arguments.u32s("batch")),
            (&segments.iter().map(|segment| &**segment).collect::<Vec<_>>(), &arguments.u32s("pages")),
            &self.kv,
            (&arguments.f32s("weights"), bias.as_deref(), self.length, self.activation),
            gates.as_ref().map(|(gates, columns)| (&**gates, *columns)),
            &mut arguments.f32s_mut("out"),
        );
    }

    fn guard(&self) -> KernelTest {
        case(4, self.activation, (self.bias.is_some(), self.gates.is_some()), self.cache.len() as u32)
    }
}

/// Entries of a sequence's row in the page table of the cases.
const PAGES: u32 = 3;

/// Rows at the beginning, on both sides of a page's end, held and finished, and one beyond the context.
const ROWS: [batch::Row; 8] = [
    batch::Row::new(0, 0, 0),
    batch::Row::new(0, 1, 0),
    batch::Row::new(0, 31, 1),
    batch::Row::new(0, 32, 1),
    batch::Row::new(0, 34, 1),
    batch::Row::new(0, 50, 0).flagged(batch::HELD),
    batch::Row::new(0, 51, 0).flagged(batch::FINISHED),
    batch::Row::new(0, PAGES * PAGE, 0),
];

/// Cases of both: lengths, gates, activations, segments.
pub fn cases() -> Vec<KernelTest> {
    vec![
        store_case(false, 1),
        store_case(true, 1),
        store_case(true, 3),
        case(3, None, (false, true), 1),
        case(4, Some(Activation::Silu), (false, false), 1),
        case(1, None, (false, false), 2),
        case(4, Some(Activation::Silu), (true, false), 3),
        case(7, Some(Activation::Silu), (false, true), 3),
    ]
}

fn shape(segments: u32) -> KvShape {
    let (ty, segment_pages) = (KvType::F32, (2 * PAGES).div_ceil(segments));
    KvShape { kv_heads: 1, head_dim: 40, pages_per_sequence: PAGES, ty, segment_pages }
}

/// The cache of a case in segments, and its page table, whose pages lie scattered.
fn cache_of(kv: &KvShape) -> (Vec<Vec<u32>>, Vec<u32>) {
    let words = random_cache(5, kv, 2 * PAGES * 2 * PAGE);
    let pages = (0..2 * PAGES).map(|page| (page * 5 + 2) % (2 * PAGES)).collect();
    (words.chunks(kv.segment_words()).map(<[u32]>::to_vec).collect(), pages)
}

fn store_case(multiplies: bool, segments: u32) -> KernelTest {
    let kv = shape(segments);
    let (columns, times) =
        (Columns { stride: 3 * channels(&kv) + 4, offset: 4 }, multiplies.then_some(2 * channels(&kv)));
    let rows = ROWS.len() as u32 + 1;
    let (cache, pages) = cache_of(&kv);
    let mut inputs = vec![batch::words(&ROWS), random_f32s(1, rows * columns.stride)];
    inputs.extend(cache);
    inputs.push(pages);
    let outputs = (2..).take(segments as usize).map(|binding| Output { binding, kind: Kind::Cache(kv) }).collect();
    KernelTest::new(
        format!("conv_store multiplies {multiplies} segments {segments}"),
        inputs,
        outputs,
        move |mut places| {
            let mut cache = places.split_off(2);
            let pages = cache.pop().expect("the page table is the last");
            let [batch, x] = places.try_into().expect("two inputs before the cache");
            Box::new(ConvStore { batch, x, cache, pages, rows, columns, times, kv })
        },
    )
}

fn case(length: u32, activation: Option<Activation>, (biased, gated): (bool, bool), segments: u32) -> KernelTest {
    let kv = shape(segments);
    let gate = Columns { stride: channels(&kv) + 9, offset: 5 };
    let rows = ROWS.len() as u32 + 1;
    let (cache, pages) = cache_of(&kv);
    let mut inputs = vec![batch::words(&ROWS)];
    inputs.extend(cache);
    inputs.extend([
        pages,
        random_f32s(2, channels(&kv) * length),
        vec![0; (rows * channels(&kv)) as usize],
        random_f32s(3, rows * gate.stride),
        random_f32s(4, channels(&kv)),
    ]);
    let out = 3 + segments as usize;
    let name = format!("conv of {length} {activation:?} biased {biased} gated {gated} segments {segments}");
    KernelTest::new(name, inputs, vec![Output::f32(out)], move |mut places| {
        let behind = places.split_off(1 + segments as usize);
        let [pages, weights, out, gates, bias] = behind.try_into().expect("five inputs behind the cache");
        let batch = places.remove(0);
        let (bias, gates) = (biased.then_some(bias), gated.then_some((gates, gate)));
        Box::new(Conv { batch, cache: places, pages, weights, bias, gates, out, rows, length, activation, kv })
    })
}
