//! Copies between ranges of buffers, on the GPU.

use super::Buffer;

/// Bytes of the buffer through which copies within one buffer go.
pub(super) const SCRATCH_BYTES: u64 = 1 << 20;

/// A range of bytes to be copied. Offsets and length are multiples of 4.
#[derive(Debug, Clone, Copy)]
pub struct Copy<'a> {
    /// Where the bytes are.
    pub from: &'a Buffer,
    /// Their first byte.
    pub from_offset: u64,
    /// Where they go; it may be the same buffer.
    pub to: &'a Buffer,
    /// The first byte there.
    pub to_offset: u64,
    /// How many.
    pub bytes: u64,
}

/// The same copies in the form that WebGPU allows. It forbids to copy within one buffer, so such ranges go through `scratch`, as many
/// at a time as fit: all are gathered before the first is written, which takes two barriers and not two for each.
pub(super) fn allowed<'a>(copies: &[Copy<'a>], scratch: &'a Buffer) -> Vec<Copy<'a>> {
    let (within, mut allowed): (Vec<Copy>, Vec<Copy>) = copies.iter().partition(|copy| copy.from.is_same(copy.to));
    let mut scattered = Vec::new();
    let mut used = 0;
    for mut copy in within {
        while copy.bytes > 0 {
            let bytes = copy.bytes.min(SCRATCH_BYTES - used);
            allowed.push(Copy { to: scratch, to_offset: used, bytes, ..copy });
            scattered.push(Copy { from: scratch, from_offset: used, bytes, ..copy });
            copy.from_offset += bytes;
            copy.to_offset += bytes;
            copy.bytes -= bytes;
            used += bytes;
            if used == SCRATCH_BYTES {
                allowed.append(&mut scattered);
                used = 0;
            }
        }
    }
    allowed.append(&mut scattered);
    allowed
}
