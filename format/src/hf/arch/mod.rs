//! The architectures: for each type of model, the rules for its tensors and the keys of its GGUF file.
//!
//! Source of both: what llama.cpp's `convert_hf_to_gguf` writes for the same checkpoint, to which the goldens hold this.

mod common;
mod dense;
mod encoder;
mod gemma;
mod gemma_later;
mod glm;
mod lfm2;
mod llama;
mod mamba;
mod moe;
mod nemotron;
mod nextn;
mod qwen;

use super::config::{Config, Default};
use super::error::HfError;
use super::keys::Keys;
use super::rope::Rope;
use super::rules::Rule;
use super::tensor::Tensor;

/// Tensors that no checkpoint has, by their names.
pub(super) type Extras = Vec<(&'static str, Tensor)>;

/// One architecture.
pub(super) struct Arch {
    /// Its name in GGUF files.
    pub name: &'static str,
    /// What becomes of its tensors.
    pub rules: &'static [&'static [Rule]],
    /// Keys besides those that all have.
    pub keys: fn(&Config, &Rope, &mut Keys) -> Result<(), HfError>,
    /// Tensors made of the configuration.
    pub extras: fn(&Config, &Rope) -> Result<Extras, HfError>,
    /// Layers that predict further tokens, behind the last one.
    pub extra_layers: fn(&Config) -> Result<u64, HfError>,
    /// Another name for a tensor, before rules are asked.
    pub rename: fn(&Config, &str) -> Option<String>,
    /// How names of tensors begin that are left out.
    pub leaves_out: &'static [&'static str],
    /// Numbers for keys that may be missing.
    pub defaults: &'static [Default],
    /// The base of RoPE where it is missing.
    pub theta: f64,
}

/// What an architecture is where it says nothing.
const PLAIN: Arch = Arch {
    name: "",
    rules: &[common::ENDS, common::PRE_NORMS, common::ATTENTION, common::GATED],
    keys: |_, _, _| Ok(()),
    extras: |_, _| Ok(Vec::new()),
    extra_layers: |_| Ok(0),
    rename: |_, _| None,
    leaves_out: &[],
    defaults: &[],
    theta: 10_000.0,
};

impl Arch {
    /// The architecture of a configuration.
    pub fn of(config: &Config) -> Result<&'static Arch, HfError> {
        let arch = match config.model_type() {
            _ if config.architecture() == dense::ROUNDING => &dense::BITNET,
            "llama" | "mistral" | "mixtral" | "ministral3" => llama::choose(config),
            "qwen2" => &qwen::QWEN2,
            "qwen3" => &qwen::QWEN3,
            "qwen3_moe" => &moe::QWEN3_MOE,
            "qwen3_5_text" | "qwen3_5" => &qwen::QWEN35,
            "qwen3_5_moe_text" | "qwen3_5_moe" => &qwen::QWEN35_MOE,
            "gemma2" => &gemma::GEMMA2,
            "gemma3_text" | "gemma3" => gemma::choose(config),
            "gemma3n_text" | "gemma3n" => &gemma_later::GEMMA3N,
            "gemma4_text" | "gemma4" | "gemma4_assistant" if config.get("backbone_hidden_size").is_some() => {
                &gemma_later::GEMMA4_ASSISTANT
            }
            "gemma4_text" | "gemma4" => &gemma_later::GEMMA4,
            "phi3" => &dense::PHI3,
            "smollm3" => &dense::SMOLLM3,
            "olmo2" | "olmo3" => &dense::OLMO2,
            "exaone4" => &dense::EXAONE4,
            "cohere" => &dense::COMMAND_R,
            "cohere2" => &dense::COHERE2,
            "hunyuan_v1_dense" => &dense::HUNYUAN,
            "seed_oss" => &dense::SEED_OSS,
            "glm" | "chatglm" => &glm::CHATGLM,
            "glm4" => &glm::GLM4,
            "glm4_moe" => &glm::GLM4_MOE,
            "gpt_oss" => &moe::GPT_OSS,
            "granite" => &moe::GRANITE,
            "granitemoe" | "granitemoeshared" => &moe::GRANITE_MOE,
            "granitemoehybrid" => mamba::choose_granite(config)?,
            "nemotron_h" => nemotron::choose(config)?,
            "falcon_h1" => &mamba::FALCON_H1,
            "lfm2" => &lfm2::LFM2,
            "lfm2_moe" => &lfm2::LFM2_MOE,
            "bert" | "distilbert" | "roberta" | "xlm-roberta" | "camembert" => encoder::choose_bert(config)?,
            "nomic_bert" => encoder::choose_nomic(config),
            "modernbert" => &encoder::MODERN_BERT,
            "bitnet" => &dense::BITNET,
            other => return Err(HfError::ModelType { model_type: other.chars().take(60).collect() }),
        };
        Ok(arch)
    }

    /// All keys of a model.
    pub fn all_keys(&self, config: &Config, rope: &Rope) -> Result<Keys, HfError> {
        let mut keys = Keys::new(self.name);
        common::keys(config, rope, &mut keys)?;
        (self.keys)(config, rope, &mut keys)?;
        Ok(keys)
    }
}
