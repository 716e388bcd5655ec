//! What the device does next: which requests run, whose prompt is computed, which rows decode, and whose pages are given up.
//!
//! Pure bookkeeping over token ids and page numbers: no device, no clock, no text. The driver tells what was submitted and read; the
//! scheduler answers with one [`Step`] at a time. Each group of layers has a pool, and each sequence a block table in it
//! ([`groups`](crate::kv::groups)). Pages are shared through the prefix index, and given up in this order: free ones,
//! least recently used ones that only the index holds, and those of the running sequence that ranks last, which is preempted and
//! continues from what the index (or the tier behind it) still has.

mod admission;
mod pages;
mod steps;

use litemap::LiteMap;

use crate::kernels::kv::PAGE;
use crate::kv::groups::{BlockTable, Lifetime};
use crate::kv::pages::PagePool;
use crate::kv::prefix::{Namespace, PrefixIndex};
use crate::kv::tiers::HostTier;

pub use admission::QueueFull;
pub use pages::Adopted;
pub use steps::{DecodeRow, DraftWork, Preparation, Proposal, Step, StepLimits, Work};

/// Names a sequence.
pub type SeqId = u64;

/// Bounds of a scheduler.
#[derive(Debug, Clone)]
pub struct SchedulerOptions {
    /// Sequences that run at once.
    pub slots: u32,
    /// Of each group of layers.
    pub groups: Vec<GroupOptions>,
    /// Requests that may wait.
    pub queue: usize,
}

/// The page pool of a group of layers.
#[derive(Debug, Clone, Copy)]
pub struct GroupOptions {
    /// How long sequences need their pages.
    pub lifetime: Lifetime,
    /// How many there are: enough for one sequence of the whole context.
    pub pages: u32,
}

/// A sequence as the scheduler sees it.
#[derive(Debug)]
struct Track {
    /// The prompt, then what was generated.
    tokens: Vec<u32>,
    /// Tokens at which it ends.
    limit: usize,
    rank: i64,
    namespace: Namespace,
    /// Leading tokens whose keys and values were computed. Behind the windows of a group they are gone.
    computed: usize,
    /// Leading positions that recurrent states may have gone through: those of steps that are void now, too.
    seen: usize,
    /// Its pages in each group.
    tables: Vec<BlockTable>,
    /// Leading tokens that the prefix index knows.
    indexed: usize,
    slot: Option<u32>,
    /// Whether pages of it may still come from the embedder's store, before it gets a slot.
    awaits_store: bool,
    /// Whether the prefix index was asked since it got its slot.
    is_matched: bool,
    /// Tokens that were not computed, since they stood already; of the first time it ran.
    cached: Option<usize>,
    /// Whether each of its tokens is looked at before the next is chosen.
    is_paced: bool,
    /// Whether it waits for the CPU to look at what its last step chose.
    is_held: bool,
    /// Whether it waits for what is not there yet: a plan, a grammar, a mask. What is under way of it may go on; nothing new begins.
    is_waiting: bool,
    /// Decode steps submitted and not read.
    in_flight: u32,
    /// Most of them.
    lookahead: u32,
    /// Whether a token was asked for since it joined.
    is_fresh: bool,
    epoch: u32,
    is_stale: bool,
    proposal: Option<Proposal>,
    /// Leading tokens that may be taken from elsewhere, and tokens that are computed at once, at most.
    prefill: (usize, usize),
}

impl Track {
    /// Leading tokens that must stand before it can decode: all but the last, which is decoded.
    fn prefix(&self) -> usize {
        self.tokens.len().saturating_sub(1)
    }

    /// Tokens that must be computed before it can decode.
    fn missing(&self) -> usize {
        self.prefix().saturating_sub(self.computed)
    }

    /// The first position that is computed next, or once more: a row that was held is.
    fn first_row(&self) -> usize {
        self.computed.min(self.prefix())
    }

    /// Leading tokens that may be taken from elsewhere. The last is decoded.
    fn reusable(&self) -> &[u32] {
        &self.tokens[..self.prefill.0.min(self.prefix())]
    }

    /// A state cannot be taken back: where steps were void that it may have gone through, the sequence goes on from the last end of a page.
    fn settle(&mut self) {
        if self.in_flight == 0 && self.is_stale && self.seen > self.computed {
            self.computed = self.computed / PAGE as usize * PAGE as usize;
            self.seen = self.computed;
        }
    }

    /// Whether a part of its tokens can be computed now.
    fn can_prefill(&self) -> bool {
        self.prefill.1 > 0 && (!self.is_matched || self.missing() > 0)
    }

    /// Whether its row takes part in decode steps. The device moves every such row on, so none can be left out.
    fn decodes(&self) -> bool {
        let room = self.limit.saturating_sub(self.tokens.len() + self.in_flight as usize);
        let begins = self.is_stale && self.is_waiting;
        let is_ready = !self.tokens.is_empty() && self.missing() == 0 && self.is_matched;
        is_ready && !self.is_held && !begins && room > 0
    }

    /// Whether it asks for a step: where its tokens in flight may be in vain, only so many are begun for its sake.
    fn asks(&self) -> bool {
        self.decodes() && self.in_flight < self.lookahead
    }
}

/// What is waiting, running and where.
#[derive(Debug)]
pub struct Scheduler {
    options: SchedulerOptions,
    tracks: LiteMap<SeqId, Track>,
    /// Waiting sequences in the order of their ranks.
    waiting: LiteMap<(i64, SeqId), ()>,
    slots: Vec<Option<SeqId>>,
    /// Of each group.
    pools: Vec<PagePool>,
    index: PrefixIndex,
    /// Evicted pages that may be loaded again. The driver puts them there.
    pub tier: HostTier,
    /// Preparations of what happened between steps.
    pending: Vec<Preparation>,
    arrivals: i64,
    prefilled_last: bool,
    step: u32,
    counts: Counts,
}

/// What has happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Tokens whose keys and values were computed by prefill.
    pub prefilled: u64,
    /// Tokens taken from the prefix index.
    pub reused: u64,
    /// Pages evicted from the index, of all groups.
    pub evicted: u64,
    /// Pages loaded from the host tier, of all groups.
    pub loaded: u64,
    /// Sequences preempted.
    pub preempted: u64,
}

impl Scheduler {
    /// With nothing to do.
    pub fn new(options: SchedulerOptions) -> Scheduler {
        Scheduler {
            tracks: LiteMap::new_vec(),
            waiting: LiteMap::new_vec(),
            slots: vec![None; options.slots as usize],
            pools: options.groups.iter().map(|group| PagePool::new(group.pages)).collect(),
            index: PrefixIndex::new(options.groups.iter().map(|group| group.lifetime).collect()),
            tier: HostTier::new(0, 0),
            pending: Vec::new(),
            arrivals: 0,
            prefilled_last: false,
            step: 0,
            counts: Counts::default(),
            options,
        }
    }

    /// Whether a group of layers keeps a recurrent state.
    pub fn has_state(&self) -> bool {
        self.options.groups.iter().any(|group| group.lifetime.is_state)
    }

    /// Adds tokens that now stand behind a sequence's others. `computed`: how many of all have their keys and values.
    pub fn extend(&mut self, id: SeqId, tokens: &[u32], computed: usize) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        track.tokens.extend_from_slice(tokens);
        track.computed = computed.min(track.tokens.len());
        let full = track.computed / PAGE as usize;
        if full > track.indexed / PAGE as usize && track.tables.iter().all(|table| full <= table.len()) {
            track.indexed = full * PAGE as usize;
            let tokens = &track.tokens[..track.indexed];
            self.index.insert(track.namespace, tokens, &track.tables, &mut self.pools);
        }
        self.slide(id);
    }

    /// So many of a sequence's decode steps were read.
    pub fn read(&mut self, id: SeqId, steps: u32) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.in_flight = track.in_flight.saturating_sub(steps);
        }
    }

    /// A sequence's steps in flight are void: it goes on from the tokens that stand. Until its row is written again the device leaves it
    /// alone, since a pass over what the row holds now would write over the keys and values of the tokens that take its place.
    pub fn rewind(&mut self, id: SeqId) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.epoch += 1;
            track.in_flight = 0;
            (track.is_stale, track.is_held) = (true, false);
            self.pending.extend(track.slot.map(|slot| Preparation::Finish { slot }));
        }
    }

    /// Whether each token of a sequence is looked at before its next is chosen, and else how many steps may be in flight at most.
    pub fn set_pace(&mut self, id: SeqId, is_paced: bool, lookahead: u32) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.is_paced = is_paced;
            track.lookahead = lookahead.max(1);
        }
    }

    /// Of a sequence's tokens at most `reused` leading ones are taken from elsewhere, and at most `chunk` computed at once; none are for now
    /// where that is 0.
    pub fn limit_prefill(&mut self, id: SeqId, reused: usize, chunk: usize) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.prefill = (reused, chunk);
        }
    }

    /// Proposes what a sequence's next tokens may be, to be verified in one pass once nothing of it is in flight. None: plain steps.
    pub fn set_proposal(&mut self, id: SeqId, proposal: Option<Proposal>) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.proposal = proposal;
        }
    }

    /// Decode steps of a sequence that are submitted and not read.
    pub fn in_flight(&self, id: SeqId) -> u32 {
        self.tracks.get(&id).map_or(0, |track| track.in_flight)
    }

    /// Whether no other sequence runs or waits.
    pub fn is_alone(&self, id: SeqId) -> bool {
        self.tracks.len() == 1 && self.tracks.contains_key(&id)
    }

    /// A sequence waits for what is not there yet, or does so no longer. Until then it does not begin to decode, whatever else happens.
    pub fn set_waiting(&mut self, id: SeqId, is_waiting: bool) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.is_waiting = is_waiting;
        }
    }

    /// Whether a sequence waits for the CPU to look at its last step.
    pub fn is_held(&self, id: SeqId) -> bool {
        self.tracks.get(&id).is_some_and(|track| track.is_held)
    }

    /// Whether the device goes on with a sequence by itself.
    pub fn is_under_way(&self, id: SeqId) -> bool {
        self.tracks.get(&id).is_some_and(|track| !track.is_held && !track.is_stale)
    }

    /// A sequence waits for the CPU, or does so no longer.
    pub fn set_held(&mut self, id: SeqId, is_held: bool) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.is_held = is_held;
        }
    }

    /// A sequence gets no slot while pages of it may still come from the embedder's store.
    pub fn set_awaits_store(&mut self, id: SeqId, awaits_store: bool) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.awaits_store = awaits_store;
        }
    }

    /// Whether a sequence is there and waits for the embedder's store.
    pub fn awaits_store(&self, id: SeqId) -> bool {
        self.tracks.get(&id).is_some_and(|track| track.awaits_store)
    }

    /// Sequences that would get a slot now, but for pages that may come from the embedder's store.
    pub fn next_to_load(&self) -> Vec<SeqId> {
        let free = self.slots.iter().filter(|slot| slot.is_none()).count();
        let next = self.waiting.keys().take(free).map(|(_, id)| *id);
        next.filter(|id| self.awaits_store(*id)).collect()
    }

    /// The epoch of a sequence that is there: what was submitted for an earlier one is void.
    pub fn epoch(&self, id: SeqId) -> Option<u32> {
        self.tracks.get(&id).map(|track| track.epoch)
    }

    /// The namespace of a sequence's keys and values.
    pub fn namespace(&self, id: SeqId) -> Namespace {
        self.tracks.get(&id).map_or(Namespace(0), |track| track.namespace)
    }

    /// Leading tokens of a sequence whose keys and values stand.
    pub fn computed(&self, id: SeqId) -> usize {
        self.tracks.get(&id).map_or(0, |track| track.computed)
    }

    /// Tokens of a sequence's prompt that were there from before.
    pub fn cached(&self, id: SeqId) -> Option<usize> {
        self.tracks.get(&id).and_then(|track| track.cached)
    }

    /// Sequences that wait for a slot.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Rows that a plan must have for every sequence that runs, or will as soon as it can.
    pub fn rows_wanted(&self) -> u32 {
        let occupied = self.slots.iter().flatten().count() + self.waiting.len();
        (occupied as u32).clamp(1, self.options.slots)
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
mod tests;
