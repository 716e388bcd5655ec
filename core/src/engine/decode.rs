//! The two recorded plans of a model and the state they work on: prefill of a chunk, and a decode step with its sampling.
//!
//! The decode plan reads and writes the batch itself: the sampler puts the next token where the next step's embedding finds
//! it. So steps are queued one behind the other, and the CPU only ever reads the ring of chosen tokens, later.

use super::Memory;
use crate::device::{Device, Slice, Storage};
use crate::error::Error;
use crate::gpu::GpuError;
use crate::kernels::batch::{self, Row};
use crate::kernels::kv::KvType;
use crate::kernels::sampling::{self, RING, SampleInputs, SampleShape, SamplingParams, Scratch, StateBytes};
use crate::kv::{KvCache, KvOptions};
use crate::model::{Forward, Model};
use crate::plan::{self, Pending, Plan, Recorder, Workshop};

/// Tokens of a prefill step: enough rows to make a matmul compute-bound on a GPU; a software adapter gains nothing from
/// more rows than it has lanes for.
const CHUNK: u32 = 256;
const SOFTWARE_CHUNK: u32 = 64;

/// A model ready to run.
#[derive(Debug)]
pub struct Runner {
    device: Device,
    model: Model,
    kv: KvCache,
    prefill: Plan,
    decode: Plan,
    state: State,
    chunk: u32,
}

/// What stays on the device between steps.
#[derive(Debug)]
struct State {
    prefill_batch: Storage,
    decode_batch: Storage,
    params: Storage,
    history: Storage,
    stops: Storage,
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
            ring: device.buffer("token ring", bytes.ring)?,
        })
    }
}

impl Runner {
    /// Allocates the cache and builds both plans.
    pub async fn new(workshop: &mut Workshop, model: Model, context: u32, kv: KvType) -> Result<Runner, Error> {
        let device = workshop.device().clone();
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
        let state = State::new(&device, chunk, config.vocab)?;
        let prefill = Plan::build(workshop, record_prefill(&device, &model, &kv, &state, chunk)).await?;
        let decode = Plan::build(workshop, record_decode(&device, &model, &kv, &state)).await?;
        Ok(Runner { device, model, kv, prefill, decode, state, chunk })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Positions a sequence may have.
    pub fn context(&self) -> u32 {
        self.kv.context().min(self.model.config().context)
    }

    /// Dispatches of a decode step.
    pub fn step_dispatches(&self) -> usize {
        self.decode.dispatches()
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
            activations: self.prefill.activation_bytes() + self.decode.activation_bytes(),
        }
    }

    /// Computes keys and values of `tokens`, at most a chunk of them, from `position` on, and waits for it.
    pub async fn prefill(&self, position: u32, tokens: &[u32]) -> Result<(), GpuError> {
        let rows: Vec<Row> =
            tokens.iter().zip(position..).map(|(token, position)| Row::new(*token, position, 0)).collect();
        self.device.write(&self.state.prefill_batch, 0, bytemuck::cast_slice(&batch::words(&rows)));
        plan::submit(&self.device, &[&self.prefill]);
        self.device.settle().await
    }

    /// Sets the state for decoding from `token` at `position` on.
    pub fn begin(&self, token: u32, position: u32, params: SamplingParams, history: &[u32], stops: &[u32]) {
        let write = |storage: &Storage, words: &[u32]| self.device.write(storage, 0, bytemuck::cast_slice(words));
        write(&self.state.params, bytemuck::cast_slice(&[params]));
        write(&self.state.history, history);
        write(&self.state.stops, stops);
        write(&self.state.decode_batch, &batch::words(&[Row::new(token, position, 0)]));
    }

    /// Queues `steps` decode steps, of which the first is number `first`, and asks for their tokens: one submission, one
    /// read. The steps must not wrap around the ring.
    pub fn decode(&self, first: u32, steps: u32) -> Pending {
        let plans = vec![&self.decode; steps as usize];
        let at = u64::from(first % RING) * 4;
        let ring: Slice = self.state.ring.slice(at, u64::from(steps) * 4);
        plan::submit_and_read(&self.device, &plans, &ring)
    }
}

fn record_prefill(device: &Device, model: &Model, kv: &KvCache, state: &State, chunk: u32) -> Recorder {
    let mut recorder = Recorder::new();
    let facts = device.facts();
    model.forward(&mut Forward {
        recorder: &mut recorder,
        config: model.config(),
        kv,
        batch: state.prefill_batch.all(),
        rows: chunk,
        one_sequence: true,
        facts: &facts,
    });
    recorder
}

fn record_decode(device: &Device, model: &Model, kv: &KvCache, state: &State) -> Recorder {
    let mut recorder = Recorder::new();
    let facts = device.facts();
    let mut pass = Forward {
        recorder: &mut recorder,
        config: model.config(),
        kv,
        batch: state.decode_batch.all(),
        rows: 1,
        one_sequence: false,
        facts: &facts,
    };
    let hidden = model.forward(&mut pass);
    let logits = model.logits(&mut pass, hidden);
    let shape = SampleShape { rows: 1, vocab: model.config().vocab };
    let [adjusted, peaks, places, chosen] = shape.scratch_cols().map(|cols| recorder.tensor(1, cols).into());
    let inputs = SampleInputs {
        batch: state.decode_batch.all().into(),
        logits: logits.into(),
        params: state.params.all().into(),
        history: state.history.all().into(),
        stops: state.stops.all().into(),
        ring: state.ring.all().into(),
    };
    let (scan, choose, finish) = sampling::chain(shape, inputs, Scratch { adjusted, peaks, places, chosen });
    recorder.push(scan);
    recorder.push(choose);
    recorder.push(finish);
    recorder
}
