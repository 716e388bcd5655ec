//! The architectures, a file each: what is special about its configuration, and what its layers are made of.
//!
//! To add one: a file here, and its name in [`ALL`].

mod bert;
mod bitnet;
mod cohere;
mod exaone4;
mod falcon_h1;
mod gemma2;
mod gemma3;
mod gemma3n;
mod gemma4;
mod gemma4_assistant;
mod glm4;
mod glm4moe;
mod gpt_oss;
mod granite;
mod granitehybrid;
mod hunyuan;
mod lfm2;
mod llama;
mod mistral3;
mod modern_bert;
mod nemotron_h;
mod olmo2;
mod phi3;
mod qwen3;
mod qwen35;
mod qwen3moe;
mod seed_oss;
mod smollm3;

use super::blocks::Layer;
use super::config::Config;
use super::decoder::{Decoder, stack};
use super::error::ModelError;
use super::keys::Keys;
use super::weights::{LoadError, WeightRegistry};
use super::windows::WindowPattern;
use crate::kernels::rope::RopeStyle;

/// All that inglenook runs.
pub static ALL: &[&Architecture] = &[
    &llama::LLAMA,
    &llama::QWEN2,
    &qwen3::QWEN3,
    &qwen3moe::QWEN3_MOE,
    &qwen35::QWEN35,
    &qwen35::QWEN35_MOE,
    &gpt_oss::GPT_OSS,
    &gemma3::GEMMA3,
    &gemma4::GEMMA4,
    &gemma4_assistant::GEMMA4_ASSISTANT,
    &gemma3n::GEMMA3N,
    &gemma2::GEMMA2,
    &lfm2::LFM2,
    &lfm2::LFM2_MOE,
    &phi3::PHI3,
    &glm4::GLM4,
    &glm4::CHATGLM,
    &glm4moe::GLM4_MOE,
    &mistral3::MISTRAL3,
    &granite::GRANITE,
    &granite::GRANITE_MOE,
    &granitehybrid::GRANITE_HYBRID,
    &nemotron_h::NEMOTRON_H,
    &nemotron_h::NEMOTRON_H_MOE,
    &falcon_h1::FALCON_H1,
    &smollm3::SMOLLM3,
    &olmo2::OLMO2,
    &cohere::COHERE2,
    &cohere::COMMAND_R,
    &exaone4::EXAONE4,
    &hunyuan::HUNYUAN_DENSE,
    &seed_oss::SEED_OSS,
    &bitnet::BITNET,
    &bert::BERT,
    &bert::NOMIC_BERT,
    &bert::NOMIC_BERT_MOE,
    &bert::JINA_BERT_V2,
    &bert::JINA_BERT_V3,
    &modern_bert::MODERN_BERT,
    &gemma3::GEMMA_EMBEDDING,
];

/// What registers the layer of a number.
type RegisterLayer = fn(&mut WeightRegistry<'_>, &Config, u32) -> Result<Layer, LoadError>;

/// What registers the layers of a model.
type RegisterDecoder = fn(&mut WeightRegistry<'_>, &Config) -> Result<Box<dyn Decoder>, LoadError>;

/// An architecture, as data: what a file of it may say, and what its layers are.
pub struct Architecture {
    /// `general.architecture` of its files.
    pub name: &'static str,
    /// The models that have it, for people.
    pub models: &'static str,
    /// Which dimensions its files' queries and keys rotate together.
    pub(super) rope: RopeStyle,
    /// Which layers have a sliding window where the file does not say it.
    pub(super) windows: WindowPattern,
    /// Keys beside those of every model that [`Architecture::configure`] reads.
    pub(super) reads: &'static [&'static str],
    /// The last norm, without `.weight`; empty where there is none.
    pub(super) final_norm: &'static str,
    /// Whether tokens see those before them alone, where the file does not say it.
    pub(super) is_causal: bool,
    /// What goes in front of a text to be embedded, by what it is.
    pub prompts: &'static [(&'static str, &'static str)],
    /// Changes what every model's keys have given.
    pub(super) configure: fn(&mut Config, &Keys<'_>) -> Result<(), ModelError>,
    /// Registers the layers.
    pub(super) decoder: RegisterDecoder,
    /// Registers the layer that predicts a further token, where that can be run.
    pub(super) mtp: Option<RegisterLayer>,
    /// Whether its files are drafters alone, which work beside another model.
    pub(super) is_drafter: bool,
}

/// What most architectures have, as a base for theirs.
const DECODER: Architecture = Architecture {
    name: "",
    models: "",
    rope: RopeStyle::HalfSplit,
    windows: WindowPattern::Unknown,
    reads: &[],
    final_norm: "output_norm",
    is_causal: true,
    prompts: &[],
    configure: |_, _| Ok(()),
    decoder: |registry, config| stack(registry, config, llama::layer),
    mtp: None,
    is_drafter: false,
};

/// The name of each.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|architecture| architecture.name)
}

impl Architecture {
    /// The architecture of this name.
    ///
    /// # Errors
    /// [`ModelError::Architecture`], which tells what there is, and what of it is near.
    pub(super) fn from_name(name: &str) -> Result<&'static Architecture, ModelError> {
        let found = ALL.iter().copied().find(|architecture| architecture.name == name);
        found.ok_or_else(|| ModelError::Architecture { found: name.into() })
    }
}

/// Its name: there is one of each.
impl std::fmt::Debug for Architecture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Architecture {
    fn eq(&self, other: &Architecture) -> bool {
        self.name == other.name
    }
}

impl serde::Serialize for Architecture {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_have_names_of_their_own() {
        for (index, architecture) in ALL.iter().enumerate() {
            assert!(!architecture.name.is_empty() && !architecture.models.is_empty(), "number {index}");
            assert!(ALL[..index].iter().all(|other| other.name != architecture.name), "{}", architecture.name);
        }
    }

    #[test]
    fn unknown_architecture_names_the_nearest_and_all_there_are() {
        let told = |name: &str| Architecture::from_name(name).expect_err("no such architecture").to_string();
        for (name, near) in [("qwen4", "qwen2"), ("Gemma-3", "gemma3"), ("granitemo", "granitemoe")] {
            let told = told(name);
            let start = format!("architecture `{name}` are not supported yet (the nearest name that is: \"{near}\")");
            assert!(told.contains(&start) && told.contains("supported are llama, "), "{told}");
        }
        assert!(told("mamba9").contains("`mamba9` are not supported yet; supported are"), "{}", told("mamba9"));
    }
}
