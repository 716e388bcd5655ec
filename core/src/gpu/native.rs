//! The facade on wgpu.

mod adapters;
mod client;
mod read;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use self::client::State;
pub use self::read::PendingRead;
use self::read::staging_bytes;
use super::copy::{self, Copy};
use super::{Access, AdapterInfo, Counters, Dispatch, GpuError, GpuOptions, Shader};

/// A client of an opened GPU. Clones are the same client; see [`Gpu::client`] for another. The last clone closes it, and the last
/// client the device.
#[derive(Debug, Clone)]
pub struct Gpu(Arc<Client>);

#[derive(Debug)]
struct Client {
    opened: Arc<Opened>,
    state: Arc<State>,
    /// Readback buffers not in use, by size.
    staging: Mutex<HashMap<u64, Vec<wgpu::Buffer>>>,
    /// What copies within one buffer go through, from the first of them on.
    scratch: OnceLock<Buffer>,
}

/// What the clients of a device share.
#[derive(Debug)]
struct Opened {
    device: wgpu::Device,
    queue: wgpu::Queue,
    facts: AdapterInfo,
    layouts: Mutex<HashMap<Vec<Access>, wgpu::BindGroupLayout>>,
    loss: Arc<OnceLock<GpuError>>,
    /// Clients that are not closed.
    clients: AtomicUsize,
}

impl Client {
    fn new(opened: Arc<Opened>) -> Client {
        opened.clients.fetch_add(1, Ordering::Relaxed);
        let state = Arc::new(State::new(opened.loss.clone()));
        Client { opened, state, staging: Mutex::default(), scratch: OnceLock::new() }
    }

    fn close(&self) {
        let is_first = self.state.close();
        self.staging.lock().expect("staging pool").clear();
        if is_first {
            self.opened.leave();
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
    }
}

impl Opened {
    /// Counts a client less; the last one takes the device with it.
    fn leave(&self) {
        if self.clients.fetch_sub(1, Ordering::Relaxed) == 1 {
            let _ = self.loss.set(client::closed());
            self.device.destroy();
        }
    }
}

/// A storage buffer on the GPU. Clones share it; the last one gives the memory back.
#[derive(Debug, Clone)]
pub struct Buffer(Arc<BufferInner>);

#[derive(Debug)]
struct BufferInner {
    raw: wgpu::Buffer,
    number: u64,
    state: Arc<State>,
}

impl Drop for BufferInner {
    fn drop(&mut self) {
        self.state.free(self.number);
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
        let loss = Arc::default();
        watch(&device, &loss);
        let (layouts, clients) = (Mutex::default(), AtomicUsize::new(0));
        Ok(Gpu(Arc::new(Client::new(Arc::new(Opened { device, queue, facts, layouts, loss, clients })))))
    }

    /// Another client of the same device, with buffers, counters and faults of its own: what one runs out of, does wrong or closes
    /// leaves the others as they are. Only the loss of the device reaches all. Buffers, pipelines and passes end with the client
    /// that made them.
    pub fn client(&self) -> Gpu {
        Gpu(Arc::new(Client::new(self.0.opened.clone())))
    }

    /// Whether another is a client of the same device, so that one's passes may use the other's buffers.
    pub fn is_beside(&self, other: &Gpu) -> bool {
        Arc::ptr_eq(&self.0.opened, &other.0.opened)
    }

    /// Every adapter of this machine, with what it can do; for `inglenook devices`.
    pub async fn list() -> Vec<AdapterInfo> {
        let options = GpuOptions::default();
        adapters::all().await.iter().map(|adapter| adapters::facts(adapter, &options)).collect()
    }

    /// What this GPU is and can do.
    pub fn facts(&self) -> &AdapterInfo {
        &self.0.opened.facts
    }

    /// What this client has done so far.
    pub fn counters(&self) -> Counters {
        self.0.state.counters()
    }

    /// The first fault of this client, or the loss of the device, if any was noticed. Results after a fault must not be trusted.
    pub fn fault(&self) -> Option<GpuError> {
        self.0.state.fault()
    }

    /// Creates a zero-filled storage buffer of `bytes` (rounded up to a multiple of 4). Running out of memory is
    /// reported by the next [`Gpu::wait_idle`], and perhaps by the next buffer.
    pub fn buffer(&self, label: &str, bytes: u64) -> Result<Buffer, GpuError> {
        let size = bytes.max(4).checked_next_multiple_of(4).unwrap_or(u64::MAX);
        let limit = self.0.opened.facts.limits.buffer;
        if size > limit {
            return Err(GpuError::TooSmall { what: "buffers", limit, wanted: size });
        }
        match self.fault() {
            Some(fault) => Err(fault),
            None => Ok(self.allocate(label, size)),
        }
    }

    fn allocate(&self, label: &str, size: u64) -> Buffer {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        let raw = self.scoped(|| self.device().create_buffer(&descriptor));
        let number = self.0.state.add(&raw);
        Buffer(Arc::new(BufferInner { raw, number, state: self.0.state.clone() }))
    }

    fn device(&self) -> &wgpu::Device {
        &self.0.opened.device
    }

    fn scoped<T>(&self, call: impl FnOnce() -> T) -> T {
        self.0.state.scoped(self.device(), call)
    }

    /// Writes host bytes into a buffer; `offset` and the length are multiples of 4. Ordered before later submissions.
    pub fn write(&self, buffer: &Buffer, offset: u64, data: &[u8]) {
        self.scoped(|| self.0.opened.queue.write_buffer(&buffer.0.raw, offset, data));
        self.0.state.count(|c| c.written_bytes += data.len() as u64);
    }

    /// Compiles shaders, all together; the result has their order.
    pub async fn pipelines(&self, shaders: &[Shader]) -> Result<Vec<Pipeline>, GpuError> {
        shaders.iter().map(|shader| self.scoped(|| self.compile(shader))).collect()
    }

    fn compile(&self, shader: &Shader) -> Result<Pipeline, GpuError> {
        let device = self.device();
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
        match client::at_once(scope.pop()) {
            Some(error) => Err(GpuError::Compile { kernel: shader.name.into(), message: error.to_string() }),
            // A lost device compiles everything.
            None => self.fault().map_or(Ok(Pipeline { pipeline, layout }), Err),
        }
    }

    fn layout(&self, bindings: &[Access]) -> wgpu::BindGroupLayout {
        let mut layouts = self.0.opened.layouts.lock().expect("layout creation never panics");
        layouts.entry(bindings.to_vec()).or_insert_with(|| create_layout(self.device(), bindings)).clone()
    }

    /// Creates the bind groups of `dispatches`, once.
    pub fn pass(&self, dispatches: &[Dispatch]) -> Pass {
        self.0.state.count(|c| c.bind_groups += dispatches.len() as u64);
        self.scoped(|| Pass { dispatches: dispatches.iter().map(|dispatch| self.record(dispatch)).collect() })
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
        let group = self.device().create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &dispatch.kernel.layout,
            entries: &entries,
        });
        let _buffers = dispatch.bindings.iter().map(|binding| binding.buffer.clone()).collect();
        Recorded { pipeline: dispatch.kernel.pipeline.clone(), group, workgroups: dispatch.workgroups, _buffers }
    }

    /// Replays `passes` in order within one compute pass and one submission.
    pub fn submit(&self, passes: &[&Pass]) {
        self.submit_encoded(passes, |_| {});
    }

    /// Copies ranges between buffers, in one submission, ordered with other submissions and writes. No range may overlap what another
    /// copy of the same call writes. A range that stays in its buffer goes through a scratch buffer, made at the first such copy.
    pub fn copy(&self, copies: &[Copy<'_>]) {
        let scratch = self.0.scratch.get_or_init(|| self.allocate("scratch", copy::SCRATCH_BYTES));
        self.submit_encoded(&[], |encoder| {
            for Copy { from, from_offset, to, to_offset, bytes } in copy::allowed(copies, scratch) {
                encoder.copy_buffer_to_buffer(&from.0.raw, from_offset, &to.0.raw, to_offset, bytes);
            }
        });
        self.0.state.count(|c| c.copies += copies.len() as u64);
    }

    /// Replays `passes`, then copies `range` (bytes, multiples of 4) of `buffer` back, in one submission. Staging
    /// buffers are reused.
    pub fn submit_and_read(&self, passes: &[&Pass], buffer: &Buffer, range: Range<u64>) -> PendingRead {
        let bytes = range.end - range.start;
        let staging = self.staging(staging_bytes(bytes));
        let index = self.submit_encoded(passes, |encoder| {
            encoder.copy_buffer_to_buffer(&buffer.0.raw, range.start, &staging, 0, bytes);
        });
        self.0.state.count(|c| c.reads += 1);
        self.scoped(|| PendingRead::new(self, staging, bytes, index))
    }

    /// Reads `range` (bytes, multiples of 4) of `buffer` back.
    pub fn read(&self, buffer: &Buffer, range: Range<u64>) -> PendingRead {
        self.submit_and_read(&[], buffer, range)
    }

    /// Waits for everything submitted so far and reports the first fault, out-of-memory included.
    pub async fn wait_idle(&self) -> Result<(), GpuError> {
        let waited = self.device().poll(wgpu::PollType::wait_indefinitely());
        match (self.fault(), waited) {
            (Some(fault), _) => Err(fault),
            (None, Err(error)) => Err(GpuError::Lost(error.to_string())),
            (None, Ok(_)) => Ok(()),
        }
    }

    /// Gives all memory of this client back at once, whoever still holds a buffer. What comes later fails with [`GpuError::Lost`].
    pub fn close(&self) {
        self.0.close();
    }

    /// Replays `passes`, then does what `further` encodes, in one submission.
    fn submit_encoded(
        &self,
        passes: &[&Pass],
        further: impl FnOnce(&mut wgpu::CommandEncoder),
    ) -> wgpu::SubmissionIndex {
        self.0.state.count(|c| c.submits += 1);
        self.scoped(|| {
            let mut encoder = self.encode(passes);
            further(&mut encoder);
            self.0.opened.queue.submit([encoder.finish()])
        })
    }

    fn encode(&self, passes: &[&Pass]) -> wgpu::CommandEncoder {
        let mut encoder = self.device().create_command_encoder(&Default::default());
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
            let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
            let descriptor =
                wgpu::BufferDescriptor { label: Some("staging"), size: bytes, usage, mapped_at_creation: false };
            self.scoped(|| self.device().create_buffer(&descriptor))
        })
    }
}

/// Notes what ends every client: the loss of the device, and errors that no client's scope has caught.
fn watch(device: &wgpu::Device, loss: &Arc<OnceLock<GpuError>>) {
    let faults = loss.clone();
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
        let _ = faults.set(client::fault_of(&error));
    }));
    let losses = loss.clone();
    device.set_device_lost_callback(move |reason, message| {
        if reason != wgpu::DeviceLostReason::Destroyed {
            let _ = losses.set(GpuError::Lost(message));
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
