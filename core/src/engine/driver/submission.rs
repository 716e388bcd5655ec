//! From the scheduler's steps to the device: what precedes a step, what it must know of its rows, and the step.

use web_time::Instant;

use super::{Driver, Entry, InFlight, InFlightWork, SHARED_CHUNK, STEPS_PER_SUBMIT};
use crate::engine::executor::SlotState;
use crate::engine::page_transfer::write_page;
use crate::engine::scheduler::{DecodeRow, Preparation, Step, StepLimits, Work};
use crate::engine::sequence::Sequence;
use crate::kernels::kv::PAGE;
use crate::kernels::sampling::{Features, HOLD, MASKED, history_words, recent_words, stop_words};
use crate::kv::prefix::Evicted;
use crate::plan::PendingReadback;

impl Driver {
    /// Submits the scheduler's next step; false where there is none.
    pub(super) fn submit(&mut self) -> bool {
        let limits = StepLimits {
            chunk_alone: self.runner.chunk() as usize,
            chunk_shared: self.chunks.within(SHARED_CHUNK),
            rows: self.runner.rows(),
            group: STEPS_PER_SUBMIT,
        };
        let Some(Step { before, work }) = self.scheduler.next(&limits) else { return false };
        self.prepare(before);
        let submitted = Instant::now();
        match work {
            Work::Nothing => {}
            Work::Prefill { id, slot, from, to } => {
                let Some(entry) = self.entries.get_mut(&id) else { return true };
                let sequence = &mut entry.sequence;
                sequence.clock.started.get_or_insert(submitted);
                let tokens: Vec<u32> = (from..to).map(|position| sequence.token(position)).collect();
                let is_alone = self.entries.len() == 1;
                let pending = self.runner.prefill(slot, from as u32, &tokens, is_alone);
                self.push(pending, None, InFlightWork::Prefill { tokens: to - from });
            }
            Work::Decode { rows, steps, lookahead } => {
                rows.iter().for_each(|row| self.write_row(*row));
                let slots = rows.iter().map(|row| row.slot + 1).max().unwrap_or(1);
                let features = rows.iter().filter_map(|row| self.entries.get(&row.id));
                let features =
                    features.fold(Features::default(), |all, entry| all.or(entry.sequence.params.features()));
                let (pending, logprobs, span) = self.runner.decode(slots, steps, lookahead, features);
                self.push(pending, logprobs, InFlightWork::Decode { rows, steps, span, lookahead });
            }
            Work::Verify { row, draft } => {
                self.write_slot(row);
                let Some(entry) = self.entries.get(&row.id) else { return true };
                let pending = self.runner.verify(entry.sequence.last_row(row.slot), &draft);
                self.push(pending, None, InFlightWork::Verify { row, draft });
            }
        }
        true
    }

    pub(super) fn push(&mut self, tokens: PendingReadback, logprobs: Option<PendingReadback>, work: InFlightWork) {
        let pending = Box::pin(async move {
            let tokens = tokens.wait().await?;
            let logprobs = match logprobs {
                Some(pending) => pending.wait().await?,
                None => Vec::new(),
            };
            Ok((tokens, logprobs))
        });
        self.in_flight.push_back(InFlight { pending, submitted: Instant::now(), work });
    }

    /// Does what precedes a step's work.
    pub(in crate::engine) fn prepare(&mut self, before: Vec<Preparation>) {
        let resources = self.runner.resources().clone();
        let (device, kv) = (&resources.device, &resources.kv);
        for preparation in before {
            match preparation {
                Preparation::Evict(Evicted { page, key, tokens }) => {
                    if tokens == PAGE && self.scheduler.tier.wants(&key, self.store.has(&key)) {
                        self.transfer.keep(device, kv, page, key);
                    }
                }
                Preparation::Load { key, page } => match self.scheduler.tier.lookup(&[key])[..] {
                    [bytes] => write_page(device, kv, page, bytes),
                    _ => unreachable!("the tier loses nothing while a step is prepared"),
                },
                Preparation::Copy { from, to } => kv.copy(from, to),
                Preparation::Map { slot, first, pages } => kv.set_pages(slot, first, &pages),
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
    pub(super) fn write_slot(&self, row: DecodeRow) {
        let Some(Entry { sequence, .. }) = self.entries.get(&row.id) else { return };
        let vocab = self.runner.resources().vocab;
        let Sequence { prompt, generated, bias, stop_ids, .. } = sequence;
        let mut params = sequence.params;
        params.flags |= if sequence.is_masked() { MASKED | HOLD } else { 0 };
        let history = params.remembers().then(|| history_words(vocab, prompt, generated, bias, stop_ids));
        let recent = params.features().dry.then(|| {
            let tokens: Vec<u32> = prompt.iter().chain(generated).copied().collect();
            recent_words(&tokens, tokens.len() as u32)
        });
        let recent = recent.as_deref().map(|recent| (recent, &*sequence.breakers));
        let stops = stop_words(stop_ids).unwrap_or_default();
        self.runner.set_slot(row.slot, &SlotState { params, stops: &stops, history: history.as_deref(), recent });
    }
}
