//! Pages on their way between the device and host memory: those that the prefix index evicts go to the host tier, and come back when a
//! sequence goes on with them. Must never decide which pages those are.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::device::{Device, Storage};
use crate::gpu::GpuError;
use crate::kv::KvCache;
use crate::kv::path_key::PathKey;
use crate::kv::tiers::HostTier;
use crate::plan::{self, PendingReadback};

/// Pages of a group that may be under way to host memory. Further ones are given up, and computed again if they are needed.
const READS_IN_FLIGHT: usize = 16;

/// Carries pages to host memory and back.
pub(super) struct PageTransfer {
    /// A page of all layers of a group in one piece, on a GPU; for all that is read.
    scratch: Option<Storage>,
    reads: Vec<PageRead>,
}

struct PageRead {
    group: usize,
    key: PathKey,
    bytes: Pin<Box<dyn Future<Output = Result<Vec<u8>, GpuError>>>>,
}

impl PageTransfer {
    /// Makes what reads need, so that nothing is allocated while answers are under way.
    ///
    /// # Errors
    /// What the device says.
    pub fn new(device: &Device, kv: &KvCache) -> Result<PageTransfer, GpuError> {
        let scratch = match device {
            Device::Cpu => None,
            _ => Some(device.buffer("page scratch", kv.page_bytes().max().unwrap_or(0))?),
        };
        Ok(PageTransfer { scratch, reads: Vec::new() })
    }

    /// Begins to read a page of a group: keys, then values of each layer. It may be written over at once, since the device keeps the
    /// order.
    pub fn read(&self, device: &Device, kv: &KvCache, group: usize, page: u32) -> PendingReadback {
        let Some(scratch) = &self.scratch else {
            let pieces = kv.page(group, page).flat_map(|slice| bytemuck::cast_slice(&slice.u32s()).to_vec());
            return PendingReadback::Cpu(pieces.collect());
        };
        let mut at = 0;
        let copies: Vec<_> = kv
            .page(group, page)
            .map(|from| {
                let to = scratch.slice(at, from.bytes);
                at += from.bytes;
                (from, to)
            })
            .collect();
        device.copy(&copies);
        plan::submit_and_read(device, &[], &scratch.slice(0, at))
    }

    /// Begins to read an evicted page for the host tier.
    pub fn keep(&mut self, device: &Device, kv: &KvCache, (group, page): (usize, u32), key: PathKey) {
        let of_group = self.reads.iter().filter(|read| read.group == group).count();
        if of_group < READS_IN_FLIGHT && !self.reads.iter().any(|read| read.key == key) {
            let bytes = Box::pin(self.read(device, kv, group, page).wait());
            self.reads.push(PageRead { group, key, bytes });
        }
    }

    /// Gives pages that have come to the host tier.
    pub fn poll(&mut self, context: &mut Context<'_>, tier: &mut HostTier) -> Result<(), GpuError> {
        let mut failed = None;
        self.reads.retain_mut(|read| match read.bytes.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(Ok(bytes)) => {
                tier.put(read.key, bytes.into());
                false
            }
            Poll::Ready(Err(error)) => {
                failed = Some(error);
                false
            }
        });
        failed.map_or(Ok(()), Err)
    }

    /// Gives up what is under way.
    pub fn clear(&mut self) {
        self.reads.clear();
    }
}

/// Writes a page of all layers of a group, of [`KvCache::page_bytes`] bytes.
pub(super) fn write_page(device: &Device, kv: &KvCache, group: usize, page: u32, bytes: &[u8]) {
    let mut rest = bytes;
    for slice in kv.page(group, page) {
        let (piece, behind) = rest.split_at(slice.bytes as usize);
        device.write(&slice.storage, slice.offset, piece);
        rest = behind;
    }
}
