//! From the scheduler's steps to the device: what precedes a step, what it must know of its rows, and the step.

use crate::clock::Instant;

use super::{Drafter, Driver, InFlight, InFlightWork};
use crate::engine::executor::{ModelRunner, SlotState};
use crate::engine::model_drafter::ModelDrafter;
use crate::engine::page_transfer::write_page;
use crate::engine::scheduler::{DecodeRow, DraftWork, Preparation, Proposal, Step, StepLimits, Work};
use crate::kernels::kv::PAGE;
use crate::kernels::sampling::{Features, LOGPROBS, stop_words};
use crate::kv::prefix::Evicted;
use crate::plan::PendingReadback;

impl Driver {
    /// Submits the scheduler's next step; false where there is none.
    pub(super) fn submit(&mut self) -> bool {
        let limits = StepLimits {
            chunk_alone: self.chunks.alone(),
            chunk_shared: self.chunks.shared(),
            rows: self.runner.rows(),
            group: self.lead.steps,
        };
        let Some(Step { before, work }) = self.scheduler.next(&limits) else { return false };
        self.prepare(before);
        let submitted = Instant::now();
        match work {
            Work::Nothing => {}
            Work::Prefill { id, slot, from, to } => {
                self.set_adapters(id, slot);
                let Some(entry) = self.entries.get_mut(&id) else { return true };
                let sequence = &mut entry.sequence;
                sequence.clock.started.get_or_insert(submitted);
                let tokens: Vec<u32> = (from..to).map(|position| sequence.token(position)).collect();
                if sequence.unscored().is_some_and(|(_, all)| from < all) {
                    let last = sequence.prompt.len() - 1;
                    let targets: Vec<u32> =
                        (from..to).map(|position| sequence.prompt[last.min(position + 1)]).collect();
                    let mut params = sequence.params();
                    params.flags |= LOGPROBS;
                    let stops = stop_words(&[]).unwrap_or_default();
                    self.runner.set_slot(slot, &SlotState { params, stops: &stops, history: None, recent: None });
                    let pending = self.runner.score(slot, from as u32, &tokens, &targets);
                    self.push(submitted, pending, None, InFlightWork::Score { id, from });
                    return true;
                }
                let is_alone = self.entries.len() == 1;
                let pending = self.runner.prefill(slot, from as u32, &tokens, is_alone);
                self.push(submitted, pending, None, InFlightWork::Prefill { tokens: to - from });
            }
            Work::Decode { rows, steps, lookahead } => {
                rows.iter().for_each(|row| self.write_row(*row));
                let slots = rows.iter().map(|row| row.slot + 1).max().unwrap_or(1);
                let features = rows.iter().filter_map(|row| self.entries.get(&row.id));
                let features =
                    features.fold(Features::default(), |all, entry| all.or(entry.sequence.params.features()));
                let (pending, logprobs, span) = self.runner.decode(slots, steps, lookahead, features);
                self.push(submitted, pending, logprobs, InFlightWork::Decode { rows, steps, span, lookahead });
            }
            Work::Verify { row, proposal: Proposal::Tokens(draft) } => self.verify(row, draft, Drafter::Lookup),
            Work::Verify { row, proposal: Proposal::Model(work) } => self.draft(row, work),
        }
        true
    }

    /// Submits the verification of a draft.
    pub(super) fn verify(&mut self, row: DecodeRow, draft: Vec<u32>, drafted_by: Drafter) {
        let submitted = Instant::now();
        self.write_slot(row);
        let Some(entry) = self.entries.get(&row.id) else { return };
        let pending = self.runner.verify(entry.sequence.last_row(row.slot), &draft);
        self.push(submitted, pending, None, InFlightWork::Verify { row, draft, drafted_by });
    }

    /// Lets a model draft tokens. Those of a second model are verified when they are there, those of MTP right behind.
    fn draft(&mut self, row: DecodeRow, work: DraftWork) {
        let submitted = Instant::now();
        let vocab = self.runner.resources().vocab;
        let (Some(entry), Some(model)) = (self.entries.get(&row.id), &mut self.speculation.model) else { return };
        let pending = match model {
            ModelDrafter::Apart(model) => entry.sequence.with_slot_state(vocab, |state| {
                let tokens: Vec<u32> = entry.sequence.tokens().collect();
                model.submit(&tokens, work, state)
            }),
            ModelDrafter::Mtp(_) => {
                let drafted = work.chosen as u32;
                let last = entry.sequence.last_row(row.slot);
                let set_slot = |runner: &ModelRunner| {
                    entry.sequence.with_slot_state(vocab, |state| runner.set_slot(row.slot, state));
                };
                set_slot(&self.runner);
                self.runner.draft(last, drafted);
                set_slot(&self.runner);
                let pending = self.runner.verify_draft(last, drafted);
                return self.push(submitted, pending, None, InFlightWork::VerifyDraft { row, drafted: work.chosen });
            }
        };
        self.push(submitted, pending, None, InFlightWork::Draft { row, work });
    }

    fn push(
        &mut self,
        submitted: Instant,
        tokens: PendingReadback,
        logprobs: Option<PendingReadback>,
        work: InFlightWork,
    ) {
        let took = matches!(tokens, PendingReadback::Cpu(_)).then(|| submitted.elapsed());
        let pending = Box::pin(async move {
            let tokens = tokens.wait().await?;
            let logprobs = match logprobs {
                Some(pending) => pending.wait().await?,
                None => Vec::new(),
            };
            Ok((tokens, logprobs))
        });
        self.in_flight.push_back(InFlight { pending, submitted, took, work });
    }

    /// Does what precedes a step's work.
    pub(in crate::engine) fn prepare(&mut self, before: Vec<Preparation>) {
        let resources = self.runner.resources().clone();
        let (device, kv) = (&resources.device, &resources.kv);
        for preparation in before {
            match preparation {
                Preparation::Evict(Evicted { group, page, key, tokens }) => {
                    if tokens == PAGE && self.scheduler.tier.wants(&key, self.store.has(&key)) {
                        self.transfer.keep(device, kv, (group, page), key);
                    }
                }
                Preparation::Load { group, key, page } => match self.scheduler.tier.lookup(&[key])[..] {
                    [bytes] => write_page(device, kv, group, page, bytes),
                    _ => unreachable!("the tier loses nothing while a step is prepared"),
                },
                Preparation::Copy { group, from, to } => kv.copy(group, from, to),
                Preparation::Map { group, slot, first, pages } => kv.set_pages(group, slot, first, &pages),
                Preparation::Finish { slot } => self.runner.finish_row(slot),
            }
        }
    }

    /// Writes what the device must know of a row before its next steps.
    pub(super) fn write_row(&mut self, row: DecodeRow) {
        if row.is_stale {
            self.write_slot(row);
        }
        let Some(entry) = self.entries.get_mut(&row.id) else { return };
        let sequence = &mut entry.sequence;
        sequence.clock.started.get_or_insert_with(Instant::now);
        let is_masked = sequence.is_masked();
        if is_masked {
            self.runner.set_mask(row.slot, &entry.mask);
        }
        if is_masked || row.is_stale {
            self.runner.set_row(sequence.last_row(row.slot), !row.is_stale);
        }
    }

    /// Writes by what a slot's sequence is sampled.
    pub(super) fn write_slot(&mut self, row: DecodeRow) {
        self.set_adapters(row.id, row.slot);
        let Some(entry) = self.entries.get(&row.id) else { return };
        let vocab = self.runner.resources().vocab;
        entry.sequence.with_slot_state(vocab, |state| self.runner.set_slot(row.slot, state));
    }
}
