//! A device without one: pages, page tables and rows that move as the kernels move them.

use std::ops::Range;

use super::{DecodeRow, Namespace, PageId, Preparation, STOP, Scheduler};
use crate::kernels::kv::PAGE;
use crate::kv::prefix::PrefixMatch;

/// Hashes of a sequence's beginnings, one for each token.
#[derive(Debug, Clone)]
pub struct Path {
    root: u64,
    hashes: Vec<u64>,
}

impl Path {
    pub fn of(namespace: Namespace, tokens: &[u32]) -> Path {
        let mut path = Path { root: mix(namespace.0 + 1), hashes: Vec::with_capacity(tokens.len() + 8) };
        tokens.iter().for_each(|token| path.push(*token));
        path
    }

    pub fn push(&mut self, token: u32) {
        let last = self.hashes.last().copied().unwrap_or(self.root);
        self.hashes.push(mix(last ^ u64::from(token + 1).rotate_left(32)));
    }

    pub fn last(&self) -> u64 {
        self.hashes[self.hashes.len() - 1]
    }
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    value ^ (value >> 29)
}

/// What the model says behind a path.
pub fn chosen_behind(path: u64) -> u32 {
    if path.is_multiple_of(61) { STOP } else { 1 + (path >> 20) as u32 % 3 }
}

/// A row, with the path of its sequence up to its own token.
#[derive(Debug, Clone)]
struct SimulatedRow {
    path: Path,
    limit: usize,
    is_finished: bool,
    is_held: bool,
    holds: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    /// The path whose keys and values stand there.
    path: Option<u64>,
    /// Whether a sequence or the index relies on them.
    is_claimed: bool,
}

pub struct SimulatedDevice {
    pub context: u32,
    pages: Vec<[Cell; PAGE as usize]>,
    tables: Vec<Vec<Option<PageId>>>,
    rows: Vec<Option<SimulatedRow>>,
}

impl SimulatedDevice {
    pub fn new(slots: u32, pages: u32, context: u32) -> SimulatedDevice {
        SimulatedDevice {
            context,
            pages: vec![[Cell::default(); PAGE as usize]; pages as usize],
            tables: vec![vec![None; (context / PAGE) as usize]; slots as usize],
            rows: vec![None; slots as usize],
        }
    }

    /// `paths`: of the sequences that have the slots.
    pub fn prepare(&mut self, before: &[Preparation], paths: &[Option<Path>]) {
        for preparation in before {
            match preparation {
                Preparation::Evict(evicted) => self.disclaim(evicted.page),
                Preparation::Load { .. } => panic!("there is no host tier"),
                Preparation::Copy { from, to } => {
                    self.pages[*to as usize] = self.pages[*from as usize];
                    self.disclaim(*to);
                }
                Preparation::Map { slot, first, pages } => {
                    for (number, page) in (*first as usize..).zip(pages) {
                        self.tables[*slot as usize][number] = Some(*page);
                        // A page that nobody relies on any more holds something else, or it is shared.
                        let path = paths[*slot as usize].iter().flat_map(|path| &path.hashes);
                        let cells = &self.pages[*page as usize];
                        let mut expected = path.skip(number * PAGE as usize);
                        if !cells.iter().all(|cell| !cell.is_claimed || expected.next() == cell.path.as_ref()) {
                            self.disclaim(*page);
                        }
                    }
                }
                Preparation::Finish { slot } => {
                    if let Some(row) = &mut self.rows[*slot as usize] {
                        row.is_finished = true;
                    }
                }
            }
        }
    }

    fn disclaim(&mut self, page: PageId) {
        self.pages[page as usize].iter_mut().for_each(|cell| cell.is_claimed = false);
    }

    fn cell(&mut self, slot: u32, position: usize) -> &mut Cell {
        let Some(page) = self.tables[slot as usize][position / PAGE as usize] else {
            panic!("position {position} of slot {slot} has no page")
        };
        &mut self.pages[page as usize][position % PAGE as usize]
    }

    /// Keys and values of one position: all that it attends to must be its own path's.
    fn compute(&mut self, slot: u32, position: usize, path: &Path) {
        for before in 0..position {
            let found = self.cell(slot, before).path;
            assert_eq!(found, Some(path.hashes[before]), "position {before} of slot {slot}, seen from {position}");
        }
        let cell = self.cell(slot, position);
        let new = Some(path.hashes[position]);
        assert!(!cell.is_claimed || cell.path == new, "position {position} of slot {slot} is written while relied on");
        cell.path = new;
    }

    pub fn prefill(&mut self, slot: u32, positions: Range<usize>, path: &Path) {
        positions.for_each(|position| self.compute(slot, position, path));
    }

    /// As the driver writes rows.
    pub fn set_row(&mut self, row: &DecodeRow, path: Path, limit: usize, is_paced: bool) {
        let there = &mut self.rows[row.slot as usize];
        if row.is_stale {
            *there = Some(SimulatedRow { path, limit, is_finished: false, is_held: false, holds: is_paced });
        } else if let Some(there) = there {
            assert_eq!(there.holds, is_paced);
            if is_paced {
                assert_eq!(there.path.hashes, path.hashes, "a held row stands at its sequence's last token");
                (there.is_held, there.is_finished) = (false, false);
            }
        }
    }

    pub fn forward(&mut self, plan: u32, scheduler: &Scheduler) {
        for slot in 0..plan {
            let Some(row) = self.rows[slot as usize].clone().filter(|row| !row.is_finished) else { continue };
            let position = row.path.hashes.len() - 1;
            let Some(id) = scheduler.slots[slot as usize] else { panic!("a row without a sequence moves on") };
            let own = scheduler.tracks[&id].pages.get(position / PAGE as usize).copied();
            assert_eq!(own, self.tables[slot as usize][position / PAGE as usize], "position {position} of slot {slot}");
            self.compute(slot, position, &row.path);
        }
    }

    /// A step of all rows of a plan; what each chose.
    pub fn decode(&mut self, plan: u32, scheduler: &Scheduler) -> Vec<Option<u32>> {
        self.forward(plan, scheduler);
        let mut ring = vec![None; self.rows.len()];
        for (row, chosen) in self.rows.iter_mut().zip(&mut ring).take(plan as usize) {
            let Some(row) = row.as_mut().filter(|row| !row.is_finished && !row.is_held) else { continue };
            let token = chosen_behind(row.path.last());
            *chosen = Some(token);
            row.path.push(token);
            row.is_finished = token == STOP || row.path.hashes.len() >= row.limit;
            row.is_held = row.holds;
        }
        ring
    }

    /// One pass over a sequence's last token and drafted ones behind it; what is chosen behind each.
    pub fn verify(&mut self, slot: u32, mut path: Path, draft: &[u32]) -> Vec<u32> {
        let mut chosen = Vec::new();
        for drafted in draft.iter().map(Some).chain([None]) {
            self.compute(slot, path.hashes.len() - 1, &path);
            chosen.push(chosen_behind(path.last()));
            drafted.into_iter().for_each(|token| path.push(*token));
        }
        chosen
    }

    /// A sequence relies on the first `computed` positions of its pages.
    pub fn claim(&mut self, pages: &[PageId], computed: usize, path: &Path) {
        for (position, hash) in path.hashes[..computed].iter().enumerate() {
            let cell = &mut self.pages[pages[position / PAGE as usize] as usize][position % PAGE as usize];
            assert_eq!(cell.path, Some(*hash), "position {position} is said to be computed");
            cell.is_claimed = true;
        }
        // What stands behind is of no use to anybody: a page that was given back and taken again is claimed anew.
        let rest = pages.len() * PAGE as usize;
        for position in computed..rest {
            self.pages[pages[position / PAGE as usize] as usize][position % PAGE as usize].is_claimed = false;
        }
    }

    /// What the index has found must stand there.
    pub fn holds(&mut self, found: &PrefixMatch, path: &Path) {
        let full = found.pages.iter().map(|page| (*page, PAGE));
        let mut hashes = path.hashes.iter();
        for (page, tokens) in full.chain(found.partial) {
            for cell in &self.pages[page as usize][..tokens as usize] {
                assert_eq!(cell.path.as_ref(), hashes.next(), "page {page} holds what the index says");
            }
        }
    }
}
