//! Gemma 2 and 3, whose norms are stored without the one that is added to them.

use super::super::config::{Config, Default};
use super::super::error::HfError;
use super::super::keys::Keys;
use super::super::rope::Rope;
use super::super::rules::{DROPPED, Rule, add_one, copy};
use super::common::{GATED, windows_unless};
use super::{Arch, PLAIN};

/// Attention, without norms.
pub(super) const PROJECTIONS: &[Rule] = &[
    ("self_attn.q_proj", "attn_q", copy),
    ("self_attn.k_proj", "attn_k", copy),
    ("self_attn.v_proj", "attn_v", copy),
    ("self_attn.o_proj", "attn_output", copy),
];

const NORMS_FROM_ZERO: &[Rule] = &[
    ("/norm", "output_norm", add_one),
    ("input_layernorm", "attn_norm", add_one),
    ("post_attention_layernorm", "post_attention_norm", add_one),
    ("pre_feedforward_layernorm", "ffn_norm", add_one),
    ("post_feedforward_layernorm", "post_ffw_norm", add_one),
    ("self_attn.q_norm", "attn_q_norm", add_one),
    ("self_attn.k_norm", "attn_k_norm", add_one),
];

pub(super) const EMBEDDINGS: &[Rule] = &[("/embed_tokens", "token_embd", copy), ("/lm_head", "output", copy)];

/// Embeddings of a model whose head is always the same matrix.
const TIED: &[Rule] = &[("/embed_tokens", "token_embd", copy), ("/lm_head", DROPPED, copy)];

const GEMMA3_DEFAULTS: &[Default] = &[
    ("max_position_embeddings", 131_072.0),
    ("num_attention_heads", 8.0),
    ("num_key_value_heads", 4.0),
    ("head_dim", 256.0),
    ("rms_norm_eps", 1e-6),
];

pub(super) const GEMMA2: Arch =
    Arch { name: "gemma2", rules: &[TIED, PROJECTIONS, NORMS_FROM_ZERO, GATED], keys: gemma2_keys, ..PLAIN };

pub(super) const GEMMA3: Arch = Arch {
    name: "gemma3",
    rules: &[EMBEDDINGS, PROJECTIONS, NORMS_FROM_ZERO, GATED],
    keys: gemma3_keys,
    defaults: GEMMA3_DEFAULTS,
    theta: 1_000_000.0,
    ..PLAIN
};

/// The same as an encoder: it sees both ways.
const GEMMA_EMBEDDING: Arch = Arch { name: "gemma-embedding", keys: embedding_keys, ..GEMMA3 };

/// A model without a head is an encoder.
pub(super) fn choose(config: &Config) -> &'static Arch {
    if config.architecture() == "Gemma3TextModel" { &GEMMA_EMBEDDING } else { &GEMMA3 }
}

fn embedding_keys(config: &Config, rope: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    gemma3_keys(config, rope, keys)?;
    keys.set("attention.causal", false);
    Ok(())
}

fn gemma2_keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    keys.float("attn_logit_softcapping", Some(config.float("attn_logit_softcapping")?));
    keys.float("final_logit_softcapping", Some(config.float("final_logit_softcapping")?));
    keys.set("attention.sliding_window", config.uint("sliding_window")?);
    windows_unless(config, keys, |layer| layer % 2 == 0)
}

pub(super) fn gemma3_keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    if config.opt_float(&["attn_logit_softcapping"])?.is_some() {
        return Err(HfError::unsupported("a Gemma 3 with capped attention"));
    }
    keys.float("final_logit_softcapping", config.opt_float(&["final_logit_softcapping"])?.filter(|cap| *cap != 0.0));
    if config.opt_uint(&["sliding_window_pattern"])? != Some(1) {
        keys.set("attention.sliding_window", config.uint("sliding_window")?);
        windows_unless(config, keys, |layer| layer % 6 != 5)?;
    }
    Ok(())
}
