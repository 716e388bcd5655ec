//! A loaded model, as JavaScript holds it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use inglenook::engine::event::Event;
use inglenook::engine::request::Request;
use inglenook::engine::{Answer, Engine, LoadProgress, Model, ModelOptions};
use inglenook::gpu::provide_shaders;
use inglenook::text::{Special, vocabulary};
use js_sys::{Date, Function, Object, Promise};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::grammars::JsGrammars;
use crate::options::LoadOptions;
use crate::page_store::JsPageStore;
use crate::source::JsSource;
use crate::tokenizer::WasmTokenizer;
use crate::{errors, host, info};

/// One loaded model on one device.
#[wasm_bindgen]
pub struct WasmEngine {
    shared: Rc<Shared>,
}

struct Shared {
    /// `None` once it is closed.
    engine: RefCell<Option<Engine>>,
    /// True where the device is the CPU, whose work leaves JavaScript no moment of its own.
    on_cpu: bool,
    answers: RefCell<Vec<(u32, Answer)>>,
    next_id: Cell<u32>,
}

/// What has happened to an answer.
#[derive(Serialize)]
struct Report {
    id: u32,
    #[serde(flatten)]
    what: What,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum What {
    Event(ChoiceEvent),
    /// Nothing follows.
    Ended,
    /// Nothing follows.
    Failed {
        name: &'static str,
        message: String,
    },
}

/// An event of one of an answer's choices.
#[derive(Serialize)]
struct ChoiceEvent {
    choice: u32,
    #[serde(flatten)]
    event: Event,
}

impl Shared {
    fn with_engine<T>(&self, ask: impl FnOnce(&Engine) -> T) -> Result<T, JsValue> {
        self.engine.borrow().as_ref().map(ask).ok_or_else(errors::closed)
    }

    /// What is there of all answers.
    fn reports(&self) -> Vec<Report> {
        let mut reports = Vec::new();
        self.answers.borrow_mut().retain_mut(|(id, answer)| {
            while let Some(ready) = answer.ready() {
                let (what, is_open) = match ready {
                    Ok(Some((choice, event))) => (What::Event(ChoiceEvent { choice, event }), true),
                    Ok(None) => (What::Ended, false),
                    Err(error) => (What::Failed { name: error.code(), message: error.to_string() }, false),
                };
                reports.push(Report { id: *id, what });
                if !is_open {
                    return false;
                }
            }
            true
        });
        reports
    }
}

#[wasm_bindgen]
impl WasmEngine {
    /// Loads a model. `on_progress` is told the bytes read, the bytes there are in all and the stage, `weights` or
    /// `kernels`; if it throws, loading is aborted, as it is by `signal`. The model in `draft`, which is loaded first, drafts tokens. Pages
    /// are kept in `page_store`, if there is one. `load_cpu` is called where the CPU runs the model or is measured, for the module that computes
    /// there; `fetch_shaders` where a GPU needs shaders that are not embedded, for JSON of their texts by name.
    #[wasm_bindgen(unchecked_return_type = "Promise<WasmEngine>")]
    pub fn load(
        source: JsSource,
        options_json: String,
        #[wasm_bindgen(
            unchecked_param_type = "(loadedBytes: number, totalBytes: number | undefined, stage: string) => void"
        )]
        on_progress: Function,
        #[wasm_bindgen(unchecked_optional_param_type = "AbortSignal | null")] signal: Option<Object>,
        #[wasm_bindgen(unchecked_optional_param_type = "JsSource")] draft: Option<JsSource>,
        #[wasm_bindgen(unchecked_optional_param_type = "JsPageStore")] page_store: Option<JsPageStore>,
        #[wasm_bindgen(unchecked_optional_param_type = "() => Promise<JsCpuModule>")] load_cpu: Option<Function>,
        #[wasm_bindgen(unchecked_optional_param_type = "() => Promise<string>")] fetch_shaders: Option<Function>,
    ) -> Promise {
        host::promise(async move {
            fetch_shaders.iter().for_each(provide_shaders);
            let options = LoadOptions::from_json(&options_json)?;
            let loading = load(&source, draft.as_ref(), &options, page_store, &on_progress, load_cpu.as_ref());
            let engine = match &signal {
                Some(signal) => host::until_aborted(signal, loading).await.ok_or_else(errors::aborted)??,
                None => loading.await?,
            };
            let shared = Shared {
                on_cpu: engine.device().is_cpu(),
                engine: RefCell::new(Some(engine)),
                answers: RefCell::default(),
                next_id: Cell::new(1),
            };
            Ok(WasmEngine { shared: Rc::new(shared) }.into())
        })
    }

    /// Facts about the model and the adapter, as JSON.
    pub fn info(&self) -> Result<String, JsValue> {
        self.shared.with_engine(|engine| info::to_json(engine.info()))?.map_err(errors::internal)
    }

    /// Checks a request and begins an answer to it; its number in `events`.
    pub fn submit(&self, request_json: &str) -> Result<u32, JsValue> {
        let mut request = Request::from_json(request_json).map_err(errors::to_js)?;
        request.local_time.get_or_insert_with(local_time);
        let answer = self.shared.with_engine(|engine| engine.submit(request))?.map_err(errors::to_js)?;
        let id = self.shared.next_id.get();
        self.shared.next_id.set(id.wrapping_add(1));
        self.shared.answers.borrow_mut().push((id, answer));
        Ok(id)
    }

    /// Ends an answer: its last events say `aborted`. An answer that is none any more is left alone.
    pub fn cancel(&self, id: u32) {
        if let Some((_, answer)) = self.shared.answers.borrow_mut().iter_mut().find(|(of, _)| *of == id) {
            answer.cancel();
        }
    }

    /// What has happened to all answers since the last call, as a JSON array; waits until there is something. Empty once no answer is
    /// under way. One call at a time: it moves all answers on.
    #[wasm_bindgen(unchecked_return_type = "Promise<string>")]
    pub fn events(&self) -> Promise {
        let shared = self.shared.clone();
        host::promise(async move {
            loop {
                if shared.on_cpu {
                    host::breathe().await;
                }
                let reports = shared.reports();
                if !reports.is_empty() || shared.answers.borrow().is_empty() {
                    return Ok(serde_json::to_string(&reports).map_err(errors::internal)?.into());
                }
                let engine = shared.with_engine(Engine::clone)?;
                engine.advance().await;
            }
        })
    }

    /// Gives the page store what it lacks of the conversations so far. That it fails is no error: what it lacks is computed again.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn store_pages(&self) -> Promise {
        let shared = self.shared.clone();
        host::promise(async move {
            let engine = shared.with_engine(Engine::clone)?;
            let _ = engine.store_pages().await;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Whether a request can be answered only with the module for grammars: see `set_grammars`.
    pub fn needs_grammar(&self, request_json: &str) -> Result<bool, JsValue> {
        Ok(Request::from_json(request_json).map_err(errors::to_js)?.needs_grammar())
    }

    /// Gives the engine the second module's compiler, made for `vocabulary` and `eos_tokens` of this engine.
    pub fn set_grammars(&self, grammars: JsGrammars) -> Result<(), JsValue> {
        self.shared.with_engine(|engine| engine.grammars().fill(Box::new(grammars)))
    }

    /// The vocabulary as the second module reads it.
    pub fn vocabulary(&self) -> Result<Vec<u8>, JsValue> {
        self.shared.with_engine(|engine| vocabulary::packed(engine.tokenizer()))
    }

    /// The tokens that end an answer.
    pub fn eos_tokens(&self) -> Result<Vec<u32>, JsValue> {
        self.shared.with_engine(|engine| engine.tokenizer().stop_ids().to_vec())
    }

    /// The tokenizer alone, which lives on its own.
    pub fn tokenizer(&self) -> Result<WasmTokenizer, JsValue> {
        self.shared.with_engine(|engine| WasmTokenizer(engine.tokenizer().clone()))
    }

    /// The prompt that a request's conversation becomes.
    pub fn render(&self, request_json: &str) -> Result<String, JsValue> {
        let mut request = Request::from_json(request_json).map_err(errors::to_js)?;
        request.local_time.get_or_insert_with(local_time);
        self.shared.with_engine(|engine| engine.prompts().render(&request))?.map_err(errors::to_js)
    }

    /// The tokens of a text. Where `special`, names of control tokens are these tokens; else they are plain text.
    pub fn tokenize(&self, text: &str, special: bool) -> Result<Vec<u32>, JsValue> {
        let special = if special { Special::Parse } else { Special::AsText };
        self.shared.with_engine(|engine| engine.tokenizer().encode(text, special, false))
    }

    /// The tokens of a text, each as its id and the UTF-16 offsets at which its part of the text begins and ends.
    pub fn tokenize_with_offsets(&self, text: &str, special: bool) -> Result<Vec<u32>, JsValue> {
        let special = if special { Special::Parse } else { Special::AsText };
        let tokens = self.shared.with_engine(|engine| engine.tokenizer().encode_with_utf16_offsets(text, special))?;
        Ok(tokens.into_iter().flat_map(|(id, units)| [id, units.start, units.end]).collect())
    }

    /// The text of tokens, names of control tokens included.
    pub fn detokenize(&self, ids: &[u32]) -> Result<String, JsValue> {
        self.shared.with_engine(|engine| {
            let size = engine.tokenizer().vocab_size();
            match ids.iter().find(|id| **id as usize >= size) {
                Some(id) => Err(errors::misuse(&format!("there is no token {id}: the vocabulary has {size}"))),
                None => Ok(vocabulary::spell(engine.tokenizer(), ids)),
            }
        })?
    }

    /// How many tokens a text is.
    pub fn count_tokens(&self, text: &str) -> Result<usize, JsValue> {
        self.shared.with_engine(|engine| engine.tokenizer().count_tokens(text))
    }

    /// What the GPU has done since loading began, as JSON.
    pub fn counters(&self) -> Result<String, JsValue> {
        let counters = self.shared.with_engine(Engine::counters)?;
        serde_json::to_string(&counters).map_err(errors::internal)
    }

    /// Ends all answers and gives all memory back, on the GPU at once. More than once does no harm.
    pub fn close(&self) {
        let engine = self.shared.engine.take();
        engine.into_iter().for_each(Engine::close);
        self.shared.answers.take();
    }
}

async fn load(
    source: &JsSource,
    draft: Option<&JsSource>,
    options: &LoadOptions,
    page_store: Option<JsPageStore>,
    on_progress: &Function,
    load_cpu: Option<&Function>,
) -> Result<Engine, JsValue> {
    let placement = options.open_device(load_cpu).await.map_err(errors::to_js)?;
    let mut bytes = (0, None);
    let mut progress = |progress: LoadProgress| {
        let stage = match progress {
            LoadProgress::Weights(read, all) => {
                bytes = (read, Some(all));
                "weights"
            }
            LoadProgress::Kernels => "kernels",
        };
        let (read, all) = (JsValue::from(bytes.0 as f64), JsValue::from(bytes.1.map(|all| all as f64)));
        on_progress.call3(&JsValue::UNDEFINED, &read, &all, &stage.into()).is_ok()
    };
    let mut engine_options = options.engine(page_store);
    if let Some(draft) = draft {
        let model_options = ModelOptions { context: engine_options.context };
        let draft = Model::load(placement.clone(), draft, &model_options, &mut progress).await;
        engine_options.draft = Some(draft.map_err(errors::to_js)?);
    }
    Engine::load(placement, source, &engine_options, &mut progress).await.map_err(errors::to_js)
}

/// Seconds since 1970 of the user's local clock.
fn local_time() -> i64 {
    let now = Date::new_0();
    (now.get_time() / 1000.0 - now.get_timezone_offset() * 60.0) as i64
}
