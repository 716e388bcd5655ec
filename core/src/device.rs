//! Where plans run: a GPU, or the CPU by the kernels' plain-Rust twins.
//!
//! Everything above the facade speaks of [`Storage`] and [`Slice`] and does not know which of the two it is on.

use std::cell::{Ref, RefCell, RefMut};
use std::ops::Range;
use std::rc::Rc;

use crate::gpu::{self, AdapterInfo, Features, Gpu, GpuError, Limits};

/// A place to run plans on. Clones share it.
#[derive(Debug, Clone)]
pub enum Device {
    /// The user's GPU.
    Gpu(Gpu),
    /// The CPU: the oracle of the tests, and the fallback that still answers.
    Cpu,
}

/// Memory on a device. Clones share it.
#[derive(Debug, Clone)]
pub enum Storage {
    /// A GPU buffer.
    Gpu(gpu::Buffer),
    /// Words in host memory.
    Cpu(Rc<RefCell<Vec<u32>>>),
}

/// A range of a [`Storage`], in bytes.
#[derive(Debug, Clone)]
pub struct Slice {
    /// The memory it is part of.
    pub storage: Storage,
    /// First byte; a multiple of 256 where a kernel binds it.
    pub offset: u64,
    /// Length in bytes; a multiple of 4.
    pub bytes: u64,
}

impl Storage {
    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        match self {
            Storage::Gpu(buffer) => buffer.bytes(),
            Storage::Cpu(words) => words.borrow().len() as u64 * 4,
        }
    }

    fn gpu(&self) -> &gpu::Buffer {
        match self {
            Storage::Gpu(buffer) => buffer,
            Storage::Cpu(_) => unreachable!("storage stays on the device that made it"),
        }
    }

    /// The whole of it.
    pub fn all(&self) -> Slice {
        self.slice(0, self.bytes())
    }

    /// `bytes` bytes from `offset`.
    pub fn slice(&self, offset: u64, bytes: u64) -> Slice {
        Slice { storage: self.clone(), offset, bytes }
    }
}

impl Slice {
    fn words(&self) -> Range<usize> {
        (self.offset / 4) as usize..((self.offset + self.bytes) / 4) as usize
    }

    fn cpu(&self) -> &RefCell<Vec<u32>> {
        match &self.storage {
            Storage::Cpu(words) => words,
            Storage::Gpu(_) => unreachable!("twins run on CPU plans only, whose storage is host memory"),
        }
    }

    /// The words of a CPU slice.
    pub fn u32s(&self) -> Ref<'_, [u32]> {
        Ref::map(self.cpu().borrow(), |words| &words[self.words()])
    }

    /// The words of a CPU slice, to be written.
    pub fn u32s_mut(&self) -> RefMut<'_, [u32]> {
        RefMut::map(self.cpu().borrow_mut(), |words| &mut words[self.words()])
    }

    /// A CPU slice as f32.
    pub fn f32s(&self) -> Ref<'_, [f32]> {
        Ref::map(self.u32s(), |words| bytemuck::cast_slice(words))
    }

    /// A CPU slice as f32, to be written.
    pub fn f32s_mut(&self) -> RefMut<'_, [f32]> {
        RefMut::map(self.u32s_mut(), |words| bytemuck::cast_slice_mut(words))
    }
}

impl Device {
    /// What the device is; the CPU has no limits that matter.
    pub fn facts(&self) -> AdapterInfo {
        match self {
            Device::Gpu(gpu) => gpu.facts().clone(),
            Device::Cpu => AdapterInfo {
                name: "CPU".into(),
                backend: "cpu".into(),
                driver: String::new(),
                software: true,
                features: Features::default(),
                limits: Limits { buffer: u64::MAX, binding: u64::MAX, ..Limits::DEFAULT },
            },
        }
    }

    /// The same device for somebody else, whose faults and end are his own: see [`Gpu::client`].
    pub fn client(&self) -> Device {
        match self {
            Device::Gpu(gpu) => Device::Gpu(gpu.client()),
            Device::Cpu => Device::Cpu,
        }
    }

    /// Zero-filled memory of `bytes`, rounded up to a multiple of 4.
    pub fn buffer(&self, label: &str, bytes: u64) -> Result<Storage, GpuError> {
        match self {
            Device::Gpu(gpu) => gpu.buffer(label, bytes).map(Storage::Gpu),
            Device::Cpu => Ok(Storage::Cpu(Rc::new(RefCell::new(vec![0; bytes.max(4).div_ceil(4) as usize])))),
        }
    }

    /// Memory holding `words`.
    pub fn upload(&self, label: &str, words: &[u32]) -> Result<Storage, GpuError> {
        let storage = self.buffer(label, words.len() as u64 * 4)?;
        self.write(&storage, 0, bytemuck::cast_slice(words));
        Ok(storage)
    }

    /// Writes host bytes; `offset` and the length are multiples of 4.
    pub fn write(&self, storage: &Storage, offset: u64, data: &[u8]) {
        match (self, storage) {
            (Device::Gpu(gpu), Storage::Gpu(buffer)) => gpu.write(buffer, offset, data),
            (Device::Cpu, Storage::Cpu(words)) => {
                let start = offset as usize;
                bytemuck::cast_slice_mut(&mut words.borrow_mut())[start..start + data.len()].copy_from_slice(data);
            }
            _ => unreachable!("storage stays on the device that made it"),
        }
    }

    /// Copies slices, each from the first to the second of its pair and of equal length, ordered with submissions and writes. They may
    /// be parts of one storage; none may overlap what another copy of the same call writes.
    pub fn copy(&self, copies: &[(Slice, Slice)]) {
        match self {
            Device::Gpu(gpu) => {
                let copies: Vec<_> = copies
                    .iter()
                    .map(|(from, to)| gpu::Copy {
                        from: from.storage.gpu(),
                        from_offset: from.offset,
                        to: to.storage.gpu(),
                        to_offset: to.offset,
                        bytes: from.bytes,
                    })
                    .collect();
                gpu.copy(&copies);
            }
            Device::Cpu => {
                for (from, to) in copies {
                    let words = from.u32s().to_vec();
                    to.u32s_mut().copy_from_slice(&words);
                }
            }
        }
    }

    /// Reads a slice back.
    pub async fn read(&self, slice: &Slice) -> Result<Vec<u8>, GpuError> {
        match (self, &slice.storage) {
            (Device::Gpu(gpu), Storage::Gpu(buffer)) => {
                gpu.read(buffer, slice.offset..slice.offset + slice.bytes).await
            }
            _ => Ok(bytemuck::cast_slice(&slice.u32s()).to_vec()),
        }
    }

    /// Waits until all work is done and reports the first fault.
    pub async fn wait_idle(&self) -> Result<(), GpuError> {
        match self {
            Device::Gpu(gpu) => gpu.wait_idle().await,
            Device::Cpu => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_moves_slices_within_one_storage_on_the_cpu() {
        let storage = Device::Cpu.upload("words", &[1, 2, 3, 4, 5, 6]).expect("memory");
        Device::Cpu.copy(&[(storage.slice(0, 8), storage.slice(16, 8)), (storage.slice(4, 4), storage.slice(8, 4))]);
        assert_eq!(*storage.all().u32s(), [1, 2, 2, 4, 1, 2]);
    }
}
