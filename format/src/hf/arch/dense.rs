//! Dense models that differ from Llama in a norm, a key or a name.

use std::rc::Rc;

use serde_json::Value;

use super::super::config::Config;
use super::super::error::HfError;
use super::super::keys::Keys;
use super::super::rope::Rope;
use super::super::rules::{Context, DROPPED, Rule, copy};
use super::super::tensor::{Op, Slice, Tensor};
use super::common::{ATTENTION, ENDS, FUSED_GATE, GATED, PRE_NORMS, windows, windows_unless};
use super::llama::LLAMA;
use super::{Arch, Extras, PLAIN};

pub(super) const PHI3: Arch = Arch {
    name: "phi3",
    rules: &[
        ENDS,
        PRE_NORMS,
        FUSED_GATE,
        &[("self_attn.qkv_proj", "attn_qkv", copy), ("self_attn.o_proj", "attn_output", copy)],
    ],
    keys: phi3_keys,
    extras: phi3_extras,
    defaults: &[("original_max_position_embeddings", 4096.0)],
    ..PLAIN
};

pub(super) const SMOLLM3: Arch = Arch { name: "smollm3", keys: smollm3_keys, theta: 2_000_000.0, ..LLAMA };

/// Norms behind attention and the feed-forward layer, and none before.
const POST_NORMS: &[Rule] =
    &[("post_attention_layernorm", "post_attention_norm", copy), ("post_feedforward_layernorm", "post_ffw_norm", copy)];

pub(super) const OLMO2: Arch =
    Arch { name: "olmo2", rules: &[ENDS, POST_NORMS, ATTENTION, GATED], keys: olmo_keys, ..PLAIN };

pub(super) const EXAONE4: Arch = Arch {
    name: "exaone4",
    rules: &[ENDS, POST_NORMS, ATTENTION, GATED],
    keys: exaone4_keys,
    extras: |config, rope| {
        let factors = rope.llama3_factors(config.head_dim()?, 16.0)?;
        Ok(factors.map(|factors| ("rope_freqs.weight", factors)).into_iter().collect())
    },
    ..PLAIN
};

/// One norm for attention and the feed-forward layer, which lie side by side. The head is always the embeddings' matrix.
const PARALLEL: &[Rule] = &[
    ("/embed_tokens", "token_embd", copy),
    ("/lm_head", DROPPED, copy),
    ("/norm", "output_norm", copy),
    ("input_layernorm", "attn_norm", copy),
];

pub(super) const COMMAND_R: Arch =
    Arch { name: "command-r", rules: &[PARALLEL, ATTENTION, GATED], keys: command_r_keys, ..PLAIN };

pub(super) const COHERE2: Arch =
    Arch { name: "cohere2", rules: &[PARALLEL, ATTENTION, GATED], keys: cohere2_keys, ..PLAIN };

pub(super) const HUNYUAN: Arch = Arch {
    name: "hunyuan-dense",
    rules: &[
        ENDS,
        PRE_NORMS,
        ATTENTION,
        GATED,
        &[("self_attn.query_layernorm", "attn_q_norm", copy), ("self_attn.key_layernorm", "attn_k_norm", copy)],
    ],
    keys: hunyuan_keys,
    ..PLAIN
};

pub(super) const SEED_OSS: Arch = Arch {
    name: "seed_oss",
    rules: &[
        ENDS,
        ATTENTION,
        GATED,
        &[("input_layernorm", "attn_norm", copy), ("post_attention_layernorm", "post_attention_norm", copy)],
    ],
    ..PLAIN
};

/// Weights that are -1, 0 or 1 times a scale; norms within attention and the feed-forward layer.
pub(super) const BITNET: Arch = Arch {
    name: "bitnet",
    rules: &[
        PARALLEL,
        &[
            ("post_attention_layernorm", "ffn_norm", copy),
            ("self_attn.q_proj", "attn_q", ternary),
            ("self_attn.k_proj", "attn_k", ternary),
            ("self_attn.v_proj", "attn_v", ternary),
            ("self_attn.o_proj", "attn_output", ternary),
            ("self_attn.attn_sub_norm", "attn_sub_norm", copy),
            ("self_attn.inner_attn_ln", "attn_sub_norm", copy),
            ("mlp.gate_proj", "ffn_gate", ternary),
            ("mlp.up_proj", "ffn_up", ternary),
            ("mlp.down_proj", "ffn_down", ternary),
            ("mlp.ffn_sub_norm", "ffn_sub_norm", copy),
            ("mlp.ffn_layernorm", "ffn_sub_norm", copy),
        ],
    ],
    keys: |_, _, keys| {
        keys.set("rope.scaling.type", "linear");
        keys.float("rope.scaling.factor", Some(1.0));
        Ok(())
    },
    ..PLAIN
};

/// Weights of a model that rounds them as it runs. Others are used as they are stored.
fn ternary(context: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    let quantised = context.config.object("quantization_config");
    let is_online = quantised.is_some_and(|how| how.get("quantization_mode").and_then(Value::as_str) == Some("online"));
    let rounds = is_online || context.config.architecture() == ROUNDING;
    Ok(if rounds { Tensor::from(slice).op(Op::Ternary(Rc::default())) } else { slice.into() })
}

/// The class of the first BitNet, whose model type is Llama's.
pub(super) const ROUNDING: &str = "BitnetForCausalLM";

fn phi3_keys(config: &Config, rope: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    let turning = (rope.partial(1.0)? * config.float("hidden_size")?) as u64 / config.heads()?;
    keys.set("rope.dimension_count", turning as u32);
    keys.set("rope.scaling.original_context_length", original_context(config, rope)? as u32);
    keys.set("attention.sliding_window", config.opt_uint(&["sliding_window"])?.unwrap_or(0));
    // Its tensors say that, and a head's size is always the width by the heads.
    for name in ["rope.scaling.type", "attention.key_length", "attention.value_length"] {
        keys.remove(name);
    }
    if rope.numbers("long_factor")?.is_none() {
        return Ok(());
    }
    let original = original_context(config, rope)?;
    let scale = config.float("max_position_embeddings")? / original;
    let factor = match rope.kind().as_str() {
        _ if scale <= 1.0 => 1.0,
        "su" | "longrope" => (1.0 + scale.ln() / original.ln()).sqrt(),
        "yarn" => 0.1 * scale.ln() + 1.0,
        other => return Err(HfError::unsupported(format!("positions of the kind {other:?}"))),
    };
    keys.float("rope.scaling.attn_factor", Some(factor));
    Ok(())
}

fn original_context(config: &Config, rope: &Rope) -> Result<f64, HfError> {
    match rope.number("original_max_position_embeddings")? {
        Some(original) => Ok(original),
        None => config.float("original_max_position_embeddings"),
    }
}

fn phi3_extras(config: &Config, rope: &Rope) -> Result<Extras, HfError> {
    let factors = |key: &str| -> Result<Option<Tensor>, HfError> {
        let Some(numbers) = rope.numbers(key)? else { return Ok(None) };
        let turning = (rope.partial(1.0)? * config.float("hidden_size")?) as u64 / config.heads()?;
        if numbers.len() as u64 != turning / 2 {
            let found = numbers.len().to_string();
            return Err(HfError::BadValue { key: key.into(), found, wanted: "a number for each pair of a head" });
        }
        Ok(Some(Tensor::given(numbers.into_iter().map(|number| number as f32).collect())))
    };
    let named = [
        ("rope_factors_long.weight", factors("long_factor")?),
        ("rope_factors_short.weight", factors("short_factor")?),
    ];
    Ok(named.into_iter().filter_map(|(name, tensor)| Some((name, tensor?))).collect())
}

fn smollm3_keys(config: &Config, rope: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    // GGUF has no key for it: each fourth layer is without positions.
    if let Some(with) = config.opt_floats("no_rope_layers")?
        && !with.iter().enumerate().all(|(layer, with)| (*with != 0.0) == ((layer + 1) % 4 != 0))
    {
        return Err(HfError::unsupported("a SmolLM3 with other layers without positions than each fourth"));
    }
    super::llama::keys(config, rope, keys)
}

fn olmo_keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    let Some(window) = config.opt_uint(&["sliding_window"])? else { return Ok(()) };
    keys.set("attention.sliding_window", window);
    let windowed = config.layers_are("layer_types", &["sliding_attention"])?;
    let each_fourth = (0..config.layers()?).map(|layer| (layer + 1) % 4 != 0).collect();
    keys.set("attention.sliding_window_pattern", windowed.unwrap_or(each_fourth));
    Ok(())
}

fn exaone4_keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    keys.set("vocab_size", config.uint("vocab_size")?);
    if config.opt_uint(&["sliding_window"])?.is_none() {
        return Ok(());
    }
    windows(config, keys)?;
    if config.get("layer_types").is_none() {
        let layers = config.layers()? as usize;
        let pattern: Option<Vec<bool>> = match config.get("sliding_window_pattern") {
            Some(Value::String(letters)) if !letters.is_empty() => {
                Some(letters.bytes().cycle().take(layers).map(|letter| letter == b'L').collect())
            }
            Some(Value::Number(_)) => {
                let each = config.size("sliding_window_pattern")? as usize;
                Some((1..=layers).map(|layer| layer % each != 0).collect())
            }
            _ => None,
        };
        keys.set_some("attention.sliding_window_pattern", pattern);
    }
    Ok(())
}

fn command_r_keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    // What config.json calls the largest position is less than what the model was trained for.
    keys.set_some("context_length", config.opt_uint(&["model_max_length", "max_position_embeddings"])?);
    keys.float("logit_scale", Some(config.float("logit_scale")?));
    keys.set("rope.scaling.type", "none");
    Ok(())
}

fn cohere2_keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    keys.float("logit_scale", Some(config.float("logit_scale")?));
    keys.set("attention.sliding_window", config.uint("sliding_window")?);
    windows_unless(config, keys, |layer| layer % 4 != 3)?;
    keys.set("vocab_size", config.uint("vocab_size")?);
    let share = config.opt_float(&["rotary_pct"])?.unwrap_or(1.0);
    let head = config.size("hidden_size")? / config.heads()?;
    keys.set("rope.dimension_count", (share * head as f64) as u32);
    keys.set("rope.scaling.type", "none");
    Ok(())
}

fn hunyuan_keys(config: &Config, rope: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    keys.remove("expert_count");
    keys.remove("expert_used_count");
    if config.opt_uint(&["num_experts"])?.is_some_and(|experts| experts > 1) {
        return Err(HfError::unsupported("a Hunyuan with experts"));
    }
    if rope.kind() != "dynamic" {
        return Ok(());
    }
    // A base that does the work of the scaling, for a context of 256K: what config.json gives as its length is not it.
    const CONTEXT: u32 = 256 << 10;
    let (alpha, head) = (rope.number("alpha")?.unwrap_or(50.0), config.head_dim()? as f64);
    keys.float("rope.freq_base", Some(rope.theta()? * alpha.powf(head / (head - 2.0))));
    keys.set("rope.scaling.type", "none");
    keys.float("rope.scaling.factor", Some(1.0));
    keys.set("rope.scaling.original_context_length", CONTEXT);
    keys.set("context_length", CONTEXT);
    Ok(())
}
