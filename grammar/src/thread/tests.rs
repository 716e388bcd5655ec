use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::thread::Thread;

use super::*;
use crate::{Asks, Match};

/// A backend by script: `wait` compiles once the test says so, `panic` panics, `wrong` is an error.
struct Scripted {
    gate: Arc<Mutex<()>>,
    begun: Arc<AtomicUsize>,
    live: Arc<AtomicUsize>,
}

struct Anything {
    panics: bool,
    live: Arc<AtomicUsize>,
}

impl Grammars for Scripted {
    fn compile(&mut self, spec: &str) -> Result<Box<dyn Match>, GrammarError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        match spec {
            "wait" => drop(self.gate.lock()),
            "panic" => panic!("the compiler broke"),
            "wrong" => return Err(GrammarError::Spec("wrong".to_owned())),
            _ => {}
        }
        self.live.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Anything { panics: spec == "breaks later", live: self.live.clone() }))
    }
}

impl Drop for Anything {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Match for Anything {
    fn mask(&mut self, words: &mut [u32]) -> Result<(), GrammarError> {
        assert!(!self.panics, "the matcher broke");
        words.fill(7);
        Ok(())
    }

    fn accept(&mut self, _: u32) -> Result<(), GrammarError> {
        Ok(())
    }

    fn landing(&mut self, _: usize) -> usize {
        0
    }

    fn land(&mut self, token: u32, _: usize) -> Result<u32, GrammarError> {
        Ok(token)
    }

    fn forced(&mut self) -> Result<Vec<u32>, GrammarError> {
        Ok(Vec::new())
    }

    fn is_complete(&mut self) -> bool {
        false
    }

    fn must_stop(&mut self) -> bool {
        false
    }

    fn fork(&self) -> Box<dyn Match> {
        unreachable!("nobody forks it")
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn wait<T>(mut later: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match later.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => std::thread::park(),
        }
    }
}

fn is_pending<T>(later: &mut Later<T>) -> bool {
    later.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

struct Bench {
    gate: Arc<Mutex<()>>,
    /// Compilations that have begun.
    begun: Arc<AtomicUsize>,
    live: Arc<AtomicUsize>,
    made: Arc<AtomicUsize>,
    thread: GrammarThread,
}

fn bench() -> Bench {
    let (gate, live, made) = (Arc::default(), Arc::default(), Arc::new(AtomicUsize::new(0)));
    let (gate_too, live_too, made_too): (Arc<Mutex<()>>, Arc<AtomicUsize>, _) = (gate, live, made);
    let (gate, live, made) = (gate_too.clone(), live_too.clone(), made_too.clone());
    let begun = Arc::new(AtomicUsize::new(0));
    let begun_too = begun.clone();
    let thread = GrammarThread::new(1, move || {
        made.fetch_add(1, Ordering::SeqCst);
        Box::new(Scripted { gate: gate.clone(), begun: begun_too.clone(), live: live.clone() })
    });
    Bench { gate: gate_too, begun, live: live_too, made: made_too, thread }
}

fn compile(bench: &Bench, spec: &str) -> Result<Box<dyn AsyncMatch>, GrammarError> {
    wait(bench.thread.compile(spec).as_mut())
}

fn mask(output: &mut Box<dyn AsyncMatch>) -> Result<Option<Vec<u32>>, GrammarError> {
    let step = Step { asks: Asks::Mask, ..Step::default() };
    wait(output.step(step).as_mut()).map(|position| position.mask)
}

#[test]
fn thread_starts_with_the_first_grammar_and_serves_all() {
    let bench = bench();
    assert_eq!(bench.made.load(Ordering::SeqCst), 0);
    let mut outputs = [compile(&bench, "a").unwrap(), compile(&bench, "b").unwrap()];
    outputs.iter_mut().for_each(|output| assert_eq!(mask(output).unwrap(), Some(vec![7])));
    assert_eq!((bench.made.load(Ordering::SeqCst), bench.live.load(Ordering::SeqCst)), (1, 2));
}

#[test]
fn steps_come_before_what_waits_to_be_compiled() {
    let bench = bench();
    let mut output = compile(&bench, "a").unwrap();
    let closed = bench.gate.lock().unwrap();
    let mut slow = bench.thread.compile("wait");
    assert!(is_pending(&mut slow));
    while bench.begun.load(Ordering::SeqCst) < 2 {
        std::thread::yield_now();
    }
    let mut behind = bench.thread.compile("wait");
    let mut step = output.step(Step::default());
    assert!(is_pending(&mut slow) && is_pending(&mut step));
    drop(closed);
    wait(step.as_mut()).unwrap();
    wait(slow.as_mut()).unwrap();
    wait(behind.as_mut()).unwrap();
}

#[test]
fn error_is_that_of_its_own_grammar() {
    let bench = bench();
    let mut good = bench.thread.compile("a");
    assert_eq!(compile(&bench, "wrong").err(), Some(GrammarError::Spec("wrong".to_owned())));
    wait(good.as_mut()).unwrap();
}

#[test]
fn panic_is_the_error_of_its_own_grammar() {
    let bench = bench();
    let mut other = compile(&bench, "a").unwrap();
    assert_eq!(compile(&bench, "panic").err(), Some(GrammarError::Internal("the compiler broke".to_owned())));
    let mut broken = compile(&bench, "breaks later").unwrap();
    assert_eq!(bench.made.load(Ordering::SeqCst), 2, "a compiler that panicked is not used again");
    assert_eq!(mask(&mut broken), Err(GrammarError::Internal("the matcher broke".to_owned())));
    assert!(mask(&mut broken).is_err() && mask(&mut other).is_ok());
    assert_eq!(bench.live.load(Ordering::SeqCst), 1);
}

#[test]
fn output_that_nobody_wants_is_given_back() {
    let bench = bench();
    let closed = bench.gate.lock().unwrap();
    let (under_way, waiting) = (bench.thread.compile("wait"), bench.thread.compile("wait"));
    let used = bench.thread.compile("a");
    drop((under_way, waiting));
    drop(closed);
    let mut used = used;
    drop(wait(used.as_mut()).unwrap());
    // What is told in order is done in order.
    let mut last = compile(&bench, "last").unwrap();
    mask(&mut last).unwrap();
    assert_eq!(bench.live.load(Ordering::SeqCst), 1);
}

#[test]
fn thread_ends_when_nobody_can_ask_it_any_more() {
    let Bench { gate, begun: _, live, made, thread } = bench();
    let closed = gate.lock().unwrap();
    let later = thread.compile("wait");
    // Nothing waits for the thread here, though it compiles.
    drop((later, thread));
    drop(closed);
    while Arc::strong_count(&made) > 1 {
        std::thread::yield_now();
    }
    assert_eq!(live.load(Ordering::SeqCst), 0);
}

#[test]
fn thread_that_dies_is_an_error_and_no_hang() {
    let (reply, mut receipt) = promise::<()>();
    assert!(Pin::new(&mut receipt).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    std::thread::spawn(move || drop(reply));
    assert!(matches!(wait(Pin::new(&mut receipt)), Err(GrammarError::Internal(_))));
}
