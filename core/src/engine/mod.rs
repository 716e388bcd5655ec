//! From a request to a stream of events: loading, prefill, the decode loop on the GPU, stop conditions.
//!
//! An [`Engine`] is a loaded model on a device, with the requests that wait and run. [`Engine::submit`] gives an [`Answer`], whose events
//! are awaited; many may be under way at once. What the device does next is decided by the [`scheduler`].
//! This module must never know a kernel's inside, a file's layout, or JavaScript.

mod admission;
mod answer;
#[cfg(feature = "grammar")]
mod compiler;
mod constraint;
mod constraint_choice;
pub mod drafter;
mod driver;
pub mod event;
mod executor;
mod fault;
pub mod metrics;
mod optional;
mod output;
mod prompt;
pub mod request;
pub mod scheduler;
pub mod score;
#[cfg(test)]
mod scripted;
mod sequence;
pub mod session_file;
mod token_policy;

use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use web_time::Instant;

use crate::device::Device;
use crate::error::Error;
use crate::gpu::{AdapterInfo, Counters, GpuError};
use crate::kernels::kv::{KvType, PAGE};
use crate::kv::{KvCache, KvOptions};
use crate::model::fit::{self, FitOptions};
use crate::model::{Architecture, Config, Model, ModelError};
use crate::placement::Placement;
use crate::plan::{KernelCache, KernelChoice};
pub use answer::Answer;
pub use constraint::GrammarBackend;
use driver::{Driver, Shared};
use executor::{MAX_SLOTS, ModelRunner, most_rows};
pub use fault::FaultError;
use inglenook_format::gguf::Gguf;
use inglenook_format::source::Source;
use inglenook_text::Tokenizer;
pub use optional::ignored;
pub use prompt::PromptBuilder;
use request::Recommended;
use scheduler::{Scheduler, SchedulerOptions};

/// Tokens of context where the caller names none: enough for a conversation, little enough for a phone.
const DEFAULT_CONTEXT: u32 = 4096;

/// Requests that may wait where the caller names no number.
const DEFAULT_QUEUE: usize = 256;

/// How a model is to be loaded.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct EngineOptions {
    /// Tokens of context; by default 4096, or what the model was trained for if that is less.
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
    /// Never drafts tokens that the prompt or the answer had before, which else are verified several at once where that pays. The
    /// tokens are the same either way.
    pub no_speculation: bool,
}

/// What loading is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadProgress {
    /// Reading weights: bytes read, bytes in all.
    Weights(u64, u64),
    /// Compiling, checking and timing kernels.
    Kernels,
}

/// What is loaded, for people and programs.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Info {
    /// The model.
    pub model: ModelInfo,
    /// The device.
    pub adapter: AdapterInfo,
    /// Why it runs there.
    pub reason: String,
    /// Device memory, bytes.
    pub memory: Memory,
    /// Variants chosen for this device.
    pub kernels: Vec<KernelChoice>,
}

/// The model's facts.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    /// `general.name`, or empty.
    pub name: String,
    /// Architecture.
    pub architecture: Architecture,
    /// Number of weights in the file.
    pub parameters: u64,
    /// Tokens of context it was loaded with.
    pub context_length: u32,
    /// Tokens of context it was trained for.
    pub trained_context_length: u32,
    /// Types of its weights, most frequent first.
    pub weight_types: Vec<String>,
    /// True where it has a chat template.
    pub chat: bool,
    /// Sampling the file recommends.
    pub recommended: Recommended,
}

/// Device memory by use, bytes.
#[derive(Debug, Clone, Copy, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Weights.
    pub weights: u64,
    /// Keys and values.
    pub kv_cache: u64,
    /// Activations of all plans.
    pub activations: u64,
}

/// A loaded model on a device. Clones are the same engine. It belongs to one thread.
#[derive(Debug, Clone)]
pub struct Engine {
    device: Device,
    shared: Rc<Shared>,
    tokenizer: Arc<Tokenizer>,
    prompts: Rc<PromptBuilder>,
    grammars: GrammarBackend,
    recommended: Recommended,
    info: Rc<Info>,
    context: u32,
    vocab: u32,
    step_costs: (usize, u64),
    born: Instant,
}

impl Engine {
    /// Loads a model. `progress` is told what happens and answers false to abort.
    ///
    /// # Errors
    /// [`Error`], whatever goes wrong.
    pub async fn load(
        placement: impl Into<Placement>,
        source: &dyn Source,
        options: &EngineOptions,
        progress: &mut dyn FnMut(LoadProgress) -> bool,
    ) -> Result<Engine, Error> {
        let Placement { device, reason } = placement.into();
        // Faults of this model, and its end, are its own.
        let device = device.client();
        let gguf = Gguf::read(source).await?;
        let config = Config::read(&gguf)?;
        let prompts = PromptBuilder::from_gguf(&gguf.metadata)?;
        let vocab = vocabulary(prompts.tokenizer(), &config)?;
        let context = context(&config, options);
        let slots = options.max_sequences.unwrap_or(MAX_SLOTS).clamp(1, MAX_SLOTS);
        let kv_options = kv_options(&config, options, context, slots);
        kv_options.shape().supports()?;
        let fit_options = FitOptions {
            context,
            cache_tokens: options.cache_tokens.unwrap_or(0).max(context),
            slots,
            kv: kv_options.ty,
            rows: most_rows(&device),
            kv_segments: 1,
        };
        fit::check(&gguf, &device, &fit_options)?;
        let mut weights = |read, all| progress(LoadProgress::Weights(read, all));
        let model = Model::load(&gguf, source, &device, context, &mut weights).await?;
        progress(LoadProgress::Kernels);
        let mut kernels = KernelCache::new(device.clone());
        let kv = KvCache::new(&device, &kv_options)?;
        let pages = kv.pages();
        let runner = ModelRunner::new(&mut kernels, model, kv, (vocab, slots)).await?;
        let recommended = optional::recommended(&gguf.metadata);
        let context = runner.context();
        let model = &runner.resources().model;
        let step_costs = (runner.step_dispatches(), model.step_bytes());
        let info = Info {
            model: model_info(&gguf, model.config(), context, prompts.can_chat(), recommended),
            adapter: device.facts(),
            reason,
            memory: runner.memory(),
            kernels: kernels.choices().to_vec(),
        };
        let queue = options.max_waiting.unwrap_or(DEFAULT_QUEUE);
        let scheduler = Scheduler::new(SchedulerOptions { slots, pages, queue });
        let vocab_size = prompts.tokenizer().vocab_size();
        Ok(Engine {
            shared: Rc::new(Shared::new(Driver::new(runner, scheduler, kernels, vocab_size, !options.no_speculation))),
            device,
            grammars: grammars(prompts.tokenizer()),
            tokenizer: prompts.tokenizer().clone(),
            prompts: Rc::new(prompts),
            recommended,
            info: Rc::new(info),
            context,
            vocab,
            step_costs,
            born: Instant::now(),
        })
    }

    /// Checks whether a file's model could be loaded, as far as its header tells.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn check(gguf: &Gguf) -> Result<(), Error> {
        let config = Model::check(gguf)?;
        vocabulary(PromptBuilder::from_gguf(&gguf.metadata)?.tokenizer(), &config)?;
        Ok(())
    }

    /// What is loaded.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Arc<Tokenizer> {
        &self.tokenizer
    }

    /// How conversations become prompts.
    pub fn prompts(&self) -> &Rc<PromptBuilder> {
        &self.prompts
    }

    /// Where to put who compiles grammars, for requests that ask for structured output. With the feature `grammar` somebody is
    /// there already.
    pub fn grammars(&self) -> &GrammarBackend {
        &self.grammars
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What the GPU has done so far; zeros on the CPU.
    pub fn counters(&self) -> Counters {
        match &self.device {
            Device::Gpu(gpu) => gpu.counters(),
            Device::Cpu => Counters::default(),
        }
    }

    /// Dispatches of a decode step of one row, and the bytes of weights it reads.
    pub fn step_costs(&self) -> (usize, u64) {
        self.step_costs
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

    /// Forgets what the cache holds of answers that have ended, so that the next prompt is computed from its beginning.
    pub fn reset_cache(&self) {
        self.shared.with(|driver| driver.scheduler.clear_index());
    }

    /// Ends all answers and gives all memory back at once.
    pub fn close(self) {
        self.shared.with(|driver| driver.fail(&GpuError::Lost("the engine was closed".into())));
        if let Device::Gpu(gpu) = &self.device {
            gpu.close();
        }
    }
}

#[cfg(feature = "grammar")]
fn grammars(tokenizer: &Arc<Tokenizer>) -> GrammarBackend {
    let slot = GrammarBackend::default();
    slot.fill(Box::new(compiler::LazyCompiler::new(tokenizer.clone())));
    slot
}

#[cfg(not(feature = "grammar"))]
fn grammars(_: &Arc<Tokenizer>) -> GrammarBackend {
    GrammarBackend::default()
}

fn context(config: &Config, options: &EngineOptions) -> u32 {
    let by_default = DEFAULT_CONTEXT.min(config.window.unwrap_or(u32::MAX));
    options.context.unwrap_or(by_default).clamp(1, config.context)
}

/// The cache of keys and values. Its pool has room for a sequence of the whole context, whatever the caller says, and a page more for
/// each slot, since a prefix that is shared up to the middle of a page takes a copy of that page.
fn kv_options(config: &Config, options: &EngineOptions, context: u32, slots: u32) -> KvOptions {
    let whole = context.div_ceil(PAGE).max(1);
    let wanted = options.cache_tokens.map_or(whole, |tokens| tokens.div_ceil(PAGE)).max(whole);
    KvOptions {
        layers: config.layers,
        kv_heads: config.kv_heads,
        head_dim: config.head_dim,
        context,
        slots,
        pages: Some(wanted.saturating_add(slots)),
        ty: options.kv_type,
    }
}

/// How many tokens the model may choose among: an embedding may have rows behind its tokens, but not fewer.
fn vocabulary(tokenizer: &Tokenizer, config: &Config) -> Result<u32, ModelError> {
    let tokens = tokenizer.vocab_size();
    match config.vocab {
        rows if (rows as usize) < tokens => {
            Err(ModelError::Size { what: format!("that it has {tokens} tokens and an embedding for {rows}") })
        }
        _ => Ok(tokenizer.choosable() as u32),
    }
}

fn model_info(gguf: &Gguf, config: &Config, context: u32, chat: bool, recommended: Recommended) -> ModelInfo {
    let mut weights: Vec<(String, u64)> = Vec::new();
    for tensor in gguf.tensors() {
        let name = tensor.ty.name();
        match weights.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += tensor.weights(),
            None => weights.push((name.into_owned(), tensor.weights())),
        }
    }
    weights.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    ModelInfo {
        name: config.name.clone(),
        architecture: config.architecture,
        parameters: weights.iter().map(|(_, count)| count).sum(),
        context_length: context,
        trained_context_length: config.context,
        weight_types: weights.into_iter().map(|(name, _)| name).collect(),
        chat,
        recommended,
    }
}
