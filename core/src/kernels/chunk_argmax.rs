//! Bias, penalties and mask, and the best token of each chunk of the vocabulary.

use super::cpu::FastWay;
use super::sampling::{self, BIASED, MASKED, SampleShape, SamplingParams, case_rows, mask_words, params_words};
use super::verify::{KernelTest, Output, random_f32s, random_words};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("chunk_argmax");
const ONE: &str = wgsl!("chunk_argmax/one");
const MANY: &str = wgsl!("chunk_argmax/many");
const SUM_ONE: &str = wgsl!("shared/sum_one");
const SUM_SHARED: &str = wgsl!("shared/sum_shared");
pub(super) const BEST_ONE: &str = wgsl!("shared/best_one");
pub(super) const BEST_SHARED: &str = wgsl!("shared/best_shared");

/// Chunks in a workgroup of the plain variant.
const PLAIN_GROUP: u32 = 32;

/// First kernel of [`sampling::chain`].
#[derive(Serialize, Deserialize)]
pub struct ChunkArgmax {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, columns]`.
    #[serde(skip)]
    pub logits: TensorRef,
    /// [`SamplingParams`], one a sequence.
    #[serde(skip)]
    pub params: TensorRef,
    /// u32 `[sequences, vocab]`.
    #[serde(skip)]
    pub history: TensorRef,
    /// u32 `[sequences, mask_words(vocab)]`.
    #[serde(skip)]
    pub mask: TensorRef,
    /// f32 `[rows, chunks · chunk]`.
    #[serde(skip)]
    pub adjusted: TensorRef,
    /// f32 `[rows, chunks, 2]`.
    #[serde(skip)]
    pub peaks: TensorRef,
    /// u32 `[rows, chunks]`.
    #[serde(skip)]
    pub places: TensorRef,
    /// Sizes.
    pub shape: SampleShape,
}

impl Kernel for ChunkArgmax {
    fn name(&self) -> &'static str {
        "chunk_argmax"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("logits", "array<u32>", &self.logits),
            Operand::read("params", "array<Sampling>", &self.params),
            Operand::read("history", "array<u32>", &self.history),
            Operand::read("mask", "array<u32>", &self.mask),
            Operand::write("adjusted", "array<f32>", &self.adjusted),
            Operand::write("peaks", "array<vec2<f32>>", &self.peaks),
            Operand::write("places", "array<u32>", &self.places),
        ]
    }

    fn variants(&self, facts: &AdapterInfo) -> Vec<Variant> {
        Variant::with_barriers_or_without(facts)
    }

    fn launch(&self, variant: Variant, _: &AdapterInfo) -> LaunchConfig {
        let chunks = self.shape.chunks();
        let (lanes, groups) = match variant {
            Variant::Plain => ([SUM_ONE, BEST_ONE, ONE], chunks.div_ceil(PLAIN_GROUP)),
            _ => ([SUM_SHARED, BEST_SHARED, MANY], chunks),
        };
        let mut constants = self.shape.constants();
        constants.push(("MASK_WORDS", mask_words(self.shape.vocab).into()));
        constants.push(("COLUMNS", self.shape.columns.into()));
        LaunchConfig {
            text: [batch::WGSL, sampling::WGSL, &lanes.concat(), BODY].concat(),
            constants,
            workgroups: [groups, self.shape.rows, 1],
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
        case(517, 1, "filtered", FILTERED)
    }
}

impl ChunkArgmax {
    fn run_by(&self, arguments: &Arguments, way: Option<FastWay>) {
        let [batch, params, history, mask] = ["batch", "params", "history", "mask"].map(|name| arguments.u32s(name));
        let sampled = cpu::Sampled {
            rows: batch::rows(&batch),
            logits: &arguments.f32s("logits"),
            params: bytemuck::cast_slice(&params),
            past: cpu::Past { history: &history, mask: &mask },
        };
        let peaks = cpu::Peaks { best: &mut arguments.f32s_mut("peaks"), places: &mut arguments.u32s_mut("places") };
        cpu::chunk_argmax(sampled, &mut arguments.f32s_mut("adjusted"), peaks, &self.shape, way);
    }
}

const FILTERED: SamplingParams = SamplingParams { temperature: 0.7, top_p: 0.9, ..SamplingParams::GREEDY };

/// Cases: every kind of request at awkward vocabularies, one row skipped, one finished, one held; drafts.
pub fn cases() -> Vec<KernelTest> {
    let drawn = SamplingParams { temperature: 1.3, ..SamplingParams::GREEDY }.seeded(0x1234_5678_9abc_def0);
    let penalised = SamplingParams {
        repetition_penalty: 1.25,
        frequency_penalty: 0.5,
        presence_penalty: -0.75,
        flags: BIASED,
        ..FILTERED
    };
    let mut cases = vec![padded_case()];
    for (name, odd) in HOSTILE {
        cases.push(hostile_case(name, odd));
    }
    for vocab in [1, 31, 33, 517, 1757, 32768] {
        cases.push(case(vocab, 3, "greedy", SamplingParams::GREEDY));
        cases.push(case(vocab, 1, "drawn", drawn));
    }
    for vocab in [33, 1757] {
        cases.push(case(vocab, 5, "penalised", penalised));
        cases.push(dry_case(vocab, SamplingParams { dry_multiplier: 0.8, dry_allowed_length: 3, ..penalised }));
        cases.push(case(vocab, 3, "early", SamplingParams { min_limit: 50, ..FILTERED }));
        cases.push(draft_case(vocab, SamplingParams { flags: 0, ..penalised }));
        cases.push(case(vocab, 1, "filtered", FILTERED));
    }
    for vocab in [1, 31, 33, 1757] {
        for (name, params) in [("greedy", SamplingParams::GREEDY), ("drawn", drawn), ("penalised", penalised)] {
            let params = SamplingParams { flags: params.flags | MASKED, ..params };
            cases.push(case(vocab, 3, &format!("masked {name}"), params));
        }
    }
    cases
}

fn case(vocab: u32, rows: u32, name: &str, params: SamplingParams) -> KernelTest {
    let rounded = |words: Vec<u32>| words.into_iter().map(|w| (f32::from_bits(w) * 40.0).round().to_bits()).collect();
    let random = random_f32s(21, (rows + 1) * vocab);
    // Greedy: whole numbers, so that many tokens share the highest logit. Others: few enough ties to tell tokens apart.
    let logits = match params.temperature == 0.0 {
        true => rounded(random),
        false => random.into_iter().map(|w| (f32::from_bits(w) * 9.0).to_bits()).collect(),
    };
    let shape = SampleShape { rows: rows + 1, vocab, columns: vocab };
    built(format!("chunk_argmax {name} {rows}x{vocab}"), shape, params, logits)
}

const NONE: f32 = f32::NEG_INFINITY;

/// Logits that follow each other through a vocabulary: what may stand in one, and what must not.
const HOSTILE: [(&str, &[f32]); 3] = [
    ("the extremes", &[NONE, f32::MAX, -0.0, 0.0, NONE, f32::MIN, NONE]),
    ("infinities", &[1.0, f32::INFINITY, NONE, -0.0]),
    ("NaN", &[1.0, 2.0, f32::NAN, NONE, -f32::NAN, f32::MAX]),
];

/// The first chunks hold small numbers alone.
fn hostile_case(name: &str, odd: &[f32]) -> KernelTest {
    let vocab: usize = 517;
    let logits = (0..2 * vocab).map(|i| if i % vocab < 40 { i as f32 } else { odd[i % odd.len()] }.to_bits()).collect();
    let shape = SampleShape { rows: 2, vocab: vocab as u32, columns: vocab as u32 };
    built(format!("chunk_argmax of {name}"), shape, SamplingParams::GREEDY, logits)
}

/// Columns beyond the vocabulary hold NaN and the highest numbers.
fn padded_case() -> KernelTest {
    let shape = SampleShape { rows: 3, vocab: 517, columns: 530 };
    let beyond = |i: u32| if i.is_multiple_of(2) { f32::NAN } else { 1e9 };
    let random = random_f32s(24, shape.rows * shape.columns).into_iter().zip(0..);
    let logits = random.map(|(word, i)| if i % 530 < 517 { word } else { beyond(i).to_bits() });
    built("chunk_argmax of a padded vocabulary".into(), shape, SamplingParams::GREEDY, logits.collect())
}

/// `dry` has found repetitions of up to 60 tokens.
fn dry_case(vocab: u32, params: SamplingParams) -> KernelTest {
    let mut case = case(vocab, 3, "with repetitions", params);
    let lengths = random_words(26, case.inputs[5].len() as u32);
    let length = |word: u32| if word & 3 == 0 { (word >> 8) % 60 } else { 0 };
    case.inputs[5] = lengths.into_iter().map(|word| (length(word) as f32).to_bits()).collect();
    case
}

/// Four rows of one draft with another row among them. The draft repeats tokens, and history says nothing of them.
fn draft_case(vocab: u32, params: SamplingParams) -> KernelTest {
    let shape = SampleShape { rows: 6, vocab, columns: vocab };
    let mut case = built(format!("chunk_argmax of a draft 5x{vocab}"), shape, params, random_f32s(25, 6 * vocab));
    let row = |token, position, sequence| batch::Row::new(token, position, sequence).flagged(batch::VERIFY);
    let other = batch::Row::new(6, 70, 3);
    case.inputs[0] = batch::words(&[row(5, 9, 1), row(6, 10, 1), other, row(7, 11, 1), row(6, 12, 1)]);
    case.inputs[3].fill(0);
    case
}

/// One row more than there are valid ones.
fn built(name: String, shape: SampleShape, params: SamplingParams, logits: Vec<u32>) -> KernelTest {
    let (rows, vocab) = (shape.rows - 1, shape.vocab);
    let mut valid = case_rows(rows);
    if rows > 1 {
        valid[1].flags = batch::FINISHED;
    }
    if rows > 3 {
        valid[2].flags = batch::HELD;
    }
    let history = random_words(22, rows * vocab).into_iter().map(|w| if w & 8 == 0 { 0 } else { w & 0x87ff_8003 });
    // Neighbours differ, whole words are forbidden, and the end of the last word means nothing.
    let mask = random_words(23, rows * mask_words(vocab)).into_iter().map(|w| if w & 3 == 0 { 0 } else { w });
    let [adjusted, peaks, places, _] = shape.scratch_cols().map(|cols| vec![0; (cols * shape.rows) as usize]);
    let inputs = vec![
        batch::words(&valid),
        logits,
        params_words(&vec![params; rows as usize]),
        history.collect(),
        mask.collect(),
        adjusted,
        peaks,
        places,
    ];
    KernelTest::new(name, inputs, vec![Output::f32(5), Output::f32(6), Output::bits(7)], move |places| {
        let [batch, logits, params, history, mask, adjusted, peaks, places] = places.try_into().expect("eight inputs");
        Box::new(ChunkArgmax { batch, logits, params, history, mask, adjusted, peaks, places, shape })
    })
}
