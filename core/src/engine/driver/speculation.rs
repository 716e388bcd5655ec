//! Drafts: which are proposed, what comes of them, and what that teaches.

use super::Driver;
use super::policy::Chosen;
use crate::engine::Memory;
use crate::engine::drafter::StepTimes;
use crate::engine::executor::VERIFIED_AT;
use crate::engine::model_drafter::ModelDrafter;
use crate::engine::scheduler::{DecodeRow, DraftWork, Proposal, SeqId};
use crate::kernels::kv::PAGE;
use crate::kernels::sampling::Features;

/// What drafts, and what is known of the worth of that.
#[derive(Debug, Default)]
pub(in crate::engine) struct Speculation {
    /// Whether tokens are drafted.
    pub is_on: bool,
    /// Who drafts beside prompt lookup.
    pub model: Option<ModelDrafter>,
    /// Tokens that prompt lookup would have drafted rightly. Plans of verification are built once there are some.
    pub foreseen: u32,
    pub times: StepTimes,
}

/// Who has drafted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drafter {
    Lookup,
    Model,
}

impl Driver {
    /// Device memory, that of the draft model included.
    pub fn memory(&self) -> Memory {
        let own = self.runner.memory();
        let others = self.speculation.model.as_ref().and_then(ModelDrafter::memory);
        others.map_or(own, |others| own.plus(others))
    }

    /// Times of verifications of three and of seven drafted tokens, in plain steps.
    pub fn verify_costs(&self) -> [f32; 2] {
        [3, 7].map(|drafted| self.speculation.times.verify(drafted))
    }

    /// Gives the draft model's memory back.
    pub fn close_draft(&mut self) {
        self.speculation.model.take().into_iter().for_each(|model| model.close());
    }

    /// Proposes what a sequence's next tokens may be, where verifying them is likely to pay: it runs alone, nothing else is asked of its
    /// tokens, and what drafts have gained so far covers what this one may lose.
    pub(super) fn propose(&mut self, id: SeqId) {
        let proposal = self.proposal(id);
        self.scheduler.set_proposal(id, proposal);
    }

    /// The better of what prompt lookup and a model would propose.
    fn proposal(&mut self, id: SeqId) -> Option<Proposal> {
        let entry = self.entries.get(&id).filter(|_| self.speculation.is_on)?;
        let sequence = &entry.sequence;
        let is_free = sequence.policy.as_ref().is_some_and(|policy| !policy.is_held());
        let is_plain = is_free && sequence.params.features() == Features::default();
        if !is_plain || !self.scheduler.is_alone(id) || self.scheduler.computed(id) + 1 < sequence.len() {
            return None;
        }
        let remaining = sequence.remaining().saturating_sub(1);
        let max = self.runner.verify_rows().saturating_sub(1).min(remaining);
        let refusal = self.refusal(sequence.len());
        let times = &self.speculation.times;
        let length = entry.acceptance.draft_length(max, refusal, |drafted| times.verify(drafted));
        let looked_up = length.and_then(|length| {
            // What is in flight comes first, if the draft is right.
            let in_flight = self.scheduler.in_flight(id) as usize;
            let mut draft = entry.lookup.draft(length.tokens as usize + in_flight);
            draft.truncate(length.tokens as usize);
            (!draft.is_empty()).then_some((draft, length.rate))
        });
        let model = self.speculation.model.as_mut().filter(|_| max > 0);
        let chosen = model.and_then(|model| {
            let tokens: Vec<u32> = sequence.tokens().collect();
            model.propose(&tokens, (max, remaining), (times, refusal))
        });
        match (looked_up, chosen) {
            (Some((_, rate)), Some((work, better))) if better > rate => Some(Proposal::Model(work)),
            (None, Some((work, _))) => Some(Proposal::Model(work)),
            (looked_up, _) => looked_up.map(|(draft, _)| Proposal::Tokens(draft)),
        }
    }

    /// What it takes besides, in plain steps, where a draft behind so many tokens is refused: a recurrent state cannot be taken back, so that the
    /// tokens behind the last end of a page are computed again.
    fn refusal(&self, tokens: usize) -> f32 {
        let again = if self.scheduler.has_state() { tokens % PAGE as usize } else { 0 };
        self.speculation.times.again(again, self.chunks.millis())
    }

    /// Books plain steps of a sequence that runs alone.
    pub(super) fn book_plain(&mut self, id: SeqId, steps: u32) {
        let models = self.speculation.model.iter_mut().map(ModelDrafter::acceptance);
        let lookups = self.entries.get_mut(&id).into_iter().map(|entry| &mut entry.acceptance);
        lookups.chain(models).for_each(|acceptance| (0..steps).for_each(|_| acceptance.record(0, 0, 1.0)));
    }

    /// Takes what a second model has drafted, to be verified.
    pub(super) fn take_draft(&mut self, row: DecodeRow, work: DraftWork, millis: f64, words: &[u32]) {
        let Some(model) = &mut self.speculation.model else { return };
        self.speculation.times.measured_draft(millis, work.computed, work.chosen);
        let draft = model.take(words, work.chosen, &[]);
        if self.scheduler.epoch(row.id) != Some(row.epoch) {
            return;
        }
        if !draft.is_empty() {
            return self.verify(row, draft, Drafter::Model);
        }
        if work.chosen > 0 {
            // It computes no numbers.
            let cost = 1.0 + model.cost(work.chosen as u32, &self.speculation.times);
            model.acceptance().record(work.chosen as u32, 0, cost);
        }
        // Plain steps come before it is asked again, so that the answer goes on while it computes a long prompt.
        self.scheduler.read(row.id, 1);
        self.scheduler.set_held(row.id, false);
    }

    /// Takes what MTP has drafted, and what the model has chosen behind each token of that.
    pub(super) fn take_verified_draft(&mut self, row: DecodeRow, drafted: usize, millis: f64, words: &[u32]) {
        let (Some(model), Some(entry)) = (&mut self.speculation.model, self.entries.get(&row.id)) else { return };
        let draft = model.take(words, drafted, &entry.sequence.stop_ids);
        if draft.is_empty() {
            // It computes no numbers.
            model.acceptance().record(drafted as u32, 0, 1.0);
        }
        let millis = self.speculation.times.measured_mtp(millis, drafted);
        let chosen = words.get(VERIFIED_AT as usize..).unwrap_or_default();
        self.take_verified(row, &draft, Drafter::Model, millis, chosen);
    }

    /// Takes what the model has chosen behind each token of a draft: the first that is not the drafted one is the last that stands.
    pub(super) fn take_verified(
        &mut self,
        row: DecodeRow,
        draft: &[u32],
        drafted_by: Drafter,
        millis: f64,
        words: &[u32],
    ) {
        if self.scheduler.epoch(row.id) != Some(row.epoch) {
            return;
        }
        let accepted = draft.iter().zip(words).take_while(|(drafted, chosen)| drafted == chosen).count();
        self.speculation.times.measured_verify(millis, draft.len());
        let drafted = draft.len() as u32;
        let stands = self.entries.get(&row.id).map_or(0, |entry| entry.sequence.len() + accepted);
        let refusal = if accepted < draft.len() { self.refusal(stands) } else { 0.0 };
        if let Some(entry) = self.entries.get_mut(&row.id) {
            let Speculation { times, model, .. } = &mut self.speculation;
            let cost = times.verify(drafted) + refusal;
            match model.as_mut().filter(|_| drafted_by == Drafter::Model) {
                Some(model) => {
                    let cost = cost + model.cost(drafted, times);
                    model.acceptance().record(drafted, accepted as u32, cost);
                }
                None => entry.acceptance.record(drafted, accepted as u32, cost),
            }
            entry.sequence.usage.drafted_tokens += drafted;
            entry.sequence.usage.accepted_tokens += accepted as u32;
        }
        let tokens = words[..=accepted.min(words.len() - 1)].to_vec();
        let chosen = Chosen { epoch: row.epoch, steps: 1, ahead: 0, token_ms: None, logprobs: Vec::new() };
        self.take_tokens(row.id, tokens, chosen);
    }
}
