//! A model that gives the logits of every token of a chunk.

use std::path::Path;

use anyhow::{Context, Result, bail};
use inglenook::Error;
use inglenook::engine::LoadProgress;
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::format::gguf::Gguf;
use inglenook::gpu::GpuOptions;
use inglenook::kernels::weights::WeightInput;
use inglenook::model::fit::{self, FitOptions};
use inglenook::model::{Config, Model};
use inglenook::placement::Placement;
use inglenook::plan::KernelCache;
use inglenook::text::Tokenizer;

use super::ScoringArguments;
use crate::interrupt::{self, Interrupted};
use crate::load;

/// Tokens computed at once: few enough that ctrl-C is soon obeyed.
const ROWS: u32 = 128;
/// Bytes of logits of so many tokens at most.
const LOGITS: u64 = 64 << 20;

/// A loaded model.
pub struct Evaluator {
    /// What messages call it.
    pub name: String,
    pub tokenizer: Tokenizer,
    /// Where it runs, in words.
    pub place: String,
    evaluator: LogitsEvaluator,
    rows: usize,
}

impl Evaluator {
    /// Loads the model in a file, or the built-in one.
    ///
    /// # Errors
    /// [`Interrupted`], or what is wrong with file, device or model.
    pub fn load(model: Option<&Path>, arguments: &ScoringArguments) -> Result<Evaluator> {
        let name = load::name(model);
        let source = load::source(model)?;
        let gpu = GpuOptions { default_limits: arguments.device.default_limits, ..GpuOptions::default() };
        let placement = pollster::block_on(Placement::choose(&arguments.device.device, &gpu))?;
        let facts = placement.device.facts();
        let gguf = pollster::block_on(Gguf::read(source.as_ref())).with_context(|| format!("cannot read {name}"))?;
        let context = arguments.text.context;
        let read = || -> Result<(Config, Tokenizer), Error> {
            Ok((Model::check(&gguf)?, Tokenizer::from_gguf(&gguf.metadata)?))
        };
        let (config, tokenizer) = read().with_context(|| format!("cannot load {name}"))?;
        if (config.vocab as usize) < tokenizer.vocab_size() {
            bail!(
                "{name} has {} tokens and an embedding for {}; get it from another source",
                tokenizer.vocab_size(),
                config.vocab
            );
        }
        if context > config.context {
            bail!("{name} was trained for {} tokens of context; pass a --context of at most that", config.context);
        }
        let logits = LOGITS.min(facts.limits.binding) / (4 * u64::from(config.vocab).max(1));
        let rows = ROWS.min(context).min(u32::try_from(logits).unwrap_or(ROWS)).max(1);
        let kv = arguments.kv_type;
        let load = |progress: &mut dyn FnMut(LoadProgress) -> bool| -> Result<LogitsEvaluator, Error> {
            let needs = FitOptions { context, cache_tokens: context, slots: 1, kv, rows, mtp: false };
            fit::check(&gguf, &placement.device, &needs)?;
            let mut weights = |read, all| progress(LoadProgress::Weights(read, all));
            let device = &placement.device;
            let model = pollster::block_on(Model::load(&gguf, source.as_ref(), device, context, &mut weights))?;
            progress(LoadProgress::Kernels);
            let mut kernels = KernelCache::new(device.clone()).with_threads(arguments.threads.unwrap_or(0));
            kernels.set_exact_activations(arguments.exact_activations);
            let options = ScoreOptions { chunk: rows, context, kv };
            Ok(pollster::block_on(LogitsEvaluator::of_model(kernels, model, options))?)
        };
        let evaluator = load::with_bar(&name, load)?;
        let place = format!("{} ({})", facts.name, placement.reason);
        Ok(Evaluator { name, tokenizer, place, evaluator, rows: rows as usize })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        self.evaluator.model()
    }

    /// Tokens that are computed at once.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Logits after each of `tokens`, which stand at `position` of their chunk: as many as a vocabulary has tokens, row by row.
    ///
    /// # Errors
    /// [`Interrupted`]; what the device says; logits that are no numbers.
    pub fn logits(&self, position: usize, tokens: &[u32]) -> Result<Vec<f32>> {
        check_interrupt()?;
        let mut logits = pollster::block_on(self.evaluator.extend(position as u32, tokens))?;
        let (columns, vocabulary) = (logits.len() / tokens.len(), self.tokenizer.vocab_size());
        // An embedding may have rows behind its tokens.
        if columns > vocabulary {
            logits = logits.chunks_exact(columns).flat_map(|row| &row[..vocabulary]).copied().collect();
        }
        if let Some(at) = logits.iter().position(|logit| !logit.is_finite()) {
            bail!("{} gave {} as a logit of token {}", self.name, logits[at], position + at / vocabulary.min(columns));
        }
        Ok(logits)
    }

    /// Takes `tokens` in, of which no logits are wanted.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn skip(&self, position: usize, tokens: &[u32]) -> Result<()> {
        check_interrupt()?;
        self.evaluator.skip(position as u32, tokens);
        Ok(())
    }

    /// Takes `tokens` in on the CPU, and hands out what meets weights.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn observe(&self, position: usize, tokens: &[u32], see: &mut dyn FnMut(WeightInput<'_>)) -> Result<()> {
        check_interrupt()?;
        self.evaluator.observe(position as u32, tokens, see);
        Ok(())
    }
}

fn check_interrupt() -> Result<()> {
    if interrupt::pressed() { Err(Interrupted.into()) } else { Ok(()) }
}
