//! Work that is spread over the processor's cores; in a browser there is one.

/// Multiplications below which a second thread costs more than it brings.
const WORK_OF_A_THREAD: usize = 1 << 17;
/// Pieces of work for each thread.
const PIECES_OF_A_THREAD: usize = 4;

/// Rows of a piece, where so many rows are for so many threads.
pub fn pieces_of(rows: usize, threads: usize) -> usize {
    if threads == 1 { rows } else { rows.div_ceil(threads * PIECES_OF_A_THREAD) }
}

/// As many as there are.
pub const ALL_THREADS: usize = usize::MAX;

/// Threads that work can be spread over: one for each core that this program may use.
#[cfg(not(target_arch = "wasm32"))]
pub fn threads_there() -> usize {
    rayon::current_num_threads()
}

/// Threads that work can be spread over.
#[cfg(target_arch = "wasm32")]
pub fn threads_there() -> usize {
    1
}

/// How many threads so many multiplications are worth, of `most`.
pub fn threads_for(multiplications: usize, most: usize) -> usize {
    (multiplications / WORK_OF_A_THREAD).clamp(1, most.min(threads_there()).max(1))
}

/// Calls `work` with every piece, on so many threads. Each takes the next piece when it has done one, so that a thread which the system
/// holds up leaves the rest to the others.
#[cfg(not(target_arch = "wasm32"))]
pub fn spread<T: Send>(threads: usize, pieces: impl Iterator<Item = T> + Send, work: impl Fn(T) + Sync) {
    use std::sync::{Mutex, PoisonError};

    if threads == 1 {
        return pieces.for_each(work);
    }
    let pieces = Mutex::new(pieces);
    let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
    let take_turns = || {
        while let Some(piece) = next() {
            work(piece);
        }
    };
    rayon::in_place_scope(|scope| {
        (1..threads).for_each(|_| scope.spawn(|_| take_turns()));
        take_turns();
    });
}

/// Calls `work` with every piece.
#[cfg(target_arch = "wasm32")]
pub fn spread<T>(_: usize, pieces: impl Iterator<Item = T>, work: impl Fn(T)) {
    pieces.for_each(work);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_does_every_piece_once_whatever_the_threads() {
        for threads in [1, 2, 3, 9] {
            let mut pieces = [0; 7];
            spread(threads, pieces.iter_mut(), |piece| *piece += 1);
            assert_eq!(pieces, [1; 7], "{threads} threads");
        }
    }
}
