//! The tiers behind the device: pages that the prefix index evicted, kept in host memory, and then handed on to a store.
//!
//! A store (a file, the browser's private file system) is asynchronous, and this module is not: what no longer fits into host memory
//! waits in an outbox, which whoever drives the engine drains into the store. A store that is asked for a key gives bytes, which go back by
//! [`HostTier::put`]. Only full pages are worth keeping: what stands in a partly filled one is computed again as quickly.

use std::collections::{HashMap, VecDeque};

use litemap::LiteMap;

use super::path_key::PathKey;

/// Bytes of evicted pages in host memory, within a budget. The least recently used go first.
#[derive(Debug)]
pub struct HostTier {
    pages: HashMap<PathKey, Page>,
    /// Keys by their last use, oldest first.
    order: LiteMap<u64, PathKey>,
    clock: u64,
    bytes: usize,
    budget: usize,
    outbox: Outbox,
}

#[derive(Debug)]
struct Page {
    bytes: Box<[u8]>,
    used: u64,
}

/// Pages on their way to a store. Where the store is slower than pages come, the oldest are given up.
#[derive(Debug, Default)]
struct Outbox {
    pages: VecDeque<(PathKey, Box<[u8]>)>,
    bytes: usize,
    budget: usize,
    dropped: u64,
}

impl HostTier {
    /// A tier that keeps at most `budget` bytes, and at most `outbox` bytes more on their way to a store: 0 where there is none.
    pub fn new(budget: usize, outbox: usize) -> HostTier {
        HostTier {
            pages: HashMap::new(),
            order: LiteMap::new_vec(),
            clock: 0,
            bytes: 0,
            budget,
            outbox: Outbox { budget: outbox, ..Outbox::default() },
        }
    }

    /// Whether it has a page, so that its bytes need not be read from the device to be put here.
    pub fn contains(&self, key: &PathKey) -> bool {
        self.pages.contains_key(key)
    }

    /// Whether a page is worth reading from the device: there is room for it, and it is not there. One that the store has needs no room
    /// on its way there.
    pub fn wants(&self, key: &PathKey, is_stored: bool) -> bool {
        let outbox = if is_stored { 0 } else { self.outbox.budget };
        self.budget + outbox > 0 && !self.contains(key)
    }

    /// Pages with their bytes, the least recently used first.
    pub fn iter(&self) -> impl Iterator<Item = (&PathKey, &[u8])> {
        self.order.values().filter_map(|key| Some((key, &*self.pages.get(key)?.bytes)))
    }

    /// Lets at most so many bytes wait for a store.
    pub fn set_outbox(&mut self, bytes: usize) {
        self.outbox.budget = bytes;
    }

    /// Keeps a page; the least recently used make room. A page that is there counts as used now.
    pub fn put(&mut self, key: PathKey, bytes: Box<[u8]>) {
        if self.contains(&key) {
            self.touch(&key);
            return;
        }
        self.clock += 1;
        self.bytes += bytes.len();
        self.order.insert(self.clock, key);
        self.pages.insert(key, Page { bytes, used: self.clock });
        self.shrink();
    }

    /// The bytes of the pages named by `path`, first to last, as far as each is there.
    ///
    /// They count as used now, the first last: a page serves only together with those before it, so the end of a path goes first.
    pub fn lookup(&mut self, path: &[PathKey]) -> Vec<&[u8]> {
        let there = path.iter().take_while(|key| self.contains(key)).count();
        path[..there].iter().rev().for_each(|key| self.touch(key));
        path[..there].iter().filter_map(|key| self.pages.get(key)).map(|page| &*page.bytes).collect()
    }

    /// Changes the budget, as where the host runs short of memory.
    pub fn set_budget(&mut self, bytes: usize) {
        self.budget = bytes;
        self.shrink();
    }

    /// Takes a page that no longer fits, for the store.
    pub fn take_spilled(&mut self) -> Option<(PathKey, Box<[u8]>)> {
        let (key, bytes) = self.outbox.pages.pop_front()?;
        self.outbox.bytes -= bytes.len();
        Some((key, bytes))
    }

    /// Forgets all pages, those in the outbox too.
    pub fn clear(&mut self) {
        *self = HostTier { clock: self.clock, ..HostTier::new(self.budget, self.outbox.budget) };
    }

    /// Pages it has, without the outbox.
    pub fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Bytes it takes, those in the outbox included.
    pub fn bytes(&self) -> usize {
        self.bytes + self.outbox.bytes
    }

    /// Pages that went neither into host memory nor to the store, for want of room.
    pub fn dropped(&self) -> u64 {
        self.outbox.dropped
    }

    fn touch(&mut self, key: &PathKey) {
        if let Some(page) = self.pages.get_mut(key) {
            self.clock += 1;
            self.order.remove(&page.used);
            self.order.insert(self.clock, *key);
            page.used = self.clock;
        }
    }

    fn shrink(&mut self) {
        while self.bytes > self.budget
            && let Some((&oldest, _)) = self.order.first()
            && let Some(key) = self.order.remove(&oldest)
            && let Some(page) = self.pages.remove(&key)
        {
            self.bytes -= page.bytes.len();
            self.outbox.push(key, page.bytes);
        }
    }
}

impl Outbox {
    fn push(&mut self, key: PathKey, bytes: Box<[u8]>) {
        self.bytes += bytes.len();
        self.pages.push_back((key, bytes));
        while self.bytes > self.budget
            && let Some((_, bytes)) = self.pages.pop_front()
        {
            self.bytes -= bytes.len();
            self.dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::prefix::Namespace;

    fn path(pages: u32) -> Vec<PathKey> {
        let tokens: Vec<u32> = (0..pages * 32).collect();
        PathKey::pages(Namespace(0), &tokens).collect()
    }

    /// A page that holds its own number, so that a wrong one is seen.
    fn page(number: usize, len: usize) -> Box<[u8]> {
        vec![number as u8; len].into()
    }

    #[test]
    fn lookup_ends_at_the_first_page_that_is_missing() {
        let (mut tier, path) = (HostTier::new(1000, 0), path(4));
        for at in [0, 1, 3] {
            tier.put(path[at], page(at, 10));
        }
        assert_eq!(tier.lookup(&path), [&*page(0, 10), &*page(1, 10)]);
        assert_eq!(tier.lookup(&path[2..]), [&[] as &[u8]; 0]);
        assert_eq!(tier.lookup(&path[3..]), [&*page(3, 10)]);
    }

    #[test]
    fn put_gives_up_the_end_of_a_path_before_its_beginning() {
        let (mut tier, path) = (HostTier::new(30, 100), path(4));
        for at in [0, 1, 2] {
            tier.put(path[at], page(at, 10));
        }
        tier.lookup(&path);
        tier.put(path[3], page(3, 10));
        assert_eq!(tier.take_spilled(), Some((path[2], page(2, 10))));
        assert_eq!((tier.take_spilled(), tier.dropped(), tier.lookup(&path).len()), (None, 0, 2));
    }

    #[test]
    fn put_of_a_page_that_is_there_keeps_one_of_it() {
        let (mut tier, path) = (HostTier::new(20, 0), path(3));
        for at in [0, 1, 0, 2] {
            tier.put(path[at], page(at, 10));
        }
        assert_eq!((tier.pages(), tier.bytes(), tier.dropped()), (2, 20, 1));
        assert!(tier.contains(&path[0]) && !tier.contains(&path[1]), "the first was used again");
    }

    #[test]
    fn outbox_drops_its_oldest_pages_and_counts_them() {
        let (mut tier, path) = (HostTier::new(0, 25), path(3));
        for at in [0, 1, 2] {
            tier.put(path[at], page(at, 10));
        }
        assert_eq!((tier.pages(), tier.bytes(), tier.dropped()), (0, 20, 1));
        assert_eq!(tier.take_spilled().map(|(key, _)| key), Some(path[1]));
        tier.put(path[0], page(0, 26));
        assert_eq!(
            (tier.bytes(), tier.dropped()),
            (0, 3),
            "a page larger than the outbox displaces all and stays out itself"
        );
    }

    /// The same steps on a list, most recently used last.
    #[test]
    fn tier_does_what_a_list_does_in_random_traces() {
        let path = path(12);
        for seed in 0..2_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut budget = random.usize(0..80);
            let mut tier = HostTier::new(budget, usize::MAX);
            let (mut list, mut spilled) = (Vec::<(usize, usize)>::new(), Vec::new());
            let at = |list: &[(usize, usize)], wanted| list.iter().position(|(page, _)| *page == wanted);
            for _ in 0..40 {
                match random.u32(0..8) {
                    0 => {
                        budget = random.usize(0..80);
                        tier.set_budget(budget);
                    }
                    1..=2 => {
                        let from = random.usize(0..path.len());
                        let run = (from..path.len()).take_while(|page| at(&list, *page).is_some()).count();
                        let wanted: Vec<_> =
                            (from..from + run).map(|of| page(of, list[at(&list, of).unwrap()].1)).collect();
                        assert_eq!(tier.lookup(&path[from..]), wanted.iter().map(|page| &**page).collect::<Vec<_>>());
                        for of in (from..from + run).rev() {
                            let entry = list.remove(at(&list, of).unwrap());
                            list.push(entry);
                        }
                    }
                    _ => {
                        let (of, len) = (random.usize(0..path.len()), random.usize(0..30));
                        tier.put(path[of], page(of, len));
                        let entry = at(&list, of).map_or((of, len), |at| list.remove(at));
                        list.push(entry);
                    }
                }
                while list.iter().map(|(_, len)| len).sum::<usize>() > budget {
                    spilled.push(list.remove(0));
                }
                while let Some((key, bytes)) = tier.take_spilled() {
                    let (of, len) = spilled.remove(0);
                    assert_eq!((key, bytes), (path[of], page(of, len)));
                }
                assert!(spilled.is_empty());
                assert_eq!((tier.pages(), tier.bytes()), (list.len(), list.iter().map(|(_, len)| len).sum()));
                assert!((0..path.len()).all(|of| tier.contains(&path[of]) == at(&list, of).is_some()));
            }
        }
    }
}
