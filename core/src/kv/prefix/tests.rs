use std::collections::BTreeMap;

use super::*;

const HERE: Namespace = Namespace(0);

/// An index over one group without a window.
fn plain() -> PrefixIndex {
    PrefixIndex::new(vec![Lifetime::default()])
}

/// What was found, where nothing is stored elsewhere: pages of the only group, and what shares a part.
fn lookup(index: &mut PrefixIndex, namespace: Namespace, tokens: &[u32]) -> (Vec<PageId>, Option<(PageId, u32)>) {
    let PrefixMatch { tokens, pages, partial } = index.lookup(namespace, tokens, None);
    let pages = pages.into_iter().flatten().map(|(_, source)| match source {
        Source::Page(page) => page,
        Source::Stored(key) => panic!("{key:?} is stored nowhere"),
    });
    let pages: Vec<PageId> = pages.collect();
    assert_eq!(tokens, pages.len() * PAGE_TOKENS);
    (pages, partial.map(|(pages, shared)| (pages[0], shared)))
}

/// `pages` pages and four tokens more, each token its place plus `seed`.
fn tokens(pages: u32, seed: u32) -> Vec<u32> {
    (0..pages * PAGE + 4).map(|at| at + seed).collect()
}

/// Takes fresh pages for `tokens`, inserts them, and gives them back, as a sequence that has ended does.
fn insert(index: &mut PrefixIndex, pools: &mut [PagePool; 1], tokens: &[u32]) -> Vec<PageId> {
    let pages: Vec<_> = tokens.chunks(PAGE_TOKENS).map(|_| pools[0].alloc().expect("a large pool")).collect();
    index.insert(HERE, tokens, &[pages.iter().copied().collect()], pools);
    pages.iter().for_each(|page| _ = pools[0].release(*page));
    pages
}

fn evict(index: &mut PrefixIndex, pools: &mut [PagePool; 1], want: usize) -> Vec<PageId> {
    let mut evicted = Vec::new();
    let freed = index.evict(0, want, pools, &mut |page| evicted.push(page.page));
    assert_eq!(freed, evicted.len());
    evicted
}

#[test]
fn lookup_finds_full_pages_and_the_beginning_of_the_next() {
    let (mut index, mut pools) = (plain(), [PagePool::new(16)]);
    let tokens = tokens(2, 0);
    let pages = insert(&mut index, &mut pools, &tokens);
    let cases = [(0, 0, None), (5, 0, Some((pages[0], 5))), (32, 1, None), (33, 1, Some((pages[1], 1)))];
    for (len, full, partial) in cases {
        let found = lookup(&mut index, HERE, &tokens[..len]);
        assert_eq!(found, (pages[..full].to_vec(), partial), "of {len} tokens");
    }
    let longer: Vec<u32> = tokens.iter().copied().chain([9999; 40]).collect();
    let found = lookup(&mut index, HERE, &longer);
    assert_eq!(found, (pages[..2].to_vec(), Some((pages[2], 4))));
    assert_eq!(lookup(&mut index, Namespace(1), &tokens), Default::default(), "another model's tokens are others");
}

#[test]
fn lookup_names_the_sibling_that_shares_most() {
    let (mut index, mut pools) = (plain(), [PagePool::new(16)]);
    let mut wanted = tokens(0, 100);
    wanted.extend([1; 28]);
    let branch = |keep: usize, token: u32| [&wanted[..keep], &vec![token; 32 - keep]].concat();
    for (keep, token) in [(3, 0), (3, 999), (20, 0), (7, 999)] {
        insert(&mut index, &mut pools, &branch(keep, token));
    }
    let best = insert(&mut index, &mut pools, &branch(21, 999));
    assert_eq!(lookup(&mut index, HERE, &wanted).1, Some((best[0], 21)));
}

#[test]
fn insert_keeps_the_page_that_it_has_for_the_same_content() {
    let (mut index, mut pools) = (plain(), [PagePool::new(16)]);
    let tokens = tokens(2, 0);
    let first = insert(&mut index, &mut pools, &tokens);
    insert(&mut index, &mut pools, &tokens);
    insert(&mut index, &mut pools, &tokens[..66]);
    assert_eq!((index.pages(0), pools[0].len() - pools[0].free()), (3, 3), "a second copy of the pages is free again");
    assert_eq!(lookup(&mut index, HERE, &tokens[..64]).0, first[..2]);
}

#[test]
fn insert_replaces_a_partial_page_by_one_that_holds_more() {
    let (mut index, mut pools) = (plain(), [PagePool::new(16)]);
    let tokens = tokens(1, 0);
    insert(&mut index, &mut pools, &tokens[..34]);
    let longer = insert(&mut index, &mut pools, &tokens);
    assert_eq!(lookup(&mut index, HERE, &tokens).1, Some((longer[1], 4)));
    // The page of a sequence that has gone on in place, as it may while the page is its own.
    let full = super::tests::tokens(2, 0);
    let pages = [lookup(&mut index, HERE, &tokens).0[0], longer[1]];
    pools[0].retain(longer[1]);
    index.insert(HERE, &full[..64], &[pages.into_iter().collect()], &mut pools);
    pools[0].release(longer[1]);
    assert_eq!((index.pages(0), pools[0].refs(longer[1]), pools[0].len() - pools[0].free()), (2, 1, 2));
}

#[test]
fn evict_takes_the_least_recently_used_leaf_first() {
    let (mut index, mut pools) = (plain(), [PagePool::new(16)]);
    let old = insert(&mut index, &mut pools, &tokens(2, 0));
    let new = insert(&mut index, &mut pools, &tokens(1, 1000));
    lookup(&mut index, HERE, &tokens(2, 0)[..64]);
    assert_eq!(evict(&mut index, &mut pools, 1), [old[2]], "its beginning alone was used again");
    assert_eq!(evict(&mut index, &mut pools, 9), [new[1], new[0], old[1], old[0]]);
    assert_eq!((index.pages(0), pools[0].free()), (0, 16));
}

#[test]
fn evict_passes_over_pages_that_sequences_hold() {
    let (mut index, mut pools) = (plain(), [PagePool::new(16)]);
    let held = insert(&mut index, &mut pools, &tokens(1, 0));
    let free = insert(&mut index, &mut pools, &tokens(1, 1000));
    pools[0].retain(held[1]);
    assert_eq!(evict(&mut index, &mut pools, 9), [free[1], free[0]]);
    assert_eq!(lookup(&mut index, HERE, &tokens(1, 0)).0, held[..1], "the page below the held one stays, too");
    pools[0].release(held[1]);
    assert_eq!(evict(&mut index, &mut pools, 9), [held[1], held[0]]);
}

#[test]
fn evict_names_pages_as_their_paths_are_named() {
    let (mut index, mut pools) = (plain(), [PagePool::new(16)]);
    let tokens = tokens(3, 0);
    let pages = insert(&mut index, &mut pools, &tokens);
    let mut evicted = Vec::new();
    index.evict(0, 9, &mut pools, &mut |page| evicted.push(page.clone()));
    evicted.reverse();
    assert_eq!(evicted.iter().map(|page| page.tokens).collect::<Vec<_>>(), [32, 32, 32, 4]);
    for (page, key) in evicted.iter().zip(PathKey::pages(HERE, &tokens)) {
        assert_eq!(page.key, key);
    }
    assert_eq!(evicted.iter().map(|page| page.page).collect::<Vec<_>>(), pages);
}

#[test]
fn clear_gives_every_page_back_but_those_in_use() {
    let (mut index, mut pools) = (plain(), [PagePool::new(16)]);
    let pages = insert(&mut index, &mut pools, &tokens(3, 0));
    pools[0].retain(pages[2]);
    index.clear(&mut pools);
    assert_eq!((index.pages(0), pools[0].free(), pools[0].refs(pages[2])), (0, 15, 1));
    assert_eq!(lookup(&mut index, HERE, &tokens(3, 0)), Default::default());
    insert(&mut index, &mut pools, &tokens(3, 0));
    assert_eq!(index.pages(0), 4);
}

/// A sequence in the making: what a scheduler holds of one.
#[derive(Clone)]
struct Sequence {
    namespace: Namespace,
    tokens: Vec<u32>,
    pages: Vec<PageId>,
}

/// All that an index should know, as a plain list: each page by namespace and path, its tokens' last included, with its last use.
#[derive(Default)]
struct Model {
    pages: BTreeMap<(Namespace, Vec<u32>), (PageId, u64)>,
    /// What stands in each page of the pool: a sequence's tokens from its beginning to the page's last.
    content: BTreeMap<PageId, (Namespace, Vec<u32>)>,
    clock: u64,
}

impl Model {
    /// The longest prefix of `tokens` there is; marks the pages on its way as used at `clock`.
    fn longest(&self, namespace: Namespace, tokens: &[u32]) -> usize {
        let of_namespace = self.pages.keys().filter(|(other, _)| *other == namespace);
        of_namespace.map(|(_, path)| common(path, tokens)).max().unwrap_or(0)
    }

    fn touch(&mut self, page: PageId) {
        for (other, used) in self.pages.values_mut() {
            if *other == page {
                *used = self.clock;
            }
        }
    }

    fn insert(&mut self, sequence: &Sequence) {
        self.clock += 1;
        for (index, page) in sequence.pages.iter().enumerate() {
            let (start, end) = (index * PAGE_TOKENS, sequence.tokens.len().min((index + 1) * PAGE_TOKENS));
            let path = &sequence.tokens[..end];
            let same_page = |other: &[u32]| other.len() > start && other.len() <= start + PAGE_TOKENS;
            self.pages.retain(|(namespace, other), _| {
                let shorter = same_page(other) && other.len() < end && path.starts_with(other);
                *namespace != sequence.namespace || !shorter
            });
            let there = self.pages.iter_mut().find(|((namespace, other), _)| {
                *namespace == sequence.namespace && same_page(other) && other.starts_with(path)
            });
            match there {
                Some((_, (_, used))) => *used = self.clock,
                None => _ = self.pages.insert((sequence.namespace, path.to_vec()), (*page, self.clock)),
            }
        }
    }

    /// Whether a page may be the next to go: a leaf that only the index holds, with none of those used longer ago.
    fn check_victim(&mut self, key: &(Namespace, Vec<u32>), held: &dyn Fn(PageId) -> bool) {
        let is_leaf = |(namespace, path): &(Namespace, Vec<u32>)| {
            !self
                .pages
                .keys()
                .any(|(other, longer)| other == namespace && longer.len() > path.len() && longer.starts_with(path))
        };
        let (page, used) = self.pages[key];
        assert!(is_leaf(key) && !held(page), "a page was evicted that had children or was in use");
        let older = self.pages.iter().find(|(key, (page, last))| *last < used && is_leaf(key) && !held(*page));
        assert_eq!(older, None, "a page used longer ago was passed over");
        self.pages.remove(key);
    }
}

fn common(one: &[u32], other: &[u32]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// An index, the sequences that use it, and what it should do.
struct Trace {
    random: fastrand::Rng,
    pools: [PagePool; 1],
    index: PrefixIndex,
    model: Model,
    running: Vec<Sequence>,
    /// All token sequences so far, to begin others with.
    seen: Vec<Vec<u32>>,
}

impl Trace {
    fn new(seed: u64) -> Trace {
        let mut random = fastrand::Rng::with_seed(seed);
        let pools = [PagePool::new(random.u32(4..24))];
        Trace { random, pools, index: plain(), model: Model::default(), running: Vec::new(), seen: vec![vec![]] }
    }

    fn held(&self, page: PageId) -> usize {
        self.running.iter().flat_map(|sequence| &sequence.pages).filter(|other| **other == page).count()
    }

    /// The beginning of a sequence seen before, with other tokens behind it: prompts of a chat, an edit, a shared system prompt.
    fn prompt(&mut self) -> Vec<u32> {
        let known = self.random.choice(&self.seen).expect("one at least").clone();
        let keep = self.random.usize(0..=known.len());
        let mut tokens = known[..keep].to_vec();
        let more = self.random.usize(0..100);
        tokens.extend((0..more).map(|_| self.random.u32(0..2)));
        tokens.truncate(6 * PAGE_TOKENS);
        tokens
    }

    /// A page of its own for a sequence, from the index if the pool has none.
    fn page(&mut self) -> Option<PageId> {
        if self.pools[0].free() == 0 {
            let want = self.random.usize(1..4);
            self.evict(want);
        }
        self.pools[0].alloc()
    }

    fn start(&mut self) {
        let (namespace, tokens) = (Namespace(self.random.u64(0..2)), self.prompt());
        let (pages, partial) = lookup(&mut self.index, namespace, &tokens);
        self.model.clock += 1;
        let longest = self.model.longest(namespace, &tokens);
        let (full, shared) = (pages.len() * PAGE_TOKENS, partial.map_or(0, |(_, shared)| shared as usize));
        assert_eq!((full + shared, full), (longest, longest / PAGE_TOKENS * PAGE_TOKENS));
        for (index, page) in pages.iter().enumerate() {
            let path = tokens[..(index + 1) * PAGE_TOKENS].to_vec();
            assert_eq!(self.model.content[page], (namespace, path), "a page holds something else");
        }
        if let Some((page, _)) = partial {
            let (of, path) = &self.model.content[&page];
            assert!(*of == namespace && common(path, &tokens) == longest);
        }
        pages.iter().copied().chain(partial.map(|(page, _)| page)).for_each(|page| self.model.touch(page));
        pages.iter().for_each(|page| self.pools[0].retain(*page));
        self.running.push(Sequence { namespace, tokens: tokens[..full].to_vec(), pages });
        let at = self.running.len() - 1;
        self.extend(at, &tokens[full..]);
    }

    /// Computes more tokens of a sequence, as far as there are pages. A page that others hold is copied before it is written to.
    fn extend(&mut self, at: usize, tokens: &[u32]) {
        for token in tokens {
            let sequence = &self.running[at];
            let last = sequence.pages.last().copied().filter(|_| !sequence.tokens.len().is_multiple_of(PAGE_TOKENS));
            if last.is_none_or(|page| self.pools[0].refs(page) > 1) {
                let Some(fresh) = self.page() else { break };
                if let Some(shared) = last {
                    self.pools[0].release(shared);
                    self.running[at].pages.pop();
                }
                self.running[at].pages.push(fresh);
            }
            let sequence = &mut self.running[at];
            sequence.tokens.push(*token);
            let page = *sequence.pages.last().expect("it has one for this token");
            self.model.content.insert(page, (sequence.namespace, sequence.tokens.clone()));
        }
        self.seen.push(self.running[at].tokens.clone());
    }

    fn insert(&mut self, at: usize) {
        let sequence = self.running[at].clone();
        let table = sequence.pages.iter().copied().collect();
        self.index.insert(sequence.namespace, &sequence.tokens, &[table], &mut self.pools);
        self.model.insert(&sequence);
    }

    fn evict(&mut self, want: usize) {
        let mut evicted = Vec::new();
        let freed = self.index.evict(0, want, &mut self.pools, &mut |page| evicted.push(page.clone()));
        assert_eq!(freed, evicted.len());
        for Evicted { page, key, tokens, .. } in evicted {
            let path = self.model.pages.iter().find(|(_, (other, _))| *other == page).expect("it was there").0.clone();
            let full = PathKey::pages(path.0, &path.1).last();
            assert!(full.is_none_or(|full| tokens < PAGE || full == key));
            assert_eq!((path.1.len() - 1) % PAGE_TOKENS + 1, tokens as usize);
            let running = &self.running;
            self.model.check_victim(&path, &|page| running.iter().any(|sequence| sequence.pages.contains(&page)));
            assert_eq!(self.pools[0].refs(page), 0);
        }
        let left = |page| self.pools[0].refs(page) == 1;
        assert!(
            freed == want
                || !self.index.evictable[0].iter().any(|(_, id)| self.index.node(*id).pages[0].page.is_some_and(left))
        );
    }

    fn step(&mut self) {
        let at = self.random.usize(0..self.running.len().max(1));
        match self.random.u32(0..8) {
            0..=2 => self.start(),
            3 => {
                let want = self.random.usize(0..4);
                self.evict(want);
            }
            4 if self.random.u32(0..8) == 0 => {
                self.index.clear(&mut self.pools);
                self.model.pages.clear();
            }
            _ if self.running.is_empty() => {}
            5 => {
                let tokens: Vec<u32> = (0..self.random.usize(0..40)).map(|_| self.random.u32(0..2)).collect();
                self.extend(at, &tokens);
            }
            6 => self.insert(at),
            _ => {
                if self.random.bool() {
                    self.insert(at);
                }
                let ended = self.running.swap_remove(at);
                ended.pages.iter().for_each(|page| _ = self.pools[0].release(*page));
            }
        }
        self.check();
    }

    /// Each page has as many references as sequences and the index hold of it, and no more; and it holds what they think.
    fn check(&self) {
        let mut indexed: Vec<_> = self.index.nodes.iter().flatten().filter_map(|node| node.pages[0].page).collect();
        let mut expected: Vec<_> = self.model.pages.values().map(|(page, _)| *page).collect();
        indexed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(indexed, expected);
        assert_eq!(self.index.pages(0), indexed.len());
        for page in 0..self.pools[0].len() as PageId {
            let holders = self.held(page) + indexed.iter().filter(|other| **other == page).count();
            assert_eq!(self.pools[0].refs(page) as usize, holders, "references to page {page}");
        }
        for ((namespace, path), (page, _)) in &self.model.pages {
            let (of, content) = &self.model.content[page];
            assert!(of == namespace && content.starts_with(path), "page {page} was written to while shared");
        }
    }
}

#[test]
fn index_does_what_a_list_of_sequences_does_in_random_traces() {
    for seed in 0..10_000 {
        let mut trace = Trace::new(seed);
        for _ in 0..24 {
            trace.step();
        }
        trace.running.drain(..).flat_map(|sequence| sequence.pages).for_each(|page| _ = trace.pools[0].release(page));
        let evicted = trace.index.evict(0, usize::MAX, &mut trace.pools, &mut |_| {});
        assert_eq!(
            (trace.index.pages(0), trace.pools[0].free()),
            (0, trace.pools[0].len()),
            "{evicted} pages evicted, some leaked"
        );
        assert!(trace.index.roots.is_empty() && trace.index.evictable[0].is_empty());
    }
}

/// An index over a group without a window, and one whose window is of `window` tokens.
fn windowed(window: u32) -> (PrefixIndex, [PagePool; 2]) {
    let lifetimes = vec![Lifetime::default(), Lifetime { window: Some(window), ..Lifetime::default() }];
    (PrefixIndex::new(lifetimes), [PagePool::new(32), PagePool::new(32)])
}

/// As a sequence that has ended: all pages of the first group, and of the second those that its next token would see.
fn insert_windowed(index: &mut PrefixIndex, pools: &mut [PagePool; 2], tokens: &[u32]) {
    let mut tables = vec![BlockTable::default(); 2];
    for (group, table) in tables.iter_mut().enumerate() {
        for number in index.lifetimes[group].pages(tokens.len()..tokens.len()) {
            table.set(number, pools[group].alloc().expect("a large pool"));
        }
    }
    index.insert(HERE, tokens, &tables, pools);
    for (table, pool) in tables.iter().zip(pools) {
        table.iter().for_each(|(_, page)| _ = pool.release(page));
    }
}

#[test]
fn lookup_serves_a_windowed_group_only_where_the_pages_of_its_window_stand() {
    let (mut index, mut pools) = windowed(40);
    let tokens: Vec<u32> = (0..8 * PAGE).collect();
    insert_windowed(&mut index, &mut pools, &tokens);
    assert_eq!((index.pages(0), index.pages(1)), (8, 2));
    let found = index.lookup(HERE, &tokens, None);
    assert_eq!((found.tokens, found.pages[0].len(), found.pages[1].len()), (256, 8, 2));
    let partial = |index: &mut PrefixIndex, len| {
        let found = index.lookup(HERE, &tokens[..len], None);
        (found.tokens, found.pages[1].len(), found.partial.map_or(0, |(_, shared)| shared))
    };
    // Page 5 is gone: position 226 would see it, position 233 does not.
    assert_eq!(partial(&mut index, 226), (0, 0, 0));
    assert_eq!(partial(&mut index, 233), (224, 1, 9));
    // A shorter one ends where page 5 is needed.
    insert_windowed(&mut index, &mut pools, &tokens[..224]);
    assert_eq!(partial(&mut index, 226), (224, 2, 2));
    // What is stored elsewhere serves as well as what stands.
    let keys: Vec<PathKey> = PathKey::pages(HERE, &tokens).map(|key| key.of_group(1)).collect();
    let found = index.lookup(HERE, &tokens[..5 * 32], Some(&|key| keys[3..5].contains(key)));
    assert_eq!(found.tokens, 160);
    assert_eq!(found.pages[1], [(3, Source::Stored(keys[3])), (4, Source::Stored(keys[4]))]);
}

#[test]
fn evict_takes_the_oldest_pages_of_a_window_wherever_they_stand() {
    let (mut index, mut pools) = windowed(256);
    let tokens: Vec<u32> = (0..8 * PAGE).collect();
    for pages in 1..=8 {
        insert_windowed(&mut index, &mut pools, &tokens[..pages * 32]);
    }
    index.lookup(HERE, &tokens[..32], None);
    let mut evicted = Vec::new();
    assert_eq!(index.evict(1, 3, &mut pools, &mut |page| evicted.push(page.key)), 3);
    let keys: Vec<PathKey> = PathKey::pages(HERE, &tokens).map(|key| key.of_group(1)).collect();
    assert_eq!(evicted.len(), 3);
    assert!(evicted.iter().all(|key| keys.contains(key)));
    assert_eq!((index.pages(0), index.pages(1), pools[1].free()), (8, 5, 27));
    // A leaf of the other group goes with all that it has.
    index.evict(0, 8, &mut pools, &mut |_| {});
    assert_eq!((index.pages(0), index.pages(1), pools[0].free(), pools[1].free()), (0, 0, 32, 32));
}

#[test]
fn index_of_windows_alone_keeps_no_node_without_pages_below_it() {
    let mut index = PrefixIndex::new(vec![Lifetime { window: Some(33), ..Lifetime::default() }]);
    let mut pools = [PagePool::new(8)];
    let tokens: Vec<u32> = (0..100 * PAGE).collect();
    let mut table = BlockTable::default();
    (98..100).for_each(|number| table.set(number, pools[0].alloc().expect("free")));
    index.insert(HERE, &tokens, &[table.clone()], &mut pools);
    assert_eq!((index.nodes.len(), index.pages(0), index.lookup(HERE, &tokens, None).tokens), (100, 2, 3200));
    table.iter().for_each(|(_, page)| _ = pools[0].release(page));
    assert_eq!(index.evict(0, 9, &mut pools, &mut |_| {}), 2);
    assert_eq!((index.vacant.len(), index.roots.len(), pools[0].free()), (100, 0, 8));
}
