//! The virtual GGUF file: a header in memory, and tensors that are read and changed as they are asked for.

use super::checkpoint::Shards;
use super::read::read;
use super::tensor::Tensor;
use crate::quant::TensorType;
use crate::source::{LocalFuture, Source, SourceError};
use crate::virtual_file::read_virtual;

/// A tensor at its place in the virtual file.
pub(super) struct Placed {
    /// In bytes from the start of the virtual file.
    pub offset: u64,
    pub bytes: u64,
    pub ty: TensorType,
    pub tensor: Tensor,
}

/// The bytes of a virtual GGUF file. Any range can be read, in any order.
pub struct View {
    pub(super) header: Vec<u8>,
    pub(super) shards: Shards,
    /// In the order of their offsets.
    pub(super) tensors: Vec<Placed>,
    pub(super) len: u64,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("len", &self.len).field("tensors", &self.tensors.len()).finish_non_exhaustive()
    }
}

impl Source for View {
    fn len(&self) -> Option<u64> {
        Some(self.len)
    }

    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> LocalFuture<'a, Result<(), SourceError>> {
        let place = |placed: &Placed| placed.offset..placed.offset + placed.bytes;
        let read = async |placed: &Placed, from: u64, out: &mut [u8]| self.read_tensor(placed, from, out).await;
        Box::pin(read_virtual((&self.header, self.len), (&self.tensors, place), (offset, buf), read))
    }
}

impl View {
    /// Bytes of a tensor from `from` on. Where they begin or end within a block, that block is read aside.
    async fn read_tensor(&self, placed: &Placed, from: u64, out: &mut [u8]) -> Result<(), SourceError> {
        let (len, bytes) = placed.ty.block().unwrap_or((1, 1));
        let element = |block: u64| block * len as u64;
        let mut block = from / bytes as u64;
        let skip = (from % bytes as u64) as usize;
        let mut aside = vec![0; bytes];
        let mut out = out;
        if skip > 0 {
            read(&self.shards, &placed.tensor, placed.ty, element(block), &mut aside).await?;
            let (head, rest) = out.split_at_mut((bytes - skip).min(out.len()));
            head.copy_from_slice(&aside[skip..skip + head.len()]);
            out = rest;
            block += 1;
        }
        let whole = out.len() / bytes;
        let (body, tail) = out.split_at_mut(whole * bytes);
        read(&self.shards, &placed.tensor, placed.ty, element(block), body).await?;
        if !tail.is_empty() {
            read(&self.shards, &placed.tensor, placed.ty, element(block + whole as u64), &mut aside).await?;
            tail.copy_from_slice(&aside[..tail.len()]);
        }
        Ok(())
    }
}
