//! Threads beside the one that asks. Operations follow one another within microseconds, and waking a thread takes tens of them: so they
//! look out for work a while before they sleep.

use std::cell::Cell;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder, Yield};

/// How long a thread looks out for work: longer than from one token to the next.
const LOOKOUT: Duration = Duration::from_micros(500);
/// How often one looks before it lets other programs go first, and before it sleeps.
const LOOKS: u32 = 64;
const LOOKS_BEFORE_SLEEP: u32 = 1024;

/// The threads beside the one that asks: with it, one for each core that this program may use. None where there are no others.
fn others() -> Option<&'static ThreadPool> {
    static OTHERS: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let start = || {
        let count = thread::available_parallelism().ok()?.get() - 1;
        let pool = ThreadPoolBuilder::new().num_threads(count).thread_name(|number| format!("inglenook-{number}"));
        (count > 0).then(|| pool.build().ok())?
    };
    OTHERS.get_or_init(start).as_ref()
}

/// Threads that work can be spread over: one for each core that this program may use.
pub fn threads_there() -> usize {
    others().map_or(1, |others| others.current_num_threads() + 1)
}

/// Calls `work` with every piece, on so many threads. Each takes the next piece when it has done one, so that a thread which the system
/// holds up leaves the rest to the others.
pub fn spread<T: Send>(threads: usize, pieces: impl Iterator<Item = T> + Send, work: impl Fn(T) + Sync) {
    let (2.., Some(others)) = (threads, others()) else { return pieces.for_each(work) };
    let pieces = Mutex::new(pieces);
    let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
    let take_turns = || {
        while let Some(piece) = next() {
            work(piece);
        }
    };
    let busy = AtomicUsize::new(threads - 1);
    others.in_place_scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| {
                take_turns();
                busy.fetch_sub(1, Ordering::Release);
            });
        }
        keep_looking_out(others, threads - 1);
        take_turns();
        // The last pieces are nearly done. One that panics never is: the scope says so.
        let mut looks = 0;
        while busy.load(Ordering::Acquire) > 0 && looks < LOOKS_BEFORE_SLEEP {
            pause(&mut looks);
        }
    });
}

/// Threads that look out for work, or soon will.
static LOOKOUTS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this one does. What it finds may be a call to do so.
    static LOOKS_OUT: Cell<bool> = const { Cell::new(false) };
}

/// Has so many threads look out for work, or all.
fn keep_looking_out(others: &'static ThreadPool, threads: usize) {
    let threads = threads.min(others.current_num_threads());
    let one_more = |count| (count < threads).then_some(count + 1);
    while LOOKOUTS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok() {
        others.spawn(|| {
            look_out();
            LOOKOUTS.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Does what work there is, until there has been none for a while.
fn look_out() {
    if LOOKS_OUT.replace(true) {
        return;
    }
    let (mut since, mut looks) = (Instant::now(), 0);
    while since.elapsed() < LOOKOUT {
        match rayon::yield_now() {
            Some(Yield::Executed) => (since, looks) = (Instant::now(), 0),
            _ => pause(&mut looks),
        }
    }
    LOOKS_OUT.set(false);
}

/// Waits for very little.
fn pause(looks: &mut u32) {
    *looks += 1;
    if *looks < LOOKS { spin_loop() } else { thread::yield_now() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(done: &AtomicUsize) {
        done.fetch_add(1, Ordering::Relaxed);
    }

    #[test]
    fn spread_does_every_piece_once_whatever_the_threads() {
        for threads in [1, 2, 3, 9] {
            let mut pieces = [0; 7];
            spread(threads, pieces.iter_mut(), |piece| *piece += 1);
            assert_eq!(pieces, [1; 7], "{threads} threads");
        }
    }

    #[test]
    fn spread_ends_in_the_panic_of_a_piece_and_goes_on_afterwards() {
        for _ in 0..3 {
            let panics = || spread(2, 0..7, |piece| assert_ne!(piece, 3));
            assert!(std::panic::catch_unwind(panics).is_err());
            let done = AtomicUsize::new(0);
            spread(2, 0..7, |_| count(&done));
            assert_eq!(done.into_inner(), 7);
        }
    }

    #[test]
    fn spread_may_be_called_by_many_at_once_and_within_a_piece() {
        let done = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        spread(3, 0..5, |_| spread(2, 0..3, |_| count(&done)));
                    }
                });
            }
        });
        assert_eq!(done.into_inner(), 4 * 200 * 15);
    }
}
