//! Work that is spread over the processor's cores; in a browser there is one.

#[cfg(not(target_arch = "wasm32"))]
mod pool;

#[cfg(not(target_arch = "wasm32"))]
pub use pool::{spread, threads_there};

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

/// Threads that work can be spread over.
#[cfg(target_arch = "wasm32")]
pub fn threads_there() -> usize {
    1
}

/// How many threads so many multiplications are worth, of `most`.
pub fn threads_for(multiplications: usize, most: usize) -> usize {
    (multiplications / WORK_OF_A_THREAD).clamp(1, most.min(threads_there()).max(1))
}

/// Calls `work` with every piece.
#[cfg(target_arch = "wasm32")]
pub fn spread<T>(_: usize, pieces: impl Iterator<Item = T>, work: impl Fn(T)) {
    pieces.for_each(work);
}
