//! The end of a step: chosen tokens become output, history and the next step's batch.

use super::sampling::{
    self, HOLD, NO_TOKEN, RECENT, RING, STOP_WORDS, SampleShape, SamplingParams, case_rows, params_words,
};
use super::verify::{KernelTest, Output};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("commit");

/// Last kernel of [`sampling::chain`].
#[derive(Serialize, Deserialize)]
pub struct Commit {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// u32 `[rows]`.
    #[serde(skip)]
    pub chosen: TensorRef,
    /// [`SamplingParams`], one a sequence.
    #[serde(skip)]
    pub params: TensorRef,
    /// u32 `[sequences, STOP_WORDS]`.
    #[serde(skip)]
    pub stops: TensorRef,
    /// u32 `[sequences, vocab]`.
    #[serde(skip)]
    pub history: TensorRef,
    /// u32 `[sequences, RING]`.
    #[serde(skip)]
    pub ring: TensorRef,
    /// u32 `[sequences, RECENT]`.
    #[serde(skip)]
    pub recent: TensorRef,
    /// Sizes.
    pub shape: SampleShape,
}

impl Kernel for Commit {
    fn name(&self) -> &'static str {
        "commit"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::write("batch", "Batch", &self.batch),
            Operand::read("chosen", "array<u32>", &self.chosen),
            Operand::read("params", "array<Sampling>", &self.params),
            Operand::read("stops", "array<u32>", &self.stops),
            Operand::write("history", "array<u32>", &self.history),
            Operand::write("ring", "array<u32>", &self.ring),
            Operand::write("recent", "array<u32>", &self.recent),
        ]
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        let mut constants = self.shape.constants();
        constants.extend([("RING", RING.into()), ("RECENT", RECENT.into())]);
        constants.extend([("STOP_WORDS", STOP_WORDS.into()), ("ROWS", self.shape.rows.into())]);
        LaunchConfig {
            text: [batch::WGSL, sampling::WGSL, BODY].concat(),
            constants,
            workgroups: [1, 1, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        cpu::commit(
            &mut arguments.u32s_mut("batch"),
            &arguments.u32s("chosen"),
            bytemuck::cast_slice(&arguments.u32s("params")),
            &arguments.u32s("stops"),
            cpu::SequenceState {
                history: &mut arguments.u32s_mut("history"),
                ring: &mut arguments.u32s_mut("ring"),
                recent: &mut arguments.u32s_mut("recent"),
            },
            self.shape.vocab,
        );
    }

    fn guard(&self) -> KernelTest {
        case("goes on", 3, 0, 12, |_| {})
    }
}

/// Cases: going on, stopping, a limit, no token, a full ring, a full count, held rows, drafts, finished and empty batches.
pub fn cases() -> Vec<KernelTest> {
    let stop = |words: &mut [u32], rows| words[..rows].fill(3);
    let held = |step: &mut Step| step.rows[0].flags = batch::HELD;
    let all_held = |step: &mut Step| step.rows.iter_mut().for_each(|row| row.flags = batch::HELD);
    let hold = |step: &mut Step| step.params.iter_mut().for_each(|params| params.flags = HOLD);
    let rest_held = |step: &mut Step| {
        step.rows[0].flags = batch::HELD;
        step.chosen.fill(3);
    };
    vec![
        case("goes on", 3, 0, 12, |_| {}),
        case("one stops", 3, 63, 12, move |step| stop(&mut step.chosen, 1)),
        case("all stop", 3, 64, 12, move |step| stop(&mut step.chosen, 3)),
        case("a single row stops", 1, 200, 12, move |step| stop(&mut step.chosen, 1)),
        case("a single row reaches its limit", 1, 5, 6, |_| {}),
        case("one has no token", 3, 63, 12, |step| step.chosen[0] = NO_TOKEN),
        case("a single row has no token", 1, 64, 12, |step| step.chosen[0] = NO_TOKEN),
        case("one is held", 3, 7, 12, held),
        case("all are held", 3, 7, 12, all_held),
        case("what is not held stops", 3, 7, 12, rest_held),
        case("rows are to be held", 3, 7, 12, hold),
        case("a row to be held stops", 3, 7, 6, hold),
        case("a draft among other rows", 5, 62, 12, draft),
        case("a draft with no token", 5, u32::MAX - 1, 12, |step| {
            draft(step);
            step.chosen[4] = NO_TOKEN;
        }),
        case("an empty batch", 0, 5, 12, |_| {}),
    ]
}

/// Rows 0, 2 and 4 verify a draft of one sequence.
fn draft(step: &mut Step) {
    for (row, position) in [(0, 5), (2, 6), (4, 7)] {
        step.rows[row] = batch::Row { position, sequence: 4, flags: batch::VERIFY, ..step.rows[row] };
    }
}

/// What a case may change.
struct Step {
    rows: Vec<batch::Row>,
    chosen: Vec<u32>,
    params: Vec<SamplingParams>,
}

/// `rows` rows, of which the second is finished; row r's token is r + 8; token 3 stops. The count of token 8 is full. All that
/// unless `change` says otherwise.
fn case(name: &str, rows: u32, step: u32, limit: u32, change: impl Fn(&mut Step)) -> KernelTest {
    let shape = SampleShape { rows: rows + 1, vocab: 33, columns: 33 };
    let sequences = rows.max(1);
    // Row 0, at position 5, belongs to the last sequence: the only one with a limit.
    let limits = (0..sequences).map(|sequence| if sequence + 1 == rows { limit } else { 0 });
    let params = limits.map(|limit| SamplingParams { limit, ..SamplingParams::GREEDY }).collect();
    let mut valid = Step { rows: case_rows(rows), chosen: (8..9 + rows).collect(), params };
    if let Some(row) = valid.rows.get_mut(1) {
        row.flags = batch::FINISHED;
    }
    change(&mut valid);
    let mut words = batch::words(&valid.rows);
    words[1] = step;
    words.extend([9; 4]);
    let mut history: Vec<u32> = (0..sequences * 33).map(|i| if i % 33 == 8 { 0x8123_7fff } else { i << 16 }).collect();
    history[9] = 0x8000_0001;
    let stops = sampling::stop_words(&[30, 3]).unwrap_or_default().repeat(sequences as usize);
    let ring = vec![77; (sequences * RING) as usize];
    let recent = vec![66; (sequences * RECENT) as usize];
    let inputs = vec![words, valid.chosen, params_words(&valid.params), stops, history, ring, recent];
    let outputs = [0, 4, 5, 6].map(Output::bits).to_vec();
    KernelTest::new(format!("commit, {name}, step {step}"), inputs, outputs, move |places| {
        let [batch, chosen, params, stops, history, ring, recent] = places.try_into().expect("seven inputs");
        Box::new(Commit { batch, chosen, params, stops, history, ring, recent, shape })
    })
}
