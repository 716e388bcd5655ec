//! Mamba 2, among layers with attention (Granite 4) or beside it in each layer (Falcon-H1).

use serde_json::Value;

use super::super::config::{Config, bad, missing};
use super::super::error::HfError;
use super::super::keys::Keys;
use super::super::rope::Rope;
use super::super::rules::{Context, Rule, column, copy, decay, squeezed};
use super::super::tensor::{Op, Slice, Tensor};
use super::common::{ENDS, PRE_NORMS};
use super::llama::PAIRED;
use super::moe::{self, GRANITE, GRANITE_EXPERTS, GRANITE_MOE, GRANITE_SHARED};
use super::{Arch, PLAIN};

const MAMBA: &[Rule] = &[
    ("mamba.in_proj", "ssm_in", copy),
    ("mamba.conv1d", "ssm_conv1d", squeezed),
    ("mamba.A_log", "ssm_a", decay),
    ("mamba.D", "ssm_d", column),
    ("mamba.dt_bias", "ssm_dt.bias", copy),
    ("mamba.norm", "ssm_norm", grouped),
    ("mamba.out_proj", "ssm_out", copy),
];

const GRANITE_HYBRID: Arch = Arch {
    name: "granitehybrid",
    rules: &[ENDS, PRE_NORMS, PAIRED, MAMBA, GRANITE_EXPERTS],
    keys: granite_hybrid_keys,
    extras: |_, _| Ok(Vec::new()),
    ..GRANITE_MOE
};

/// The same without experts.
const GRANITE_HYBRID_DENSE: Arch = Arch { rules: &[ENDS, PRE_NORMS, PAIRED, MAMBA, GRANITE_SHARED], ..GRANITE_HYBRID };

/// The architecture of a Granite 4: one with attention in all layers has the name of its predecessors.
pub(super) fn choose_granite(config: &Config) -> Result<&'static Arch, HfError> {
    let has_experts = config.opt_uint(&["num_local_experts"])?.is_some_and(|experts| experts > 0);
    let all_attend = attends(config)?.iter().all(|attends| *attends);
    Ok(match (all_attend, has_experts) {
        (true, true) => &GRANITE_MOE,
        (true, false) => &GRANITE,
        (false, true) => &GRANITE_HYBRID,
        (false, false) => &GRANITE_HYBRID_DENSE,
    })
}

pub(super) const FALCON_H1: Arch = Arch {
    name: "falcon-h1",
    rules: &[&[
        ("/embed_tokens", "token_embd", |context, slice| scaled(context, slice, "embedding_multiplier")),
        ("/final_layernorm", "output_norm", copy),
        ("/lm_head", "output", |context, slice| scaled(context, slice, "lm_head_multiplier")),
        ("input_layernorm", "attn_norm", copy),
        ("pre_ff_layernorm.weight", "ffn_norm", copy),
        ("self_attn.q_proj", "attn_q", |context, slice| scaled(context, slice, "attention_in_multiplier")),
        ("self_attn.k_proj", "attn_k", |context, slice| {
            // In this order: both products are rounded.
            let factor = context.config.opt_float(&["attention_in_multiplier"])?.unwrap_or(1.0);
            Ok(scaled(context, slice, "key_multiplier")?.op(Op::Scale(factor as f32)))
        }),
        ("self_attn.v_proj", "attn_v", |context, slice| scaled(context, slice, "attention_in_multiplier")),
        ("self_attn.o_proj", "attn_output", |context, slice| scaled(context, slice, "attention_out_multiplier")),
        ("feed_forward.gate_proj", "ffn_gate", |context, slice| scaled_ffn(context, slice, 0)),
        ("feed_forward.up_proj", "ffn_up", copy),
        ("feed_forward.down_proj", "ffn_down", |context, slice| scaled_ffn(context, slice, 1)),
        ("mamba.in_proj", "ssm_in", scaled_input),
        ("mamba.conv1d", "ssm_conv1d", squeezed),
        ("mamba.A_log", "ssm_a", decay),
        ("mamba.D", "ssm_d", column),
        ("mamba.dt_bias", "ssm_dt.bias", copy),
        ("mamba.norm", "ssm_norm", grouped),
        ("mamba.out_proj", "ssm_out", |context, slice| scaled(context, slice, "ssm_out_multiplier")),
    ]],
    keys: falcon_keys,
    ..PLAIN
};

/// Whether each layer of a Granite 4 attends.
fn attends(config: &Config) -> Result<Vec<bool>, HfError> {
    let names = ["attention", "full_attention"];
    config.layers_are("layer_types", &names)?.ok_or_else(|| missing("layer_types"))
}

/// Norms of Mamba 2, a row for each group.
pub(super) fn grouped(context: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    let groups = groups(context.config)?;
    if !slice.elements().is_multiple_of(groups) {
        return Err(slice.mismatch(format!("{groups} groups")));
    }
    let shape = [groups, slice.elements() / groups];
    Ok(slice.reshape(&shape)?.into())
}

fn groups(config: &Config) -> Result<u64, HfError> {
    match config.opt_uint(&["mamba_n_groups", "n_groups", "num_groups"])? {
        Some(0) => Err(bad("n_groups", &Value::from(0), "a number above 0")),
        Some(groups) => Ok(groups.into()),
        None => Ok(1),
    }
}

/// The keys of Mamba 2, but for its width.
pub(super) fn mamba_keys(config: &Config, keys: &mut Keys, inner: u64) -> Result<(), HfError> {
    keys.set("ssm.conv_kernel", config.opt_uint(&["mamba_d_conv", "conv_kernel", "d_conv"])?.unwrap_or(4));
    let state = config.opt_uint(&["mamba_d_state", "ssm_state_size", "state_size", "d_state"])?;
    keys.set("ssm.state_size", state.unwrap_or(128));
    keys.set("ssm.group_count", groups(config)? as u32);
    keys.set("ssm.inner_size", u32::try_from(inner).unwrap_or(u32::MAX));
    let heads = config.opt_uint(&["mamba_n_heads", "mamba_num_heads"])?.ok_or_else(|| missing("mamba_n_heads"))?;
    keys.set("ssm.time_step_rank", heads);
    Ok(())
}

fn granite_hybrid_keys(config: &Config, rope: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    moe::granite_moe_keys(config, rope, keys)?;
    let expand = config.opt_uint(&["mamba_expand"])?.unwrap_or(2);
    mamba_keys(config, keys, u64::from(expand) * config.size("hidden_size")?)?;
    let kv_heads = config.kv_heads()? as u32;
    let attends = attends(config)?;
    keys.per_layer("attention.head_count_kv", attends.iter().map(|attends| if *attends { kv_heads } else { 0 }));
    keys.set_some("rope.dimension_count", config.opt_uint(&["attn_rotary_emb"])?);
    keys.set("rope.scaling.finetuned", false);
    keys.set("context_length", WITHOUT_POSITIONS);
    Ok(())
}

/// The context of a model that knows no positions, and so no limit.
pub(super) const WITHOUT_POSITIONS: u32 = 1 << 20;

fn falcon_keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    keys.set("vocab_size", config.uint("vocab_size")?);
    let inner = match config.opt_uint(&["mamba_d_ssm"])? {
        Some(inner) => inner.into(),
        None => u64::from(config.opt_uint(&["mamba_expand"])?.unwrap_or(2)) * config.size("hidden_size")?,
    };
    mamba_keys(config, keys, inner)
}

fn scaled(context: &Context<'_>, slice: Slice, key: &str) -> Result<Tensor, HfError> {
    let factor = context.config.opt_float(&[key])?.unwrap_or(1.0);
    Ok(Tensor::from(slice).op(Op::Scale(factor as f32)))
}

fn scaled_ffn(context: &Context<'_>, slice: Slice, which: usize) -> Result<Tensor, HfError> {
    let factors = context.config.opt_floats("mlp_multipliers")?.unwrap_or_else(|| vec![1.0, 1.0]);
    let factor = factors.get(which).ok_or_else(|| missing("mlp_multipliers"))?;
    Ok(Tensor::from(slice).op(Op::Scale(*factor as f32)))
}

/// The input of Mamba 2: five ranges of rows, each with a factor of its own.
fn scaled_input(context: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    let config = context.config;
    let factors = config.opt_floats("ssm_multipliers")?.unwrap_or_else(|| vec![1.0; 5]);
    let [z, x, b, c, dt] = factors[..] else { return Err(missing("ssm_multipliers")) };
    let (inner, row) = (config.size("mamba_d_ssm")?, slice.row());
    let state = groups(config)?.saturating_mul(config.size("mamba_d_state")?);
    // Sizes of 32 bits, whose sums 64 bits can count.
    let ends = [
        inner,
        2 * inner,
        (2 * inner).saturating_add(state),
        (2 * inner).saturating_add(state.saturating_mul(2)),
        u64::MAX,
    ];
    let ranges =
        ends.iter().zip([z, x, b, c, dt]).map(|(end, factor)| (end.saturating_mul(row), factor as f32)).collect();
    Ok(scaled(context, slice, "ssm_in_multiplier")?.op(Op::ScaleRanges(ranges)))
}
