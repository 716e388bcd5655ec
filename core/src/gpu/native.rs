//! The facade on wgpu.

mod adapters;

use std::collections::HashMap;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};

use super::copy::{self, Copy};
use super::{Access, AdapterInfo, Counters, Dispatch, GpuError, GpuOptions, Shader};

/// Larger readback buffers are given back at once; smaller ones wait for the next read of their size.
const POOLED_BYTES: u64 = 1 << 20;

/// An opened GPU. Clones share the device; the last one closes it.
#[derive(Debug, Clone)]
pub struct Gpu(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    facts: AdapterInfo,
    state: Arc<State>,
    layouts: Mutex<HashMap<Vec<Access>, wgpu::BindGroupLayout>>,
    staging: Mutex<HashMap<u64, Vec<wgpu::Buffer>>>,
    /// What copies within one buffer go through, from the first of them on.
    scratch: OnceLock<Buffer>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.device.destroy();
    }
}

/// What callbacks and drops reach without the device.
#[derive(Debug, Default)]
struct State {
    counters: Mutex<Counters>,
    fault: OnceLock<GpuError>,
}

impl State {
    fn count(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.counters.lock().expect("a counter update never panics"));
    }
}

/// A storage buffer on the GPU. Clones share it; the last one gives the memory back.
#[derive(Debug, Clone)]
pub struct Buffer(Arc<BufferInner>);

#[derive(Debug)]
struct BufferInner {
    raw: wgpu::Buffer,
    state: Arc<State>,
}

impl Drop for BufferInner {
    fn drop(&mut self) {
        self.raw.destroy();
        self.state.count(|c| c.live_bytes -= self.raw.size());
    }
}

impl Buffer {
    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        self.0.raw.size()
    }

    /// True of clones of one buffer.
    pub(super) fn is_same(&self, other: &Buffer) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A compiled kernel.
#[derive(Debug, Clone)]
pub struct Pipeline {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

/// A recorded list of dispatches with their bind groups, replayable any number of times. Keeps its buffers alive.
#[derive(Debug)]
pub struct Pass {
    dispatches: Vec<Recorded>,
}

#[derive(Debug)]
struct Recorded {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    workgroups: [u32; 3],
    _buffers: Vec<Buffer>,
}

impl Pass {
    /// Number of dispatches in the pass.
    pub fn len(&self) -> usize {
        self.dispatches.len()
    }

    /// True when nothing is dispatched.
    pub fn is_empty(&self) -> bool {
        self.dispatches.is_empty()
    }
}

impl Gpu {
    /// Opens the adapter that fits `options` best, with all that it offers; where its driver refuses, with less.
    pub async fn request(options: &GpuOptions) -> Result<Gpu, GpuError> {
        let adapter = adapters::best(options).await?;
        let mut refusal = None;
        for wish in options.wishes() {
            match Gpu::open(&adapter, &wish).await {
                Ok(gpu) => return Ok(gpu),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        Err(refusal.unwrap_or_else(|| unreachable!("there is a first wish")))
    }

    async fn open(adapter: &wgpu::Adapter, options: &GpuOptions) -> Result<Gpu, GpuError> {
        let facts = adapters::facts(adapter, options);
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("inglenook"),
                required_features: adapters::required_features(&facts.features),
                required_limits: adapters::required_limits(adapter, options),
                ..Default::default()
            })
            .await
            .map_err(|error| GpuError::Device(error.to_string()))?;
        let state = Arc::new(State::default());
        watch(&device, &state);
        Ok(Gpu(Arc::new(Inner {
            device,
            queue,
            facts,
            state,
            layouts: Mutex::default(),
            staging: Mutex::default(),
            scratch: OnceLock::new(),
        })))
    }

    /// Every adapter of this machine, with what it can do; for `inglenook devices`.
    pub async fn list() -> Vec<AdapterInfo> {
        let options = GpuOptions::default();
        adapters::all().await.iter().map(|adapter| adapters::facts(adapter, &options)).collect()
    }

    /// What this GPU is and can do.
    pub fn facts(&self) -> &AdapterInfo {
        &self.0.facts
    }

    /// What has been done so far.
    pub fn counters(&self) -> Counters {
        *self.0.state.counters.lock().expect("a counter update never panics")
    }

    /// The first fault or loss that was noticed, if any. Results after a fault must not be trusted.
    pub fn fault(&self) -> Option<GpuError> {
        self.0.state.fault.get().cloned()
    }

    /// Creates a zero-filled storage buffer of `bytes` (rounded up to a multiple of 4). Running out of memory is
    /// reported by the next [`Gpu::wait_idle`].
    pub fn buffer(&self, label: &str, bytes: u64) -> Result<Buffer, GpuError> {
        let size = bytes.max(4).checked_next_multiple_of(4).unwrap_or(u64::MAX);
        let limit = self.0.facts.limits.buffer;
        if size > limit {
            return Err(GpuError::TooSmall { what: "buffers", limit, wanted: size });
        }
        Ok(self.allocate(label, size))
    }

    fn allocate(&self, label: &str, size: u64) -> Buffer {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let raw = self.0.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage,
            mapped_at_creation: false,
        });
        let state = self.0.state.clone();
        state.count(|c| {
            c.buffers += 1;
            c.live_bytes += size;
        });
        Buffer(Arc::new(BufferInner { raw, state }))
    }

    /// Writes host bytes into a buffer; `offset` and the length are multiples of 4. Ordered before later submissions.
    pub fn write(&self, buffer: &Buffer, offset: u64, data: &[u8]) {
        self.0.queue.write_buffer(&buffer.0.raw, offset, data);
        self.0.state.count(|c| c.written_bytes += data.len() as u64);
    }

    /// Compiles shaders, all together; the result has their order.
    pub async fn pipelines(&self, shaders: &[Shader]) -> Result<Vec<Pipeline>, GpuError> {
        shaders.iter().map(|shader| self.compile(shader)).collect()
    }

    fn compile(&self, shader: &Shader) -> Result<Pipeline, GpuError> {
        let device = &self.0.device;
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let layout = self.layout(&shader.bindings);
        let source = wgpu::ShaderSource::Wgsl(shader.wgsl(false).into());
        let descriptor = wgpu::ShaderModuleDescriptor { label: Some(shader.name), source };
        // SAFETY: kernels index only what their plan sized for them: row numbers below the batch's count, token ids that
        // the host has checked or the sampler has chosen, pages the cache has handed out. Workgroup memory stays
        // zero-initialised (below), so nothing of another process can be read.
        #[allow(unsafe_code)]
        let module = unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) };
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(shader.name),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(shader.name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &shader.constants(),
                zero_initialize_workgroup_memory: true,
            },
            cache: None,
        });
        self.0.state.count(|c| c.kernels += 1);
        match pollster_free(scope.pop()) {
            Some(error) => Err(GpuError::Compile { kernel: shader.name.into(), message: error.to_string() }),
            // A lost device compiles everything.
            None => self.fault().map_or(Ok(Pipeline { pipeline, layout }), Err),
        }
    }

    fn layout(&self, bindings: &[Access]) -> wgpu::BindGroupLayout {
        let mut layouts = self.0.layouts.lock().expect("layout creation never panics");
        layouts.entry(bindings.to_vec()).or_insert_with(|| create_layout(&self.0.device, bindings)).clone()
    }

    /// Creates the bind groups of `dispatches`, once.
    pub fn pass(&self, dispatches: &[Dispatch]) -> Pass {
        self.0.state.count(|c| c.bind_groups += dispatches.len() as u64);
        Pass { dispatches: dispatches.iter().map(|dispatch| self.record(dispatch)).collect() }
    }

    fn record(&self, dispatch: &Dispatch) -> Recorded {
        let entries: Vec<_> = dispatch
            .bindings
            .iter()
            .enumerate()
            .map(|(index, binding)| wgpu::BindGroupEntry {
                binding: index as u32,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &binding.buffer.0.raw,
                    offset: binding.offset,
                    size: wgpu::BufferSize::new(binding.bytes),
                }),
            })
            .collect();
        let group = self.0.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &dispatch.kernel.layout,
            entries: &entries,
        });
        let _buffers = dispatch.bindings.iter().map(|binding| binding.buffer.clone()).collect();
        Recorded { pipeline: dispatch.kernel.pipeline.clone(), group, workgroups: dispatch.workgroups, _buffers }
    }

    /// Replays `passes` in order within one compute pass and one submission.
    pub fn submit(&self, passes: &[&Pass]) {
        let encoder = self.encode(passes);
        self.0.queue.submit([encoder.finish()]);
        self.0.state.count(|c| c.submits += 1);
    }

    /// Copies ranges between buffers, in one submission, ordered with other submissions and writes. No range may overlap what another
    /// copy of the same call writes. A range that stays in its buffer goes through a scratch buffer, made at the first such copy.
    pub fn copy(&self, copies: &[Copy<'_>]) {
        let scratch = self.0.scratch.get_or_init(|| self.allocate("scratch", copy::SCRATCH_BYTES));
        let mut encoder = self.0.device.create_command_encoder(&Default::default());
        for Copy { from, from_offset, to, to_offset, bytes } in copy::allowed(copies, scratch) {
            encoder.copy_buffer_to_buffer(&from.0.raw, from_offset, &to.0.raw, to_offset, bytes);
        }
        self.0.queue.submit([encoder.finish()]);
        self.0.state.count(|c| {
            c.submits += 1;
            c.copies += copies.len() as u64;
        });
    }

    /// Replays `passes`, then copies `range` (bytes, multiples of 4) of `buffer` back, in one submission. Staging
    /// buffers are reused.
    pub fn submit_and_read(&self, passes: &[&Pass], buffer: &Buffer, range: Range<u64>) -> PendingRead {
        let bytes = range.end - range.start;
        let staging = self.staging(bytes);
        let mut encoder = self.encode(passes);
        encoder.copy_buffer_to_buffer(&buffer.0.raw, range.start, &staging, 0, bytes);
        let index = self.0.queue.submit([encoder.finish()]);
        self.0.state.count(|c| {
            c.submits += 1;
            c.reads += 1;
        });
        let result = Arc::new(OnceLock::new());
        let sink = result.clone();
        staging.map_async(wgpu::MapMode::Read, .., move |outcome| {
            let _ = sink.set(outcome);
        });
        PendingRead { gpu: self.clone(), staging, index, result }
    }

    /// Reads `range` (bytes, multiples of 4) of `buffer` back.
    pub fn read(&self, buffer: &Buffer, range: Range<u64>) -> PendingRead {
        self.submit_and_read(&[], buffer, range)
    }

    /// Waits for everything submitted so far and reports the first fault, out-of-memory included.
    pub async fn wait_idle(&self) -> Result<(), GpuError> {
        let waited = self.0.device.poll(wgpu::PollType::wait_indefinitely());
        match (self.fault(), waited) {
            (Some(fault), _) => Err(fault),
            (None, Err(error)) => Err(GpuError::Lost(error.to_string())),
            (None, Ok(_)) => Ok(()),
        }
    }

    /// Gives all memory back at once, whoever still holds a buffer. What comes later fails with [`GpuError::Lost`].
    pub fn close(&self) {
        let _ = self.0.state.fault.set(GpuError::Lost("it was closed".into()));
        self.0.staging.lock().expect("staging pool").clear();
        self.0.device.destroy();
    }

    fn encode(&self, passes: &[&Pass]) -> wgpu::CommandEncoder {
        let mut encoder = self.0.device.create_command_encoder(&Default::default());
        if passes.is_empty() {
            return encoder;
        }
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for dispatch in passes.iter().flat_map(|pass| &pass.dispatches) {
            let [x, y, z] = dispatch.workgroups;
            pass.set_pipeline(&dispatch.pipeline);
            pass.set_bind_group(0, &dispatch.group, &[]);
            pass.dispatch_workgroups(x, y, z);
        }
        drop(pass);
        self.0.state.count(|c| {
            c.passes += 1;
            c.dispatches += passes.iter().map(|pass| pass.len() as u64).sum::<u64>();
        });
        encoder
    }

    fn staging(&self, bytes: u64) -> wgpu::Buffer {
        let pooled = self.0.staging.lock().expect("staging pool").get_mut(&bytes).and_then(Vec::pop);
        pooled.unwrap_or_else(|| {
            self.0.state.count(|c| c.buffers += 1);
            self.0.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("staging"),
                size: bytes,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })
    }
}

/// Bytes on their way back from the GPU. Awaiting it natively blocks the calling thread until they are there. Dropping
/// it leaves its staging buffer to the next read.
#[derive(Debug)]
pub struct PendingRead {
    gpu: Gpu,
    staging: wgpu::Buffer,
    index: wgpu::SubmissionIndex,
    result: Arc<OnceLock<Result<(), wgpu::BufferAsyncError>>>,
}

impl Future for PendingRead {
    type Output = Result<Vec<u8>, GpuError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let inner = &self.gpu.0;
        let wait = wgpu::PollType::Wait { submission_index: Some(self.index.clone()), timeout: None };
        let waited = inner.device.poll(wait);
        Poll::Ready(match (self.gpu.fault(), waited) {
            (Some(fault), _) => Err(fault),
            (None, Err(error)) => Err(GpuError::Lost(error.to_string())),
            (None, Ok(_)) => self.collect(),
        })
    }
}

impl PendingRead {
    fn collect(&self) -> Result<Vec<u8>, GpuError> {
        if !matches!(self.result.get(), Some(Ok(()))) {
            return Err(GpuError::Lost("a buffer could not be mapped".into()));
        }
        let view = self.staging.get_mapped_range(..).map_err(|error| GpuError::Fault(error.to_string()))?;
        let bytes = view.to_vec();
        drop(view);
        Ok(bytes)
    }
}

/// Leaves the staging buffer to the next read, taken or not: unmapping also ends a mapping still under way, and the copy
/// before it is harmless, since the queue keeps its order.
impl Drop for PendingRead {
    fn drop(&mut self) {
        if self.gpu.fault().is_some() || self.staging.size() > POOLED_BYTES {
            return;
        }
        self.staging.unmap();
        let mut pool = self.gpu.0.staging.lock().expect("staging pool");
        pool.entry(self.staging.size()).or_default().push(self.staging.clone());
    }
}

fn watch(device: &wgpu::Device, state: &Arc<State>) {
    let faults = state.clone();
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
        let fault = match error {
            wgpu::Error::OutOfMemory { .. } => GpuError::OutOfMemory(error.to_string()),
            _ => GpuError::Fault(error.to_string()),
        };
        let _ = faults.fault.set(fault);
    }));
    let losses = state.clone();
    device.set_device_lost_callback(move |reason, message| {
        if reason != wgpu::DeviceLostReason::Destroyed {
            let _ = losses.fault.set(GpuError::Lost(message));
        }
    });
}

fn create_layout(device: &wgpu::Device, bindings: &[Access]) -> wgpu::BindGroupLayout {
    let entries: Vec<_> = bindings
        .iter()
        .enumerate()
        .map(|(index, access)| wgpu::BindGroupLayoutEntry {
            binding: index as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only: *access == Access::Read },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries })
}

/// Natively an error scope's answer is there at once.
fn pollster_free<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(std::task::Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::yield_now();
    }
}
