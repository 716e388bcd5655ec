//! A loaded model, as JavaScript holds it.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use futures_util::lock::Mutex;
use inglenook::device::Device;
use inglenook::engine::request::Request;
use inglenook::engine::{Engine, GrammarBackend, Progress, PromptBuilder};
use inglenook::gpu::Gpu;
use inglenook::text::{Special, Tokenizer, vocabulary};
use js_sys::{Date, Function, Object, Promise};
use wasm_bindgen::prelude::*;

use crate::generation::{Answer, WasmGeneration};
use crate::grammars::JsGrammars;
use crate::options::LoadOptions;
use crate::source::JsSource;
use crate::tokenizer::WasmTokenizer;
use crate::{errors, host, info};

/// One loaded model on one device.
#[wasm_bindgen]
pub struct WasmEngine {
    shared: Rc<Shared>,
}

/// What an engine shares with its answers.
pub struct Shared {
    /// `None` once it is closed.
    open: RefCell<Option<Open>>,
    /// Held by the answer that has the device; the others wait for it.
    pub floor: Arc<Mutex<()>>,
    /// True where the device is the CPU, whose work leaves JavaScript no moment of its own.
    pub on_cpu: bool,
    answers: RefCell<Vec<Weak<Answer>>>,
}

struct Open {
    /// `None` while an answer works with it.
    engine: Option<Engine>,
    gpu: Option<Gpu>,
    tokenizer: Arc<Tokenizer>,
    prompts: Rc<PromptBuilder>,
    grammars: GrammarBackend,
    info: String,
}

impl Shared {
    fn new(engine: Engine) -> Result<Shared, JsValue> {
        let gpu = match engine.device() {
            Device::Gpu(gpu) => Some(gpu.clone()),
            Device::Cpu => None,
        };
        let info = info::to_json(engine.info()).map_err(errors::internal)?;
        let on_cpu = gpu.is_none();
        let open = Open {
            tokenizer: engine.tokenizer().clone(),
            prompts: engine.prompts().clone(),
            grammars: engine.grammars().clone(),
            engine: Some(engine),
            gpu,
            info,
        };
        Ok(Shared { open: RefCell::new(Some(open)), floor: Arc::default(), on_cpu, answers: RefCell::default() })
    }

    /// The engine, for whoever has the floor, to be given back by [`Shared::put_back`]; none once it is closed.
    pub fn take(&self) -> Option<Engine> {
        self.open.borrow_mut().as_mut()?.engine.take()
    }

    /// Gives the engine back. If it was closed meanwhile, this is its end.
    pub fn put_back(&self, engine: Engine) {
        if let Some(open) = self.open.borrow_mut().as_mut() {
            open.engine = Some(engine);
        }
    }

    fn with_open<T>(&self, ask: impl FnOnce(&Open) -> T) -> Result<T, JsValue> {
        self.open.borrow().as_ref().map(ask).ok_or_else(errors::closed)
    }
}

#[wasm_bindgen]
impl WasmEngine {
    /// Loads a model. `on_progress` is told the bytes read, the bytes there are in all and the stage, `weights` or
    /// `kernels`; if it throws, loading is aborted, as it is by `signal`.
    #[wasm_bindgen(unchecked_return_type = "Promise<WasmEngine>")]
    pub fn load(
        source: JsSource,
        options_json: String,
        #[wasm_bindgen(
            unchecked_param_type = "(loadedBytes: number, totalBytes: number | undefined, stage: string) => void"
        )]
        on_progress: Function,
        #[wasm_bindgen(unchecked_optional_param_type = "AbortSignal | null")] signal: Option<Object>,
    ) -> Promise {
        host::promise(async move {
            let options = LoadOptions::from_json(&options_json)?;
            let loading = load(&source, &options, &on_progress);
            let engine = match &signal {
                Some(signal) => host::until_aborted(signal, loading).await.ok_or_else(errors::aborted)??,
                None => loading.await?,
            };
            Ok(WasmEngine { shared: Rc::new(Shared::new(engine)?) }.into())
        })
    }

    /// Facts about the model and the adapter, as JSON.
    pub fn info(&self) -> Result<String, JsValue> {
        self.shared.with_open(|open| open.info.clone())
    }

    /// Checks a request and begins an answer to it. Answers are given one at a time: a later one waits for its turn.
    pub fn generate(&self, request_json: &str) -> Result<WasmGeneration, JsValue> {
        self.shared.with_open(|_| ())?;
        let mut request = Request::from_json(request_json).map_err(errors::to_js)?;
        request.check().map_err(errors::to_js)?;
        request.local_time.get_or_insert_with(local_time);
        let answer = Answer::new(self.shared.clone(), request);
        let mut answers = self.shared.answers.borrow_mut();
        answers.retain(|answer| answer.strong_count() > 0);
        answers.push(Rc::downgrade(&answer));
        Ok(WasmGeneration::new(answer))
    }

    /// Whether a request can be answered only with the module for grammars: see `set_grammars`.
    pub fn needs_grammar(&self, request_json: &str) -> Result<bool, JsValue> {
        Ok(Request::from_json(request_json).map_err(errors::to_js)?.needs_grammar())
    }

    /// Gives the engine the second module's compiler, made for `vocabulary` and `eos_tokens` of this engine.
    pub fn set_grammars(&self, grammars: JsGrammars) -> Result<(), JsValue> {
        self.shared.with_open(|open| open.grammars.fill(Box::new(grammars)))
    }

    /// The vocabulary as the second module reads it.
    pub fn vocabulary(&self) -> Result<Vec<u8>, JsValue> {
        self.shared.with_open(|open| vocabulary::packed(&open.tokenizer))
    }

    /// The tokens that end an answer.
    pub fn eos_tokens(&self) -> Result<Vec<u32>, JsValue> {
        self.shared.with_open(|open| open.tokenizer.stop_ids().to_vec())
    }

    /// The tokenizer alone, which lives on its own.
    pub fn tokenizer(&self) -> Result<WasmTokenizer, JsValue> {
        self.shared.with_open(|open| WasmTokenizer(open.tokenizer.clone()))
    }

    /// The prompt that a request's conversation becomes.
    pub fn render(&self, request_json: &str) -> Result<String, JsValue> {
        let mut request = Request::from_json(request_json).map_err(errors::to_js)?;
        request.local_time.get_or_insert_with(local_time);
        self.shared.with_open(|open| open.prompts.render(&request))?.map_err(errors::to_js)
    }

    /// The tokens of a text. Where `special`, names of control tokens are these tokens; else they are plain text.
    pub fn tokenize(&self, text: &str, special: bool) -> Result<Vec<u32>, JsValue> {
        let special = if special { Special::Parse } else { Special::AsText };
        self.shared.with_open(|open| open.tokenizer.encode(text, special, false))
    }

    /// The tokens of a text, each as its id and the UTF-16 offsets at which its part of the text begins and ends.
    pub fn tokenize_with_offsets(&self, text: &str, special: bool) -> Result<Vec<u32>, JsValue> {
        let special = if special { Special::Parse } else { Special::AsText };
        let tokens = self.shared.with_open(|open| open.tokenizer.encode_with_utf16_offsets(text, special))?;
        Ok(tokens.into_iter().flat_map(|(id, units)| [id, units.start, units.end]).collect())
    }

    /// The text of tokens, names of control tokens included.
    pub fn detokenize(&self, ids: &[u32]) -> Result<String, JsValue> {
        self.shared.with_open(|open| {
            let size = open.tokenizer.vocab_size();
            match ids.iter().find(|id| **id as usize >= size) {
                Some(id) => Err(errors::misuse(&format!("there is no token {id}: the vocabulary has {size}"))),
                None => Ok(vocabulary::spell(&open.tokenizer, ids)),
            }
        })?
    }

    /// How many tokens a text is.
    pub fn count_tokens(&self, text: &str) -> Result<usize, JsValue> {
        self.shared.with_open(|open| open.tokenizer.count_tokens(text))
    }

    /// What the GPU has done since loading began, as JSON.
    pub fn counters(&self) -> Result<String, JsValue> {
        let counters = self.shared.with_open(|open| open.gpu.as_ref().map(Gpu::counters).unwrap_or_default())?;
        serde_json::to_string(&counters).map_err(errors::internal)
    }

    /// Ends all answers and gives all memory back, on the GPU at once. More than once does no harm.
    pub fn close(&self) {
        let answers = self.shared.answers.take();
        answers.iter().filter_map(Weak::upgrade).for_each(|answer| answer.cancel());
        let open = self.shared.open.take();
        if let Some(gpu) = open.as_ref().and_then(|open| open.gpu.as_ref()) {
            gpu.close();
        }
    }
}

async fn load(source: &JsSource, options: &LoadOptions, on_progress: &Function) -> Result<Engine, JsValue> {
    let placement = options.open_device().await.map_err(errors::to_js)?;
    let mut bytes = (0, None);
    let mut progress = |progress: Progress| {
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
    Engine::load(placement, source, &options.engine(), &mut progress).await.map_err(errors::to_js)
}

/// Seconds since 1970 of the user's local clock.
fn local_time() -> i64 {
    let now = Date::new_0();
    (now.get_time() / 1000.0 - now.get_timezone_offset() * 60.0) as i64
}
