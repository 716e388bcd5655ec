//! Opening a model: its source, the device, a progress bar, ctrl-C.

use std::fs::{self, File};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use inglenook::engine::page_store::{FolderStore, PageStore};
use inglenook::engine::{Engine, EngineOptions, Info, LoadProgress, Model, ModelOptions, PromptBuilder};
use inglenook::error::Error;
use inglenook::format::converted::Converted;
use inglenook::format::gguf::Gguf;
use inglenook::gpu::GpuOptions;
use inglenook::placement::Placement;
use inglenook::source::{Memory, ReadAt, Source, SourceError};
use inglenook::text::Tokenizer;
use inglenook::{Embedder, EmbedderOptions};

use crate::arguments::{EmbedderArguments, ModelArguments};
use crate::folder;
use crate::interrupt::{self, Interrupted};
use crate::{parts, show};

/// The built-in model.
const EMBER: &[u8] = include_bytes!("../../models/ember/ember-q8_0.gguf");

/// What a model is called in messages.
pub fn name(model: Option<&Path>) -> String {
    model.map_or_else(|| "the built-in model ember".to_string(), |path| path.display().to_string())
}

/// The file, with the others where it is one of a model's parts; the model in a folder, or the built-in model.
///
/// # Errors
/// When the file cannot be opened.
pub fn source(model: Option<&Path>) -> Result<Box<dyn Source>> {
    let Some(path) = model else { return Ok(Box::new(Memory(EMBER))) };
    if path.is_dir() {
        return folder::source(path);
    }
    if let Some(part) = parts::name(path) {
        return parts::source(path, &part);
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let source = ReadAt::new(file).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Box::new(source))
}

/// The metadata of the file, or of the built-in model. No weight is read.
///
/// # Errors
/// When the file cannot be opened or is no valid GGUF.
pub fn gguf(model: Option<&Path>) -> Result<Gguf> {
    let source = source(model)?;
    pollster::block_on(Gguf::read(source.as_ref())).with_context(|| format!("cannot read {}", name(model)))
}

/// The tokenizer of a model's file, of a `tokenizer.json` (with the `tokenizer_config.json` beside it, if there is one) or of a
/// `tokenizer.model`.
///
/// # Errors
/// As [`gguf`]; when its vocabulary does not hold together.
pub fn tokenizer(model: Option<&Path>) -> Result<Arc<Tokenizer>> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let tokenizer = match model.and_then(|path| Some((path, path.extension()?.to_str()?))) {
        Some((path, "json")) => {
            let config = path.with_file_name("tokenizer_config.json");
            let config = if config.is_file() { Some(read(&config)?) } else { None };
            Tokenizer::from_json(&read(path)?, config.as_deref())
        }
        Some((path, "model")) => Tokenizer::from_sentencepiece(&read(path)?),
        _ => Tokenizer::from_gguf(&gguf(model)?.metadata),
    };
    Ok(Arc::new(tokenizer.with_context(|| format!("{} has no tokenizer that can be used", name(model)))?))
}

/// The model's tokenizer and template.
///
/// # Errors
/// As [`tokenizer`]; when its template is none.
pub fn prompts(model: Option<&Path>) -> Result<PromptBuilder> {
    let gguf = gguf(model)?;
    PromptBuilder::from_gguf(&gguf.metadata).with_context(|| format!("{} cannot make prompts", name(model)))
}

/// Loads the model that the arguments name, onto the device that they name.
///
/// # Errors
/// [`Interrupted`], or what is wrong with file, device or model.
pub fn engine(arguments: &ModelArguments) -> Result<Engine> {
    let name = name(arguments.model.as_deref());
    let mut source = source(arguments.model.as_deref())?;
    if let Some(mix) = arguments.quantize {
        let converted = pollster::block_on(Converted::open(source, Some(mix), Vec::new(), &[]));
        source = Box::new(converted.with_context(|| format!("cannot convert {name}"))?);
    }
    engine_from(source.as_ref(), &name, arguments)
}

/// Loads a model from `source`, which messages call `name`.
///
/// # Errors
/// As [`engine`].
pub fn engine_from(source: &dyn Source, name: &str, arguments: &ModelArguments) -> Result<Engine> {
    let gpu = GpuOptions { default_limits: arguments.device.default_limits, ..GpuOptions::default() };
    let placement = pollster::block_on(Placement::choose(&arguments.device.device, &gpu))?;
    let draft = match arguments.draft.as_deref() {
        Some(path) => {
            let source = self::source(Some(path))?;
            let options = ModelOptions { context: arguments.context, ..ModelOptions::default() };
            let load = |progress: Progress<'_>| {
                pollster::block_on(Model::load(placement.clone(), source.as_ref(), &options, progress))
            };
            Some(with_bar(&self::name(Some(path)), load)?)
        }
        None => None,
    };
    let options = EngineOptions { draft, page_store: page_store(arguments)?, ..engine_options(arguments) };
    let load = |progress: Progress<'_>| pollster::block_on(Engine::load(placement.clone(), source, &options, progress));
    let engine = with_bar(name, load)?;
    if arguments.verbose {
        describe(engine.info());
    }
    Ok(engine)
}

/// Loads the model that the arguments name, to embed or rank texts.
///
/// # Errors
/// As [`engine`].
pub fn embedder(arguments: &EmbedderArguments, options: &EmbedderOptions) -> Result<Embedder> {
    let path = Some(arguments.model.as_path());
    let source = source(path)?;
    let gpu = GpuOptions { default_limits: arguments.device.default_limits, ..GpuOptions::default() };
    let placement = pollster::block_on(Placement::choose(&arguments.device.device, &gpu))?;
    let load = |progress: Progress<'_>| {
        pollster::block_on(Embedder::load(placement.clone(), source.as_ref(), options, progress))
    };
    with_bar(&name(path), load)
}

/// What is told how far loading is.
pub type Progress<'a> = &'a mut dyn FnMut(LoadProgress) -> bool;

/// Loads what messages call `name` while a bar shows how far it is.
///
/// # Errors
/// [`Interrupted`], or what `load` says.
pub fn with_bar<T>(name: &str, load: impl FnOnce(Progress<'_>) -> Result<T, Error>) -> Result<T> {
    let mut bar = Bar::default();
    let loaded = load(&mut |progress| {
        bar.show(progress);
        !interrupt::pressed()
    });
    bar.clear();
    let loaded = match loaded {
        Err(Error::Source(SourceError::Aborted)) if interrupt::pressed() => return Err(Interrupted.into()),
        loaded => loaded.with_context(|| format!("cannot load {name}"))?,
    };
    if interrupt::pressed() {
        return Err(Interrupted.into());
    }
    Ok(loaded)
}

/// The engine's part of the arguments, but for the draft model and the store of pages.
pub fn engine_options(arguments: &ModelArguments) -> EngineOptions {
    EngineOptions {
        context: arguments.context,
        kv_type: arguments.kv_type,
        max_sequences: Some(arguments.max_sequences),
        cache_tokens: arguments.cache_tokens,
        threads: arguments.threads,
        exact_activations: arguments.exact_activations,
        no_speculation: arguments.no_speculation,
        mtp: arguments.mtp,
        ..EngineOptions::default()
    }
}

fn page_store(arguments: &ModelArguments) -> Result<Option<Rc<dyn PageStore>>> {
    let Some(folder) = &arguments.page_store else { return Ok(None) };
    let store = FolderStore::open(folder, arguments.page_store_bytes);
    Ok(Some(Rc::new(store.with_context(|| format!("cannot keep pages in {}", folder.display()))?)))
}

/// Writes what was computed to the page store, if there is one. That it cannot be written, or was damaged, is said and is no error.
pub fn store_pages(engine: &Engine) {
    if let Err(error) = pollster::block_on(engine.store_pages()) {
        eprintln!("({})", show::harmless(&error.to_string()));
    }
    let damaged = engine.metrics().page_store.damaged;
    if damaged > 0 {
        eprintln!("(damaged pages in the page store, not used: {damaged})");
    }
}

/// Says on standard error what is loaded, and where.
pub fn describe(info: &Info) {
    let (model, memory) = (&info.model, &info.memory);
    eprintln!(
        "{}: {} weights as {}, context {} of {}",
        if model.name.is_empty() { "unnamed model".to_owned() } else { model.name.escape_debug().to_string() },
        show::count(model.parameters),
        model.weight_types.join(", "),
        model.context_length,
        model.trained_context_length,
    );
    eprintln!(
        "on {}: {} of weights, {} of cache, {} of activations",
        place(info),
        show::bytes(memory.weights),
        show::bytes(memory.kv_cache),
        show::bytes(memory.activations),
    );
}

/// Where it runs and why, such as `CPU (no GPU: no adapter was found)`.
pub fn place(info: &Info) -> String {
    let Info { adapter, reason, .. } = info;
    match adapter.backend.as_str() {
        "cpu" => format!("{} ({reason})", adapter.name),
        backend => format!("{} ({backend}; {reason})", adapter.name),
    }
}

/// The progress bar: on standard error, and only where that is a terminal.
#[derive(Default)]
struct Bar {
    bar: Option<ProgressBar>,
}

impl Bar {
    fn show(&mut self, progress: LoadProgress) {
        match progress {
            LoadProgress::Weights(read, all) => {
                let bar = self.bar.get_or_insert_with(|| ProgressBar::new(all).with_style(bytes_style()));
                bar.set_position(read);
            }
            LoadProgress::Kernels => {
                self.clear();
                let spinner = ProgressBar::new_spinner().with_message("preparing kernels");
                spinner.enable_steady_tick(std::time::Duration::from_millis(100));
                self.bar = Some(spinner);
            }
        }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bytes_style() -> ProgressStyle {
    ProgressStyle::with_template("loading {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} left")
        .expect("the template is well-formed")
}
