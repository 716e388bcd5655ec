//! Which sequences' keys and values stand in pages: a radix tree over token ids, with one page a node.
//!
//! A node's tokens are what its page holds, and the way to it from the root is the sequence before them. Full pages have children; a
//! page that is only partly filled is a leaf. Children are sorted by their tokens, so that the sibling that shares most with a sequence is a
//! neighbour of the place where the sequence itself would be.
//!
//! The index holds one reference to each of its pages. It must never know what a page's memory is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::rc::Rc;

use super::pages::{PageId, PagePool};
use super::path_key::PathKey;
use crate::kernels::kv::PAGE;

const PAGE_TOKENS: usize = PAGE as usize;

/// Keeps sequences apart whose tokens mean different keys and values: of another model, or with another adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Namespace(pub u64);

/// The longest prefix of a sequence that stands in pages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrefixMatch {
    /// Full pages, first to last. The caller retains them before anything is evicted.
    pub pages: Vec<PageId>,
    /// Tokens in them.
    pub tokens: usize,
    /// A page whose first tokens go on with the sequence, and how many do (`1..PAGE`). It holds other tokens behind them, or may be written
    /// to by another sequence, so it is for copying.
    pub partial: Option<(PageId, u32)>,
}

/// A page about to be freed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evicted {
    /// The page.
    pub page: PageId,
    /// What it holds, by name. A hash, since whole paths would take memory quadratic in a conversation's length.
    pub key: PathKey,
    /// Tokens in it; fewer than `PAGE` where it is partly filled.
    pub tokens: u32,
}

type NodeId = usize;
type Children = BTreeMap<Rc<[u32]>, NodeId>;

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
    page: PageId,
    key: PathKey,
    children: Children,
    /// When it was last found or inserted.
    used: u64,
}

/// Finds pages by the tokens whose keys and values they hold.
#[derive(Debug, Default)]
pub struct PrefixIndex {
    roots: BTreeMap<Namespace, Children>,
    nodes: Vec<Option<Node>>,
    by_key: HashMap<PathKey, NodeId>,
    /// Unused places in `nodes`.
    vacant: Vec<NodeId>,
    /// Nodes without children, least recently used first.
    leaves: BTreeSet<(u64, NodeId)>,
    clock: u64,
}

impl PrefixIndex {
    /// Finds the longest prefix of `tokens` that stands in pages, and marks it as used. Takes time linear in `tokens`.
    pub fn lookup(&mut self, namespace: Namespace, tokens: &[u32]) -> PrefixMatch {
        self.clock += 1;
        let mut found = PrefixMatch::default();
        let mut parent = Parent::Root(namespace);
        let mut rest = tokens;
        while let Some((page, tail)) = rest.split_at_checked(PAGE_TOKENS)
            && let Some(&id) = self.children(parent).and_then(|children| children.get(page))
        {
            found.pages.push(self.touch(id).page);
            (parent, rest) = (Parent::Node(id), tail);
        }
        found.tokens = tokens.len() - rest.len();
        if let Some((id, shared)) = self.children(parent).and_then(|children| most_shared(children, rest)) {
            found.partial = Some((self.touch(id).page, shared));
        }
        found
    }

    /// Remembers that `pages` hold the keys and values of `tokens`; the last page may be partly filled.
    ///
    /// The index takes a reference to each page whose content it did not have. Content that it has stays in the page where it is. A page that
    /// holds more takes the place of one that holds only its beginning; the reference to that one is given back.
    pub fn insert(&mut self, namespace: Namespace, tokens: &[u32], pages: &[PageId], pool: &mut PagePool) {
        debug_assert_eq!(pages.len(), tokens.len().div_ceil(PAGE_TOKENS), "each page holds PAGE tokens but the last");
        self.clock += 1;
        let mut parent = Parent::Root(namespace);
        for (tokens, &page) in tokens.chunks(PAGE_TOKENS).zip(pages) {
            let id = match self.children(parent).and_then(|children| holding(children, tokens)) {
                Some(id) => id,
                None => self.add(parent, tokens, page, pool),
            };
            self.touch(id);
            parent = Parent::Node(id);
        }
    }

    /// Frees up to `want` pages that nobody but the index holds, least recently used leaves first; how many it freed.
    ///
    /// `before_release` sees each page while it still has its content, to copy it. Takes logarithmic time a page, and once a call passes over
    /// the leaves that sequences hold.
    pub fn evict(&mut self, want: usize, pool: &mut PagePool, before_release: &mut dyn FnMut(&Evicted)) -> usize {
        let mut from = 0;
        for freed in 0..want {
            let mut leaves = self.leaves.range((from, 0)..);
            let Some(&(used, id)) = leaves.find(|(_, id)| pool.refs(self.node(*id).page) == 1) else { return freed };
            let Node { page, key, tokens, .. } = self.node(id);
            before_release(&Evicted { page: *page, key: *key, tokens: tokens.len() as u32 });
            self.remove(id, pool);
            from = used;
        }
        want
    }

    /// Gives every page back.
    pub fn clear(&mut self, pool: &mut PagePool) {
        for node in self.nodes.drain(..).flatten() {
            pool.release(node.page);
        }
        *self = PrefixIndex { clock: self.clock, ..PrefixIndex::default() };
    }

    /// The page of this name, if it is there.
    pub fn page(&self, key: &PathKey) -> Option<PageId> {
        self.by_key.get(key).map(|id| self.node(*id).page)
    }

    /// Full pages with their names: least recently used first, and each behind those that follow it in a sequence.
    pub fn full_pages(&self) -> Vec<(PathKey, PageId)> {
        let mut found = Vec::new();
        let mut rest: Vec<NodeId> = self.roots.values().flat_map(|children| children.values().copied()).collect();
        while let Some(id) = rest.pop() {
            let node = self.node(id);
            rest.extend(node.children.values());
            if node.tokens.len() == PAGE_TOKENS {
                found.push((node.used, node.key, node.page));
            }
        }
        found.reverse();
        found.sort_by_key(|(used, ..)| *used);
        found.into_iter().map(|(_, key, page)| (key, page)).collect()
    }

    /// How many pages it holds.
    pub fn pages(&self) -> usize {
        self.nodes.len() - self.vacant.len()
    }

    /// Adds a child in place of the sibling, if any, that holds only the beginning of `tokens`.
    fn add(&mut self, parent: Parent, tokens: &[u32], page: PageId, pool: &mut PagePool) -> NodeId {
        pool.retain(page);
        let key = match parent {
            Parent::Root(namespace) => PathKey::root(namespace).child(tokens),
            Parent::Node(id) => self.node(id).key.child(tokens),
        };
        let shorter = self.children(parent).and_then(|children| beginning_of(children, tokens));
        let tokens: Rc<[u32]> = tokens.into();
        let node = Node { parent, tokens: tokens.clone(), page, key, children: Children::new(), used: self.clock };
        let id = match self.vacant.pop() {
            Some(id) => id,
            None => {
                self.nodes.push(None);
                self.nodes.len() - 1
            }
        };
        self.nodes[id] = Some(node);
        self.by_key.insert(key, id);
        self.leaves.insert((self.clock, id));
        match parent {
            Parent::Root(namespace) => _ = self.roots.entry(namespace).or_default().insert(tokens, id),
            Parent::Node(parent) => {
                self.leaves.remove(&(self.node(parent).used, parent));
                self.node_mut(parent).children.insert(tokens, id);
            }
        }
        if let Some(shorter) = shorter {
            self.remove(shorter, pool);
        }
        id
    }

    /// Removes a leaf and gives its page back.
    fn remove(&mut self, id: NodeId, pool: &mut PagePool) {
        let Some(node) = self.nodes[id].take() else { unreachable!("a node is removed once") };
        debug_assert!(node.children.is_empty(), "only leaves are removed");
        self.vacant.push(id);
        self.by_key.remove(&node.key);
        self.leaves.remove(&(node.used, id));
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
                let above = self.node_mut(parent);
                above.children.remove(&node.tokens);
                if above.children.is_empty() {
                    let used = above.used;
                    self.leaves.insert((used, parent));
                }
            }
        }
        pool.release(node.page);
    }

    /// Marks a node as used now.
    fn touch(&mut self, id: NodeId) -> &Node {
        let clock = self.clock;
        let node = self.node_mut(id);
        let used = std::mem::replace(&mut node.used, clock);
        if self.leaves.remove(&(used, id)) {
            self.leaves.insert((clock, id));
        }
        self.node(id)
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

/// The child that shares most tokens with `tokens` from their beginning, and how many; none where no child shares any.
fn most_shared(children: &Children, tokens: &[u32]) -> Option<(NodeId, u32)> {
    let before = children.range::<[u32], _>((Bound::Unbounded, Bound::Excluded(tokens))).next_back();
    let behind = children.range::<[u32], _>((Bound::Included(tokens), Bound::Unbounded)).next();
    let shared = |(child, id): (&Rc<[u32]>, &NodeId)| {
        (*id, child.iter().zip(tokens).take_while(|(one, other)| one == other).count() as u32)
    };
    let best = before.into_iter().chain(behind).map(shared).max_by_key(|(_, shared)| *shared);
    best.filter(|(_, shared)| *shared > 0)
}

/// The child that holds `tokens`, alone or with more behind them.
fn holding(children: &Children, tokens: &[u32]) -> Option<NodeId> {
    let next = children.range::<[u32], _>((Bound::Included(tokens), Bound::Unbounded)).next();
    next.filter(|(child, _)| child.starts_with(tokens)).map(|(_, id)| *id)
}

/// The child that holds the beginning of `tokens` and nothing else. There is at most one: of two, the shorter would have been replaced.
fn beginning_of(children: &Children, tokens: &[u32]) -> Option<NodeId> {
    let before = children.range::<[u32], _>((Bound::Unbounded, Bound::Excluded(tokens))).next_back();
    before.filter(|(child, _)| tokens.starts_with(child)).map(|(_, id)| *id)
}

#[cfg(test)]
mod tests;
