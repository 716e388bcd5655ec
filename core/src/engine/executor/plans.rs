//! What is recorded: the passes over each batch, and the buffers on the device that they share.

use std::rc::Rc;

use super::MAX_SLOTS;
use crate::device::{Device, Slice, Storage};
use crate::gpu::{AdapterInfo, GpuError};
use crate::kernels::batch::{self, Row};
use crate::kernels::draft_rows::DraftRows;
use crate::kernels::gemv::MAX_ROWS;
use crate::kernels::logprobs::Logprobs;
use crate::kernels::sampling::{self, Features, SampleInputs, SampleShape, Scratch, StateBytes};
use crate::kv::KvCache;
use crate::model::adapters::AdapterStacks;
use crate::model::{Forward, Model};
use crate::plan::{KernelCache, Plan, PlanError, Recorder};

/// Tokens of a prompt that are scored at once.
pub(in crate::engine) const SCORE_ROWS: u32 = MAX_ROWS;

/// What the plan by which prompts are scored has.
pub(in crate::engine) const SCORED: Features = Features { dry: false, logprobs: true };

/// What the forward pass keeps for the choice: the last tokens' hidden states.
const HIDDEN: &str = "hidden";

/// What plans are recorded over. Shared with the plans that are built later.
#[derive(Debug)]
pub(in crate::engine) struct Resources {
    pub device: Device,
    pub model: Rc<Model>,
    /// The drafter that works beside it, if there is one.
    pub assistant: Option<Rc<Model>>,
    pub kv: KvCache,
    /// Tokens that may be chosen.
    pub vocab: u32,
    pub slots: u32,
    /// The adapters that are loaded, if any are.
    pub adapters: Option<AdapterStacks>,
    pub(super) state: StepState,
}

/// What stays on the device between steps, for all slots.
#[derive(Debug, Clone)]
pub(super) struct StepState {
    pub prefill_batch: Storage,
    pub decode_batch: Storage,
    /// A sequence's last token and its drafted ones.
    pub verify_batch: Storage,
    /// The token that MTP drafts behind.
    pub draft_batch: Storage,
    /// The same where a drafter beside the model stands.
    pub anchored_batch: Storage,
    pub params: Storage,
    pub history: Storage,
    pub stops: Storage,
    pub mask: Storage,
    pub ring: Storage,
    pub recent: Storage,
    pub breakers: Storage,
    pub logprobs: Storage,
    /// The tokens whose log-probabilities a prompt is scored by, of each row.
    pub targets: Storage,
}

impl StepState {
    pub fn new(device: &Device, (chunk, slots): (u32, u32), vocab: u32) -> Result<StepState, GpuError> {
        let bytes = StateBytes::new(slots, vocab);
        let rows = |count: u32, finished: bool| -> Vec<Row> {
            let flags = if finished { batch::FINISHED } else { 0 };
            (0..count).map(|index| Row { flags, ..Row::new(0, index, 0) }).collect()
        };
        // Full batches, since variants are timed while plans are built. Slot 0 stands for all while none runs.
        let mut decode = rows(1, false);
        decode.extend(rows(slots - 1, true));
        let mut words = batch::words(&decode);
        words[0] = 1;
        Ok(StepState {
            prefill_batch: device.upload("prefill batch", &batch::words(&rows(chunk, false)))?,
            decode_batch: device.upload("decode batch", &words)?,
            verify_batch: device.upload("verify batch", &batch::words(&rows(MAX_SLOTS, false)))?,
            draft_batch: device.upload("draft batch", &batch::words(&[Row::new(0, 1, 0)]))?,
            anchored_batch: device.upload("anchored batch", &batch::words(&[Row::new(0, 0, 0)]))?,
            params: device.buffer("sampling parameters", bytes.params)?,
            history: device.buffer("history", bytes.history)?,
            stops: device.buffer("stops", bytes.stops)?,
            mask: device.buffer("token mask", bytes.mask)?,
            ring: device.buffer("token ring", bytes.ring)?,
            recent: device.buffer("recent tokens", bytes.recent)?,
            breakers: device.buffer("sequence breakers", bytes.breakers)?,
            logprobs: device.buffer("log-probabilities", bytes.logprobs)?,
            targets: device.buffer("scored tokens", u64::from(MAX_SLOTS) * 4)?,
        })
    }
}

/// What a plan of few rows is for: it works on another batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Phase {
    /// A step of each sequence in its row.
    Decode,
    /// A draft of one sequence.
    Verify,
    /// Tokens of one sequence's prompt, each with its log-probability.
    Score,
    /// A token behind one sequence's last, by MTP.
    Draft,
}

/// The two halves of a decode step of so many rows.
#[derive(Debug)]
pub(in crate::engine) struct DecodePlan {
    pub(super) forward: Plan,
    /// From the hidden states to tokens; several, by what their rows are sampled by.
    pub(super) samples: Vec<(Features, Plan)>,
    /// Of MTP: from the tokens to the batch that verifies them.
    pub(super) draft_rows: Option<Plan>,
}

impl DecodePlan {
    /// The plainest choice of tokens that has these features.
    pub(super) fn sample(&self, wanted: Features) -> Option<&Plan> {
        let serves = |features: Features| features.or(wanted) == features;
        self.samples.iter().find(|(features, _)| serves(*features)).map(|(_, plan)| plan)
    }
}

/// Plans with the rows of each, the fewest first.
#[derive(Debug, Default)]
pub(super) struct PlansByRows(Vec<(u32, DecodePlan)>);

impl PlansByRows {
    /// Adds a plan; one of as many rows is replaced.
    pub fn insert(&mut self, rows: u32, plan: DecodePlan) {
        self.0.retain(|(of, _)| *of != rows);
        let at = self.0.partition_point(|(of, _)| *of < rows);
        self.0.insert(at, (rows, plan));
    }

    /// The smallest plan that has so many rows, with its rows.
    pub fn fitting(&self, rows: u32) -> Option<(u32, &DecodePlan)> {
        self.0.iter().find(|(of, _)| *of >= rows).map(|(of, plan)| (*of, plan))
    }

    /// Rows of each plan.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = u32> {
        self.0.iter().map(|(rows, _)| *rows)
    }

    pub fn iter(&self) -> impl Iterator<Item = &DecodePlan> {
        self.0.iter().map(|(_, plan)| plan)
    }
}

/// A plan that is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct PlanWanted {
    pub phase: Phase,
    pub rows: u32,
    /// What rows may be sampled by, beside the plain way.
    pub features: Features,
}

impl Resources {
    /// The same with other adapters.
    pub fn with_adapters(&self, adapters: AdapterStacks) -> Resources {
        let Resources { device, model, assistant, kv, state, vocab, slots, .. } = self;
        let (device, model, kv, state) = (device.clone(), model.clone(), kv.clone(), state.clone());
        let assistant = assistant.clone();
        Resources { device, model, assistant, kv, vocab: *vocab, slots: *slots, adapters: Some(adapters), state }
    }

    /// Builds the plan of prefill, of so many tokens, and others.
    pub async fn build_again(
        &self,
        kernels: &mut KernelCache,
        (chunk, wanted): (u32, Vec<PlanWanted>),
    ) -> Result<(Plan, Vec<(PlanWanted, DecodePlan)>), PlanError> {
        let prefill = Plan::build(kernels, self.record_prefill(chunk)).await?;
        Ok((prefill, self.build_all(kernels, wanted).await?))
    }

    /// Builds plans.
    pub async fn build_all(
        &self,
        kernels: &mut KernelCache,
        wanted: Vec<PlanWanted>,
    ) -> Result<Vec<(PlanWanted, DecodePlan)>, PlanError> {
        let mut plans = Vec::new();
        for wanted in wanted {
            plans.push((wanted, self.build(kernels, wanted).await?));
        }
        Ok(plans)
    }

    pub(super) async fn build(&self, kernels: &mut KernelCache, wanted: PlanWanted) -> Result<DecodePlan, PlanError> {
        let PlanWanted { phase, rows, features } = wanted;
        let batch = match phase {
            Phase::Decode => &self.state.decode_batch,
            Phase::Verify | Phase::Score => &self.state.verify_batch,
            Phase::Draft => &self.state.draft_batch,
        };
        let forward = Plan::build(kernels, self.record_forward(batch, rows, phase)).await?;
        let Some(hidden) = forward.find(HIDDEN) else { unreachable!("the forward pass keeps its hidden state") };
        if phase == Phase::Score {
            let scores = Plan::build(kernels, self.record_scores(batch, rows, hidden)).await?;
            return Ok(DecodePlan { forward, samples: vec![(SCORED, scores)], draft_rows: None });
        }
        let draft_rows = match phase {
            Phase::Draft => Some(Plan::build(kernels, self.record_draft_rows()).await?),
            _ => None,
        };
        let mut samples = Vec::new();
        for features in [Features::default(), features] {
            if samples.iter().all(|(known, _)| *known != features) {
                let plan = Plan::build(kernels, self.record_sample(batch, (rows, features), (phase, hidden))).await?;
                samples.push((features, plan));
            }
        }
        Ok(DecodePlan { forward, samples, draft_rows })
    }

    pub(super) fn record_prefill(&self, chunk: u32) -> Recorder {
        let mut recorder = Recorder::new();
        self.model.forward(&mut self.pass(&mut recorder, &self.device.facts(), &self.state.prefill_batch, chunk, true));
        recorder
    }

    fn record_forward(&self, batch: &Storage, rows: u32, phase: Phase) -> Recorder {
        let mut recorder = Recorder::new();
        let facts = self.device.facts();
        let mut pass = self.pass(&mut recorder, &facts, batch, rows, false);
        let hidden = match phase {
            Phase::Draft => match &self.assistant {
                Some(assistant) => assistant.forward_beside(&mut pass, &self.model, &self.state.anchored_batch),
                None => self.model.forward_mtp(&mut pass, true),
            },
            _ => self.model.forward(&mut pass),
        };
        recorder.keep(HIDDEN, hidden);
        recorder
    }

    fn record_sample(
        &self,
        batch: &Storage,
        (rows, features): (u32, Features),
        (phase, hidden): (Phase, &Slice),
    ) -> Recorder {
        let mut recorder = Recorder::new();
        let facts = self.device.facts();
        let mut pass = self.pass(&mut recorder, &facts, batch, rows, false);
        let logits = match phase {
            Phase::Draft => match &self.assistant {
                Some(assistant) => assistant.logits(&mut pass, hidden.clone()),
                None => self.model.logits_mtp(&mut pass, hidden.clone()),
            },
            _ => self.model.logits(&mut pass, hidden.clone()),
        };
        let shape = SampleShape { rows, vocab: self.vocab, columns: logits.cols };
        let [adjusted, peaks, places, chosen] = shape.scratch_cols().map(|cols| recorder.tensor(rows, cols).into());
        let state = &self.state;
        let inputs = SampleInputs {
            batch: batch.all().into(),
            logits: logits.into(),
            params: state.params.all().into(),
            history: state.history.all().into(),
            stops: state.stops.all().into(),
            mask: state.mask.all().into(),
            ring: state.ring.all().into(),
            recent: state.recent.all().into(),
            breakers: state.breakers.all().into(),
            logprobs: state.logprobs.all().into(),
        };
        let scratch = Scratch { adjusted, peaks, places, chosen };
        recorder.push_all(sampling::chain(shape, inputs, scratch, features));
        recorder
    }

    /// Records how drafted tokens become the rows that verify them.
    fn record_draft_rows(&self) -> Recorder {
        let mut recorder = Recorder::new();
        let StepState { verify_batch, ring, .. } = &self.state;
        recorder.push(DraftRows { batch: verify_batch.all().into(), ring: ring.all().into() });
        recorder
    }

    fn record_scores(&self, batch: &Storage, rows: u32, hidden: &Slice) -> Recorder {
        let mut recorder = Recorder::new();
        let facts = self.device.facts();
        let mut pass = self.pass(&mut recorder, &facts, batch, rows, false);
        let logits = self.model.logits(&mut pass, hidden.clone());
        let shape = SampleShape { rows, vocab: self.vocab, columns: logits.cols };
        recorder.push_all(vec![Box::new(Logprobs {
            batch: batch.all().into(),
            logits: logits.into(),
            params: self.state.params.all().into(),
            chosen: self.state.targets.all().into(),
            logprobs: self.state.logprobs.all().into(),
            shape,
        })]);
        recorder
    }

    /// A forward pass over the rows of `batch`.
    pub fn pass<'a>(
        &'a self,
        recorder: &'a mut Recorder,
        facts: &'a AdapterInfo,
        batch: &Storage,
        rows: u32,
        is_prefill: bool,
    ) -> Forward<'a> {
        let adapters = self.adapters.as_ref();
        let config = self.model.config();
        Forward { recorder, config, kv: &self.kv, adapters, batch: batch.all(), rows, is_prefill, facts, reads: None }
    }
}
