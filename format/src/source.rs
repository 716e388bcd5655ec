//! Where a file's bytes come from: memory, a seekable reader, a stream that only runs forward.
//!
//! The engine opens no file and no socket itself. It asks a [`Source`] for byte ranges, piece by piece, so that a model
//! never has to fit into memory whole. Readers here must never allocate by a length that somebody else declared.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{Read, Seek, SeekFrom};
use std::pin::Pin;

/// A boxed future that stays on its thread, as everything does in a browser.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// How far behind its furthest byte a forward-only source must still be able to serve: 1 MiB.
///
/// A header is read in pieces of at most this size, so the last piece may run this far into the tensor data.
pub const LOOK_BACK: usize = 1 << 20;

/// Why bytes could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The disk, the network or the browser reported an error.
    #[error("reading the file failed: {message}; check that it is still there and reachable, then try again")]
    Transport {
        /// What the transport said.
        message: String,
    },
    /// The file ended before the bytes asked for; the first `have` bytes of the buffer are valid.
    #[error(
        "the file ends early: {wanted} bytes were wanted at byte {offset} and only {have} are there; it may have been cut off in a download, so fetch it again"
    )]
    UnexpectedEnd {
        /// Where the read began, in bytes from the start of the file.
        offset: u64,
        /// How many bytes were asked for.
        wanted: usize,
        /// How many of them exist.
        have: usize,
    },
    /// A stream was asked for bytes that it has already let go.
    #[error(
        "a stream cannot go back to byte {offset}, since it keeps nothing before byte {kept_from}; pass a file, a Blob or a URL with range support instead"
    )]
    Backwards {
        /// Where the read began.
        offset: u64,
        /// The first byte the stream can still serve.
        kept_from: u64,
    },
    /// The read was cancelled, here or by an earlier read of the same stream that was dropped half way.
    #[error("reading the file was cancelled; start the load again")]
    Aborted,
}

impl SourceError {
    /// A code that stays the same across versions, as the npm package and the server pass it on.
    pub fn code(&self) -> &'static str {
        match self {
            SourceError::Transport { .. } => "Download",
            SourceError::UnexpectedEnd { .. } => "BadFile",
            SourceError::Backwards { .. } => "Unsupported",
            SourceError::Aborted => "Aborted",
        }
    }
}

impl From<std::io::Error> for SourceError {
    fn from(error: std::io::Error) -> Self {
        SourceError::Transport { message: error.to_string() }
    }
}

/// The bytes of one file, wherever it lives.
///
/// Whoever reads must come with offsets that increase, give or take [`LOOK_BACK`], since a source may be a stream.
#[allow(clippy::len_without_is_empty, reason = "a source of unknown length can answer neither")]
pub trait Source {
    /// Length of the file in bytes, where it is known before the end is reached.
    fn len(&self) -> Option<u64>;

    /// Fills `buf` with the bytes at `offset`.
    ///
    /// # Errors
    /// When the file ends first, [`SourceError::UnexpectedEnd`], and the first `have` bytes of `buf` are filled all the same.
    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> LocalFuture<'a, Result<(), SourceError>>;
}

/// A file that is in memory already, such as one compiled into the program.
#[derive(Debug, Clone)]
pub struct Memory<B>(pub B);

impl<B: AsRef<[u8]>> Source for Memory<B> {
    fn len(&self) -> Option<u64> {
        Some(self.0.as_ref().len() as u64)
    }

    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> LocalFuture<'a, Result<(), SourceError>> {
        let bytes = self.0.as_ref();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let have = buf.len().min(bytes.len() - start);
        buf[..have].copy_from_slice(&bytes[start..start + have]);
        Box::pin(std::future::ready(filled(offset, buf.len(), have)))
    }
}

/// Any seekable reader as a source: natively, `ReadAt::new(File::open(path)?)`.
#[derive(Debug)]
pub struct ReadAt<R> {
    reader: RefCell<R>,
    len: u64,
}

impl<R: Read + Seek> ReadAt<R> {
    /// Takes the reader over and finds its length by seeking to the end.
    ///
    /// # Errors
    /// Whatever the reader says on seeking.
    pub fn new(mut reader: R) -> std::io::Result<Self> {
        let len = reader.seek(SeekFrom::End(0))?;
        Ok(ReadAt { reader: RefCell::new(reader), len })
    }

    fn read_now(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        let mut reader = self.reader.borrow_mut();
        reader.seek(SeekFrom::Start(offset))?;
        let mut have = 0;
        while have < buf.len() {
            match reader.read(&mut buf[have..]) {
                Ok(0) => break,
                Ok(n) => have += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        filled(offset, buf.len(), have)
    }
}

impl<R: Read + Seek> Source for ReadAt<R> {
    fn len(&self) -> Option<u64> {
        Some(self.len)
    }

    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> LocalFuture<'a, Result<(), SourceError>> {
        Box::pin(std::future::ready(self.read_now(offset, buf)))
    }
}

/// A run of byte chunks in file order, such as the body of a download; [`Stream`] makes a [`Source`] of it.
pub trait Chunks {
    /// Length of the whole, where the transport tells it.
    fn len_hint(&self) -> Option<u64>;

    /// The next chunk, of any size; `None` at the end.
    fn next(&mut self) -> LocalFuture<'_, Result<Option<Vec<u8>>, SourceError>>;
}

/// A forward-only source: it skips ahead as asked, and keeps [`LOOK_BACK`] bytes behind the furthest byte it has served.
///
/// One read at a time. Dropping a read before it ends gives the stream up: every later read is [`SourceError::Aborted`].
pub struct Stream<C> {
    len: Option<u64>,
    state: Cell<Option<StreamState<C>>>,
}

struct StreamState<C> {
    chunks: C,
    /// Chunks that have come and are kept, in file order.
    kept: VecDeque<Vec<u8>>,
    /// Offset in the file of the first kept byte.
    kept_from: u64,
    /// Offset in the file just after the last kept byte.
    kept_to: u64,
}

impl<C: Chunks> Stream<C> {
    /// Wraps `chunks`, of which nothing may have been taken yet.
    pub fn new(chunks: C) -> Self {
        let len = chunks.len_hint();
        let state = StreamState { chunks, kept: VecDeque::new(), kept_from: 0, kept_to: 0 };
        Stream { len, state: Cell::new(Some(state)) }
    }
}

impl<C: Chunks> Source for Stream<C> {
    fn len(&self) -> Option<u64> {
        self.len
    }

    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> LocalFuture<'a, Result<(), SourceError>> {
        Box::pin(async move {
            let mut state = self.state.take().ok_or(SourceError::Aborted)?;
            let result = state.read(offset, buf).await;
            self.state.set(Some(state));
            result
        })
    }
}

impl<C: Chunks> StreamState<C> {
    async fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        if offset < self.kept_from {
            return Err(SourceError::Backwards { offset, kept_from: self.kept_from });
        }
        let mut have = 0;
        while have < buf.len() {
            let at = offset.saturating_add(have as u64);
            have += self.copy_kept(at, &mut buf[have..]);
            if have == buf.len() {
                break;
            }
            self.forget_before(offset.saturating_add(have as u64));
            match self.chunks.next().await? {
                Some(chunk) => {
                    self.kept_to += chunk.len() as u64;
                    self.kept.push_back(chunk);
                }
                None => break,
            }
        }
        filled(offset, buf.len(), have)
    }

    /// Copies what is kept from `at` on; returns how many bytes that was.
    fn copy_kept(&self, at: u64, buf: &mut [u8]) -> usize {
        let mut start = self.kept_from;
        let mut done = 0;
        for chunk in &self.kept {
            let end = start + chunk.len() as u64;
            let here = at + done as u64;
            if here < end && done < buf.len() {
                let from = (here - start) as usize;
                let n = (chunk.len() - from).min(buf.len() - done);
                buf[done..done + n].copy_from_slice(&chunk[from..from + n]);
                done += n;
            }
            start = end;
        }
        done
    }

    /// Lets go of whole chunks that lie more than [`LOOK_BACK`] before `position`.
    fn forget_before(&mut self, position: u64) {
        while let Some(front) = self.kept.front() {
            let end = self.kept_from + front.len() as u64;
            if end.saturating_add(LOOK_BACK as u64) > position.min(self.kept_to) {
                break;
            }
            self.kept_from = end;
            self.kept.pop_front();
        }
    }
}

fn filled(offset: u64, wanted: usize, have: usize) -> Result<(), SourceError> {
    if have == wanted { Ok(()) } else { Err(SourceError::UnexpectedEnd { offset, wanted, have }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Yields `0, 1, 2, …` (modulo 251) in chunks of one size.
    struct Counting {
        at: usize,
        len: usize,
        chunk: usize,
    }

    impl Chunks for Counting {
        fn len_hint(&self) -> Option<u64> {
            None
        }

        fn next(&mut self) -> LocalFuture<'_, Result<Option<Vec<u8>>, SourceError>> {
            let end = (self.at + self.chunk).min(self.len);
            let piece: Vec<u8> = (self.at..end).map(byte).collect();
            self.at = end;
            Box::pin(std::future::ready(Ok((!piece.is_empty()).then_some(piece))))
        }
    }

    fn byte(i: usize) -> u8 {
        (i % 251) as u8
    }

    fn read(source: &dyn Source, offset: usize, n: usize) -> Result<Vec<u8>, SourceError> {
        let mut buf = vec![0; n];
        pollster::block_on(source.read_at(offset as u64, &mut buf)).map(|()| buf)
    }

    fn expected(offset: usize, n: usize) -> Vec<u8> {
        (offset..offset + n).map(byte).collect()
    }

    #[test]
    fn stream_skips_forward_and_keeps_its_look_back() {
        let stream = Stream::new(Counting { at: 0, len: 5 << 20, chunk: 70_001 });
        assert_eq!(read(&stream, 3, 10).unwrap(), expected(3, 10));
        assert_eq!(read(&stream, 2 << 20, 1 << 20).unwrap(), expected(2 << 20, 1 << 20));
        assert_eq!(read(&stream, 2 << 20, 9).unwrap(), expected(2 << 20, 9));
        assert!(matches!(read(&stream, 3, 10), Err(SourceError::Backwards { offset: 3, .. })));
        let end = 5 << 20;
        assert_eq!(
            read(&stream, end - 4, 9),
            Err(SourceError::UnexpectedEnd { offset: end as u64 - 4, wanted: 9, have: 4 })
        );
    }

    #[test]
    fn stream_keeps_little_while_it_skips() {
        let stream = Stream::new(Counting { at: 0, len: 40 << 20, chunk: 64 << 10 });
        assert_eq!(read(&stream, 39 << 20, 5).unwrap(), expected(39 << 20, 5));
        let state = stream.state.take().unwrap();
        assert!(state.kept.iter().map(Vec::len).sum::<usize>() <= LOOK_BACK + (128 << 10));
    }

    #[test]
    fn a_read_dropped_half_way_aborts_the_stream() {
        struct Never;
        impl Chunks for Never {
            fn len_hint(&self) -> Option<u64> {
                Some(4)
            }
            fn next(&mut self) -> LocalFuture<'_, Result<Option<Vec<u8>>, SourceError>> {
                Box::pin(std::future::pending())
            }
        }
        let stream = Stream::new(Never);
        let mut buf = [0; 4];
        let mut future = stream.read_at(0, &mut buf);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        drop(future);
        assert_eq!(read(&stream, 0, 4), Err(SourceError::Aborted));
    }

    #[test]
    fn memory_and_reader_agree_at_and_past_the_end() {
        let bytes = expected(0, 100);
        let memory = Memory(bytes.clone());
        let reader = ReadAt::new(std::io::Cursor::new(bytes)).unwrap();
        assert_eq!(reader.len(), Some(100));
        for (offset, n) in [(0, 100), (99, 1), (100, 0), (99, 2), (100, 1), (5000, 3), (usize::MAX, 1)] {
            assert_eq!(read(&memory, offset, n), read(&reader, offset, n), "{offset}+{n}");
        }
        assert_eq!(read(&memory, 98, 2).unwrap(), vec![98, 99]);
    }
}
