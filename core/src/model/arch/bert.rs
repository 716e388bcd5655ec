//! BERT and what has its layers: norms behind each sum, biases almost everywhere, and every token sees all of its text.
//!
//! - `bert`: MiniLM, BGE, E5, GTE, RoBERTa, XLM-RoBERTa. Learned positions; files of RoBERTa's kind begin them at 0 as the others, since
//!   converters cut two rows off.
//! - `nomic-bert`: RoPE, gates, and biases of norms alone.
//! - `nomic-bert-moe`: RoPE; every second layer has experts, whose weights are not divided by their sum.
//! - `jina-bert-v2`: gates, and ALiBi in place of positions; perhaps norms of all query heads together, of all key heads, and of each sum's sum
//!   with what the layer began with.
//! - `jina-bert-v3`: RoPE in XLM-RoBERTa.

use super::{Architecture, DECODER};
use crate::kernels::Activation;
use crate::model::blocks::{AttentionBlock, EncoderLayer, FeedForward, NormKind};
use crate::model::config::Config;
use crate::model::experts::EXPERT_KEYS;
use crate::model::weights::{LoadError, WeightRegistry};

/// BERT.
pub const BERT: Architecture = Architecture {
    name: "bert",
    models: "BERT, MiniLM, BGE, E5, GTE, XLM-RoBERTa (embeddings, reranking)",
    final_norm: "",
    is_causal: false,
    configure: |config, _| {
        ungated(config);
        config.attentions_mut().for_each(|kind| kind.rope = None);
        Ok(())
    },
    decoder: |registry, config| {
        let layers = (0..config.layers).map(|index| layer(registry, config, index));
        Ok(Box::new(layers.collect::<Result<Vec<EncoderLayer>, _>>()?))
    },
    ..DECODER
};

/// Nomic Embed 1 and 1.5.
pub const NOMIC_BERT: Architecture = Architecture {
    name: "nomic-bert",
    models: "Nomic Embed (embeddings)",
    configure: |config, _| {
        config.norm = NormKind::Layer;
        Ok(())
    },
    prompts: &[
        ("query", "search_query: "),
        ("document", "search_document: "),
        ("clustering", "clustering: "),
        ("classification", "classification: "),
    ],
    ..BERT
};

/// Nomic Embed 2.
pub const NOMIC_BERT_MOE: Architecture = Architecture {
    name: "nomic-bert-moe",
    models: "Nomic Embed 2 (embeddings)",
    reads: EXPERT_KEYS,
    configure: |config, _| {
        ungated(config);
        config.experts.iter_mut().for_each(|experts| experts.routing.normalises = false);
        Ok(())
    },
    ..NOMIC_BERT
};

/// Jina Embeddings 2.
pub const JINA_BERT_V2: Architecture = Architecture {
    name: "jina-bert-v2",
    models: "Jina Embeddings 2, Jina Reranker 1 (embeddings, reranking)",
    reads: &["attention.max_alibi_bias"],
    configure: |config, keys| {
        config.norm = NormKind::Layer;
        config.activation = Activation::Gelu;
        config.max_bias = keys.bound("attention.max_alibi_bias", 8.0)?;
        config.attentions_mut().for_each(|kind| kind.rope = None);
        Ok(())
    },
    ..BERT
};

/// Jina Embeddings 3.
pub const JINA_BERT_V3: Architecture = Architecture {
    name: "jina-bert-v3",
    models: "Jina Embeddings 3 (embeddings)",
    configure: |config, _| {
        ungated(config);
        Ok(())
    },
    ..BERT
};

fn ungated(config: &mut Config) {
    config.norm = NormKind::Layer;
    config.activation = Activation::Gelu;
    config.is_gated = false;
}

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<EncoderLayer, LoadError> {
    let attention = AttentionBlock::register_with_whole_norms_if_any(registry, config, index)?;
    let feed_forward = FeedForward::register(registry, config, index)?;
    EncoderLayer::register(registry, config, index, attention, feed_forward)
}
