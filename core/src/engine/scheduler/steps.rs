//! The next step: a chunk of a prompt, decode steps of all rows, or the verification of a draft.

use super::{PAGE, Scheduler, SeqId};
use crate::kv::pages::PageId;
use crate::kv::path_key::PathKey;
use crate::kv::prefix::Evicted;

/// What the driver allows the next step to be.
#[derive(Debug, Clone, Copy)]
pub struct StepLimits {
    /// Tokens of a prefill chunk where nobody else decodes.
    pub chunk_alone: usize,
    /// Tokens of a prefill chunk while other sequences decode.
    pub chunk_shared: usize,
    /// Rows of the largest plan there is: sequences in slots behind them cannot decode yet.
    pub rows: u32,
    /// Decode steps of a submission.
    pub group: u32,
}

/// Work for the device, and what has to be done with pages and rows before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// In order, before the work.
    pub before: Vec<Preparation>,
    /// The work.
    pub work: Work,
}

/// What precedes a step's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preparation {
    /// A page leaves the device: its contents may be kept elsewhere, before it is used again.
    Evict(Evicted),
    /// A page gets the contents that the host tier has under a name. They are there until the next step is asked for.
    Load {
        /// The group.
        group: usize,
        /// The name.
        key: PathKey,
        /// The sequence's own page.
        page: PageId,
    },
    /// A page's contents are copied: a prefix is shared up to a token within it.
    Copy {
        /// The group.
        group: usize,
        /// The shared page.
        from: PageId,
        /// The sequence's own.
        to: PageId,
    },
    /// Pages become a slot's, from its page number `first` on.
    Map {
        /// The group.
        group: usize,
        /// The slot.
        slot: u32,
        /// Number of the first page within the sequence.
        first: u32,
        /// The pages.
        pages: Vec<PageId>,
    },
    /// A slot's row is left alone for good.
    Finish {
        /// The slot.
        slot: u32,
    },
}

/// Work for the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Keys and values of a sequence's tokens `from..to`.
    Prefill {
        /// The sequence.
        id: SeqId,
        /// Its slot.
        slot: u32,
        /// First token.
        from: usize,
        /// Behind the last.
        to: usize,
    },
    /// Decode steps of all these rows.
    Decode {
        /// The rows that take part.
        rows: Vec<DecodeRow>,
        /// How many steps.
        steps: u32,
        /// Whether all rows wait for the CPU after one step, so that their next forward pass is better begun at once.
        lookahead: bool,
    },
    /// A draft is verified: what the model chooses behind a sequence's last token and behind each drafted one, in one pass.
    Verify {
        /// The row, which is to be left alone meanwhile.
        row: DecodeRow,
        /// What is verified.
        proposal: Proposal,
    },
    /// Nothing but the preparations.
    Nothing,
}

/// What a sequence's next tokens may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposal {
    /// These.
    Tokens(Vec<u32>),
    /// Those that the draft model is to choose first, once it has computed so many that it lacks.
    Model(DraftWork),
}

impl Proposal {
    fn len(&self) -> usize {
        match self {
            Proposal::Tokens(tokens) => tokens.len(),
            Proposal::Model(work) => work.chosen,
        }
    }
}

/// What a draft model is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DraftWork {
    /// Tokens that it computes first.
    pub computed: usize,
    /// Tokens that it chooses.
    pub chosen: usize,
}

/// A row that takes part in decode steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeRow {
    /// The sequence.
    pub id: SeqId,
    /// Its slot.
    pub slot: u32,
    /// Its epoch: what is read for an earlier one is void.
    pub epoch: u32,
    /// Whether the device's row is not what stands here, and must be written.
    pub is_stale: bool,
}

impl Scheduler {
    /// The next step; none where there is nothing to do until something was read or submitted.
    pub fn next(&mut self, limits: &StepLimits) -> Option<Step> {
        self.move_down(limits);
        self.admit(limits);
        if self.has_state() {
            self.tracks.iter_mut().for_each(|(_, track)| track.settle());
        }
        let work = match self.prefilled_last {
            true => self.decode(limits).or_else(|| self.prefill(limits)),
            false => self.prefill(limits).or_else(|| self.decode(limits)),
        };
        self.prefilled_last = matches!(work, Some(Work::Prefill { .. }));
        let before = std::mem::take(&mut self.pending);
        match work {
            Some(work) => Some(Step { before, work }),
            None if before.is_empty() => None,
            None => Some(Step { before, work: Work::Nothing }),
        }
    }

    /// What is to be done before anything else, as before a step.
    pub fn take_pending(&mut self) -> Vec<Preparation> {
        std::mem::take(&mut self.pending)
    }

    /// The next chunk of the best-ranked prompt that is not computed yet.
    fn prefill(&mut self, limits: &StepLimits) -> Option<Work> {
        loop {
            let running = self.slots.iter().flatten();
            let candidates = running.filter(|id| self.tracks[*id].can_prefill());
            let id = *candidates.min_by_key(|id| (self.tracks[*id].rank, **id))?;
            if !self.tracks[&id].is_matched {
                self.reuse(id);
                continue;
            }
            let others_decode = self.slots.iter().flatten().any(|other| *other != id && self.tracks[other].decodes());
            let chunk = if others_decode { limits.chunk_shared } else { limits.chunk_alone };
            let track = &self.tracks[&id];
            let from = track.computed;
            let to = (from + chunk.clamp(1, track.prefill.1)).min(track.prefix());
            if !self.reserve(id, from..to, true) {
                // It was preempted itself, since it ranks last.
                continue;
            }
            self.counts.prefilled += (to - from) as u64;
            let track = self.tracks.get_mut(&id)?;
            let slot = track.slot?;
            (track.computed, track.seen) = (to, to);
            let is_whole = to == track.prefix();
            let indexed = if is_whole { to } else { to / PAGE as usize * PAGE as usize };
            if indexed > track.indexed {
                // Work that is queued behind this step may rely on it.
                track.indexed = indexed;
                let tokens = &track.tokens[..indexed];
                self.index.insert(track.namespace, tokens, &track.tables, &mut self.pools);
            }
            // What this step reads is not written over before it, since the device keeps the order.
            self.slide(id);
            return Some(Work::Prefill { id, slot, from, to });
        }
    }

    /// The verification of the draft of the only sequence, once nothing of it is in flight.
    fn verify(&mut self) -> Option<Work> {
        let id = *self.slots.iter().flatten().next()?;
        let track = self.tracks.get(&id).filter(|track| track.in_flight == 0 && track.decodes())?;
        let (len, limit) = (track.tokens.len(), track.limit);
        let drafted = track.proposal.as_ref().map_or(0, Proposal::len);
        if !self.reserve(id, track.prefix()..(len + drafted).min(limit), true) {
            return None;
        }
        let track = self.tracks.get_mut(&id)?;
        let (slot, proposal) = (track.slot?, track.proposal.take()?);
        track.in_flight = 1;
        track.seen = track.seen.max(track.prefix() + 1 + drafted);
        (track.is_held, track.is_fresh) = (true, false);
        let row = DecodeRow { id, slot, epoch: track.epoch, is_stale: track.is_stale };
        if !track.is_stale {
            track.is_stale = true;
            self.pending.push(Preparation::Finish { slot });
        }
        Some(Work::Verify { row, proposal })
    }

    /// A group of decode steps of all rows that can take part.
    fn decode(&mut self, limits: &StepLimits) -> Option<Work> {
        if self.tracks.values().any(|track| track.proposal.is_some() && self.tracks.len() == 1) {
            return self.verify();
        }
        let slots = limits.rows.min(self.options.slots) as usize;
        let ids: Vec<SeqId> = self.slots[..slots].iter().flatten().copied().collect();
        let ids: Vec<SeqId> = ids.into_iter().filter(|id| self.tracks[id].decodes()).collect();
        if !ids.iter().any(|id| self.tracks[id].asks()) {
            return None;
        }
        let tracks = || ids.iter().map(|id| &self.tracks[id]);
        let room = tracks().map(|track| (track.limit - track.tokens.len()) as u32 - track.in_flight).max()?;
        let lookahead = tracks().map(|track| track.lookahead.saturating_sub(track.in_flight)).min()?;
        let is_paced = tracks().any(|track| track.is_paced);
        let lookahead_pass = tracks().all(|track| track.is_paced) && self.running_are_paced();
        let steps = match is_paced || tracks().any(|track| track.is_fresh) {
            true => 1,
            // Groups end where the ring of tokens wraps around.
            false => limits.group - self.step % limits.group,
        };
        let steps = steps.min(room).min(lookahead).max(1);
        for id in &ids {
            if let Some(track) = self.tracks.get(id)
                && track.slot.is_some()
            {
                let ahead = track.in_flight as usize + steps as usize + usize::from(lookahead_pass);
                self.reserve(*id, track.first_row()..(track.tokens.len() + ahead).min(track.limit), false);
            }
        }
        let mut rows = Vec::new();
        for id in ids {
            let Some(track) = self.tracks.get_mut(&id) else { continue };
            let Some(slot) = track.slot else { continue };
            rows.push(DecodeRow { id, slot, epoch: track.epoch, is_stale: track.is_stale });
            // A row that is held is computed again in the steps of others, as the next.
            let seen = track.prefix() + (track.in_flight + if track.is_paced { 2 } else { steps }) as usize;
            track.seen = track.seen.max(seen);
            track.in_flight += if track.is_paced { 1 } else { steps };
            track.is_held = track.is_paced;
            (track.is_stale, track.is_fresh) = (false, false);
        }
        if rows.is_empty() {
            return None;
        }
        self.step = self.step.wrapping_add(steps);
        Some(Work::Decode { rows, steps, lookahead: lookahead_pass })
    }

    fn running_are_paced(&self) -> bool {
        self.slots.iter().flatten().all(|id| self.tracks[id].is_paced)
    }
}
