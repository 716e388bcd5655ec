//! What most architectures share: names of tensors, and keys that follow from the configuration alone.

use super::super::config::{Config, floats};
use super::super::error::HfError;
use super::super::keys::Keys;
use super::super::rope::Rope;
use super::super::rules::{Rule, copy};

/// Embeddings, the last norm and the head.
pub(in super::super) const ENDS: &[Rule] =
    &[("/embed_tokens", "token_embd", copy), ("/norm", "output_norm", copy), ("/lm_head", "output", copy)];

/// Attention without rows that change places.
pub(in super::super) const ATTENTION: &[Rule] = &[
    ("self_attn.q_proj", "attn_q", copy),
    ("self_attn.k_proj", "attn_k", copy),
    ("self_attn.v_proj", "attn_v", copy),
    ("self_attn.o_proj", "attn_output", copy),
    ("self_attn.q_norm", "attn_q_norm", copy),
    ("self_attn.k_norm", "attn_k_norm", copy),
];

/// Norms before attention and before the feed-forward layer.
pub(in super::super) const PRE_NORMS: &[Rule] =
    &[("input_layernorm", "attn_norm", copy), ("post_attention_layernorm", "ffn_norm", copy)];

/// A gated feed-forward layer.
pub(in super::super) const GATED: &[Rule] =
    &[("mlp.gate_proj", "ffn_gate", copy), ("mlp.up_proj", "ffn_up", copy), ("mlp.down_proj", "ffn_down", copy)];

/// A feed-forward layer whose gate stands above the rest in one matrix.
pub(in super::super) const FUSED_GATE: &[Rule] =
    &[("mlp.gate_up_proj", "ffn_up", copy), ("mlp.down_proj", "ffn_down", copy)];

/// The keys that llama.cpp's converter writes for every text model, where the configuration has what they need.
pub(in super::super) fn keys(config: &Config, rope: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    let context =
        ["max_position_embeddings", "n_ctx", "n_positions", "max_length", "max_sequence_length", "model_max_length"];
    let ffn =
        ["prefix_dense_intermediate_size", "dense_intermediate_size", "intermediate_size", "n_inner", "hidden_dim"];
    keys.set("block_count", config.layers()? as u32);
    keys.set_some("context_length", config.opt_uint(&context)?);
    keys.set_some("embedding_length", config.opt_uint(&["hidden_size", "n_embd", "dim"])?);
    match config.get("intermediate_size").filter(|widths| widths.is_array()) {
        Some(widths) => {
            let widths = floats("intermediate_size", widths)?;
            keys.per_layer("feed_forward_length", widths.iter().map(|width| *width as u32));
        }
        None => keys.set_some("feed_forward_length", config.opt_uint(&ffn)?),
    }
    keys.set_some("attention.head_count", config.opt_uint(&["num_attention_heads", "n_head", "n_heads"])?);
    keys.set_some("attention.head_count_kv", config.opt_uint(&["num_key_value_heads", "n_kv_heads"])?);
    if config.get("is_causal").and_then(serde_json::Value::as_bool) == Some(false) {
        keys.set("attention.causal", false);
    }
    rope.keys(keys)?;
    keys.float("attention.layer_norm_rms_epsilon", config.opt_float(&["rms_norm_eps", "norm_eps"])?);
    let epsilon = ["layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"];
    keys.float("attention.layer_norm_epsilon", config.opt_float(&epsilon)?);
    keys.set_some("expert_count", config.opt_uint(&["num_local_experts", "num_experts", "n_routed_experts"])?);
    let used = ["num_experts_per_tok", "num_experts_per_token", "top_k_experts"];
    keys.set_some("expert_used_count", config.opt_uint(&used)?);
    keys.set_some("expert_group_count", config.opt_uint(&["n_group"])?);
    keys.set_some("expert_group_used_count", config.opt_uint(&["topk_group"])?);
    gating(config, keys)?;
    if let Some(head) = config.opt_uint(&["head_dim"])? {
        keys.set("attention.key_length", head);
        keys.set("attention.value_length", head);
    }
    Ok(())
}

/// How a router's numbers become weights, where the configuration says so.
fn gating(config: &Config, keys: &mut Keys) -> Result<(), HfError> {
    let names = ["score_function", "scoring_func", "score_func", "moe_router_activation", "moe_router_activation_func"];
    let function = match names.iter().find_map(|name| config.str(name)) {
        None => return Ok(()),
        Some("softmax") => 1u32,
        Some("sigmoid") => 2,
        Some("sqrtsoftplus") => 4,
        Some(other) => return Err(HfError::unsupported(format!("a router with the function {other:?}"))),
    };
    keys.set("expert_gating_func", function);
    Ok(())
}

/// The keys of windows: a size, and which layers have one.
pub(in super::super) fn windows(config: &Config, keys: &mut Keys) -> Result<(), HfError> {
    keys.set_some("attention.sliding_window", config.opt_uint(&["sliding_window"])?);
    keys.set_some("attention.sliding_window_pattern", config.layers_are("layer_types", &["sliding_attention"])?);
    Ok(())
}

/// Which layers have a window, where that differs from what a GGUF file without the key means.
pub(in super::super) fn windows_unless(
    config: &Config,
    keys: &mut Keys,
    is_usual: impl Fn(usize) -> bool,
) -> Result<(), HfError> {
    let Some(windowed) = config.layers_are("layer_types", &["sliding_attention"])? else { return Ok(()) };
    if !windowed.iter().enumerate().all(|(layer, is_windowed)| *is_windowed == is_usual(layer)) {
        keys.set("attention.sliding_window_pattern", windowed);
    }
    Ok(())
}
