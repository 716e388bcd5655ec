//! Random traces of the scheduler against a model of the device. What a page holds is, for each position, a hash of the whole path of
//! tokens up to there, so that keys and values of any other path are seen; the token that follows a path is a function of that hash,
//! so that every answer is known without a scheduler.

mod device;

use std::collections::{BTreeMap, VecDeque};

use super::*;
use crate::kv::pages::PageId;
use device::{Path, SimulatedDevice, chosen_behind};

/// The token that ends an answer.
const STOP: u32 = 0;

/// What the driver and an answer's policy know of a request.
#[derive(Debug, Clone)]
struct Asked {
    prompt: usize,
    tokens: Vec<u32>,
    limit: usize,
    namespace: Namespace,
    /// Whether a grammar holds: some stretches are paced, and some tokens are replaced by others.
    is_constrained: bool,
    is_paced: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    Resume,
    End,
}

impl Asked {
    fn path(&self) -> Path {
        Path::of(self.namespace, &self.tokens)
    }

    /// Takes a token that was chosen; what stands afterwards is up to the path alone.
    fn advance(&mut self, token: u32) -> Next {
        let hash = self.path().last();
        let is_rejected = self.is_constrained && hash % 7 == 3;
        let forced = [1 + (hash % 5) as u32, 2, 3];
        let standing: &[u32] = if is_rejected { &forced[..1 + (hash % 3) as usize] } else { &[token] };
        for token in standing {
            self.tokens.push(*token);
            if *token == STOP || self.tokens.len() >= self.limit {
                return Next::End;
            }
        }
        let paces = self.paces();
        let was_paced = std::mem::replace(&mut self.is_paced, paces);
        if is_rejected || was_paced != self.is_paced { Next::Resume } else { Next::GoOn }
    }

    fn paces(&self) -> bool {
        self.is_constrained && (self.tokens.len() / 6) % 3 != 1
    }

    /// The whole answer, as an engine gives it that shares and keeps nothing.
    fn alone(mut self) -> Vec<u32> {
        while self.advance(chosen_behind(self.path().last())) != Next::End {}
        self.tokens
    }
}

/// A submission that was not read yet: the rows that took part, with their tokens.
#[derive(Default)]
struct Unread {
    rows: Vec<(DecodeRow, Vec<u32>)>,
    lookahead: bool,
    /// Tokens that a draft model was asked for.
    drafted: Option<(DecodeRow, usize)>,
}

struct Trace {
    random: fastrand::Rng,
    options: SchedulerOptions,
    scheduler: Scheduler,
    device: SimulatedDevice,
    asked: BTreeMap<SeqId, Asked>,
    expected: BTreeMap<SeqId, Vec<u32>>,
    unread: VecDeque<Unread>,
    /// Sequences whose masks are not made yet.
    masks_due: Vec<SeqId>,
    plan_rows: u32,
    next_id: SeqId,
    now: i64,
    prompts: Vec<Vec<u32>>,
    idle_steps: u32,
    finished: u32,
    /// Drafted tokens that were accepted.
    verified: usize,
}

impl Trace {
    fn new(seed: u64) -> Trace {
        let mut random = fastrand::Rng::with_seed(seed);
        let slots = *random.choice(&[1, 2, 3, 4, 8]).expect("some");
        let context = random.u32(2..6) * PAGE;
        // Half of the traces have one group that sees all; the others up to three, or windows alone.
        let (one, windows_alone) = (random.bool(), random.u32(0..4) == 0);
        let groups = (0..if one { 1 } else { random.u32(1..=3) }).map(|number| {
            let window = *random.choice(&[1, 2, 20, 32, 33, 40, 75]).expect("some");
            let keep = *random.choice(&[0, 0, 0, 3, 33]).expect("some");
            let lifetime = match one || (number == 0 && !windows_alone) {
                true => Lifetime::default(),
                false if random.u32(0..3) == 0 => Lifetime::STATE,
                false => Lifetime { window: Some(window), keep, is_state: false },
            };
            let all = context / PAGE;
            let least = lifetime.most_pages(CHUNK as u32).map_or(all, |most| all.min(most as u32));
            GroupOptions { lifetime, pages: least + random.u32(0..=2 * slots) }
        });
        let mut groups: Vec<GroupOptions> = groups.collect();
        // Windows then reach back from the last end of a page.
        let has_state = groups.iter().any(|group| group.lifetime.is_state);
        groups.iter_mut().filter(|group| has_state && !group.lifetime.is_state).for_each(|group| group.pages += 1);
        let options = SchedulerOptions { slots, groups, queue: random.usize(1..12) };
        let mut scheduler = Scheduler::new(options.clone());
        if random.bool() {
            scheduler.tier = HostTier::new(random.usize(1..40) * PAGE as usize * 8, 0);
        }
        let prompts =
            (0..3).map(|_| (0..random.usize(1..context as usize - 8)).map(|_| random.u32(1..4)).collect()).collect();
        Trace {
            scheduler,
            device: SimulatedDevice::new(&options, context),
            options,
            asked: BTreeMap::new(),
            expected: BTreeMap::new(),
            unread: VecDeque::new(),
            masks_due: Vec::new(),
            plan_rows: 1,
            next_id: 0,
            now: 0,
            prompts,
            idle_steps: 0,
            finished: 0,
            verified: 0,
            random,
        }
    }

    fn run(&mut self) {
        let mut to_submit = self.random.u32(1..14);
        let fails_at = self.random.u32(0..40);
        for round in 0..20_000 {
            self.now += self.random.i64(0..3_000);
            match self.random.u32(0..20) {
                0..=2 if to_submit > 0 => {
                    to_submit -= 1;
                    self.submit();
                }
                3 if self.random.u32(0..6) == 0 => self.cancel_any(),
                4 if self.random.u32(0..10) == 0 => self.scheduler.clear_index(),
                5 => self.build_plan(),
                6 if fails_at == 0 && round > 30 => {
                    self.fail();
                    break;
                }
                7..=9 => self.make_mask(),
                10 => self.device.evicted.drain(..).for_each(|(key, bytes)| self.scheduler.tier.put(key, bytes.into())),
                11..=14 if self.unread.len() < 2 => _ = self.step(),
                _ => self.read(),
            }
            self.check();
            if to_submit == 0 && self.asked.is_empty() {
                break;
            }
            assert!(round < 19_999, "no end of {:?}", self.scheduler);
        }
        self.end();
    }

    fn submit(&mut self) {
        let context = (self.device.context as usize).saturating_sub(1);
        let mut prompt = self.prompts[self.random.usize(0..3)].clone();
        prompt.truncate(self.random.usize(0..=prompt.len()));
        prompt.extend((0..self.random.usize(1..20)).map(|_| self.random.u32(1..4)));
        prompt.truncate(context);
        let limit = (prompt.len() + self.random.usize(1..60)).min(context + 1);
        let namespace = Namespace(self.random.u64(0..2));
        let is_constrained = self.random.bool();
        let choices = if self.random.u32(0..6) == 0 { 3 } else { 1 };
        for _ in 0..choices {
            self.next_id += 1;
            let id = self.next_id;
            let priority = self.random.i32(-1..=1);
            let waiting = self.scheduler.waiting();
            let taken = self.scheduler.submit(id, &prompt, limit, (priority, self.now), namespace);
            assert_eq!(taken.is_err(), waiting >= self.options.queue);
            if taken.is_err() {
                continue;
            }
            let mut asked = Asked {
                prompt: prompt.len(),
                tokens: prompt.clone(),
                limit,
                namespace,
                is_constrained,
                is_paced: false,
            };
            asked.is_paced = asked.paces();
            self.scheduler.set_pace(id, asked.is_paced, u32::MAX);
            self.expected.insert(id, asked.clone().alone());
            self.asked.insert(id, asked);
        }
    }

    fn cancel_any(&mut self) {
        let ids: Vec<SeqId> = self.asked.keys().copied().collect();
        if let Some(id) = self.random.choice(ids) {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: SeqId) {
        self.scheduler.remove(id);
        self.asked.remove(&id);
        self.masks_due.retain(|due| *due != id);
    }

    /// A larger plan, where one is wanted.
    fn build_plan(&mut self) {
        let wanted = self.scheduler.rows_wanted().next_power_of_two().min(self.options.slots);
        self.plan_rows = self.plan_rows.max(wanted);
    }

    fn make_mask(&mut self) {
        if let Some(id) = self.masks_due.pop() {
            self.scheduler.set_waiting(id, false);
            self.scheduler.set_held(id, false);
        }
    }

    /// Submits the next step; false where there is none.
    fn step(&mut self) -> bool {
        let limits =
            StepLimits { chunk_alone: CHUNK, chunk_shared: self.random.usize(1..40), rows: self.plan_rows, group: 4 };
        let Some(Step { before, work }) = self.scheduler.next(&limits) else { return false };
        let slots = self.scheduler.slots.iter();
        let paths: Vec<_> = slots.map(|id| id.map(|id| self.asked[&id].path())).collect();
        self.device.prepare(&before, &paths, &mut self.scheduler.tier);
        self.idle_steps = if work == Work::Nothing { self.idle_steps + 1 } else { 0 };
        assert!(self.idle_steps < 20, "steps of nothing but preparations: {:?}", self.scheduler);
        match work {
            Work::Nothing => {}
            Work::Verify { row, proposal: Proposal::Tokens(draft) } => self.verify(row, &draft),
            Work::Verify { row, proposal: Proposal::Model(work) } => {
                self.unread.push_back(Unread { drafted: Some((row, work.chosen)), ..Unread::default() });
            }
            Work::Prefill { id, slot, from, to } => {
                self.device.prefill(slot, from..to, &self.asked[&id].path());
                self.unread.push_back(Unread::default());
            }
            Work::Decode { rows, steps, lookahead } => {
                for row in &rows {
                    let asked = &self.asked[&row.id];
                    assert!(self.scheduler.tracks[&row.id].tokens == asked.tokens);
                    self.device.set_row(row, asked.path(), asked.limit, asked.is_paced);
                }
                let slots = rows.iter().map(|row| row.slot + 1).max().expect("rows");
                let plan = slots.next_power_of_two().min(self.options.slots);
                assert!(plan <= self.plan_rows);
                let mut chosen = vec![Vec::new(); rows.len()];
                for _ in 0..steps {
                    let ring = self.device.decode(plan, &self.scheduler);
                    rows.iter().zip(&mut chosen).for_each(|(row, chosen)| chosen.extend(ring[row.slot as usize]));
                }
                if lookahead {
                    self.device.forward(plan, &self.scheduler);
                }
                self.unread.push_back(Unread {
                    rows: rows.into_iter().zip(chosen).collect(),
                    lookahead,
                    drafted: None,
                });
            }
        }
        true
    }

    fn read(&mut self) {
        let Some(Unread { rows, lookahead, drafted }) = self.unread.pop_front() else {
            let waits = !self.asked.is_empty() && self.masks_due.is_empty();
            if waits && !self.step() {
                let rows = self.plan_rows;
                self.build_plan();
                assert!(self.plan_rows > rows, "requests, and nothing to do: {:?}", self.scheduler);
            }
            return;
        };
        if let Some((row, chosen)) = drafted.filter(|(row, _)| self.scheduler.epoch(row.id) == Some(row.epoch)) {
            if chosen > 0 {
                let draft = self.draft(row.id, chosen);
                self.verify(row, &draft);
            } else {
                self.scheduler.read(row.id, 1);
                self.scheduler.set_held(row.id, false);
            }
        }
        for (row, tokens) in rows {
            if self.scheduler.epoch(row.id) != Some(row.epoch) {
                continue;
            }
            let steps = if self.asked[&row.id].is_paced { 1 } else { tokens.len() as u32 };
            self.scheduler.read(row.id, steps);
            self.take(row.id, &tokens, lookahead);
        }
    }

    fn take(&mut self, id: SeqId, tokens: &[u32], lookahead: bool) {
        for token in tokens {
            let Some(asked) = self.asked.get_mut(&id) else { return };
            let standing = asked.tokens.len();
            let next = asked.advance(*token);
            let stands = asked.tokens[standing] == *token;
            let goes_on = next != Next::End && *token != STOP;
            let computed = standing + usize::from(lookahead && stands && goes_on);
            self.scheduler.extend(id, &asked.tokens[standing..], computed);
            match next {
                Next::GoOn => {}
                Next::Resume => {
                    self.scheduler.rewind(id);
                    break;
                }
                Next::End => {
                    let cached = self.scheduler.cached(id).expect("it has run");
                    assert!(cached < asked.prompt, "{cached} cached of {}", asked.prompt);
                    assert_eq!(asked.tokens, self.expected[&id], "answer {id}");
                    self.finished += 1;
                    self.remove(id);
                    return;
                }
            }
        }
        let asked = &self.asked[&id];
        let lookahead = if self.random.bool() { u32::MAX } else { self.random.u32(0..6) };
        self.scheduler.set_pace(id, asked.is_paced, lookahead);
        self.scheduler.set_held(id, asked.is_paced);
        if asked.is_paced {
            // Preempted meanwhile, it does not begin without its mask.
            self.scheduler.set_waiting(id, true);
            self.masks_due.push(id);
        }
        let room = (asked.limit - asked.tokens.len()).saturating_sub(1).min(7);
        let is_plain = !asked.is_constrained && self.scheduler.is_alone(id);
        let proposal = match self.random.u32(0..4) {
            _ if !is_plain || room == 0 => None,
            0 => Some(Proposal::Model(DraftWork { computed: 9, chosen: 0 })),
            1 => Some(Proposal::Model(DraftWork { computed: 1, chosen: self.random.usize(1..=room) })),
            2 => Some(Proposal::Tokens(self.draft(id, room))),
            _ => None,
        };
        self.scheduler.set_proposal(id, proposal);
    }

    /// What may follow a sequence: mostly what does.
    fn draft(&mut self, id: SeqId, count: usize) -> Vec<u32> {
        let mut path = self.asked[&id].path();
        let draw = |_| {
            let token = if self.random.u32(0..6) > 0 { chosen_behind(path.last()) } else { self.random.u32(0..4) };
            path.push(token);
            token
        };
        (0..count).map(draw).collect()
    }

    /// One pass over a sequence's last token and its drafted ones: the first that is chosen otherwise is the last that stands.
    fn verify(&mut self, row: DecodeRow, draft: &[u32]) {
        let asked = &self.asked[&row.id];
        let chosen = self.device.verify(row.slot, asked.path(), draft);
        let accepted = chosen.iter().zip(draft).take_while(|(chosen, drafted)| chosen == drafted).count();
        self.verified += accepted;
        self.unread.push_back(Unread { rows: vec![(row, chosen[..=accepted].to_vec())], ..Unread::default() });
    }

    /// The device fails: everything ends.
    fn fail(&mut self) {
        self.unread.clear();
        let ids: Vec<SeqId> = self.asked.keys().copied().collect();
        ids.into_iter().for_each(|id| self.remove(id));
        self.scheduler.clear_index();
    }

    /// What must hold after every step.
    fn check(&mut self) {
        let scheduler = &self.scheduler;
        let running = scheduler.slots.iter().flatten().count();
        assert_eq!(running + scheduler.waiting.len(), self.asked.len(), "each sequence waits or runs");
        for (id, track) in &scheduler.tracks {
            let asked = &self.asked[id];
            assert_eq!(track.tokens, asked.tokens);
            let has_no_page = track.tables.iter().all(BlockTable::is_empty);
            assert!(track.slot.is_some() || (has_no_page && track.computed == 0));
            self.device.claim(&track.tables, track.computed, track.first_row(), &asked.path());
        }
        for (group, pool) in scheduler.pools.iter().enumerate() {
            let tables = scheduler.tracks.values().map(|track| &track.tables[group]);
            let held: std::collections::HashSet<PageId> =
                tables.flat_map(|table| table.iter().map(|(_, page)| page)).collect();
            assert!(pool.free() + scheduler.index.pages(group) + held.len() >= pool.len(), "a page is lost");
            assert_eq!(pool.obtainable(), pool.len() - held.len());
        }
        // What the index says of any sequence that was ever asked for is what stands in the pages.
        if let Some((_, tokens)) = self.random.choice(self.expected.iter().collect::<Vec<_>>()) {
            let namespace = Namespace(self.random.u64(0..2));
            let found = self.scheduler.index.lookup(namespace, tokens, None);
            self.device.holds(&found, &Path::of(namespace, tokens));
        }
    }

    /// Everything has ended: nothing is left but the index's pages, and then nothing.
    fn end(&mut self) {
        self.step();
        let scheduler = &mut self.scheduler;
        assert!(scheduler.tracks.is_empty() && scheduler.waiting.is_empty());
        assert!(scheduler.slots.iter().all(Option::is_none));
        for (group, pool) in scheduler.pools.iter().enumerate() {
            assert_eq!(pool.free() + scheduler.index.pages(group), pool.len());
        }
        scheduler.clear_index();
        assert!(scheduler.pools.iter().all(|pool| (pool.free(), pool.shared()) == (pool.len(), 0)));
    }
}

#[test]
fn random_traces_lose_no_page_and_give_the_answers_of_an_uncached_engine() {
    let count = if std::env::var_os("INGLENOOK_FULL").is_some() { 10_000 } else { 2_000 };
    let (mut counts, mut finished, mut verified) = (Counts::default(), 0, 0);
    for seed in 0..count {
        let traced = std::panic::catch_unwind(|| {
            let mut trace = Trace::new(seed);
            trace.run();
            (trace.scheduler.counts(), trace.finished, trace.verified)
        });
        let Ok((of_trace, ended, accepted)) = traced else { panic!("the trace of seed {seed} went wrong") };
        counts.reused += of_trace.reused;
        counts.prefilled += of_trace.prefilled;
        counts.evicted += of_trace.evicted;
        counts.preempted += of_trace.preempted;
        counts.loaded += of_trace.loaded;
        finished += ended;
        verified += accepted;
    }
    println!("seeds 0..{count}: {finished} answers, {counts:?}");
    assert!(verified > 0);
    let Counts { reused, evicted, preempted, loaded, .. } = counts;
    assert!([finished.into(), reused, evicted, preempted, loaded].iter().all(|count| *count > 0), "{counts:?}");
}
