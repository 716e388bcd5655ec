//! Gemma 3n and 4: norms as they are, and a second table of embeddings, of which each layer adds a part.

use super::super::config::{Config, bad};
use super::super::error::HfError;
use super::super::keys::Keys;
use super::super::leaf::Leaf;
use super::super::rope::Rope;
use super::super::rules::{Context, Rule, copy};
use super::super::tensor::{Slice, Tensor};
use super::common::GATED;
use super::gemma::{EMBEDDINGS, PROJECTIONS, gemma3_keys};
use super::{Arch, Extras, PLAIN};

const NORMS: &[Rule] = &[
    ("/norm", "output_norm", copy),
    ("input_layernorm", "attn_norm", copy),
    ("post_attention_layernorm", "post_attention_norm", copy),
    ("pre_feedforward_layernorm", "ffn_norm", copy),
    ("post_feedforward_layernorm", "post_ffw_norm", copy),
    ("self_attn.q_norm", "attn_q_norm", copy),
    ("self_attn.k_norm", "attn_k_norm", copy),
];

/// What each layer adds from a second table of embeddings.
const PER_LAYER: &[Rule] = &[
    ("/per_layer_model_projection", "per_layer_model_proj", copy),
    ("/per_layer_projection_norm", "per_layer_proj_norm", copy),
    ("per_layer_input_gate", "inp_gate", copy),
    ("per_layer_projection", "proj", copy),
    ("post_per_layer_input_norm", "post_norm", copy),
];

pub(super) const GEMMA3N: Arch = Arch {
    name: "gemma3n",
    rules: &[
        &[
            ("/embed_tokens", "token_embd", padded),
            ("/embed_tokens_per_layer", "per_layer_token_embd", padded),
            ("/lm_head", "output", copy),
            ("/altup_projections.*", "altup_proj", copy),
            ("/altup_unembed_projections.*", "altup_unembd_proj", copy),
            ("altup.correction_coefs", "altup_correct_coef", copy),
            ("altup.correct_output_scale", "altup_correct_scale.weight", copy),
            ("altup.prediction_coefs", "altup_predict_coef", copy),
            ("altup.modality_router", "altup_router", copy),
            ("altup.router_norm", "altup_router_norm", copy),
            ("laurel.linear_left", "laurel_l", copy),
            ("laurel.linear_right", "laurel_r", copy),
            ("laurel.post_laurel_norm", "laurel_post_norm", copy),
        ],
        PROJECTIONS,
        NORMS,
        GATED,
        PER_LAYER,
    ],
    keys: gemma3n_keys,
    defaults: &[
        ("max_position_embeddings", 32_768.0),
        ("num_attention_heads", 8.0),
        ("num_key_value_heads", 2.0),
        ("head_dim", 256.0),
        ("rms_norm_eps", 1e-6),
        ("sliding_window", 512.0),
        ("altup_active_idx", 0.0),
        ("altup_num_inputs", 4.0),
        ("hidden_size_per_layer_input", 256.0),
        ("num_kv_shared_layers", 15.0),
    ],
    theta: 1_000_000.0,
    ..PLAIN
};

pub(super) const GEMMA4: Arch = Arch {
    name: "gemma4",
    rules: &[
        &[
            ("/embed_tokens_per_layer", "per_layer_token_embd", copy),
            ("layer_scalar", "layer_output_scale.weight", copy),
            ("router.proj", "ffn_gate_inp", copy),
            ("router.scale", "ffn_gate_inp.scale", copy),
            ("router.per_expert_scale", "ffn_down_exps.scale", copy),
            ("pre_feedforward_layernorm_2", "pre_ffw_norm_2", copy),
            ("post_feedforward_layernorm_1", "post_ffw_norm_1", copy),
            ("post_feedforward_layernorm_2", "post_ffw_norm_2", copy),
            ("experts.gate_up_proj", "ffn_gate_up_exps.weight", copy),
            ("experts.down_proj", "ffn_down_exps.weight", copy),
        ],
        EMBEDDINGS,
        PROJECTIONS,
        NORMS,
        GATED,
        PER_LAYER,
    ],
    keys: gemma4_keys,
    extras: gemma4_extras,
    defaults: &[
        ("max_position_embeddings", 131_072.0),
        ("num_attention_heads", 8.0),
        ("num_key_value_heads", 4.0),
        ("head_dim", 256.0),
        ("rms_norm_eps", 1e-6),
        ("sliding_window", 512.0),
        ("num_kv_shared_layers", 0.0),
    ],
    theta: 1_000_000.0,
    ..PLAIN
};

/// A drafter of Gemma 4, whose layers have no keys of their own.
pub(super) const GEMMA4_ASSISTANT: Arch = Arch {
    name: "gemma4-assistant",
    rules: &[
        &[
            ("/pre_projection", "nextn.pre_projection", copy),
            ("/post_projection", "nextn.post_projection", copy),
            ("layer_scalar", "layer_output_scale.weight", copy),
        ],
        EMBEDDINGS,
        PROJECTIONS,
        NORMS,
        GATED,
    ],
    keys: |config, rope, keys| {
        gemma4_keys(config, rope, keys)?;
        keys.set("embedding_length_out", config.uint("backbone_hidden_size")?);
        keys.set("nextn_predict_layers", config.layers()? as u32);
        Ok(())
    },
    // Which words are near each other, for drafts that look at some of them alone.
    leaves_out: &["masked_embedding."],
    ..GEMMA4
};

fn gemma3n_keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    if config.uint("altup_num_inputs")? != 4 {
        return Err(HfError::unsupported("a Gemma 3n with another number of streams than 4"));
    }
    keys.float("final_logit_softcapping", config.opt_float(&["final_logit_softcapping"])?);
    keys.set("attention.sliding_window", config.uint("sliding_window")?);
    keys.set("altup.active_idx", config.uint("altup_active_idx")?);
    keys.set("altup.num_inputs", config.uint("altup_num_inputs")?);
    keys.set("embedding_length_per_layer_input", config.uint("hidden_size_per_layer_input")?);
    keys.set("attention.shared_kv_layers", config.uint("num_kv_shared_layers")?);
    let layers = config.layers()? as usize;
    // A share of 0 stands for none, whose quantile is minus infinity.
    let sparsity = match config.opt_floats("activation_sparsity_pattern") {
        Ok(shares) => shares.unwrap_or_else(|| (0..layers).map(|layer| if layer < 10 { 0.95 } else { 0.0 }).collect()),
        Err(_) => vec![config.float("activation_sparsity_pattern")?; layers],
    };
    keys.set("activation_sparsity_scale", sparsity.into_iter().map(quantile).collect::<Vec<f32>>());
    let windowed = config.layers_are("layer_types", &["sliding_attention"])?;
    let pattern = windowed.unwrap_or_else(|| (0..layers).map(|layer| layer % 5 != 4).collect());
    keys.set("attention.sliding_window_pattern", pattern);
    Ok(())
}

/// The number below which a share `p` of normally distributed numbers lies.
fn quantile(p: f64) -> f32 {
    if p <= 0.0 {
        return f32::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f32::INFINITY;
    }
    // Bisection on the distribution function: 60 halvings are exact to f32, and nothing here needs speed.
    let (mut low, mut high) = (-10.0f64, 10.0f64);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if distribution(middle) < p { low = middle } else { high = middle }
    }
    ((low + high) / 2.0) as f32
}

/// The share of normally distributed numbers below `x`: half and the series of the integral.
fn distribution(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..400 {
        term *= x * x / f64::from(2 * n + 1);
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// With rows of zeros for tokens that stand for images and sound.
fn padded(context: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    let rows = slice.shape.first().copied().unwrap_or(0);
    let vocab = u64::from(context.config.opt_uint(&["vocab_size"])?.unwrap_or(262_400));
    let crate::quant::TensorType::Weights(ty) = slice.leaf.ty() else { return Ok(slice.into()) };
    if vocab <= rows || slice.shape.len() != 2 {
        return Ok(slice.into());
    }
    let zeros = Slice::new(&slice.name, Leaf::Zeros(ty), vec![vocab - rows, slice.shape[1]]);
    Tensor::concat(vec![slice, zeros])
}

fn gemma4_keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    gemma3_keys(config, &Rope::default(), keys)?;
    let layers = config.layers()? as usize;
    let shared = config.uint("num_kv_shared_layers")?;
    keys.set("attention.shared_kv_layers", shared);
    let per_layer = config.get("hidden_size_per_layer_input").map(|_| config.uint("hidden_size_per_layer_input"));
    keys.set("embedding_length_per_layer_input", per_layer.transpose()?.unwrap_or(0));
    let windowed = config.layers_are("layer_types", &["sliding_attention"])?;
    // The last layer always sees everything.
    let windowed = windowed.unwrap_or_else(|| (0..layers).map(|layer| layer % 6 != 5 && layer + 1 != layers).collect());
    keys.set("attention.sliding_window_pattern", windowed.clone());
    let (full, window) = (full_head(config)?, config.uint("head_dim")?);
    for (name, value) in
        [("key_length", full), ("value_length", full), ("key_length_swa", window), ("value_length_swa", window)]
    {
        keys.set(&format!("attention.{name}"), value);
    }
    keys.set_some(
        "expert_feed_forward_length",
        config.opt_uint(&["expert_intermediate_size", "moe_intermediate_size"])?,
    );
    if config.is_true("use_double_wide_mlp") {
        let ffn = config.uint("intermediate_size")?;
        let first_shared = layers.saturating_sub(shared as usize);
        let width = |layer| if layer < first_shared { ffn } else { ffn.saturating_mul(2) };
        keys.per_layer("feed_forward_length", (0..layers).map(width));
    }
    if let Some(full) = of_full_layers(config, "num_global_key_value_heads", "num_key_value_heads")? {
        let window = config.uint("num_key_value_heads")?;
        keys.per_layer(
            "attention.head_count_kv",
            windowed.iter().map(|is_windowed| if *is_windowed { window } else { full }),
        );
    }
    keys.set("rope.dimension_count", full);
    keys.set("rope.dimension_count_swa", window);
    Ok(())
}

/// Width of a head in layers that see everything.
fn full_head(config: &Config) -> Result<u32, HfError> {
    Ok(of_full_layers(config, "global_head_dim", "head_dim")?.unwrap_or(512))
}

/// A number of layers that see everything: by a key of its own, or where the configuration has each layer apart.
fn of_full_layers(config: &Config, key: &str, of_layer: &str) -> Result<Option<u32>, HfError> {
    if let Some(number) = config.opt_uint(&[key])? {
        return Ok(Some(number));
    }
    let full = config.layers_are("layer_types", &["full_attention"])?.unwrap_or_default();
    let layers = config.object("per_layer_config").into_iter().flatten();
    let mut numbers = layers.filter_map(|(layer, differs)| {
        let is_full = layer.parse().ok().and_then(|layer: usize| full.get(layer)).copied().unwrap_or(false);
        differs.get(of_layer).filter(|_| is_full)
    });
    let number = numbers.next().map(|number| {
        let fits = number.as_u64().and_then(|number| u32::try_from(number).ok());
        fits.ok_or_else(|| bad(of_layer, number, "a whole number"))
    });
    number.transpose()
}

/// Pairs of a full layer that do not turn have a frequency of nearly 0.
fn gemma4_extras(config: &Config, rope: &Rope) -> Result<Extras, HfError> {
    const MAX_HEAD: u32 = 4096;
    let head = full_head(config)?;
    if head > MAX_HEAD {
        return Err(bad("global_head_dim", &head.into(), "a size of a head"));
    }
    let turning = (f64::from(head) * rope.partial(0.25)? / 2.0) as u32;
    let factors = (0..head / 2).map(|pair| if pair < turning { 1.0 } else { 1e30 }).collect();
    Ok(vec![("rope_freqs.weight", Tensor::given(factors))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_normal_distribution() {
        for (share, expected) in [(0.95, 1.644_853_6), (0.5, 0.0), (0.1, -1.281_551_6), (0.999, 3.090_232_3)] {
            assert!((quantile(share) - expected).abs() < 1e-6, "{share}: {}", quantile(share));
        }
        assert_eq!(quantile(0.0), f32::NEG_INFINITY);
    }
}
