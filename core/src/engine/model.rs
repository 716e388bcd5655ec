//! A model on a device: its weights, its tokenizer and template, and what its file says. Engines are made on it and share it.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::hashed_source::HashedSource;
use super::info::{ModelInfo, model_info};
use super::session::fingerprint;
use super::{GrammarBackend, LoadProgress, PromptBuilder, optional};
use crate::device::Device;
use crate::error::Error;
use crate::kernels::kv::KvType;
use crate::model::fit::{self, FitOptions};
use crate::model::weights::Matrices;
use crate::model::{self, Config, ModelError};
use crate::placement::Placement;
use inglenook_format::gguf::Gguf;
use inglenook_format::source::Source;
use inglenook_text::Tokenizer;

/// Tokens of context where the caller names none: enough for a conversation, little enough for a phone.
const DEFAULT_CONTEXT: u32 = 4096;

/// How a model is to be loaded.
#[derive(Debug, Clone, Default)]
pub struct ModelOptions {
    /// The longest context that an engine on it may have, tokens; by default 4096, or what the model was trained for if that is less.
    pub context: Option<u32>,
    /// Whether the layer that predicts a further token is loaded, which the file must have: for [`EngineOptions::mtp`](super::EngineOptions).
    pub mtp: bool,
}

/// A loaded model on a device. Clones are the same model. It belongs to one thread.
///
/// Two engines on a model share its weights, but no cache; they share its faults, too, since both work with its memory.
///
/// ```
/// use inglenook::{Device, Engine, EngineOptions, Model, ModelOptions, Request, source::ReadAt};
///
/// # pollster::block_on(async {
/// let file = ReadAt::new(std::fs::File::open("../models/ember/ember-q8_0.gguf")?)?;
/// let model = Model::load(Device::Cpu, &file, &ModelOptions::default(), &mut |_| true).await?;
/// assert_eq!(model.tokenizer().count_tokens("The opposite of hot is cold."), 8);
///
/// let chat = Engine::new(model.clone(), &EngineOptions::default()).await?;
/// let drafts = Engine::new(model, &EngineOptions { max_sequences: Some(1), ..EngineOptions::default() }).await?;
/// for engine in [chat, drafts] {
///     let mut answer = engine.submit(Request::from_json(r#"{"prompt": "Once", "max_tokens": 4}"#)?)?;
///     while answer.next().await?.is_some() {}
///     assert_eq!(answer.tokens(0).len(), 4);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Model(Rc<Loaded>);

struct Loaded {
    placement: Placement,
    weights: Rc<model::Model>,
    prompts: Rc<PromptBuilder>,
    grammars: GrammarBackend,
    info: ModelInfo,
    fingerprint: [u8; 32],
    /// Tokens that may be chosen.
    vocab: u32,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("info", self.info()).finish_non_exhaustive()
    }
}

impl Model {
    /// Loads a model. `progress` is told what happens and answers false to abort. [`Engine::load`](super::Engine::load) refuses a cache
    /// that cannot fit before any weight is read, too.
    ///
    /// # Errors
    /// [`Error`], whatever goes wrong.
    pub async fn load(
        placement: impl Into<Placement>,
        source: &dyn Source,
        options: &ModelOptions,
        progress: &mut dyn FnMut(LoadProgress) -> bool,
    ) -> Result<Model, Error> {
        let placement = placement.into();
        let header = Header::read(source).await?;
        let context = context(&header.config, options.context);
        // The least that an engine can do with.
        let least = FitOptions { context: 1, cache_tokens: 1, slots: 1, kv: KvType::F16, rows: 1, mtp: options.mtp };
        fit::check(&header.gguf, &placement.device, &least)?;
        Model::read(header, placement, source, (context, options.mtp), progress).await
    }

    /// Reads the weights of a model whose header was read and checked.
    pub(super) async fn read(
        header: Header,
        placement: Placement,
        source: &dyn Source,
        (context, mtp): (u32, bool),
        progress: &mut dyn FnMut(LoadProgress) -> bool,
    ) -> Result<Model, Error> {
        let Header { gguf, config, prompts, vocab } = header;
        // Faults of this model, and its end, are its own.
        let placement = Placement { device: placement.device.client(), ..placement };
        let source = HashedSource::new(source);
        let mut weights = |read, all| progress(LoadProgress::Weights(read, all));
        let weights = model::Model::load_with(&gguf, &source, &placement.device, (context, mtp), &mut weights).await?;
        let recommended = optional::recommended(&gguf.metadata);
        Ok(Model(Rc::new(Loaded {
            placement,
            weights: Rc::new(weights),
            grammars: grammars(prompts.tokenizer()),
            info: model_info(&gguf, &config, context, prompts.can_chat(), recommended),
            fingerprint: fingerprint(source.hash(), &config, context),
            prompts: Rc::new(prompts),
            vocab,
        })))
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.0.placement.device
    }

    /// The device, and why it is that one.
    pub(super) fn placement(&self) -> &Placement {
        &self.0.placement
    }

    /// What its file says of it; the context is the longest that an engine may have.
    pub fn info(&self) -> &ModelInfo {
        &self.0.info
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Arc<Tokenizer> {
        self.0.prompts.tokenizer()
    }

    /// How conversations become prompts.
    pub fn prompts(&self) -> &Rc<PromptBuilder> {
        &self.0.prompts
    }

    /// Where to put who compiles grammars, for requests that ask for structured output. With the feature `grammar` somebody is
    /// there already.
    pub fn grammars(&self) -> &GrammarBackend {
        &self.0.grammars
    }

    pub(super) fn weights(&self) -> &Rc<model::Model> {
        &self.0.weights
    }

    /// Its matrices, which adapters may change.
    pub fn matrices(&self) -> &Matrices {
        self.weights().matrices()
    }

    pub(super) fn fingerprint(&self) -> [u8; 32] {
        self.0.fingerprint
    }

    /// Tokens that may be chosen.
    pub(super) fn vocab(&self) -> u32 {
        self.0.vocab
    }

    /// Gives all memory back at once, unless somebody else holds the model.
    pub fn close(self) {
        self.close_unless_shared();
    }

    /// Gives all memory back at once, that of the engines on it included; not where somebody else holds the model.
    pub(super) fn close_unless_shared(&self) {
        if let (Device::Gpu(gpu), 1) = (self.device(), Rc::strong_count(&self.0)) {
            gpu.close();
        }
    }
}

/// What a file says before its weights.
pub(super) struct Header {
    pub gguf: Gguf,
    pub config: Config,
    pub prompts: PromptBuilder,
    pub vocab: u32,
}

impl Header {
    /// Reads and checks it.
    pub async fn read(source: &dyn Source) -> Result<Header, Error> {
        let gguf = Gguf::read(source).await?;
        let config = Config::read(&gguf)?;
        let prompts = PromptBuilder::from_gguf(&gguf.metadata)?;
        let vocab = vocabulary(prompts.tokenizer(), &config)?;
        Ok(Header { gguf, config, prompts, vocab })
    }
}

/// The context of a model for which `asked` is asked.
pub(super) fn context(config: &Config, asked: Option<u32>) -> u32 {
    let by_default = DEFAULT_CONTEXT.min(config.window.unwrap_or(u32::MAX));
    asked.unwrap_or(by_default).clamp(1, config.context)
}

/// How many tokens the model may choose among: an embedding may have rows behind its tokens, but not fewer.
pub(super) fn vocabulary(tokenizer: &Tokenizer, config: &Config) -> Result<u32, ModelError> {
    let tokens = tokenizer.vocab_size();
    match config.vocab {
        rows if (rows as usize) < tokens => {
            Err(ModelError::Size { what: format!("that it has {tokens} tokens and an embedding for {rows}") })
        }
        _ => Ok(tokenizer.choosable() as u32),
    }
}

#[cfg(feature = "grammar")]
fn grammars(tokenizer: &Arc<Tokenizer>) -> GrammarBackend {
    let slot = GrammarBackend::default();
    slot.fill(Box::new(super::compiler::thread(tokenizer)));
    slot
}

#[cfg(not(feature = "grammar"))]
fn grammars(_: &Arc<Tokenizer>) -> GrammarBackend {
    GrammarBackend::default()
}
