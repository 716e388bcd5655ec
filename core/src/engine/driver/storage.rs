//! Pages to and from the embedder's store, between the steps of answers: one of each prompt at a time, so that no answer waits long.

use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::{Driver, Shared};
use crate::engine::Engine;
use crate::engine::page_store::{Given, PageStore, PageStoreError, StoreLink, StoreLoad};
use crate::engine::page_transfer::write_page;
use crate::engine::scheduler::{Adopted, SeqId};
use crate::kernels::kv::PAGE;
use crate::kv::path_key::PathKey;

/// Bytes of pages that may wait for the store while answers are under way.
const OUTBOX: usize = 64 << 20;

/// Pages that are read from the device for the store at once.
const READS: usize = 16;

impl Engine {
    /// Keeps pages in a store from now on.
    pub(in crate::engine) fn open_store(&self, store: Rc<dyn PageStore>) {
        let link = StoreLink::new(store, &self.model().fingerprint(), &self.kv_layout());
        self.shared.with(|driver| {
            driver.scheduler.tier.set_outbox(OUTBOX);
            driver.store = link;
        });
    }
}

impl Shared {
    /// Moves the pages of conversations towards the store.
    pub fn store_pages(&self, context: &mut Context<'_>) -> Poll<Result<(), PageStoreError>> {
        self.waiting.add(context.waker());
        let waker = self.waker();
        self.with(|driver| driver.store_pages(&mut Context::from_waker(&waker)))
    }
}

impl Driver {
    /// Does what can be done now of what is under way to and from the store; whether anything was.
    pub(super) fn poll_store(&mut self, context: &mut Context<'_>) -> bool {
        if !self.store.is_open() {
            return false;
        }
        let has_written = self.poll_write(context).is_some();
        if self.store.write.is_none() {
            self.write_spilled();
        }
        for id in self.scheduler.next_to_load() {
            self.begin_load(id);
        }
        let loads = std::mem::take(&mut self.store.loads);
        let count = loads.len();
        let mut has_loaded = false;
        for mut load in loads {
            match load.reading.as_mut().poll(context) {
                Poll::Pending => self.store.loads.push(load),
                Poll::Ready(given) => {
                    has_loaded = true;
                    self.take_stored(load, given);
                }
            }
        }
        has_written || has_loaded || self.store.loads.len() != count
    }

    /// The end of the write under way, if it has come.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Option<Result<(), PageStoreError>> {
        let (_, write) = self.store.write.as_mut()?;
        let Poll::Ready(result) = write.as_mut().poll(context) else { return None };
        self.store.written(&result);
        Some(result)
    }

    /// Begins to write the next page that host memory had no room for.
    fn write_spilled(&mut self) {
        while let Some((key, page)) = self.scheduler.tier.take_spilled() {
            if !self.store.has(&key) {
                self.store.put(key, &page);
                return;
            }
        }
    }

    /// Begins to ask the store for what the cache lacks of a sequence's prompt.
    fn begin_load(&mut self, id: SeqId) {
        if self.store.loads.iter().any(|load| load.id == id) {
            return;
        }
        let Some(entry) = self.entries.get(&id) else { return };
        let last = entry.sequence.len().saturating_sub(1);
        let tokens: Vec<u32> = entry.sequence.tokens().take(last).collect();
        let namespace = self.scheduler.namespace(id);
        let paths: Vec<PathKey> = PathKey::pages(namespace, &tokens).collect();
        let reading = Box::pin(std::future::ready(Ok(None)));
        let (pages, is_at_windows, loaded) = (VecDeque::new(), false, Vec::new());
        let mut load = StoreLoad { id, tokens, paths, pages, is_at_windows, reading, loaded };
        let full = self.full_groups();
        let pages = (0..load.paths.len()).flat_map(|number| full.iter().map(move |group| (*group, number)));
        load.pages =
            pages.filter(|(group, number)| self.scheduler.page(&load.paths[*number], *group).is_none()).collect();
        self.begin_pages(load);
    }

    /// Groups without a sliding window.
    fn full_groups(&self) -> Vec<usize> {
        let lifetimes = self.scheduler.lifetimes().enumerate();
        lifetimes.filter(|(_, lifetime)| lifetime.window.is_none()).map(|(group, _)| group).collect()
    }

    /// Begins to read the pages that a load lacks.
    fn begin_pages(&mut self, load: StoreLoad) {
        // What the host tier has goes back to the device with the sequence's first step.
        let tier = &self.scheduler.tier;
        let is_there = load.pages.iter().all(|(group, number)| tier.contains(&load.paths[*number].of_group(*group)));
        if is_there { self.end_pages(load) } else { self.read_stored(load) }
    }

    /// Goes on with what the windows need behind the pages that are there now.
    fn end_pages(&mut self, mut load: StoreLoad) {
        if std::mem::replace(&mut load.is_at_windows, true) {
            return self.end_load(load);
        }
        let scheduler = &self.scheduler;
        let is_there = |group: usize, path: &PathKey| {
            scheduler.page(path, group).is_some() || scheduler.tier.contains(&path.of_group(group))
        };
        let full = self.full_groups();
        let whole = load.paths.iter().take_while(|path| full.iter().all(|group| is_there(*group, path))).count();
        let next = whole * PAGE as usize;
        let windows = scheduler.lifetimes().enumerate().filter(|(_, lifetime)| lifetime.window.is_some());
        let pages = windows.flat_map(|(group, lifetime)| lifetime.pages(next..next).map(move |number| (group, number)));
        load.pages = pages.filter(|(group, number)| scheduler.page(&load.paths[*number], *group).is_none()).collect();
        self.begin_pages(load);
    }

    /// Begins to read the next page of a load.
    fn read_stored(&mut self, mut load: StoreLoad) {
        let Some((group, number)) = load.pages.front() else { return self.end_pages(load) };
        let key = load.paths[*number].of_group(*group);
        load.reading = match self.scheduler.tier.contains(&key) {
            true => Box::pin(std::future::ready(Ok(None))),
            false => self.store.get(&key),
        };
        self.store.loads.push(load);
    }

    /// Gives a page that has come to the cache, and goes on with the next.
    fn take_stored(&mut self, mut load: StoreLoad, given: Given) {
        if !self.scheduler.awaits_store(load.id) {
            // It was cancelled.
            return;
        }
        let Some((group, number)) = load.pages.pop_front() else { return self.end_pages(load) };
        let key = load.paths[number].of_group(group);
        let kept = self.scheduler.tier.lookup(&[key]).first().map(|page| page.to_vec());
        let page_bytes = self.runner.resources().kv.page_bytes().nth(group).unwrap_or(0) as usize;
        let page = match kept {
            Some(page) => page,
            None => match self.store.open(&key, page_bytes, given) {
                Some(page) => {
                    self.store.counts.loaded += 1;
                    load.loaded.push(self.store.name(&key));
                    page
                }
                None => return self.end_pages(load),
            },
        };
        if !self.adopt_page(&load, (group, number), &page) {
            return self.end_pages(load);
        }
        self.read_stored(load);
    }

    /// Gives a page of a load to the cache; false where it has no room beside what runs, or lacks the page before.
    fn adopt_page(&mut self, load: &StoreLoad, (group, number): (usize, usize), bytes: &[u8]) -> bool {
        let tokens = &load.tokens[..(number + 1) * PAGE as usize];
        let adopted = self.scheduler.adopt_page(self.scheduler.namespace(load.id), tokens, group);
        let before = self.scheduler.take_pending();
        self.prepare(before);
        let resources = self.runner.resources().clone();
        if let Adopted::Write(page) = adopted {
            write_page(&resources.device, &resources.kv, group, page, bytes);
        }
        adopted != Adopted::NoRoom
    }

    /// Lets a sequence begin with what the cache has now.
    fn end_load(&mut self, load: StoreLoad) {
        self.scheduler.set_awaits_store(load.id, false);
        self.store.used(load.loaded);
    }

    /// Writes what the store lacks of the cache, page by page.
    fn store_pages(&mut self, context: &mut Context<'_>) -> Poll<Result<(), PageStoreError>> {
        loop {
            if !self.store.is_open() || self.failure().is_some() {
                return Poll::Ready(Ok(()));
            }
            if self.store.write.is_some() {
                match self.poll_write(context) {
                    Some(Ok(())) => {}
                    Some(Err(error)) => return Poll::Ready(Err(error)),
                    None => return Poll::Pending,
                }
            }
            self.write_spilled();
            if self.store.write.is_some() {
                continue;
            }
            if self.store.reads.is_empty() && !self.read_unstored() {
                return Poll::Ready(Ok(()));
            }
            let Some((key, read)) = self.store.reads.front_mut() else { continue };
            let key = *key;
            let Poll::Ready(bytes) = read.as_mut().poll(context) else { return Poll::Pending };
            self.store.reads.pop_front();
            match bytes {
                Ok(bytes) => self.store.put(key, &bytes),
                // The device has failed, and so have its answers, which say so.
                Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Begins to read pages that the store lacks; false where it lacks none.
    fn read_unstored(&mut self) -> bool {
        let store = &mut self.store;
        let kept = self.scheduler.tier.iter().filter(|(key, _)| !store.has(key)).take(READS);
        let kept: Vec<_> = kept.map(|(key, bytes)| (*key, bytes.to_vec())).collect();
        for (key, bytes) in kept {
            store.reads.push_back((key, Box::pin(std::future::ready(Ok(bytes)))));
        }
        let resources = self.runner.resources().clone();
        for (group, key, page) in self.scheduler.full_pages() {
            let is_due = !store.has(&key) && !store.reads.iter().any(|(read, _)| *read == key);
            if is_due && store.reads.len() < READS {
                let read = self.transfer.read(&resources.device, &resources.kv, group, page);
                store.reads.push_back((key, Box::pin(read.wait())));
            }
        }
        !store.reads.is_empty()
    }
}
