//! Moves an engine on: what the scheduler decides is submitted, what the device has chosen is taken to its sequence, and the events go
//! to the answers. Whoever awaits an answer drives; nothing here waits, so that a future that is dropped leaves nothing half done.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use web_time::{Duration, Instant};

use super::answer::Mailbox;
use super::audit::{AuditHook, AuditRecord};
use super::drafter::{Acceptance, PromptLookup, VerifyCost};
use super::event::FinishReason;
use super::executor::{DecodePlan, ModelRunner, Phase, PlanWanted, RingSpan, SlotState};
use super::fault;
use super::metrics::{EngineMetrics, Throughput};
use super::page_transfer::{PageTransfer, write_page};
use super::scheduler::{DecodeRow, Preparation, Scheduler, SeqId, Step, StepLimits, Work};
use super::sequence::{MaskMode, NextAction, Sequence};
use crate::error::Error;
use crate::gpu::GpuError;
use crate::kernels::kv::PAGE;
use crate::kernels::sampling::{Features, HOLD, MASKED, NO_TOKEN, history_words, recent_words, stop_words};
use crate::kv::prefix::Evicted;
use crate::plan::{KernelCache, PendingReadback, PlanError};

/// Steps of a submission once answers are under way: a read for every four tokens.
pub(super) const STEPS_PER_SUBMIT: u32 = 4;

/// Submissions queued ahead, so that the GPU works while the CPU waits.
const SUBMITS_IN_FLIGHT: usize = 2;

/// How long a chunk of a prompt may keep the device while other answers are under way, and while none is.
const SHARED_CHUNK: Duration = Duration::from_millis(100);

/// Fewest tokens of a chunk.
const MIN_CHUNK: usize = 16;

/// Rows of the plans of verification: the token before a draft, and three or seven drafted ones.
const VERIFY_ROWS: [u32; 2] = [4, 8];

/// So many tokens must prompt lookup have foreseen before plans of verification are built.
const FORESEEN_ENOUGH: u32 = 16;

/// What an engine and its answers share.
#[derive(Debug)]
pub(super) struct Shared {
    driver: RefCell<Driver>,
    audit: RefCell<Option<AuditHook>>,
    waiting: Arc<Waiting>,
}

/// Who waits for an event. All are woken when anything has happened, since any of them may have to drive.
#[derive(Debug, Default)]
struct Waiting(Mutex<Vec<Waker>>);

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        let wakers = std::mem::take(&mut *self.0.lock().expect("a push never panics"));
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Waiting {
    fn add(&self, waker: &Waker) {
        let mut wakers = self.0.lock().expect("a push never panics");
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }
}

impl Shared {
    pub fn new(driver: Driver) -> Shared {
        Shared { driver: RefCell::new(driver), audit: RefCell::default(), waiting: Arc::default() }
    }

    /// Moves the engine on by what can be done now; pending where something has to be waited for first.
    pub fn drive(&self, context: &mut Context<'_>) -> Poll<()> {
        self.waiting.add(context.waker());
        let waker = Waker::from(self.waiting.clone());
        let moved = self.driver.borrow_mut().poll(&mut Context::from_waker(&waker));
        if moved.is_ready() {
            waker.wake();
        }
        self.tell_audit();
        moved
    }

    pub fn cancel(&self, choices: &[SeqId]) {
        self.with(|driver| choices.iter().for_each(|id| driver.cancel(*id)));
        self.wake();
        self.tell_audit();
    }

    /// Sets who is told of each request that has ended.
    pub fn set_audit(&self, hook: AuditHook) {
        *self.audit.borrow_mut() = Some(hook);
        self.with(|driver| driver.audits = true);
    }

    /// Tells the audit hook of the requests that have ended. Nothing is borrowed meanwhile, so that it may use the engine.
    pub fn tell_audit(&self) {
        let Some(mut hook) = self.with(|driver| !driver.ended.is_empty()).then(|| self.audit.take()).flatten() else {
            return;
        };
        while let Some(record) = self.with(|driver| driver.ended.pop_front()) {
            hook.call(record);
        }
        self.audit.borrow_mut().get_or_insert(hook);
    }

    /// Lets whoever waits look again: there is something new to do.
    pub fn wake(&self) {
        Waker::from(self.waiting.clone()).wake();
    }

    pub fn with<T>(&self, act: impl FnOnce(&mut Driver) -> T) -> T {
        act(&mut self.driver.borrow_mut())
    }
}

/// An engine's moving parts.
pub(super) struct Driver {
    pub runner: ModelRunner,
    pub scheduler: Scheduler,
    pub transfer: PageTransfer,
    /// Away while a [`Background`] has it.
    kernels: Option<KernelCache>,
    entries: HashMap<SeqId, Entry>,
    in_flight: VecDeque<InFlight>,
    background: Option<Background>,
    /// Sequences for which no token could be chosen, and nobody knows why yet.
    faulty: VecDeque<SeqId>,
    failed: Option<GpuError>,
    chunks: ChunkPace,
    /// Running mean of the time that an answer has a slot, milliseconds.
    answer_millis: f64,
    next_id: SeqId,
    vocab_size: usize,
    /// Whether tokens are drafted.
    speculates: bool,
    /// Tokens that prompt lookup would have drafted rightly. Plans of verification are built once there are some.
    foreseen: u32,
    verify_cost: VerifyCost,
    /// Figures of what has ended.
    metrics: EngineMetrics,
    throughput: Throughput,
    born: Instant,
    /// Whether there is an audit hook.
    pub audits: bool,
    /// What it is to be told.
    ended: VecDeque<AuditRecord>,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("scheduler", &self.scheduler).finish_non_exhaustive()
    }
}

/// A sequence, and the answer that it is a choice of.
struct Entry {
    sequence: Sequence,
    choice: u32,
    mailbox: Rc<RefCell<Mailbox>>,
    /// The tokens that may come next, where it waits for a choice under a mask.
    mask: Vec<u32>,
    /// Whether it waits for plans that have what it is sampled by.
    waits_for_plan: bool,
    lookup: PromptLookup,
    acceptance: Acceptance,
}

/// A submission whose end is not known yet.
struct InFlight {
    pending: BoxedFuture<Result<RingBytes, GpuError>>,
    submitted: Instant,
    work: InFlightWork,
}

/// Of the ring of tokens, and of that of log-probabilities where somebody wants them.
type RingBytes = (Vec<u8>, Vec<u8>);

enum InFlightWork {
    Prefill { tokens: usize },
    Decode { rows: Vec<DecodeRow>, steps: u32, span: RingSpan, lookahead: bool },
    Verify { row: DecodeRow, draft: Vec<u32> },
}

/// What takes longer than a step, and goes on beside the steps.
enum Background {
    Build(BoxedFuture<(KernelCache, Result<Plans, PlanError>)>),
    Diagnose(SeqId, BoxedFuture<(KernelCache, Error)>),
}

/// Plans by what they are for.
type Plans = Vec<(PlanWanted, DecodePlan)>;

type BoxedFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// How many tokens of a prompt are computed at once, by the time that the last took.
#[derive(Debug)]
struct ChunkPace {
    most: usize,
    /// Of a token; none before the first is measured.
    millis: Option<f64>,
    last_end: Option<Instant>,
}

impl ChunkPace {
    fn measured(&mut self, tokens: usize, submitted: Instant) {
        let now = Instant::now();
        let began = self.last_end.map_or(submitted, |end| end.max(submitted));
        self.last_end = Some(now);
        let millis = now.duration_since(began).as_secs_f64() * 1e3 / tokens.max(1) as f64;
        self.millis = Some(self.millis.map_or(millis, |before| (before + millis) / 2.0));
    }

    fn within(&self, time: Duration) -> usize {
        match self.millis {
            Some(millis) => ((time.as_secs_f64() * 1e3 / millis.max(1e-6)) as usize / MIN_CHUNK * MIN_CHUNK)
                .clamp(MIN_CHUNK.min(self.most), self.most),
            None => self.most.min(4 * MIN_CHUNK),
        }
    }
}

impl Driver {
    pub fn new(
        runner: ModelRunner,
        scheduler: Scheduler,
        transfer: PageTransfer,
        kernels: KernelCache,
        vocab_size: usize,
        speculates: bool,
    ) -> Driver {
        let chunks = ChunkPace { most: runner.chunk() as usize, millis: None, last_end: None };
        Driver {
            runner,
            scheduler,
            transfer,
            kernels: Some(kernels),
            entries: HashMap::new(),
            in_flight: VecDeque::new(),
            background: None,
            faulty: VecDeque::new(),
            failed: None,
            chunks,
            answer_millis: 0.0,
            next_id: 0,
            vocab_size,
            speculates,
            foreseen: 0,
            verify_cost: VerifyCost::default(),
            metrics: EngineMetrics::default(),
            throughput: Throughput::default(),
            born: Instant::now(),
            audits: false,
            ended: VecDeque::new(),
        }
    }

    /// Figures of what has ended, and of what is under way now.
    pub fn metrics(&self) -> EngineMetrics {
        let counts = self.scheduler.counts();
        let (pages, pages_used, pages_shared) = self.scheduler.pages_in_use();
        let memory = self.runner.memory();
        let queued = self.scheduler.waiting() as u64;
        EngineMetrics {
            queued,
            running: self.entries.len() as u64 - queued,
            preemptions: counts.preempted,
            pages,
            pages_used,
            pages_shared,
            pages_evicted: counts.evicted,
            tokens_per_second: self.throughput.per_second(self.now_ms()),
            memory_bytes: [
                ("weights", memory.weights),
                ("kv_cache", memory.kv_cache),
                ("activations", memory.activations),
            ]
            .into(),
            ..self.metrics.clone()
        }
    }

    fn now_ms(&self) -> f64 {
        self.born.elapsed().as_secs_f64() * 1e3
    }

    /// Counts a request that is refused, and tells the audit hook.
    pub fn refuse(&mut self, record: Option<AuditRecord>, error: &Error) {
        self.metrics.refuse(error.code());
        self.ended.extend(record.map(|record| record.end(&[], Some(error))));
    }

    /// Takes back a choice of a request that is refused.
    pub fn discard(&mut self, id: SeqId) {
        self.scheduler.remove(id);
        self.entries.remove(&id);
    }

    /// A name for a new sequence.
    pub fn next_id(&mut self) -> SeqId {
        self.next_id += 1;
        self.next_id
    }

    /// Why nothing can be submitted any more, if so.
    pub fn failure(&self) -> Option<&GpuError> {
        self.failed.as_ref()
    }

    /// About how long it takes until an answer under way ends and another can begin, milliseconds.
    pub fn millis_per_answer(&self) -> f64 {
        self.answer_millis / f64::from(self.runner.resources().slots)
    }

    /// Sequences under way.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes a sequence that the scheduler has been told of.
    pub fn insert(&mut self, id: SeqId, sequence: Sequence, choice: u32, mailbox: Rc<RefCell<Mailbox>>) {
        let mut lookup = PromptLookup::default();
        if self.speculates {
            lookup.extend(&sequence.prompt);
        }
        let entry = Entry {
            sequence,
            choice,
            mailbox,
            mask: Vec::new(),
            waits_for_plan: false,
            lookup,
            acceptance: Acceptance::default(),
        };
        self.entries.insert(id, entry);
    }

    /// Ends a sequence, if it is under way.
    pub fn cancel(&mut self, id: SeqId) {
        if self.entries.contains_key(&id) {
            self.finish(id, FinishReason::Aborted);
        }
    }

    /// Ends everything with an error.
    pub fn fail(&mut self, error: &GpuError) {
        self.failed.get_or_insert(error.clone());
        self.in_flight.clear();
        self.transfer.clear();
        for (id, entry) in std::mem::take(&mut self.entries) {
            self.scheduler.remove(id);
            self.end_with_error(&entry, error.clone().into());
        }
        self.scheduler.clear_index();
    }

    /// Does what can be done without waiting; pending where nothing can.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self.try_poll(context) {
            Ok(moved) => moved,
            Err(error) => {
                self.fail(&error);
                Poll::Ready(())
            }
        }
    }

    fn try_poll(&mut self, context: &mut Context<'_>) -> Result<Poll<()>, GpuError> {
        self.transfer.poll(context, &mut self.scheduler.tier)?;
        self.begin_background();
        if self.poll_background(context)?.is_ready() {
            return Ok(Poll::Ready(()));
        }
        // A diagnosis works in its sequence's slot and pages, which nobody else may be given meanwhile.
        let is_diagnosing = matches!(self.background, Some(Background::Diagnose(..)));
        while !is_diagnosing && self.in_flight.len() < SUBMITS_IN_FLIGHT && self.submit() {}
        let Some(first) = self.in_flight.front_mut() else {
            if self.background.is_none() && !self.entries.is_empty() {
                return Err(GpuError::Fault("the scheduler has requests and finds nothing to do".into()));
            }
            return Ok(Poll::Pending);
        };
        let Poll::Ready(bytes) = first.pending.as_mut().poll(context) else { return Ok(Poll::Pending) };
        let (tokens, logprobs) = bytes?;
        if let Some(done) = self.in_flight.pop_front() {
            self.take(done, &bytemuck::pod_collect_to_vec(&tokens), &bytemuck::pod_collect_to_vec(&logprobs));
        }
        Ok(Poll::Ready(()))
    }

    /// Begins what the next steps need, if it is not there and nothing else is under way.
    fn begin_background(&mut self) {
        if self.background.is_some() {
            return;
        }
        let resources = self.runner.resources().clone();
        while let Some(id) = self.faulty.pop_front() {
            let Some(entry) = self.entries.get(&id) else { continue };
            let Some(slot) = self.scheduler.slot(id) else { continue };
            let Some(kernels) = self.kernels.take() else { return };
            let tokens = (0..entry.sequence.len()).map(|position| entry.sequence.token(position)).collect();
            let in_chunks = entry.sequence.prompt.len() - 1;
            let diagnosis = fault::diagnose(resources, kernels, slot, tokens, in_chunks);
            self.background = Some(Background::Diagnose(id, Box::pin(diagnosis)));
            return;
        }
        let wanted = self.plans_wanted();
        if !wanted.is_empty()
            && let Some(mut kernels) = self.kernels.take()
        {
            self.background = Some(Background::Build(Box::pin(async move {
                let plans = resources.build_all(&mut kernels, wanted).await;
                (kernels, plans)
            })));
        }
    }

    /// Plans that sequences wait for, or would be faster with.
    fn plans_wanted(&self) -> Vec<PlanWanted> {
        let features = self.runner.features();
        let wanted = self.entries.values().fold(features, |all, entry| all.or(entry.sequence.params.features()));
        if wanted != features {
            let rows = self.runner.decode_rows().into_iter();
            return rows.map(|rows| PlanWanted { phase: Phase::Decode, rows, features: wanted }).collect();
        }
        let rows = self.scheduler.rows_wanted().next_power_of_two().min(self.runner.resources().slots);
        if rows > self.runner.rows() {
            return vec![PlanWanted { phase: Phase::Decode, rows, features }];
        }
        if self.speculates && self.runner.verify_rows() == 0 && self.foreseen >= FORESEEN_ENOUGH {
            let plain = Features::default();
            return VERIFY_ROWS.map(|rows| PlanWanted { phase: Phase::Verify, rows, features: plain }).to_vec();
        }
        Vec::new()
    }

    fn poll_background(&mut self, context: &mut Context<'_>) -> Result<Poll<()>, GpuError> {
        match &mut self.background {
            None => return Ok(Poll::Pending),
            Some(Background::Build(future)) => {
                let Poll::Ready((kernels, plans)) = future.as_mut().poll(context) else {
                    return Ok(Poll::Pending);
                };
                self.kernels = Some(kernels);
                self.background = None;
                match plans {
                    Ok(plans) => {
                        self.runner.add_plans(plans);
                        let ids: Vec<SeqId> = self.entries.keys().copied().collect();
                        ids.into_iter().for_each(|id| self.release_from_plan(id));
                    }
                    Err(PlanError::Gpu(error)) => return Err(error),
                    Err(error) => return Err(GpuError::Fault(error.to_string())),
                }
            }
            Some(Background::Diagnose(id, future)) => {
                let id = *id;
                let Poll::Ready((kernels, error)) = future.as_mut().poll(context) else {
                    return Ok(Poll::Pending);
                };
                self.kernels = Some(kernels);
                self.background = None;
                self.fail_one(id, error);
            }
        }
        Ok(Poll::Ready(()))
    }

    /// Lets a sequence go on that has waited for a plan, if that is there.
    fn release_from_plan(&mut self, id: SeqId) {
        let features = self.runner.features();
        if let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.waits_for_plan)
            && features.or(entry.sequence.params.features()) == features
        {
            entry.waits_for_plan = false;
            self.scheduler.set_held(id, false);
        }
    }

    /// Submits the scheduler's next step; false where there is none.
    fn submit(&mut self) -> bool {
        let limits = StepLimits {
            chunk_alone: self.runner.chunk() as usize,
            chunk_shared: self.chunks.within(SHARED_CHUNK),
            rows: self.runner.rows(),
            group: STEPS_PER_SUBMIT,
        };
        let Some(Step { before, work }) = self.scheduler.next(&limits) else { return false };
        self.prepare(before);
        let submitted = Instant::now();
        match work {
            Work::Nothing => {}
            Work::Prefill { id, slot, from, to } => {
                let Some(entry) = self.entries.get_mut(&id) else { return true };
                let sequence = &mut entry.sequence;
                sequence.clock.started.get_or_insert(submitted);
                let tokens: Vec<u32> = (from..to).map(|position| sequence.token(position)).collect();
                let is_alone = self.entries.len() == 1;
                let pending = self.runner.prefill(slot, from as u32, &tokens, is_alone);
                self.push(pending, None, InFlightWork::Prefill { tokens: to - from });
            }
            Work::Decode { rows, steps, lookahead } => {
                rows.iter().for_each(|row| self.write_row(*row));
                let slots = rows.iter().map(|row| row.slot + 1).max().unwrap_or(1);
                let features = rows.iter().filter_map(|row| self.entries.get(&row.id));
                let features =
                    features.fold(Features::default(), |all, entry| all.or(entry.sequence.params.features()));
                let (pending, logprobs, span) = self.runner.decode(slots, steps, lookahead, features);
                self.push(pending, logprobs, InFlightWork::Decode { rows, steps, span, lookahead });
            }
            Work::Verify { row, draft } => {
                self.write_slot(row);
                let Some(entry) = self.entries.get(&row.id) else { return true };
                let pending = self.runner.verify(entry.sequence.last_row(row.slot), &draft);
                self.push(pending, None, InFlightWork::Verify { row, draft });
            }
        }
        true
    }

    fn push(&mut self, tokens: PendingReadback, logprobs: Option<PendingReadback>, work: InFlightWork) {
        let pending = Box::pin(async move {
            let tokens = tokens.wait().await?;
            let logprobs = match logprobs {
                Some(pending) => pending.wait().await?,
                None => Vec::new(),
            };
            Ok((tokens, logprobs))
        });
        self.in_flight.push_back(InFlight { pending, submitted: Instant::now(), work });
    }

    /// Does what precedes a step's work.
    pub fn prepare(&mut self, before: Vec<Preparation>) {
        let resources = self.runner.resources().clone();
        let (device, kv) = (&resources.device, &resources.kv);
        for preparation in before {
            match preparation {
                Preparation::Evict(Evicted { page, key, tokens }) => {
                    if tokens == PAGE && self.scheduler.tier.wants(&key) {
                        self.transfer.keep(device, kv, page, key);
                    }
                }
                Preparation::Load { key, page } => match self.scheduler.tier.lookup(&[key])[..] {
                    [bytes] => write_page(device, kv, page, bytes),
                    _ => unreachable!("the tier loses nothing while a step is prepared"),
                },
                Preparation::Copy { from, to } => kv.copy(from, to),
                Preparation::Map { slot, first, pages } => kv.set_pages(slot, first, &pages),
                Preparation::Finish { slot } => self.runner.finish_row(slot),
            }
        }
    }

    /// Forgets all pages that no running sequence holds, in all tiers.
    pub fn reset_cache(&mut self) {
        self.transfer.clear();
        self.scheduler.clear_index();
    }

    /// Writes what the device must know of a row before its next steps.
    fn write_row(&mut self, row: DecodeRow) {
        if row.is_stale {
            self.write_slot(row);
        }
        let Some(entry) = self.entries.get_mut(&row.id) else { return };
        let sequence = &mut entry.sequence;
        sequence.clock.started.get_or_insert_with(Instant::now);
        let is_masked = sequence.is_masked();
        if is_masked {
            self.runner.set_mask(row.slot, &entry.mask);
        }
        if is_masked || row.is_stale {
            self.runner.set_row(sequence.last_row(row.slot), !row.is_stale);
        }
    }

    /// Writes by what a slot's sequence is sampled.
    fn write_slot(&self, row: DecodeRow) {
        let Some(Entry { sequence, .. }) = self.entries.get(&row.id) else { return };
        let vocab = self.runner.resources().vocab;
        let Sequence { prompt, generated, bias, stop_ids, .. } = sequence;
        let mut params = sequence.params;
        params.flags |= if sequence.is_masked() { MASKED | HOLD } else { 0 };
        let history = params.remembers().then(|| history_words(vocab, prompt, generated, bias, stop_ids));
        let recent = params.features().dry.then(|| {
            let tokens: Vec<u32> = prompt.iter().chain(generated).copied().collect();
            recent_words(&tokens, tokens.len() as u32)
        });
        let recent = recent.as_deref().map(|recent| (recent, &*sequence.breakers));
        let stops = stop_words(stop_ids).unwrap_or_default();
        self.runner.set_slot(row.slot, &SlotState { params, stops: &stops, history: history.as_deref(), recent });
    }

    /// Takes what a submission has computed.
    fn take(&mut self, done: InFlight, words: &[u32], logprobs: &[u32]) {
        match done.work {
            InFlightWork::Prefill { tokens } => self.chunks.measured(tokens, done.submitted),
            InFlightWork::Decode { rows, steps, span, lookahead } => {
                self.chunks.last_end = Some(Instant::now());
                self.verify_cost.measured_plain(done.submitted, steps);
                for row in rows {
                    if self.scheduler.epoch(row.id) != Some(row.epoch) {
                        continue;
                    }
                    let is_masked = self.entries.get(&row.id).is_some_and(|entry| entry.sequence.is_masked());
                    let steps = if is_masked { 1 } else { steps };
                    self.scheduler.read(row.id, steps);
                    let tokens = (0..steps).map_while(|step| span.token(words, row.slot, step)).collect();
                    let logprobs = (0..steps).map_while(|step| span.logprobs(logprobs, row.slot, step)).collect();
                    if let Err(error) = self.take_tokens(row.id, tokens, logprobs, usize::from(lookahead)) {
                        self.fail_one(row.id, error);
                    }
                }
            }
            InFlightWork::Verify { row, draft } => {
                if self.scheduler.epoch(row.id) != Some(row.epoch) {
                    return;
                }
                self.scheduler.read(row.id, 1);
                let accepted = draft.iter().zip(words).take_while(|(drafted, chosen)| drafted == chosen).count();
                let cost = self.verify_cost.measured(draft.len(), done.submitted);
                if let Some(entry) = self.entries.get_mut(&row.id) {
                    entry.acceptance.record(draft.len() as u32, accepted as u32, cost);
                    entry.sequence.usage.drafted_tokens += draft.len() as u32;
                    entry.sequence.usage.accepted_tokens += accepted as u32;
                }
                let tokens = words[..=accepted.min(words.len() - 1)].to_vec();
                if let Err(error) = self.take_tokens(row.id, tokens, Vec::new(), 0) {
                    self.fail_one(row.id, error);
                }
            }
        }
    }

    /// Takes the tokens that a sequence's row has chosen, and what follows from each.
    fn take_tokens(&mut self, id: SeqId, tokens: Vec<u32>, logprobs: Vec<&[u32]>, ahead: usize) -> Result<(), Error> {
        let mut logprobs = logprobs.into_iter();
        let read = tokens.iter().take_while(|token| **token != NO_TOKEN).count();
        let entry = self.entries.get_mut(&id).filter(|_| read > 0);
        let token_ms = entry.and_then(|entry| entry.sequence.clock.tokens(read));
        for token in tokens {
            let Some(entry) = self.entries.get_mut(&id) else { return Ok(()) };
            let sequence = &mut entry.sequence;
            if token == NO_TOKEN {
                // Its row has ended: what the ring says of it in later steps is older than they are.
                self.scheduler.rewind(id);
                self.scheduler.set_held(id, true);
                self.faulty.push_back(id);
                return Ok(());
            }
            // A first group is one token, so that its time is that of the prompt.
            token_ms.into_iter().for_each(|ms| sequence.clock.token_ms.record(ms));
            let logprobs = logprobs.next();
            if sequence.is_masked() {
                sequence.backoff.left = sequence.backoff.left.saturating_sub(1);
            }
            let (standing, events_before) = (sequence.len(), sequence.events.len());
            let next = match sequence.advance(Some(token))? {
                // What has to come in its place, if anything has to.
                NextAction::Rejected => match sequence.advance(None)? {
                    NextAction::GoOn => NextAction::Resume,
                    next => next,
                },
                next => next,
            };
            // The step that chose the token has computed the one before it; with a pass queued behind, the token itself, if it stands
            // and has not ended the row.
            let stands = sequence.len() > standing && sequence.token(standing) == token;
            let goes_on = !matches!(next, NextAction::End(_)) && !sequence.stop_ids.contains(&token);
            let computed = standing + if stands && goes_on { ahead } else { 0 };
            if let Some(logprobs) = logprobs {
                sequence.tell_logprobs(standing, token, logprobs, events_before);
            }
            self.tell(id, standing, computed);
            match next {
                NextAction::GoOn => {}
                NextAction::Resume | NextAction::Rejected => {
                    self.scheduler.rewind(id);
                    break;
                }
                NextAction::End(reason) => {
                    self.finish(id, reason);
                    return Ok(());
                }
            }
        }
        self.choose_pace(id)
    }

    /// Tells the scheduler and the answer of the tokens from `standing` on.
    fn tell(&mut self, id: SeqId, standing: usize, computed: usize) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let sequence = &mut entry.sequence;
        let new: Vec<u32> = (standing..sequence.len()).map(|position| sequence.token(position)).collect();
        self.scheduler.extend(id, &new, computed);
        if self.speculates {
            self.foreseen += entry.lookup.foresaw(&new);
        }
        let cached = self.scheduler.cached(id).unwrap_or_default();
        sequence.usage.cached_tokens = cached.min(sequence.prompt.len()) as u32;
        let mut mailbox = entry.mailbox.borrow_mut();
        mailbox.generated[entry.choice as usize].extend_from_slice(&new);
        mailbox.push(entry.choice, sequence.events.drain(..));
        self.throughput.record(new.len() as u64, self.born.elapsed().as_secs_f64() * 1e3);
    }

    /// Begins a sequence: what has to come before its first token is chosen.
    pub fn begin(&mut self, id: SeqId) -> Result<(), Error> {
        let Some(entry) = self.entries.get_mut(&id) else { return Ok(()) };
        let standing = entry.sequence.len();
        match entry.sequence.advance(None)? {
            NextAction::End(reason) => {
                self.tell(id, standing, 0);
                self.finish(id, reason);
                return Ok(());
            }
            NextAction::GoOn | NextAction::Resume | NextAction::Rejected => self.tell(id, standing, 0),
        }
        self.choose_pace(id)
    }

    /// Whether a sequence's next token is chosen under a mask, which is made here.
    fn choose_pace(&mut self, id: SeqId) -> Result<(), Error> {
        let Some(entry) = self.entries.get_mut(&id) else { return Ok(()) };
        let sequence = &mut entry.sequence;
        if sequence.is_masked()
            && let Some(constraint) = &mut sequence.constraint
        {
            let mask = constraint.mask()?;
            match allowed_run(mask, self.vocab_size).filter(|_| sequence.backoff.left == 0) {
                Some(run) => {
                    sequence.mask_mode = MaskMode::Unmasked(run);
                    self.scheduler.rewind(id);
                }
                None => {
                    mask.clone_into(&mut entry.mask);
                    sequence.forbid_early_end(&mut entry.mask);
                }
            }
        }
        let is_masked = sequence.is_masked();
        let features = self.runner.features();
        entry.waits_for_plan = features.or(sequence.params.features()) != features;
        self.scheduler.set_pace(id, is_masked, sequence.lookahead());
        self.scheduler.set_held(id, entry.waits_for_plan);
        self.propose(id);
        Ok(())
    }

    /// Proposes what a sequence's next tokens may be, where verifying them is likely to pay: it runs alone, nothing else is asked of its
    /// tokens, and what drafts have gained so far covers what this one may lose.
    fn propose(&mut self, id: SeqId) {
        let most = self.runner.verify_rows().saturating_sub(1);
        let Some(entry) = self.entries.get(&id).filter(|_| most > 0 && self.speculates) else { return };
        let sequence = &entry.sequence;
        let is_plain = !sequence.is_held() && sequence.params.features() == Features::default();
        let mut draft = Vec::new();
        if is_plain && self.scheduler.is_alone(id) && self.scheduler.computed(id) + 1 >= sequence.len() {
            let cost = |drafted| self.verify_cost.of(drafted as usize);
            let length = entry.acceptance.draft_len(most.min(sequence.remaining().saturating_sub(1)), cost);
            // What is in flight comes first, if the draft is right.
            let in_flight = self.scheduler.in_flight(id) as usize;
            draft = entry.lookup.draft(length as usize + in_flight);
            draft.truncate(length as usize);
        }
        self.scheduler.set_draft(id, draft);
    }

    fn finish(&mut self, id: SeqId, reason: FinishReason) {
        self.scheduler.remove(id);
        let Some(mut entry) = self.entries.remove(&id) else { return };
        let reason = entry.sequence.finish(reason);
        self.metrics.record(&entry.sequence.metrics(), reason.name());
        if let Some(started) = entry.sequence.clock.started {
            let millis = started.elapsed().as_secs_f64() * 1e3;
            self.answer_millis += (millis - self.answer_millis) / 8.0;
        }
        let mut mailbox = entry.mailbox.borrow_mut();
        mailbox.push(entry.choice, entry.sequence.events.drain(..));
        mailbox.open = mailbox.open.saturating_sub(1);
        self.ended.extend(mailbox.take_audit());
    }

    /// Counts a sequence that is under way no longer, and ends its answer.
    fn end_with_error(&mut self, entry: &Entry, error: Error) {
        self.metrics.record(&entry.sequence.metrics(), error.code());
        let mut mailbox = entry.mailbox.borrow_mut();
        mailbox.fail(error);
        self.ended.extend(mailbox.take_audit());
    }

    /// Ends a sequence with an error, and with it its answer.
    fn fail_one(&mut self, id: SeqId, error: Error) {
        self.scheduler.remove(id);
        let Some(entry) = self.entries.remove(&id) else { return };
        let code = error.code();
        self.end_with_error(&entry, error);
        let others: Vec<SeqId> = self
            .entries
            .iter()
            .filter(|(_, other)| Rc::ptr_eq(&other.mailbox, &entry.mailbox))
            .map(|(id, _)| *id)
            .collect();
        for other in others {
            self.scheduler.remove(other);
            let other = self.entries.remove(&other);
            other.into_iter().for_each(|other| self.metrics.record(&other.sequence.metrics(), code));
        }
    }
}

/// How far tokens may be chosen without this mask: as if so many had been allowed already. Not at all where it forbids a good part of
/// the vocabulary.
fn allowed_run(mask: &[u32], vocab: usize) -> Option<u32> {
    let allowed: usize = mask.iter().map(|word| word.count_ones() as usize).sum();
    match allowed * 100 / vocab.max(1) {
        98.. => Some(4 * STEPS_PER_SUBMIT),
        50..98 => Some(0),
        _ => None,
    }
}
