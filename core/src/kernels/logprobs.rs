//! Log-probabilities of chosen tokens and of the likeliest ones, by the model's own distribution.

use super::sampling::{
    self, LOGPROB_WORDS, LOGPROBS, NO_TOKEN, RING, SampleShape, SamplingParams, TOP_LOGPROBS, case_rows, params_words,
};
use super::verify::{KernelTest, Output, random_f32s};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("logprobs");
const BEST_SHARED: &str = wgsl!("shared/best_shared");

/// What comes between [`FilterDraw`](super::filter_draw::FilterDraw) and [`Commit`](super::commit::Commit) in a chain for sequences
/// that ask for log-probabilities.
#[derive(Serialize, Deserialize)]
pub struct Logprobs {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, columns]`.
    #[serde(skip)]
    pub logits: TensorRef,
    /// [`SamplingParams`], one a sequence.
    #[serde(skip)]
    pub params: TensorRef,
    /// u32 `[rows]`.
    #[serde(skip)]
    pub chosen: TensorRef,
    /// u32 `[sequences, RING, LOGPROB_WORDS]`.
    #[serde(skip)]
    pub logprobs: TensorRef,
    /// Sizes.
    pub shape: SampleShape,
}

impl Kernel for Logprobs {
    fn name(&self) -> &'static str {
        "logprobs"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("logits", "array<u32>", &self.logits),
            Operand::read("params", "array<Sampling>", &self.params),
            Operand::read("chosen", "array<u32>", &self.chosen),
            Operand::write("logprobs", "array<u32>", &self.logprobs),
        ]
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Shared]
    }

    fn launch(&self, _: Variant, facts: &AdapterInfo) -> LaunchConfig {
        let lanes = if facts.software { 64 } else { 256 };
        let mut constants = self.shape.constants();
        constants.extend([("LANES", lanes.into()), ("COLUMNS", self.shape.columns.into())]);
        constants.extend([("RING", RING.into()), ("TOP", TOP_LOGPROBS.into())]);
        LaunchConfig {
            text: [batch::WGSL, sampling::WGSL, BEST_SHARED, BODY].concat(),
            constants,
            workgroups: [self.shape.rows, 1, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        let words = arguments.u32s("batch");
        cpu::logprobs(
            (batch::rows(&words), batch::step(&words)),
            &arguments.u32s("logits"),
            bytemuck::cast_slice(&arguments.u32s("params")),
            &arguments.u32s("chosen"),
            &mut arguments.u32s_mut("logprobs"),
            &self.shape,
        );
    }

    fn guard(&self) -> KernelTest {
        case(517, 60, false)
    }
}

/// Cases: vocabularies of fewer tokens than are told, of many, with ties and without, a full ring, a draft.
pub fn cases() -> Vec<KernelTest> {
    let sizes = [(1, 0), (5, 1), (33, 63), (517, 64), (1757, 3), (32768, 200), (152_064, 2)];
    let mut cases: Vec<_> = sizes.map(|(vocab, step)| case(vocab, step, vocab % 2 == 0)).into();
    cases.push(draft_case());
    cases
}

/// Six rows: one does not ask, one is finished, one has no token, one is held, and the last is not valid. Tokens are forbidden here
/// and there.
fn case(vocab: u32, step: u32, has_ties: bool) -> KernelTest {
    let shape = SampleShape { rows: 6, vocab, columns: vocab + 3 };
    let mut rows = case_rows(5);
    rows[1].flags = batch::FINISHED;
    rows[3].flags = batch::HELD;
    let mut words = batch::words(&rows);
    batch::set_step(&mut words, step);
    let logits = random_f32s(51, shape.rows * shape.columns).into_iter().zip(0..).map(|(word, i)| {
        let value = f32::from_bits(word) * 12.0;
        let value = if has_ties { value.round() } else { value };
        if i % 13 == 9 { f32::NEG_INFINITY } else { value }.to_bits()
    });
    let asks = |sequence| if sequence == 0 { 0 } else { LOGPROBS };
    let params: Vec<_> = (0..5).map(|s| SamplingParams { flags: asks(s), ..SamplingParams::GREEDY }).collect();
    let chosen = vec![0, 0, NO_TOKEN, 0, 0, 0];
    let logprobs = vec![0; (5 * RING * LOGPROB_WORDS) as usize];
    let inputs = vec![words, logits.collect(), params_words(&params), chosen, logprobs];
    KernelTest::new(format!("logprobs of {vocab}, step {step}"), inputs, vec![Output::pairs(4)], move |places| {
        let [batch, logits, params, chosen, logprobs] = places.try_into().expect("five inputs");
        Box::new(Logprobs { batch, logits, params, chosen, logprobs, shape })
    })
}

fn draft_case() -> KernelTest {
    let mut case = case(33, 62, false);
    let row = |position| batch::Row::new(5, position, 2).flagged(batch::VERIFY);
    case.inputs[0] = batch::words(&[row(7), row(8), row(9), batch::Row::new(5, 3, 1), row(10)]);
    batch::set_step(&mut case.inputs[0], 62);
    case.name = "logprobs of a draft".into();
    case
}
