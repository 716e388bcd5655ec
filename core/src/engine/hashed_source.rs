//! A source that hashes what passes through it, so that a file need not be read twice.

use std::cell::RefCell;
use std::hash::Hasher;

use inglenook_format::source::{LocalFuture, Source, SourceError};
use twox_hash::XxHash64;

/// Hashes all bytes that are read, in the order in which they are, however they are cut.
pub(super) struct HashedSource<'a> {
    source: &'a dyn Source,
    hash: RefCell<XxHash64>,
}

impl<'a> HashedSource<'a> {
    pub fn new(source: &'a dyn Source) -> HashedSource<'a> {
        HashedSource { source, hash: RefCell::new(XxHash64::with_seed(0)) }
    }

    /// The hash of what was read so far.
    pub fn hash(&self) -> u64 {
        self.hash.borrow().finish()
    }
}

impl Source for HashedSource<'_> {
    fn len(&self) -> Option<u64> {
        self.source.len()
    }

    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> LocalFuture<'a, Result<(), SourceError>> {
        Box::pin(async move {
            self.source.read_at(offset, buf).await?;
            self.hash.borrow_mut().write(buf);
            Ok(())
        })
    }
}
