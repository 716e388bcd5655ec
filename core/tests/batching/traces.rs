//! Random traces on a device: answers join, leave, are cancelled, fork from each other's prompts, lose their pages and get them back from
//! host memory or the page store, and the device fails. Whatever happens, an answer's tokens are those of an engine that caches nothing.
//!
//! `INGLENOOK_FULL=1` makes 300 traces of each device, and a few otherwise.

use std::rc::Rc;

use inglenook::engine::page_store::FolderStore;

use super::*;

/// Tokens of an answer at most.
const TOKENS: u32 = 20;

/// Prompts that begin alike: the longer ones fork from the shorter.
fn prompt(number: usize) -> String {
    let base = ["The fire was low. ", "Tell me of the sea and of the ships. ", "One two three four five. "][number % 3];
    let turns = number / 3 % 3;
    base.repeat(4 + turns * 3) + ["Then", "But the", "And"][number / 9 % 3]
}

/// One of the requests that a trace may make: a prompt, greedy or drawn by a seed, and what else an answer may be asked for.
fn request_of(number: usize) -> Request {
    let mut fields = json!({"prompt": prompt(number), "max_tokens": TOKENS});
    if number.is_multiple_of(2) {
        (fields["temperature"], fields["seed"]) = (json!(1.2), json!(number));
    }
    if number.is_multiple_of(7) {
        fields["response_format"] = json!({"type": "regex", "regex": "[a-z ]{4,12}"});
    }
    request(fields)
}

/// Requests that differ.
const REQUESTS: usize = 54;

/// What each request says without a cache.
struct Uncached {
    engine: Engine,
    said: HashMap<usize, (Vec<u32>, FinishReason)>,
}

impl Uncached {
    fn said(&mut self, number: usize) -> &(Vec<u32>, FinishReason) {
        self.said.entry(number).or_insert_with(|| {
            self.engine.reset_cache();
            let said = block_on(read(self.engine.submit(request_of(number)).expect("good")));
            (said.tokens, said.reason)
        })
    }
}

/// What has happened in all traces.
#[derive(Debug, Default)]
struct Seen {
    ended: u32,
    cancelled: u32,
    failed: u32,
    cached_tokens: u64,
    evicted: u64,
    swapped_in: u64,
    from_store: u64,
    preempted: u64,
}

/// An engine, and what is under way in it.
struct Trace<'a> {
    random: fastrand::Rng,
    engine: Engine,
    uncached: &'a mut Uncached,
    open: Vec<(usize, Answer)>,
    seen: &'a mut Seen,
}

impl Trace<'_> {
    fn run(&mut self) {
        for _ in 0..self.random.u32(10..60) {
            match self.random.u32(0..12) {
                0..=3 if self.open.len() < 6 => self.submit(),
                4 if !self.open.is_empty() => self.cancel(),
                5 if self.random.u32(0..4) == 0 => self.engine.reset_cache(),
                6 => block_on(self.engine.store_pages()).expect("writes"),
                _ => self.read(),
            }
        }
        while !self.open.is_empty() {
            self.read();
        }
        assert_eq!(self.engine.requests(), 0);
    }

    fn submit(&mut self) {
        let number = self.random.usize(0..REQUESTS);
        self.open.push((number, self.engine.submit(request_of(number)).expect("a good request")));
    }

    /// Withdraws an answer: its tokens so far are the beginning of the right ones.
    fn cancel(&mut self) {
        let (number, mut answer) = self.open.swap_remove(self.random.usize(0..self.open.len()));
        let tokens = answer.tokens(0);
        assert!(self.uncached.said(number).0.starts_with(&tokens), "request {number}: {tokens:?}");
        if self.random.bool() {
            answer.cancel();
            while block_on(answer.next()).expect("ends").is_some() {}
        }
        self.seen.cancelled += 1;
    }

    /// Moves on to the next event of any answer.
    fn read(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let at = self.random.usize(0..self.open.len());
        let (number, answer) = &mut self.open[at];
        let event = block_on(answer.next()).expect("generates").expect("an end");
        if let Event::Done { reason, usage, .. } = event {
            assert_eq!((answer.tokens(0), reason), *self.uncached.said(*number), "request {number}");
            self.seen.cached_tokens += u64::from(usage.cached_tokens);
            self.seen.ended += 1;
            self.open.swap_remove(at);
        }
    }

    /// The device is lost with answers under way: each ends with that error, and nothing waits for ever.
    fn lose_device(mut self) {
        (0..self.random.usize(1..6)).for_each(|_| self.submit());
        (0..self.random.usize(0..6)).for_each(|_| self.read());
        let engine = self.engine.clone();
        engine.close();
        for (number, mut answer) in std::mem::take(&mut self.open) {
            // What had ended by then is whole.
            let end = loop {
                match block_on(answer.next()) {
                    Ok(Some(Event::Done { reason, .. })) => break Ok(reason),
                    Ok(event) => assert!(event.is_some(), "request {number} has no end"),
                    Err(error) => break Err(error.code()),
                }
            };
            let (tokens, expected) = (answer.tokens(0), self.uncached.said(number));
            match end {
                Ok(reason) => assert_eq!((&tokens, reason), (&expected.0, expected.1), "request {number}"),
                Err(code) => {
                    assert!(code == "Lost" && expected.0.starts_with(&tokens), "request {number}: {code}");
                    self.seen.failed += 1;
                }
            }
        }
        assert_eq!(self.engine.requests(), 0);
        assert_eq!(self.engine.submit(request_of(0)).expect_err("lost").code(), "Lost");
    }
}

/// No page is lost or held twice once nothing is under way.
fn check_pages(engine: &Engine) {
    engine.reset_cache();
    let metrics = engine.metrics();
    assert_eq!((metrics.pages_used, metrics.pages_shared, metrics.running, metrics.queued), (0, 0, 0, 0));
}

fn traces(device: &Device, count: u64) {
    let uncached = load(device.client(), &EngineOptions { host_cache_bytes: Some(0), ..EngineOptions::default() });
    let mut uncached = Uncached { engine: uncached, said: HashMap::new() };
    let mut seen = Seen::default();
    // Traces one after another in an engine; each engine ends with a loss of its device.
    const OF_AN_ENGINE: u64 = 10;
    for first in (0..count).step_by(OF_AN_ENGINE as usize) {
        let mut random = fastrand::Rng::with_seed(first);
        let folder = tempfile::tempdir().expect("a folder");
        let store = FolderStore::open(folder.path(), 1 << 30).expect("opens");
        // Pages for one sequence of the whole context and one more a slot.
        let options = EngineOptions {
            context: Some(*random.choice(&[192, 256]).expect("some")),
            max_sequences: Some(random.u32(1..=4)),
            host_cache_bytes: Some(*random.choice(&[0, 1 << 16, 1 << 30]).expect("some")),
            page_store: if random.bool() { Some(Rc::new(store)) } else { None },
            no_speculation: random.bool(),
            ..EngineOptions::default()
        };
        let engine = load(device.client(), &options);
        for seed in first..count.min(first + OF_AN_ENGINE) {
            let (engine, random) = (engine.clone(), fastrand::Rng::with_seed(seed));
            println!("trace {seed}");
            Trace { random, engine, uncached: &mut uncached, open: Vec::new(), seen: &mut seen }.run();
        }
        check_pages(&engine);
        let counts = engine.counts();
        seen.evicted += counts.evicted;
        seen.swapped_in += counts.loaded;
        seen.preempted += counts.preempted;
        seen.from_store += engine.metrics().page_store.loaded;
        Trace { random, engine, uncached: &mut uncached, open: Vec::new(), seen: &mut seen }.lose_device();
    }
    println!("{count} traces: {seen:?}");
    assert!(seen.ended > 0 && seen.cached_tokens > 0, "{seen:?}");
}

fn is_full() -> bool {
    std::env::var_os("INGLENOOK_FULL").is_some()
}

#[test]
fn random_traces_on_the_cpu_give_the_tokens_of_an_uncached_engine() {
    traces(&Device::Cpu, if is_full() { 300 } else { 20 });
}

#[test]
fn random_traces_on_the_gpu_give_the_tokens_of_an_uncached_engine() {
    traces(&gpu(), if is_full() { 300 } else { 4 });
}
