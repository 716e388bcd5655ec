//! Hybrids: layers of short convolutions (LFM2) or of Mamba 2 (Granite 4, Nemotron-H, Falcon-H1) among those with attention.

use serde_json::Value;

use super::super::config::{Config, bad, missing};
use super::super::error::HfError;
use super::super::keys::Keys;
use super::super::rope::Rope;
use super::super::rules::{Context, Rule, column, copy, decay, pairs_of_keys, pairs_of_queries, squeezed};
use super::super::tensor::{Op, Slice, Tensor};
use super::common::{ENDS, PRE_NORMS};
use super::llama::PAIRED;
use super::moe::{self, GRANITE, GRANITE_EXPERTS, GRANITE_MOE, GRANITE_SHARED};
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

const NEMOTRON: &[Rule] = &[
    ("/embeddings", "token_embd", copy),
    ("/embed_tokens", "token_embd", copy),
    ("/norm_f", "output_norm", copy),
    ("/lm_head", "output", copy),
    ("norm", "attn_norm", copy),
    ("mixer.in_proj", "ssm_in", copy),
    ("mixer.conv1d", "ssm_conv1d", squeezed),
    ("mixer.A_log", "ssm_a", decay),
    ("mixer.D", "ssm_d", column),
    ("mixer.dt_bias", "ssm_dt.bias", copy),
    ("mixer.norm", "ssm_norm", grouped),
    ("mixer.out_proj", "ssm_out", copy),
    ("mixer.q_proj", "attn_q", pairs_of_queries),
    ("mixer.k_proj", "attn_k", pairs_of_keys),
    ("mixer.v_proj", "attn_v", copy),
    ("mixer.o_proj", "attn_output", copy),
    ("mixer.up_proj", "ffn_up", copy),
    ("mixer.down_proj", "ffn_down", copy),
];

const NEMOTRON_EXPERTS: &[Rule] = &[
    ("mixer.gate", "ffn_gate_inp", copy),
    ("mixer.gate.e_score_correction_bias", "exp_probs_b.bias", copy),
    ("mixer.experts.*.up_proj", "ffn_up_exps", copy),
    ("mixer.experts.*.down_proj", "ffn_down_exps", copy),
    ("mixer.experts.up_proj", "ffn_up_exps.weight", copy),
    ("mixer.experts.down_proj", "ffn_down_exps.weight", copy),
    ("mixer.shared_experts.up_proj", "ffn_up_shexp", copy),
    ("mixer.shared_experts.down_proj", "ffn_down_shexp", copy),
    ("mixer.fc1_latent_proj", "ffn_latent_down", copy),
    ("mixer.fc2_latent_proj", "ffn_latent_up", copy),
];

const NEMOTRON_H: Arch = Arch {
    name: "nemotron_h",
    rules: &[NEMOTRON],
    keys: nemotron_keys,
    rename: without_further_tokens,
    defaults: &[("head_dim", 128.0)],
    ..PLAIN
};

const NEMOTRON_H_MOE: Arch = Arch { name: "nemotron_h_moe", rules: &[NEMOTRON, NEMOTRON_EXPERTS], ..NEMOTRON_H };

/// The architecture of a Nemotron-H, by whether a layer has experts.
pub(super) fn choose_nemotron(config: &Config) -> Result<&'static Arch, HfError> {
    Ok(if nemotron_layers(config)?.contains(&NemotronLayer::Experts) { &NEMOTRON_H_MOE } else { &NEMOTRON_H })
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

/// Whether each layer of a Granite 4 or a Bamba attends.
fn attends(config: &Config) -> Result<Vec<bool>, HfError> {
    let names = ["attention", "full_attention"];
    if let Some(attends) = config.layers_are("layer_types", &names)?.or(config.layers_are("layers_block_type", &names)?)
    {
        return Ok(attends);
    }
    let layers = config.layers()?;
    if let Some(indices) = config.opt_floats("attn_layer_indices")? {
        return Ok((0..layers).map(|layer| indices.contains(&(layer as f64))).collect());
    }
    let (period, offset) = (config.size("attn_layer_period")?, u64::from(config.uint("attn_layer_offset")?));
    Ok((0..layers).map(|layer| layer % period == offset).collect())
}

/// Norms of Mamba 2, a row for each group.
fn grouped(context: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
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
fn mamba_keys(config: &Config, keys: &mut Keys, inner: u64) -> Result<(), HfError> {
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
    let has_positions = config.architecture().starts_with("Bamba");
    keys.set("rope.scaling.finetuned", has_positions);
    if !has_positions {
        keys.set("context_length", WITHOUT_POSITIONS);
    }
    Ok(())
}

/// The context of a model that knows no positions, and so no limit.
const WITHOUT_POSITIONS: u32 = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NemotronLayer {
    Mamba,
    Attention,
    Dense,
    Experts,
}

/// What each layer of a Nemotron-H is, from a text of a letter each or a list of names.
fn nemotron_layers(config: &Config) -> Result<Vec<NemotronLayer>, HfError> {
    use NemotronLayer::{Attention, Dense, Experts, Mamba};
    let key = if config.get("layers_block_type").is_some() { "layers_block_type" } else { "hybrid_override_pattern" };
    let pattern = config.get(key).ok_or_else(|| missing("hybrid_override_pattern"))?;
    let layers: Option<Vec<_>> = match pattern {
        Value::String(letters) => letters
            .chars()
            .map(|letter| match letter {
                'M' => Some(Mamba),
                '*' => Some(Attention),
                '-' => Some(Dense),
                'E' => Some(Experts),
                _ => None,
            })
            .collect(),
        Value::Array(names) => names
            .iter()
            .map(|name| match name.as_str()? {
                "mamba" | "linear_attention" => Some(Mamba),
                "attention" | "full_attention" => Some(Attention),
                "mlp" => Some(Dense),
                "moe" => Some(Experts),
                _ => None,
            })
            .collect(),
        _ => None,
    };
    layers
        .filter(|layers| config.layers().is_ok_and(|count| count == layers.len() as u64))
        .ok_or_else(|| bad(key, pattern, "the kind of each layer"))
}

fn nemotron_keys(config: &Config, rope: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    moe::granite_keys(config, rope, keys)?;
    let layers = nemotron_layers(config)?;
    let heads = config.opt_uint(&["mamba_num_heads", "mamba_n_heads"])?.ok_or_else(|| missing("mamba_num_heads"))?;
    let head = config.opt_uint(&["mamba_head_dim", "mamba_d_head"])?.ok_or_else(|| missing("mamba_head_dim"))?;
    mamba_keys(config, keys, u64::from(heads) * u64::from(head))?;
    keys.set("rope.scaling.finetuned", false);
    keys.set("context_length", WITHOUT_POSITIONS);
    keys.float("attention.layer_norm_rms_epsilon", config.opt_float(&["layer_norm_epsilon", "rms_norm_eps"])?);
    let head_dim = config.opt_uint(&["head_dim", "attention_head_dim"])?.ok_or_else(|| missing("head_dim"))?;
    keys.set("attention.key_length", head_dim);
    keys.set("attention.value_length", head_dim);
    let of = |kind: NemotronLayer, number: u32| layers.iter().map(move |layer| if *layer == kind { number } else { 0 });
    keys.per_layer("attention.head_count_kv", of(NemotronLayer::Attention, config.kv_heads()? as u32));
    if !layers.contains(&NemotronLayer::Experts) {
        for name in ["expert_count", "expert_used_count"] {
            keys.remove(name);
        }
        keys.per_layer("feed_forward_length", of(NemotronLayer::Dense, config.uint("intermediate_size")?));
        return Ok(());
    }
    let (dense, experts) =
        (config.opt_uint(&["intermediate_size"])?.unwrap_or(0), config.uint("moe_intermediate_size")?);
    let width = |layer: &NemotronLayer| match layer {
        NemotronLayer::Experts => experts,
        NemotronLayer::Dense => dense,
        _ => 0,
    };
    keys.per_layer("feed_forward_length", layers.iter().map(width));
    keys.set("expert_feed_forward_length", experts);
    let shared = config.uint("moe_shared_expert_intermediate_size")?;
    keys.set("expert_shared_feed_forward_length", shared);
    keys.set("expert_count", config.uint("n_routed_experts")?);
    keys.set("expert_shared_count", config.uint("n_shared_experts")?);
    keys.set("expert_weights_norm", config.is_true("norm_topk_prob"));
    keys.float("expert_weights_scale", Some(config.float("routed_scaling_factor")?));
    keys.set_some("moe_latent_size", config.opt_uint(&["moe_latent_size"])?);
    Ok(())
}

/// Names of heads for further tokens lead to a rule that leaves them out.
fn without_further_tokens(_: &Config, name: &str) -> Option<String> {
    name.starts_with("mtp.").then(|| "rotary_emb.inv_freq".to_owned())
}

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
