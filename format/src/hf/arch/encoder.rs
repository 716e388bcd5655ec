//! Encoders: BERT, RoBERTa, XLM-RoBERTa, nomic-bert, ModernBERT.

use serde_json::Value;

use super::super::config::{Config, missing};
use super::super::error::HfError;
use super::super::keys::Keys;
use super::super::rope::Rope;
use super::super::rules::{Context, DROPPED, Rule, copy};
use super::super::tensor::{Slice, Tensor};
use super::{Arch, PLAIN};

/// Embeddings and heads. Weights of norms were once named gamma and beta.
const ENDS: &[Rule] = &[
    ("/embeddings.word_embeddings", "token_embd", copy),
    ("/embeddings.token_type_embeddings", "token_types", copy),
    ("/embeddings.position_embeddings", "position_embd", behind_padding),
    ("/embeddings.LayerNorm", "token_embd_norm", copy),
    ("/embeddings.LayerNorm.gamma", "token_embd_norm.weight", copy),
    ("/embeddings.LayerNorm.beta", "token_embd_norm.bias", copy),
    ("/emb_ln", "token_embd_norm", copy),
    ("/pooler.dense", DROPPED, copy),
    ("/cls.predictions.bias", DROPPED, copy),
    ("/cls.predictions.decoder", DROPPED, copy),
    ("/cls.predictions.transform.dense", DROPPED, copy),
    ("/cls.predictions.transform.LayerNorm", DROPPED, copy),
    ("/cls.seq_relationship", DROPPED, copy),
    ("/lm_head.bias", DROPPED, copy),
    ("/lm_head.decoder", DROPPED, copy),
    ("/lm_head.dense", DROPPED, copy),
    ("/lm_head.layer_norm", DROPPED, copy),
    ("/classifier.dense", "cls", copy),
    ("/classifier.out_proj", "cls.output", copy),
    ("/classifier", "cls.output", copy),
];

const LAYERS: &[Rule] = &[
    ("attention.self.query", "attn_q", copy),
    ("attention.self.key", "attn_k", copy),
    ("attention.self.value", "attn_v", copy),
    ("attention.output.dense", "attn_output", copy),
    ("attention.output.LayerNorm", "attn_output_norm", copy),
    ("attention.output.LayerNorm.gamma", "attn_output_norm.weight", copy),
    ("attention.output.LayerNorm.beta", "attn_output_norm.bias", copy),
    ("intermediate.dense", "ffn_up", copy),
    ("output.dense", "ffn_down", copy),
    ("output.LayerNorm", "layer_output_norm", copy),
    ("output.LayerNorm.gamma", "layer_output_norm.weight", copy),
    ("output.LayerNorm.beta", "layer_output_norm.bias", copy),
];

/// DistilBERT's names.
const DISTILLED: &[Rule] = &[
    ("attention.q_lin", "attn_q", copy),
    ("attention.k_lin", "attn_k", copy),
    ("attention.v_lin", "attn_v", copy),
    ("attention.out_lin", "attn_output", copy),
    ("sa_layer_norm", "attn_output_norm", copy),
    ("ffn.lin1", "ffn_up", copy),
    ("ffn.lin2", "ffn_down", copy),
    ("output_layer_norm", "layer_output_norm", copy),
    ("/vocab_transform", DROPPED, copy),
    ("/vocab_layer_norm", DROPPED, copy),
    ("/vocab_projector", DROPPED, copy),
];

const BERT: Arch = Arch { name: "bert", rules: &[ENDS, LAYERS, DISTILLED], keys: bert_keys, ..PLAIN };

/// The architecture of BERT's kind; one that brings several models in one is not known.
pub(super) fn choose_bert(config: &Config) -> Result<&'static Arch, HfError> {
    if config.get("lora_adaptations").is_some() {
        return Err(HfError::ModelType { model_type: "xlm-roberta with adapters (jina-embeddings-v3)".into() });
    }
    Ok(&BERT)
}

const NOMIC_LAYERS: &[Rule] = &[
    ("attn.Wqkv", "attn_qkv", copy),
    ("attn.out_proj", "attn_output", copy),
    ("norm1", "attn_output_norm", copy),
    ("norm2", "layer_output_norm", copy),
    // The one that is activated is the second.
    ("mlp.fc12", "ffn_gate", copy),
    ("mlp.fc11", "ffn_up", copy),
    ("mlp.fc1", "ffn_up", copy),
    ("mlp.fc2", "ffn_down", copy),
    ("mlp.router.layer", "ffn_gate_inp", copy),
    ("mlp.experts.mlp.w1", "ffn_up_exps.weight", experts),
    ("mlp.experts.mlp.w2", "ffn_down_exps.weight", |context, slice| {
        Ok(shaped_experts(context, slice)?.transpose()?.into())
    }),
    ("mlp.experts.bias", DROPPED, copy),
];

const NOMIC: Arch = Arch { name: "nomic-bert", rules: &[ENDS, NOMIC_LAYERS], keys: nomic_keys, ..PLAIN };

const NOMIC_MOE: Arch = Arch { name: "nomic-bert-moe", ..NOMIC };

/// The architecture of a nomic-bert: the second has experts.
pub(super) fn choose_nomic(config: &Config) -> &'static Arch {
    match config.opt_uint(&["moe_every_n_layers"]) {
        Ok(Some(every)) if every > 0 => &NOMIC_MOE,
        _ => &NOMIC,
    }
}

pub(super) const MODERN_BERT: Arch = Arch {
    name: "modern-bert",
    rules: &[&[
        ("/embeddings.tok_embeddings", "token_embd", copy),
        ("/embeddings.norm", "token_embd_norm", copy),
        ("/final_norm", "output_norm", copy),
        ("attn_norm", "attn_norm", copy),
        ("attn.Wqkv", "attn_qkv", copy),
        ("attn.Wo", "attn_output", copy),
        ("mlp_norm", "ffn_norm", copy),
        ("mlp.Wi", "ffn_up", copy),
        ("mlp.Wo", "ffn_down", copy),
        ("/head.dense", "cls", copy),
        ("/head.norm", "cls.norm", copy),
        ("/classifier", "cls.output", copy),
        ("/decoder", DROPPED, copy),
    ]],
    keys: modern_bert_keys,
    theta: 160_000.0,
    ..PLAIN
};

fn bert_keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    for (from, to) in
        [("dim", "embedding_length"), ("hidden_dim", "feed_forward_length"), ("n_heads", "attention.head_count")]
    {
        if config.model_type() == "distilbert" {
            keys.set(to, config.uint(from)?);
        }
    }
    if config.model_type() == "distilbert" {
        keys.float("attention.layer_norm_epsilon", Some(1e-12));
    }
    // Positions do not turn anything.
    keys.remove("rope.freq_base");
    if let Some(context) = config.opt_uint(&["max_position_embeddings"])? {
        keys.set("context_length", context.saturating_sub(padding(config)? as u32));
    }
    encoder_keys(config, keys)
}

/// What all encoders have.
fn encoder_keys(config: &Config, keys: &mut Keys) -> Result<(), HfError> {
    keys.set("attention.causal", false);
    keys.whole("tokenizer.ggml.token_type_count", config.opt_uint(&["type_vocab_size"])?.unwrap_or(1));
    let Some(labels) = config.object("id2label").filter(|_| config.architecture().ends_with("SequenceClassification"))
    else {
        return Ok(());
    };
    // Two labels that are none are transformers' own words.
    let is_default = labels.len() == 2 && labels.get("0").and_then(Value::as_str) == Some("LABEL_0");
    if !is_default {
        let ordered: Option<Vec<&str>> = (0..labels.len()).map(|id| labels.get(&id.to_string())?.as_str()).collect();
        let ordered = ordered.ok_or_else(|| missing("id2label"))?;
        keys.set("classifier.output_labels", ordered.into_iter().collect::<crate::gguf::Strings>());
    }
    Ok(())
}

fn nomic_keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    // Both versions state what they can reach with other positions, not what they were trained for.
    let positions =
        config.opt_uint(&["n_positions", "max_position_embeddings"])?.ok_or_else(|| missing("n_positions"))?;
    let context = match (positions, config.opt_uint(&["max_trained_positions"])?.unwrap_or(2048)) {
        (8192, 2048) => 2048,
        (2048, 2048) => 512,
        (positions, trained) => positions.min(trained),
    };
    keys.set("context_length", context);
    encoder_keys(config, keys)?;
    if let Some(every) = config.opt_uint(&["moe_every_n_layers"])?.filter(|every| *every > 0) {
        keys.set("moe_every_n_layers", every);
        keys.set("expert_used_count", config.uint("moe_top_k")?);
    }
    Ok(())
}

fn modern_bert_keys(config: &Config, _: &Rope, keys: &mut Keys) -> Result<(), HfError> {
    encoder_keys(config, keys)?;
    keys.set("attention.sliding_window", config.uint("local_attention")?);
    keys.set_some("attention.sliding_window_pattern", config.opt_uint(&["global_attn_every_n_layers"])?);
    // transformers 5 lists the layers, where every third sees everything.
    if config.get("global_attn_every_n_layers").is_none() {
        super::common::windows_unless(config, keys, |layer| layer % 3 != 0)?;
    }
    keys.float("attention.layer_norm_epsilon", config.opt_float(&["norm_eps", "layer_norm_eps"])?);
    keys.set("rope.scaling.type", "none");
    keys.set("vocab_size", config.uint("vocab_size")?);
    keys.set_some("hidden_activation", config.str("hidden_activation"));
    for (name, adds) in [("add_bos_token", true), ("add_eos_token", true), ("add_sep_token", true)] {
        keys.whole(&format!("tokenizer.ggml.{name}"), adds);
    }
    Ok(())
}

/// Rows before the first position of RoBERTa's kind, which counts from behind the padding token's number.
fn padding(config: &Config) -> Result<u64, HfError> {
    match config.model_type() {
        "roberta" | "xlm-roberta" | "camembert" => {
            Ok(config.opt_uint(&["pad_token_id"])?.map_or(0, |pad| u64::from(pad) + 1))
        }
        _ => Ok(0),
    }
}

fn behind_padding(context: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    let first = padding(context.config)?;
    let rows = slice.shape.first().copied().unwrap_or(0);
    if first == 0 { Ok(slice.into()) } else { Ok(slice.rows(first, rows.saturating_sub(first))?.into()) }
}

/// Experts below one another, `[experts * n_inner, n_embd]`, each in its own place.
fn shaped_experts(context: &Context<'_>, slice: Slice) -> Result<Slice, HfError> {
    let config = context.config;
    let count = config.opt_uint(&["num_local_experts", "num_experts"])?.ok_or_else(|| missing("num_experts"))?;
    let shape = [u64::from(count), config.size("n_inner")?, config.size("n_embd")?];
    slice.reshape(&shape)
}

fn experts(context: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    Ok(shaped_experts(context, slice)?.into())
}
