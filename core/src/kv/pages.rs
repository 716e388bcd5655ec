//! Which pages of a pool are free, and how often each of the others is referenced.
//!
//! A page is only an index here: the pool's device memory is the cache's. A page may be written by a sequence only while that sequence's
//! reference is the only one; [`PagePool::refs`] tells. The prefix index has at most one reference to a page, which is told from those of
//! sequences: a page that the index alone holds can be had by eviction.

/// Index of a page in its pool, as it stands in page tables.
pub type PageId = u32;

/// The pages of one pool, reference-counted. Every operation takes constant time.
#[derive(Debug)]
pub struct PagePool {
    /// References to each page; 0 where it is free.
    refs: Vec<u32>,
    /// Whether one of them is the prefix index's.
    is_cached: Vec<bool>,
    /// Free pages. The one freed last is given out first: its memory is the likeliest to be in a cache.
    free: Vec<PageId>,
    /// How many pages have more than one reference.
    shared: usize,
    /// How many pages sequences hold.
    held: usize,
}

impl PagePool {
    /// A pool of pages `0..pages`, all free.
    pub fn new(pages: u32) -> PagePool {
        let (refs, is_cached) = (vec![0; pages as usize], vec![false; pages as usize]);
        PagePool { refs, is_cached, free: (0..pages).rev().collect(), shared: 0, held: 0 }
    }

    /// Takes a free page, with one reference. None when every page is in use.
    pub fn alloc(&mut self) -> Option<PageId> {
        let page = self.free.pop()?;
        self.refs[page as usize] = 1;
        self.held += 1;
        Some(page)
    }

    /// Adds a reference to a page in use.
    ///
    /// A free page, or one of another pool, is a fault of our own: debug builds panic, others leave the pool as it is.
    pub fn retain(&mut self, page: PageId) {
        match self.refs.get_mut(page as usize) {
            Some(refs) if *refs > 0 => {
                self.held += usize::from(*refs == u32::from(self.is_cached[page as usize]));
                *refs += 1;
                self.shared += usize::from(*refs == 2);
            }
            _ => debug_assert!(false, "page {page} was retained while free"),
        }
    }

    /// Gives a reference back; true when it was the last, so that the page is free now.
    ///
    /// A page that has none is a fault of our own: debug builds panic, others leave the pool as it is, so that no page is handed out
    /// twice.
    pub fn release(&mut self, page: PageId) -> bool {
        match self.refs.get_mut(page as usize) {
            Some(refs) if *refs > 0 => {
                *refs -= 1;
                self.shared -= usize::from(*refs == 1);
                self.held -= usize::from(*refs == u32::from(self.is_cached[page as usize]));
                if *refs == 0 {
                    self.free.push(page);
                }
                *refs == 0
            }
            _ => {
                debug_assert!(false, "page {page} was released while free");
                false
            }
        }
    }

    /// Adds the prefix index's reference to a page that a sequence holds.
    pub fn cache(&mut self, page: PageId) {
        self.retain(page);
        if let Some(is_cached) = self.is_cached.get_mut(page as usize) {
            debug_assert!(!*is_cached, "the index has one reference to page {page}");
            *is_cached = true;
        }
    }

    /// Gives the prefix index's reference back; true when it was the last.
    pub fn uncache(&mut self, page: PageId) -> bool {
        if let Some(is_cached) = self.is_cached.get_mut(page as usize) {
            debug_assert!(*is_cached, "the index has no reference to page {page}");
            // It counts as a sequence's from here on, and is given back as one.
            self.held += usize::from(*is_cached && self.refs[page as usize] == 1);
            *is_cached = false;
        }
        self.release(page)
    }

    /// Whether a sequence holds a page.
    pub fn is_held(&self, page: PageId) -> bool {
        self.refs(page) > u32::from(self.is_cached.get(page as usize).copied().unwrap_or_default())
    }

    /// Pages that no sequence holds: free ones, and those that the index can give up.
    pub fn obtainable(&self) -> usize {
        self.refs.len() - self.held
    }

    /// References to a page; 0 where it is free or not of this pool.
    pub fn refs(&self, page: PageId) -> u32 {
        self.refs.get(page as usize).copied().unwrap_or(0)
    }

    /// How many pages are free.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// How many pages have more than one reference.
    pub fn shared(&self) -> usize {
        self.shared
    }

    /// How many pages there are, free or in use.
    pub fn len(&self) -> usize {
        self.refs.len()
    }

    /// True for a pool of no pages at all.
    pub fn is_empty(&self) -> bool {
        self.refs.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn alloc_gives_out_the_page_freed_last() {
        let mut pool = PagePool::new(3);
        let pages: Vec<_> = std::iter::from_fn(|| pool.alloc()).collect();
        assert_eq!(pages, [0, 1, 2]);
        assert!(pool.release(2) && pool.release(0));
        assert_eq!((pool.alloc(), pool.alloc(), pool.alloc()), (Some(0), Some(2), None));
    }

    #[test]
    fn release_frees_with_the_last_reference_only() {
        let mut pool = PagePool::new(1);
        let page = pool.alloc().unwrap();
        pool.retain(page);
        assert_eq!((pool.shared(), pool.free()), (1, 0));
        assert!(!pool.release(page));
        assert_eq!((pool.refs(page), pool.shared(), pool.free()), (1, 0, 0));
        assert!(pool.release(page));
        assert_eq!((pool.refs(page), pool.free()), (0, 1));
    }

    #[test]
    fn obtainable_counts_free_pages_and_those_of_the_index_alone() {
        let mut pool = PagePool::new(3);
        let page = pool.alloc().unwrap();
        pool.cache(page);
        assert_eq!((pool.obtainable(), pool.refs(page), pool.is_held(page)), (2, 2, true));
        assert!(!pool.release(page));
        assert_eq!((pool.obtainable(), pool.refs(page), pool.is_held(page)), (3, 1, false));
        pool.retain(page);
        assert!(!pool.uncache(page), "a sequence holds it");
        assert_eq!((pool.obtainable(), pool.is_held(page)), (2, true));
        pool.cache(page);
        pool.release(page);
        assert!(pool.uncache(page));
        assert_eq!((pool.obtainable(), pool.free()), (3, 3));
    }

    #[test]
    fn wrong_references_do_not_corrupt_the_pool() {
        for wrong in [0, 2, u32::MAX] {
            for retain in [false, true] {
                let mut pool = PagePool::new(2);
                let fault = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match retain {
                    true => pool.retain(wrong),
                    false => assert!(!pool.release(wrong), "page {wrong} was free already"),
                }));
                assert_eq!(fault.is_err(), cfg!(debug_assertions));
                assert_eq!((pool.alloc(), pool.alloc(), pool.alloc()), (Some(0), Some(1), None));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        /// Steps: take a page, or add or give back a reference to one of those held.
        #[test]
        fn pool_counts_as_a_list_of_references_does(
            pages in 0u32..9,
            steps in proptest::collection::vec((0u8..3, any::<prop::sample::Index>()), 0..120),
        ) {
            let mut pool = PagePool::new(pages);
            let mut held: Vec<PageId> = Vec::new();
            for (step, at) in steps {
                match step {
                    0 => match pool.alloc() {
                        Some(page) => {
                            prop_assert!(page < pages && !held.contains(&page));
                            held.push(page);
                        }
                        None => prop_assert!((0..pages).all(|page| held.contains(&page))),
                    },
                    _ if held.is_empty() => {}
                    1 => {
                        let page = held[at.index(held.len())];
                        pool.retain(page);
                        held.push(page);
                    }
                    _ => {
                        let page = held.swap_remove(at.index(held.len()));
                        prop_assert_eq!(pool.release(page), !held.contains(&page));
                    }
                }
                let refs = |page| held.iter().filter(|other| **other == page).count();
                prop_assert!((0..pages).all(|page| pool.refs(page) as usize == refs(page)));
                prop_assert_eq!(pool.free(), (0..pages).filter(|page| refs(*page) == 0).count());
                prop_assert_eq!(pool.shared(), (0..pages).filter(|page| refs(*page) > 1).count());
                prop_assert_eq!((pool.len(), pool.obtainable()), (pages as usize, pool.free()));
            }
        }
    }
}
