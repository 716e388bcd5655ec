//! What the device does next: which requests run, whose prompt is computed, which rows decode, and whose pages are given up.
//!
//! Pure bookkeeping over token ids and page numbers: no device, no clock, no text. The driver tells what was submitted and read; the
//! scheduler answers with one [`Step`] at a time. Pages are shared through the prefix index, and given up in this order: free ones,
//! least recently used ones that only the index holds, and those of the running sequence that ranks last, which is preempted and
//! continues from what the index (or the tier behind it) still has.

use std::collections::{BTreeMap, HashMap};

use crate::kernels::kv::PAGE;
use crate::kv::pages::{PageId, PagePool};
use crate::kv::path_key::PathKey;
use crate::kv::prefix::{Evicted, Namespace, PrefixIndex, PrefixMatch};
use crate::kv::tiers::HostTier;

/// Names a sequence.
pub type SeqId = u64;

/// Seconds of age that one step of priority is worth: a request of lower priority is overtaken only by those that come within them.
const PRIORITY_TICKS: i64 = 10_000;

/// Bounds of a scheduler.
#[derive(Debug, Clone, Copy)]
pub struct SchedulerOptions {
    /// Sequences that run at once.
    pub slots: u32,
    /// Pages of the pool.
    pub pages: u32,
    /// Requests that may wait.
    pub queue: usize,
}

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
        /// The name.
        key: PathKey,
        /// The sequence's own page.
        page: PageId,
    },
    /// A page's contents are copied: a prefix is shared up to a token within it.
    Copy {
        /// The shared page.
        from: PageId,
        /// The sequence's own.
        to: PageId,
    },
    /// Pages become a slot's, from its page number `first` on.
    Map {
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
        /// The drafted tokens.
        draft: Vec<u32>,
    },
    /// Nothing but the preparations.
    Nothing,
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

/// A sequence as the scheduler sees it.
#[derive(Debug)]
struct Track {
    /// The prompt, then what was generated.
    tokens: Vec<u32>,
    /// Tokens at which it ends.
    limit: usize,
    rank: i64,
    namespace: Namespace,
    /// Leading tokens whose keys and values stand in its pages.
    computed: usize,
    pages: Vec<PageId>,
    /// Leading tokens that the prefix index knows.
    indexed: usize,
    slot: Option<u32>,
    /// Whether the prefix index was asked since it got its slot.
    is_matched: bool,
    /// Tokens that were not computed, since they stood already; of the first time it ran.
    cached: Option<usize>,
    /// Whether each of its tokens is looked at before the next is chosen.
    is_paced: bool,
    /// Whether it waits for the CPU.
    is_held: bool,
    /// Decode steps submitted and not read.
    in_flight: u32,
    /// Most of them.
    lookahead: u32,
    /// Whether a token was asked for since it joined.
    is_fresh: bool,
    epoch: u32,
    is_stale: bool,
    /// What its next tokens may be.
    draft: Vec<u32>,
}

impl Track {
    /// Tokens that must be computed before it can decode.
    fn missing(&self) -> usize {
        (self.tokens.len() - 1).saturating_sub(self.computed)
    }

    /// Whether its row takes part in decode steps. The device moves every such row on, so none can be left out.
    fn decodes(&self) -> bool {
        let room = self.limit.saturating_sub(self.tokens.len() + self.in_flight as usize);
        self.missing() == 0 && self.is_matched && !self.is_held && room > 0
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
    tracks: HashMap<SeqId, Track>,
    /// Waiting sequences in the order of their ranks.
    waiting: BTreeMap<(i64, SeqId), ()>,
    slots: Vec<Option<SeqId>>,
    pool: PagePool,
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
    /// Pages evicted from the index.
    pub evicted: u64,
    /// Pages loaded from the host tier.
    pub loaded: u64,
    /// Sequences preempted.
    pub preempted: u64,
}

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueFull {
    /// Requests that wait.
    pub waiting: usize,
}

impl Scheduler {
    /// With nothing to do.
    pub fn new(options: SchedulerOptions) -> Scheduler {
        Scheduler {
            options,
            tracks: HashMap::new(),
            waiting: BTreeMap::new(),
            slots: vec![None; options.slots as usize],
            pool: PagePool::new(options.pages),
            index: PrefixIndex::default(),
            tier: HostTier::new(0, 0),
            pending: Vec::new(),
            arrivals: 0,
            prefilled_last: false,
            step: 0,
            counts: Counts::default(),
        }
    }

    /// Adds a request that may grow to `limit` tokens. Of two, that of higher `priority` runs first, but for age: see
    /// [`PRIORITY_TICKS`]. `now_ms` is any clock that does not go back.
    ///
    /// # Errors
    /// [`QueueFull`].
    pub fn submit(
        &mut self,
        id: SeqId,
        tokens: &[u32],
        limit: usize,
        (priority, now_ms): (i32, i64),
        namespace: Namespace,
    ) -> Result<(), QueueFull> {
        if self.waiting.len() >= self.options.queue {
            return Err(QueueFull { waiting: self.waiting.len() });
        }
        self.arrivals += 1;
        let rank = now_ms - i64::from(priority) * PRIORITY_TICKS;
        let track = Track {
            tokens: tokens.to_vec(),
            limit,
            rank,
            namespace,
            computed: 0,
            pages: Vec::new(),
            indexed: 0,
            slot: None,
            is_matched: false,
            cached: None,
            is_paced: false,
            is_held: false,
            in_flight: 0,
            lookahead: u32::MAX,
            is_fresh: true,
            epoch: 0,
            is_stale: true,
            draft: Vec::new(),
        };
        self.tracks.insert(id, track);
        self.waiting.insert((rank, id), ());
        Ok(())
    }

    /// Ends a sequence: its slot and pages are free at once; what stands stays in the prefix index.
    pub fn remove(&mut self, id: SeqId) {
        if let Some(track) = self.tracks.get(&id) {
            self.waiting.remove(&(track.rank, id));
            self.leave(id);
            self.tracks.remove(&id);
        }
    }

    /// Ends the hold of a sequence in its slot: what it has goes to the index, and its pages are released.
    fn leave(&mut self, id: SeqId) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        track.epoch += 1;
        track.in_flight = 0;
        let (computed, pages) = (track.computed.min(track.tokens.len()), std::mem::take(&mut track.pages));
        if let Some(slot) = track.slot.take() {
            self.slots[slot as usize] = None;
            self.pending.push(Preparation::Finish { slot });
        }
        let used = computed.div_ceil(PAGE as usize);
        if computed > 0 && used <= pages.len() {
            self.index.insert(track.namespace, &track.tokens[..computed], &pages[..used], &mut self.pool);
        }
        for page in pages {
            self.pool.release(page);
        }
        track.computed = 0;
        track.indexed = 0;
        (track.is_matched, track.is_stale, track.is_fresh) = (false, true, true);
    }

    /// Adds tokens that now stand behind a sequence's others. `computed`: how many of all have their keys and values.
    pub fn extend(&mut self, id: SeqId, tokens: &[u32], computed: usize) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        track.tokens.extend_from_slice(tokens);
        track.computed = computed.min(track.tokens.len());
        let full = track.computed / PAGE as usize;
        if full > track.indexed / PAGE as usize && full <= track.pages.len() {
            track.indexed = full * PAGE as usize;
            let (tokens, pages) = (&track.tokens[..track.indexed], &track.pages[..full]);
            self.index.insert(track.namespace, tokens, pages, &mut self.pool);
        }
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

    /// Proposes what a sequence's next tokens may be, to be verified in one pass once nothing of it is in flight. Empty: plain steps.
    pub fn set_draft(&mut self, id: SeqId, draft: Vec<u32>) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.draft = draft;
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

    /// A sequence waits for the CPU, or does so no longer.
    pub fn set_held(&mut self, id: SeqId, is_held: bool) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.is_held = is_held;
        }
    }

    /// The epoch of a sequence that is there: what was submitted for an earlier one is void.
    pub fn epoch(&self, id: SeqId) -> Option<u32> {
        self.tracks.get(&id).map(|track| track.epoch)
    }

    /// The slot of a running sequence.
    pub fn slot(&self, id: SeqId) -> Option<u32> {
        self.tracks.get(&id).and_then(|track| track.slot)
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

    /// Pages: free, and held by the prefix index.
    pub fn pages(&self) -> (usize, usize) {
        (self.pool.free(), self.index.pages())
    }

    /// Pages: in all, in use, and in use more than once.
    pub fn pages_in_use(&self) -> (u64, u64, u64) {
        let (all, free) = (self.pool.len(), self.pool.free());
        (all as u64, (all - free) as u64, self.pool.shared() as u64)
    }

    /// The longest prefix of `tokens` that stands in pages.
    pub fn lookup(&mut self, namespace: Namespace, tokens: &[u32]) -> PrefixMatch {
        self.index.lookup(namespace, tokens)
    }

    /// Finds pages for leading `tokens` beside all that runs, and remembers that they hold them. Of each page of tokens, as far as there
    /// is room: the page that is to be written, before anything else is done; none where it stands already.
    pub fn adopt(&mut self, namespace: Namespace, tokens: &[u32]) -> Vec<Option<PageId>> {
        let mut pages = self.index.lookup(namespace, tokens).pages;
        pages.iter().for_each(|page| self.pool.retain(*page));
        let (standing, wanted) = (pages.len(), tokens.len().div_ceil(PAGE as usize));
        while pages.len() < wanted {
            match self.pool.alloc() {
                Some(page) => pages.push(page),
                None if self.evict(wanted - pages.len()) => {}
                None => break,
            }
        }
        let room = tokens.len().min(pages.len() * PAGE as usize);
        self.index.insert(namespace, &tokens[..room], &pages, &mut self.pool);
        pages.iter().for_each(|page| _ = self.pool.release(*page));
        pages.iter().enumerate().map(|(nth, page)| (nth >= standing).then_some(*page)).collect()
    }

    /// What is to be done before anything else, as before a step.
    pub fn take_pending(&mut self) -> Vec<Preparation> {
        std::mem::take(&mut self.pending)
    }

    /// Forgets all that no running sequence holds.
    pub fn clear_index(&mut self) {
        self.index.clear(&mut self.pool);
        self.tier.clear();
        self.tracks.values_mut().for_each(|track| track.indexed = 0);
    }

    /// The next step; none where there is nothing to do until something was read or submitted.
    pub fn next(&mut self, limits: &StepLimits) -> Option<Step> {
        self.move_down(limits);
        self.admit();
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

    /// Gives waiting sequences a slot, in order, while there are slots, and pages for their tokens.
    fn admit(&mut self) {
        while let Some((&(rank, id), ())) = self.waiting.first_key_value()
            && let Some(slot) = self.slots.iter().position(Option::is_none)
        {
            // Room for those that run to grow, lest it be preempted as soon as it has begun.
            let running = self.slots.iter().flatten().count();
            let wanted = self.tracks[&id].tokens.len() / PAGE as usize + 1 + 2 * running;
            if running > 0 && self.obtainable() < wanted {
                return;
            }
            self.waiting.remove(&(rank, id));
            self.slots[slot] = Some(id);
            if let Some(track) = self.tracks.get_mut(&id) {
                track.slot = Some(slot as u32);
                (track.is_stale, track.is_held) = (true, false);
            }
        }
    }

    /// Pages that are free or held by the index alone.
    fn obtainable(&self) -> usize {
        let held: std::collections::HashSet<PageId> =
            self.tracks.values().flat_map(|track| track.pages.iter().copied()).collect();
        self.pool.len() - held.len()
    }

    /// Moves the sequence in the last slot to a lower one where a plan of fewer rows then serves.
    fn move_down(&mut self, limits: &StepLimits) {
        let Some(last) = self.slots.iter().rposition(Option::is_some) else { return };
        let Some(free) = self.slots.iter().position(Option::is_none).filter(|free| *free < last) else { return };
        let occupied = self.slots.iter().flatten().count();
        let is_worth_it = occupied.next_power_of_two() < (last + 1).next_power_of_two() || last as u32 >= limits.rows;
        let Some(id) = self.slots[last].filter(|_| is_worth_it && self.waiting.is_empty()) else { return };
        let Some(track) = self.tracks.get_mut(&id) else { return };
        if track.is_held {
            return;
        }
        // What is in flight is void, and chosen again: the same tokens.
        track.epoch += 1;
        track.in_flight = 0;
        (track.slot, track.is_stale) = (Some(free as u32), true);
        self.slots.swap(last, free);
        self.pending.push(Preparation::Finish { slot: last as u32 });
        self.pending.push(Preparation::Map { slot: free as u32, first: 0, pages: track.pages.clone() });
    }

    /// The next chunk of the best-ranked prompt that is not computed yet.
    fn prefill(&mut self, limits: &StepLimits) -> Option<Work> {
        loop {
            let running = self.slots.iter().flatten();
            let candidates = running.filter(|id| !self.tracks[*id].is_matched || self.tracks[*id].missing() > 0);
            let id = *candidates.min_by_key(|id| (self.tracks[*id].rank, **id))?;
            if !self.tracks[&id].is_matched {
                self.reuse(id);
                continue;
            }
            let others_decode = self.slots.iter().flatten().any(|other| *other != id && self.tracks[other].decodes());
            let chunk = if others_decode { limits.chunk_shared } else { limits.chunk_alone };
            let track = &self.tracks[&id];
            let from = track.computed;
            let to = (from + chunk.max(1)).min(track.tokens.len() - 1);
            if !self.reserve(id, to) {
                // It was preempted itself, since it ranks last.
                continue;
            }
            self.counts.prefilled += (to - from) as u64;
            let track = self.tracks.get_mut(&id)?;
            let slot = track.slot?;
            track.computed = to;
            let is_whole = to == track.tokens.len() - 1;
            let indexed = if is_whole { to } else { to / PAGE as usize * PAGE as usize };
            if indexed > track.indexed {
                // Work that is queued behind this step may rely on it.
                track.indexed = indexed;
                let pages = &track.pages[..indexed.div_ceil(PAGE as usize)];
                self.index.insert(track.namespace, &track.tokens[..indexed], pages, &mut self.pool);
            }
            return Some(Work::Prefill { id, slot, from, to });
        }
    }

    /// Takes what the prefix index has of a sequence's tokens, but for the last, which is decoded.
    fn reuse(&mut self, id: SeqId) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let Some(slot) = track.slot else { return };
        let found = self.index.lookup(track.namespace, &track.tokens[..track.tokens.len() - 1]);
        track.is_matched = true;
        found.pages.iter().for_each(|page| self.pool.retain(*page));
        track.pages.clone_from(&found.pages);
        track.computed = found.tokens;
        track.indexed = found.tokens;
        if !found.pages.is_empty() {
            self.pending.push(Preparation::Map { slot, first: 0, pages: found.pages });
        }
        // The page must outlive what is done to find others.
        found.partial.iter().for_each(|(shared, _)| self.pool.retain(*shared));
        // Where the host tier goes on, it has more than a part of a page. Nobody is preempted for a copy: it is computed instead.
        if !self.load(id)
            && let Some((shared, tokens)) = found.partial
            && self.slot(id) == Some(slot)
            && (self.pool.free() > 0 || self.evict(1))
            && let Some(own) = self.pool.alloc()
            && let Some(track) = self.tracks.get_mut(&id)
        {
            self.pending.push(Preparation::Map { slot, first: track.pages.len() as u32, pages: vec![own] });
            self.pending.push(Preparation::Copy { from: shared, to: own });
            track.pages.push(own);
            track.computed += tokens as usize;
        }
        found.partial.iter().for_each(|(shared, _)| _ = self.pool.release(*shared));
        if let Some(track) = self.tracks.get_mut(&id) {
            self.counts.reused += track.computed as u64;
            track.cached.get_or_insert(track.computed);
        }
    }

    /// Takes the full pages that the host tier has behind those that stand; false where there are none.
    fn load(&mut self, id: SeqId) -> bool {
        let Some(track) = self.tracks.get(&id).filter(|_| self.tier.pages() > 0) else { return false };
        let (standing, known) = (track.pages.len(), &track.tokens[..track.tokens.len() - 1]);
        let keys = PathKey::pages(track.namespace, known).skip(standing);
        let keys: Vec<PathKey> = keys.take_while(|key| self.tier.contains(key)).collect();
        if keys.is_empty() || !self.reserve(id, (standing + keys.len()) * PAGE as usize) {
            return false;
        }
        let Some(track) = self.tracks.get_mut(&id) else { return false };
        let loads = keys.iter().zip(&track.pages[standing..]);
        self.pending.extend(loads.map(|(key, page)| Preparation::Load { key: *key, page: *page }));
        track.computed = (standing + keys.len()) * PAGE as usize;
        track.indexed = track.computed;
        // Work that is queued behind the loads may rely on them.
        let (tokens, pages) = (&track.tokens[..track.computed], &track.pages[..standing + keys.len()]);
        self.index.insert(track.namespace, tokens, pages, &mut self.pool);
        self.counts.loaded += keys.len() as u64;
        true
    }

    /// Makes sure that a running sequence has pages for `len` positions, whatever that costs those that rank behind it. False where it
    /// had to give its own up.
    fn reserve(&mut self, id: SeqId, len: usize) -> bool {
        loop {
            let Some(track) = self.tracks.get(&id) else { return false };
            let Some(slot) = track.slot else { return false };
            let (have, want) = (track.pages.len(), len.div_ceil(PAGE as usize));
            if have >= want {
                return true;
            }
            let mut new = Vec::new();
            while new.len() < want - have
                && let Some(page) = self.pool.alloc()
            {
                new.push(page);
            }
            let lacking = want - have - new.len();
            if !new.is_empty() {
                self.pending.push(Preparation::Map { slot, first: have as u32, pages: new.clone() });
                self.tracks.get_mut(&id).into_iter().for_each(|track| track.pages.append(&mut new));
            }
            if lacking > 0 && !self.evict(lacking) {
                let last = self.slots.iter().flatten().max_by_key(|id| (self.tracks[*id].rank, **id)).copied();
                let Some(last) = last else { return false };
                self.preempt(last);
            }
        }
    }

    /// Frees some pages that only the index holds; false where there are none.
    fn evict(&mut self, want: usize) -> bool {
        let pending = &mut self.pending;
        let freed =
            self.index.evict(want, &mut self.pool, &mut |evicted| pending.push(Preparation::Evict(evicted.clone())));
        self.counts.evicted += freed as u64;
        freed > 0
    }

    fn preempt(&mut self, id: SeqId) {
        self.counts.preempted += 1;
        self.leave(id);
        if let Some(track) = self.tracks.get_mut(&id) {
            track.is_held = false;
            self.waiting.insert((track.rank, id), ());
        }
    }

    /// The verification of the draft of the only sequence, once nothing of it is in flight.
    fn verify(&mut self) -> Option<Work> {
        let id = *self.slots.iter().flatten().next()?;
        let track = self.tracks.get(&id).filter(|track| track.in_flight == 0 && track.decodes())?;
        let (len, limit) = (track.tokens.len(), track.limit);
        if !self.reserve(id, (len + track.draft.len()).min(limit)) {
            return None;
        }
        let track = self.tracks.get_mut(&id)?;
        let slot = track.slot?;
        track.in_flight = 1;
        (track.is_held, track.is_fresh) = (true, false);
        let row = DecodeRow { id, slot, epoch: track.epoch, is_stale: track.is_stale };
        if !track.is_stale {
            track.is_stale = true;
            self.pending.push(Preparation::Finish { slot });
        }
        Some(Work::Verify { row, draft: std::mem::take(&mut track.draft) })
    }

    /// A group of decode steps of all rows that can take part.
    fn decode(&mut self, limits: &StepLimits) -> Option<Work> {
        if self.tracks.values().any(|track| !track.draft.is_empty() && self.tracks.len() == 1) {
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
                self.reserve(*id, (track.tokens.len() + ahead).min(track.limit));
            }
        }
        let mut rows = Vec::new();
        for id in ids {
            let Some(track) = self.tracks.get_mut(&id) else { continue };
            let Some(slot) = track.slot else { continue };
            rows.push(DecodeRow { id, slot, epoch: track.epoch, is_stale: track.is_stale });
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

#[cfg(test)]
mod tests;
