//! From a request to a stream of events: loading, prefill, the decode loop on the GPU, stop conditions.
//!
//! An [`Engine`] is a loaded model on a device. A [`Generation`] is one answer in the making; [`Engine::next`] moves it on.
//! This module must never know a kernel's inside, a file's layout, or JavaScript.

mod answer;
#[cfg(feature = "grammar")]
mod compiler;
mod computed;
mod constraint;
mod decode;
mod decoding;
pub mod event;
mod fault;
mod generation;
mod optional;
mod output;
mod prompt;
pub mod request;
pub mod score;
#[cfg(test)]
mod scripted;
mod wanted;

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use crate::device::Device;
use crate::error::Error;
use crate::gpu::{AdapterInfo, Counters};
use crate::kernels::kv::KvType;
use crate::model::{Architecture, Config, Model, ModelError};
use crate::placement::Placement;
use crate::plan::{KernelCache, KernelChoice};
use computed::Computed;
pub use constraint::GrammarSlot;
use decode::Runner;
pub use fault::FaultError;
pub use generation::Generation;
use inglenook_format::gguf::Gguf;
use inglenook_format::source::Source;
use inglenook_text::Tokenizer;
pub use optional::ignored;
pub use prompt::Prompts;
use request::Recommended;

/// Tokens of context where the caller names none: enough for a conversation, little enough for a phone.
const DEFAULT_CONTEXT: u32 = 4096;

/// How a model is to be loaded.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct EngineOptions {
    /// Tokens of context; by default 4096, or what the model was trained for if that is less.
    pub context: Option<u32>,
    /// Exact keys and values (f32) instead of f16.
    pub exact_kv: bool,
}

/// What loading is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
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

/// A loaded model on a device.
#[derive(Debug)]
pub struct Engine {
    device: Device,
    kernels: KernelCache,
    runner: Runner,
    tokenizer: Arc<Tokenizer>,
    prompts: Rc<Prompts>,
    grammars: GrammarSlot,
    recommended: Recommended,
    info: Info,
    computed: Computed,
    /// The generation that has the device.
    active: Option<u64>,
    next_id: u64,
    /// Reads of steps that nobody waits for any more.
    abandoned: VecDeque<crate::plan::PendingReadback>,
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
        progress: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Engine, Error> {
        let Placement { device, reason } = placement.into();
        let gguf = Gguf::read(source).await?;
        let config = Config::read(&gguf)?;
        let prompts = Prompts::from_gguf(&gguf.metadata)?;
        let vocab = vocabulary(prompts.tokenizer(), &config)?;
        let context = context(&config, options);
        let mut weights = |read, all| progress(Progress::Weights(read, all));
        let model = Model::load(&gguf, source, &device, context, &mut weights).await?;
        progress(Progress::Kernels);
        let kv = if options.exact_kv { KvType::F32 } else { KvType::F16 };
        let mut kernels = KernelCache::new(device.clone());
        let runner = Runner::new(&mut kernels, model, vocab, context, kv).await?;
        let recommended = optional::recommended(&gguf.metadata);
        let info = Info {
            model: model_info(&gguf, runner.model().config(), runner.context(), prompts.can_chat(), recommended),
            adapter: device.facts(),
            reason,
            memory: runner.memory(),
            kernels: kernels.choices().to_vec(),
        };
        Ok(Engine {
            device,
            kernels,
            runner,
            grammars: grammars(prompts.tokenizer()),
            tokenizer: prompts.tokenizer().clone(),
            prompts: Rc::new(prompts),
            recommended,
            info,
            computed: Computed::default(),
            active: None,
            next_id: 0,
            abandoned: VecDeque::new(),
        })
    }

    /// Checks whether a file's model could be loaded, as far as its header tells.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn check(gguf: &Gguf) -> Result<(), Error> {
        let config = Model::check(gguf)?;
        vocabulary(Prompts::from_gguf(&gguf.metadata)?.tokenizer(), &config)?;
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
    pub fn prompts(&self) -> &Rc<Prompts> {
        &self.prompts
    }

    /// Where to put who compiles grammars, for requests that ask for structured output. With the feature `grammar` somebody is
    /// there already.
    pub fn grammars(&self) -> &GrammarSlot {
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

    /// Dispatches of a decode step, and the bytes of weights it reads.
    pub fn step_costs(&self) -> (usize, u64) {
        (self.runner.step_dispatches(), self.runner.model().step_bytes())
    }

    /// Forgets the conversation in the cache, so that the next prompt is computed from its beginning.
    pub fn forget(&mut self) {
        self.computed.truncate(0);
    }

    /// Gives all memory back at once.
    pub fn close(self) {
        let Engine { device, kernels, runner, .. } = self;
        drop((kernels, runner));
        if let Device::Gpu(gpu) = device {
            gpu.close();
        }
    }
}

#[cfg(feature = "grammar")]
fn grammars(tokenizer: &Arc<Tokenizer>) -> GrammarSlot {
    let slot = GrammarSlot::default();
    slot.fill(Box::new(compiler::LazyCompiler::new(tokenizer.clone())));
    slot
}

#[cfg(not(feature = "grammar"))]
fn grammars(_: &Arc<Tokenizer>) -> GrammarSlot {
    GrammarSlot::default()
}

fn context(config: &Config, options: &EngineOptions) -> u32 {
    let by_default = DEFAULT_CONTEXT.min(config.window.unwrap_or(u32::MAX));
    options.context.unwrap_or(by_default).clamp(1, config.context)
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
