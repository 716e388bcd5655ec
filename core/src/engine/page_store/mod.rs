//! The third tier: pages that leave the engine go to a store of the embedder's, and come back when a prompt goes on with them, also in a
//! later process. A store is a cache: what it lacks, or holds damaged, is computed again, and is never the error of an answer.
//!
//! Here is what an engine knows of its store; [`driver`](super::driver) moves it on. It must never know what a page means.

mod entry;
#[cfg(not(target_arch = "wasm32"))]
mod folder;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::scheduler::SeqId;
use super::session_file::KvLayout;
use crate::gpu::GpuError;
use crate::kv::path_key::PathKey;
#[cfg(not(target_arch = "wasm32"))]
pub use folder::FolderStore;
pub use inglenook_format::source::LocalFuture;

/// Where pages of keys and values are kept beyond the engine. Names are 64 hexadecimal digits, and say what the bytes hold: of which
/// model, in which layout, after which tokens. What was put under a name once is never other bytes later.
///
/// A store bounds itself, and may give up anything at any time. It is asked between the steps of answers, so what takes long must be
/// awaited and not done within `get` or `put`.
pub trait PageStore: fmt::Debug {
    /// The bytes under a name; none where it has none.
    fn get<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<Option<Vec<u8>>, PageStoreError>>;

    /// Keeps bytes under a name.
    fn put<'a>(&'a self, name: &'a str, bytes: &'a [u8]) -> LocalFuture<'a, Result<(), PageStoreError>>;

    /// Pages were used together, the most needed last: a page serves only with those before it, so the end of a prompt may go first.
    fn used(&self, _names: &[String]) {}
}

/// Why a store could not give or keep a page: a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PageStoreError(pub String);

/// What an engine and its store have done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PageStoreCounts {
    /// Pages that came back, and were not computed again.
    pub loaded: u64,
    /// Pages that were given to the store.
    pub stored: u64,
    /// Entries that were damaged, and were not used.
    pub damaged: u64,
    /// Times that the store failed.
    pub failed: u64,
}

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// What a store gives of a page.
pub(super) type Given = Result<Option<Vec<u8>>, PageStoreError>;

/// A page on its way from the device.
type PageRead = (PathKey, Boxed<Result<Vec<u8>, GpuError>>);

/// A sequence that waits for pages of its prompt, which come one by one.
pub(super) struct StoreLoad {
    pub id: SeqId,
    /// The tokens that are to stand before it begins.
    pub tokens: Vec<u32>,
    /// Names of the paths of all their pages.
    pub paths: Vec<PathKey>,
    /// Pages to come, by group and number: first those of groups without a window, then what windows need behind those.
    pub pages: VecDeque<(usize, usize)>,
    pub is_at_windows: bool,
    pub reading: Boxed<Given>,
    /// Pages that came from the store.
    pub loaded: Vec<String>,
}

/// An engine's side of its store.
#[derive(Default)]
pub(super) struct StoreLink {
    store: Option<Rc<dyn PageStore>>,
    /// What the pages belong to: a model, and a layout of its pages.
    owner: Vec<u8>,
    /// Pages that the store was given or has given.
    known: HashSet<PathKey>,
    pub loads: Vec<StoreLoad>,
    /// Pages on their way from the device.
    pub reads: VecDeque<PageRead>,
    /// The page that is being written.
    pub write: Option<(PathKey, Boxed<Result<(), PageStoreError>>)>,
    pub counts: PageStoreCounts,
}

impl StoreLink {
    /// To a store, for a model of this fingerprint.
    pub fn new(store: Rc<dyn PageStore>, fingerprint: &[u8; 32], layout: &KvLayout) -> StoreLink {
        let owner = [fingerprint, layout.to_string().as_bytes()].concat();
        StoreLink { store: Some(store), owner, ..StoreLink::default() }
    }

    /// Whether there is a store.
    pub fn is_open(&self) -> bool {
        self.store.is_some()
    }

    /// Whether the store is known to have a page.
    pub fn has(&self, key: &PathKey) -> bool {
        self.known.contains(key)
    }

    /// Begins to read a page.
    pub fn get(&self, key: &PathKey) -> Boxed<Given> {
        let name = self.name(key);
        match self.store.clone() {
            Some(store) => Box::pin(async move { store.get(&name).await }),
            None => Box::pin(std::future::ready(Ok(None))),
        }
    }

    /// Begins to write a page; the one before must have been written.
    pub fn put(&mut self, key: PathKey, page: &[u8]) {
        let Some(store) = self.store.clone() else { return };
        let (name, entry) = (self.name(&key), entry::encode(&self.digest(&key), page));
        self.known.insert(key);
        self.write = Some((key, Box::pin(async move { store.put(&name, &entry).await })));
    }

    /// The page of so many bytes in what a store gave; none, and counted, where that is damaged.
    pub fn open(&mut self, key: &PathKey, page_bytes: usize, given: Given) -> Option<Vec<u8>> {
        let page = match given {
            Ok(Some(entry)) => entry::decode(&self.digest(key), page_bytes, entry),
            Ok(None) => {
                // It may have been given up since.
                self.known.remove(key);
                return None;
            }
            Err(_) => {
                self.counts.failed += 1;
                return None;
            }
        };
        match page {
            Some(_) => _ = self.known.insert(*key),
            None => {
                self.known.remove(key);
                self.counts.damaged += 1;
            }
        }
        page
    }

    /// Takes the end of the write.
    pub fn written(&mut self, result: &Result<(), PageStoreError>) {
        let Some((key, _)) = self.write.take() else { return };
        match result {
            Ok(()) => self.counts.stored += 1,
            Err(_) => {
                self.known.remove(&key);
                self.counts.failed += 1;
            }
        }
    }

    /// Tells the store which pages a prompt has used, first to last.
    pub fn used(&self, mut names: Vec<String>) {
        names.reverse();
        self.store.iter().for_each(|store| store.used(&names));
    }

    /// Gives up what is under way.
    pub fn clear(&mut self) {
        self.loads.clear();
        self.reads.clear();
        self.write = None;
    }

    /// What a page is called in the store.
    pub fn name(&self, key: &PathKey) -> String {
        self.digest(key).iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex_digit).collect()
    }

    fn digest(&self, key: &PathKey) -> [u8; 32] {
        Sha256::new_with_prefix(&self.owner).chain_update(key.as_bytes()).finalize().into()
    }
}

fn hex_digit(half: u8) -> char {
    char::from(b"0123456789abcdef"[usize::from(half)])
}
