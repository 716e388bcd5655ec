//! Which pages sequences have: those that the prefix index or the host tier knows, and free ones.

use std::ops::Range;

use super::{PAGE, Preparation, Scheduler, SeqId};
use crate::kv::groups::{BlockTable, Lifetime};
use crate::kv::pages::PageId;
use crate::kv::path_key::PathKey;
use crate::kv::prefix::{Namespace, PrefixMatch, Source};

/// What becomes of a page that comes from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adopted {
    /// Its content stands already.
    Standing,
    /// It is to be written, before anything else is done.
    Write(PageId),
    /// There is no room.
    NoRoom,
}

impl Scheduler {
    /// Pages: in all, in use, and in use more than once.
    pub fn pages_in_use(&self) -> (u64, u64, u64) {
        self.pools.iter().fold((0, 0, 0), |(all, used, shared), pool| {
            let in_use = pool.len() - pool.free();
            (all + pool.len() as u64, used + in_use as u64, shared + pool.shared() as u64)
        })
    }

    /// The longest prefix of `tokens` with which each group can go on, from pages and from the host tier.
    pub fn lookup(&mut self, namespace: Namespace, tokens: &[u32]) -> PrefixMatch {
        let tier = &self.tier;
        let stored = |key: &PathKey| tier.contains(key);
        let stored: Option<&dyn Fn(&PathKey) -> bool> = if tier.pages() > 0 { Some(&stored) } else { None };
        self.index.lookup(namespace, tokens, stored)
    }

    /// The page that a group has for a path of this name.
    pub fn page(&self, path: &PathKey, group: usize) -> Option<PageId> {
        self.index.page(path, group)
    }

    /// Full pages of the prefix index with their groups and names, in the order in which a store is to be given them.
    pub fn full_pages(&self) -> Vec<(usize, PathKey, PageId)> {
        self.index.full_pages()
    }

    /// How long sequences need the pages of each group.
    pub fn lifetimes(&self) -> impl Iterator<Item = Lifetime> {
        self.options.groups.iter().map(|group| group.lifetime)
    }

    /// Finds a page of a group for the last page of `tokens`, beside all that runs and what stands before it, and remembers that it holds
    /// them.
    pub fn adopt_page(&mut self, namespace: Namespace, tokens: &[u32], group: usize) -> Adopted {
        let number = tokens.len().div_ceil(PAGE as usize).saturating_sub(1);
        let mut tables = self.index.standing(namespace, tokens);
        if tables[group].get(number).is_some() {
            return Adopted::Standing;
        }
        let is_windowed = self.options.groups[group].lifetime.window.is_some();
        if number > 0 && !is_windowed && tables[group].get(number - 1).is_none() {
            return Adopted::NoRoom;
        }
        for (table, pool) in tables.iter().zip(&mut self.pools) {
            table.iter().for_each(|(_, page)| pool.retain(page));
        }
        let page = self.free_page(group);
        if let Some(page) = page {
            tables[group].set(number, page);
            self.index.insert(namespace, tokens, &tables, &mut self.pools);
        }
        for (table, pool) in tables.iter().zip(&mut self.pools) {
            table.iter().for_each(|(_, page)| _ = pool.release(page));
        }
        page.map_or(Adopted::NoRoom, Adopted::Write)
    }

    /// Finds pages for leading `tokens` beside all that runs, and remembers that they hold them. Of each group, the pages that a token
    /// behind them would need, by number.
    pub fn adopt(&mut self, namespace: Namespace, tokens: &[u32]) -> Vec<Vec<(usize, Adopted)>> {
        let mut tables = vec![BlockTable::default(); self.pools.len()];
        let mut adopted = vec![Vec::new(); self.pools.len()];
        let standing = self.index.standing(namespace, tokens);
        let mut room = tokens.len();
        // The groups that need every page come first: what lies behind their room serves none.
        let is_windowed = |group: &usize| self.options.groups[*group].lifetime.window.is_some();
        let (windowed, full): (Vec<usize>, Vec<usize>) = (0..self.pools.len()).partition(is_windowed);
        for group in full.into_iter().chain(windowed) {
            let lifetime = self.options.groups[group].lifetime;
            let needed: Vec<usize> = lifetime.pages(tokens.len()..tokens.len()).collect();
            let known = needed.iter().filter_map(|number| Some((*number, standing[group].get(*number)?)));
            known.for_each(|(number, page)| {
                self.pools[group].retain(page);
                tables[group].set(number, page);
            });
            for number in needed {
                let place = match tables[group].get(number) {
                    Some(_) => Adopted::Standing,
                    None if number * PAGE as usize >= room => Adopted::NoRoom,
                    None => self.free_page(group).map_or(Adopted::NoRoom, Adopted::Write),
                };
                match place {
                    Adopted::Write(page) => tables[group].set(number, page),
                    Adopted::NoRoom if lifetime.window.is_none() => room = room.min(number * PAGE as usize),
                    _ => {}
                }
                adopted[group].push((number, place));
            }
        }
        self.index.insert(namespace, &tokens[..room], &tables, &mut self.pools);
        for (table, pool) in tables.iter().zip(&mut self.pools) {
            table.iter().for_each(|(_, page)| _ = pool.release(page));
        }
        adopted
    }

    /// Forgets all that no running sequence holds.
    pub fn clear_index(&mut self) {
        self.index.clear(&mut self.pools);
        self.tier.clear();
        self.tracks.iter_mut().for_each(|(_, track)| track.indexed = 0);
    }

    /// Takes what the prefix index and the host tier have of a sequence's tokens, but for the last, which is decoded.
    pub(super) fn reuse(&mut self, id: SeqId) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let Some(slot) = track.slot else { return };
        let (namespace, known) = (track.namespace, track.reusable().to_vec());
        let PrefixMatch { tokens, pages, partial } = self.lookup(namespace, &known);
        let Some(track) = self.tracks.get_mut(&id) else { return };
        track.is_matched = true;
        let mut loads = Vec::new();
        for (group, pages) in pages.into_iter().enumerate() {
            for (number, source) in pages {
                match source {
                    Source::Page(page) => {
                        self.pools[group].retain(page);
                        track.tables[group].set(number, page);
                    }
                    Source::Stored(key) => loads.push((group, number, key)),
                }
            }
            self.pending.extend(maps(group, slot, track.tables[group].iter()));
        }
        // The pages must outlive what is done to find others.
        let shared: Vec<(usize, PageId)> = partial.iter().flat_map(|(pages, _)| pages).copied().enumerate().collect();
        shared.iter().for_each(|(group, page)| self.pools[*group].retain(*page));
        let count = partial.map_or(0, |(_, count)| count as usize);
        if loads.is_empty() || self.load(id, tokens + count..tokens, &loads) {
            self.go_on(id, tokens, &shared, count);
        }
        shared.iter().for_each(|(group, page)| _ = self.pools[*group].release(*page));
        if let Some(track) = self.tracks.get_mut(&id) {
            track.seen = track.computed;
            self.counts.reused += track.computed as u64;
            track.cached.get_or_insert(track.computed);
        }
    }

    /// Loads the pages from the host tier that `rows` of a sequence need. False where it had to give its own up.
    fn load(&mut self, id: SeqId, rows: Range<usize>, loads: &[(usize, usize, PathKey)]) -> bool {
        let len = rows.end;
        if !self.reserve(id, rows, false) {
            return false;
        }
        let Some(track) = self.tracks.get_mut(&id) else { return false };
        for (group, number, key) in loads {
            let page = track.tables[*group].get(*number);
            self.pending.extend(page.map(|page| Preparation::Load { group: *group, key: *key, page }));
        }
        // Work that is queued behind the loads may rely on them.
        self.index.insert(track.namespace, &track.tokens[..len], &track.tables, &mut self.pools);
        self.counts.loaded += loads.len() as u64;
        true
    }

    /// A sequence goes on behind its first `len` tokens and `count` more, which stand in the beginnings of `shared` pages. Those are
    /// copied; nobody is preempted for that.
    fn go_on(&mut self, id: SeqId, len: usize, shared: &[(usize, PageId)], count: usize) {
        let own: Vec<PageId> = shared.iter().map_while(|(group, _)| self.free_page(*group)).collect();
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let Some(slot) = track.slot else { return };
        (track.computed, track.indexed) = (len, len);
        if own.len() == shared.len() {
            for ((group, from), to) in shared.iter().zip(own) {
                self.pending.extend(maps(*group, slot, [(len / PAGE as usize, to)]));
                self.pending.push(Preparation::Copy { group: *group, from: *from, to });
                track.tables[*group].set(len / PAGE as usize, to);
            }
            track.computed += count;
            return;
        }
        own.iter().zip(&mut self.pools).for_each(|(page, pool)| _ = pool.release(*page));
        // Without the copies more may be seen than with them, since a window begins earlier.
        let mut groups = self.options.groups.iter().zip(&track.tables);
        let needed = |lifetime: &Lifetime| lifetime.pages(len..len);
        if groups.any(|(group, table)| !table.lacking(&group.lifetime, needed(&group.lifetime)).is_empty()) {
            (track.computed, track.indexed) = (0, 0);
            for (table, pool) in track.tables.iter_mut().zip(&mut self.pools) {
                std::mem::take(table).iter().for_each(|(_, page)| _ = pool.release(page));
            }
        }
    }

    /// A page that is free, or that the index gives up.
    fn free_page(&mut self, group: usize) -> Option<PageId> {
        if self.pools[group].free() == 0 {
            self.evict(group, 1);
        }
        self.pools[group].alloc()
    }

    /// Makes sure that a running sequence has the pages that rows at these positions need, in one pass or in several, whatever that costs
    /// those that rank behind it. False where it had to give its own up.
    pub(super) fn reserve(&mut self, id: SeqId, rows: Range<usize>, in_one_pass: bool) -> bool {
        while let Some(track) = self.tracks.get_mut(&id)
            && let Some(slot) = track.slot
        {
            let mut lacking = None;
            for (group, (options, pool)) in self.options.groups.iter().zip(&mut self.pools).enumerate() {
                let (lifetime, table) = (&options.lifetime, &track.tables[group]);
                let wanted = match in_one_pass {
                    true => table.lacking(lifetime, lifetime.pages_of_pass(rows.clone())),
                    false => table.lacking(lifetime, lifetime.pages(rows.clone())),
                };
                let new: Vec<_> = wanted.iter().map_while(|number| Some((*number, pool.alloc()?))).collect();
                new.iter().for_each(|(number, page)| track.tables[group].set(*number, *page));
                self.pending.extend(maps(group, slot, new.iter().copied()));
                if new.len() < wanted.len() {
                    lacking = Some((group, wanted.len() - new.len()));
                    break;
                }
            }
            let Some((group, count)) = lacking else { return true };
            if !self.evict(group, count) {
                let last = self.slots.iter().flatten().max_by_key(|id| (self.tracks[*id].rank, **id)).copied();
                let Some(last) = last else { return false };
                self.preempt(last);
            }
        }
        false
    }

    /// Gives back the pages of a sequence that lie behind its windows. What the index has of them stays until it must go. With a state it may
    /// have to go on from the last end of a page, whose windows then begin earlier.
    pub(super) fn slide(&mut self, id: SeqId) {
        let has_state = self.has_state();
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let next = track.first_row();
        let position = if has_state { next / PAGE as usize * PAGE as usize } else { next };
        for (group, (options, pool)) in self.options.groups.iter().zip(&mut self.pools).enumerate() {
            let gone = track.tables[group].slide(&options.lifetime, position);
            gone.into_iter().for_each(|page| _ = pool.release(page));
        }
    }

    /// Frees some pages of a group that only the index holds; false where there are none.
    fn evict(&mut self, group: usize, want: usize) -> bool {
        let pending = &mut self.pending;
        let mut before_release = |evicted: &_| pending.push(Preparation::Evict(Clone::clone(evicted)));
        let freed = self.index.evict(group, want, &mut self.pools, &mut before_release);
        self.counts.evicted += freed as u64;
        freed > 0
    }
}

/// What makes pages, by rising numbers, a slot's: one for each run without a hole.
pub(super) fn maps(group: usize, slot: u32, pages: impl IntoIterator<Item = (usize, PageId)>) -> Vec<Preparation> {
    let mut runs: Vec<(usize, Vec<PageId>)> = Vec::new();
    for (number, page) in pages {
        match runs.last_mut() {
            Some((first, run)) if *first + run.len() == number => run.push(page),
            _ => runs.push((number, vec![page])),
        }
    }
    let map = |(first, pages)| Preparation::Map { group, slot, first: first as u32, pages };
    runs.into_iter().map(map).collect()
}
