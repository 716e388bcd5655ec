//! LFM2: layers of short convolutions among those with attention.

use super::super::config::{Config, missing};
use super::super::error::HfError;
use super::super::keys::Keys;
use super::super::rope::Rope;
use super::super::rules::{Rule, copy, squeezed};
use super::{Arch, PLAIN};

const SHORT_CONVOLUTIONS: &[Rule] = &[
    ("/embed_tokens", "token_embd", copy),
    ("/embedding_norm", "token_embd_norm", copy),
    ("/lm_head", "output", copy),
    ("operator_norm", "attn_norm", copy),
    ("ffn_norm", "ffn_norm", copy),
    ("self_attn.q_proj", "attn_q", copy),
    ("self_attn.k_proj", "attn_k", copy),
    ("self_attn.v_proj", "attn_v", copy),
    ("self_attn.out_proj", "attn_output", copy),
    ("self_attn.q_layernorm", "attn_q_norm", copy),
    ("self_attn.k_layernorm", "attn_k_norm", copy),
    ("conv.in_proj", "shortconv.in_proj", copy),
    ("conv.out_proj", "shortconv.out_proj", copy),
    ("conv.conv", "shortconv.conv", squeezed),
    ("feed_forward.w1", "ffn_gate", copy),
    ("feed_forward.w2", "ffn_down", copy),
    ("feed_forward.w3", "ffn_up", copy),
];

pub(super) const LFM2: Arch =
    Arch { name: "lfm2", rules: &[SHORT_CONVOLUTIONS], keys: lfm2_keys, theta: 1_000_000.0, ..PLAIN };

pub(super) const LFM2_MOE: Arch = Arch {
    name: "lfm2moe",
    rules: &[
        SHORT_CONVOLUTIONS,
        &[
            ("feed_forward.gate", "ffn_gate_inp", copy),
            ("feed_forward.expert_bias", "exp_probs_b.bias", copy),
            ("feed_forward.experts.*.w1", "ffn_gate_exps", copy),
            ("feed_forward.experts.*.w2", "ffn_down_exps", copy),
            ("feed_forward.experts.*.w3", "ffn_up_exps", copy),
        ],
    ],
    keys: lfm2_moe_keys,
    ..LFM2
};

fn lfm2_keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    short_convolution_keys(config, keys)?;
    let mut width =
        config.opt_float(&["block_ff_dim", "intermediate_size"])?.ok_or_else(|| missing("intermediate_size"))?;
    // Where the key is missing, transformers adjusts.
    if config.get("block_auto_adjust_ff_dim").is_none() || config.is_true("block_auto_adjust_ff_dim") {
        let multiple = config.opt_float(&["block_multiple_of"])?.unwrap_or(256.0).max(1.0);
        let factor = config.opt_float(&["block_ffn_dim_multiplier"])?.unwrap_or(1.0);
        width = ((2.0 * width / 3.0).trunc() * factor).trunc();
        width = multiple * (width / multiple).ceil();
    }
    keys.set("feed_forward_length", width as u32);
    Ok(())
}

fn lfm2_moe_keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    short_convolution_keys(config, keys)?;
    keys.set("expert_feed_forward_length", config.uint("moe_intermediate_size")?);
    keys.set("leading_dense_block_count", config.uint("num_dense_layers")?);
    keys.set("expert_gating_func", 2u32);
    Ok(())
}

fn short_convolution_keys(config: &Config, keys: &mut Keys) -> Result<(), HfError> {
    let attends = match config.layers_are("layer_types", &["full_attention"])? {
        Some(attends) => attends,
        None => {
            let indices = config.opt_floats("full_attn_idxs")?.ok_or_else(|| missing("layer_types"))?;
            (0..config.layers()?).map(|layer| indices.contains(&(layer as f64))).collect()
        }
    };
    let kv_heads = config.kv_heads()? as u32;
    keys.per_layer("attention.head_count_kv", attends.iter().map(|attends| if *attends { kv_heads } else { 0 }));
    keys.set("vocab_size", config.uint("vocab_size")?);
    keys.set("shortconv.l_cache", config.uint("conv_L_cache")?);
    Ok(())
}
