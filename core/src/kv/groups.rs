//! Groups of layers: those of one shape and one lifetime share a page pool and have one block table a sequence.
//!
//! Full attention needs every position for as long as the sequence runs. A sliding window needs the last positions and perhaps some
//! kept leading ones, so pages that lie wholly between those two go back to the pool while an answer runs and while its prompt is
//! computed. Such a page leaves a hole in the block table. On the device its entry stays as it was: attention visits visible positions
//! by number, so that nothing reads it.
//!
//! A recurrent state is kept in pages, too: what it was behind the last position of a page, or behind the last that was computed in it. A
//! full page is a checkpoint. A row reads the state behind the position before it, and a sequence that is called back goes on from the
//! end of a page, so that it needs the page before its own as well. Where many rows are computed at once, most of the pages between
//! are left out.
//!
//! A prefix of a sequence can be gone on with if each group has the pages that the next position needs, whatever else is gone.

use std::ops::Range;

use super::pages::PageId;
use crate::kernels::kv::{KvType, PAGE};

const PAGE_TOKENS: usize = PAGE as usize;

/// Pages of a state that a sequence holds at most: two before its steps in flight, theirs, and checkpoints for other sequences.
const STATE_PAGES: u64 = 5;

/// Which positions a token's attention sees, and so how long keys and values are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Lifetime {
    /// Positions that a token sees, its own included; none where it sees all.
    pub window: Option<u32>,
    /// Leading positions that the window does not hide.
    pub keep: u32,
    /// Whether pages hold a state instead of positions.
    pub is_state: bool,
}

/// What a layer keeps of the positions before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CachePart {
    /// Keys and values.
    Attention,
    /// The channels of a convolution.
    Conv,
    /// A recurrent state.
    State,
}

/// Layers that share a page pool: what they keep has one shape, and one lifetime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvGroupSpec {
    /// Its layers, in order.
    pub layers: Vec<u32>,
    /// What they keep in it.
    pub part: CachePart,
    /// Key/value heads.
    pub kv_heads: u32,
    /// Width of a head.
    pub head_dim: u32,
    /// How long its positions are needed.
    pub lifetime: Lifetime,
    /// How its numbers are stored, whatever the cache's type is.
    pub ty: Option<KvType>,
}

impl Lifetime {
    /// Of a recurrent state: the page before a row's own, and its own.
    pub const STATE: Lifetime = Lifetime { window: Some(PAGE + 1), keep: 0, is_state: true };

    /// Numbers of the pages that rows at positions `rows` need which are computed in one pass: of a state those at whose end it is kept.
    pub fn pages_of_pass(&self, rows: Range<usize>) -> impl Iterator<Item = usize> + use<> {
        let (is_state, Range { start, end }) = (self.is_state, rows.clone());
        let is_between = move |page: usize| page * PAGE_TOKENS >= start && (page + 2) * PAGE_TOKENS <= end;
        self.pages(rows).filter(move |page| !(is_state && is_between(*page)))
    }

    /// Numbers of the pages that rows at positions `rows` read or write. Where they end before they begin: those before the end that a row
    /// at the beginning reads.
    pub fn pages(&self, rows: Range<usize>) -> impl Iterator<Item = usize> + use<> {
        let end = rows.end.div_ceil(PAGE_TOKENS);
        let start = self.window_start(rows.start).min(end);
        (0..self.kept_pages().min(start)).chain(start..end)
    }

    /// Numbers of the pages that lie between the kept ones and the window of a row at `position`.
    pub fn gap(&self, position: usize) -> Range<usize> {
        let start = self.window_start(position).min(position.div_ceil(PAGE_TOKENS));
        self.kept_pages().min(start)..start
    }

    /// Whether a row at `position` needs a page of what comes before it.
    pub fn needs(&self, position: usize, page: usize) -> bool {
        page < position.div_ceil(PAGE_TOKENS) && (page >= self.window_start(position) || page < self.kept_pages())
    }

    /// Pages of a group that a sequence holds at most while it computes `rows` positions at once.
    pub fn most_pages(&self, rows: u32) -> Option<u64> {
        if self.is_state {
            return Some(STATE_PAGES);
        }
        let span = u64::from(self.window?.max(1) - 1) + u64::from(rows.max(PAGE));
        Some((span - 1).div_ceil(u64::from(PAGE)) + 1 + self.kept_pages() as u64)
    }

    /// Pages of a group's pool. There is room for `cache_tokens`, and a page more for each of `slots` sequences, since a prefix that is
    /// shared up to the middle of a page takes a copy of that page. Behind windows every sequence needs its window alone, and `rows`
    /// positions that are computed at once.
    pub fn pool_pages(&self, cache_tokens: u32, slots: u32, rows: u32) -> u32 {
        let all = cache_tokens.div_ceil(PAGE).max(1).saturating_add(slots);
        let windows = self.most_pages(rows).map(|pages| u64::from(slots) * (pages + 1));
        windows.map_or(all, |windows| u32::try_from(windows).map_or(all, |windows| windows.min(all)))
    }

    /// Number of the page in which the window of a row at `position` begins.
    fn window_start(&self, position: usize) -> usize {
        self.window.map_or(0, |window| (position + 1).saturating_sub(window.max(1) as usize)) / PAGE_TOKENS
    }

    fn kept_pages(&self) -> usize {
        (self.keep as usize).div_ceil(PAGE_TOKENS)
    }
}

/// The pages of one sequence in one group, by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockTable {
    pages: Vec<Option<PageId>>,
    /// Pages below this number are kept, or gone.
    slid: usize,
}

impl BlockTable {
    /// How many pages there are, with the holes before the last.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// True where there is no page.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The page of this number; none in a hole and behind the end.
    pub fn get(&self, number: usize) -> Option<PageId> {
        self.pages.get(number).copied().flatten()
    }

    /// Says which page has a number; what is skipped before it is a hole.
    pub fn set(&mut self, number: usize, page: PageId) {
        if self.pages.len() <= number {
            self.pages.resize(number + 1, None);
        }
        self.pages[number] = Some(page);
    }

    /// Its pages with their numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, PageId)> {
        self.pages.iter().enumerate().filter_map(|(number, page)| Some((number, (*page)?)))
    }

    /// Those of the pages that rows need which are not there.
    pub fn lacking(&self, lifetime: &Lifetime, pages: impl Iterator<Item = usize>) -> Vec<usize> {
        // Without a window there are no holes.
        let standing = if lifetime.window.is_none() { self.len() } else { 0 };
        pages.skip(standing).filter(|number| self.get(*number).is_none()).collect()
    }

    /// Takes out the pages that no row at `position` or behind it sees.
    pub fn slide(&mut self, lifetime: &Lifetime, position: usize) -> Vec<PageId> {
        let start = lifetime.window_start(position).min(self.len());
        let gone = lifetime.kept_pages().max(self.slid)..start;
        self.slid = self.slid.max(start);
        gone.filter_map(|number| self.pages[number].take()).collect()
    }
}

impl FromIterator<PageId> for BlockTable {
    fn from_iter<I: IntoIterator<Item = PageId>>(pages: I) -> BlockTable {
        BlockTable { pages: pages.into_iter().map(Some).collect(), slid: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Positions that a row at `position` sees, by definition.
    fn sees(lifetime: &Lifetime, position: usize, other: usize) -> bool {
        let in_window = lifetime.window.is_none_or(|window| other + window.max(1) as usize > position);
        other <= position && (in_window || other < lifetime.keep as usize)
    }

    const fn of(window: Option<u32>, keep: u32) -> Lifetime {
        Lifetime { window, keep, is_state: false }
    }

    const LIFETIMES: [Lifetime; 6] =
        [of(None, 0), of(Some(1), 0), of(Some(37), 0), of(Some(32), 4), of(Some(33), 33), of(Some(100), 64)];

    #[test]
    fn lifetime_names_the_pages_that_rows_see_and_no_other() {
        for lifetime in LIFETIMES {
            for from in 0..200 {
                for count in [1, 2, 31, 40] {
                    let pages: Vec<usize> = lifetime.pages(from..from + count).collect();
                    let seen = |page: &usize| {
                        let positions = page * PAGE_TOKENS..(page + 1) * PAGE_TOKENS;
                        (from..from + count).any(|row| positions.clone().any(|other| sees(&lifetime, row, other)))
                    };
                    let wanted: Vec<usize> = (0..10).filter(seen).collect();
                    assert_eq!(pages, wanted, "{lifetime:?} rows {from} + {count}");
                    let needed = |page: &usize| lifetime.needs(from, *page);
                    assert!(lifetime.pages(from..from).eq((0..10).filter(needed)), "{lifetime:?} at {from}");
                    let all = 0..from.div_ceil(PAGE_TOKENS);
                    assert!(all.clone().filter(|page| !needed(page)).eq(lifetime.gap(from)), "{lifetime:?} at {from}");
                    if let Some(most) = lifetime.most_pages(count as u32) {
                        assert!(pages.len() as u64 <= most, "{lifetime:?} rows {from} + {count}");
                    }
                }
            }
        }
    }

    #[test]
    fn block_table_gives_back_what_no_later_row_sees() {
        for lifetime in LIFETIMES {
            let mut table: BlockTable = (0..8).collect();
            let mut gone = Vec::new();
            for position in 0..250 {
                gone.extend(table.slide(&lifetime, position));
                let mut all: Vec<PageId> = table.iter().map(|(_, page)| page).chain(gone.iter().copied()).collect();
                all.sort_unstable();
                assert_eq!(all, (0..8).collect::<Vec<_>>(), "each page is there or gone");
                assert!(table.lacking(&lifetime, lifetime.pages(position..250)).is_empty());
                let held = table.iter().filter(|(number, _)| *number <= position / PAGE_TOKENS).count();
                assert_eq!(held, lifetime.pages(position..position + 1).count(), "{lifetime:?} at {position}");
            }
        }
    }

    #[test]
    fn pass_over_many_rows_leaves_out_most_pages_of_a_state() {
        let pages = |rows: Range<usize>| Lifetime::STATE.pages_of_pass(rows).collect::<Vec<_>>();
        assert_eq!(pages(0..1), [0]);
        assert_eq!(pages(0..300), [8, 9], "the last border, and the end");
        assert_eq!(pages(40..300), [0, 1, 8, 9], "and the page before, and that which is gone on with");
        assert_eq!(pages(64..320), [1, 9]);
        assert_eq!(pages(64..96), [1, 2]);
        assert_eq!(pages(63..65), [0, 1, 2]);
        assert!(Lifetime::STATE.pages(40..300).eq(0..10));
        assert!(LIFETIMES.iter().all(|lifetime| lifetime.pages_of_pass(40..300).eq(lifetime.pages(40..300))));
        assert_eq!(Lifetime::STATE.pool_pages(1 << 20, 2, 512), 12);
    }

    #[test]
    fn pool_of_a_windowed_group_does_not_grow_with_the_context() {
        let windowed = of(Some(512), 0);
        let pages = windowed.pool_pages(8192, 1, 256);
        assert_eq!(pages, (512 + 256) / PAGE + 2, "a window, a chunk, two cut pages");
        assert_eq!(windowed.pool_pages(1 << 24, 1, 256), pages);
        assert_eq!(windowed.pool_pages(1 << 24, 4, 256), 4 * pages);
        assert_eq!(windowed.pool_pages(64, 1, 256), 3, "a context shorter than the window");
        assert_eq!(Lifetime::default().pool_pages(8192, 4, 256), 8192 / PAGE + 4);
        let absurd = of(Some(u32::MAX), u32::MAX);
        assert_eq!(absurd.pool_pages(u32::MAX, u32::MAX, u32::MAX), u32::MAX);
    }
}
