//! One vector for each text: embeddings, and scores of texts by how well they answer a query.
//!
//! Texts are packed into steps, row behind row and without padding: a step takes as many whole texts as its plan has rows for. All layers write
//! their keys and values into the same memory, one after the other, since no later step reads them. A step is read back once.

mod embedding;
mod prompts;
mod ranking;

use std::ops::Range;

pub use embedding::{EmbeddingRequest, Embeddings};
pub use ranking::{RankedText, Ranking, RankingRequest};

use super::{EngineOptions, FaultError, Info, LoadProgress, Memory, Model, ModelInfo, ModelOptions};
use crate::device::{Device, Slice, Storage};
use crate::engine::request::RequestError;
use crate::error::Error;
use crate::kernels::batch::{self, Row};
use crate::kernels::kv::{KvType, PAGE};
use crate::kernels::pool::{self, Pool};
use crate::kv::groups::KvGroupSpec;
use crate::kv::{KvCache, KvOptions};
use crate::model::pooling::Pooling;
use crate::model::{Config, Forward, LayerKind, ModelError};
use crate::placement::Placement;
use crate::plan::{self, KernelCache, PendingReadback, Plan, Recorder};
use inglenook_format::source::Source;

/// Tokens of context where the caller names none.
const DEFAULT_CONTEXT: u32 = 2048;

/// Rows of a step at least, so that short texts fill it together: as many as make matmuls compute-bound.
const LEAST_ROWS: u32 = 512;

/// Texts of a step at most; fewer where each has logits.
const TEXTS: u32 = 64;
const TEXTS_WITH_LOGITS: u32 = 8;

/// Rows that are valid while variants are timed.
const TIMED_ROWS: u32 = 64;

/// What texts are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// Embeddings.
    #[default]
    Embed,
    /// Scores.
    Rank,
}

/// How an embedder is to be made.
#[derive(Debug, Clone, Default)]
pub struct EmbedderOptions {
    /// What for.
    pub purpose: Purpose,
    /// Tokens of the longest text, at most the model's context; by default 2048, or the model's context if that is less.
    pub context: Option<u32>,
    /// Which of a text's vectors stand for it, in place of what the file says; the last ones of models whose files say nothing.
    pub pooling: Option<Pooling>,
    /// Threads on which the CPU computes; see [`EngineOptions::threads`](super::EngineOptions::threads).
    pub threads: Option<usize>,
    /// See [`EngineOptions::exact_activations`](super::EngineOptions::exact_activations).
    pub exact_activations: bool,
}

/// The engine's options, as far as an embedder has them.
impl From<&EngineOptions> for EmbedderOptions {
    fn from(options: &EngineOptions) -> EmbedderOptions {
        EmbedderOptions {
            context: options.context,
            threads: options.threads,
            exact_activations: options.exact_activations,
            ..EmbedderOptions::default()
        }
    }
}

/// What embeds or ranks texts, on a [`Model`]. It belongs to one thread, and keeps nothing between calls.
///
/// ```
/// use inglenook::{Device, Embedder, EmbedderOptions, EmbeddingRequest, Model, ModelOptions, source::ReadAt};
///
/// # pollster::block_on(async {
/// let file = ReadAt::new(std::fs::File::open("../tests/goldens/embeddings/bert.gguf")?)?;
/// let model = Model::load(Device::Cpu, &file, &ModelOptions::default(), &mut |_| true).await?;
/// let embedder = Embedder::new(model, &EmbedderOptions::default()).await?;
///
/// let request = EmbeddingRequest::from_json(r#"{"input": ["a hearth", "a fireplace"]}"#)?;
/// let embeddings = embedder.embed(&request).await?;
/// assert_eq!(embeddings.vectors.len(), 2);
/// assert!((embeddings.vectors[0].iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Embedder {
    model: Model,
    purpose: Purpose,
    pooling: Pooling,
    /// The tokens of `yes` and `no`, where it gives logits of answers, and no scores of a classifier.
    answers: Option<[u32; 2]>,
    kv: KvCache,
    plan: Plan,
    /// The rows of a step, and which of them are a text's.
    batches: [Storage; 2],
    out: Slice,
    limits: StepLimits,
    info: Info,
}

/// What a step holds at most.
#[derive(Debug, Clone, Copy)]
struct StepLimits {
    rows: u32,
    texts: u32,
    /// Tokens of a text.
    context: u32,
}

impl Embedder {
    /// Loads a model, and makes an embedder on it: [`Model::load`] and [`Embedder::new`] in one. `progress` is told what happens and answers
    /// false to abort.
    ///
    /// # Errors
    /// [`Error`], whatever goes wrong.
    pub async fn load(
        placement: impl Into<Placement>,
        source: &dyn Source,
        options: &EmbedderOptions,
        progress: &mut dyn FnMut(LoadProgress) -> bool,
    ) -> Result<Embedder, Error> {
        let model_options = ModelOptions { context: Some(options.context.unwrap_or(DEFAULT_CONTEXT)), mtp: false };
        let model = Model::load(placement, source, &model_options, progress).await?;
        progress(LoadProgress::Kernels);
        Embedder::new(model, options).await
    }

    /// Makes an embedder on a model: its plan, and memory for a step.
    ///
    /// # Errors
    /// [`RequestError::NoRanking`], [`RequestError::NoEmbedding`]; the memory does not fit, or the device computes wrongly.
    pub async fn new(model: Model, options: &EmbedderOptions) -> Result<Embedder, Error> {
        let (device, weights) = (model.device().clone(), model.weights().clone());
        let config = weights.config();
        config.check_is_whole()?;
        let labels = weights.score_columns();
        let is_asked = options.purpose == Purpose::Rank && labels == 0;
        let answers = if is_asked && config.is_causal { prompts::answers(&model) } else { None };
        let most = if config.is_causal { 2 } else { 1 };
        if labels > most {
            return Err(ModelError::Feature { feature: format!("ranking by a classifier of {labels} labels") }.into());
        }
        if options.purpose == Purpose::Embed && config.ranks {
            return Err(RequestError::NoEmbedding.into());
        }
        if is_asked && answers.is_none() {
            return Err(RequestError::NoRanking.into());
        }
        let context = options.context.unwrap_or(DEFAULT_CONTEXT).clamp(1, model.info().context_length);
        let limits = StepLimits {
            rows: context.max(LEAST_ROWS),
            texts: if is_asked { TEXTS_WITH_LOGITS } else { TEXTS },
            context,
        };
        let kv = KvCache::new(&device, &limits.cache(weights.kv_groups(false), memory_is_shared(config)?))?;
        let batches = limits.batches(&device)?;
        let mut kernels = KernelCache::new(device.clone()).with_threads(options.threads.unwrap_or(0));
        kernels.set_exact_activations(options.exact_activations);
        let mut recorder = Recorder::new();
        let facts = device.facts();
        let mut rows = Forward {
            recorder: &mut recorder,
            config,
            kv: &kv,
            adapters: None,
            batch: batches[0].all(),
            rows: limits.rows,
            is_prefill: true,
            facts: &facts,
            reads: None,
        };
        let hidden = weights.forward(&mut rows);
        let mut texts = Forward { batch: batches[1].all(), rows: limits.texts, ..rows };
        let pooled = texts.recorder.tensor(limits.texts, hidden.cols);
        texts.recorder.push(Pool {
            batch: texts.batch(),
            x: hidden.into(),
            out: pooled.into(),
            sequences: limits.texts,
            cols: hidden.cols,
        });
        let out = match is_asked {
            true => weights.logits(&mut texts, pooled),
            false => weights.pooled_head(&mut texts, pooled),
        };
        recorder.keep(OUT, out);
        let plan = Plan::build(&mut kernels, recorder).await?;
        let Some(out) = plan.find(OUT).cloned() else { unreachable!("it is kept") };
        let pooling = options.pooling.or(config.pooling).unwrap_or(Pooling::Last);
        let mut adapter = facts;
        if matches!(device, Device::Cpu) {
            adapter.driver = kernels.instructions(1);
        }
        let info = Info {
            model: ModelInfo { context_length: context, ..model.info().clone() },
            adapter,
            reason: model.placement().reason.clone(),
            measured: model.placement().measured,
            memory: Memory {
                weights: weights.weight_bytes(),
                kv_cache: kv.bytes(),
                activations: plan.activation_bytes(),
            },
            kernels: kernels.choices().to_vec(),
        };
        Ok(Embedder { model, purpose: options.purpose, pooling, answers, kv, plan, batches, out, limits, info })
    }

    /// What is loaded.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// What for it was made.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Tokens of the longest text.
    pub fn context(&self) -> u32 {
        self.limits.context
    }

    /// What the model gives for each of these texts, as token ids, neither normed nor cut: `[texts, columns]`.
    ///
    /// # Errors
    /// [`RequestError::LongText`], [`RequestError::Empty`] for a text without tokens, and the device's end.
    pub async fn run(&self, texts: &[Vec<u32>]) -> Result<Vec<Vec<f32>>, Error> {
        for (index, tokens) in texts.iter().map(Vec::len).enumerate() {
            if tokens == 0 {
                return Err(RequestError::Empty.into());
            }
            if tokens > self.limits.context as usize {
                return Err(RequestError::LongText { index, tokens, context: self.limits.context }.into());
            }
        }
        let mut vectors = Vec::with_capacity(texts.len());
        let mut pending = None;
        for step in self.limits.steps(texts) {
            let next = (self.submit(&texts[step.clone()]), step);
            if let Some(done) = pending.replace(next) {
                self.take(done, &mut vectors).await?;
            }
        }
        if let Some(done) = pending {
            self.take(done, &mut vectors).await?;
        }
        Ok(vectors)
    }

    /// Queues a step.
    fn submit(&self, texts: &[Vec<u32>]) -> PendingReadback {
        let (mut rows, mut ranges) = (Vec::new(), Vec::new());
        let mut page = 0;
        for (sequence, tokens) in (0..).zip(texts) {
            let (first, last) = (rows.len() as u32, (rows.len() + tokens.len()) as u32 - 1);
            let ahead = |position| if self.model.weights().config().is_causal { 0 } else { last - first - position };
            let of_text = tokens.iter().zip(0..).map(|(token, position)| Row::new(*token, position, sequence));
            rows.extend(of_text.map(|row| row.seeing(ahead(row.position))));
            let (first, last) = self.pooling.rows(first, last);
            ranges.push(pool::rows_of(first, last));
            let pages: Vec<u32> = (page..).take(tokens.len().div_ceil(PAGE as usize)).collect();
            (0..self.kv.options().groups.len()).for_each(|group| self.kv.set_pages(group, sequence, 0, &pages));
            page += pages.len() as u32;
        }
        let device = self.model.device();
        for (storage, rows) in self.batches.iter().zip([&rows, &ranges]) {
            device.write(storage, 0, bytemuck::cast_slice(&batch::words(rows)));
        }
        let bytes = self.out.bytes / u64::from(self.limits.texts) * texts.len() as u64;
        plan::submit_and_read(device, &[&self.plan], &Slice { bytes, ..self.out.clone() })
    }

    /// Waits for a step, and adds what it gives for each of its texts.
    async fn take(
        &self,
        (pending, texts): (PendingReadback, Range<usize>),
        vectors: &mut Vec<Vec<f32>>,
    ) -> Result<(), Error> {
        let values: Vec<f32> = bytemuck::pod_collect_to_vec(&pending.wait().await?);
        for (vector, text) in values.chunks_exact(values.len() / texts.len()).zip(texts) {
            if let Some(value) = vector.iter().find(|value| !value.is_finite()) {
                let stage = format!("the vector of text {text}");
                return Err(FaultError::NotFinite { stage, value: value.to_string(), position: 0 }.into());
            }
            vectors.push(vector.to_vec());
        }
        Ok(())
    }
}

/// Whether the layers of a group can write their keys and values into the same memory: where none reads those of another.
///
/// # Errors
/// Layers that keep something else of a sequence, which begins anew with each text.
fn memory_is_shared(config: &Config) -> Result<bool, ModelError> {
    let reads_another = |kind: &LayerKind| match kind {
        LayerKind::Attention(kind) => Ok(kind.cache_of.is_some()),
        _ => Err(ModelError::Feature { feature: "embeddings by layers that do not attend".into() }),
    };
    let all: Vec<bool> = config.layer_kinds.iter().map(reads_another).collect::<Result<_, ModelError>>()?;
    Ok(!all.contains(&true))
}

/// The name of what is read back.
const OUT: &str = "out";

impl StepLimits {
    /// Memory for the keys and values of a step.
    fn cache(&self, groups: Vec<KvGroupSpec>, is_scratch: bool) -> KvOptions {
        // Of each text the last page may be in part empty.
        let pages = self.rows.div_ceil(PAGE) + self.texts;
        KvOptions {
            pages: Some(vec![pages; groups.len()]),
            groups,
            context: self.context,
            slots: self.texts,
            ty: KvType::F32,
            segment_bytes: None,
            is_scratch,
        }
    }

    /// The batches, with rows on which variants can be timed.
    fn batches(&self, device: &Device) -> Result<[Storage; 2], Error> {
        let timed = TIMED_ROWS.min(self.context);
        let batch = |label, capacity: u32, rows: Vec<Row>| {
            let mut words = batch::words(&rows);
            words.resize((batch::bytes(capacity) / 4) as usize, 0);
            device.upload(label, &words)
        };
        let rows = (0..timed).map(|position| Row::new(0, position, 0)).collect();
        let texts = (0..self.texts).map(|_| pool::rows_of(0, timed - 1)).collect();
        Ok([batch("batch of rows", self.rows, rows)?, batch("batch of texts", self.texts, texts)?])
    }

    /// The texts of each step.
    fn steps(&self, texts: &[Vec<u32>]) -> Vec<Range<usize>> {
        let mut steps: Vec<Range<usize>> = Vec::new();
        let mut rows = 0;
        for (index, text) in texts.iter().enumerate() {
            let joins =
                |step: &&mut Range<usize>| step.len() < self.texts as usize && rows + text.len() <= self.rows as usize;
            match steps.last_mut().filter(joins) {
                Some(step) => {
                    step.end += 1;
                    rows += text.len();
                }
                None => {
                    steps.push(index..index + 1);
                    rows = text.len();
                }
            }
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_take_whole_texts_up_to_their_limits() {
        let limits = StepLimits { rows: 10, texts: 3, context: 10 };
        let steps =
            |lengths: &[usize]| limits.steps(&lengths.iter().map(|length| vec![0; *length]).collect::<Vec<_>>());
        assert_eq!(steps(&[4, 6, 1, 10, 9]), [0..2, 2..3, 3..4, 4..5]);
        assert_eq!(steps(&[1, 1, 1, 1]), [0..3, 3..4]);
        assert!(steps(&[]).is_empty());
    }
}
