//! Llama, Mistral, Mixtral and what is built like them: rows of queries and keys change places for interleaved RoPE.

use super::super::config::Config;
use super::super::error::HfError;
use super::super::keys::Keys;
use super::super::rope::Rope;
use super::super::rules::{Rule, copy, pairs_of_keys, pairs_of_queries};
use super::common::{ENDS, GATED, PRE_NORMS};
use super::{Arch, Extras, PLAIN};

/// Attention with rows for interleaved RoPE.
pub(super) const PAIRED: &[Rule] = &[
    ("self_attn.q_proj", "attn_q", pairs_of_queries),
    ("self_attn.k_proj", "attn_k", pairs_of_keys),
    ("self_attn.v_proj", "attn_v", copy),
    ("self_attn.o_proj", "attn_output", copy),
];

/// Experts as Mixtral names them: a matrix each.
const EXPERTS: &[Rule] = &[
    ("block_sparse_moe.gate", "ffn_gate_inp", copy),
    ("block_sparse_moe.experts.*.w1", "ffn_gate_exps", copy),
    ("block_sparse_moe.experts.*.w2", "ffn_down_exps", copy),
    ("block_sparse_moe.experts.*.w3", "ffn_up_exps", copy),
];

pub(super) const LLAMA: Arch =
    Arch { name: "llama", rules: &[ENDS, PRE_NORMS, PAIRED, GATED, EXPERTS], keys, extras, ..PLAIN };

/// Mistral's third generation, whose GGUF files have a name of their own.
pub(super) const MISTRAL3: Arch = Arch {
    name: "mistral3",
    keys: mistral3_keys,
    defaults: &[
        ("hidden_size", 4096.0),
        ("intermediate_size", 14_336.0),
        ("num_attention_heads", 32.0),
        ("num_key_value_heads", 8.0),
        ("vocab_size", 131_072.0),
    ],
    ..LLAMA
};

/// The architecture of a model of Llama's kind.
pub(super) fn choose(config: &Config) -> &'static Arch {
    if config.model_type() == "ministral3" || config.architecture().starts_with("Mistral3") {
        &MISTRAL3
    } else {
        &LLAMA
    }
}

/// What a model of Llama's kind has besides what all have.
pub(super) fn keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    keys.set("vocab_size", config.uint("vocab_size")?);
    keys.set("rope.dimension_count", config.head_dim()? as u32);
    // llama.cpp's converter leaves out the window of the first Mistral, which counts beyond its 4096 tokens.
    if config.model_type() == "mistral" {
        keys.set_some("attention.sliding_window", config.opt_uint(&["sliding_window"])?);
    }
    Ok(())
}

fn mistral3_keys(config: &Config, rope: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    self::keys(config, rope, keys)?;
    if config.model_type() == "ministral3" {
        keys.float("rope.scaling.yarn_log_multiplier", Some(rope.need("mscale_all_dim")?));
        keys.float("attention.temperature_scale", Some(rope.need("llama_4_scaling_beta")?));
    }
    Ok(())
}

/// The factors of Llama 3's frequencies.
pub(super) fn extras(config: &Config, rope: &Rope) -> Result<Extras, HfError> {
    let factors = rope.llama3_factors(config.head_dim()?, 8.0)?;
    Ok(factors.map(|factors| ("rope_freqs.weight", factors)).into_iter().collect())
}
