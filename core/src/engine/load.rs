//! Loading: from a file's header to an engine that waits for requests.

use std::rc::Rc;

use crate::clock::Instant;

use super::draft_model::{DraftError, DraftModel};
use super::driver::{Driver, Shared, Speculation};
use super::embedder::{Embedder, EmbedderOptions, Purpose};
use super::executor::{MAX_SLOTS, ModelRunner, most_rows};
use super::info::{Info, ModelInfo};
use super::model::{Header, Model, context, vocabulary};
use super::model_drafter::{ModelDrafter, MtpDrafter};
use super::page_transfer::PageTransfer;
use super::scheduler::{GroupOptions, Scheduler, SchedulerOptions};
use super::{Engine, EngineOptions, LoadProgress, PromptBuilder};
use crate::device::Device;
use crate::error::Error;
use crate::kv::tiers::HostTier;
use crate::kv::{KvCache, KvOptions};
use crate::model::fit::{self, FitOptions, MemoryNeeds};
use crate::model::layer_kind::kv_groups;
use crate::model::{self, Config};
use crate::placement::Placement;
use crate::plan::KernelCache;
use inglenook_format::gguf::Gguf;
use inglenook_format::source::Source;
use inglenook_text::Tokenizer;

/// Requests that may wait where the caller names no number.
const DEFAULT_QUEUE: usize = 256;

/// Bytes of host memory for evicted pages where the caller names no number.
const DEFAULT_HOST_CACHE: usize = if cfg!(target_arch = "wasm32") { 0 } else { 256 << 20 };

impl Engine {
    /// Loads a model and makes an engine on it: [`Model::load`] and [`Engine::new`] in one, where a cache that cannot fit is refused before
    /// any weight is read. `progress` is told what happens and answers false to abort.
    ///
    /// # Errors
    /// [`Error`], whatever goes wrong.
    pub async fn load(
        placement: impl Into<Placement>,
        source: &dyn Source,
        options: &EngineOptions,
        progress: &mut dyn FnMut(LoadProgress) -> bool,
    ) -> Result<Engine, Error> {
        let header = Header::read(source).await?;
        Engine::load_read(header, placement.into(), source, options, progress).await
    }

    /// The same once the header was read.
    async fn load_read(
        header: Header,
        placement: Placement,
        source: &dyn Source,
        options: &EngineOptions,
        progress: &mut dyn FnMut(LoadProgress) -> bool,
    ) -> Result<Engine, Error> {
        header.config.check_generates()?;
        let longest = context(&header.config, options.context);
        check_draft(options, (&header.config, header.prompts.tokenizer()), &placement.device)?;
        needs(&header.gguf, &header.config, &placement.device, options)?;
        let mtp = options.drafts_by_mtp();
        let model = Model::read(header, placement, source, (longest, mtp), progress).await?;
        progress(LoadProgress::Kernels);
        Engine::new(model, options).await
    }

    /// Makes an engine on a model: its cache, its plans, its scheduler.
    ///
    /// # Errors
    /// [`Error`]: the cache does not fit, or the device computes wrongly.
    pub async fn new(model: Model, options: &EngineOptions) -> Result<Engine, Error> {
        let (device, weights) = (model.device().clone(), model.weights().clone());
        weights.config().check_generates()?;
        let longest = model.info().context_length;
        let context = options.context.unwrap_or(longest).clamp(1, longest);
        check_draft(options, (weights.config(), model.tokenizer()), &device)?;
        let mtp = options.drafts_by_mtp();
        if mtp && !weights.has_mtp() {
            return Err(DraftError::MtpNotLoaded.into());
        }
        let (fit_options, kv_options) = cache_options(weights.config(), &device, context, options)?;
        let needs = weights.memory_needs(&fit_options).beside(draft_bytes(options));
        fit::check_needs(weights.config(), &needs, &device, &fit_options)?;
        let slots = fit_options.slots;
        let mut kernels = KernelCache::new(device.clone()).with_threads(options.threads.unwrap_or(0));
        kernels.set_exact_activations(options.exact_activations);
        let mut adapter = device.facts();
        if matches!(device, Device::Cpu) {
            adapter.driver = kernels.instructions(1);
        }
        let kv = KvCache::new(&device, &kv_options)?;
        let lifetimes = kv.options().groups.iter().map(|group| group.lifetime);
        let groups = lifetimes.zip(kv.pages()).map(|(lifetime, pages)| GroupOptions { lifetime, pages }).collect();
        let transfer = PageTransfer::new(&device, &kv)?;
        let assistant = options.assistant().cloned();
        let models = (weights, assistant.as_ref().map(|assistant| assistant.weights().clone()));
        let runner = ModelRunner::new(&mut kernels, models, kv, (model.vocab(), slots)).await?;
        let context = runner.context();
        let step_costs = (runner.step_dispatches(), runner.resources().model.step_bytes());
        let drafting = options.draft.clone().filter(|_| !options.no_speculation);
        let mut speculation = Speculation { is_on: !options.no_speculation, ..Speculation::default() };
        speculation.times.is_free = options.free_drafts;
        if let Some(assistant) = assistant {
            speculation.model = Some(ModelDrafter::Mtp(MtpDrafter::beside(assistant, step_costs.1)));
        } else if let Some(draft) = drafting {
            let draft = DraftModel::new(draft, step_costs.1).await?;
            speculation.model = Some(ModelDrafter::Apart(Box::new(draft)));
        } else if mtp {
            let drafter = MtpDrafter::new([runner.resources().model.mtp_bytes(), step_costs.1]);
            speculation.model = Some(ModelDrafter::Mtp(drafter));
        }
        let choices = kernels.choices().to_vec();
        let queue = options.max_waiting.unwrap_or(DEFAULT_QUEUE);
        let mut scheduler = Scheduler::new(SchedulerOptions { slots, groups, queue });
        let host_cache_bytes = options.host_cache_bytes.unwrap_or(DEFAULT_HOST_CACHE);
        scheduler.tier = HostTier::new(host_cache_bytes, 0);
        let vocab_size = model.tokenizer().vocab_size();
        let driver = Driver::new(runner, scheduler, transfer, kernels, vocab_size, speculation);
        let info = Info {
            model: ModelInfo { context_length: context, ..model.info().clone() },
            adapter,
            reason: model.placement().reason.clone(),
            measured: model.placement().measured,
            memory: driver.memory(),
            kernels: choices,
        };
        let engine = Engine {
            shared: Rc::new(Shared::new(driver, model)),
            info: Rc::new(info),
            context,
            step_costs,
            born: Instant::now(),
        };
        if let Some(store) = &options.page_store {
            engine.open_store(store.clone());
        }
        Ok(engine)
    }

    /// Checks whether a file's model could be loaded, as far as its header tells.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn check(gguf: &Gguf) -> Result<(), Error> {
        let config = model::Model::check(gguf)?;
        vocabulary(PromptBuilder::from_gguf(&gguf.metadata)?.tokenizer(), &config)?;
        Ok(())
    }
}

/// What serves a model.
#[derive(Debug)]
pub enum Loaded {
    /// It answers requests.
    Engine(Engine),
    /// It embeds or ranks texts.
    Embedder(Box<Embedder>),
}

impl Loaded {
    /// Loads a model, and makes what serves it: see [`Engine::load`]. Of the options, an embedder has the context and how the CPU computes.
    ///
    /// # Errors
    /// [`Error`], whatever goes wrong.
    pub async fn load(
        placement: impl Into<Placement>,
        source: &dyn Source,
        options: &EngineOptions,
        progress: &mut dyn FnMut(LoadProgress) -> bool,
    ) -> Result<Loaded, Error> {
        let (header, placement) = (Header::read(source).await?, placement.into());
        if header.config.generates() {
            return Engine::load_read(header, placement, source, options, progress).await.map(Loaded::Engine);
        }
        header.config.check_is_whole()?;
        let purpose = if header.config.ranks { Purpose::Rank } else { Purpose::Embed };
        let longest = context(&header.config, options.context);
        let model = Model::read(header, placement, source, (longest, false), progress).await?;
        progress(LoadProgress::Kernels);
        let options = EmbedderOptions { purpose, ..EmbedderOptions::from(options) };
        Ok(Loaded::Embedder(Box::new(Embedder::new(model, &options).await?)))
    }
}

/// Refuses a draft model that speaks of other tokens, or cannot read what it drafts from.
fn check_draft(options: &EngineOptions, of_model: (&Config, &Tokenizer), device: &Device) -> Result<(), DraftError> {
    let Some(draft) = &options.draft else { return Ok(()) };
    if options.mtp {
        return Err(DraftError::Both);
    }
    DraftModel::check(draft, of_model)?;
    match options.assistant() {
        Some(assistant) if !assistant.device().is_beside(device) => Err(DraftError::Device),
        _ => Ok(()),
    }
}

/// Device memory of the draft model, bytes.
fn draft_bytes(options: &EngineOptions) -> u64 {
    options.draft.as_ref().map_or(0, DraftModel::bytes_needed)
}

/// The memory that an engine needs, from its model's header; and how much of it there is for tokens of the cache.
///
/// # Errors
/// What cannot fit `device`.
pub(super) fn needs(
    gguf: &Gguf,
    config: &Config,
    device: &Device,
    options: &EngineOptions,
) -> Result<(MemoryNeeds, u32), Error> {
    let (fit_options, _) = cache_options(config, device, context(config, options.context), options)?;
    let needs = model::Model::memory_needed(gguf, &device.facts().limits, &fit_options)?.beside(draft_bytes(options));
    fit::check_needs(config, &needs, device, &fit_options)?;
    Ok((needs, fit_options.cache_tokens))
}

/// What a model and its cache are to fit, and the cache. Its pools have room for a sequence of the whole context, whatever the caller
/// says.
///
/// # Errors
/// What is wrong with the file's sizes; a type of cache that its heads do not fit.
fn cache_options(
    config: &Config,
    device: &Device,
    context: u32,
    options: &EngineOptions,
) -> Result<(FitOptions, KvOptions), Error> {
    let slots = options.max_sequences.unwrap_or(MAX_SLOTS).clamp(1, MAX_SLOTS);
    let cache_tokens = options.cache_tokens.unwrap_or(0).max(context);
    let rows = most_rows(device);
    let mtp = options.keeps_hidden_states();
    let groups = kv_groups(&config.running_kinds(mtp));
    let pages = groups.iter().map(|group| group.lifetime.pool_pages(cache_tokens, slots, rows)).collect();
    let kv = KvOptions {
        groups,
        context,
        slots,
        pages: Some(pages),
        ty: options.kv_type,
        segment_bytes: options.segment_bytes,
        is_scratch: false,
    };
    kv.shapes().try_for_each(|shape| shape.supports())?;
    Ok((FitOptions { context, cache_tokens, slots, kv: options.kv_type, rows, mtp }, kv))
}
