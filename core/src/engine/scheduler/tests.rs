//! The scheduler without a device.

mod order;
mod pages;
mod traces;

use super::*;

/// Tokens of a prefill chunk at most.
const CHUNK: usize = 64;

/// A group of so many pages without a window.
fn plain(pages: u32) -> GroupOptions {
    GroupOptions { lifetime: Lifetime::default(), pages }
}

/// An engine refuses it, and the scheduler computes nothing for it.
#[test]
fn empty_prompt_is_given_no_step() {
    let mut scheduler = Scheduler::new(SchedulerOptions { slots: 1, groups: vec![plain(2)], queue: 1 });
    scheduler.submit(1, &[], 8, (0, 0), Namespace(0)).expect("room");
    let limits = StepLimits { chunk_alone: 64, chunk_shared: 64, rows: 1, group: 4 };
    assert_eq!(scheduler.next(&limits), None);
    scheduler.remove(1);
    assert_eq!((scheduler.pools[0].free(), scheduler.waiting()), (2, 0));
}
