//! What a caller may choose when a model is loaded.

use std::rc::Rc;

use inglenook::engine::EngineOptions;
use inglenook::engine::page_store::PageStore;
use inglenook::gpu::{GpuError, GpuOptions, Without};
use inglenook::kernels::kv::KvType;
use inglenook::placement::{DeviceChoice, Placement};
use js_sys::Function;
use serde::Deserialize;
use wasm_bindgen::JsValue;

use crate::cpu_module::open_cpu;
use crate::errors;
use crate::page_store::JsPageStore;

/// Options of `WasmEngine.load`, as JSON. Each may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoadOptions {
    /// Longest context in tokens.
    context_length: Option<u32>,
    /// How keys and values are stored.
    kv_type: KvType,
    /// Sequences that run at once.
    max_sequences: Option<u32>,
    /// Requests that may wait.
    max_waiting: Option<usize>,
    /// Tokens that the cache of keys and values holds.
    cache_tokens: Option<u32>,
    /// On the CPU, leaves activations f32.
    exact_activations: bool,
    /// Never drafts tokens.
    no_speculation: bool,
    /// Drafts tokens with a layer of the model itself.
    mtp: bool,
    /// Where the model runs.
    device: DeviceChoice,
    /// Ask the GPU for no more than WebGPU's default limits.
    default_limits: bool,
    /// Features of the GPU to leave unused.
    without: Features,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Features {
    f16: bool,
    subgroups: bool,
    dot4: bool,
}

impl LoadOptions {
    /// Reads the JSON of a caller.
    pub fn from_json(json: &str) -> Result<LoadOptions, JsValue> {
        serde_json::from_str(json).map_err(|error| errors::misuse(&format!("the load options cannot be read: {error}")))
    }

    /// Opens the device; the CPU in the module that `load_cpu` loads.
    pub async fn open_device(&self, load_cpu: Option<&Function>) -> Result<Placement, GpuError> {
        Placement::choose_with(&self.device, &self.gpu(), async || open_cpu(load_cpu).await).await
    }

    /// Tokens of context, and how keys and values are stored.
    pub fn asked(&self) -> (Option<u32>, KvType) {
        (self.context_length, self.kv_type)
    }

    /// The engine's part, with what keeps its pages.
    pub fn engine(&self, page_store: Option<JsPageStore>) -> EngineOptions {
        EngineOptions {
            context: self.context_length,
            kv_type: self.kv_type,
            max_sequences: self.max_sequences,
            max_waiting: self.max_waiting,
            cache_tokens: self.cache_tokens,
            exact_activations: self.exact_activations,
            no_speculation: self.no_speculation,
            mtp: self.mtp,
            page_store: page_store.map(|store| -> Rc<dyn PageStore> { Rc::new(store) }),
            ..EngineOptions::default()
        }
    }

    fn gpu(&self) -> GpuOptions {
        let Features { f16, subgroups, dot4 } = self.without;
        GpuOptions {
            default_limits: self.default_limits,
            without: Without { f16, subgroups, dot4, ..Without::default() },
            ..GpuOptions::default()
        }
    }
}
