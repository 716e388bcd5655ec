//! Logits of whole prompts, for comparison with a reference and for measuring what quantisation costs; and what meets the weights meanwhile.

use crate::device::{Device, Slice};
use crate::gpu::GpuError;
use crate::kernels::batch::{self, Row};
use crate::kernels::kv::{KvType, UnsupportedKv};
#[cfg(not(target_arch = "wasm32"))]
use crate::kernels::weights::WeightInput;
use crate::kv::{KvCache, KvOptions};
use crate::model::adapters::AdapterStacks;
use crate::model::layer_kind::kv_groups;
use crate::model::{Forward, LoadError, Model};
use crate::plan::{self, KernelCache, Plan, PlanError, Recorder};
use inglenook_format::gguf::{Gguf, GgufError};
use inglenook_format::lora::{Lora, LoraError};
use inglenook_format::source::Source;

/// Why logits could not be had.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScoreError {
    /// The file's header.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The weights.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// An adapter.
    #[error(transparent)]
    Adapter(#[from] LoraError),
    /// A type of cache that the model's heads do not fit.
    #[error(transparent)]
    Kv(#[from] UnsupportedKv),
    /// The plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

/// A model whose logits are read back at every position. It keeps no state between calls.
#[derive(Debug)]
pub struct LogitsEvaluator {
    device: Device,
    model: Model,
    plan: Plan,
    batch: Slice,
    logits: Slice,
    chunk: u32,
    beside: Option<Beside>,
}

/// A drafter beside the model, and a step of its drafts.
#[derive(Debug)]
struct Beside {
    /// Kept, so that its weights are not given back.
    _drafter: Model,
    plan: Plan,
    logits: Slice,
}

/// How a [`LogitsEvaluator`] computes.
#[derive(Debug, Clone, Copy)]
pub struct ScoreOptions {
    /// Tokens computed at once; 1 uses the kernels of decoding.
    pub chunk: u32,
    /// Longest prompt, tokens.
    pub context: u32,
    /// How keys and values are stored.
    pub kv: KvType,
}

impl LogitsEvaluator {
    /// Loads a model and records its plan, with every stage tapped.
    pub async fn load(
        kernels: KernelCache,
        source: &dyn Source,
        options: ScoreOptions,
    ) -> Result<LogitsEvaluator, ScoreError> {
        let gguf = Gguf::read(source).await?;
        let model = Model::load(&gguf, source, kernels.device(), options.context, &mut |_, _| true).await?;
        LogitsEvaluator::new(kernels, (model, None), options, (Recorder::with_taps(), false), None).await
    }

    /// The same with a drafter that works beside the model: see [`LogitsEvaluator::draft_logits`].
    pub async fn load_beside(
        kernels: KernelCache,
        [model, drafter]: [&dyn Source; 2],
        options: ScoreOptions,
    ) -> Result<LogitsEvaluator, ScoreError> {
        let mut both = Vec::new();
        for source in [model, drafter] {
            let gguf = Gguf::read(source).await?;
            both.push(Model::load(&gguf, source, kernels.device(), options.context, &mut |_, _| true).await?);
        }
        let (drafter, model) = (both.pop(), both.remove(0));
        drafter.iter().try_for_each(|drafter| drafter.check_assists(model.config())).map_err(LoadError::from)?;
        LogitsEvaluator::new(kernels, (model, drafter), options, (Recorder::new(), false), None).await
    }

    /// The same for the logits of the layer that predicts a further token (MTP), which no token has at position 0.
    pub async fn load_mtp(
        kernels: KernelCache,
        source: &dyn Source,
        options: ScoreOptions,
    ) -> Result<LogitsEvaluator, ScoreError> {
        let gguf = Gguf::read(source).await?;
        let loaded = (options.context, true);
        let model = Model::load_with(&gguf, source, kernels.device(), loaded, &mut |_, _| true).await?;
        LogitsEvaluator::new(kernels, (model, None), options, (Recorder::with_taps(), true), None).await
    }

    /// Records the plan of a loaded model with adapters, each by its factor; as [`LogitsEvaluator::of_model`] else.
    pub async fn with_adapters(
        kernels: KernelCache,
        model: Model,
        options: ScoreOptions,
        adapters: &[(&Lora, f32)],
    ) -> Result<LogitsEvaluator, ScoreError> {
        adapters.iter().try_for_each(|(adapter, _)| model.check_adapter(adapter))?;
        let stacks = AdapterStacks::of(kernels.device(), &model, adapters)?;
        LogitsEvaluator::new(kernels, (model, None), options, (Recorder::new(), false), Some(&stacks)).await
    }

    /// Records the plan of a loaded model, whose context is as long, with nothing tapped: of the stages only the logits are kept.
    pub async fn of_model(
        kernels: KernelCache,
        model: Model,
        options: ScoreOptions,
    ) -> Result<LogitsEvaluator, ScoreError> {
        LogitsEvaluator::new(kernels, (model, None), options, (Recorder::new(), false), None).await
    }

    async fn new(
        mut kernels: KernelCache,
        (model, drafter): (Model, Option<Model>),
        options: ScoreOptions,
        (mut recorder, mtp): (Recorder, bool),
        adapters: Option<&AdapterStacks>,
    ) -> Result<LogitsEvaluator, ScoreError> {
        let device = kernels.device().clone();
        let config = model.config();
        config.check_generates().map_err(LoadError::from)?;
        let kv_options = KvOptions {
            groups: kv_groups(&config.running_kinds(mtp || drafter.is_some())),
            context: options.context,
            slots: 1,
            pages: None,
            ty: options.kv,
            segment_bytes: None,
            is_scratch: false,
        };
        kv_options.shapes().try_for_each(|shape| shape.supports())?;
        let kv = KvCache::new(&device, &kv_options)?;
        let rows: Vec<Row> = (0..options.chunk).map(|position| Row::new(0, position, 0)).collect();
        let batch = device.upload("batch", &batch::words(&rows))?.all();
        let facts = device.facts();
        let mut pass = Forward {
            recorder: &mut recorder,
            config,
            kv: &kv,
            adapters,
            batch: batch.clone(),
            rows: options.chunk,
            is_prefill: options.chunk > 1,
            facts: &facts,
            reads: None,
        };
        let hidden = model.forward(&mut pass);
        let logits = match mtp {
            true => {
                let hidden = model.forward_mtp(&mut pass, false);
                model.logits_mtp(&mut pass, hidden)
            }
            false => model.logits(&mut pass, hidden),
        };
        recorder.keep("logits", logits);
        let plan = Plan::build(&mut kernels, recorder).await?;
        let beside = match drafter {
            None => None,
            Some(drafter) => {
                let anchored = device.upload("anchored batch", &batch::words(&rows))?;
                let mut recorder = Recorder::new();
                let mut pass = Forward {
                    recorder: &mut recorder,
                    config,
                    kv: &kv,
                    adapters: None,
                    batch: batch.clone(),
                    rows: options.chunk,
                    is_prefill: false,
                    facts: &facts,
                    reads: None,
                };
                let hidden = drafter.forward_beside(&mut pass, &model, &anchored);
                let logits = drafter.logits(&mut pass, hidden);
                recorder.keep("logits", logits);
                let plan = Plan::build(&mut kernels, recorder).await?;
                Some(Beside { _drafter: drafter, logits: kept(&plan), plan })
            }
        };
        let (logits, chunk) = (kept(&plan), options.chunk);
        Ok(LogitsEvaluator { device, model, plan, batch, logits, chunk, beside })
    }

    /// What the drafter beside the model gives at a step of a draft, [tokens, vocab]: for each of `tokens`, at positions from `position` on, as
    /// the last of a draft that began `step` positions before it. The positions before it must have been taken in, and this row's draft
    /// have come to the step before: [`LogitsEvaluator::extend`], and this for `position - 1`.
    ///
    /// # Panics
    /// Without a drafter.
    pub async fn draft_logits(&self, position: u32, tokens: &[u32], step: u32) -> Result<Vec<f32>, ScoreError> {
        let Some(beside) = &self.beside else { unreachable!("there is a drafter") };
        self.write_batch(position, tokens, step);
        let bytes = u64::from(self.model.config().vocab) * 4 * tokens.len() as u64;
        let logits = Slice { bytes, ..beside.logits.clone() };
        let bytes = plan::submit_and_read(&self.device, &[&beside.plan], &logits).wait().await?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Logits after each token of `tokens`: `[tokens, vocab]`.
    pub async fn logits(&self, tokens: &[u32]) -> Result<Vec<f32>, ScoreError> {
        let mut all = Vec::new();
        for (index, chunk) in tokens.chunks(self.chunk as usize).enumerate() {
            all.extend(self.extend(index as u32 * self.chunk, chunk).await?);
        }
        Ok(all)
    }

    /// Logits after each of `tokens`, which follow `position` tokens already seen.
    pub async fn extend(&self, position: u32, tokens: &[u32]) -> Result<Vec<f32>, ScoreError> {
        self.write_batch(position, tokens, 0);
        let bytes = u64::from(self.model.config().vocab) * 4 * tokens.len() as u64;
        let logits = Slice { bytes, ..self.logits.clone() };
        let bytes = plan::submit_and_read(&self.device, &[&self.plan], &logits).wait().await?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }

    /// Takes `tokens` in as [`LogitsEvaluator::extend`] does, where nobody wants their logits.
    pub fn skip(&self, position: u32, tokens: &[u32]) {
        self.write_batch(position, tokens, 0);
        plan::submit(&self.device, &[&self.plan]);
    }

    /// Takes `tokens` in on the CPU, and hands out each row that meets weights on the way.
    ///
    /// # Panics
    /// On another device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn observe(&self, position: u32, tokens: &[u32], see: &mut dyn FnMut(WeightInput<'_>)) {
        self.write_batch(position, tokens, 0);
        self.plan.run_observed(see);
    }

    fn write_batch(&self, position: u32, tokens: &[u32], step: u32) {
        let rows: Vec<Row> =
            tokens.iter().zip(position..).map(|(token, position)| Row::new(*token, position, 0)).collect();
        let mut words = batch::words(&rows);
        batch::set_step(&mut words, step);
        self.device.write(&self.batch.storage, 0, bytemuck::cast_slice(&words));
    }

    /// What a stage computed for the last chunk, by name; see [`Recorder::tap`].
    pub async fn tap(&self, name: &str) -> Result<Option<Vec<f32>>, ScoreError> {
        match self.plan.find(name) {
            Some(slice) => Ok(Some(bytemuck::pod_collect_to_vec(&self.device.read(slice).await?))),
            None => Ok(None),
        }
    }
}

/// The logits that a plan keeps.
fn kept(plan: &Plan) -> Slice {
    let Some(logits) = plan.find("logits") else { unreachable!("they are kept") };
    logits.clone()
}
