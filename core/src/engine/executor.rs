//! A model's recorded plans, and the state on the device that they work on.
//!
//! A decode step has two halves: the forward pass up to the last hidden states, and from there the logits and the choice of a token for
//! each row. The choice writes the batch that the next forward pass reads. So steps are queued one behind the other, and the CPU only
//! ever reads the ring of chosen tokens, later. Row `r` of the decode batch is slot `r`'s for as long as a sequence has that slot;
//! sequences join and leave by writes to their row, which the queue keeps in order with the steps before and behind.
//!
//! Decode plans exist for 1, 2, 4, … rows; all but the first are built when so many sequences run for the first time.

mod plans;

use std::rc::Rc;

use super::Memory;
use crate::device::Device;
use crate::kernels::batch::{self, Row};
use crate::kernels::gemv::MAX_ROWS;
use crate::kernels::sampling::{Features, LOGPROB_WORDS, RECENT, RING, STOP_WORDS, SamplingParams, mask_words};
use crate::kv::KvCache;
use crate::model::Model;
use crate::model::adapters::AdapterStacks;
use crate::plan::{self, KernelCache, PendingReadback, Plan, PlanError};
pub(super) use plans::{DecodePlan, Phase, PlanWanted, Resources, SCORE_ROWS, SCORED};
use plans::{PlansByRows, StepState};

/// Tokens of a prefill step at most: enough rows to make a matmul compute-bound on a GPU, and on the CPU to unpack weights for; a software
/// adapter gains nothing from more rows than it has lanes for.
const CHUNK: u32 = 256;
const SOFTWARE_CHUNK: u32 = 64;

/// So many tokens take less time one by one than as a chunk. A chunk takes that of all the rows that its matmuls compute at once: on
/// a GPU as much as one token, on a software adapter nearly three times as much; on the CPU weights are unpacked for it, which takes as
/// long as four to seven tokens do.
const SINGLE_STEP_LIMIT: usize = 1;
const SOFTWARE_SINGLE_STEP_LIMIT: usize = 2;
const CPU_SINGLE_STEP_LIMIT: usize = 4;

/// Sequences that may run at once: the rows that one decode matmul serves.
pub(super) const MAX_SLOTS: u32 = MAX_ROWS;

/// Where in the ring stands what is chosen behind tokens that MTP has drafted, which come before.
pub(super) const VERIFIED_AT: u32 = MAX_SLOTS;

/// Rows of the largest plan: the tokens of a prefill step.
pub(super) fn most_rows(device: &Device) -> u32 {
    if device.facts().software && !device.is_cpu() { SOFTWARE_CHUNK } else { CHUNK }
}

/// What a sequence's slot holds, beside its row.
pub(super) struct SlotState<'a> {
    pub params: SamplingParams,
    /// [`stop_words`](crate::kernels::sampling::stop_words).
    pub stops: &'a [u32],
    /// [`history_words`](crate::kernels::sampling::history_words), where the parameters ask for it.
    pub history: Option<&'a [u32]>,
    /// [`recent_words`](crate::kernels::sampling::recent_words) and a bit for each token that ends a repetition, where the parameters ask for them.
    pub recent: Option<(&'a [u32], &'a [u32])>,
}

/// Runs a model's plans.
#[derive(Debug)]
pub(super) struct ModelRunner {
    resources: Rc<Resources>,
    prefill: Plan,
    decode: PlansByRows,
    /// Plans over the batch of verification.
    verify: PlansByRows,
    /// Over the same batch.
    score: Option<DecodePlan>,
    /// By MTP, over a batch of its own.
    draft: Option<DecodePlan>,
    chunk: u32,
    single_step_limit: usize,
    /// Number of the next decode step.
    step: u32,
    /// Rows of the plan whose forward pass over the rows as they stand was the last of all, so that it need not be repeated.
    ready: Option<u32>,
}

impl ModelRunner {
    /// Allocates the state and builds the plans of prefill and of a single row, perhaps for a drafter beside the model, too.
    pub async fn new(
        kernels: &mut KernelCache,
        (model, assistant): (Rc<Model>, Option<Rc<Model>>),
        kv: KvCache,
        (vocab, slots): (u32, u32),
    ) -> Result<ModelRunner, PlanError> {
        let device = kernels.device().clone();
        let single_step_limit = match device.facts().software {
            _ if device.is_cpu() => CPU_SINGLE_STEP_LIMIT,
            true => SOFTWARE_SINGLE_STEP_LIMIT,
            false => SINGLE_STEP_LIMIT,
        };
        let chunk = most_rows(&device).min(kv.context());
        let state = StepState::new(&device, (chunk, slots), vocab)?;
        let resources = Rc::new(Resources { device, model, assistant, kv, vocab, slots, adapters: None, state });
        let prefill = Plan::build(kernels, resources.record_prefill(chunk)).await?;
        let plain = PlanWanted { phase: Phase::Decode, rows: 1, features: Features::default() };
        let single = resources.build(kernels, plain).await?;
        let mut decode = PlansByRows::default();
        decode.insert(1, single);
        let runner = ModelRunner {
            resources,
            prefill,
            decode,
            verify: PlansByRows::default(),
            score: None,
            draft: None,
            chunk,
            single_step_limit,
            step: 0,
            ready: None,
        };
        // Variants were timed on it.
        runner.finish_row(0);
        Ok(runner)
    }

    /// What the plans are recorded over.
    pub fn resources(&self) -> &Rc<Resources> {
        &self.resources
    }

    /// Positions a sequence may have.
    pub fn context(&self) -> u32 {
        // The cache has whole pages, which may go beyond what the model is right for.
        let config = self.resources.model.config();
        self.resources.kv.context().min(config.context).min(config.window.unwrap_or(u32::MAX))
    }

    /// The decode plan of one row.
    fn single(&self) -> &DecodePlan {
        self.decode.fitting(1).map_or_else(|| unreachable!("it is built first"), |(_, plan)| plan)
    }

    /// Dispatches of a decode step of one row.
    pub fn step_dispatches(&self) -> usize {
        let sample = |plan: &DecodePlan| plan.sample(Features::default()).map_or(0, Plan::dispatches);
        let plan = self.single();
        plan.forward.dispatches() + sample(plan)
    }

    /// Tokens of a prefill step at most.
    pub fn chunk(&self) -> u32 {
        self.chunk
    }

    /// Where in the ring the next step's tokens go.
    pub fn place_in_ring(&self) -> u32 {
        self.step % RING
    }

    /// Rows of the largest decode plan.
    pub fn rows(&self) -> u32 {
        self.decode.rows().next_back().unwrap_or(1)
    }

    /// Tokens that can be verified at once: those drafted and the one before them.
    pub fn verify_rows(&self) -> u32 {
        self.verify.rows().next_back().unwrap_or(0)
    }

    /// Tokens of a prompt that can be scored at once; 0 while there is no plan for it.
    pub fn score_rows(&self) -> u32 {
        if self.score.is_some() { SCORE_ROWS } else { 0 }
    }

    /// What rows may be sampled by in the plans that there are.
    pub fn features(&self) -> Features {
        self.single().samples.last().map_or(Features::default(), |(features, _)| *features)
    }

    /// Rows of the decode plans, which all have the same features.
    pub fn decode_rows(&self) -> Vec<u32> {
        self.decode.rows().collect()
    }

    /// Adds plans that were built meanwhile.
    pub fn add_plans(&mut self, plans: Vec<(PlanWanted, DecodePlan)>) {
        for (wanted, plan) in plans {
            match wanted.phase {
                Phase::Decode => self.decode.insert(wanted.rows, plan),
                Phase::Verify => self.verify.insert(wanted.rows, plan),
                Phase::Score => self.score = Some(plan),
                Phase::Draft => self.draft = Some(plan),
            }
        }
        self.ready = None;
    }

    /// What the plans that there are serve: tokens of prefill, and the others.
    pub fn plans_there(&self) -> (u32, Vec<PlanWanted>) {
        let features = self.features();
        let decode = self.decode.rows().map(|rows| PlanWanted { phase: Phase::Decode, rows, features });
        let plain = Features::default();
        let verify = self.verify.rows().map(|rows| PlanWanted { phase: Phase::Verify, rows, features: plain });
        let score = self.score.iter().map(|_| PlanWanted { phase: Phase::Score, rows: SCORE_ROWS, features: SCORED });
        let draft = self.draft.iter().map(|_| PlanWanted { phase: Phase::Draft, rows: 1, features: plain });
        (self.chunk, decode.chain(verify).chain(score).chain(draft).collect())
    }

    /// Takes other resources and the plans that were recorded over them, in place of all.
    pub fn exchange(&mut self, resources: Rc<Resources>, prefill: Plan, plans: Vec<(PlanWanted, DecodePlan)>) {
        (self.resources, self.prefill) = (resources, prefill);
        self.add_plans(plans);
    }

    /// Device memory.
    pub fn memory(&self) -> Memory {
        let decode = self
            .decode
            .iter()
            .chain(self.verify.iter())
            .chain(&self.score)
            .chain(&self.draft)
            .flat_map(|plan| plan.samples.iter().map(|(_, plan)| plan).chain([&plan.forward]));
        Memory {
            weights: self.resources.model.weight_bytes()
                + self.resources.adapters.as_ref().map_or(0, AdapterStacks::bytes),
            kv_cache: self.resources.kv.bytes(),
            activations: decode.chain([&self.prefill]).map(Plan::activation_bytes).sum(),
        }
    }

    /// Queues the computation of keys and values of `tokens`, at most a chunk of them, from `position` of `slot` on; what is answered is
    /// there when it is done. `is_alone`: nothing else has a row.
    pub fn prefill(&mut self, slot: u32, position: u32, tokens: &[u32], is_alone: bool) -> PendingReadback {
        let device = &self.resources.device;
        let state = &self.resources.state;
        let marker = state.ring.slice(0, 4);
        let rows: Vec<Row> =
            tokens.iter().zip(position..).map(|(token, position)| Row::new(*token, position, slot)).collect();
        if rows.len() > self.single_step_limit || !is_alone || slot > 0 {
            device.write(&state.prefill_batch, 0, bytemuck::cast_slice(&batch::words(&rows)));
            return plan::submit_and_read(device, &[&self.prefill], &marker);
        }
        self.ready = None;
        self.write_count(1);
        for row in &rows {
            self.write_row(*row);
            plan::submit(device, &[&self.single().forward]);
        }
        // It may have to wait before it decodes, while others do.
        self.finish_row(slot);
        plan::submit_and_read(device, &[], &marker)
    }

    /// Sets what a slot's sequence is sampled by.
    pub fn set_slot(&self, slot: u32, slot_state: &SlotState<'_>) {
        let (device, state) = (&self.resources.device, &self.resources.state);
        let SlotState { params, stops, history, recent } = slot_state;
        device.write(&state.params, u64::from(slot) * size_of::<SamplingParams>() as u64, bytemuck::bytes_of(params));
        device.write(&state.stops, u64::from(slot * STOP_WORDS) * 4, bytemuck::cast_slice(stops));
        if let Some(history) = history {
            let at = u64::from(slot) * u64::from(self.resources.vocab) * 4;
            device.write(&state.history, at, bytemuck::cast_slice(history));
        }
        if let Some((recent, breakers)) = recent {
            device.write(&state.recent, u64::from(slot * RECENT) * 4, bytemuck::cast_slice(recent));
            let at = u64::from(slot) * u64::from(mask_words(self.resources.vocab)) * 4;
            device.write(&state.breakers, at, bytemuck::cast_slice(breakers));
        }
    }

    /// Sets the tokens that a slot's sequence may choose among.
    pub fn set_mask(&self, slot: u32, mask: &[u32]) {
        let words = mask_words(self.resources.vocab);
        let mask = &mask[..mask.len().min(words as usize)];
        let at = u64::from(slot) * u64::from(words) * 4;
        self.resources.device.write(&self.resources.state.mask, at, bytemuck::cast_slice(mask));
    }

    /// Sets the row of a slot. `is_same`: the token and position that it has already.
    pub fn set_row(&mut self, row: Row, is_same: bool) {
        if !is_same {
            self.ready = None;
        }
        self.write_row(row);
    }

    /// The row of `slot` is left alone from here on.
    pub fn finish_row(&self, slot: u32) {
        self.write_row(Row { flags: batch::FINISHED, ..Row::new(0, 0, slot) });
    }

    /// Says how many rows are valid. The device sets that to 0 where all have ended.
    fn write_count(&self, rows: u32) {
        self.resources.device.write(&self.resources.state.decode_batch, 0, bytemuck::bytes_of(&rows));
    }

    fn write_row(&self, row: Row) {
        let at = batch::bytes(row.sequence);
        self.resources.device.write(&self.resources.state.decode_batch, at, bytemuck::bytes_of(&row));
    }

    /// Queues the choice of what follows a token at a position and each drafted one behind it, and asks for the tokens: one more than were
    /// drafted.
    pub fn verify(&mut self, row: Row, draft: &[u32]) -> PendingReadback {
        let (device, state) = (&self.resources.device, &self.resources.state);
        let rows: Vec<Row> = [row.token]
            .iter()
            .chain(draft)
            .zip(row.position..)
            .map(|(token, position)| Row::new(*token, position, row.sequence).flagged(batch::VERIFY))
            .collect();
        let count = rows.len() as u32;
        let (_, plan) = self.verify.fitting(count).unwrap_or_else(|| unreachable!("drafts fit the plans"));
        // It is always step 0 of its batch: the tokens stand at the beginning of the slot's ring.
        device.write(&state.verify_batch, 0, bytemuck::cast_slice(&batch::words(&rows)));
        self.ready = None;
        let tokens = state.ring.slice(u64::from(row.sequence * RING) * 4, u64::from(count) * 4);
        let Some(sample) = plan.sample(Features::default()) else { unreachable!("every plan has the plain choice") };
        plan::submit_and_read(device, &[&plan.forward, sample], &tokens)
    }

    /// Queues the choice by MTP of so many tokens behind `row`, each from the one before. They are the ring's first, and what the slot holds is
    /// changed as if they had been chosen: it is to be set again.
    pub fn draft(&mut self, row: Row, tokens: u32) {
        let (device, state) = (&self.resources.device, &self.resources.state);
        let Some(plan) = &self.draft else { unreachable!("it is built with those of verification") };
        let Some(sample) = plan.sample(Features::default()) else { unreachable!("every plan has the plain choice") };
        device.write(&state.draft_batch, 0, bytemuck::cast_slice(&batch::words(&[row])));
        self.ready = None;
        plan::submit(device, &[&plan.forward, sample].repeat(tokens as usize));
    }

    /// The same as [`ModelRunner::verify`] for so many tokens that [`ModelRunner::draft`] was asked for. What is answered are these, with what
    /// stands behind them in the ring up to [`VERIFIED_AT`], and then the chosen ones.
    pub fn verify_draft(&mut self, row: Row, drafted: u32) -> PendingReadback {
        let (device, state) = (&self.resources.device, &self.resources.state);
        let rows: Vec<Row> = (row.position..=row.position + drafted)
            .map(|position| Row::new(row.token, position, row.sequence).flagged(batch::VERIFY))
            .collect();
        let (_, plan) = self.verify.fitting(drafted + 1).unwrap_or_else(|| unreachable!("drafts fit the plans"));
        let mut words = batch::words(&rows);
        batch::set_step(&mut words, VERIFIED_AT);
        device.write(&state.verify_batch, 0, bytemuck::cast_slice(&words));
        let Some(sample) = plan.sample(Features::default()) else { unreachable!("every plan has the plain choice") };
        let draft_rows = self.draft.as_ref().and_then(|plan| plan.draft_rows.as_ref());
        let plans: Vec<&Plan> = draft_rows.into_iter().chain([&plan.forward, sample]).collect();
        let read = VERIFIED_AT + drafted + 1;
        plan::submit_and_read(
            device,
            &plans,
            &state.ring.slice(u64::from(row.sequence * RING) * 4, u64::from(read) * 4),
        )
    }

    /// Queues the computation of keys and values of `tokens` from `position` of `slot` on, and asks for the log-probabilities of what follows
    /// each of them, `targets`: `[tokens, LOGPROB_WORDS]`. The slot's parameters must ask for log-probabilities.
    pub fn score(&mut self, slot: u32, position: u32, tokens: &[u32], targets: &[u32]) -> PendingReadback {
        let (device, state) = (&self.resources.device, &self.resources.state);
        let row = |(token, position): (&u32, u32)| Row::new(*token, position, slot).flagged(batch::VERIFY);
        let rows: Vec<Row> = tokens.iter().zip(position..).map(row).collect();
        let Some(plan) = &self.score else { unreachable!("sequences wait for the plan") };
        let Some(scores) = plan.sample(SCORED) else { unreachable!("it has log-probabilities") };
        device.write(&state.verify_batch, 0, bytemuck::cast_slice(&batch::words(&rows)));
        device.write(&state.targets, 0, bytemuck::cast_slice(targets));
        self.ready = None;
        let words = |of: u32| u64::from(of * LOGPROB_WORDS) * 4;
        let logprobs = state.logprobs.slice(words(slot * RING), words(rows.len() as u32));
        plan::submit_and_read(device, &[&plan.forward, scores], &logprobs)
    }

    /// Queues `steps` decode steps of the slots below `slots`, and asks for their tokens: one submission, one read. With `lookahead` the
    /// next forward pass is queued behind it, to be under way while the tokens are looked at.
    pub fn decode(
        &mut self,
        slots: u32,
        steps: u32,
        lookahead: bool,
        features: Features,
    ) -> (PendingReadback, Option<PendingReadback>, RingSpan) {
        let (device, state) = (&self.resources.device, &self.resources.state);
        let (rows, plan) = self.decode.fitting(slots).unwrap_or_else(|| unreachable!("the scheduler knows the plans"));
        self.write_count(rows);
        let Some(sample) = plan.sample(features) else { unreachable!("sequences wait for the features they ask for") };
        let plans = [&plan.forward, sample].repeat(steps as usize);
        let is_ready = self.ready == Some(rows);
        let span = RingSpan { first: self.step % RING, rows };
        let slice = match rows {
            1 => state.ring.slice(u64::from(span.first) * 4, u64::from(steps) * 4),
            rows => state.ring.slice(0, u64::from(rows * RING) * 4),
        };
        let pending = plan::submit_and_read(device, &plans[usize::from(is_ready)..], &slice);
        let logprobs = features.logprobs.then(|| {
            let bytes = u64::from(rows * RING * LOGPROB_WORDS) * 4;
            plan::submit_and_read(device, &[], &state.logprobs.slice(0, bytes))
        });
        if lookahead {
            plan::submit(device, &[&plan.forward]);
        }
        self.ready = lookahead.then_some(rows);
        self.step = self.step.wrapping_add(steps);
        (pending, logprobs, span)
    }
}

/// Where the tokens of a submission stand in what is read of the ring.
#[derive(Debug, Clone, Copy)]
pub(super) struct RingSpan {
    first: u32,
    rows: u32,
}

impl RingSpan {
    /// The token that `slot` chose in the submission's step number `step`.
    pub fn token(&self, words: &[u32], slot: u32, step: u32) -> Option<u32> {
        let index = match self.rows {
            1 => step,
            _ => slot * RING + (self.first + step) % RING,
        };
        words.get(index as usize).copied()
    }
}

impl RingSpan {
    /// The words of log-probabilities of the token that `slot` chose in the submission's step number `step`: `[LOGPROB_WORDS]`.
    pub fn logprobs<'a>(&self, words: &'a [u32], slot: u32, step: u32) -> Option<&'a [u32]> {
        let at = (slot * RING + (self.first + step) % RING) * LOGPROB_WORDS;
        words.get(at as usize..(at + LOGPROB_WORDS) as usize)
    }
}
