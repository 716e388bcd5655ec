//! The older binary form: the number of entries, and for each of them the length of its name, the name, how often it was added to, the
//! number of its values, and those: means, times how often it was added to. Then, in some files, the number of pieces of text, and the
//! name of the text with its length before it. All whole numbers have 32 bits and a sign.

use super::{Imatrix, ImatrixError, PIECE};
use crate::source::{Source, SourceError};

/// The longest name accepted, of a matrix or a text.
const MAX_NAME: i32 = 4096;
/// More than any model has matrices.
const MAX_ENTRIES: i32 = 65_536;

pub(super) async fn read(source: &dyn Source) -> Result<Imatrix, ImatrixError> {
    let mut reader = Reader { source, at: 0 };
    let entries = reader.count("matrices", 1..=MAX_ENTRIES).await?;
    let mut imatrix = Imatrix::default();
    for _ in 0..entries {
        let name = reader.text("bytes in a name").await?;
        let calls = reader.i32().await?;
        let count = reader.count("values", 1..=i32::MAX).await?;
        let mut values = reader.floats(count as usize).await?;
        if calls > 0 {
            values.iter_mut().for_each(|value| *value /= calls as f32);
        }
        imatrix.insert(name, values)?;
    }
    // The rest is not in all files.
    if !reader.has_ended().await? {
        imatrix.chunks = u32::try_from(reader.i32().await?).ok();
        if !reader.has_ended().await? {
            imatrix.datasets.push(reader.text("bytes in a name").await?);
        }
    }
    Ok(imatrix)
}

struct Reader<'s> {
    source: &'s dyn Source,
    at: u64,
}

impl Reader<'_> {
    async fn fill(&mut self, out: &mut [u8]) -> Result<(), ImatrixError> {
        match self.source.read_at(self.at, out).await {
            Ok(()) => {
                self.at += out.len() as u64;
                Ok(())
            }
            Err(SourceError::UnexpectedEnd { have, .. }) => Err(ImatrixError::Truncated { end: self.at + have as u64 }),
            Err(error) => Err(error.into()),
        }
    }

    async fn has_ended(&self) -> Result<bool, ImatrixError> {
        match self.source.read_at(self.at, &mut [0]).await {
            Ok(()) => Ok(false),
            Err(SourceError::UnexpectedEnd { .. }) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    async fn i32(&mut self) -> Result<i32, ImatrixError> {
        let mut bytes = [0; 4];
        self.fill(&mut bytes).await?;
        Ok(i32::from_le_bytes(bytes))
    }

    async fn count(&mut self, what: &'static str, allowed: std::ops::RangeInclusive<i32>) -> Result<i32, ImatrixError> {
        let count = self.i32().await?;
        if allowed.contains(&count) { Ok(count) } else { Err(ImatrixError::Count { what, count: count.into() }) }
    }

    async fn text(&mut self, what: &'static str) -> Result<String, ImatrixError> {
        let count = self.count(what, 0..=MAX_NAME).await?;
        let mut bytes = vec![0; count as usize];
        self.fill(&mut bytes).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// In pieces, so that memory grows with what is there.
    async fn floats(&mut self, count: usize) -> Result<Vec<f32>, ImatrixError> {
        let mut values = Vec::new();
        while values.len() < count {
            let mut piece = vec![0; PIECE.min(4 * (count - values.len()))];
            self.fill(&mut piece).await?;
            values.extend(piece.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)));
        }
        Ok(values)
    }
}
