//! Matmuls of experts: each pair of a row and an expert meets that expert's weights, for few rows ([`ExpertGemv`]) and for many
//! ([`ExpertGemm`]).

use crate::gpu::{AdapterInfo, RequiredFeatures};
use crate::kernels::cpu::FastWay;
use crate::kernels::experts::sort::{ListShape, SIDE};
use crate::kernels::gated_activation::{ACTIVATE, Activation};
use crate::kernels::gemm::{DOT4, F16, FLOATS, SCALED};
use crate::kernels::matmul::{DOTS, EPILOGUE, Epilogue, INPUTS, NO_BIAS, PLAIN_TILES};
use crate::kernels::verify::{KernelTest, Output, random_f32s};
#[cfg(not(target_arch = "wasm32"))]
use crate::kernels::weights::WeightInput;
use crate::kernels::weights::{CaseWeights, WeightShard, random_planes};
use crate::kernels::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu, grid_2d};
use inglenook_format::quant::WeightType;
use serde::{Deserialize, Serialize};

const BIAS: &str = wgsl!("experts/matmul/bias");
const PAIRS: &str = wgsl!("experts/matmul/pairs");
const CHOICES: &str = wgsl!("experts/matmul/choices");
const FEW: &str = wgsl!("experts/matmul/few");
const FEW_PLAIN: &str = wgsl!("experts/matmul/few_plain");
const MEET_SHARED: &str = wgsl!("experts/matmul/meet_shared");
const MEET_SUBGROUPS: &str = wgsl!("experts/matmul/meet_subgroups");
const MANY: &str = wgsl!("experts/matmul/many");
const MANY_PLAIN: &str = wgsl!("experts/matmul/many_plain");

/// Row tiles that a workgroup computes where its invocations share memory.
const ROW_TILES: u32 = 16;
/// Pairs that an invocation of the plain variant computes.
const PLAIN_PAIRS: u32 = 8;

/// `out[pair] = weights of its expert · x`, for the experts of one shard.
#[derive(Clone, Serialize, Deserialize)]
pub struct ExpertMatmul {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, weights.cols]`, or of each pair a row.
    #[serde(skip)]
    pub x: TensorRef,
    /// For few rows the choices, `[rows, 2 · used]` ([`super::route`]); for many the list of pairs ([`super::sort`]).
    #[serde(skip)]
    pub pairs: TensorRef,
    /// The weights of some experts, one below the other; an even number of rows of each where gated.
    pub weights: WeightShard,
    /// f32 `[weights.rows]`.
    pub bias: Option<TensorRef>,
    /// f32 `[rows · used, outputs]`.
    #[serde(skip)]
    pub out: TensorRef,
    /// Sizes.
    pub shape: ListShape,
    /// The shard's first expert, and how many it has.
    pub experts: (u32, u32),
    /// Whether x has a row for each pair.
    pub x_of_pairs: bool,
    /// What becomes of the dot products: stored, or gated.
    pub epilogue: Epilogue,
}

impl ExpertMatmul {
    fn operands(&self, pairs: &'static str) -> Vec<Operand> {
        let mut operands = vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("x", "array<vec4<f32>>", &self.x),
            Operand::read(pairs, "array<u32>", &self.pairs),
            Operand::write("out", "array<f32>", &self.out),
        ];
        operands.extend(self.weights.operands());
        operands.extend(self.bias.iter().map(|bias| Operand::read("bias", "array<f32>", bias)));
        operands
    }

    /// Weight rows of an expert.
    fn rows(&self) -> u32 {
        self.weights.rows / self.experts.1
    }

    /// Values of a pair.
    fn outputs(&self) -> u32 {
        if matches!(self.epilogue, Epilogue::Gated(_)) { self.rows() / 2 } else { self.rows() }
    }

    fn row_tiles(&self) -> u32 {
        self.outputs().div_ceil(if matches!(self.epilogue, Epilogue::Gated(_)) { 2 } else { 4 })
    }

    fn launch(&self, body: &[&str], workgroups: [u32; 3], needs: RequiredFeatures) -> LaunchConfig {
        let bias = if self.bias.is_some() { BIAS } else { NO_BIAS };
        let (mode, with) = self.epilogue.mode();
        LaunchConfig {
            text: [batch::WGSL, &self.weights.wgsl(), ACTIVATE, PAIRS, bias, EPILOGUE, DOTS].concat() + &body.concat(),
            constants: vec![
                ("ROWS", self.rows().into()),
                ("CHUNKS", self.weights.chunks().into()),
                ("MODE", mode.into()),
                ("WITH", with),
                ("OUT_STRIDE", self.outputs().into()),
                ("OUT_OFFSET", 0.0),
                ("USED", self.shape.used.into()),
                ("FIRST_EXPERT", self.experts.0.into()),
                ("EXPERTS", self.experts.1.into()),
                ("X_OF_PAIRS", self.x_of_pairs.into()),
            ],
            workgroups,
            needs,
        }
    }

    /// Hands out the row of each pair whose expert is of this shard.
    #[cfg(not(target_arch = "wasm32"))]
    fn weight_inputs(&self, arguments: &Arguments, runs: &[cpu::PairsOfExpert], see: &mut dyn FnMut(WeightInput<'_>)) {
        let (all, cols) = (arguments.f32s("x"), self.weights.cols as usize);
        let pairs_of_row = if self.x_of_pairs { 1 } else { self.shape.used as usize };
        let (first, count) = self.experts;
        for run in runs.iter().filter(|run| (first..first + count).contains(&run.expert)) {
            for pair in &run.pairs {
                let x = &all[pair / pairs_of_row * cols..][..cols];
                see(WeightInput { weights: &self.weights, expert: run.expert, x });
            }
        }
    }

    /// The twin, or the fast way: of each expert with its pairs.
    fn run_by(&self, arguments: &Arguments, runs: &[cpu::PairsOfExpert], way: Option<FastWay>) {
        let planes = cpu::HostPlanes::of(self.weights.ty, arguments);
        let weights = planes.rows(self.weights.ty, self.weights.cols as usize);
        let bias = self.bias.is_some().then(|| arguments.f32s("bias"));
        let matmul = cpu::ExpertProducts {
            weights,
            rows: self.rows() as usize,
            bias: bias.as_deref(),
            experts: self.experts,
            used: if self.x_of_pairs { 1 } else { self.shape.used as usize },
            epilogue: self.epilogue,
        };
        matmul.compute(&arguments.f32s("x"), runs, way, &mut arguments.f32s_mut("out"));
    }
}

/// An [`ExpertMatmul`] for few rows.
#[derive(Clone, Serialize, Deserialize)]
pub struct ExpertGemv(pub ExpertMatmul);

/// An [`ExpertMatmul`] for a prefill chunk.
#[derive(Clone, Serialize, Deserialize)]
pub struct ExpertGemm(pub ExpertMatmul);

impl ExpertGemv {
    fn runs(&self, arguments: &Arguments) -> Vec<cpu::PairsOfExpert> {
        let rows = batch::count(&arguments.u32s("batch"));
        cpu::pairs_of_choices(&arguments.u32s("choices"), rows, self.0.shape.used as usize)
    }
}

impl Kernel for ExpertGemv {
    fn name(&self) -> &'static str {
        "expert_gemv"
    }

    fn operands(&self) -> Vec<Operand> {
        self.0.operands("choices")
    }

    fn variants(&self, facts: &AdapterInfo) -> Vec<Variant> {
        let mut variants = match facts.software {
            true => vec![Variant::Plain, Variant::Subgroups, Variant::Shared],
            false => vec![Variant::Subgroups, Variant::Shared, Variant::Plain],
        };
        variants.retain(|variant| variant.fits(facts));
        variants
    }

    fn class(&self) -> String {
        self.0.weights.ty.to_string()
    }

    fn timed(&self) -> bool {
        true
    }

    fn launch(&self, variant: Variant, facts: &AdapterInfo) -> LaunchConfig {
        let (tiles, pairs) = (self.0.row_tiles(), self.0.shape.pairs());
        let [x, y, _] = grid_2d(tiles, facts);
        let lanes = |meet: &str, needs| self.0.launch(&[INPUTS, CHOICES, FEW, meet], [x, y, pairs], needs);
        match variant {
            Variant::Subgroups => lanes(MEET_SUBGROUPS, RequiredFeatures { subgroups: true, f16: false }),
            Variant::Shared => lanes(MEET_SHARED, RequiredFeatures::default()),
            _ => self.0.launch(
                &[INPUTS, CHOICES, FEW_PLAIN],
                [tiles.div_ceil(PLAIN_TILES), pairs, 1],
                RequiredFeatures::default(),
            ),
        }
    }

    fn run(&self, arguments: &Arguments) {
        self.0.run_by(arguments, &self.runs(arguments), None);
    }

    fn run_fast(&self, arguments: &Arguments, way: FastWay) -> bool {
        self.0.run_by(arguments, &self.runs(arguments), Some(way));
        true
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn weight_inputs(&self, arguments: &Arguments, see: &mut dyn FnMut(WeightInput<'_>)) {
        self.0.weight_inputs(arguments, &self.runs(arguments), see);
    }

    fn guard(&self) -> KernelTest {
        few(self.0.weights.ty, Shape { valid: 2, n: 48, k: 512, ..SHAPE }, Epilogue::Store, false)
    }
}

impl ExpertGemm {
    fn runs(&self, arguments: &Arguments) -> Vec<cpu::PairsOfExpert> {
        cpu::pairs_of_list(&arguments.u32s("list"), self.0.shape)
    }

    fn tiles(&self, body: &[&str], needs: RequiredFeatures) -> LaunchConfig {
        let workgroups = [self.0.row_tiles().div_ceil(ROW_TILES), self.0.shape.tiles(), 1];
        self.with_tiles(self.0.launch(body, workgroups, needs))
    }

    fn with_tiles(&self, mut launch: LaunchConfig) -> LaunchConfig {
        launch.constants.push(("TILES", self.0.shape.tiles().into()));
        launch
    }
}

impl Kernel for ExpertGemm {
    fn name(&self) -> &'static str {
        "expert_gemm"
    }

    fn operands(&self) -> Vec<Operand> {
        // How many rows there are stands in the list.
        self.0.operands("list").into_iter().skip(1).collect()
    }

    fn variants(&self, facts: &AdapterInfo) -> Vec<Variant> {
        let mut variants = match facts.software {
            true => vec![Variant::Plain, Variant::Dot4, Variant::F16, Variant::Shared],
            false => vec![Variant::Dot4, Variant::F16, Variant::Shared, Variant::Plain],
        };
        let quantised = self.0.weights.ty.block_len() > 1;
        let small = |variant: &Variant| matches!(variant, Variant::Dot4 | Variant::F16);
        variants.retain(|variant| variant.fits(facts) && (quantised || !small(variant)));
        variants
    }

    fn class(&self) -> String {
        self.0.weights.ty.to_string()
    }

    fn timed(&self) -> bool {
        true
    }

    fn launch(&self, variant: Variant, _: &AdapterInfo) -> LaunchConfig {
        match variant {
            Variant::Dot4 => self.tiles(&[DOT4, SCALED, MANY], RequiredFeatures::default()),
            Variant::F16 => self.tiles(&[F16, SCALED, MANY], RequiredFeatures { f16: true, subgroups: false }),
            Variant::Shared => self.tiles(&[FLOATS, MANY], RequiredFeatures::default()),
            _ => {
                let workgroups =
                    [self.0.row_tiles().div_ceil(PLAIN_TILES), self.0.shape.tiles() * (SIDE / PLAIN_PAIRS), 1];
                self.with_tiles(self.0.launch(&[INPUTS, MANY_PLAIN], workgroups, RequiredFeatures::default()))
            }
        }
    }

    fn run(&self, arguments: &Arguments) {
        self.0.run_by(arguments, &self.runs(arguments), None);
    }

    fn run_fast(&self, arguments: &Arguments, way: FastWay) -> bool {
        self.0.run_by(arguments, &self.runs(arguments), Some(way));
        true
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn weight_inputs(&self, arguments: &Arguments, see: &mut dyn FnMut(WeightInput<'_>)) {
        self.0.weight_inputs(arguments, &self.runs(arguments), see);
    }

    fn guard(&self) -> KernelTest {
        many(self.0.weights.ty, Shape { valid: 40, rows: 42, n: 80, k: 256, ..SHAPE }, Epilogue::Store, false)
    }
}

/// The shape of a known-answer case.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// Valid rows, and rows there is room for.
    valid: u32,
    rows: u32,
    used: u32,
    /// Experts there are; the shard has those in the middle.
    experts: u32,
    /// Weight rows of an expert, and columns.
    n: u32,
    k: u32,
}

const SHAPE: Shape = Shape { valid: 1, rows: 3, used: 3, experts: 7, n: 32, k: 256 };

/// Every weight type, then every mode and an expert with several tiles.
pub fn cases() -> Vec<KernelTest> {
    let silu = Epilogue::Gated(Activation::Silu);
    let oss = Epilogue::Gated(Activation::ClampedSilu);
    let types = WeightType::ALL.into_iter().flat_map(|ty| {
        [
            few(ty, Shape { valid: 2, n: 16, ..SHAPE }, Epilogue::Store, false),
            many(ty, Shape { valid: 30, rows: 33, n: 16, ..SHAPE }, Epilogue::Store, false),
        ]
    });
    let modes = [
        few(WeightType::Q4_0, Shape { valid: 1, rows: 1, n: 96, k: 1760, ..SHAPE }, silu, false),
        few(WeightType::Q8_0, Shape { valid: 5, rows: 8, n: 48, k: 96, ..SHAPE }, oss, true),
        few(WeightType::F32, Shape { valid: 2, n: 32, k: 32, used: 1, ..SHAPE }, Epilogue::Store, true),
        few(WeightType::Q4_0, Shape { valid: 0, n: 32, k: 32, ..SHAPE }, Epilogue::Store, true),
        many(WeightType::Q4_0, Shape { valid: 100, rows: 130, n: 96, k: 96, experts: 4, ..SHAPE }, silu, false),
        many(
            WeightType::Q8_0,
            Shape { valid: 90, rows: 90, n: 160, k: 64, experts: 3, ..SHAPE },
            Epilogue::Store,
            true,
        ),
        many(WeightType::F16, Shape { valid: 9, rows: 10, n: 32, k: 96, ..SHAPE }, oss, true),
        few(
            WeightType::Q8_0,
            Shape { valid: 3, rows: 4, n: 48, k: 96, ..SHAPE },
            Epilogue::Activate(Activation::Gelu),
            false,
        ),
        many(
            WeightType::F16,
            Shape { valid: 9, rows: 10, n: 32, k: 96, ..SHAPE },
            Epilogue::Activate(Activation::Gelu),
            false,
        ),
    ];
    types.chain(modes).collect()
}

fn few(ty: WeightType, shape: Shape, epilogue: Epilogue, biased: bool) -> KernelTest {
    case("expert_gemv", ty, shape, epilogue, biased, |matmul| Box::new(ExpertGemv(matmul)))
}

fn many(ty: WeightType, shape: Shape, epilogue: Epilogue, biased: bool) -> KernelTest {
    case("expert_gemm", ty, shape, epilogue, biased, |matmul| Box::new(ExpertGemm(matmul)))
}

/// Stored products have inputs of pairs, gated ones of rows. What belongs to experts of other shards stays. Of F32, weights of experts that no
/// row has chosen are no numbers.
fn case(
    kernel: &'static str,
    ty: WeightType,
    shape: Shape,
    epilogue: Epilogue,
    biased: bool,
    build: fn(ExpertMatmul) -> Box<dyn Kernel>,
) -> KernelTest {
    let Shape { valid, rows, used, experts, n, k } = shape;
    let batch_rows: Vec<_> = (0..valid).map(|r| batch::Row::new(0, r, 0)).collect();
    let is_gated = matches!(epilogue, Epilogue::Gated(_));
    let x_of_pairs = !is_gated;
    let list = ListShape { rows, used, experts };
    let choices = super::sort::random_choices(6, rows, used, experts);
    let of_valid_rows = choices.chunks_exact(2 * used as usize).take(valid as usize);
    let chosen: Vec<u32> = of_valid_rows.flat_map(|row| row[..used as usize].to_vec()).collect();
    let pairs = match kernel {
        "expert_gemv" => choices,
        _ => {
            let (mut counts, mut words) = (vec![0; experts as usize], vec![0; list.words() as usize]);
            cpu::count_pairs(&choices, (valid as usize, used as usize), &mut counts);
            cpu::sort_pairs(&choices, &counts, valid as usize, list, &mut words);
            words
        }
    };
    let shard = (1, experts - 2);
    let outputs = if is_gated { n / 2 } else { n };
    let x_rows = if x_of_pairs { rows * used } else { rows };
    let mut batch_words = batch::words(&batch_rows);
    batch_words.resize(batch::bytes(rows) as usize / 4, 0);
    let mut inputs = vec![batch_words, random_f32s(1, x_rows * k), pairs, random_f32s(2, rows * used * outputs)];
    inputs.extend(random_planes(ty, 3, shard.1 * n, k));
    if ty == WeightType::F32 {
        // What is not chosen is not read: it would be seen.
        let experts = inputs[4].chunks_exact_mut((n * k) as usize).zip(shard.0..);
        let unread = experts.filter(|(_, expert)| !chosen.contains(expert));
        unread.for_each(|(weights, _)| weights.fill(f32::NAN.to_bits()));
    }
    if biased {
        inputs.push(random_f32s(4, shard.1 * n));
    }
    let name = format!(
        "{kernel} {ty} {valid}/{rows} rows, {used} of {experts} {n}x{k} {epilogue:?}{}",
        if biased { " biased" } else { "" }
    );
    let case = KernelTest::new(name, inputs, vec![Output::f32(3)], move |mut places| {
        let bias = biased.then(|| places.pop().expect("a bias"));
        let weights = WeightShard::over(ty, shard.1 * n, k, &places[4..]);
        let [batch, x, pairs, out] = [0, 1, 2, 3].map(|i| places[i].clone());
        build(ExpertMatmul { batch, x, pairs, weights, bias, out, shape: list, experts: shard, x_of_pairs, epilogue })
    });
    case.weighted(CaseWeights { first: 4, ty, cols: k })
}
