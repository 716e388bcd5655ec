//! The module that computes on the CPU, as the engine uses it: JavaScript loads it where the CPU runs the model.

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::rc::Rc;

use inglenook::Device;
use inglenook::device::module::{CpuModule, ModuleRange, Reading};
use inglenook::gpu::GpuError;
use js_sys::{Error, Function, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen(typescript_custom_section)]
const TYPESCRIPT: &str = r#"
/** The module that computes on the CPU: its buffers and plans have numbers. */
export interface JsCpuModule {
  instructions(): string;
  /** Its number, or -1 where there is not so much memory. */
  buffer(bytes: number): number;
  releaseBuffer(buffer: number): void;
  write(buffer: number, offset: number, bytes: Uint8Array): void;
  /** For each copy buffer and offset it is from, buffer and offset it goes to, and bytes. */
  copy(list: Float64Array): void;
  /** Its number. Throws where the module has failed or does not understand the steps. */
  plan(steps: string): number;
  /** What was chosen for the kernels of the last plan. */
  choices(): string;
  releasePlan(plan: number): void;
  /** What fails is thrown by the next `read` or `idle`. */
  run(plans: Uint32Array): void;
  read(buffer: number, offset: number, bytes: number): Uint8Array | Promise<Uint8Array>;
  idle(): void | Promise<void>;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// The other module.
    #[wasm_bindgen(typescript_type = "JsCpuModule")]
    pub type JsCpuModule;

    #[wasm_bindgen(method)]
    fn instructions(this: &JsCpuModule) -> String;
    #[wasm_bindgen(method)]
    fn buffer(this: &JsCpuModule, bytes: f64) -> i32;
    #[wasm_bindgen(method, js_name = releaseBuffer)]
    fn release_buffer(this: &JsCpuModule, buffer: u32);
    #[wasm_bindgen(method)]
    fn write(this: &JsCpuModule, buffer: u32, offset: f64, bytes: &[u8]);
    #[wasm_bindgen(method)]
    fn copy(this: &JsCpuModule, list: &[f64]);
    #[wasm_bindgen(method, catch)]
    fn plan(this: &JsCpuModule, steps: &str) -> Result<u32, JsValue>;
    #[wasm_bindgen(method)]
    fn choices(this: &JsCpuModule) -> String;
    #[wasm_bindgen(method, js_name = releasePlan)]
    fn release_plan(this: &JsCpuModule, plan: u32);
    #[wasm_bindgen(method)]
    fn run(this: &JsCpuModule, plans: &[u32]);
    #[wasm_bindgen(method, catch)]
    fn read(this: &JsCpuModule, buffer: u32, offset: f64, bytes: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn idle(this: &JsCpuModule) -> Result<JsValue, JsValue>;
}

/// The CPU in its module, which `load` loads; in this one where there is no `load`.
///
/// # Errors
/// Why the module could not be loaded.
pub async fn open_cpu(load: Option<&Function>) -> Result<Device, String> {
    let Some(load) = load else { return Ok(Device::Cpu) };
    Ok(Device::CpuModule(Rc::new(Module(load_module(load).await?))))
}

async fn load_module(load: &Function) -> Result<JsCpuModule, String> {
    let loading = load.call0(&JsValue::UNDEFINED).and_then(|promise| promise.dyn_into::<Promise>());
    let module = JsFuture::from(loading.map_err(words)?).await.map_err(words)?;
    Ok(module.unchecked_into())
}

struct Module(JsCpuModule);

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Module")
    }
}

impl CpuModule for Module {
    fn instructions(&self) -> String {
        self.0.instructions()
    }

    fn buffer(&self, bytes: u64) -> Option<u32> {
        u32::try_from(self.0.buffer(bytes as f64)).ok()
    }

    fn release_buffer(&self, buffer: u32) {
        self.0.release_buffer(buffer);
    }

    fn write(&self, buffer: u32, offset: u64, data: &[u8]) {
        self.0.write(buffer, offset as f64, data);
    }

    fn copy(&self, copies: &[(ModuleRange, ModuleRange)]) {
        let numbers = |(from, to): &(ModuleRange, ModuleRange)| {
            [from.buffer.into(), from.offset as f64, to.buffer.into(), to.offset as f64, from.bytes as f64]
        };
        self.0.copy(&copies.iter().flat_map(numbers).collect::<Vec<f64>>());
    }

    fn plan(&self, steps: &str) -> Result<(u32, String), GpuError> {
        let plan = self.0.plan(steps).map_err(lost)?;
        Ok((plan, self.0.choices()))
    }

    fn release_plan(&self, plan: u32) {
        self.0.release_plan(plan);
    }

    fn run(&self, plans: &[u32]) {
        self.0.run(plans);
    }

    fn run_and_read(&self, plans: &[u32], ModuleRange { buffer, offset, bytes }: ModuleRange) -> Reading {
        self.0.run(plans);
        let told = self.0.read(buffer, offset as f64, bytes as f64);
        Box::pin(async move { Ok(settled(told).await?.unchecked_into::<Uint8Array>().to_vec()) })
    }

    fn wait_idle(&self) -> Pin<Box<dyn Future<Output = Result<(), GpuError>>>> {
        let told = self.0.idle();
        if matches!(&told, Ok(nothing) if nothing.is_undefined()) {
            return Box::pin(ready(Ok(())));
        }
        Box::pin(async move { settled(told).await.map(drop) })
    }
}

/// What was told at once or comes of a promise.
async fn settled(told: Result<JsValue, JsValue>) -> Result<JsValue, GpuError> {
    match told.map_err(lost)?.dyn_into::<Promise>() {
        Ok(promise) => JsFuture::from(promise).await.map_err(lost),
        Err(value) => Ok(value),
    }
}

fn lost(thrown: JsValue) -> GpuError {
    GpuError::Module(words(thrown))
}

fn words(thrown: JsValue) -> String {
    thrown.dyn_ref::<Error>().map_or_else(|| format!("{thrown:?}"), |error| error.message().into())
}
