//! The facade on the browser's WebGPU.
//!
//! The GPU's objects live in `web.js`, which wasm-bindgen ships beside the module; here they are numbers. A submission
//! crosses into JavaScript once, whatever it replays. Never holds a copy of what it writes: host bytes go to the queue
//! straight from WebAssembly's memory.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::copy::{self, Copy};
use super::{Access, AdapterInfo, Counters, Dispatch, GpuError, GpuOptions, Shader, Without};

#[wasm_bindgen(module = "/src/gpu/web.js")]
extern "C" {
    /// `Client` of `web.js`; its methods are documented there.
    #[derive(Debug)]
    type Client;

    #[wasm_bindgen(js_name = provideShaders)]
    fn provide_shaders_by(fetch: &Function);
    #[wasm_bindgen(js_name = requestDevice)]
    fn request_device(wishes: &str) -> Promise;
    #[wasm_bindgen(method)]
    fn client(this: &Client) -> Client;
    #[wasm_bindgen(method, js_name = isBeside)]
    fn is_beside(this: &Client, other: &Client) -> bool;
    #[wasm_bindgen(method, getter)]
    fn facts(this: &Client) -> String;
    #[wasm_bindgen(method, getter)]
    fn stagings(this: &Client) -> f64;
    #[wasm_bindgen(method, getter)]
    fn fault(this: &Client) -> JsValue;
    #[wasm_bindgen(method)]
    fn buffer(this: &Client, label: &str, bytes: f64) -> u32;
    #[wasm_bindgen(method)]
    fn write(this: &Client, buffer: u32, offset: f64, data: &[u8]);
    #[wasm_bindgen(method)]
    fn compile(this: &Client, name: &str, wgsl: &str, keys: &str, values: &[f64], access: &str) -> Promise;
    #[wasm_bindgen(method)]
    fn pass(this: &Client, list: &[f64]) -> u32;
    #[wasm_bindgen(method)]
    fn submit(this: &Client, passes: &[u32]);
    #[wasm_bindgen(method)]
    fn copy(this: &Client, list: &[f64]);
    #[wasm_bindgen(method, js_name = submitAndRead)]
    fn submit_and_read(this: &Client, passes: &[u32], buffer: u32, start: f64, bytes: f64) -> u32;
    #[wasm_bindgen(method)]
    fn mapped(this: &Client, read: u32) -> Promise;
    #[wasm_bindgen(method)]
    fn take(this: &Client, read: u32, into: &mut [u8]);
    #[wasm_bindgen(method)]
    fn release(this: &Client, id: u32);
    #[wasm_bindgen(method, js_name = waitIdle)]
    fn wait_idle(this: &Client) -> Promise;
    #[wasm_bindgen(method)]
    fn close(this: &Client);
}

/// From now on the shaders that only some models need come from `fetch`, which promises JSON of their texts by name
/// (`shaders/on_demand.txt`). It is called when a kernel first needs one.
pub fn provide_shaders(fetch: &Function) {
    provide_shaders_by(fetch);
}

/// A client of an opened GPU. Clones are the same client; see [`Gpu::client`] for another. The last clone closes it, and the last
/// client the device.
#[derive(Debug, Clone)]
pub struct Gpu(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Rc<Shared>,
    facts: AdapterInfo,
    /// The numbers of the passes of one submission, kept so that a step allocates nothing.
    passes: RefCell<Vec<u32>>,
    /// What copies within one buffer go through, from the first of them on.
    scratch: OnceCell<Buffer>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.client.close();
    }
}

/// What a buffer, kernel or pass needs to go away.
#[derive(Debug)]
struct Shared {
    client: Client,
    /// True from [`Gpu::close`] on, when no byte is alive any more.
    is_closed: Cell<bool>,
    counters: Cell<Counters>,
}

impl Shared {
    fn count(&self, change: impl FnOnce(&mut Counters)) {
        let mut counters = self.counters.get();
        change(&mut counters);
        self.counters.set(counters);
    }
}

/// An object of `web.js`, forgotten there when dropped here.
#[derive(Debug)]
struct Handle {
    shared: Rc<Shared>,
    id: u32,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.client.release(self.id);
    }
}

/// A storage buffer on the GPU. Clones share it; the last one gives the memory back.
#[derive(Debug, Clone)]
pub struct Buffer(Rc<BufferInner>);

#[derive(Debug)]
struct BufferInner {
    handle: Handle,
    bytes: u64,
}

impl Drop for BufferInner {
    fn drop(&mut self) {
        let shared = &self.handle.shared;
        shared.count(|c| c.live_bytes -= if shared.is_closed.get() { 0 } else { self.bytes });
    }
}

impl Buffer {
    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// True of clones of one buffer.
    pub(super) fn is_same(&self, other: &Buffer) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// A compiled kernel.
#[derive(Debug, Clone)]
pub struct Pipeline(Rc<Handle>);

/// A recorded list of dispatches with their bind groups, replayable any number of times. Keeps its buffers alive.
#[derive(Debug)]
pub struct Pass {
    handle: Handle,
    dispatches: Vec<Dispatch>,
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
    /// Opens the browser's adapter with all that it offers; where its driver refuses, with less. A browser offers one adapter, so
    /// `options.adapter` is not looked at.
    pub async fn request(options: &GpuOptions) -> Result<Gpu, GpuError> {
        let mut refusal = None;
        for wish in options.wishes() {
            match Gpu::open(&wish).await {
                Err(error @ GpuError::Device(_)) => refusal = refusal.or(Some(error)),
                opened => return opened,
            }
        }
        Err(refusal.unwrap_or_else(|| unreachable!("there is a first wish")))
    }

    async fn open(options: &GpuOptions) -> Result<Gpu, GpuError> {
        let opening = request_device(&words(options));
        let opened = JsFuture::from(opening).await;
        let client: Client = opened.map_err(|error| error_from(&error))?.unchecked_into();
        let facts = serde_json::from_str(&client.facts()).map_err(|error| GpuError::Device(error.to_string()))?;
        Ok(Gpu::new(client, facts))
    }

    fn new(client: Client, facts: AdapterInfo) -> Gpu {
        let shared = Rc::new(Shared { client, is_closed: Cell::default(), counters: Cell::default() });
        Gpu(Rc::new(Inner { shared, facts, passes: RefCell::default(), scratch: OnceCell::new() }))
    }

    /// Another client of the same device, with buffers, counters and faults of its own: what one runs out of, does wrong or closes
    /// leaves the others as they are. Only the loss of the device reaches all. Buffers, pipelines and passes end with the client
    /// that made them.
    pub fn client(&self) -> Gpu {
        Gpu::new(self.js().client(), self.0.facts.clone())
    }

    /// Whether another is a client of the same device, so that one's passes may use the other's buffers.
    pub fn is_beside(&self, other: &Gpu) -> bool {
        self.js().is_beside(other.js())
    }

    /// What this GPU is and can do.
    pub fn facts(&self) -> &AdapterInfo {
        &self.0.facts
    }

    /// What this client has done so far.
    pub fn counters(&self) -> Counters {
        let mut counters = self.0.shared.counters.get();
        counters.buffers += self.js().stagings() as u64;
        counters
    }

    /// The first fault of this client, or the loss of the device, if any was noticed. Results after a fault must not be trusted.
    pub fn fault(&self) -> Option<GpuError> {
        let fault = self.js().fault();
        (!fault.is_undefined()).then(|| error_from(&fault))
    }

    /// Creates a zero-filled storage buffer of `bytes` (rounded up to a multiple of 4). Running out of memory is
    /// reported by the next [`Gpu::wait_idle`], and perhaps by the next buffer.
    pub fn buffer(&self, label: &str, bytes: u64) -> Result<Buffer, GpuError> {
        let bytes = bytes.max(4).checked_next_multiple_of(4).unwrap_or(u64::MAX);
        let limit = self.0.facts.limits.buffer;
        if bytes > limit {
            return Err(GpuError::TooSmall { what: "buffers", limit, wanted: bytes });
        }
        match self.fault() {
            Some(fault) => Err(fault),
            None => Ok(self.allocate(label, bytes)),
        }
    }

    fn allocate(&self, label: &str, bytes: u64) -> Buffer {
        let handle = self.handle(self.js().buffer(label, bytes as f64));
        self.0.shared.count(|c| {
            c.buffers += 1;
            c.live_bytes += bytes;
        });
        Buffer(Rc::new(BufferInner { handle, bytes }))
    }

    /// Writes host bytes into a buffer; `offset` and the length are multiples of 4. Ordered before later submissions.
    pub fn write(&self, buffer: &Buffer, offset: u64, data: &[u8]) {
        self.js().write(buffer.0.handle.id, offset as f64, data);
        self.0.shared.count(|c| c.written_bytes += data.len() as u64);
    }

    /// Compiles shaders, all together; the result has their order.
    pub async fn pipelines(&self, shaders: &[Shader]) -> Result<Vec<Pipeline>, GpuError> {
        // All are under way before the first is waited for.
        let compiling: Vec<JsFuture> = shaders.iter().map(|shader| JsFuture::from(self.compile(shader))).collect();
        let mut kernels = Vec::with_capacity(shaders.len());
        // Waits for those after a refused one too, so that each compiled kernel has an owner.
        for (shader, compiled) in shaders.iter().zip(compiling) {
            kernels.push(match compiled.await {
                Ok(id) => Ok(Pipeline(Rc::new(self.handle(id.as_f64().unwrap_or_default() as u32)))),
                Err(error) => Err(error_of_kernel(shader.name, &error)),
            });
        }
        self.0.shared.count(|c| c.kernels += shaders.len() as u64);
        kernels.into_iter().collect()
    }

    fn compile(&self, shader: &Shader) -> Promise {
        let (keys, values): (Vec<&str>, Vec<f64>) = shader.constants().into_iter().unzip();
        let letter = |access: &Access| if *access == Access::Read { 'r' } else { 'w' };
        let access: String = shader.bindings.iter().map(letter).collect();
        self.js().compile(shader.name, &shader.wgsl(true), &keys.join(" "), &values, &access)
    }

    /// Creates the bind groups of `dispatches`, once.
    pub fn pass(&self, dispatches: &[Dispatch]) -> Pass {
        let mut list = Vec::new();
        for dispatch in dispatches {
            list.push(f64::from(dispatch.kernel.0.id));
            list.extend(dispatch.workgroups.map(f64::from));
            list.push(dispatch.bindings.len() as f64);
            for binding in &dispatch.bindings {
                list.extend([f64::from(binding.buffer.0.handle.id), binding.offset as f64, binding.bytes as f64]);
            }
        }
        self.0.shared.count(|c| c.bind_groups += dispatches.len() as u64);
        Pass { handle: self.handle(self.js().pass(&list)), dispatches: dispatches.to_vec() }
    }

    /// Replays `passes` in order within one compute pass and one submission.
    pub fn submit(&self, passes: &[&Pass]) {
        self.js().submit(&self.replayed(passes));
    }

    /// Copies ranges between buffers, in one submission, ordered with other submissions and writes. No range may overlap what another
    /// copy of the same call writes. A range that stays in its buffer goes through a scratch buffer, made at the first such copy.
    pub fn copy(&self, copies: &[Copy<'_>]) {
        let scratch = self.0.scratch.get_or_init(|| self.allocate("scratch", copy::SCRATCH_BYTES));
        let allowed = copy::allowed(copies, scratch);
        let list: Vec<f64> = allowed
            .iter()
            .flat_map(|copy| {
                let [from, to] = [copy.from, copy.to].map(|buffer| f64::from(buffer.0.handle.id));
                [from, copy.from_offset as f64, to, copy.to_offset as f64, copy.bytes as f64]
            })
            .collect();
        self.js().copy(&list);
        self.0.shared.count(|c| {
            c.submits += 1;
            c.copies += copies.len() as u64;
        });
    }

    /// Replays `passes`, then copies `range` (bytes, multiples of 4) of `buffer` back, in one submission. Staging
    /// buffers are reused.
    pub fn submit_and_read(&self, passes: &[&Pass], buffer: &Buffer, range: Range<u64>) -> PendingRead {
        let bytes = range.end - range.start;
        let source = buffer.0.handle.id;
        let id = self.js().submit_and_read(&self.replayed(passes), source, range.start as f64, bytes as f64);
        self.0.shared.count(|c| c.reads += 1);
        PendingRead { mapped: JsFuture::from(self.js().mapped(id)), read: self.handle(id), bytes, gpu: self.clone() }
    }

    /// Reads `range` (bytes, multiples of 4) of `buffer` back.
    pub fn read(&self, buffer: &Buffer, range: Range<u64>) -> PendingRead {
        self.submit_and_read(&[], buffer, range)
    }

    /// Waits for everything submitted so far and reports the first fault, out-of-memory included.
    pub async fn wait_idle(&self) -> Result<(), GpuError> {
        let done = JsFuture::from(self.js().wait_idle()).await;
        done.map(drop).map_err(|error| error_from(&error))
    }

    /// Gives all memory of this client back at once, whoever still holds a buffer. What comes later fails with [`GpuError::Lost`].
    pub fn close(&self) {
        self.js().close();
        self.0.shared.is_closed.set(true);
        self.0.shared.count(|c| c.live_bytes = 0);
    }

    fn js(&self) -> &Client {
        &self.0.shared.client
    }

    fn handle(&self, id: u32) -> Handle {
        Handle { shared: self.0.shared.clone(), id }
    }

    /// Counts a submission and lists the numbers of its passes.
    fn replayed(&self, passes: &[&Pass]) -> std::cell::Ref<'_, Vec<u32>> {
        let mut numbers = self.0.passes.borrow_mut();
        numbers.clear();
        numbers.extend(passes.iter().map(|pass| pass.handle.id));
        drop(numbers);
        self.0.shared.count(|c| {
            c.submits += 1;
            c.passes += u64::from(!passes.is_empty());
            c.dispatches += passes.iter().map(|pass| pass.len() as u64).sum::<u64>();
        });
        self.0.passes.borrow()
    }
}

/// Bytes on their way back from the GPU. Dropping it leaves its staging buffer to the next read.
#[derive(Debug)]
pub struct PendingRead {
    mapped: JsFuture,
    read: Handle,
    bytes: u64,
    /// Keeps the device open until the bytes are there.
    gpu: Gpu,
}

impl Future for PendingRead {
    type Output = Result<Vec<u8>, GpuError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match Pin::new(&mut self.mapped).poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error_from(&error))),
            Poll::Ready(Ok(_)) => Poll::Ready(self.collect()),
        }
    }
}

impl PendingRead {
    fn collect(&self) -> Result<Vec<u8>, GpuError> {
        if let Some(fault) = self.gpu.fault() {
            return Err(fault);
        }
        let mut bytes = vec![0; self.bytes as usize];
        self.gpu.js().take(self.read.id, &mut bytes);
        Ok(bytes)
    }
}

/// The options that are on, in the words of `web.js`.
fn words(options: &GpuOptions) -> String {
    let GpuOptions { default_limits, hardware_only, as_hardware, without, adapter: _ } = options;
    let Without { f16, subgroups, dot4, timestamps } = without;
    let all = [
        ("default-limits", default_limits),
        ("hardware-only", hardware_only),
        ("as-hardware", as_hardware),
        ("without-f16", f16),
        ("without-subgroups", subgroups),
        ("without-dot4", dot4),
        ("without-timestamps", timestamps),
    ];
    let on: Vec<&str> = all.iter().filter(|(_, on)| **on).map(|(word, _)| *word).collect();
    on.join(" ")
}

/// The error that `web.js` or the browser has thrown.
fn error_from(value: &JsValue) -> GpuError {
    let Some(error) = value.dyn_ref::<js_sys::Error>() else {
        return GpuError::Fault(format!("{value:?}"));
    };
    let message = String::from(error.message());
    match String::from(error.name()).as_str() {
        "NoWebGpu" => GpuError::NoWebGpu(message),
        "NoAdapter" => GpuError::NoAdapter(message),
        "SoftwareOnly" => GpuError::SoftwareOnly(message),
        "Device" => GpuError::Device(message),
        "OutOfMemory" => GpuError::OutOfMemory(message),
        "Shaders" => GpuError::Shaders(message),
        "Lost" => GpuError::Lost(message),
        "Compile" => GpuError::Compile { kernel: String::new(), message },
        _ => GpuError::Fault(message),
    }
}

/// The same, of a kernel that did not compile.
fn error_of_kernel(name: &str, value: &JsValue) -> GpuError {
    match error_from(value) {
        GpuError::Compile { message, .. } => GpuError::Compile { kernel: name.into(), message },
        other => other,
    }
}
