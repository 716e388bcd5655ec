//! The sampling chain as recorded, on the CPU and on a GPU.

mod choice;
mod distribution;
mod dry;
mod rows;

use super::*;
use crate::device::{Device, Storage};
use crate::gpu::{Gpu, GpuOptions};
use crate::kernels::batch::Row;
use crate::kernels::verify::random_f32s;
use crate::plan::{KernelCache, Plan, Recorder, submit};

/// A recorded chain over logits that stay the same from step to step.
struct Sampler {
    device: Device,
    plan: Plan,
    batch: Storage,
    params: Storage,
    history: Storage,
    mask: Storage,
    ring: Storage,
    recent: Storage,
    breakers: Storage,
    logprobs: Storage,
}

impl Sampler {
    /// One row a sequence, in order; every prompt ends at position 4. Token 3 stops where `stops`.
    fn new(device: Device, params: &[SamplingParams], logits: &[f32], history: &[u32], stops: bool) -> Sampler {
        let (rows, vocab) = (params.len() as u32, (logits.len() / params.len()) as u32);
        let shape = SampleShape { rows, vocab, columns: vocab };
        let start: Vec<Row> = (0..rows).map(|sequence| Row::new(0, 4, sequence)).collect();
        let stop_list = stop_words(if stops { &[3] } else { &[] }).expect("few stops");
        let upload = |words: &[u32]| device.upload("sampling test", words).expect("little memory");
        let batch = upload(&batch::words(&start));
        let param_words = upload(&params_words(params));
        let history = upload(history);
        let mask = upload(&vec![0; (rows * mask_words(vocab)) as usize]);
        let ring = upload(&vec![u32::MAX; (rows * RING) as usize]);
        let sizes = StateBytes::new(rows, vocab);
        let [recent, breakers, logprobs] = [sizes.recent, sizes.breakers, sizes.logprobs]
            .map(|bytes| device.buffer("sampling test", bytes).expect("little memory"));
        let inputs = SampleInputs {
            batch: batch.all().into(),
            logits: upload(bytemuck::cast_slice(logits)).all().into(),
            params: param_words.all().into(),
            history: history.all().into(),
            stops: upload(&stop_list.repeat(rows as usize)).all().into(),
            mask: mask.all().into(),
            ring: ring.all().into(),
            recent: recent.all().into(),
            breakers: breakers.all().into(),
            logprobs: logprobs.all().into(),
        };
        let mut recorder = Recorder::new();
        let [adjusted, peaks, places, chosen] = shape.scratch_cols().map(|cols| recorder.tensor(rows, cols).into());
        let features = params.iter().map(SamplingParams::features).fold(Features::default(), Features::or);
        recorder.push_all(chain(shape, inputs, Scratch { adjusted, peaks, places, chosen }, features));
        let plan = pollster::block_on(Plan::build(&mut KernelCache::new(device.clone()), recorder)).expect("a plan");
        Sampler { device, plan, batch, params: param_words, history, mask, ring, recent, breakers, logprobs }
    }

    fn cpu(params: SamplingParams, logits: &[f32]) -> Sampler {
        Sampler::new(Device::Cpu, &[params], logits, &vec![0; logits.len()], false)
    }

    fn step(&self) {
        submit(&self.device, &[&self.plan]);
    }

    fn read(&self, storage: &Storage) -> Vec<u32> {
        bytemuck::pod_collect_to_vec(&pollster::block_on(self.device.read(&storage.all())).expect("memory reads back"))
    }

    /// One more step; the tokens of all rows.
    fn tokens(&self) -> Vec<u32> {
        self.step();
        self.read(&self.batch)[batch::HEADER_WORDS..].chunks_exact(4).map(|row| row[0]).collect()
    }

    /// Tokens of all rows over `steps` steps, read as seldom as the ring allows.
    fn drawn(&self, steps: u32) -> Vec<u32> {
        let mut tokens = Vec::new();
        for first in (0..steps).step_by(RING as usize) {
            let some = RING.min(steps - first);
            (0..some).for_each(|_| self.step());
            let ring = self.read(&self.ring);
            tokens.extend(ring.chunks_exact(RING as usize).flat_map(|tokens| &tokens[..some as usize]));
        }
        tokens
    }

    /// Tokens of the only row over `steps` steps.
    fn draw(&self, steps: usize) -> Vec<u32> {
        (0..steps).map(|_| self.tokens()[0]).collect()
    }
}

fn logits(seed: u64, len: u32, spread: f32) -> Vec<f32> {
    random_f32s(seed, len).into_iter().map(|word| f32::from_bits(word) * spread).collect()
}

const WARM: SamplingParams = SamplingParams { temperature: 0.9, ..SamplingParams::GREEDY };
const FILTERED: SamplingParams = SamplingParams { top_k: 50, top_p: 0.9, min_p: 0.01, ..WARM };

const EVERYTHING: SamplingParams = SamplingParams {
    temperature: 1.5,
    top_n_sigma: 2.2,
    typical_p: 0.95,
    xtc_probability: 0.5,
    xtc_threshold: 0.05,
    ..FILTERED
};

/// Each sampler, and all together.
fn samplers() -> [(&'static str, SamplingParams); 11] {
    [
        ("no filter", WARM),
        ("hot", SamplingParams { temperature: 2.5, ..WARM }),
        ("top_k", SamplingParams { top_k: 20, ..WARM }),
        ("top_p", SamplingParams { top_p: 0.8, ..WARM }),
        ("min_p", SamplingParams { min_p: 0.03, ..WARM }),
        ("usual filters", FILTERED),
        ("top_n_sigma", SamplingParams { top_n_sigma: 0.8, temperature: 2.0, ..WARM }),
        ("typical_p", SamplingParams { typical_p: 0.7, temperature: 1.7, ..WARM }),
        ("XTC", SamplingParams { xtc_probability: 1.0, xtc_threshold: 0.02, ..WARM }),
        ("XTC by chance", SamplingParams { xtc_probability: 0.3, xtc_threshold: 0.02, ..WARM }),
        ("everything", EVERYTHING),
    ]
}

fn devices() -> [Device; 2] {
    let gpu = pollster::block_on(Gpu::request(&GpuOptions::default())).expect("an adapter for tests");
    [Device::Cpu, Device::Gpu(gpu)]
}

#[test]
fn words_for_memory_hold_what_was_asked() {
    assert_eq!(
        history_words(4, &[2, 9], &[], &[(0, 1.5), (1, -1.0), (2, -300.0)], &[]),
        [192 << 16, 0x7f80 << 16, 0xc000_0000, 0]
    );
    assert_eq!(history_words(4, &[2], &[1, 2, 1, 9], &[], &[3]), [0, 2, 0x8000_0001, 0x8000]);
    assert_eq!(stop_words(&[7, 8]).map(|words| words[..4].to_vec()), Some(vec![2, 7, 8, 0]));
    assert_eq!(stop_words(&[1; MAX_STOPS + 1]), None);
    let sizes = StateBytes::new(3, 1757);
    assert_eq!((sizes.params, sizes.history, sizes.stops, sizes.ring), (240, 21084, 396, 768));
    assert_eq!(sizes.mask, 3 * 55 * 4, "1757 bits take 55 words");
}
