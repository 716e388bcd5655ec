//! What a model's header says, and how it would run here: `ModelInspection` of the npm package.

use inglenook::Error;
use inglenook::engine::inspect::{ModelSummary, Problem, problem, read_header};
use inglenook::gpu::AdapterInfo;
use inglenook::model::outlook::Outlook;
use inglenook::placement::Placement;
use inglenook::source::Source;
use inglenook_wasm_host::{self as host, JsSource};
use js_sys::{Function, Object, Promise};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::engine::WasmEngine;
use crate::errors;
use crate::info::{Adapter, described};
use crate::options::LoadOptions;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Inspection<'a> {
    model: ModelSummary,
    bytes: Option<u64>,
    problem: Option<Problem>,
    device: Option<Place<'a>>,
    outlook: Option<Outlook>,
    bandwidth: Option<f64>,
    tokens_per_second: Option<f64>,
}

#[derive(Serialize)]
struct Place<'a> {
    adapter: Adapter<'a>,
    reason: &'a str,
    memory: Option<u64>,
}

#[wasm_bindgen]
impl WasmEngine {
    /// Reads a model's header alone; JSON of what it says, and of how the model would run on the device that the options of `load` name.
    /// `bandwidth` is how many bytes that moves in a second; where it is not given, it is told only where it was measured.
    #[wasm_bindgen(unchecked_return_type = "Promise<string>")]
    pub fn inspect(
        source: JsSource,
        options_json: String,
        #[wasm_bindgen(unchecked_optional_param_type = "AbortSignal | null")] signal: Option<Object>,
        #[wasm_bindgen(unchecked_optional_param_type = "number")] bandwidth: Option<f64>,
        #[wasm_bindgen(unchecked_optional_param_type = "() => Promise<JsCpuModule>")] load_cpu: Option<Function>,
    ) -> Promise {
        host::promise(async move {
            let options = LoadOptions::from_json(&options_json)?;
            let inspecting = inspect(&source, &options, bandwidth, load_cpu.as_ref());
            let told = match &signal {
                Some(signal) => host::until_aborted(signal, inspecting).await.ok_or_else(errors::aborted)??,
                None => inspecting.await?,
            };
            Ok(told.into())
        })
    }
}

async fn inspect(
    source: &JsSource,
    options: &LoadOptions,
    bandwidth: Option<f64>,
    load_cpu: Option<&Function>,
) -> Result<String, JsValue> {
    let gguf = read_header(source).await.map_err(errors::to_js)?;
    let mut problem = problem(&gguf, source.len());
    let (mut place, mut outlook): (Option<(Placement, AdapterInfo)>, _) = (None, None);
    if problem.is_none() {
        match options.open_device(load_cpu).await {
            Ok(placement) => {
                let (context, kv) = options.asked();
                let found = Outlook::new(&gguf, &placement.device, context, kv).map_err(errors::to_js)?;
                problem = found.problem.as_ref().map(Problem::from);
                outlook = Some(found);
                let facts = placement.device.facts();
                place = Some((placement, facts));
            }
            Err(error) => problem = Some(Error::from(error).into()),
        }
    }
    let bandwidth = bandwidth.or_else(|| place.as_ref()?.0.bandwidth());
    let inspection = Inspection {
        model: ModelSummary::of(&gguf),
        bytes: source.len(),
        problem,
        device: place.as_ref().map(|(placement, facts)| Place {
            adapter: described(facts),
            reason: &placement.reason,
            memory: placement.device.memory(),
        }),
        tokens_per_second: bandwidth.and_then(|bandwidth| Some(outlook.as_ref()?.rate(bandwidth, 0))),
        outlook,
        bandwidth,
    };
    serde_json::to_string(&inspection).map_err(errors::internal)
}
