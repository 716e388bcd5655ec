//! Mixtures of experts: Qwen 3, gpt-oss, Granite.

use super::super::config::Config;
use super::super::error::HfError;
use super::super::keys::Keys;
use super::super::rope::Rope;
use super::super::rules::{Context, Rule, copy, gate_half, up_half};
use super::super::tensor::{Slice, Tensor};
use super::common::{ATTENTION, ENDS, GATED, PRE_NORMS, windows_unless};
use super::llama::{self, PAIRED};
use super::{Arch, PLAIN};

/// Experts with a matrix each, and the router.
pub(super) const MATRIX_EACH: &[Rule] = &[
    ("mlp.gate", "ffn_gate_inp", copy),
    ("mlp.experts.*.gate_proj", "ffn_gate_exps", copy),
    ("mlp.experts.*.up_proj", "ffn_up_exps", copy),
    ("mlp.experts.*.down_proj", "ffn_down_exps", copy),
];

/// Experts in one tensor, as transformers has them in memory.
pub(super) const STACKED: &[Rule] = &[
    ("mlp.experts.gate_up_proj", "ffn_gate_exps.weight", gate_half),
    ("mlp.experts.gate_up_proj", "ffn_up_exps.weight", up_half),
    ("mlp.experts.down_proj", "ffn_down_exps.weight", copy),
];

pub(super) const QWEN3_MOE: Arch = Arch {
    name: "qwen3moe",
    rules: &[ENDS, PRE_NORMS, ATTENTION, GATED, MATRIX_EACH, STACKED],
    keys: expert_keys,
    ..PLAIN
};

pub(super) const GPT_OSS: Arch = Arch {
    name: "gpt-oss",
    rules: &[
        ENDS,
        ATTENTION,
        &[
            ("input_layernorm", "attn_norm", copy),
            ("post_attention_layernorm", "post_attention_norm", copy),
            ("self_attn.sinks", "attn_sinks.weight", copy),
            ("mlp.router", "ffn_gate_inp", copy),
            ("mlp.experts.gate_up_proj", "ffn_gate_exps.weight", even_rows),
            ("mlp.experts.gate_up_proj", "ffn_up_exps.weight", odd_rows),
            ("mlp.experts.down_proj", "ffn_down_exps.weight", turned),
            ("mlp.experts.gate_up_proj_bias", "ffn_gate_exps.bias", |_, slice| Ok(slice.every_second(1, 0)?.into())),
            ("mlp.experts.gate_up_proj_bias", "ffn_up_exps.bias", |_, slice| Ok(slice.every_second(1, 1)?.into())),
            ("mlp.experts.down_proj_bias", "ffn_down_exps.bias", copy),
        ],
    ],
    keys: gpt_oss_keys,
    theta: 150_000.0,
    ..PLAIN
};

/// Experts of Granite: gates above the rest, all in one tensor.
pub(super) const GRANITE_EXPERTS: &[Rule] = &[
    ("block_sparse_moe.router.layer", "ffn_gate_inp", copy),
    ("block_sparse_moe.input_linear", "ffn_gate_exps", gate_half),
    ("block_sparse_moe.input_linear", "ffn_up_exps", up_half),
    ("block_sparse_moe.output_linear", "ffn_down_exps", copy),
    ("shared_mlp.input_linear", "ffn_gate_shexp", gate_half),
    ("shared_mlp.input_linear", "ffn_up_shexp", up_half),
    ("shared_mlp.output_linear", "ffn_down_shexp", copy),
];

/// A dense model in the form of one with experts: what all tokens share is all there is.
pub(super) const GRANITE_SHARED: &[Rule] = &[
    ("shared_mlp.input_linear", "ffn_gate", gate_half),
    ("shared_mlp.input_linear", "ffn_up", up_half),
    ("shared_mlp.output_linear", "ffn_down", copy),
];

pub(super) const GRANITE: Arch = Arch {
    name: "granite",
    rules: &[ENDS, PRE_NORMS, PAIRED, GATED, GRANITE_SHARED],
    keys: granite_keys,
    extras: llama::extras,
    ..PLAIN
};

pub(super) const GRANITE_MOE: Arch =
    Arch { name: "granitemoe", rules: &[ENDS, PRE_NORMS, PAIRED, GRANITE_EXPERTS], keys: granite_moe_keys, ..GRANITE };

fn expert_keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    keys.set_some("expert_feed_forward_length", config.opt_uint(&["moe_intermediate_size"])?);
    keys.set_some("expert_shared_feed_forward_length", config.opt_uint(&["shared_expert_intermediate_size"])?);
    Ok(())
}

fn gpt_oss_keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    keys.set("attention.sliding_window", config.uint("sliding_window")?);
    windows_unless(config, keys, |layer| layer % 2 == 0)?;
    keys.set("expert_feed_forward_length", config.uint("intermediate_size")?);
    Ok(())
}

/// What Granite multiplies by, and what all of Llama's kind have.
pub(super) fn granite_keys(config: &Config, rope: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    keys.remove("attention.key_length");
    keys.remove("attention.value_length");
    llama::keys(config, rope, keys)?;
    let head = config.size("hidden_size")? / config.heads()?;
    keys.set("rope.dimension_count", head as u32);
    let factors = [
        ("attention_multiplier", "attention.scale"),
        ("embedding_multiplier", "embedding_scale"),
        ("residual_multiplier", "residual_scale"),
        ("logits_scaling", "logit_scale"),
    ];
    for (from, to) in factors {
        keys.float(to, config.opt_float(&[from])?.filter(|factor| *factor != 0.0));
    }
    Ok(())
}

/// What a Granite with experts has besides.
pub(super) fn granite_moe_keys(config: &Config, rope: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    granite_keys(config, rope, keys)?;
    let shared = config.opt_uint(&["shared_intermediate_size"])?.filter(|width| *width > 0);
    keys.set_some("expert_shared_feed_forward_length", shared);
    Ok(())
}

/// Matrices that stand the other way round, unless they are in blocks.
fn upright(slice: Slice) -> Result<Slice, HfError> {
    match slice.leaf.ty().block() {
        Some((1, _)) => slice.transpose(),
        _ => Ok(slice),
    }
}

fn turned(_: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    Ok(upright(slice)?.into())
}

fn even_rows(_: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    Ok(upright(slice)?.every_second(2, 0)?.into())
}

fn odd_rows(_: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    Ok(upright(slice)?.every_second(2, 1)?.into())
}
