//! A loaded model, as JavaScript holds it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use inglenook::AdapterError;
use inglenook::engine::embedder::{Embedder, EmbedderOptions, EmbeddingRequest, Purpose, RankingRequest};
use inglenook::engine::event::Event;
use inglenook::engine::request::Request;
use inglenook::engine::{Answer, Engine, EngineOptions, Info, LoadProgress, Loaded, Model, ModelOptions};
use inglenook::gpu::provide_shaders;
use inglenook::lora::Lora;
use inglenook::text::{Special, vocabulary};
use inglenook_wasm_host::{self as host, JsSource};
use js_sys::{Array, Date, Float32Array, Function, Object, Promise};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::grammars::JsGrammars;
use crate::options::LoadOptions;
use crate::page_store::JsPageStore;
use crate::tokenizer::WasmTokenizer;
use crate::{errors, info};

/// One loaded model on one device.
#[wasm_bindgen]
pub struct WasmEngine {
    shared: Rc<Shared>,
}

struct Shared {
    /// `None` once it is closed.
    model: RefCell<Option<Model>>,
    info: Info,
    /// `None` where the model generates nothing, and once it is closed.
    engine: RefCell<Option<Engine>>,
    /// Made when they are needed.
    embedders: RefCell<Vec<(Purpose, Rc<Embedder>)>>,
    embedder_options: EmbedderOptions,
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
        self.with_model(|_| ())?;
        let none = || errors::misuse("this model embeds or ranks texts and generates no answers");
        self.engine.borrow().as_ref().map(ask).ok_or_else(none)
    }

    fn with_model<T>(&self, ask: impl FnOnce(&Model) -> T) -> Result<T, JsValue> {
        self.model.borrow().as_ref().map(ask).ok_or_else(errors::closed)
    }

    /// What embeds, or ranks.
    async fn embedder(&self, purpose: Purpose) -> Result<Rc<Embedder>, JsValue> {
        let model = self.with_model(Model::clone)?;
        let of_purpose = |(of, embedder): &(Purpose, Rc<Embedder>)| (*of == purpose).then(|| embedder.clone());
        let known = self.embedders.borrow().iter().find_map(of_purpose);
        if let Some(embedder) = known {
            return Ok(embedder);
        }
        let options = EmbedderOptions { purpose, ..self.embedder_options.clone() };
        let embedder = Rc::new(Embedder::new(model, &options).await.map_err(errors::to_js)?);
        self.embedders.borrow_mut().push((purpose, embedder.clone()));
        Ok(embedder)
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
    #[allow(clippy::too_many_arguments, reason = "JavaScript gives them one by one")]
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
            let engine_options = options.engine(page_store);
            let embedder_options = EmbedderOptions::from(&engine_options);
            let loading = load(&source, draft.as_ref(), &options, engine_options, &on_progress, load_cpu.as_ref());
            let loaded = match &signal {
                Some(signal) => host::until_aborted(signal, loading).await.ok_or_else(errors::aborted)??,
                None => loading.await?,
            };
            let (engine, embedders, model, info) = match loaded {
                Loaded::Engine(engine) => {
                    let (model, info) = (engine.model().clone(), engine.info().clone());
                    (Some(engine), Vec::new(), model, info)
                }
                Loaded::Embedder(embedder) => {
                    let (model, info) = (embedder.model().clone(), embedder.info().clone());
                    (None, vec![(embedder.purpose(), Rc::new(*embedder))], model, info)
                }
            };
            let shared = Shared {
                on_cpu: model.device().is_cpu(),
                model: RefCell::new(Some(model)),
                info,
                engine: RefCell::new(engine),
                embedders: RefCell::new(embedders),
                embedder_options,
                answers: RefCell::default(),
                next_id: Cell::new(1),
            };
            Ok(WasmEngine { shared: Rc::new(shared) }.into())
        })
    }

    /// Facts about the model and the adapter, as JSON.
    pub fn info(&self) -> Result<String, JsValue> {
        self.shared.with_model(|_| info::to_json(&self.shared.info))?.map_err(errors::internal)
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
            if let Some(engine) = shared.with_model(|_| shared.engine.borrow().clone())? {
                let _ = engine.store_pages().await;
            }
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Embeds texts: the tokens that were computed, how many vectors there are, and these one behind the other.
    #[wasm_bindgen(unchecked_return_type = "Promise<[number, number, Float32Array]>")]
    pub fn embed(&self, request_json: String) -> Promise {
        let shared = self.shared.clone();
        host::promise(async move {
            let request = EmbeddingRequest::from_json(&request_json).map_err(errors::to_js)?;
            let embedder = shared.embedder(Purpose::Embed).await?;
            let embeddings = embedder.embed(&request).await.map_err(errors::to_js)?;
            let numbers = Float32Array::from(embeddings.vectors.concat().as_slice());
            let count = embeddings.vectors.len();
            Ok(Array::of3(&embeddings.tokens.into(), &count.into(), &numbers).into())
        })
    }

    /// Ranks documents: the JSON of their places in the request with their scores, the best first, and the tokens that were computed.
    #[wasm_bindgen(unchecked_return_type = "Promise<string>")]
    pub fn rank(&self, request_json: String) -> Promise {
        let shared = self.shared.clone();
        host::promise(async move {
            let request = RankingRequest::from_json(&request_json).map_err(errors::to_js)?;
            let embedder = shared.embedder(Purpose::Rank).await?;
            let ranking = embedder.rank(&request).await.map_err(errors::to_js)?;
            Ok(serde_json::to_string(&ranking).map_err(errors::internal)?.into())
        })
    }

    /// Loads a LoRA adapter, a GGUF file, beside the model, so that requests can choose it by this name.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn load_adapter(&self, name: String, source: JsSource) -> Promise {
        let shared = self.shared.clone();
        host::promise(async move {
            let engine = shared.with_engine(Engine::clone)?;
            let adapter = Lora::read(&source).await.map_err(AdapterError::from).map_err(errors::to_js)?;
            engine.load_adapter(&name, &adapter).await.map_err(errors::to_js)?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Takes an adapter away. Answers that have it keep it.
    pub fn unload_adapter(&self, name: &str) -> Result<(), JsValue> {
        self.shared.with_engine(|engine| engine.unload_adapter(name))?.map_err(errors::to_js)
    }

    /// Whether a request can be answered only with the module for grammars: see `set_grammars`.
    pub fn needs_grammar(&self, request_json: &str) -> Result<bool, JsValue> {
        Ok(Request::from_json(request_json).map_err(errors::to_js)?.needs_grammar())
    }

    /// Gives the engine the second module's compiler, made for `vocabulary` and `eos_tokens` of this engine.
    pub fn set_grammars(&self, grammars: JsGrammars) -> Result<(), JsValue> {
        self.shared.with_model(|model| model.grammars().fill(Box::new(grammars)))
    }

    /// The vocabulary as the second module reads it.
    pub fn vocabulary(&self) -> Result<Vec<u8>, JsValue> {
        self.shared.with_model(|model| vocabulary::packed(model.tokenizer()))
    }

    /// The tokens that end an answer.
    pub fn eos_tokens(&self) -> Result<Vec<u32>, JsValue> {
        self.shared.with_model(|model| model.tokenizer().stop_ids().to_vec())
    }

    /// The tokenizer alone, which lives on its own.
    pub fn tokenizer(&self) -> Result<WasmTokenizer, JsValue> {
        self.shared.with_model(|model| WasmTokenizer(model.tokenizer().clone()))
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
        self.shared.with_model(|model| model.tokenizer().encode(text, special, false))
    }

    /// The tokens of a text, each as its id and the UTF-16 offsets at which its part of the text begins and ends.
    pub fn tokenize_with_offsets(&self, text: &str, special: bool) -> Result<Vec<u32>, JsValue> {
        let special = if special { Special::Parse } else { Special::AsText };
        let tokens = self.shared.with_model(|model| model.tokenizer().encode_with_utf16_offsets(text, special))?;
        Ok(tokens.into_iter().flat_map(|(id, units)| [id, units.start, units.end]).collect())
    }

    /// The text of tokens, names of control tokens included.
    pub fn detokenize(&self, ids: &[u32]) -> Result<String, JsValue> {
        self.shared.with_model(|model| {
            let size = model.tokenizer().vocab_size();
            match ids.iter().find(|id| **id as usize >= size) {
                Some(id) => Err(errors::misuse(&format!("there is no token {id}: the vocabulary has {size}"))),
                None => Ok(vocabulary::spell(model.tokenizer(), ids)),
            }
        })?
    }

    /// How many tokens a text is.
    pub fn count_tokens(&self, text: &str) -> Result<usize, JsValue> {
        self.shared.with_model(|model| model.tokenizer().count_tokens(text))
    }

    /// What the GPU has done since loading began, as JSON.
    pub fn counters(&self) -> Result<String, JsValue> {
        let counters = self.shared.with_model(|model| model.device().counters())?;
        serde_json::to_string(&counters).map_err(errors::internal)
    }

    /// Ends all answers and gives all memory back, on the GPU at once. More than once does no harm.
    pub fn close(&self) {
        self.shared.embedders.take();
        let model = self.shared.model.take();
        match self.shared.engine.take() {
            Some(engine) => {
                drop(model);
                engine.close();
            }
            None => model.into_iter().for_each(Model::close),
        }
        self.shared.answers.take();
    }
}

async fn load(
    source: &JsSource,
    draft: Option<&JsSource>,
    options: &LoadOptions,
    mut engine_options: EngineOptions,
    on_progress: &Function,
    load_cpu: Option<&Function>,
) -> Result<Loaded, JsValue> {
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
    if let Some(draft) = draft {
        let model_options = ModelOptions { context: engine_options.context, ..ModelOptions::default() };
        let draft = Model::load(placement.clone(), draft, &model_options, &mut progress).await;
        engine_options.draft = Some(draft.map_err(errors::to_js)?);
    }
    Loaded::load(placement, source, &engine_options, &mut progress).await.map_err(errors::to_js)
}

/// Seconds since 1970 of the user's local clock.
fn local_time() -> i64 {
    let now = Date::new_0();
    (now.get_time() / 1000.0 - now.get_timezone_offset() * 60.0) as i64
}
