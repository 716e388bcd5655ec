//! Pairs of rows and experts listed by expert, in tiles of pairs that one workgroup multiplies.

use crate::gpu::{AdapterInfo, RequiredFeatures};
use crate::kernels::verify::{KernelTest, Output, random_words};
use crate::kernels::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use serde::{Deserialize, Serialize};

const COUNT: &str = wgsl!("experts/count");
const SORT: &str = wgsl!("experts/sort");

/// Pairs of a tile.
pub const SIDE: u32 = 64;
/// Words of a tile: its expert, its first place in the list, its pairs, and one that is spare.
pub const TILE_WORDS: u32 = 4;

/// Sizes of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListShape {
    /// Rows at most.
    pub rows: u32,
    /// Experts of a row.
    pub used: u32,
    /// Experts there are.
    pub experts: u32,
}

impl ListShape {
    /// Pairs at most.
    pub fn pairs(&self) -> u32 {
        self.rows * self.used
    }

    /// Tiles at most: of each expert all are full but the last.
    pub fn tiles(&self) -> u32 {
        self.pairs() / SIDE + self.experts.min(self.pairs())
    }

    /// Words of a list: its tiles, then its pairs.
    pub fn words(&self) -> u32 {
        TILE_WORDS * self.tiles() + self.pairs()
    }

    fn constants(&self) -> Vec<(&'static str, f64)> {
        vec![("EXPERTS", self.experts.into()), ("USED", self.used.into()), ("TILES", self.tiles().into())]
    }
}

/// `counts[e]`: the pairs of expert `e`.
#[derive(Serialize, Deserialize)]
pub struct ExpertCount {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// `[rows, 2 · used]`; see [`super::route`].
    #[serde(skip)]
    pub choices: TensorRef,
    /// u32 `[experts]`.
    #[serde(skip)]
    pub counts: TensorRef,
    /// Sizes.
    pub shape: ListShape,
}

/// `list`: tiles of pairs by expert, then the pairs.
#[derive(Serialize, Deserialize)]
pub struct ExpertSort {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// `[rows, 2 · used]`; see [`super::route`].
    #[serde(skip)]
    pub choices: TensorRef,
    /// u32 `[experts]`.
    #[serde(skip)]
    pub counts: TensorRef,
    /// u32 `[shape.words()]`.
    #[serde(skip)]
    pub list: TensorRef,
    /// Sizes.
    pub shape: ListShape,
}

fn launch(body: &'static str, shape: &ListShape) -> LaunchConfig {
    LaunchConfig {
        text: [batch::WGSL, body].concat(),
        constants: shape.constants(),
        workgroups: [shape.experts.div_ceil(32), 1, 1],
        needs: RequiredFeatures::default(),
    }
}

impl Kernel for ExpertCount {
    fn name(&self) -> &'static str {
        "expert_count"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("choices", "array<u32>", &self.choices),
            Operand::write("counts", "array<u32>", &self.counts),
        ]
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        let mut launch = launch(COUNT, &self.shape);
        launch.constants.retain(|(name, _)| *name != "TILES");
        launch
    }

    fn run(&self, arguments: &Arguments) {
        let rows = batch::count(&arguments.u32s("batch"));
        cpu::count_pairs(
            &arguments.u32s("choices"),
            (rows, self.shape.used as usize),
            &mut arguments.u32s_mut("counts"),
        );
    }

    fn guard(&self) -> KernelTest {
        case(9, ListShape { rows: 11, used: 3, experts: 40 }, false)
    }
}

impl Kernel for ExpertSort {
    fn name(&self) -> &'static str {
        "expert_sort"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("choices", "array<u32>", &self.choices),
            Operand::read("counts", "array<u32>", &self.counts),
            Operand::write("list", "array<u32>", &self.list),
        ]
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        launch(SORT, &self.shape)
    }

    fn run(&self, arguments: &Arguments) {
        let rows = batch::count(&arguments.u32s("batch"));
        let (choices, counts) = (arguments.u32s("choices"), arguments.u32s("counts"));
        cpu::sort_pairs(
            &choices,
            &counts[..self.shape.experts as usize],
            rows,
            self.shape,
            &mut arguments.u32s_mut("list"),
        );
    }

    fn guard(&self) -> KernelTest {
        case(9, ListShape { rows: 11, used: 3, experts: 40 }, true)
    }
}

/// Cases of both: experts with no pair, with one, with more than a tile.
pub fn cases() -> Vec<KernelTest> {
    let shapes = [(1, 1, 2, 5), (9, 11, 3, 40), (200, 201, 2, 3), (130, 130, 4, 33), (0, 3, 2, 4)];
    let both =
        |(valid, rows, used, experts)| [false, true].map(|sorts| case(valid, ListShape { rows, used, experts }, sorts));
    shapes.into_iter().flat_map(both).collect()
}

/// Choices of random experts, which differ within a row.
pub(super) fn random_choices(seed: u64, rows: u32, used: u32, experts: u32) -> Vec<u32> {
    let words = random_words(seed, rows * used);
    let mut choices = Vec::new();
    for row in words.chunks_exact(used as usize) {
        let first = row[0] % experts;
        choices.extend((0..used).map(|n| (first + n * (1 + row[0] / experts % (experts / used).max(1))) % experts));
        choices.extend(row.iter().map(|word| ((word >> 8) as f32 / (1 << 24) as f32).to_bits()));
    }
    choices
}

fn case(valid: u32, shape: ListShape, sorts: bool) -> KernelTest {
    let rows: Vec<_> = (0..valid).map(|r| batch::Row::new(0, r, 0)).collect();
    let choices = random_choices(5, shape.rows, shape.used, shape.experts);
    let mut counts = vec![7; shape.experts as usize];
    if sorts {
        cpu::count_pairs(&choices, (valid as usize, shape.used as usize), &mut counts);
    }
    let mut words = batch::words(&rows);
    words.resize(batch::bytes(shape.rows) as usize / 4, 0);
    let inputs = vec![words, choices, counts, vec![9; shape.words() as usize]];
    let name =
        format!("expert_{} {valid} rows {} of {}", if sorts { "sort" } else { "count" }, shape.used, shape.experts);
    KernelTest::new(name, inputs, vec![Output::bits(if sorts { 3 } else { 2 })], move |places| {
        let [batch, choices, counts, list] = places.try_into().expect("four inputs");
        match sorts {
            true => Box::new(ExpertSort { batch, choices, counts, list, shape }),
            false => Box::new(ExpertCount { batch, choices, counts, shape }),
        }
    })
}
