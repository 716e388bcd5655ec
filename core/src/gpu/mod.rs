//! The narrow facade over the user's GPU: what an inference engine needs and no more.
//!
//! Two backends stand behind it with the same types and methods: `native` on wgpu (Vulkan, Metal, DX12) and `web` on the
//! browser's own WebGPU. This module knows buffers, kernels and passes; it must never know tensors or models.

#[cfg_attr(all(target_arch = "wasm32", not(feature = "web")), allow(dead_code, reason = "there is no GPU"))]
mod copy;
mod shader;

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(all(target_arch = "wasm32", not(feature = "web")))]
mod none;
#[cfg(all(target_arch = "wasm32", feature = "web"))]
mod web;

#[cfg(not(target_arch = "wasm32"))]
pub use native::{Buffer, Gpu, Pass, PendingRead, Pipeline};
#[cfg(all(target_arch = "wasm32", not(feature = "web")))]
pub use none::{Buffer, Gpu, Pass, PendingRead, Pipeline};
#[cfg(all(target_arch = "wasm32", feature = "web"))]
pub use web::{Buffer, Gpu, Pass, PendingRead, Pipeline, provide_shaders};

pub use copy::Copy;
pub use shader::{Access, RequiredFeatures, Shader};

/// What can go wrong between inglenook and a GPU.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// There is no WebGPU at all; why, in words.
    #[error("{0}")]
    NoWebGpu(String),
    /// WebGPU or the native driver is there, but no adapter answers.
    #[error("no usable GPU adapter was found ({0}); check that a graphics driver is installed, or run on the CPU")]
    NoAdapter(String),
    /// The only adapter is software, and [`GpuOptions::hardware_only`] wants none.
    #[error("only a software adapter was found, {0}; run on the CPU, which answers sooner")]
    SoftwareOnly(String),
    /// The adapter is there but cannot hold what was asked for.
    #[error(
        "the device allows {what} of at most {limit} bytes, and {wanted} are needed; use a smaller model or context"
    )]
    TooSmall {
        /// Which limit, in words.
        what: &'static str,
        /// The adapter's limit in bytes.
        limit: u64,
        /// The bytes asked for.
        wanted: u64,
    },
    /// The device refused to be created.
    #[error("the GPU refused to open: {0}")]
    Device(String),
    /// The GPU ran out of memory.
    #[error(
        "the GPU is out of memory ({0}); close other programs or tabs that use it, or choose a smaller model or context"
    )]
    OutOfMemory(String),
    /// The program cannot have so much memory of its own, which is where the CPU computes.
    #[error(
        "there is not enough memory for {wanted} more bytes; close other programs or tabs, or choose a smaller model or context"
    )]
    HostMemory {
        /// The bytes asked for.
        wanted: u64,
    },
    /// Shaders that only some models need could not be fetched; on the web alone. Why, and what to do, in words.
    #[error("{0}")]
    Shaders(String),
    /// A shader did not compile. A fault in inglenook or in the driver, never in the user's input.
    #[error("the GPU's compiler refused the kernel `{kernel}`: {message}")]
    Compile {
        /// The kernel's name.
        kernel: String,
        /// The compiler's words.
        message: String,
    },
    /// The device was lost: a driver reset, a laptop's GPU switch, a browser's decision.
    #[error("the GPU was lost ({0}); create the engine again")]
    Lost(String),
    /// The module that computes on the CPU stopped: a fault in inglenook.
    #[error("the module for the CPU stopped ({0}); create the engine again")]
    Module(String),
    /// A validation error: inglenook used the GPU wrongly.
    #[error("the GPU reported a fault: {0}")]
    Fault(String),
}

/// Optional abilities of an adapter, as far as kernels have variants for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Features {
    /// f16 arithmetic in WGSL (`shader-f16`).
    pub f16: bool,
    /// Smallest and largest subgroup, where subgroup operations are usable.
    pub subgroups: Option<(u32, u32)>,
    /// The packed 8-bit integer dot product is a WGSL language feature here.
    pub dot4: bool,
    /// Passes can be timed on the GPU.
    pub timestamps: bool,
}

/// Limits the device was opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Largest buffer, bytes.
    pub buffer: u64,
    /// Largest storage binding, bytes.
    pub binding: u64,
    /// Storage buffers a kernel may bind.
    pub storage_buffers: u32,
    /// Invocations in a workgroup.
    pub workgroup_invocations: u32,
    /// Workgroup memory, bytes.
    pub workgroup_memory: u32,
    /// Workgroups along one dimension of a dispatch.
    pub workgroups: u32,
}

impl Limits {
    /// WebGPU's guaranteed minimum: what every device has.
    pub const DEFAULT: Limits = Limits {
        buffer: 256 << 20,
        binding: 128 << 20,
        storage_buffers: 8,
        workgroup_invocations: 256,
        workgroup_memory: 16 << 10,
        workgroups: 65535,
    };
}

/// What an opened adapter is and can do.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AdapterInfo {
    /// The adapter's own name.
    pub name: String,
    /// `vulkan`, `metal`, `dx12` or `webgpu`.
    pub backend: String,
    /// Driver or architecture, in the platform's words; may be empty.
    pub driver: String,
    /// True where a CPU acts as a GPU (SwiftShader, lavapipe, WARP).
    pub software: bool,
    /// Optional abilities.
    pub features: Features,
    /// Limits in force.
    pub limits: Limits,
}

/// How to open a GPU.
#[derive(Debug, Clone, Default)]
pub struct GpuOptions {
    /// Ask for no more than [`Limits::DEFAULT`], as the weakest device would give.
    pub default_limits: bool,
    /// Use an adapter whose name contains this (natively; case-insensitive).
    pub adapter: Option<String>,
    /// Refuse software adapters, before anything is opened.
    pub hardware_only: bool,
    /// Pretend these features are missing, to test plainer variants.
    pub without: Without,
    /// Tell of a software adapter that it is hardware, so that everything chosen by [`AdapterInfo::software`] (variants and their
    /// timing, splits, chunk sizes) is as on a real GPU: for tests where there is none.
    #[doc(hidden)]
    pub as_hardware: bool,
}

impl GpuOptions {
    /// What to ask an adapter for, one after the other, where its driver refuses: these options, then no optional features, then
    /// no raised limits either.
    #[cfg_attr(all(target_arch = "wasm32", not(feature = "web")), allow(dead_code, reason = "there is no GPU"))]
    fn wishes(&self) -> [GpuOptions; 3] {
        let without = Without { f16: true, subgroups: true, timestamps: true, ..self.without };
        let plain = GpuOptions { without, ..self.clone() };
        [self.clone(), plain.clone(), GpuOptions { default_limits: true, ..plain }]
    }
}

/// Features to leave unused.
#[derive(Debug, Clone, Copy, Default)]
pub struct Without {
    /// No f16 arithmetic.
    pub f16: bool,
    /// No subgroup operations.
    pub subgroups: bool,
    /// No packed integer dot product.
    pub dot4: bool,
    /// No timing of passes.
    pub timestamps: bool,
}

/// One kernel launch of a [`Pass`].
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// The compiled kernel.
    pub kernel: Pipeline,
    /// Storage buffer ranges, in `@binding` order.
    pub bindings: Vec<Binding>,
    /// Workgroups along x, y, z.
    pub workgroups: [u32; 3],
}

/// A range of a buffer, bound as storage.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The buffer.
    pub buffer: Buffer,
    /// First byte; a multiple of 256.
    pub offset: u64,
    /// Length in bytes; a multiple of 4.
    pub bytes: u64,
}

/// What a [`Gpu`] has done so far; steady-state promises are asserted on differences of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counters {
    /// Buffers created, staging included.
    pub buffers: u64,
    /// Bytes of the buffers alive now.
    pub live_bytes: u64,
    /// Pipelines created.
    pub kernels: u64,
    /// Bind groups created.
    pub bind_groups: u64,
    /// Queue submissions.
    pub submits: u64,
    /// Compute passes.
    pub passes: u64,
    /// Dispatches.
    pub dispatches: u64,
    /// Ranges copied between buffers.
    pub copies: u64,
    /// Buffer reads mapped back.
    pub reads: u64,
    /// Bytes written from the host.
    pub written_bytes: u64,
}

impl Counters {
    /// GPU objects created: buffers, pipelines and bind groups.
    pub fn objects(&self) -> u64 {
        self.buffers + self.kernels + self.bind_groups
    }

    /// What happened between `earlier` and now (`live_bytes` stays absolute).
    pub fn since(&self, earlier: &Counters) -> Counters {
        Counters {
            buffers: self.buffers - earlier.buffers,
            live_bytes: self.live_bytes,
            kernels: self.kernels - earlier.kernels,
            bind_groups: self.bind_groups - earlier.bind_groups,
            submits: self.submits - earlier.submits,
            passes: self.passes - earlier.passes,
            dispatches: self.dispatches - earlier.dispatches,
            copies: self.copies - earlier.copies,
            reads: self.reads - earlier.reads,
            written_bytes: self.written_bytes - earlier.written_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_drop_features_before_limits() {
        let granted = |options: &GpuOptions| {
            let without = options.without;
            let features = [without.f16, without.subgroups, without.timestamps];
            (features.map(|left_out| !left_out), options.default_limits)
        };
        let wishes = GpuOptions::default().wishes();
        let expected = [([true; 3], false), ([false; 3], false), ([false; 3], true)];
        assert_eq!(wishes.each_ref().map(granted), expected);
    }
}
