//! Which pages sequences have: those that the prefix index or the host tier knows, and free ones.

use super::{PAGE, Preparation, Scheduler, SeqId};
use crate::kv::pages::PageId;
use crate::kv::path_key::PathKey;
use crate::kv::prefix::{Namespace, PrefixMatch};

impl Scheduler {
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

    /// The page of this name in the prefix index.
    pub fn page(&self, key: &PathKey) -> Option<PageId> {
        self.index.page(key)
    }

    /// Full pages of the prefix index with their names, in the order in which a store is to be given them.
    pub fn full_pages(&self) -> Vec<(PathKey, PageId)> {
        self.index.full_pages()
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

    /// Forgets all that no running sequence holds.
    pub fn clear_index(&mut self) {
        self.index.clear(&mut self.pool);
        self.tier.clear();
        self.tracks.values_mut().for_each(|track| track.indexed = 0);
    }

    /// Takes what the prefix index has of a sequence's tokens, but for the last, which is decoded.
    pub(super) fn reuse(&mut self, id: SeqId) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let Some(slot) = track.slot else { return };
        let found = self.index.lookup(track.namespace, &track.tokens[..track.prefix()]);
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
        let (standing, known) = (track.pages.len(), &track.tokens[..track.prefix()]);
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
    pub(super) fn reserve(&mut self, id: SeqId, len: usize) -> bool {
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
    pub(super) fn evict(&mut self, want: usize) -> bool {
        let pending = &mut self.pending;
        let freed =
            self.index.evict(want, &mut self.pool, &mut |evicted| pending.push(Preparation::Evict(evicted.clone())));
        self.counts.evicted += freed as u64;
        freed > 0
    }
}
