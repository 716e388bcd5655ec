//! Moves an engine on: what the scheduler decides is submitted, what the device has chosen is taken to its sequence, and the events go
//! to the answers. Whoever awaits an answer drives; nothing here waits, so that a future that is dropped leaves nothing half done.

mod background;
mod intake;
mod lent;
mod pace;
mod policy;
mod speculation;
mod storage;
mod submission;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use litemap::LiteMap;

use crate::clock::{Duration, Instant};

use super::adapters::{Adapters, Chosen as ChosenAdapters};
use super::answer::Mailbox;
use super::audit::{AuditHook, AuditRecord};
use super::drafter::{Acceptance, PromptLookup};
use super::event::FinishReason;
use super::executor::{ModelRunner, RingSpan};
use super::metrics::{EngineMetrics, Throughput};
use super::model::Model;
use super::page_store::StoreLink;
use super::page_transfer::PageTransfer;
use super::scheduler::{DecodeRow, DraftWork, Scheduler, SeqId};
use super::sequence::Sequence;
use crate::error::Error;
use crate::gpu::GpuError;
use crate::plan::KernelCache;
use background::Background;
pub(super) use lent::Lent;
use pace::{ChunkPace, Lead};
use policy::{Chosen, Decision};
use speculation::Drafter;
pub(super) use speculation::Speculation;

/// What an engine and its answers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub model: Model,
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
    pub fn new(driver: Driver, model: Model) -> Shared {
        Shared { model, driver: RefCell::new(driver), audit: RefCell::default(), waiting: Arc::default() }
    }

    /// Moves the engine on by what can be done now; pending where something has to be waited for first.
    pub fn drive(&self, context: &mut Context<'_>) -> Poll<()> {
        self.waiting.add(context.waker());
        let waker = self.waker();
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
        self.waker().wake();
    }

    /// Of all who wait.
    fn waker(&self) -> Waker {
        Waker::from(self.waiting.clone())
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
    pub store: StoreLink,
    pub adapters: Adapters,
    /// Away while a [`Background`] has it, or [`Lent`].
    kernels: Option<KernelCache>,
    entries: LiteMap<SeqId, Entry>,
    lead: Lead,
    in_flight: VecDeque<InFlight>,
    background: Option<Background>,
    /// Who is woken when a policy can go on.
    waker: Waker,
    /// Sequences for which no token could be chosen, and nobody knows why yet.
    faulty: VecDeque<SeqId>,
    failed: Option<GpuError>,
    chunks: ChunkPace,
    /// Running mean of the time that an answer has a slot, milliseconds.
    answer_millis: f64,
    next_id: SeqId,
    vocab_size: usize,
    speculation: Speculation,
    /// When the last submission ended.
    last_end: Option<Instant>,
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
    /// Tokens that were chosen and not looked at.
    unread: VecDeque<(Vec<u32>, Chosen)>,
    /// What its policy is at.
    decision: Option<Decision>,
    /// Whether its tokens are chosen without the mask of the grammar that holds, and verified.
    is_verified: bool,
    /// Whether it waits for plans that have what it is sampled by.
    waits_for_plan: bool,
    lookup: PromptLookup,
    acceptance: Acceptance,
}

/// A submission whose end is not known yet.
struct InFlight {
    pending: BoxedFuture<Result<RingBytes, GpuError>>,
    submitted: Instant,
    /// How long it took, where that is known: the CPU has done it when it is submitted.
    took: Option<Duration>,
    work: InFlightWork,
}

/// Of the ring of tokens, and of that of log-probabilities where somebody wants them.
type RingBytes = (Vec<u8>, Vec<u8>);

enum InFlightWork {
    Prefill { tokens: usize },
    Score { id: SeqId, from: usize },
    Decode { rows: Vec<DecodeRow>, steps: u32, span: RingSpan, lookahead: bool },
    Draft { row: DecodeRow, work: DraftWork },
    Verify { row: DecodeRow, draft: Vec<u32>, drafted_by: Drafter },
    VerifyDraft { row: DecodeRow, drafted: usize },
}

type BoxedFuture<T> = Pin<Box<dyn Future<Output = T>>>;

impl Driver {
    pub fn new(
        runner: ModelRunner,
        scheduler: Scheduler,
        transfer: PageTransfer,
        kernels: KernelCache,
        vocab_size: usize,
        speculation: Speculation,
    ) -> Driver {
        let device = &runner.resources().device;
        let (chunks, lead) = (ChunkPace::new(runner.chunk() as usize, device), Lead::of(device));
        Driver {
            runner,
            scheduler,
            transfer,
            store: StoreLink::default(),
            adapters: Adapters::default(),
            kernels: Some(kernels),
            entries: LiteMap::new_vec(),
            lead,
            in_flight: VecDeque::new(),
            background: None,
            waker: Waker::noop().clone(),
            faulty: VecDeque::new(),
            failed: None,
            chunks,
            answer_millis: 0.0,
            next_id: 0,
            vocab_size,
            speculation,
            last_end: None,
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
        let memory = self.memory();
        let queued = self.scheduler.waiting() as u64;
        let mut memory_bytes = LiteMap::new_vec();
        memory_bytes.insert("weights", memory.weights);
        memory_bytes.insert("kv_cache", memory.kv_cache);
        memory_bytes.insert("activations", memory.activations);
        EngineMetrics {
            queued,
            running: self.entries.len() as u64 - queued,
            preemptions: counts.preempted,
            pages,
            pages_used,
            pages_shared,
            pages_evicted: counts.evicted,
            page_store: self.store.counts,
            tokens_per_second: self.throughput.per_second(self.now_ms()),
            memory_bytes,
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

    /// What a sequence has of adapters, if it is under way.
    pub fn chosen(&self, id: SeqId) -> Option<&ChosenAdapters> {
        self.entries.get(&id).map(|entry| &entry.sequence.adapters)
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
        self.scheduler.set_awaits_store(id, self.store.is_open());
        let mut lookup = PromptLookup::default();
        if self.speculation.is_on {
            lookup.extend(&sequence.prompt);
        }
        let entry = Entry {
            sequence,
            choice,
            mailbox,
            mask: Vec::new(),
            unread: VecDeque::new(),
            decision: None,
            is_verified: false,
            waits_for_plan: false,
            lookup,
            acceptance: Acceptance::default(),
        };
        self.entries.insert(id, entry);
        self.begin(id);
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
        self.store.clear();
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
        let mut has_moved = self.poll_store(context);
        self.begin_background();
        if self.poll_background(context)?.is_ready() {
            return Ok(Poll::Ready(()));
        }
        has_moved |= self.poll_policies(context);
        // A sequence for which no token could be chosen must not go on before it is known why.
        let is_diagnosing = matches!(self.background, Some(Background::Diagnose(..))) || !self.faulty.is_empty();
        // Where a row's mask is on its way, the step behind the one that keeps the device busy is better begun with that row.
        let ahead = if self.awaits_mask() { 1 } else { self.lead.submits };
        while !is_diagnosing && self.in_flight.len() < ahead && self.submit() {}
        let idle = if has_moved { Poll::Ready(()) } else { Poll::Pending };
        let Some(first) = self.in_flight.front_mut() else {
            let is_away = self.background.is_some() || self.kernels.is_none();
            let waits = has_moved || is_away || !self.store.loads.is_empty();
            let decides = self.entries.values().any(|entry| entry.decision.is_some());
            if !waits && !decides && !self.entries.is_empty() {
                return Err(GpuError::Fault("the scheduler has requests and finds nothing to do".into()));
            }
            return Ok(idle);
        };
        let Poll::Ready(bytes) = first.pending.as_mut().poll(context) else { return Ok(idle) };
        let (tokens, logprobs) = bytes?;
        if let Some(done) = self.in_flight.pop_front() {
            self.take(done, &bytemuck::pod_collect_to_vec(&tokens), &bytemuck::pod_collect_to_vec(&logprobs));
        }
        Ok(Poll::Ready(()))
    }

    /// Forgets all pages that no running sequence holds, in all tiers.
    pub fn reset_cache(&mut self) {
        self.transfer.clear();
        self.scheduler.clear_index();
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
