//! Loading: from a file's header to an engine that waits for requests.

use std::rc::Rc;
use std::sync::Arc;

use web_time::Instant;

use super::driver::{Driver, Shared};
use super::executor::{MAX_SLOTS, ModelRunner, most_rows};
use super::hashed_source::HashedSource;
use super::info::{Info, model_info};
use super::page_transfer::PageTransfer;
use super::scheduler::{Scheduler, SchedulerOptions};
use super::session::fingerprint;
use super::{Engine, EngineOptions, GrammarBackend, LoadProgress, PromptBuilder, optional};
use crate::device::Device;
use crate::error::Error;
use crate::kernels::kv::PAGE;
use crate::kv::tiers::HostTier;
use crate::kv::{KvCache, KvOptions};
use crate::model::fit::{self, FitOptions};
use crate::model::{Config, Model, ModelError};
use crate::placement::Placement;
use crate::plan::KernelCache;
use inglenook_format::gguf::Gguf;
use inglenook_format::source::Source;
use inglenook_text::Tokenizer;

/// Tokens of context where the caller names none: enough for a conversation, little enough for a phone.
const DEFAULT_CONTEXT: u32 = 4096;

/// Requests that may wait where the caller names no number.
const DEFAULT_QUEUE: usize = 256;

/// Bytes of host memory for evicted pages where the caller names no number.
const DEFAULT_HOST_CACHE: usize = if cfg!(target_arch = "wasm32") { 0 } else { 256 << 20 };

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
        let (fit_options, kv_options) = fit_options(&gguf, &device, options)?;
        fit::check(&gguf, &device, &fit_options)?;
        let FitOptions { context, slots, .. } = fit_options;
        let prompts = PromptBuilder::from_gguf(&gguf.metadata)?;
        let vocab = vocabulary(prompts.tokenizer(), &config)?;
        let mut weights = |read, all| progress(LoadProgress::Weights(read, all));
        let source = HashedSource::new(source);
        let model = Model::load(&gguf, &source, &device, context, &mut weights).await?;
        let fingerprint = fingerprint(source.hash(), &config, context);
        progress(LoadProgress::Kernels);
        let mut kernels = KernelCache::new(device.clone());
        let kv = KvCache::new(&device, &kv_options)?;
        let pages = kv.pages();
        let transfer = PageTransfer::new(&device, &kv)?;
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
        let mut scheduler = Scheduler::new(SchedulerOptions { slots, pages, queue });
        let host_cache_bytes = options.host_cache_bytes.unwrap_or(DEFAULT_HOST_CACHE);
        scheduler.tier = HostTier::new(host_cache_bytes, 0);
        let vocab_size = prompts.tokenizer().vocab_size();
        let driver = Driver::new(runner, scheduler, transfer, kernels, vocab_size, !options.no_speculation);
        Ok(Engine {
            shared: Rc::new(Shared::new(driver)),
            device,
            grammars: grammars(prompts.tokenizer()),
            tokenizer: prompts.tokenizer().clone(),
            prompts: Rc::new(prompts),
            recommended,
            info: Rc::new(info),
            context,
            vocab,
            step_costs,
            fingerprint,
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
}

#[cfg(feature = "grammar")]
fn grammars(tokenizer: &Arc<Tokenizer>) -> GrammarBackend {
    let slot = GrammarBackend::default();
    slot.fill(Box::new(super::compiler::LazyCompiler::new(tokenizer.clone())));
    slot
}

#[cfg(not(feature = "grammar"))]
fn grammars(_: &Arc<Tokenizer>) -> GrammarBackend {
    GrammarBackend::default()
}

/// What a model and its cache are to fit, and the cache. Its pool has room for a sequence of the whole context, whatever the caller says,
/// and a page more for each slot, since a prefix that is shared up to the middle of a page takes a copy of that page.
///
/// # Errors
/// What is wrong with the file's sizes; a type of cache that its heads do not fit.
pub(super) fn fit_options(
    gguf: &Gguf,
    device: &Device,
    options: &EngineOptions,
) -> Result<(FitOptions, KvOptions), Error> {
    let config = Config::read(gguf)?;
    let by_default = DEFAULT_CONTEXT.min(config.window.unwrap_or(u32::MAX));
    let context = options.context.unwrap_or(by_default).clamp(1, config.context);
    let slots = options.max_sequences.unwrap_or(MAX_SLOTS).clamp(1, MAX_SLOTS);
    let cache_tokens = options.cache_tokens.unwrap_or(0).max(context);
    let kv = KvOptions {
        layers: config.layers,
        kv_heads: config.kv_heads,
        head_dim: config.head_dim,
        context,
        slots,
        pages: Some(cache_tokens.div_ceil(PAGE).max(1).saturating_add(slots)),
        ty: options.kv_type,
    };
    kv.shape().supports()?;
    let rows = most_rows(device);
    Ok((FitOptions { context, cache_tokens, slots, kv: options.kv_type, rows, kv_segments: 1 }, kv))
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
