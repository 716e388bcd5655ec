//! DRY ("don't repeat yourself"): which tokens would make a repetition longer, and how long it is.

use super::sampling::{self, RECENT, SampleShape, SamplingParams, case_rows, mask_words, params_words, recent_words};
use super::verify::{KernelTest, Output, random_words};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("dry");

/// No repetition counts as longer: what it would cost is beyond any logit already, unless the base is nearly 1.
pub const LONGEST: u32 = 255;

/// What comes before [`ChunkArgmax`](super::chunk_argmax::ChunkArgmax) in a chain for sequences with this penalty.
#[derive(Serialize, Deserialize)]
pub struct Dry {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// [`SamplingParams`], one a sequence.
    #[serde(skip)]
    pub params: TensorRef,
    /// u32 `[sequences, RECENT]`.
    #[serde(skip)]
    pub recent: TensorRef,
    /// u32 `[sequences, mask_words(vocab)]`.
    #[serde(skip)]
    pub breakers: TensorRef,
    /// f32 `[rows, chunks · chunk]`.
    #[serde(skip)]
    pub lengths: TensorRef,
    /// Sizes.
    pub shape: SampleShape,
}

impl Kernel for Dry {
    fn name(&self) -> &'static str {
        "dry"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("params", "array<Sampling>", &self.params),
            Operand::read("recent", "array<u32>", &self.recent),
            Operand::read("breakers", "array<u32>", &self.breakers),
            Operand::write("lengths", "array<atomic<u32>>", &self.lengths),
        ]
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Shared]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        let mut constants = self.shape.constants();
        constants.extend([("LANES", 256.0), ("RECENT", RECENT.into()), ("LONGEST", LONGEST.into())]);
        constants.push(("MASK_WORDS", mask_words(self.shape.vocab).into()));
        LaunchConfig {
            text: [batch::WGSL, sampling::WGSL, BODY].concat(),
            constants,
            workgroups: [self.shape.rows, 1, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        cpu::dry(
            batch::rows(&arguments.u32s("batch")),
            bytemuck::cast_slice(&arguments.u32s("params")),
            (&arguments.u32s("recent"), &arguments.u32s("breakers")),
            &mut arguments.f32s_mut("lengths"),
            &self.shape,
        );
    }

    fn guard(&self) -> KernelTest {
        case("at a few tokens", 33, 300, 5, DRY)
    }
}

const DRY: SamplingParams = SamplingParams { dry_multiplier: 0.8, ..SamplingParams::GREEDY };

/// Cases: few kinds of tokens and many, the beginning of a sequence, a full window, one token alone, a look back that is short, none
/// at all, a draft.
pub fn cases() -> Vec<KernelTest> {
    vec![
        case("at a few tokens", 33, 300, 5, DRY),
        case("at many tokens", 1757, 4000, 300, DRY),
        case("at the beginning", 33, 0, 5, DRY),
        case("at a full window", 517, 3 * RECENT + 77, 3, DRY),
        case("of one token", 517, RECENT + 5, 1, DRY),
        case("of the last few", 33, 300, 3, SamplingParams { dry_last_n: 20, ..DRY }),
        case("of nothing", 33, 300, 3, SamplingParams { dry_last_n: 0, ..DRY }),
        case("not at all", 33, 300, 3, SamplingParams::GREEDY),
        draft_case(),
    ]
}

/// Four rows, one finished, one held, and the last not valid. Sequences are of `kinds` tokens, whose highest ends repetitions; the
/// first row has `position`.
fn case(name: &str, vocab: u32, position: u32, kinds: u32, params: SamplingParams) -> KernelTest {
    let shape = SampleShape { rows: 5, vocab, columns: vocab };
    let mut rows = case_rows(4);
    for (row, flags) in rows.iter_mut().zip([0, batch::FINISHED, 0, batch::HELD]) {
        row.position = position + 7 * row.sequence;
        row.flags = flags;
    }
    let recent = rows.iter().rev().flat_map(|row| {
        let tokens = random_words(u64::from(41 + row.sequence), row.position + 1);
        let tokens: Vec<u32> = tokens.into_iter().map(|word| word % kinds.min(vocab)).collect();
        recent_words(&tokens, row.position + 1)
    });
    let breaks = |token: u32| kinds > 1 && token + 1 == kinds;
    let breakers: Vec<u32> = (0..mask_words(vocab))
        .map(|word| (0..32).filter(|bit| breaks(32 * word + bit)).map(|bit| 1 << bit).sum())
        .collect();
    let lengths = vec![5f32.to_bits(); (shape.rows * shape.stride()) as usize];
    let inputs = vec![batch::words(&rows), params_words(&[params; 4]), recent.collect(), breakers.repeat(4), lengths];
    KernelTest::new(format!("dry, {name}"), inputs, vec![Output::bits(4)], move |places| {
        let [batch, params, recent, breakers, lengths] = places.try_into().expect("five inputs");
        Box::new(Dry { batch, params, recent, breakers, lengths, shape })
    })
}

/// The draft goes on with what it repeats.
fn draft_case() -> KernelTest {
    let mut case = case("of a draft", 33, 0, 5, DRY);
    let row = |token, position| batch::Row::new(token, position, 1).flagged(batch::VERIFY);
    let other = batch::Row::new(6, 70, 3);
    case.inputs[0] = batch::words(&[row(2, 5), row(3, 6), other, row(1, 7)]);
    let first = RECENT as usize;
    case.inputs[2][first..first + 6].copy_from_slice(&[2, 3, 1, 4, 4, 2]);
    case
}
