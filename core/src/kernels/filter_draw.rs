//! The token of each row: the best of the chunks' best, or a draw from what the filters keep.

use super::sampling::{self, SampleShape, SamplingParams, case_rows, params_words};
use super::verify::{KernelTest, Output, random_f32s};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("filter_draw");
const SEARCH: &str = wgsl!("filter_draw/search");
const SPREAD: &str = wgsl!("filter_draw/spread");
const BEST_SHARED: &str = wgsl!("shared/best_shared");

/// Second kernel of [`sampling::chain`].
#[derive(Serialize, Deserialize)]
pub struct FilterDraw {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, chunks · chunk]`.
    #[serde(skip)]
    pub adjusted: TensorRef,
    /// f32 `[rows, chunks, 2]`.
    #[serde(skip)]
    pub peaks: TensorRef,
    /// u32 `[rows, chunks]`.
    #[serde(skip)]
    pub places: TensorRef,
    /// [`SamplingParams`], one a sequence.
    #[serde(skip)]
    pub params: TensorRef,
    /// u32 `[rows]`.
    #[serde(skip)]
    pub chosen: TensorRef,
    /// Sizes.
    pub shape: SampleShape,
}

impl Kernel for FilterDraw {
    fn name(&self) -> &'static str {
        "filter_draw"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("adjusted", "array<vec4<f32>>", &self.adjusted),
            Operand::read("peaks", "array<vec2<f32>>", &self.peaks),
            Operand::read("places", "array<u32>", &self.places),
            Operand::read("params", "array<Sampling>", &self.params),
            Operand::write("chosen", "array<u32>", &self.chosen),
        ]
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Shared]
    }

    fn launch(&self, _: Variant, facts: &AdapterInfo) -> LaunchConfig {
        // What waits at a barrier is cheap on a GPU and dear on a software adapter.
        // lavapipe ends all loops of an invocation after 65535 rounds in sum: a large vocabulary needs more invocations.
        let lanes = match facts.software {
            true if self.shape.vocab <= 1 << 16 => 64,
            _ => 256,
        };
        let mut constants = self.shape.constants();
        constants.push(("LANES", lanes.into()));
        LaunchConfig {
            text: [batch::WGSL, sampling::WGSL, BEST_SHARED, BODY, SEARCH, SPREAD].concat(),
            constants,
            workgroups: [self.shape.rows, 1, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        cpu::filter_draw(
            batch::rows(&arguments.u32s("batch")),
            &arguments.f32s("adjusted"),
            (&arguments.f32s("peaks"), &arguments.u32s("places")),
            bytemuck::cast_slice(&arguments.u32s("params")),
            &mut arguments.u32s_mut("chosen"),
            &self.shape,
        );
    }

    fn guard(&self) -> KernelTest {
        case(517, 3, "everything", EVERYTHING)
    }
}

const EVERYTHING: SamplingParams =
    SamplingParams { temperature: 0.8, top_k: 40, top_p: 0.9, min_p: 0.02, ..SamplingParams::GREEDY };

const EVERY_FILTER: SamplingParams = SamplingParams {
    temperature: 2.0,
    top_k: 60,
    top_p: 0.97,
    top_n_sigma: 2.3,
    typical_p: 0.93,
    xtc_probability: 0.7,
    xtc_threshold: 0.06,
    ..EVERYTHING
};

/// Cases: each filter alone and all together, ties across the cut, one row skipped, one finished, one held.
pub fn cases() -> Vec<KernelTest> {
    let base = SamplingParams { temperature: 1.0, ..SamplingParams::GREEDY };
    let kinds = [
        ("greedy", SamplingParams::GREEDY),
        ("top_k", SamplingParams { top_k: 40, temperature: 3.0, ..base }),
        ("many top_k", SamplingParams { top_k: 400, temperature: 5.0, ..base }),
        ("one top_k", SamplingParams { top_k: 1, ..base }),
        ("top_p", SamplingParams { top_p: 0.8, temperature: 2.5, ..base }),
        ("no top_p", SamplingParams { top_p: 0.0, ..base }),
        ("min_p", SamplingParams { min_p: 0.05, ..base }),
        ("top_k and top_p", SamplingParams { top_k: 300, top_p: 0.95, temperature: 4.0, ..base }),
        ("everything", EVERYTHING),
        ("top_n_sigma", SamplingParams { top_n_sigma: 1.3, temperature: 4.0, ..base }),
        ("top_n_sigma, top_k and top_p", SamplingParams { top_n_sigma: 1.7, top_p: 0.9, top_k: 60, ..base }),
        ("top_n_sigma and top_p", SamplingParams { top_n_sigma: 1.1, top_p: 0.87, temperature: 3.0, ..base }),
        ("typical_p", SamplingParams { typical_p: 0.6, temperature: 3.0, ..base }),
        ("no typical_p", SamplingParams { typical_p: 0.0, temperature: 3.0, ..base }),
        ("XTC", SamplingParams { xtc_probability: 1.0, xtc_threshold: 0.02, temperature: 2.0, ..base }),
        ("XTC by chance", SamplingParams { xtc_probability: 0.4, xtc_threshold: 0.02, temperature: 2.0, ..base }),
        ("every filter", EVERY_FILTER),
    ];
    let mut cases = Vec::new();
    for vocab in [1, 33, 517, 1757, 32768] {
        cases.extend(kinds.map(|(name, params)| case(vocab, if vocab % 2 == 0 { 1 } else { 4 }, name, params)));
    }
    for (name, params) in [("greedy", SamplingParams::GREEDY), ("drawn", base), ("everything", EVERYTHING)] {
        let nan = |logits: &mut [u32]| logits[500] = f32::NAN.to_bits();
        cases.push(changed_case(517, 3, &format!("{name} with a NaN"), params, nan));
        let none = |logits: &mut [u32]| logits[..517].fill(f32::NEG_INFINITY.to_bits());
        cases.push(changed_case(517, 3, &format!("{name} of nothing"), params, none));
    }
    cases
}

/// Logits are multiples of 1/4, so that every cut meets ties. Inputs are what `chunk_argmax`'s twin makes of them.
fn case(vocab: u32, rows: u32, name: &str, params: SamplingParams) -> KernelTest {
    changed_case(vocab, rows, name, params, |_| {})
}

fn changed_case(vocab: u32, rows: u32, name: &str, params: SamplingParams, change: fn(&mut [u32])) -> KernelTest {
    let shape = SampleShape { rows: rows + 1, vocab, columns: vocab };
    let mut valid = case_rows(rows);
    if rows > 1 {
        valid[1].flags = batch::FINISHED;
    }
    if rows > 3 {
        valid[2].flags = batch::HELD;
    }
    let params: Vec<_> = (0..rows).map(|sequence| params.seeded(0xfeed_0000_0007 + u64::from(sequence))).collect();
    let quarters = |word: u32| ((f32::from_bits(word) * 40.0).round() / 4.0).to_bits();
    let mut logits: Vec<u32> = random_f32s(31, shape.rows * vocab).into_iter().map(quarters).collect();
    change(&mut logits);
    let [mut adjusted, mut peaks, mut places, chosen] =
        shape.scratch_cols().map(|cols| vec![0; (cols * shape.rows) as usize]);
    let none = vec![0; (rows * vocab) as usize];
    let past = cpu::Past { history: &none, mask: &none };
    let sampled = cpu::Sampled { rows: &valid, logits: bytemuck::cast_slice(&logits), params: &params, past };
    let best = cpu::Peaks { best: bytemuck::cast_slice_mut(&mut peaks), places: &mut places };
    cpu::chunk_argmax(sampled, bytemuck::cast_slice_mut(&mut adjusted), best, &shape, None);
    let inputs = vec![batch::words(&valid), adjusted, peaks, places, params_words(&params), chosen];
    KernelTest::new(format!("filter_draw {name} {rows}x{vocab}"), inputs, vec![Output::bits(5)], move |places| {
        let [batch, adjusted, peaks, places, params, chosen] = places.try_into().expect("six inputs");
        Box::new(FilterDraw { batch, adjusted, peaks, places, params, chosen, shape })
    })
}
