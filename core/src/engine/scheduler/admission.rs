//! Which sequences have a slot: they wait in the order of their ranks, run, and leave again, at their end or by preemption.

use super::pages::maps;
use super::{PAGE, Preparation, Scheduler, SeqId, StepLimits, Track};
use crate::kv::groups::BlockTable;
use crate::kv::prefix::Namespace;

/// Milliseconds of waiting that one step of priority is worth: a request is overtaken only by those of a lower number that come within
/// so many milliseconds for each step between them, so that none waits for ever.
const PRIORITY_STEP_MS: i64 = 10_000;

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueFull {
    /// Requests that wait.
    pub waiting: usize,
}

impl Scheduler {
    /// Adds a request that may grow to `limit` tokens. Of two, that of the lower `priority` runs first, but for age: see
    /// [`PRIORITY_STEP_MS`]. `now_ms` is any clock that does not go back.
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
        let rank = now_ms + i64::from(priority) * PRIORITY_STEP_MS;
        let track = Track {
            tokens: tokens.to_vec(),
            limit,
            rank,
            namespace,
            computed: 0,
            seen: 0,
            tables: vec![BlockTable::default(); self.pools.len()],
            indexed: 0,
            slot: None,
            awaits_store: false,
            is_matched: false,
            cached: None,
            is_paced: false,
            is_held: false,
            is_waiting: false,
            in_flight: 0,
            lookahead: u32::MAX,
            is_fresh: true,
            epoch: 0,
            is_stale: true,
            proposal: None,
            prefill: (usize::MAX, usize::MAX),
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
        let computed = track.computed.min(track.tokens.len());
        let tables = track.tables.iter_mut().map(std::mem::take).collect::<Vec<_>>();
        if let Some(slot) = track.slot.take() {
            self.slots[slot as usize] = None;
            self.pending.push(Preparation::Finish { slot });
        }
        let used = computed.div_ceil(PAGE as usize);
        if computed > 0 && tables.iter().all(|table| used <= table.len()) {
            self.index.insert(track.namespace, &track.tokens[..computed], &tables, &mut self.pools);
        }
        for (table, pool) in tables.iter().zip(&mut self.pools) {
            table.iter().for_each(|(_, page)| _ = pool.release(page));
        }
        (track.computed, track.seen) = (0, 0);
        track.indexed = 0;
        (track.is_matched, track.is_stale, track.is_fresh) = (false, true, true);
    }

    /// Gives waiting sequences a slot, in order, while there are slots, and pages for their tokens.
    pub(super) fn admit(&mut self, limits: &StepLimits) {
        while let Some(&(rank, id)) = self.waiting.keys().find(|(_, id)| !self.awaits_store(*id))
            && let Some(slot) = self.slots.iter().position(Option::is_none)
        {
            if !self.has_room(id, limits) {
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

    /// Whether there are pages for a sequence's tokens, and room for those that run to grow, lest it be preempted as soon as it has begun.
    fn has_room(&self, id: SeqId, limits: &StepLimits) -> bool {
        let running = self.slots.iter().flatten().count();
        let Track { tokens, namespace, .. } = &self.tracks[&id];
        let whole = tokens.len() / PAGE as usize + 1;
        self.options.groups.iter().zip(&self.pools).enumerate().all(|(group, (options, pool))| {
            let most = options.lifetime.most_pages(limits.chunk_alone as u32).map_or(usize::MAX, |most| most as usize);
            let (wanted, obtainable) = (whole.min(most) + 2 * running, pool.obtainable());
            // What others hold of its beginning costs nothing. It is looked for only where it decides.
            let decides = running > 0 && wanted > obtainable && wanted <= obtainable + whole && most == usize::MAX;
            let shared = if decides { self.index.held(*namespace, tokens, group, pool) } else { 0 };
            running == 0 || wanted <= obtainable + shared
        })
    }

    /// Moves the sequence in the last slot to a lower one where a plan of fewer rows then serves.
    pub(super) fn move_down(&mut self, limits: &StepLimits) {
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
        for (group, table) in track.tables.iter().enumerate() {
            self.pending.extend(maps(group, free as u32, table.iter()));
        }
    }

    /// A sequence goes on from other tokens, and may grow to `limit` of them: what the index has of them is taken, and the rest computed.
    pub fn restart(&mut self, id: SeqId, tokens: Vec<u32>, limit: usize) {
        self.leave(id);
        if let Some(track) = self.tracks.get_mut(&id) {
            (track.tokens, track.limit) = (tokens, limit);
            (track.proposal, track.is_held) = (None, false);
            self.waiting.insert((track.rank, id), ());
        }
    }

    pub(super) fn preempt(&mut self, id: SeqId) {
        self.counts.preempted += 1;
        self.leave(id);
        if let Some(track) = self.tracks.get_mut(&id) {
            track.is_held = false;
            self.waiting.insert((track.rank, id), ());
        }
    }
}
