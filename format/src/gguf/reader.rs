//! Reads a header front to back in pieces, from any source, and hands out checked numbers and text.
//!
//! Memory here grows with bytes that came, never with a count that the file declares.

use super::error::GgufError;
use crate::source::{LOOK_BACK, Source, SourceError};

/// Headers beyond this are refused; the largest known (vocabularies of 260,000 tokens with merges) stay below 25 MiB.
pub(super) const MAX_HEADER: u64 = 128 << 20;

/// Size of the first piece; they double up to [`LOOK_BACK`].
const FIRST_PIECE: usize = 256 << 10;

/// How many bytes replacing bad UTF-8 may add in a whole file.
const LOSSY_BUDGET: usize = 1 << 20;

pub(super) struct Reader<'s> {
    source: &'s dyn Source,
    /// Length of the file, where known.
    len: Option<u64>,
    /// Bytes read; those before `at` are used up.
    buf: Vec<u8>,
    at: usize,
    /// Offset in the file just after `buf`.
    end: u64,
    next_piece: usize,
    ended: bool,
    lossy_left: usize,
    /// What is being read, for messages.
    pub section: &'static str,
}

impl<'s> Reader<'s> {
    pub fn new(source: &'s dyn Source) -> Self {
        Reader {
            source,
            len: source.len(),
            buf: Vec::new(),
            at: 0,
            end: 0,
            next_piece: FIRST_PIECE,
            ended: false,
            lossy_left: LOSSY_BUDGET,
            section: "header",
        }
    }

    /// Offset in the file of the next byte to be handed out.
    pub fn offset(&self) -> u64 {
        self.end - self.available() as u64
    }

    fn available(&self) -> usize {
        self.buf.len() - self.at
    }

    fn truncated(&self, end: u64) -> GgufError {
        GgufError::Truncated { end, section: self.section }
    }

    /// Refuses `count` elements of at least `size` bytes each, where the file cannot hold them.
    pub fn expect(&self, count: u64, size: u64) -> Result<(), GgufError> {
        let bytes = count.checked_mul(size);
        let over = |limit: u64| bytes.is_none_or(|bytes| bytes > limit.saturating_sub(self.offset()));
        match self.len {
            Some(len) if over(len) => Err(self.truncated(len)),
            _ if over(MAX_HEADER) => Err(GgufError::TooMany {
                what: "bytes of header",
                count: bytes.unwrap_or(u64::MAX).saturating_add(self.offset()),
                max: MAX_HEADER,
            }),
            _ => Ok(()),
        }
    }

    /// Makes at least `n` bytes available; `n` is at most [`LOOK_BACK`].
    async fn fill(&mut self, n: usize) -> Result<(), GgufError> {
        while self.available() < n {
            if self.ended || self.len.is_some_and(|len| self.end >= len) {
                return Err(self.truncated(self.end));
            }
            self.read_piece().await?;
        }
        Ok(())
    }

    async fn read_piece(&mut self) -> Result<(), GgufError> {
        self.buf.drain(..self.at);
        self.at = 0;
        let left = self.len.map_or(u64::MAX, |len| len - self.end);
        let piece = left.min(self.next_piece as u64) as usize;
        self.next_piece = (self.next_piece * 2).min(LOOK_BACK);
        let had = self.buf.len();
        self.buf.reserve_exact(piece);
        self.buf.resize(had + piece, 0);
        let came = match self.source.read_at(self.end, &mut self.buf[had..]).await {
            Ok(()) => piece,
            Err(SourceError::UnexpectedEnd { have, .. }) => {
                self.ended = true;
                have.min(piece)
            }
            Err(error) => return Err(error.into()),
        };
        self.buf.truncate(had + came);
        self.end += came as u64;
        Ok(())
    }

    /// Hands out `n` bytes that are available.
    fn take(&mut self, n: usize) -> &[u8] {
        self.at += n;
        &self.buf[self.at - n..self.at]
    }

    pub async fn magic(&mut self) -> Result<[u8; 4], GgufError> {
        Ok(self.u32().await?.to_le_bytes())
    }

    pub async fn u32(&mut self) -> Result<u32, GgufError> {
        Ok(self.scalar(4).await? as u32)
    }

    pub async fn u64(&mut self) -> Result<u64, GgufError> {
        self.scalar(8).await
    }

    /// The bits of a scalar of so many bytes, at most 8.
    pub async fn scalar(&mut self, size: usize) -> Result<u64, GgufError> {
        self.fill(size).await?;
        let mut bits = [0; 8];
        bits[..size].copy_from_slice(self.take(size));
        Ok(u64::from_le_bytes(bits))
    }

    /// Hands out the bytes of `count` scalars of `size` bytes each, some whole ones at a time.
    pub async fn scalars(&mut self, count: u64, size: usize, take: &mut dyn FnMut(&[u8])) -> Result<(), GgufError> {
        self.expect(count, size as u64)?;
        let mut left = count;
        while left > 0 {
            self.fill(size).await?;
            let n = left.min((self.available() / size) as u64);
            take(self.take(n as usize * size));
            left -= n;
        }
        Ok(())
    }

    /// Text with a length before it, appended to `out`. Bytes that are not UTF-8 become U+FFFD: files with a few damaged
    /// token strings exist and work elsewhere, and a token that is never produced hurts nobody.
    ///
    /// `None` when so much is not UTF-8 that the replacements would outgrow the file.
    pub async fn text(&mut self, out: &mut String) -> Result<Option<()>, GgufError> {
        let len = self.u64().await?;
        self.expect(len, 1)?;
        if len > LOOK_BACK as u64 {
            let mut bytes = Vec::new();
            self.scalars(len, 1, &mut |piece| extend(&mut bytes, piece, len, u8::from_le_bytes)).await?;
            return Ok(push_lossy(out, &bytes, &mut self.lossy_left));
        }
        self.fill(len as usize).await?;
        self.at += len as usize;
        let bytes = &self.buf[self.at - len as usize..self.at];
        Ok(push_lossy(out, bytes, &mut self.lossy_left))
    }

    /// A name of at most `max` bytes with its length before it; `None` when it is not UTF-8.
    pub async fn name(&mut self, what: &'static str, max: u64) -> Result<Option<String>, GgufError> {
        let len = self.u64().await?;
        if len > max {
            return Err(GgufError::TooMany { what, count: len, max });
        }
        self.expect(len, 1)?;
        self.fill(len as usize).await?;
        Ok(str::from_utf8(self.take(len as usize)).ok().map(str::to_owned))
    }
}

/// Appends scalars of `N` bytes to what will be `declared` in all.
pub(super) fn extend<T, const N: usize>(out: &mut Vec<T>, bytes: &[u8], declared: u64, decode: fn([u8; N]) -> T) {
    let (scalars, _) = bytes.as_chunks::<N>();
    grow(out, scalars.len(), declared);
    out.extend(scalars.iter().map(|bytes| decode(*bytes)));
}

/// Reserves room for `more` elements, growing by a sixteenth at a time and never past `declared` in all.
///
/// The usual doubling would hold up to three times the data at its peak.
pub(super) fn grow<T>(out: &mut Vec<T>, more: usize, declared: u64) {
    let wanted = out.len() + more;
    if wanted > out.capacity() {
        let ample = out.capacity() + (out.capacity() / 16).max(64);
        let declared = usize::try_from(declared).unwrap_or(usize::MAX);
        out.reserve_exact(wanted.max(ample.min(declared)) - out.len());
    }
}

fn push_lossy(out: &mut String, bytes: &[u8], budget: &mut usize) -> Option<()> {
    let bad = bytes.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count();
    *budget = budget.checked_sub(3 * bad)?;
    let wanted = out.len() + bytes.len() + 3 * bad;
    if wanted > out.capacity() {
        // A lone string gets exactly its room; the text of a growing array a sixteenth more.
        let ample = if out.is_empty() { 0 } else { out.capacity() + (out.capacity() / 16).max(64) };
        out.reserve_exact(wanted.max(ample) - out.len());
    }
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
    Some(())
}
