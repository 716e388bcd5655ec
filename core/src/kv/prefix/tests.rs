use std::collections::BTreeMap;

use super::*;

const HERE: Namespace = Namespace(0);

/// `pages` pages and four tokens more, each token its place plus `seed`.
fn tokens(pages: u32, seed: u32) -> Vec<u32> {
    (0..pages * PAGE + 4).map(|at| at + seed).collect()
}

/// Takes fresh pages for `tokens`, inserts them, and gives them back, as a sequence that has ended does.
fn insert(index: &mut PrefixIndex, pool: &mut PagePool, tokens: &[u32]) -> Vec<PageId> {
    let pages: Vec<_> = tokens.chunks(PAGE_TOKENS).map(|_| pool.alloc().expect("a large pool")).collect();
    index.insert(HERE, tokens, &pages, pool);
    pages.iter().for_each(|page| _ = pool.release(*page));
    pages
}

fn evict(index: &mut PrefixIndex, pool: &mut PagePool, want: usize) -> Vec<PageId> {
    let mut evicted = Vec::new();
    let freed = index.evict(want, pool, &mut |page| evicted.push(page.page));
    assert_eq!(freed, evicted.len());
    evicted
}

#[test]
fn lookup_finds_full_pages_and_the_beginning_of_the_next() {
    let (mut index, mut pool) = (PrefixIndex::default(), PagePool::new(16));
    let tokens = tokens(2, 0);
    let pages = insert(&mut index, &mut pool, &tokens);
    let cases = [(0, 0, 0, None), (5, 0, 0, Some((pages[0], 5))), (32, 1, 32, None), (33, 1, 32, Some((pages[1], 1)))];
    for (len, full, count, partial) in cases {
        let found = index.lookup(HERE, &tokens[..len]);
        assert_eq!(found, PrefixMatch { pages: pages[..full].to_vec(), tokens: count, partial }, "of {len} tokens");
    }
    let longer: Vec<u32> = tokens.iter().copied().chain([9999; 40]).collect();
    let found = index.lookup(HERE, &longer);
    assert_eq!((found.tokens, found.partial), (64, Some((pages[2], 4))));
    assert_eq!(index.lookup(Namespace(1), &tokens), PrefixMatch::default(), "another model's tokens are others");
}

#[test]
fn lookup_names_the_sibling_that_shares_most() {
    let (mut index, mut pool) = (PrefixIndex::default(), PagePool::new(16));
    let mut wanted = tokens(0, 100);
    wanted.extend([1; 28]);
    let branch = |keep: usize, token: u32| [&wanted[..keep], &vec![token; 32 - keep]].concat();
    for (keep, token) in [(3, 0), (3, 999), (20, 0), (7, 999)] {
        insert(&mut index, &mut pool, &branch(keep, token));
    }
    let best = insert(&mut index, &mut pool, &branch(21, 999));
    assert_eq!(index.lookup(HERE, &wanted).partial, Some((best[0], 21)));
}

#[test]
fn insert_keeps_the_page_that_it_has_for_the_same_content() {
    let (mut index, mut pool) = (PrefixIndex::default(), PagePool::new(16));
    let tokens = tokens(2, 0);
    let first = insert(&mut index, &mut pool, &tokens);
    insert(&mut index, &mut pool, &tokens);
    insert(&mut index, &mut pool, &tokens[..66]);
    assert_eq!((index.pages(), pool.len() - pool.free()), (3, 3), "a second copy of the pages is free again");
    assert_eq!(index.lookup(HERE, &tokens[..64]).pages, first[..2]);
}

#[test]
fn insert_replaces_a_partial_page_by_one_that_holds_more() {
    let (mut index, mut pool) = (PrefixIndex::default(), PagePool::new(16));
    let tokens = tokens(1, 0);
    insert(&mut index, &mut pool, &tokens[..34]);
    let longer = insert(&mut index, &mut pool, &tokens);
    assert_eq!(index.lookup(HERE, &tokens).partial, Some((longer[1], 4)));
    // The page of a sequence that has gone on in place, as it may while the page is its own.
    let full = super::tests::tokens(2, 0);
    let pages = [index.lookup(HERE, &tokens).pages[0], longer[1]];
    index.insert(HERE, &full[..64], &pages, &mut pool);
    assert_eq!((index.pages(), pool.refs(longer[1]), pool.len() - pool.free()), (2, 1, 2));
}

#[test]
fn evict_takes_the_least_recently_used_leaf_first() {
    let (mut index, mut pool) = (PrefixIndex::default(), PagePool::new(16));
    let old = insert(&mut index, &mut pool, &tokens(2, 0));
    let new = insert(&mut index, &mut pool, &tokens(1, 1000));
    index.lookup(HERE, &tokens(2, 0)[..64]);
    assert_eq!(evict(&mut index, &mut pool, 1), [old[2]], "its beginning alone was used again");
    assert_eq!(evict(&mut index, &mut pool, 9), [new[1], new[0], old[1], old[0]]);
    assert_eq!((index.pages(), pool.free()), (0, 16));
}

#[test]
fn evict_passes_over_pages_that_sequences_hold() {
    let (mut index, mut pool) = (PrefixIndex::default(), PagePool::new(16));
    let held = insert(&mut index, &mut pool, &tokens(1, 0));
    let free = insert(&mut index, &mut pool, &tokens(1, 1000));
    pool.retain(held[1]);
    assert_eq!(evict(&mut index, &mut pool, 9), [free[1], free[0]]);
    assert_eq!(index.lookup(HERE, &tokens(1, 0)).pages, held[..1], "the page below the held one stays, too");
    pool.release(held[1]);
    assert_eq!(evict(&mut index, &mut pool, 9), [held[1], held[0]]);
}

#[test]
fn evict_names_pages_as_their_paths_are_named() {
    let (mut index, mut pool) = (PrefixIndex::default(), PagePool::new(16));
    let tokens = tokens(3, 0);
    let pages = insert(&mut index, &mut pool, &tokens);
    let mut evicted = Vec::new();
    index.evict(9, &mut pool, &mut |page| evicted.push(page.clone()));
    evicted.reverse();
    assert_eq!(evicted.iter().map(|page| page.tokens).collect::<Vec<_>>(), [32, 32, 32, 4]);
    for (page, key) in evicted.iter().zip(PathKey::pages(HERE, &tokens)) {
        assert_eq!(page.key, key);
    }
    assert_eq!(evicted.iter().map(|page| page.page).collect::<Vec<_>>(), pages);
}

#[test]
fn clear_gives_every_page_back_but_those_in_use() {
    let (mut index, mut pool) = (PrefixIndex::default(), PagePool::new(16));
    let pages = insert(&mut index, &mut pool, &tokens(3, 0));
    pool.retain(pages[2]);
    index.clear(&mut pool);
    assert_eq!((index.pages(), pool.free(), pool.refs(pages[2])), (0, 15, 1));
    assert_eq!(index.lookup(HERE, &tokens(3, 0)), PrefixMatch::default());
    insert(&mut index, &mut pool, &tokens(3, 0));
    assert_eq!(index.pages(), 4);
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
    pool: PagePool,
    index: PrefixIndex,
    model: Model,
    running: Vec<Sequence>,
    /// All token sequences so far, to begin others with.
    seen: Vec<Vec<u32>>,
}

impl Trace {
    fn new(seed: u64) -> Trace {
        let mut random = fastrand::Rng::with_seed(seed);
        let pool = PagePool::new(random.u32(4..24));
        Trace {
            random,
            pool,
            index: PrefixIndex::default(),
            model: Model::default(),
            running: Vec::new(),
            seen: vec![vec![]],
        }
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
        if self.pool.free() == 0 {
            let want = self.random.usize(1..4);
            self.evict(want);
        }
        self.pool.alloc()
    }

    fn start(&mut self) {
        let (namespace, tokens) = (Namespace(self.random.u64(0..2)), self.prompt());
        let found = self.index.lookup(namespace, &tokens);
        self.model.clock += 1;
        let longest = self.model.longest(namespace, &tokens);
        let partial = found.partial.map_or(0, |(_, shared)| shared as usize);
        assert_eq!((found.tokens + partial, found.tokens), (longest, longest / PAGE_TOKENS * PAGE_TOKENS));
        assert_eq!(found.tokens, found.pages.len() * PAGE_TOKENS);
        for (index, page) in found.pages.iter().enumerate() {
            let path = tokens[..(index + 1) * PAGE_TOKENS].to_vec();
            assert_eq!(self.model.content[page], (namespace, path), "a page holds something else");
        }
        if let Some((page, _)) = found.partial {
            let (of, path) = &self.model.content[&page];
            assert!(*of == namespace && common(path, &tokens) == longest);
        }
        found.pages.iter().copied().chain(found.partial.map(|(page, _)| page)).for_each(|page| self.model.touch(page));
        found.pages.iter().for_each(|page| self.pool.retain(*page));
        self.running.push(Sequence { namespace, tokens: tokens[..found.tokens].to_vec(), pages: found.pages });
        let at = self.running.len() - 1;
        self.extend(at, &tokens[found.tokens..]);
    }

    /// Computes more tokens of a sequence, as far as there are pages. A page that others hold is copied before it is written to.
    fn extend(&mut self, at: usize, tokens: &[u32]) {
        for token in tokens {
            let sequence = &self.running[at];
            let last = sequence.pages.last().copied().filter(|_| !sequence.tokens.len().is_multiple_of(PAGE_TOKENS));
            if last.is_none_or(|page| self.pool.refs(page) > 1) {
                let Some(fresh) = self.page() else { break };
                if let Some(shared) = last {
                    self.pool.release(shared);
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
        self.index.insert(sequence.namespace, &sequence.tokens, &sequence.pages, &mut self.pool);
        self.model.insert(&sequence);
    }

    fn evict(&mut self, want: usize) {
        let mut evicted = Vec::new();
        let freed = self.index.evict(want, &mut self.pool, &mut |page| evicted.push(page.clone()));
        assert_eq!(freed, evicted.len());
        for Evicted { page, key, tokens } in evicted {
            let path = self.model.pages.iter().find(|(_, (other, _))| *other == page).expect("it was there").0.clone();
            let full = PathKey::pages(path.0, &path.1).last();
            assert!(full.is_none_or(|full| tokens < PAGE || full == key));
            assert_eq!((path.1.len() - 1) % PAGE_TOKENS + 1, tokens as usize);
            let running = &self.running;
            self.model.check_victim(&path, &|page| running.iter().any(|sequence| sequence.pages.contains(&page)));
            assert_eq!(self.pool.refs(page), 0);
        }
        let left = |page| self.pool.refs(page) == 1;
        assert!(freed == want || !self.index.leaves.iter().any(|(_, id)| left(self.index.node(*id).page)));
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
                self.index.clear(&mut self.pool);
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
                ended.pages.iter().for_each(|page| _ = self.pool.release(*page));
            }
        }
        self.check();
    }

    /// Each page has as many references as sequences and the index hold of it, and no more; and it holds what they think.
    fn check(&self) {
        let mut indexed: Vec<_> = self.index.nodes.iter().flatten().map(|node| node.page).collect();
        let mut expected: Vec<_> = self.model.pages.values().map(|(page, _)| *page).collect();
        indexed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(indexed, expected);
        assert_eq!(self.index.pages(), indexed.len());
        for page in 0..self.pool.len() as PageId {
            let holders = self.held(page) + indexed.iter().filter(|other| **other == page).count();
            assert_eq!(self.pool.refs(page) as usize, holders, "references to page {page}");
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
        trace.running.drain(..).flat_map(|sequence| sequence.pages).for_each(|page| _ = trace.pool.release(page));
        let evicted = trace.index.evict(usize::MAX, &mut trace.pool, &mut |_| {});
        assert_eq!(
            (trace.index.pages(), trace.pool.free()),
            (0, trace.pool.len()),
            "{evicted} pages evicted, some leaked"
        );
        assert!(trace.index.roots.is_empty() && trace.index.leaves.is_empty());
    }
}
