//! Who gets a slot first.

use super::*;

/// A scheduler of one slot, and its ids in the order in which they get it: each is removed as soon as it has it.
fn served(scheduler: &mut Scheduler) -> Vec<SeqId> {
    let limits = StepLimits { chunk_alone: 64, chunk_shared: 64, rows: 1, group: 1 };
    let mut order = Vec::new();
    while scheduler.next(&limits).is_some() {
        if let Some(id) = scheduler.slots[0] {
            order.push(id);
            scheduler.remove(id);
        }
    }
    order
}

fn one_slot() -> Scheduler {
    Scheduler::new(SchedulerOptions { slots: 1, groups: vec![plain(8)], queue: 1_000 })
}

#[test]
fn submit_serves_lower_priority_numbers_first() {
    let mut scheduler = one_slot();
    for (id, priority, now_ms) in [(0, 0, 0), (1, 5, 0), (2, 0, 10), (3, -5, 20), (4, 0, 30), (5, 5, 40)] {
        scheduler.submit(id, &[1, 2], 8, (priority, now_ms), Namespace(0)).expect("room in the queue");
    }
    assert_eq!(served(&mut scheduler), [3, 0, 2, 4, 1, 5]);
}

#[test]
fn submit_lets_no_request_wait_for_ever_behind_more_urgent_ones() {
    let mut scheduler = one_slot();
    let patient = 0;
    scheduler.submit(patient, &[1, 2], 8, (100, 0), Namespace(0)).expect("room in the queue");
    // One more urgent request comes every minute.
    for minute in 1..=60 {
        let now_ms = i64::from(minute) * 60_000;
        scheduler.submit(minute as SeqId, &[1, 2], 8, (-100, now_ms), Namespace(0)).expect("room in the queue");
    }
    let place = served(&mut scheduler).iter().position(|id| *id == patient);
    assert_eq!(place, Some(33), "200 steps of 10 s are 33 minutes and a third");
}
