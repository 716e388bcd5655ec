//! Which sequences' keys and values stand in pages: a radix tree over token ids, with one page of tokens a node.
//!
//! A node's tokens are what its pages hold, one of each group of layers, and the way to it from the root is the sequence before them.
//! Full pages have children; a page that is only partly filled is a leaf. Children are sorted by their tokens, so that the sibling that
//! shares most with a sequence is a neighbour of the place where the sequence itself would be.
//!
//! A node has the page of each group without a window; of a group with one it may lack it, since those pages are evicted one by one. So a
//! prefix serves only as far as each group has what the next position needs.
//!
//! The index holds one reference to each of its pages. It must never know what a page's memory is.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use inglenook_format::order::sort_by;
use litemap::LiteMap;

use super::groups::{BlockTable, Lifetime};
use super::pages::{PageId, PagePool};
use super::path_key::PathKey;
use crate::kernels::kv::PAGE;

const PAGE_TOKENS: usize = PAGE as usize;

/// Keeps sequences apart whose tokens mean different keys and values: of another model, or with another adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Namespace(pub u64);

/// Where the contents of a page are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// In a page. The caller retains it before anything is evicted.
    Page(PageId),
    /// Elsewhere, under this name.
    Stored(PathKey),
}

/// The longest prefix of a sequence that can be gone on with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrefixMatch {
    /// Tokens in full pages.
    pub tokens: usize,
    /// Of each group, the full pages that the next position needs, with their numbers: that behind the partial page, where there is one.
    pub pages: Vec<Vec<(usize, Source)>>,
    /// A page of each group whose first tokens go on with the sequence, and how many do (`1..PAGE`). They hold other tokens behind them, or
    /// may be written to by another sequence, so they are for copying.
    pub partial: Option<(Vec<PageId>, u32)>,
}

/// A page about to be freed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evicted {
    /// Its group.
    pub group: usize,
    /// The page.
    pub page: PageId,
    /// What it holds, by name. A hash, since whole paths would take memory quadratic in a conversation's length.
    pub key: PathKey,
    /// Tokens in it; fewer than `PAGE` where it is partly filled.
    pub tokens: u32,
}

type NodeId = usize;
type Children = LiteMap<Rc<[u32]>, NodeId>;
type Child<'a> = (&'a Rc<[u32]>, &'a NodeId);

/// Where a node hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parent {
    Root(Namespace),
    Node(NodeId),
}

#[derive(Debug)]
struct Node {
    parent: Parent,
    tokens: Rc<[u32]>,
    key: PathKey,
    children: Children,
    /// Of each group.
    pages: Box<[NodePage]>,
}

/// A node's page of one group.
#[derive(Debug, Clone, Copy)]
struct NodePage {
    page: Option<PageId>,
    /// When it was last found or inserted.
    used: u64,
}

/// Finds pages by the tokens whose keys and values they hold.
#[derive(Debug)]
pub struct PrefixIndex {
    /// How long sequences need the pages of each group.
    lifetimes: Vec<Lifetime>,
    roots: LiteMap<Namespace, Children>,
    nodes: Vec<Option<Node>>,
    by_key: HashMap<PathKey, NodeId>,
    /// Unused places in `nodes`.
    vacant: Vec<NodeId>,
    /// Of each group, the nodes whose page may be evicted, least recently used first: those without children, or with a window all.
    evictable: Vec<BTreeSet<(u64, NodeId)>>,
    /// Of each group, how many pages it holds.
    pages: Vec<usize>,
    clock: u64,
}

impl PrefixIndex {
    /// An empty index over groups of these lifetimes.
    pub fn new(lifetimes: Vec<Lifetime>) -> PrefixIndex {
        let groups = lifetimes.len();
        PrefixIndex {
            lifetimes,
            roots: LiteMap::new_vec(),
            nodes: Vec::new(),
            vacant: Vec::new(),
            by_key: HashMap::new(),
            evictable: vec![BTreeSet::new(); groups],
            pages: vec![0; groups],
            clock: 0,
        }
    }

    /// Finds the longest prefix of `tokens` with which each group can go on, from pages and from what is `stored` elsewhere, and marks
    /// its pages as used. Takes time linear in `tokens` for each page of a window.
    pub fn lookup(
        &mut self,
        namespace: Namespace,
        tokens: &[u32],
        stored: Option<&dyn Fn(&PathKey) -> bool>,
    ) -> PrefixMatch {
        self.clock += 1;
        let (nodes, sources) = self.sources(namespace, tokens, stored);
        let longest = sources.iter().map(Vec::len).max().unwrap_or(0);
        let parent = nodes.last().map_or(Parent::Root(namespace), |id| Parent::Node(*id));
        // A state is known behind whole pages alone.
        let has_state = self.lifetimes.iter().any(|lifetime| lifetime.is_state);
        let partial = self.partial(parent, &tokens[nodes.len() * PAGE_TOKENS..]);
        let partial = partial.filter(|_| nodes.len() == longest && !has_state);
        // Whether `position` can be computed next, with what is there of the first `depth` pages.
        let serves = |depth: usize, position: usize| {
            let mut of_windows = self.lifetimes.iter().zip(&sources).filter(|(lifetime, _)| lifetime.window.is_some());
            let needed = |lifetime: &Lifetime| lifetime.pages(position..depth * PAGE_TOKENS);
            of_windows.all(|(lifetime, sources)| needed(lifetime).all(|number| sources[number].is_some()))
        };
        let behind = |shared: u32| longest * PAGE_TOKENS + shared as usize;
        let partial = partial.filter(|(_, _, shared)| serves(longest, behind(*shared)));
        let (depth, next) = match &partial {
            Some((_, _, shared)) => (longest, behind(*shared)),
            None => {
                let depth = (0..=longest).rev().find(|depth| serves(*depth, depth * PAGE_TOKENS)).unwrap_or(0);
                (depth, depth * PAGE_TOKENS)
            }
        };
        let mut found = PrefixMatch { tokens: depth * PAGE_TOKENS, ..PrefixMatch::default() };
        for (group, sources) in sources.iter().enumerate() {
            let needed = self.lifetimes[group].pages(next..found.tokens);
            let pages: Vec<_> = needed.filter_map(|number| Some((number, sources[number]?))).collect();
            for (number, _) in pages.iter().filter(|(_, source)| matches!(source, Source::Page(_))) {
                self.touch(nodes[*number], group);
            }
            found.pages.push(pages);
        }
        if let Some((id, pages, shared)) = partial {
            (0..self.lifetimes.len()).for_each(|group| self.touch(id, group));
            found.partial = Some((pages, shared));
        }
        found
    }

    /// The child with a page of each group that shares most tokens with `tokens`, where it is not all of a page.
    fn partial(&self, parent: Parent, tokens: &[u32]) -> Option<(NodeId, Vec<PageId>, u32)> {
        let (id, shared) = most_shared(self.children(parent)?, tokens)?;
        let pages: Option<Vec<PageId>> = self.node(id).pages.iter().map(|held| held.page).collect();
        pages.filter(|_| (shared as usize) < PAGE_TOKENS).map(|pages| (id, pages, shared))
    }

    /// The nodes of the full pages of `tokens`, as far as there are any, and of each group where its page of each number is. Without a
    /// window this ends at the first that is nowhere.
    fn sources(
        &self,
        namespace: Namespace,
        tokens: &[u32],
        stored: Option<&dyn Fn(&PathKey) -> bool>,
    ) -> (Vec<NodeId>, Vec<Vec<Option<Source>>>) {
        let mut nodes = Vec::new();
        let mut sources = vec![Vec::new(); self.lifetimes.len()];
        let (mut parent, mut path) = (Some(Parent::Root(namespace)), None);
        for page in tokens.chunks_exact(PAGE_TOKENS) {
            let node = parent.and_then(|parent| self.children(parent)).and_then(|children| children.get(page)).copied();
            parent = node.map(Parent::Node);
            nodes.extend(node);
            let key = match (node, stored) {
                (Some(id), _) => self.node(id).key,
                (None, None) => break,
                (None, Some(_)) => path.unwrap_or_else(|| PathKey::root(namespace)).child(page),
            };
            path = Some(key);
            for (group, sources) in sources.iter_mut().enumerate() {
                let page = node.and_then(|id| self.node(id).pages[group].page).map(Source::Page);
                sources.push(page.or_else(|| {
                    let key = stored.map(|_| key.of_group(group))?;
                    stored.is_some_and(|has| has(&key)).then_some(Source::Stored(key))
                }));
            }
            let mut without_window =
                self.lifetimes.iter().zip(&sources).filter(|(lifetime, _)| lifetime.window.is_none());
            if without_window.any(|(_, sources)| matches!(sources.last(), Some(None))) {
                sources.iter_mut().for_each(|sources| _ = sources.pop());
                break;
            }
        }
        (nodes, sources)
    }

    /// The pages that the index has of the full pages of `tokens`, whether they serve or not.
    pub fn standing(&self, namespace: Namespace, tokens: &[u32]) -> Vec<BlockTable> {
        let (_, sources) = self.sources(namespace, tokens, None);
        let mut tables = vec![BlockTable::default(); sources.len()];
        for (table, sources) in tables.iter_mut().zip(sources) {
            for (number, source) in sources.into_iter().enumerate() {
                if let Some(Source::Page(page)) = source {
                    table.set(number, page);
                }
            }
        }
        tables
    }

    /// How many of the pages that it has of the full pages of `tokens` sequences hold, in a group.
    pub fn held(&self, namespace: Namespace, tokens: &[u32], group: usize, pool: &PagePool) -> usize {
        let table = &self.standing(namespace, tokens)[group];
        table.iter().filter(|(_, page)| pool.is_held(*page)).count()
    }

    /// Remembers that the pages of `tables`, one of each group, hold the keys and values of `tokens`; the last page may be partly filled.
    ///
    /// The index takes a reference to each page whose content it did not have. Content that it has stays in the page where it is. A page that
    /// holds more takes the place of one that holds only its beginning; the reference to that one is given back.
    pub fn insert(&mut self, namespace: Namespace, tokens: &[u32], tables: &[BlockTable], pools: &mut [PagePool]) {
        self.clock += 1;
        let mut parent = Parent::Root(namespace);
        for (number, tokens) in tokens.chunks(PAGE_TOKENS).enumerate() {
            let known = self.children(parent).and_then(|children| holding(children, tokens));
            let id = known.unwrap_or_else(|| self.add(parent, tokens));
            // Its page may be the same, which the sequence has gone on to fill.
            if known.is_none()
                && let Some(shorter) = self.children(parent).and_then(|children| beginning_of(children, tokens))
            {
                self.remove(shorter, pools, &mut |_| {});
            }
            for (group, table) in tables.iter().enumerate() {
                if let Some(page) = table.get(number) {
                    self.give((id, group), tokens, page, pools);
                    self.touch(id, group);
                }
            }
            parent = Parent::Node(id);
        }
        if let Parent::Node(last) = parent {
            self.prune(last, pools);
        }
    }

    /// Frees up to `want` pages of a group that nobody but the index holds, least recently used first; how many it freed. Without a window
    /// these are leaves, which go with their pages of all groups.
    ///
    /// `before_release` sees each page while it still has its content, to copy it. Takes logarithmic time a page, and once a call passes over
    /// the pages that sequences hold.
    pub fn evict(
        &mut self,
        group: usize,
        want: usize,
        pools: &mut [PagePool],
        before_release: &mut dyn FnMut(&Evicted),
    ) -> usize {
        let mut from = 0;
        for freed in 0..want {
            let mut candidates = self.evictable[group].range((from, 0)..);
            let is_ours = |id| self.node(id).pages[group].page.is_some_and(|page| !pools[group].is_held(page));
            let Some(&(used, id)) = candidates.find(|(_, id)| is_ours(*id)) else { return freed };
            if self.lifetimes[group].window.is_none() {
                if let Parent::Node(above) = self.remove(id, pools, before_release) {
                    self.prune(above, pools);
                }
            } else {
                self.release((id, group), pools, before_release);
                self.prune(id, pools);
            }
            from = used;
        }
        want
    }

    /// Gives every page back.
    pub fn clear(&mut self, pools: &mut [PagePool]) {
        for node in self.nodes.drain(..).flatten() {
            for (held, pool) in node.pages.iter().zip(pools.iter_mut()) {
                held.page.into_iter().for_each(|page| _ = pool.uncache(page));
            }
        }
        *self = PrefixIndex { clock: self.clock, ..PrefixIndex::new(std::mem::take(&mut self.lifetimes)) };
    }

    /// The page that a group has for a path of this name, if it is there.
    pub fn page(&self, path: &PathKey, group: usize) -> Option<PageId> {
        self.by_key.get(path).and_then(|id| self.node(*id).pages[group].page)
    }

    /// Full pages with their groups and names: least recently used first, and each behind those that follow it in a sequence.
    pub fn full_pages(&self) -> Vec<(usize, PathKey, PageId)> {
        let mut found = Vec::new();
        let mut rest: Vec<NodeId> = self.roots.values().flat_map(|children| children.values().copied()).collect();
        while let Some(id) = rest.pop() {
            let node = self.node(id);
            rest.extend(node.children.values());
            for (group, held) in node.pages.iter().enumerate().filter(|_| node.tokens.len() == PAGE_TOKENS) {
                let last_first = Reverse(found.len());
                found.extend(held.page.map(|page| (held.used, last_first, group, node.key.of_group(group), page)));
            }
        }
        sort_by(&mut found, |a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        found.into_iter().map(|(.., group, key, page)| (group, key, page)).collect()
    }

    /// How many pages of a group it holds.
    pub fn pages(&self, group: usize) -> usize {
        self.pages[group]
    }

    /// Adds a child without pages.
    fn add(&mut self, parent: Parent, tokens: &[u32]) -> NodeId {
        let key = match parent {
            Parent::Root(namespace) => PathKey::root(namespace).child(tokens),
            Parent::Node(id) => self.node(id).key.child(tokens),
        };
        let tokens: Rc<[u32]> = tokens.into();
        let pages = vec![NodePage { page: None, used: self.clock }; self.lifetimes.len()].into();
        let node = Node { parent, tokens: tokens.clone(), key, children: Children::new_vec(), pages };
        let id = match self.vacant.pop() {
            Some(id) => id,
            None => {
                self.nodes.push(None);
                self.nodes.len() - 1
            }
        };
        self.nodes[id] = Some(node);
        self.by_key.insert(key, id);
        match parent {
            Parent::Root(namespace) => _ = self.roots.entry(namespace).or_default().insert(tokens, id),
            Parent::Node(parent) => {
                self.node_mut(parent).children.insert(tokens, id);
                (0..self.lifetimes.len()).for_each(|group| self.rank(parent, group));
            }
        }
        id
    }

    /// Removes a leaf and gives its pages back; what it hung on.
    fn remove(&mut self, id: NodeId, pools: &mut [PagePool], before_release: &mut dyn FnMut(&Evicted)) -> Parent {
        (0..pools.len()).for_each(|group| self.release((id, group), pools, before_release));
        let Some(node) = self.nodes[id].take() else { unreachable!("a node is removed once") };
        debug_assert!(node.children.is_empty(), "only leaves are removed");
        self.vacant.push(id);
        self.by_key.remove(&node.key);
        match node.parent {
            Parent::Root(namespace) => {
                if let Some(children) = self.roots.get_mut(&namespace) {
                    children.remove(&node.tokens);
                    if children.is_empty() {
                        self.roots.remove(&namespace);
                    }
                }
            }
            Parent::Node(parent) => {
                self.node_mut(parent).children.remove(&node.tokens);
                (0..self.lifetimes.len()).for_each(|group| self.rank(parent, group));
            }
        }
        node.parent
    }

    /// Removes a node that has neither pages nor children, and then what it hung on, if that is left so.
    fn prune(&mut self, id: NodeId, pools: &mut [PagePool]) {
        let mut at = Parent::Node(id);
        while let Parent::Node(id) = at
            && let node = self.node(id)
            && node.children.is_empty()
            && node.pages.iter().all(|held| held.page.is_none())
        {
            at = self.remove(id, pools, &mut |_| {});
        }
    }

    /// Gives a node the page of a group, if it has none and holds these tokens and no more.
    fn give(&mut self, (id, group): (NodeId, usize), tokens: &[u32], page: PageId, pools: &mut [PagePool]) {
        let node = self.node_mut(id);
        if node.pages[group].page.is_none() && node.tokens.len() == tokens.len() {
            node.pages[group].page = Some(page);
            pools[group].cache(page);
            self.pages[group] += 1;
            self.rank(id, group);
        }
    }

    /// Takes the page of a group from a node, if it has one, and gives it back.
    fn release(
        &mut self,
        (id, group): (NodeId, usize),
        pools: &mut [PagePool],
        before_release: &mut dyn FnMut(&Evicted),
    ) {
        let Some(page) = self.node_mut(id).pages[group].page.take() else { return };
        self.pages[group] -= 1;
        self.rank(id, group);
        if !pools[group].is_held(page) {
            let Node { key, tokens, .. } = self.node(id);
            before_release(&Evicted { group, page, key: key.of_group(group), tokens: tokens.len() as u32 });
        }
        pools[group].uncache(page);
    }

    /// Marks a node's page of a group as used now.
    fn touch(&mut self, id: NodeId, group: usize) {
        let clock = self.clock;
        let used = std::mem::replace(&mut self.node_mut(id).pages[group].used, clock);
        if self.evictable[group].remove(&(used, id)) {
            self.evictable[group].insert((clock, id));
        }
    }

    /// Notes whether a node's page of a group may be evicted.
    fn rank(&mut self, id: NodeId, group: usize) {
        let node = self.node(id);
        let NodePage { page, used } = node.pages[group];
        let may_go = node.children.is_empty() || self.lifetimes[group].window.is_some();
        match page.is_some() && may_go {
            true => self.evictable[group].insert((used, id)),
            false => self.evictable[group].remove(&(used, id)),
        };
    }

    fn children(&self, parent: Parent) -> Option<&Children> {
        match parent {
            Parent::Root(namespace) => self.roots.get(&namespace),
            Parent::Node(id) => Some(&self.node(id).children),
        }
    }

    fn node(&self, id: NodeId) -> &Node {
        match &self.nodes[id] {
            Some(node) => node,
            None => unreachable!("links lead to nodes that are there"),
        }
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        match &mut self.nodes[id] {
            Some(node) => node,
            None => unreachable!("links lead to nodes that are there"),
        }
    }
}

/// The last child before `tokens` in the order, and the first that is not.
fn neighbours<'a>(children: &'a Children, tokens: &[u32]) -> [Option<Child<'a>>; 2] {
    let (Ok(at) | Err(at)) = children.find_index(tokens);
    [at.checked_sub(1).and_then(|before| children.get_indexed(before)), children.get_indexed(at)]
}

/// The child that shares most tokens with `tokens` from their beginning, and how many; none where no child shares any.
fn most_shared(children: &Children, tokens: &[u32]) -> Option<(NodeId, u32)> {
    let [before, behind] = neighbours(children, tokens);
    let shared =
        |(child, id): Child<'_>| (*id, child.iter().zip(tokens).take_while(|(one, other)| one == other).count() as u32);
    let best = before.into_iter().chain(behind).map(shared).max_by_key(|(_, shared)| *shared);
    best.filter(|(_, shared)| *shared > 0)
}

/// The child that holds `tokens`, alone or with more behind them.
fn holding(children: &Children, tokens: &[u32]) -> Option<NodeId> {
    let [_, behind] = neighbours(children, tokens);
    behind.filter(|(child, _)| child.starts_with(tokens)).map(|(_, id)| *id)
}

/// The child that holds the beginning of `tokens` and nothing else. There is at most one: of two, the shorter would have been replaced.
fn beginning_of(children: &Children, tokens: &[u32]) -> Option<NodeId> {
    let [before, _] = neighbours(children, tokens);
    before.filter(|(child, _)| tokens.starts_with(child)).map(|(_, id)| *id)
}

#[cfg(test)]
mod tests;
