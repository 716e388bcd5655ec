//! Files that lie. Each must give a typed error or a valid parse, within 100 ms and twice the file's size and 16 MiB of
//! memory, whether its length is known or not.

mod cases;
mod files;
mod memory;
#[path = "../../../tests/shared/memory_meter.rs"]
mod meter;
mod mutations;
mod raw;

use std::cell::Cell;
use std::time::{Duration, Instant};

use inglenook_format::gguf::{Gguf, GgufError};
use inglenook_format::source::{Chunks, LocalFuture, Memory, Source, SourceError, Stream};

/// Time allowed for a file.
const TIME: Duration = Duration::from_millis(100);

thread_local! {
    /// The longest time and the most memory, in bytes, that a file took in this test.
    static WORST: Cell<(Duration, usize)> = const { Cell::new((Duration::ZERO, 0)) };
}

/// A download that hides its length or not.
struct Download<'a> {
    bytes: &'a [u8],
    len: Option<u64>,
    chunk: usize,
}

impl Chunks for Download<'_> {
    fn len_hint(&self) -> Option<u64> {
        self.len
    }

    fn next(&mut self) -> LocalFuture<'_, Result<Option<Vec<u8>>, SourceError>> {
        let (chunk, rest) = self.bytes.split_at(self.chunk.min(self.bytes.len()));
        self.bytes = rest;
        Box::pin(std::future::ready(Ok((!chunk.is_empty()).then(|| chunk.to_vec()))))
    }
}

/// Reads a file that is in memory, so that its length is known.
fn read(bytes: &[u8]) -> Result<Gguf, GgufError> {
    read_within_limits(&Memory(bytes), bytes.len())
}

/// Reads a stream of unknown length, in chunks of a size that suits nothing.
fn read_stream(bytes: &[u8]) -> Result<Gguf, GgufError> {
    read_within_limits(&Stream::new(Download { bytes, len: None, chunk: 4093 }), bytes.len())
}

fn read_within_limits(source: &dyn Source, file: usize) -> Result<Gguf, GgufError> {
    let (result, peak) = meter::peak(|| pollster::block_on(Gguf::read(source)));
    let limit = 2 * file + (16 << 20);
    WORST.set((WORST.get().0, WORST.get().1.max(peak)));
    assert!(peak <= limit, "{peak} bytes of memory for a file of {file}: {:?}", result.map(|_| ()));
    result
}

/// Runs `read`, and again if it took too long, since a busy machine may have taken the time.
fn in_time<T>(mut read: impl FnMut() -> T) -> T {
    for _ in 0..5 {
        let start = Instant::now();
        let result = read();
        let took = start.elapsed();
        if took <= TIME {
            WORST.set((WORST.get().0.max(took), WORST.get().1));
            return result;
        }
    }
    panic!("took over {TIME:?} five times");
}

/// What must hold of every file that is accepted.
fn check_parse(gguf: &Gguf, len: Option<u64>) {
    let mut end = gguf.data_start;
    for info in gguf.tensors_by_offset() {
        assert!(info.offset >= end && info.offset % gguf.alignment == 0, "{info:?}");
        end = info.end();
        match info.ty.block() {
            Some((len, bytes)) => {
                assert_eq!(info.bytes, info.weights() / len as u64 * bytes as u64);
                assert!(info.row_len().is_multiple_of(len as u64), "{info:?}");
            }
            None => assert_eq!(info.bytes, 0, "{info:?}"),
        }
        assert_eq!(gguf.tensor(&info.name), Ok(info));
    }
    assert!(gguf.tensors().is_empty() || len.is_none_or(|len| end <= len));
    for (key, value) in gguf.metadata.iter() {
        assert!(gguf.metadata.get(key).is_some_and(|found| std::ptr::eq(found, value)));
    }
}
