//! A thread that compiles grammars and makes masks, so that who decodes never waits for either. It begins with the first grammar and ends
//! when nobody can ask it any more.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::{AsyncGrammars, AsyncMatch, GrammarError, Grammars, Later, Position, Session, Step};

/// How long an answer is waited for in place: most masks take less, and a row that goes on at once misses no step of its batch.
const GRACE: Duration = Duration::from_micros(200);

/// As much as a program's first thread has: grammars nest, and an overflow would end the program.
const STACK: usize = 8 << 20;

/// Makes who compiles, in the thread: once, and anew after a panic.
type Make = dyn Fn() -> Box<dyn Grammars> + Send + Sync;

/// Compiles grammars in a thread of its own. An output has one question under way at a time, so that no more wait than there are outputs.
pub struct GrammarThread {
    make: Arc<Make>,
    /// Length of a mask, in units of 32 tokens.
    words: usize,
    jobs: RefCell<Option<Sender<Job>>>,
    outputs: Cell<u64>,
}

/// What the thread is told.
enum Job {
    Compile {
        output: u64,
        spec: String,
        reply: Reply<()>,
    },
    Step {
        output: u64,
        step: Step,
        reply: Reply<Position>,
    },
    /// Nobody asks of it any more.
    Close {
        output: u64,
    },
}

impl GrammarThread {
    /// A thread, which begins when first needed, for a vocabulary of `words` times 32 tokens at most.
    pub fn new(words: usize, make: impl Fn() -> Box<dyn Grammars> + Send + Sync + 'static) -> GrammarThread {
        GrammarThread { make: Arc::new(make), words, jobs: RefCell::default(), outputs: Cell::new(0) }
    }

    /// Where the thread takes its jobs.
    fn jobs(&self) -> Result<Sender<Job>, GrammarError> {
        if let Some(jobs) = &*self.jobs.borrow() {
            return Ok(jobs.clone());
        }
        let (sender, jobs) = channel();
        let (make, words) = (self.make.clone(), self.words);
        std::thread::Builder::new()
            .name("grammars".to_owned())
            .stack_size(STACK)
            .spawn(move || Worker { grammars: None, make, words, outputs: HashMap::new() }.serve(&jobs))
            .map_err(|error| GrammarError::Internal(format!("no thread for grammars can be started: {error}")))?;
        *self.jobs.borrow_mut() = Some(sender.clone());
        Ok(sender)
    }
}

impl AsyncGrammars for GrammarThread {
    fn compile(&self, spec_json: &str) -> Later<Box<dyn AsyncMatch>> {
        let id = self.outputs.get();
        self.outputs.set(id + 1);
        let begun = self.jobs().map(|jobs| {
            let (reply, receipt) = promise();
            let spec = spec_json.to_owned();
            // Where the thread is no more, the reply tells.
            let _ = jobs.send(Job::Compile { output: id, spec, reply });
            (Output { id, jobs }, receipt)
        });
        Box::pin(async move {
            let (output, receipt) = begun?;
            receipt.await?;
            Ok(Box::new(output) as Box<dyn AsyncMatch>)
        })
    }
}

/// An output that the thread has, or is about to. It forgets it when this is dropped, compiled or not.
struct Output {
    id: u64,
    jobs: Sender<Job>,
}

impl AsyncMatch for Output {
    fn step(&mut self, step: Step) -> Later<Position> {
        let (reply, receipt) = promise();
        let _ = self.jobs.send(Job::Step { output: self.id, step, reply });
        Box::pin(receipt)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let _ = self.jobs.send(Job::Close { output: self.id });
    }
}

/// The thread's own side.
struct Worker {
    make: Arc<Make>,
    grammars: Option<Box<dyn Grammars>>,
    words: usize,
    outputs: HashMap<u64, Session>,
}

impl Worker {
    fn serve(mut self, jobs: &Receiver<Job>) {
        let mut compiles: VecDeque<(u64, String, Reply<()>)> = VecDeque::new();
        loop {
            // Steps are short, and rows wait for them: they come before what is to be compiled.
            let job = match compiles.is_empty() {
                true => jobs.recv().map_err(|_| ()),
                false => jobs.try_recv().map_err(|_| ()),
            };
            match job {
                Ok(Job::Compile { output, spec, reply }) => compiles.push_back((output, spec, reply)),
                Ok(Job::Step { output, step, reply }) => reply.send(self.step(output, &step)),
                Ok(Job::Close { output }) => {
                    compiles.retain(|(waiting, ..)| *waiting != output);
                    self.outputs.remove(&output);
                }
                Err(()) => match compiles.pop_front() {
                    Some((output, spec, reply)) => reply.send(self.compile(output, &spec)),
                    None => return,
                },
            }
        }
    }

    fn compile(&mut self, output: u64, spec: &str) -> Result<(), GrammarError> {
        let mut grammars = self.grammars.take();
        let make = &self.make;
        // After a panic nobody knows what the compiler is worth: it is made anew.
        let compiled = caught(|| grammars.get_or_insert_with(|| make()).compile(spec))?;
        self.grammars = grammars;
        self.outputs.insert(output, Session::new(compiled?, self.words));
        Ok(())
    }

    fn step(&mut self, output: u64, step: &Step) -> Result<Position, GrammarError> {
        let ended = || GrammarError::Internal("an output is asked of that has failed".to_owned());
        let session = self.outputs.get_mut(&output).ok_or_else(ended)?;
        caught(|| session.step(step)).unwrap_or_else(|panic| {
            self.outputs.remove(&output);
            Err(panic)
        })
    }
}

/// What `act` gives, or the error that its panic is.
fn caught<T>(act: impl FnOnce() -> T) -> Result<T, GrammarError> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
        GrammarError::Internal(text.to_owned())
    })
}

/// What is there, and whom to wake once it is.
type PromiseState<T> = (Option<Result<T, GrammarError>>, Option<Waker>);

/// What is promised.
struct Promise<T> {
    state: Mutex<PromiseState<T>>,
    settled: Condvar,
}

/// The side that answers, once. Where it is dropped without, the answer is an error.
struct Reply<T>(Arc<Promise<T>>);

/// The side that waits.
struct Receipt<T> {
    promise: Arc<Promise<T>>,
    has_waited: bool,
}

fn promise<T>() -> (Reply<T>, Receipt<T>) {
    let promise = Arc::new(Promise { state: Mutex::default(), settled: Condvar::new() });
    (Reply(promise.clone()), Receipt { promise, has_waited: false })
}

impl<T> Promise<T> {
    fn state(&self) -> MutexGuard<'_, PromiseState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, result: Result<T, GrammarError>) {
        let mut state = self.state();
        state.0.get_or_insert(result);
        let waker = state.1.take();
        drop(state);
        self.settled.notify_one();
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<T> Reply<T> {
    fn send(self, result: Result<T, GrammarError>) {
        self.0.settle(result);
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        self.0.settle(Err(GrammarError::Internal("the thread for grammars has ended".to_owned())));
    }
}

impl<T> Future for Receipt<T> {
    type Output = Result<T, GrammarError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let grace = if std::mem::replace(&mut self.has_waited, true) { Duration::ZERO } else { GRACE };
        let state = self.promise.settled.wait_timeout_while(self.promise.state(), grace, |state| state.0.is_none());
        let (mut state, _) = state.unwrap_or_else(PoisonError::into_inner);
        match state.0.take() {
            Some(result) => Poll::Ready(result),
            None => {
                state.1 = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests;
