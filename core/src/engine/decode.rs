//! The recorded plans of a model and the state they work on: prefill of a chunk, and the two halves of a decode step, which
//! are the forward pass up to the hidden state, and from there the logits and the choice of a token.
//!
//! The choice writes the batch that the next forward pass reads. So steps are queued one behind the other, and the CPU only
//! ever reads the ring of chosen tokens, later. Where the choice depends on a mask that depends on the last token, the
//! halves are submitted apart: the next forward pass is under way while the CPU reads the token and makes the mask. Tokens that
//! nobody chooses need the first half alone.

use super::Memory;
use crate::device::{Device, Slice, Storage};
use crate::error::Error;
use crate::gpu::{AdapterInfo, GpuError};
use crate::kernels::batch::{self, Row};
use crate::kernels::kv::KvType;
use crate::kernels::sampling::{
    self, RING, SampleInputs, SampleShape, SamplingParams, Scratch, StateBytes, mask_words,
};
use crate::kv::{KvCache, KvOptions};
use crate::model::{Forward, Model};
use crate::plan::{self, KernelCache, PendingReadback, Plan, Recorder};

/// Tokens of a prefill step: enough rows to make a matmul compute-bound on a GPU; a software adapter gains nothing from
/// more rows than it has lanes for.
const CHUNK: u32 = 256;
const SOFTWARE_CHUNK: u32 = 64;

/// So many tokens take less time one by one than as a chunk. A chunk takes that of all the rows that its matmuls compute at once: on
/// a GPU as much as one token, on a software adapter nearly three times as much.
const FEW: usize = 1;
const SOFTWARE_FEW: usize = 2;

/// A model ready to run.
#[derive(Debug)]
pub struct Runner {
    pub(super) device: Device,
    pub(super) model: Model,
    pub(super) kv: KvCache,
    prefill: Plan,
    forward: Plan,
    choice: Plan,
    pub(super) state: State,
    pub(super) chunk: u32,
    few: usize,
    /// Tokens that may be chosen.
    pub(super) vocab: u32,
}

/// What stays on the device between steps.
#[derive(Debug)]
pub(super) struct State {
    pub prefill_batch: Storage,
    pub decode_batch: Storage,
    params: Storage,
    history: Storage,
    stops: Storage,
    mask: Storage,
    ring: Storage,
}

impl State {
    fn new(device: &Device, chunk: u32, vocab: u32) -> Result<State, GpuError> {
        let bytes = StateBytes::new(1, vocab);
        let chunk_rows: Vec<Row> = (0..chunk).map(|position| Row::new(0, position, 0)).collect();
        Ok(State {
            // Full batches, since variants are timed while plans are built.
            prefill_batch: device.upload("prefill batch", &batch::words(&chunk_rows))?,
            decode_batch: device.upload("decode batch", &batch::words(&[Row::new(0, 0, 0)]))?,
            params: device.buffer("sampling parameters", bytes.params)?,
            history: device.buffer("history", bytes.history)?,
            stops: device.buffer("stops", bytes.stops)?,
            mask: device.buffer("token mask", bytes.mask)?,
            ring: device.buffer("token ring", bytes.ring)?,
        })
    }
}

impl Runner {
    /// Allocates the cache and builds the plans. Only the first `vocab` tokens may be chosen.
    pub async fn new(
        kernels: &mut KernelCache,
        model: Model,
        vocab: u32,
        context: u32,
        kv: KvType,
    ) -> Result<Runner, Error> {
        let device = kernels.device().clone();
        let config = model.config();
        let options = KvOptions {
            layers: config.layers,
            kv_heads: config.kv_heads,
            head_dim: config.head_dim,
            context,
            sequences: 1,
            ty: kv,
        };
        let kv = KvCache::new(&device, &options)?;
        let chunk = if device.facts().software { SOFTWARE_CHUNK } else { CHUNK }.min(kv.context());
        let state = State::new(&device, chunk, vocab)?;
        let prefill = Plan::build(kernels, record_prefill(&device, &model, &kv, &state, chunk)).await?;
        let forward = Plan::build(kernels, record_forward(&device, &model, &kv, &state)).await?;
        let Some(hidden) = forward.find(HIDDEN) else { unreachable!("the forward pass keeps its hidden state") };
        let choice = Plan::build(kernels, record_choice(&device, &model, &kv, &state, (hidden, vocab))).await?;
        let few = if device.facts().software { SOFTWARE_FEW } else { FEW };
        Ok(Runner { device, model, kv, prefill, forward, choice, state, chunk, few, vocab })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Tokens that may be chosen; the logits may have more columns.
    pub fn vocab(&self) -> u32 {
        self.vocab
    }

    /// Positions a sequence may have.
    pub fn context(&self) -> u32 {
        // The cache has whole pages, which may go beyond what the model is right for.
        let config = self.model.config();
        self.kv.context().min(config.context).min(config.window.unwrap_or(u32::MAX))
    }

    /// Dispatches of a decode step.
    pub fn step_dispatches(&self) -> usize {
        self.forward.dispatches() + self.choice.dispatches()
    }

    /// Tokens of a prefill step.
    pub fn chunk(&self) -> u32 {
        self.chunk
    }

    /// Device memory.
    pub fn memory(&self) -> Memory {
        Memory {
            weights: self.model.weight_bytes(),
            kv_cache: self.kv.bytes(),
            activations: [&self.prefill, &self.forward, &self.choice].map(Plan::activation_bytes).iter().sum(),
        }
    }

    /// Queues the computation of keys and values of `tokens`, at most a chunk of them, from `position` on. Overwrites the decoding
    /// state's token and position.
    pub fn compute(&self, position: u32, tokens: &[u32]) {
        if tokens.len() > self.few {
            return self.prefill(position, tokens);
        }
        for (token, position) in tokens.iter().zip(position..) {
            let words = batch::words(&[Row::new(*token, position, 0)]);
            self.device.write(&self.state.decode_batch, 0, bytemuck::cast_slice(&words));
            plan::submit(&self.device, &[&self.forward]);
        }
    }

    fn prefill(&self, position: u32, tokens: &[u32]) {
        let rows: Vec<Row> =
            tokens.iter().zip(position..).map(|(token, position)| Row::new(*token, position, 0)).collect();
        self.device.write(&self.state.prefill_batch, 0, bytemuck::cast_slice(&batch::words(&rows)));
        plan::submit(&self.device, &[&self.prefill]);
    }

    /// Waits for everything queued.
    pub async fn wait_idle(&self) -> Result<(), GpuError> {
        self.device.wait_idle().await
    }

    /// Sets an answer's stop tokens, as words for the sampler.
    pub fn set_stops(&self, words: &[u32]) {
        self.device.write(&self.state.stops, 0, bytemuck::cast_slice(words));
    }

    /// Sets what penalties and biases go by, as words for the sampler.
    pub fn set_history(&self, words: &[u32]) {
        self.device.write(&self.state.history, 0, bytemuck::cast_slice(words));
    }

    /// Sets the state for decoding from `token` at `position` on; the next step is number `step`.
    pub fn resume(&self, token: u32, position: u32, step: u32, params: SamplingParams) {
        self.device.write(&self.state.params, 0, bytemuck::cast_slice(&[params]));
        let mut words = batch::words(&[Row::new(token, position, 0)]);
        batch::set_step(&mut words, step);
        self.device.write(&self.state.decode_batch, 0, bytemuck::cast_slice(&words));
    }

    /// Queues `steps` decode steps, of which the first is number `first`, and asks for their tokens: one submission, one
    /// read. The steps must not wrap around the ring. `is_ready`: the first half of the first step is there already.
    pub fn decode(&self, first: u32, steps: u32, is_ready: bool) -> PendingReadback {
        let plans = [&self.forward, &self.choice].repeat(steps as usize);
        plan::submit_and_read(&self.device, &plans[usize::from(is_ready)..], &self.tokens(first, steps))
    }

    /// Queues step number `step` with the choice of a token of `mask`, and asks for that token. The first half of the next step
    /// is queued behind it, to be under way while the token is looked at.
    pub fn choose(&self, step: u32, mask: &[u32], is_ready: bool) -> PendingReadback {
        let mask = &mask[..mask.len().min(mask_words(self.vocab) as usize)];
        self.device.write(&self.state.mask, 0, bytemuck::cast_slice(mask));
        let pending = self.decode(step, 1, is_ready);
        plan::submit(&self.device, &[&self.forward]);
        pending
    }

    /// The ring's place for the tokens of `steps` steps.
    fn tokens(&self, first: u32, steps: u32) -> Slice {
        self.state.ring.slice(u64::from(first % RING) * 4, u64::from(steps) * 4)
    }
}

/// What the forward pass keeps for the choice: the last token's hidden state.
const HIDDEN: &str = "hidden";

fn record_prefill(device: &Device, model: &Model, kv: &KvCache, state: &State, chunk: u32) -> Recorder {
    let mut recorder = Recorder::new();
    let facts = device.facts();
    model.forward(&mut Forward {
        recorder: &mut recorder,
        config: model.config(),
        kv,
        batch: state.prefill_batch.all(),
        rows: chunk,
        is_prefill: true,
        facts: &facts,
    });
    recorder
}

fn record_forward(device: &Device, model: &Model, kv: &KvCache, state: &State) -> Recorder {
    let mut recorder = Recorder::new();
    let hidden = model.forward(&mut decoding(&mut recorder, &device.facts(), model, kv, state));
    recorder.keep(HIDDEN, hidden);
    recorder
}

fn record_choice(
    device: &Device,
    model: &Model,
    kv: &KvCache,
    state: &State,
    (hidden, vocab): (&Slice, u32),
) -> Recorder {
    let mut recorder = Recorder::new();
    let logits = model.logits(&mut decoding(&mut recorder, &device.facts(), model, kv, state), hidden.clone());
    let shape = SampleShape { rows: 1, vocab, columns: logits.cols };
    let [adjusted, peaks, places, chosen] = shape.scratch_cols().map(|cols| recorder.tensor(1, cols).into());
    let inputs = SampleInputs {
        batch: state.decode_batch.all().into(),
        logits: logits.into(),
        params: state.params.all().into(),
        history: state.history.all().into(),
        stops: state.stops.all().into(),
        mask: state.mask.all().into(),
        ring: state.ring.all().into(),
    };
    let (scan, choose, finish) = sampling::chain(shape, inputs, Scratch { adjusted, peaks, places, chosen });
    recorder.push(scan);
    recorder.push(choose);
    recorder.push(finish);
    recorder
}

/// One token of one sequence.
pub(super) fn decoding<'a>(
    recorder: &'a mut Recorder,
    facts: &'a AdapterInfo,
    model: &'a Model,
    kv: &'a KvCache,
    state: &State,
) -> Forward<'a> {
    let batch = state.decode_batch.all();
    Forward { recorder, config: model.config(), kv, batch, rows: 1, is_prefill: false, facts }
}
