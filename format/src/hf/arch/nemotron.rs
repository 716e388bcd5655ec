//! Nemotron-H: each layer is one thing, Mamba 2, attention or a feed-forward network.

use serde_json::Value;

use super::super::config::{Config, bad, missing};
use super::super::error::HfError;
use super::super::keys::Keys;
use super::super::rope::Rope;
use super::super::rules::{Rule, column, copy, decay, pairs_of_keys, pairs_of_queries, squeezed};
use super::mamba::{WITHOUT_POSITIONS, grouped, mamba_keys};
use super::moe;
use super::{Arch, PLAIN};

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
    // A head for further tokens.
    leaves_out: &["mtp."],
    defaults: &[("head_dim", 128.0)],
    ..PLAIN
};

const NEMOTRON_H_MOE: Arch = Arch { name: "nemotron_h_moe", rules: &[NEMOTRON, NEMOTRON_EXPERTS], ..NEMOTRON_H };

/// The architecture of a Nemotron-H, by whether a layer has experts.
pub(super) fn choose(config: &Config) -> Result<&'static Arch, HfError> {
    Ok(if nemotron_layers(config)?.contains(&NemotronLayer::Experts) { &NEMOTRON_H_MOE } else { &NEMOTRON_H })
}

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
