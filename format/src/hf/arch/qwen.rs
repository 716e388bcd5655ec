//! Qwen 2 and 3, and 3.5, three of whose four layers are gated delta nets.

use super::super::config::Config;
use super::super::error::HfError;
use super::super::keys::Keys;
use super::super::rope::Rope;
use super::super::rules::{Context, Rule, add_one, copy};
use super::super::tensor::{Op, Slice, Tensor};
use super::common::GATED;
use super::moe::{MATRIX_EACH, STACKED};
use super::{Arch, PLAIN};

pub(super) const QWEN2: Arch = Arch { name: "qwen2", keys: window_keys, ..PLAIN };

pub(super) const QWEN3: Arch = Arch { name: "qwen3", keys: window_keys, ..PLAIN };

const FULL: &[Rule] = &[
    ("/embed_tokens", "token_embd", copy),
    ("/norm", "output_norm", add_one),
    ("/lm_head", "output", copy),
    ("input_layernorm", "attn_norm", add_one),
    ("post_attention_layernorm", "post_attention_norm", add_one),
    ("self_attn.q_proj", "attn_q", copy),
    ("self_attn.k_proj", "attn_k", copy),
    ("self_attn.v_proj", "attn_v", copy),
    ("self_attn.o_proj", "attn_output", copy),
    ("self_attn.q_norm", "attn_q_norm", add_one),
    ("self_attn.k_norm", "attn_k_norm", add_one),
];

/// A gated delta net. Values' heads go from groups to rounds.
const DELTA_NET: &[Rule] = &[
    ("linear_attn.in_proj_qkv", "attn_qkv", behind_keys),
    ("linear_attn.in_proj_z", "attn_gate", value_rows),
    ("linear_attn.in_proj_a", "ssm_alpha", head_rows),
    ("linear_attn.in_proj_b", "ssm_beta", head_rows),
    ("linear_attn.conv1d", "ssm_conv1d", |context, slice| behind_keys(context, slice.squeeze())),
    ("linear_attn.A_log", "ssm_a", |context, slice| Ok(head_rows(context, slice)?.op(Op::NegExp))),
    ("linear_attn.dt_bias", "ssm_dt.bias", head_rows),
    ("linear_attn.norm", "ssm_norm", copy),
    ("linear_attn.out_proj", "ssm_out", |context, slice| rounds(context.config, slice, true)),
];

/// What a layer that predicts a further token has, by the names that [`rename`] gives.
const NEXTN: &[Rule] = &[
    ("eh_proj", "nextn.eh_proj", copy),
    ("enorm", "nextn.enorm", add_one),
    ("hnorm", "nextn.hnorm", add_one),
    ("shared_head.norm", "nextn.shared_head_norm", add_one),
];

const SHARED_EXPERT: &[Rule] = &[
    ("mlp.shared_expert_gate", "ffn_gate_inp_shexp", copy),
    ("mlp.shared_expert.gate_proj", "ffn_gate_shexp", copy),
    ("mlp.shared_expert.up_proj", "ffn_up_shexp", copy),
    ("mlp.shared_expert.down_proj", "ffn_down_shexp", copy),
];

pub(super) const QWEN35: Arch = Arch {
    name: "qwen35",
    rules: &[FULL, DELTA_NET, GATED, NEXTN],
    keys: qwen35_keys,
    extra_layers: |config| Ok(config.opt_uint(&["mtp_num_hidden_layers"])?.unwrap_or(0).into()),
    rename,
    defaults: &[
        ("head_dim", 256.0),
        ("linear_conv_kernel_dim", 4.0),
        ("linear_key_head_dim", 128.0),
        ("linear_value_head_dim", 128.0),
        ("linear_num_key_heads", 16.0),
        ("linear_num_value_heads", 32.0),
        ("full_attention_interval", 4.0),
        ("rms_norm_eps", 1e-6),
    ],
    ..PLAIN
};

pub(super) const QWEN35_MOE: Arch =
    Arch { name: "qwen35moe", rules: &[FULL, DELTA_NET, MATRIX_EACH, STACKED, SHARED_EXPERT, NEXTN], ..QWEN35 };

/// Windows, which few models use and llama.cpp's converter leaves out.
fn window_keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    if config.is_true("use_sliding_window") { super::common::windows(config, keys) } else { Ok(()) }
}

fn qwen35_keys(config: &Config, rope: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    keys.set("ssm.conv_kernel", config.uint("linear_conv_kernel_dim")?);
    keys.set("ssm.state_size", config.uint("linear_key_head_dim")?);
    keys.set("ssm.group_count", config.uint("linear_num_key_heads")?);
    keys.set("ssm.time_step_rank", config.uint("linear_num_value_heads")?);
    let heads = config.uint("linear_num_value_heads")?;
    keys.set("ssm.inner_size", config.uint("linear_value_head_dim")?.saturating_mul(heads));
    keys.set_some("attention.recurrent_layers", config.layers_are("layer_types", &["linear_attention"])?);
    keys.set("full_attention_interval", config.uint("full_attention_interval")?);
    keys.set("rope.dimension_count", (config.head_dim()? as f64 * rope.partial(0.25)?) as u32);
    keys.set_some("expert_feed_forward_length", config.opt_uint(&["moe_intermediate_size"])?);
    keys.set_some("expert_shared_feed_forward_length", config.opt_uint(&["shared_expert_intermediate_size"])?);
    if rope.numbers("mrope_section")?.is_none() {
        keys.per_layer("rope.dimension_sections", [11, 11, 10, 0].into_iter());
    }
    Ok(())
}

/// Tensors of `mtp.` are those of layers behind the last one.
fn rename(config: &Config, name: &str) -> Option<String> {
    let name = name.strip_prefix("model.").unwrap_or(name).strip_prefix("mtp.")?;
    let trunk = config.layers().ok()?;
    if let Some((number, rest)) = name.strip_prefix("layers.").and_then(|rest| rest.split_once('.')) {
        let number: u64 = number.parse().ok()?;
        return Some(format!("model.layers.{}.{rest}", trunk.checked_add(number)?));
    }
    let (from, ending) = name.rsplit_once('.')?;
    let to = match from {
        "fc" => "eh_proj",
        "pre_fc_norm_embedding" => "enorm",
        "pre_fc_norm_hidden" => "hnorm",
        "norm" => "shared_head.norm",
        _ => return None,
    };
    Some(format!("model.layers.{trunk}.{to}.{ending}"))
}

/// Keys' heads, values' heads for each of them, and their sizes.
fn heads(config: &Config) -> Result<[u64; 4], HfError> {
    let (groups, values) = (config.size("linear_num_key_heads")?, config.size("linear_num_value_heads")?);
    if !values.is_multiple_of(groups) {
        return Err(HfError::BadValue {
            key: "linear_num_value_heads".into(),
            found: values.to_string(),
            wanted: "a multiple of linear_num_key_heads",
        });
    }
    Ok([groups, values / groups, config.size("linear_key_head_dim")?, config.size("linear_value_head_dim")?])
}

/// Values' heads in rounds: of columns, or of rows.
fn rounds(config: &Config, slice: Slice, of_columns: bool) -> Result<Tensor, HfError> {
    let [groups, per, _, size] = heads(config)?;
    let unit = if of_columns { size } else { size * slice.row() };
    Ok(slice.rounds(unit, groups, per)?.into())
}

fn value_rows(context: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    rounds(context.config, slice, false)
}

/// One row, or one number, for each of the values' heads.
fn head_rows(context: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    let [groups, per, ..] = heads(context.config)?;
    let unit = slice.row();
    Ok(slice.rounds(unit, groups, per)?.into())
}

/// Rows of queries and keys as they are, and those of values, which follow.
fn behind_keys(context: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    let [groups, per, key_size, value_size] = heads(context.config)?;
    let rows = slice.shape.first().copied().unwrap_or(0);
    let keys = 2 * groups * key_size;
    if rows != keys + groups * per * value_size {
        return Err(slice.mismatch(format!("{keys} rows of queries and keys, and those of values")));
    }
    let unit = slice.row() * value_size;
    let values = slice.clone().rows(keys, rows - keys)?.rounds(unit, groups, per)?;
    Tensor::concat(vec![slice.rows(0, keys)?, values])
}
