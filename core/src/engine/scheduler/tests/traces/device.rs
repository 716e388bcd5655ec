//! A device without one: pages, page tables and rows that move as the kernels move them.

use std::ops::Range;

use super::{DecodeRow, Namespace, PageId, Preparation, STOP, Scheduler, SchedulerOptions};
use crate::kernels::kv::PAGE;
use crate::kv::groups::{BlockTable, Lifetime};
use crate::kv::path_key::PathKey;
use crate::kv::prefix::{PrefixMatch, Source};
use crate::kv::tiers::HostTier;

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

/// The pages and tables of a group of layers.
struct SimulatedGroup {
    lifetime: Lifetime,
    pages: Vec<[Cell; PAGE as usize]>,
    tables: Vec<Vec<Option<PageId>>>,
}

pub struct SimulatedDevice {
    pub context: u32,
    groups: Vec<SimulatedGroup>,
    rows: Vec<Option<SimulatedRow>>,
    /// Pages on their way to the host tier.
    pub evicted: Vec<(PathKey, Vec<u8>)>,
}

impl SimulatedDevice {
    pub fn new(options: &SchedulerOptions, context: u32) -> SimulatedDevice {
        let slots = options.slots as usize;
        let group = |group: &super::GroupOptions| SimulatedGroup {
            lifetime: group.lifetime,
            pages: vec![[Cell::default(); PAGE as usize]; group.pages as usize],
            tables: vec![vec![None; (context / PAGE) as usize]; slots],
        };
        let groups = options.groups.iter().map(group).collect();
        SimulatedDevice { context, groups, rows: vec![None; slots], evicted: Vec::new() }
    }

    /// `paths`: of the sequences that have the slots.
    pub fn prepare(&mut self, before: &[Preparation], paths: &[Option<Path>], tier: &mut HostTier) {
        for preparation in before {
            match preparation {
                Preparation::Evict(evicted) => {
                    if evicted.tokens == PAGE && tier.wants(&evicted.key, false) {
                        let cells = &self.groups[evicted.group].pages[evicted.page as usize];
                        let is_state = self.groups[evicted.group].lifetime.is_state;
                        let is_whole = cells.iter().all(|cell| cell.path.is_some()) || is_state;
                        assert!(is_whole && cells[PAGE as usize - 1].path.is_some(), "a full page");
                        let words = cells.iter().map(|cell| cell.path.unwrap_or(0).to_le_bytes());
                        self.evicted.push((evicted.key, words.flatten().collect()));
                    }
                    self.groups[evicted.group].disclaim(evicted.page);
                }
                Preparation::Load { group, key, page } => {
                    let [bytes] = tier.lookup(&[*key])[..] else { panic!("the tier lacks what is to be loaded") };
                    let words = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
                    let cell = |path| Cell { path: Some(path).filter(|path| *path != 0), is_claimed: false };
                    let cells = words.map(cell).collect::<Vec<_>>();
                    self.groups[*group].pages[*page as usize] = cells.try_into().expect("a whole page");
                }
                Preparation::Copy { group, from, to } => {
                    let group = &mut self.groups[*group];
                    group.pages[*to as usize] = group.pages[*from as usize];
                    group.disclaim(*to);
                }
                Preparation::Map { group, slot, first, pages } => {
                    let group = &mut self.groups[*group];
                    for (number, page) in (*first as usize..).zip(pages) {
                        group.tables[*slot as usize][number] = Some(*page);
                        // A page that nobody relies on any more holds something else, or it is shared.
                        let path = paths[*slot as usize].iter().flat_map(|path| &path.hashes);
                        let cells = &group.pages[*page as usize];
                        let expected = path.skip(number * PAGE as usize).map(Some).chain(std::iter::repeat(None));
                        let stands = |(cell, path): (&Cell, _)| !cell.is_claimed || path == cell.path.as_ref();
                        // A state is claimed anew where it is shared: what stands in a page may be one of its own sequence's past.
                        if group.lifetime.is_state || !cells.iter().zip(expected).all(stands) {
                            group.disclaim(*page);
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

    /// Positions that are computed in one pass: all that each attends to must be its own path's, and so must be the state before the first.
    fn pass(&mut self, slot: u32, positions: Range<usize>, path: &Path) {
        for group in self.groups.iter_mut().filter(|group| group.lifetime.is_state) {
            group.go_through(slot, positions.clone(), path);
        }
        positions.for_each(|position| self.compute(slot, position, path));
    }

    /// Keys and values of one position.
    fn compute(&mut self, slot: u32, position: usize, path: &Path) {
        let groups = self.groups.iter_mut().enumerate();
        for (number, group) in groups.filter(|(_, group)| !group.lifetime.is_state) {
            let Lifetime { window, keep, .. } = group.lifetime;
            let sees = |before: &usize| {
                *before < keep as usize || window.is_none_or(|window| before + window.max(1) as usize > position)
            };
            for before in (0..position).filter(sees) {
                let found = group.cell(slot, before).path;
                let place = format!("position {before} of slot {slot} in group {number}");
                assert_eq!(found, Some(path.hashes[before]), "{place}, seen from {position}");
            }
            let cell = group.cell(slot, position);
            let new = Some(path.hashes[position]);
            let is_free = !cell.is_claimed || cell.path == new;
            assert!(is_free, "position {position} of slot {slot} in group {number} is written while relied on");
            cell.path = new;
        }
    }

    pub fn prefill(&mut self, slot: u32, positions: Range<usize>, path: &Path) {
        self.pass(slot, positions, path);
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
            for (group, table) in self.groups.iter().zip(&scheduler.tracks[&id].tables) {
                let (own, there) = (table.get(position / PAGE as usize), &group.tables[slot as usize]);
                assert_eq!(own, there[position / PAGE as usize], "position {position} of slot {slot}");
            }
            self.pass(slot, position..position + 1, &row.path);
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
        let first = path.hashes.len() - 1;
        for drafted in draft.iter().map(Some).chain([None]) {
            chosen.push(chosen_behind(path.last()));
            drafted.into_iter().for_each(|token| path.push(*token));
        }
        self.pass(slot, first..path.hashes.len(), &path);
        chosen
    }

    /// A sequence relies on the first `computed` positions of its pages, and goes on at position `next`.
    pub fn claim(&mut self, tables: &[BlockTable], computed: usize, next: usize, path: &Path) {
        let has_state = self.groups.iter().any(|group| group.lifetime.is_state);
        for (group, table) in self.groups.iter_mut().zip(tables) {
            for (number, page) in table.iter() {
                for (at, cell) in group.pages[page as usize].iter_mut().enumerate() {
                    let position = number * PAGE as usize + at;
                    // What stands behind is of no use to anybody: a page that was given back and taken again is claimed anew.
                    cell.is_claimed = match group.lifetime.is_state {
                        true => at + 1 == PAGE as usize && position < computed,
                        false => position < computed,
                    };
                    let own = !cell.is_claimed || cell.path == Some(path.hashes[position]);
                    assert!(own, "position {position} is said to be computed");
                }
            }
            let needed = group.lifetime.pages(next..next).filter(|number| number * (PAGE as usize) < computed);
            let lacking: Vec<usize> = needed.filter(|number| table.get(*number).is_none()).collect();
            assert!(lacking.is_empty(), "position {next} needs the pages {lacking:?}");
            let most = group.lifetime.most_pages(super::CHUNK as u32).unwrap_or(u64::MAX);
            let most = most.saturating_add(u64::from(has_state));
            assert!(table.iter().count() as u64 <= most, "{:?} holds {table:?}", group.lifetime);
        }
    }

    /// What the index has found must stand there.
    pub fn holds(&mut self, found: &PrefixMatch, path: &Path) {
        for (number, (group, pages)) in self.groups.iter().zip(&found.pages).enumerate() {
            let full = pages.iter().map(|(number, source)| match source {
                Source::Page(page) => (*number, *page, PAGE),
                Source::Stored(key) => panic!("{key:?} was found, and nothing is stored"),
            });
            let partial = found.partial.iter();
            let partial = partial.map(|(pages, tokens)| (found.tokens / PAGE as usize, pages[number], *tokens));
            for (number, page, tokens) in full.chain(partial) {
                let hashes = &path.hashes[number * PAGE as usize..];
                let cells = group.pages[page as usize][..tokens as usize].iter().zip(hashes);
                let first = if group.lifetime.is_state { PAGE as usize - 1 } else { 0 };
                for (cell, hash) in cells.skip(first) {
                    assert_eq!(cell.path, Some(*hash), "page {page} holds what the index says");
                }
            }
        }
    }
}

impl SimulatedGroup {
    /// Moves a state on over these positions. A page's state is that behind the only position of it that has a path.
    fn go_through(&mut self, slot: u32, positions: Range<usize>, path: &Path) {
        let Range { start, end } = positions;
        let place = format!("position {start} of slot {slot}");
        let is_seen = start % PAGE as usize != 0 && self.cell(slot, start).path == Some(path.hashes[start]);
        if start > 0 && !is_seen {
            assert_eq!(self.cell(slot, start - 1).path, Some(path.hashes[start - 1]), "the state before {place}");
        }
        let kept: Vec<usize> = self.lifetime.pages_of_pass(start..end).collect();
        let ends = kept.into_iter().map(|page| ((page + 1) * PAGE as usize).min(end) - 1).filter(|at| *at >= start);
        for at in ends {
            let new = Cell { path: Some(path.hashes[at]), is_claimed: false };
            let Some(page) = self.tables[slot as usize][at / PAGE as usize] else { panic!("{place} has no page") };
            let cells = &mut self.pages[page as usize];
            let last = cells[PAGE as usize - 1];
            let is_free = !last.is_claimed || (at % PAGE as usize == PAGE as usize - 1 && last.path == new.path);
            assert!(is_free, "the state behind {at} of slot {slot} takes the place of one that is relied on");
            let was_claimed = last.is_claimed;
            cells.fill(Cell::default());
            cells[at % PAGE as usize] = Cell { is_claimed: was_claimed, ..new };
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
}
