//! Where plans run: a GPU, or the CPU, in this program or in a module beside it.
//!
//! Everything above the facade speaks of [`Storage`] and [`Slice`] and does not know which of them it is on.

mod host_memory;
mod host_words;
pub mod module;

use std::cell::{Ref, RefCell, RefMut};
use std::ops::Range;
use std::rc::Rc;

use crate::gpu::{self, AdapterInfo, Counters, Features, Gpu, GpuError, Limits};
use host_words::HostWords;
use inglenook_format::quant::{Layout, WeightType};
use module::{CpuModule, ModuleBuffer, ModuleRange};

/// Rust's own bound of an allocation, down to a multiple of a binding's alignment.
const LARGEST_ALLOCATION: u64 = isize::MAX as u64 / 256 * 256;

/// A place to run plans on. Clones share it.
///
/// ```
/// use inglenook::{Device, DeviceChoice, Placement};
///
/// # pollster::block_on(async {
/// let Placement { device, reason, .. } = Placement::choose(&DeviceChoice::Cpu, &Default::default()).await?;
/// assert!(matches!(device, Device::Cpu));
/// assert_eq!((device.facts().name.as_str(), reason.as_str()), ("CPU", "the CPU was asked for"));
/// # Ok::<(), inglenook::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub enum Device {
    /// The user's GPU.
    Gpu(Gpu),
    /// The CPU, in this program.
    Cpu,
    /// The CPU, in a module of its own.
    CpuModule(Rc<dyn CpuModule>),
}

/// Memory on a device. Clones share it.
#[derive(Debug, Clone)]
pub enum Storage {
    /// A GPU buffer.
    Gpu(gpu::Buffer),
    /// Words in host memory.
    Cpu(Rc<RefCell<HostWords>>),
    /// Memory in a module.
    CpuModule(ModuleBuffer),
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
            Storage::CpuModule(buffer) => buffer.bytes(),
        }
    }

    fn gpu(&self) -> &gpu::Buffer {
        match self {
            Storage::Gpu(buffer) => buffer,
            _ => unreachable!("storage stays on the device that made it"),
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

    fn cpu(&self) -> &RefCell<HostWords> {
        match &self.storage {
            Storage::Cpu(words) => words,
            _ => unreachable!("kernels run here on CPU plans only, whose storage is host memory"),
        }
    }

    /// Where a CPU slice is: that of no other slice that begins elsewhere.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn address(&self) -> (usize, u64) {
        (std::ptr::from_ref(self.cpu()) as usize, self.offset)
    }

    /// True of the same range of the same host memory.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Slice) -> bool {
        let of = |slice: &Slice| (std::ptr::from_ref(slice.cpu()), slice.offset, slice.bytes);
        of(self) == of(other)
    }

    /// Where it is in a module's memory.
    pub(crate) fn in_module(&self) -> ModuleRange {
        match &self.storage {
            Storage::CpuModule(buffer) => buffer.range(self.offset, self.bytes),
            _ => unreachable!("storage stays on the device that made it"),
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
    /// What the device is. The CPU's buffers end where an allocation does: at half of the address space.
    pub fn facts(&self) -> AdapterInfo {
        let driver = match self {
            Device::Gpu(gpu) => return gpu.facts().clone(),
            Device::Cpu => String::new(),
            Device::CpuModule(module) => module.instructions(),
        };
        AdapterInfo {
            name: "CPU".into(),
            backend: "cpu".into(),
            driver,
            software: true,
            features: Features::default(),
            limits: Limits { buffer: LARGEST_ALLOCATION, binding: LARGEST_ALLOCATION, ..Limits::DEFAULT },
        }
    }

    /// True where it is the CPU, in whichever module.
    pub fn is_cpu(&self) -> bool {
        !matches!(self, Device::Gpu(_))
    }

    /// How kernels on it read weights of this type.
    pub fn layout(&self, ty: WeightType) -> Layout {
        if self.is_cpu() { Layout::for_cpu(ty) } else { Layout::Rows }
    }

    /// The same device for somebody else, whose faults and end are his own: see [`Gpu::client`].
    pub fn client(&self) -> Device {
        match self {
            Device::Gpu(gpu) => Device::Gpu(gpu.client()),
            on_cpu => on_cpu.clone(),
        }
    }

    /// Whether operations on it may use another's memory.
    pub fn is_beside(&self, other: &Device) -> bool {
        match (self, other) {
            (Device::Gpu(gpu), Device::Gpu(other)) => gpu.is_beside(other),
            (Device::Cpu, Device::Cpu) => true,
            (Device::CpuModule(module), Device::CpuModule(other)) => Rc::ptr_eq(module, other),
            _ => false,
        }
    }

    /// What the GPU has done so far; zeros on the CPU.
    pub fn counters(&self) -> Counters {
        match self {
            Device::Gpu(gpu) => gpu.counters(),
            _ => Counters::default(),
        }
    }

    /// Bytes of memory there are at most, where that is known: WebGPU and drivers do not tell a GPU's.
    pub fn memory(&self) -> Option<u64> {
        match self {
            Device::Gpu(_) => None,
            Device::Cpu | Device::CpuModule(_) => host_memory::host_memory(),
        }
    }

    /// Zero-filled memory of `bytes`, rounded up to a multiple of 4.
    pub fn buffer(&self, label: &str, bytes: u64) -> Result<Storage, GpuError> {
        self.memory_by(label, bytes, HostWords::zeroed)
    }

    /// As [`Device::buffer`], for what is read whole again and again.
    pub fn weights(&self, label: &str, bytes: u64) -> Result<Storage, GpuError> {
        self.memory_by(label, bytes, HostWords::in_huge_pages)
    }

    fn memory_by(&self, label: &str, bytes: u64, on_cpu: fn(usize) -> Option<HostWords>) -> Result<Storage, GpuError> {
        match self {
            Device::Gpu(gpu) => gpu.buffer(label, bytes).map(Storage::Gpu),
            Device::CpuModule(module) => ModuleBuffer::new(module, bytes).map(Storage::CpuModule),
            Device::Cpu => {
                let words = usize::try_from(bytes.max(4).div_ceil(4)).ok().and_then(on_cpu);
                let words = words.ok_or(GpuError::HostMemory { wanted: bytes })?;
                Ok(Storage::Cpu(Rc::new(RefCell::new(words))))
            }
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
            (Device::CpuModule(module), Storage::CpuModule(buffer)) => {
                module.write(buffer.number(), offset, data);
            }
            (Device::Cpu, Storage::Cpu(words)) => {
                let start = offset as usize;
                bytemuck::cast_slice_mut::<u32, u8>(&mut words.borrow_mut())[start..start + data.len()]
                    .copy_from_slice(data);
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
            Device::CpuModule(module) => {
                let copies: Vec<_> = copies.iter().map(|(from, to)| (from.in_module(), to.in_module())).collect();
                module.copy(&copies);
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
            (Device::CpuModule(module), _) => module.run_and_read(&[], slice.in_module()).await,
            _ => {
                let mut bytes = Vec::new();
                let wanted = slice.bytes;
                bytes.try_reserve_exact(wanted as usize).map_err(|_| GpuError::HostMemory { wanted })?;
                bytes.extend_from_slice(bytemuck::cast_slice(&slice.u32s()));
                Ok(bytes)
            }
        }
    }

    /// Waits until all work is done and reports the first fault.
    pub async fn wait_idle(&self) -> Result<(), GpuError> {
        match self {
            Device::Gpu(gpu) => gpu.wait_idle().await,
            Device::CpuModule(module) => module.wait_idle().await,
            Device::Cpu => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_memory_that_cannot_be_had_is_a_typed_error() {
        for bytes in [u64::MAX, u64::MAX - 3, 1 << 63, (1 << 63) - 4, LARGEST_ALLOCATION, 1 << 60] {
            let error = Device::Cpu.buffer("too large", bytes).expect_err("no machine has so much");
            assert_eq!(error, GpuError::HostMemory { wanted: bytes });
        }
        let small = Device::Cpu.buffer("words", 5).expect("memory");
        assert_eq!((small.bytes(), *small.all().u32s() == [0, 0]), (8, true));
    }

    #[test]
    fn copy_moves_slices_within_one_storage_on_the_cpu() {
        let storage = Device::Cpu.upload("words", &[1, 2, 3, 4, 5, 6]).expect("memory");
        Device::Cpu.copy(&[(storage.slice(0, 8), storage.slice(16, 8)), (storage.slice(4, 4), storage.slice(8, 4))]);
        assert_eq!(*storage.all().u32s(), [1, 2, 2, 4, 1, 2]);
    }
}
