//! Which pages a sequence takes, gives back and finds again.

use super::*;

/// A prompt of `len` tokens that is computed and then answered, alone.
fn run_alone(scheduler: &mut Scheduler, id: SeqId, tokens: &[u32], answer: usize) {
    let limits = StepLimits { chunk_alone: CHUNK, chunk_shared: CHUNK, rows: 1, group: 4 };
    scheduler.submit(id, tokens, tokens.len() + answer, (0, 0), Namespace(0)).expect("an empty queue");
    let mut standing = tokens.len();
    while let Some(Step { work, .. }) = scheduler.next(&limits) {
        if let Work::Decode { steps, .. } = work {
            scheduler.read(id, steps);
            for _ in 0..steps {
                standing += 1;
                scheduler.extend(id, &[standing as u32 - 1], standing - 1);
            }
        }
    }
}

fn windowed(pages: u32) -> Scheduler {
    let group = |window, pages| GroupOptions { lifetime: Lifetime { window, ..Lifetime::default() }, pages };
    Scheduler::new(SchedulerOptions { slots: 2, groups: vec![group(None, 64), group(Some(100), pages)], queue: 4 })
}

#[test]
fn windowed_group_frees_pages_behind_the_window() {
    // A window of 100 tokens and a chunk of 64 lie in 7 pages at most; the sequence has 40.
    let mut scheduler = windowed(7);
    let tokens: Vec<u32> = (0..1000).collect();
    run_alone(&mut scheduler, 1, &tokens, 280);
    let tables = &scheduler.tracks[&1].tables;
    assert_eq!(tables[0].iter().count(), 40);
    // Those of positions 1180..=1279.
    assert_eq!(tables[1].iter().map(|(number, _)| number).collect::<Vec<_>>(), [36, 37, 38, 39]);
    assert_eq!(scheduler.counts().preempted, 0);
    scheduler.remove(1);
    assert_eq!(scheduler.pools[1].obtainable(), 7);
}

#[test]
fn prefix_behind_freed_pages_is_computed_again_and_its_end_is_not() {
    let mut scheduler = windowed(7);
    let tokens: Vec<u32> = (0..1000).collect();
    run_alone(&mut scheduler, 1, &tokens, 8);
    scheduler.remove(1);
    // Gone on with: all of it stands.
    let longer: Vec<u32> = (0..1007).chain([5000; 40]).collect();
    run_alone(&mut scheduler, 2, &longer, 1);
    assert_eq!(scheduler.cached(2), Some(1007));
    scheduler.remove(2);
    // Cut in its middle: the pages of that window are gone, although the other group has all.
    let cut: Vec<u32> = (0..500).chain([6000; 40]).collect();
    run_alone(&mut scheduler, 3, &cut, 1);
    assert_eq!(scheduler.cached(3), Some(0));
}

#[test]
fn shared_prompt_counts_once_where_a_sequence_waits_for_room() {
    let mut scheduler = Scheduler::new(SchedulerOptions { slots: 2, groups: vec![plain(14)], queue: 4 });
    let limits = StepLimits { chunk_alone: 512, chunk_shared: 512, rows: 2, group: 4 };
    let tokens: Vec<u32> = (0..8 * PAGE).collect();
    scheduler.submit(1, &tokens, 300, (0, 0), Namespace(0)).expect("room");
    assert!(matches!(scheduler.next(&limits), Some(Step { work: Work::Prefill { id: 1, .. }, .. })));
    // Of 14 pages 8 are taken, and soon 9. Of a prompt of 8 pages only one with the same beginning has room.
    let other: Vec<u32> = (1000..1000 + 8 * PAGE).collect();
    scheduler.submit(2, &other, 300, (0, 1), Namespace(0)).expect("room");
    scheduler.next(&limits);
    assert_eq!(scheduler.waiting(), 1);
    scheduler.remove(2);
    scheduler.submit(3, &tokens, 300, (0, 1), Namespace(0)).expect("room");
    scheduler.next(&limits);
    assert_eq!(scheduler.waiting(), 0);
}
