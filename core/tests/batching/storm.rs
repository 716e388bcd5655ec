//! A storm of cancels: requests that are withdrawn at random moments, in every way that there is. Each answer settles, what is not
//! withdrawn is answered as before, and nothing stays behind. `INGLENOOK_FULL=1` withdraws 1,000.

use super::*;

/// More than run at once, so that some are withdrawn before they have begun.
const AT_ONCE: usize = 40;
/// Of so many requests, one is not withdrawn.
const KEPT: usize = 10;
/// Buffers for reads are used again, so there are as many as were ever read into at once, whatever the storm's length.
const MORE_READS: u64 = 8;

/// Withdraws `count` requests; what has become of them.
fn storm(engine: &Engine, count: usize, seed: u64, expected: &Said) -> HashMap<&'static str, u32> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut ends = HashMap::new();
    for first in (0..count).step_by(AT_ONCE) {
        let mut open: Vec<(usize, Answer)> = (first..count.min(first + AT_ONCE))
            .map(|number| {
                let question = if number % KEPT == 0 { QUESTIONS[1] } else { QUESTIONS[number % 8] };
                (number, engine.submit(ask(question)).expect("waits"))
            })
            .collect();
        let mut kept = Vec::new();
        while !open.is_empty() {
            let at = random.usize(0..open.len());
            if open[at].0.is_multiple_of(KEPT) {
                kept.push(open.swap_remove(at).1);
                continue;
            }
            // Something happens to any of them, before or behind which one is withdrawn.
            if random.bool() {
                block_on(engine.advance());
            }
            let (_, mut answer) = open.swap_remove(at);
            let end = match random.u32(0..3) {
                0 => {
                    drop(answer);
                    "dropped"
                }
                _ => {
                    answer.cancel();
                    let mut reason = None;
                    while let Some(event) = block_on(answer.next()).expect("settles") {
                        if let Event::Done { reason: of, .. } = event {
                            assert_eq!(reason.replace(of), None, "one end");
                        }
                    }
                    reason.expect("an end").name()
                }
            };
            *ends.entry(end).or_default() += 1;
        }
        same(&together(kept.into_iter().map(read).collect()), &vec![expected.clone(); AT_ONCE]);
    }
    ends
}

fn leaves_nothing(device: Device, count: usize) {
    let engine = load(device, &EngineOptions { no_speculation: true, ..EngineOptions::default() });
    let expected = block_on(read(engine.submit(ask(QUESTIONS[1])).expect("good")));
    // Plans of all sizes are made when they are first needed.
    storm(&engine, 2 * AT_ONCE, 1, &expected);
    let before = engine.counters();
    let ends = storm(&engine, count, 2, &expected);
    let (after, metrics) = (engine.counters(), engine.metrics());
    println!("{count} requests: {ends:?}, {} buffers made", after.buffers - before.buffers);
    assert_eq!((engine.requests(), metrics.queued, metrics.running, metrics.pages_shared), (0, 0, 0, 0));
    assert_eq!(after.live_bytes, before.live_bytes, "bytes alive on the device");
    assert!(after.buffers - before.buffers <= MORE_READS, "staging buffers are used again");
    same(&[block_on(read(engine.submit(ask(QUESTIONS[1])).expect("good")))], &[expected]);
    engine.reset_cache();
    assert_eq!(engine.metrics().pages_used, 0, "a page is held");
}

fn count(few: usize) -> usize {
    if std::env::var_os("INGLENOOK_FULL").is_some() { 1000 } else { few }
}

#[test]
fn storm_of_cancels_leaves_nothing_behind_on_the_cpu() {
    leaves_nothing(Device::Cpu, count(80));
}

#[test]
fn storm_of_cancels_leaves_nothing_behind_on_the_gpu() {
    leaves_nothing(gpu(), count(40));
}
