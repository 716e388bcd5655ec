//! GLM: chatglm (also of GLM-4-9B-chat), glm4 and glm4moe.

use super::super::config::Config;
use super::super::error::HfError;
use super::super::keys::Keys;
use super::super::rope::Rope;
use super::super::rules::{Rule, copy};
use super::common::{ATTENTION, ENDS, FUSED_GATE, GATED, PRE_NORMS};
use super::moe::MATRIX_EACH;
use super::nextn::NEXTN;
use super::{Arch, PLAIN};

/// Names of models that bring their own code.
const OLD_NAMES: &[Rule] = &[
    ("/embedding.word_embeddings", "token_embd", copy),
    ("/encoder.final_layernorm", "output_norm", copy),
    ("/output_layer", "output", copy),
    ("self_attention.query_key_value", "attn_qkv", copy),
    ("self_attention.dense", "attn_output", copy),
    ("mlp.dense_h_to_4h", "ffn_up", copy),
    ("mlp.dense_4h_to_h", "ffn_down", copy),
];

pub(super) const CHATGLM: Arch =
    Arch { name: "chatglm", rules: &[ENDS, PRE_NORMS, ATTENTION, FUSED_GATE, OLD_NAMES], keys: chatglm_keys, ..PLAIN };

/// Norms before and behind.
const SANDWICH: &[Rule] = &[
    ("input_layernorm", "attn_norm", copy),
    ("post_self_attn_layernorm", "post_attention_norm", copy),
    ("post_attention_layernorm", "ffn_norm", copy),
    ("post_mlp_layernorm", "post_ffw_norm", copy),
];

pub(super) const GLM4: Arch =
    Arch { name: "glm4", rules: &[ENDS, SANDWICH, ATTENTION, FUSED_GATE], keys: glm4_keys, ..PLAIN };

pub(super) const GLM4_MOE: Arch = Arch {
    name: "glm4moe",
    rules: &[
        ENDS,
        ATTENTION,
        GATED,
        MATRIX_EACH,
        NEXTN,
        &[
            ("input_layernorm", "attn_norm", copy),
            ("post_attention_layernorm", "post_attention_norm", copy),
            ("mlp.gate.e_score_correction_bias", "exp_probs_b.bias", copy),
            ("mlp.shared_experts.gate_proj", "ffn_gate_shexp", copy),
            ("mlp.shared_experts.up_proj", "ffn_up_shexp", copy),
            ("mlp.shared_experts.down_proj", "ffn_down_shexp", copy),
        ],
    ],
    keys: glm4_moe_keys,
    extra_layers: |config| Ok(config.opt_uint(&["num_nextn_predict_layers"])?.unwrap_or(0).into()),
    ..PLAIN
};

/// How many numbers of a head turn: half of them, where nothing is said.
fn turning(config: &Config, rope: &Rope) -> Result<u32, HfError> {
    Ok((config.head_dim()? as f64 * rope.partial(0.5)?) as u32)
}

fn chatglm_keys(config: &Config, rope: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    keys.set_some("context_length", config.opt_uint(&["seq_length", "max_position_embeddings"])?);
    keys.set_some("feed_forward_length", config.opt_uint(&["ffn_hidden_size", "intermediate_size"])?);
    let kv_heads = config.opt_uint(&["multi_query_group_num", "num_key_value_heads"])?;
    keys.set("attention.head_count_kv", kv_heads.map_or_else(|| config.uint("num_attention_heads"), Ok)?);
    let epsilon = config.opt_float(&["layernorm_epsilon", "rms_norm_eps"])?.unwrap_or(1e-5);
    keys.float("attention.layer_norm_rms_epsilon", Some(epsilon));
    keys.set("rope.dimension_count", turning(config, rope)?);
    let ratio = config.opt_float(&["rope_ratio"])?.unwrap_or(1.0);
    keys.float("rope.freq_base", Some(rope.theta()? * ratio));
    keys.whole("tokenizer.ggml.add_bos_token", false);
    Ok(())
}

fn glm4_keys(config: &Config, rope: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    if rope.numbers("mrope_section")?.is_some() {
        return Err(HfError::unsupported("a GLM-4 with positions in several dimensions"));
    }
    keys.set("rope.dimension_count", turning(config, rope)?);
    Ok(())
}

fn glm4_moe_keys(config: &Config, rope: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    keys.set("rope.dimension_count", turning(config, rope)?);
    keys.set_some("expert_count", config.opt_uint(&["n_routed_experts"])?);
    keys.set_some("expert_feed_forward_length", config.opt_uint(&["moe_intermediate_size"])?);
    keys.set_some("expert_shared_count", config.opt_uint(&["n_shared_experts"])?);
    keys.set_some("leading_dense_block_count", config.opt_uint(&["first_k_dense_replace"])?);
    keys.set("expert_gating_func", 2u32);
    // Set again where the checkpoint has such layers.
    keys.set_some("nextn_predict_layers", config.opt_uint(&["num_nextn_predict_layers"])?.map(|_| 0u32));
    keys.float("expert_weights_scale", config.opt_float(&["routed_scaling_factor"])?);
    keys.set_some("expert_weights_norm", config.get("norm_topk_prob").and_then(serde_json::Value::as_bool));
    Ok(())
}
