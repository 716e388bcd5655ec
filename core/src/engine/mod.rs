//! From a request to a stream of events: loading, prefill, the decode loop on the GPU, stop conditions.
//!
//! An [`Engine`] is a loaded model on a device, with the requests that wait and run. [`Engine::submit`] gives an [`Answer`], whose events
//! are awaited; many may be under way at once. What the device does next is decided by the [`scheduler`].
//! This module must never know a kernel's inside, a file's layout, or JavaScript.

pub mod adapters;
mod admission;
mod answer;
pub mod audit;
mod chat_session;
#[cfg(feature = "grammar")]
mod compiler;
mod constraint;
mod constraint_choice;
pub mod draft_model;
pub mod drafter;
mod driver;
pub mod embedder;
pub mod event;
mod executor;
mod fault;
mod hashed_source;
mod info;
pub mod inspect;
mod load;
pub mod logprobs;
pub mod metrics;
mod model;
mod model_drafter;
mod models;
mod optional;
mod output;
pub mod page_store;
mod page_transfer;
mod prompt;
pub mod request;
pub mod scheduler;
pub mod score;
#[cfg(test)]
mod scripted;
mod sequence;
pub mod session;
pub mod session_file;
mod token_policy;
pub mod truncation;

use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use crate::clock::Instant;

use crate::device::Device;
use crate::gpu::{Counters, GpuError};
use crate::kernels::kv::KvType;
pub use answer::Answer;
use audit::{AuditHook, AuditRecord};
pub use chat_session::Session;
pub use constraint::GrammarBackend;
use driver::{Driver, Shared};
pub use fault::FaultError;
pub use info::{Info, Memory, ModelInfo};
use inglenook_text::Tokenizer;
pub use load::Loaded;
use metrics::EngineMetrics;
pub use model::{Model, ModelOptions};
pub use models::Models;
pub use optional::ignored;
use page_store::{PageStore, PageStoreError};
pub use prompt::PromptBuilder;

/// How an engine is to be made.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct EngineOptions {
    /// Tokens of context, at most the model's; by default as many.
    pub context: Option<u32>,
    /// How keys and values are stored; by default as f16.
    pub kv_type: KvType,
    /// Sequences that run at once, 1 to 8; by default 8. Further requests wait.
    pub max_sequences: Option<u32>,
    /// Requests that may wait; by default 256. Further ones are refused as busy.
    pub max_waiting: Option<usize>,
    /// Tokens that the cache of keys and values holds, of all sequences and of those to be continued; by default the context and a
    /// page for each sequence.
    pub cache_tokens: Option<u32>,
    /// Bytes of host memory for pages that the cache has no room for any more, so that a conversation that was set aside is not computed
    /// again; by default 256 MiB natively, and none in a browser.
    pub host_cache_bytes: Option<usize>,
    /// Where pages go that host memory has no room for, and those of conversations once [`Engine::store_pages`] is called, so that a long
    /// chat that is opened again, also by a later process, is not computed again. By default nowhere.
    #[serde(skip)]
    pub page_store: Option<Rc<dyn PageStore>>,
    /// Threads on which the CPU computes, where it does; by default, of 0, and of more than there are, as many as there are cores. What came
    /// of it is in [`Info::adapter`]. A draft model takes all.
    pub threads: Option<usize>,
    /// On the CPU: activations meet weights as the f32 that they are, and not rounded to 16 bits with a scale for each 32, which errs less
    /// than a hundred-thousandth in the probability of a token. Answers take up to three times as long, prompts five times.
    pub exact_activations: bool,
    /// Never drafts tokens, neither those that the prompt or the answer had before nor the draft model's, which else are verified several
    /// at once where that pays. The tokens are the same either way.
    pub no_speculation: bool,
    /// A smaller model with the same vocabulary, which drafts tokens for an answer that runs alone. It needs no engine of its own, and may
    /// be on another device, unless it is a drafter that reads the model's keys and values (`gemma4-assistant`).
    #[serde(skip)]
    pub draft: Option<Model>,
    /// Drafts tokens, for an answer that runs alone, with a layer of the model itself that predicts a further one (multi-token prediction),
    /// which the file must have. Its weights are loaded, and each step keeps what it needs. Not beside `draft`.
    pub mtp: bool,
    /// Bytes of a segment of the cache at most, so that small models take the path of large ones: for tests.
    #[doc(hidden)]
    #[serde(skip)]
    pub segment_bytes: Option<u64>,
    /// Counts drafts as free, so that as much is drafted as can be, whatever time that takes: for tests, in which the same must be drafted
    /// in each run.
    #[doc(hidden)]
    #[serde(skip)]
    pub free_drafts: bool,
}

impl EngineOptions {
    /// Whether a layer of the model itself drafts.
    fn drafts_by_mtp(&self) -> bool {
        self.mtp && !self.no_speculation
    }

    /// The drafter that works beside the model, if one was given.
    fn assistant(&self) -> Option<&Model> {
        self.draft.as_ref().filter(|draft| draft.weights().is_assistant() && !self.no_speculation)
    }

    /// Whether the cache keeps what is drafted from.
    fn keeps_hidden_states(&self) -> bool {
        self.drafts_by_mtp() || self.assistant().is_some()
    }
}

/// What loading is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadProgress {
    /// Reading weights: bytes read, bytes in all.
    Weights(u64, u64),
    /// Compiling, checking and timing kernels.
    Kernels,
}

/// What answers requests: a scheduler, and a cache of keys and values, on a [`Model`]. Clones are the same engine. It belongs to one
/// thread.
///
/// ```
/// use inglenook::{Device, Engine, EngineOptions, Event, Request, source::ReadAt};
///
/// # pollster::block_on(async {
/// let file = ReadAt::new(std::fs::File::open("../models/ember/ember-q8_0.gguf")?)?;
/// let engine = Engine::load(Device::Cpu, &file, &EngineOptions::default(), &mut |_| true).await?;
/// let request = r#"{"messages": [{"role": "user", "content": "What is the opposite of hot?"}], "temperature": 0, "max_tokens": 8}"#;
/// let mut answer = engine.submit(Request::from_json(request)?)?;
/// let mut said = String::new();
/// while let Some(event) = answer.next().await? {
///     if let Event::Text { text } = event {
///         said += &text;
///     }
/// }
/// assert!(said.to_lowercase().contains("cold"), "{said}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Engine {
    shared: Rc<Shared>,
    info: Rc<Info>,
    context: u32,
    step_costs: (usize, u64),
    born: Instant,
}

impl Engine {
    /// What is loaded.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// The model that it is on.
    pub fn model(&self) -> &Model {
        &self.shared.model
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Arc<Tokenizer> {
        self.model().tokenizer()
    }

    /// How conversations become prompts.
    pub fn prompts(&self) -> &Rc<PromptBuilder> {
        self.model().prompts()
    }

    /// Where to put who compiles grammars: see [`Model::grammars`].
    pub fn grammars(&self) -> &GrammarBackend {
        self.model().grammars()
    }

    /// The device.
    pub fn device(&self) -> &Device {
        self.model().device()
    }

    /// What the GPU has done so far; zeros on the CPU.
    pub fn counters(&self) -> Counters {
        self.device().counters()
    }

    /// Dispatches of a decode step of one row, and the bytes of weights it reads.
    pub fn step_costs(&self) -> (usize, u64) {
        self.step_costs
    }

    /// The times in which three and seven drafted tokens are verified, in plain steps of one row: as measured, and before that as guessed.
    pub fn verify_costs(&self) -> [f32; 2] {
        self.shared.with(|driver| driver.verify_costs())
    }

    /// Moves all answers on until something has happened to one of them; at once where none is under way. For whoever looks after many
    /// answers: see [`Answer::ready`].
    pub async fn advance(&self) {
        std::future::poll_fn(|context| match self.requests() {
            0 => Poll::Ready(()),
            _ => self.shared.drive(context),
        })
        .await;
    }

    /// What the scheduler has done so far.
    pub fn counts(&self) -> scheduler::Counts {
        self.shared.with(|driver| driver.scheduler.counts())
    }

    /// Requests that are under way or waiting.
    pub fn requests(&self) -> usize {
        self.shared.with(|driver| driver.len())
    }

    /// Figures of the requests that have ended, and of the engine now. [`to_prometheus`](metrics::to_prometheus) makes text of them.
    pub fn metrics(&self) -> EngineMetrics {
        self.shared.with(|driver| driver.metrics())
    }

    /// Sets who is told of each request, once, when it has ended or was refused, and with what: for logs that have to be kept. Replaces
    /// the one set before; requests that are under way are told of only if there was one when they came.
    ///
    /// The hook runs on the engine's thread, between steps; it may use the engine. If it panics, its panic ends that call alone, and
    /// the engine goes on; in WebAssembly, where panics cannot be caught, it ends the module.
    ///
    /// ```
    /// # use inglenook::{Device, Engine, EngineOptions, Request, source::Memory};
    /// use std::{cell::RefCell, rc::Rc};
    ///
    /// # const EMBER: &[u8] = include_bytes!("../../../models/ember/ember-q8_0.gguf");
    /// # async fn audited() -> Result<(), inglenook::Error> {
    /// # let engine = Engine::load(Device::Cpu, &Memory(EMBER), &EngineOptions::default(), &mut |_| true).await?;
    /// let seen = Rc::new(RefCell::new(Vec::new()));
    /// let log = seen.clone();
    /// engine.set_audit(Box::new(move |record| log.borrow_mut().push(record)));
    ///
    /// let request = Request::from_json(r#"{"prompt": "Once", "max_tokens": 4}"#)?;
    /// let mut answer = engine.submit(request)?;
    /// while answer.next().await?.is_some() {}
    ///
    /// let seen = seen.borrow();
    /// assert_eq!(seen[0].request.prompt.as_deref(), Some("Once"));
    /// assert_eq!(seen[0].answers[0].tokens, answer.tokens(0));
    /// # Ok(())
    /// # }
    /// # pollster::block_on(audited()).unwrap();
    /// ```
    pub fn set_audit(&self, hook: Box<dyn FnMut(AuditRecord)>) {
        self.shared.set_audit(AuditHook::new(hook));
    }

    /// Gives the page store what the cache has of conversations and the store has not, as before an engine is closed, or where no answer
    /// is under way. Answers that are under way go on meanwhile. At once where there is no store.
    ///
    /// # Errors
    /// The first failure of the store; the device's end is the answers' to tell.
    pub async fn store_pages(&self) -> Result<(), PageStoreError> {
        std::future::poll_fn(|context| self.shared.store_pages(context)).await
    }

    /// Forgets what the cache holds of answers that have ended, so that the next prompt is computed from its beginning, but for what a page
    /// store has of it.
    pub fn reset_cache(&self) {
        self.shared.with(|driver| driver.reset_cache());
    }

    /// Ends all answers and gives all memory back: at once, and the model's too, unless somebody else holds the model.
    pub fn close(self) {
        self.shared.with(|driver| driver.fail(&GpuError::Lost("the engine was closed".into())));
        self.shared.tell_audit();
        self.shared.with(Driver::close_draft);
        self.model().close_unless_shared();
    }
}
