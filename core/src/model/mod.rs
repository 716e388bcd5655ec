//! Models: their configuration, their weights, their layers by kind, and one file an architecture with its forward pass.
//!
//! A `forward()` is plain code that reads like the paper: it records operations for a batch of rows. It must never know
//! requests, sampling, or on which device it will run.

pub mod adapters;
mod arch;
mod assistant;
pub mod blocks;
pub mod config;
mod decoder;
pub mod error;
pub mod experts;
pub mod fit;
mod keys;
pub mod layer_kind;
pub mod outlook;
pub mod pooling;
mod recurrent;
pub mod rope;
pub mod weights;
mod windows;

pub use arch::{ALL as ARCHITECTURES, Architecture};
pub use blocks::Forward;
pub use config::Config;
pub use error::ModelError;
pub use fit::{FitError, FitOptions, MemoryNeeds};
pub use layer_kind::LayerKind;
pub use weights::LoadError;

use crate::device::Device;
use crate::gpu::Limits;
use crate::kernels::matmul::Epilogue;
use crate::kernels::{Tensor, TensorRef};
use crate::kv::groups::{CachePart, KvGroupSpec};
use assistant::Joint;
use blocks::{Entry, Mtp, Norm, PooledHead, RopeTable};
use decoder::Decoder;
use inglenook_format::gguf::Gguf;
use inglenook_format::lora::{Lora, LoraError};
use inglenook_format::source::Source;
use weights::{Matrices, Matrix, WeightRegistry};

/// A loaded model: configuration and weights.
#[derive(Debug)]
pub struct Model {
    config: Config,
    embedding: Matrix,
    entry: Entry,
    decoder: Box<dyn Decoder>,
    norm: Option<Norm>,
    head: PooledHead,
    /// None where the embedding serves as LM head, too.
    lm_head: Option<Matrix>,
    ropes: Vec<RopeTable>,
    mtp: Option<Mtp>,
    /// Of a drafter that works beside another model.
    joint: Option<Joint>,
    matrices: Matrices,
    weight_bytes: u64,
    #[cfg(not(target_arch = "wasm32"))]
    placed: Vec<weights::Placed>,
}

impl Model {
    /// Loads the weights of `gguf` from `source` onto `device`, for sequences of at most `context` tokens. `progress`
    /// gets bytes read and bytes in all, and answers false to abort.
    ///
    /// # Errors
    /// [`LoadError`].
    pub async fn load(
        gguf: &Gguf,
        source: &dyn Source,
        device: &Device,
        context: u32,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Model, LoadError> {
        Model::load_with(gguf, source, device, (context, false), progress).await
    }

    /// The same, perhaps `mtp` with the layer that predicts a further token.
    ///
    /// # Errors
    /// As [`Model::load`]; [`ModelError::NoMtp`].
    pub async fn load_with(
        gguf: &Gguf,
        source: &dyn Source,
        device: &Device,
        (context, mtp): (u32, bool),
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Model, LoadError> {
        let mut registry = WeightRegistry::new(gguf, device.clone());
        let config = Config::read(gguf)?;
        let model = Model::register(&mut registry, config, context, mtp)?;
        registry.load(source, progress).await?;
        model.mtp.iter().for_each(|mtp| mtp.upload(device, model.config.hidden));
        model.joint.iter().for_each(|joint| joint.upload(device));
        let ropes = model.ropes.iter().zip(&model.config.ropes);
        ropes.for_each(|(table, rope)| table.upload(device, rope, context));
        Ok(model)
    }

    /// Checks whether a file's model could be loaded, from its header alone; its configuration.
    ///
    /// # Errors
    /// As [`Model::load`], but for what needs the device or the weights.
    pub fn check(gguf: &Gguf) -> Result<Config, LoadError> {
        let limits = Device::Cpu.facts().limits;
        let config = Config::read(gguf)?;
        Ok(Model::register(&mut WeightRegistry::without_memory(gguf, &limits), config, 1, false)?.config)
    }

    /// Memory that a model needs on a device of these limits, from its header alone.
    ///
    /// # Errors
    /// As [`Model::check`].
    pub fn memory_needed(gguf: &Gguf, limits: &Limits, options: &FitOptions) -> Result<MemoryNeeds, LoadError> {
        let mut registry = WeightRegistry::without_memory(gguf, limits);
        // A drafter beside the model asks for a cache as if of MTP, and for none of the model's weights.
        let config = Config::read(gguf)?;
        let mtp = options.mtp && config.architecture.mtp.is_some();
        let model = Model::register(&mut registry, config, options.context, mtp)?;
        Ok(MemoryNeeds::of(&model.config, model.weight_bytes, options))
    }

    /// Memory that it needs, with a cache, once it is loaded.
    pub fn memory_needs(&self, options: &FitOptions) -> MemoryNeeds {
        MemoryNeeds::of(&self.config, self.weight_bytes, options)
    }

    /// Registers everything that the model needs; refuses a file that holds more than that.
    fn register(
        registry: &mut WeightRegistry<'_>,
        config: Config,
        context: u32,
        mtp: bool,
    ) -> Result<Model, LoadError> {
        config.check_context(context)?;
        let embedding = registry.table("token_embd.weight", config.vocab, config.hidden)?;
        let model = Model {
            decoder: (config.architecture.decoder)(registry, &config)?,
            entry: Entry::register(registry, &config)?,
            norm: match config.architecture.final_norm {
                "" => None,
                name => Some(Norm::register(registry, &config, name, config.hidden)?),
            },
            head: PooledHead::register(registry, &config)?,
            lm_head: match registry.has("output.weight") {
                true => Some(registry.matrix("output", config.vocab, config.hidden)?),
                false => None,
            },
            ropes: (config.ropes.iter())
                .map(|rope| RopeTable::register(registry, rope, context))
                .collect::<Result<_, _>>()?,
            mtp: if mtp { Some(Mtp::register(registry, &config)?) } else { None },
            joint: config.drafts_for.map(|width| Joint::register(registry, &config, width)).transpose()?,
            matrices: registry.take_matrices(),
            weight_bytes: registry.bytes(),
            #[cfg(not(target_arch = "wasm32"))]
            placed: registry.placed(),
            embedding,
            config,
        };
        // Of what predicts further tokens one layer is run at most.
        let Config { layers, predicting_layers, .. } = model.config;
        registry.check_unused(layers..layers + predicting_layers)?;
        Ok(model)
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Layers that share a page pool of the cache, perhaps with that of MTP, if it was loaded.
    pub fn kv_groups(&self, mtp: bool) -> Vec<KvGroupSpec> {
        layer_kind::kv_groups(&self.config.running_kinds(mtp && self.has_mtp()))
    }

    /// Whether the layer that predicts a further token was loaded.
    pub fn has_mtp(&self) -> bool {
        self.mtp.is_some()
    }

    /// The matrices that adapters may change.
    pub fn matrices(&self) -> &Matrices {
        &self.matrices
    }

    /// Refuses an adapter of another model.
    ///
    /// # Errors
    /// [`LoraError`].
    pub fn check_adapter(&self, adapter: &Lora) -> Result<(), LoraError> {
        let find = |name: &str| self.matrices.sizes.get(name).map(|size| size.map(u64::from));
        adapter.check(self.config.architecture.name, find)
    }

    /// Device memory of its weights, bytes.
    pub fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }

    /// Where the matrices of its file are.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn placed(&self) -> &[weights::Placed] {
        &self.placed
    }

    /// Bytes of weights that a decode step reads: all but the embedding's, of which it reads a row, unless it is the head, and those of
    /// experts that a token does not go to.
    pub fn step_bytes(&self) -> u64 {
        let embedding: u64 = self.embedding.shards.iter().map(|shard| shard.weights.quants.storage.bytes()).sum();
        let unread = self.decoder.unread_bytes() + self.mtp.as_ref().map_or(0, |mtp| mtp.bytes);
        self.weight_bytes - unread - if self.lm_head.is_some() { embedding } else { 0 }
    }

    /// Bytes of weights that a token drafted by MTP reads, about.
    pub fn mtp_bytes(&self) -> u64 {
        let head = self.lm_head.as_ref().unwrap_or(&self.embedding);
        let head: u64 = head.shards.iter().map(|shard| shard.weights.quants.storage.bytes()).sum();
        head + self.mtp.as_ref().map_or(0, |mtp| mtp.bytes)
    }

    /// Records the model up to its last norm: `[rows, hidden]`.
    pub fn forward(&self, pass: &mut Forward<'_>) -> Tensor {
        let x = pass.embed(&self.embedding, self.config.embedding_scale);
        let x = pass.enter(x, &self.entry);
        pass.recorder.tap("embed", x);
        let x = self.decoder.forward(pass, x, &self.ropes);
        let out = self.norm.as_ref().map_or(x, |norm| pass.norm(x, norm));
        pass.recorder.tap("final_norm", out);
        if let Some(mtp) = self.mtp.as_ref().filter(|mtp| mtp.is_kept(pass)) {
            pass.keep_hidden(out, mtp);
            pass.write_mtp(mtp, &self.embedding, &self.ropes);
        } else if pass.kv.has_layer(self.config.layers, CachePart::Conv) {
            pass.keep_channels(out, 0, None, self.config.layers);
        }
        out
    }

    /// Records MTP over rows whose predecessors went through [`Model::forward`] or this, up to its norm: `[rows, hidden]`. With `chains` rows may
    /// follow that go on from these. Rows at position 0 have no answer.
    pub fn forward_mtp(&self, pass: &mut Forward<'_>, chains: bool) -> Tensor {
        let Some(mtp) = &self.mtp else { unreachable!("whoever drafts by it has loaded it") };
        let out = pass.mtp(mtp, (&self.embedding, self.norm.as_ref()), &self.ropes);
        if chains {
            pass.keep_hidden(out, mtp);
        }
        out
    }

    /// Records the head of MTP: logits, `[rows, vocab]`.
    pub fn logits_mtp(&self, pass: &mut Forward<'_>, hidden: impl Into<TensorRef>) -> Tensor {
        let head = self.lm_head.as_ref().unwrap_or(&self.embedding);
        self.logits_by(pass, hidden, self.mtp.as_ref().map_or(head, |mtp| mtp.head(head)))
    }

    /// Records what follows pooling: for each of `pooled`, `[sequences, hidden]`, its embedding, or its score for each label.
    pub fn pooled_head(&self, pass: &mut Forward<'_>, pooled: Tensor) -> Tensor {
        pass.pooled_head(pooled, &self.head)
    }

    /// What the columns of a score stand for; 0 where the model has no classifier.
    pub fn score_columns(&self) -> u32 {
        self.head.score_columns()
    }

    /// Records the head: logits, `[rows, vocab]`.
    pub fn logits(&self, pass: &mut Forward<'_>, hidden: impl Into<TensorRef>) -> Tensor {
        self.logits_by(pass, hidden, self.lm_head.as_ref().unwrap_or(&self.embedding))
    }

    fn logits_by(&self, pass: &mut Forward<'_>, hidden: impl Into<TensorRef>, head: &Matrix) -> Tensor {
        let epilogue = match (self.config.logit_cap, self.config.logit_scale) {
            (Some(cap), _) => Epilogue::Cap(cap),
            (None, 1.0) => Epilogue::Store,
            (None, factor) => Epilogue::Scale(factor),
        };
        pass.finished(hidden, head, epilogue)
    }
}
