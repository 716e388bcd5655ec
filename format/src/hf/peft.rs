//! `adapter_config.json` of PEFT: ranks, alphas, and what an adapter asks for that is not supported.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::HfError;
use crate::lora::LoraError;

const FILE: &str = "adapter_config.json";

/// Settings that change what an adapter does, each with what it stands for. They are fine where they are missing, null, false, 0 or empty.
const REFUSED: [(&str, &str); 12] = [
    ("use_dora", "magnitudes (DoRA)"),
    ("modules_to_save", "whole weights (modules_to_save)"),
    ("fan_in_fan_out", "matrices that are turned round (fan_in_fan_out)"),
    ("lora_bias", "biases (lora_bias)"),
    ("target_parameters", "changes to experts (target_parameters)"),
    ("layer_replication", "layers that are repeated (layer_replication)"),
    ("trainable_token_indices", "changes to embeddings (trainable_token_indices)"),
    ("alora_invocation_tokens", "tokens that switch it on (alora_invocation_tokens)"),
    ("use_qalora", "groups of columns (use_qalora)"),
    ("use_bdlora", "blocks of its matrices (use_bdlora)"),
    ("arrow_config", "a router between adapters (arrow_config)"),
    ("monteclora_config", "random weights (monteclora_config)"),
];

/// What of the file is used.
pub(super) struct AdapterConfig {
    rank: u64,
    alpha: f64,
    is_rank_stabilised: bool,
    ranks: BTreeMap<String, f64>,
    alphas: BTreeMap<String, f64>,
}

impl AdapterConfig {
    /// Reads the file.
    pub fn read(root: &Map<String, Value>) -> Result<AdapterConfig, LoraError> {
        match root.get("peft_type").and_then(Value::as_str) {
            Some("LORA") => {}
            other => {
                let kind = other.unwrap_or("none").chars().take(40).collect::<String>();
                return Err(LoraError::unsupported(format!(
                    "the kind {kind:?} of PEFT's, where only \"LORA\" is known"
                )));
            }
        }
        for (key, what) in REFUSED {
            if root.get(key).is_some_and(is_set) {
                return Err(LoraError::unsupported(what));
            }
        }
        if let Some(bias) = root.get("bias").and_then(Value::as_str).filter(|bias| *bias != "none") {
            return Err(LoraError::unsupported(format!(
                "biases (bias: {:?})",
                bias.chars().take(40).collect::<String>()
            )));
        }
        let rank = number(root, "r")?;
        Ok(AdapterConfig {
            rank: rank as u64,
            alpha: number(root, "lora_alpha")?,
            is_rank_stabilised: root.get("use_rslora").and_then(Value::as_bool).unwrap_or(false),
            ranks: patterns(root, "rank_pattern")?,
            alphas: patterns(root, "alpha_pattern")?,
        })
    }

    /// The factor of a module's product, whose matrices have this rank.
    pub fn scale(&self, module: &str, found: u64) -> Result<f32, LoraError> {
        let stated = of_pattern(&self.ranks, module).map_or(self.rank, |rank| rank as u64);
        if stated != found {
            return Err(LoraError::StatedRank { name: module.to_owned(), found, stated });
        }
        let alpha = of_pattern(&self.alphas, module).unwrap_or(self.alpha);
        let rank = found as f64;
        Ok((alpha / if self.is_rank_stabilised { rank.sqrt() } else { rank }) as f32)
    }
}

/// Whether a setting asks for something.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        other => other.as_f64() != Some(0.0),
    }
}

fn bad(key: &str, value: &Value, wanted: &'static str) -> LoraError {
    let found: String = value.to_string().chars().take(60).collect();
    HfError::Json { file: FILE.into(), detail: format!("{key:?} is {found}, where {wanted} is needed") }.into()
}

/// A positive number.
fn number(root: &Map<String, Value>, key: &str) -> Result<f64, LoraError> {
    let value = root.get(key).unwrap_or(&Value::Null);
    value.as_f64().filter(|number| *number > 0.0).ok_or_else(|| bad(key, value, "a number above 0"))
}

/// Numbers for modules whose names end so.
fn patterns(root: &Map<String, Value>, key: &str) -> Result<BTreeMap<String, f64>, LoraError> {
    let empty = Map::new();
    let map = match root.get(key) {
        None | Some(Value::Null) => &empty,
        Some(Value::Object(map)) => map,
        Some(other) => return Err(bad(key, other, "an object")),
    };
    let mut patterns = BTreeMap::new();
    for (pattern, value) in map {
        // PEFT takes them for regular expressions, of which these need none.
        let name = pattern.strip_prefix('^').unwrap_or(pattern);
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
            let pattern: String = pattern.chars().take(60).collect();
            return Err(LoraError::unsupported(format!("the regular expression {pattern:?} in {key}")));
        }
        let number = value.as_f64().filter(|number| *number > 0.0);
        patterns.insert(pattern.clone(), number.ok_or_else(|| bad(key, value, "numbers above 0"))?);
    }
    Ok(patterns)
}

/// The number of a module: of its whole name, or of names that it ends with.
fn of_pattern(patterns: &BTreeMap<String, f64>, module: &str) -> Option<f64> {
    let fits = |pattern: &str| match pattern.strip_prefix('^') {
        Some(whole) => module == whole,
        None => module.strip_suffix(pattern).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
    };
    patterns.iter().find(|(pattern, _)| fits(pattern)).map(|(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(change: Value) -> Result<AdapterConfig, LoraError> {
        let mut root = json!({"peft_type": "LORA", "r": 8, "lora_alpha": 16, "bias": "none", "use_dora": false});
        if let (Value::Object(root), Value::Object(change)) = (&mut root, change) {
            root.extend(change);
        }
        AdapterConfig::read(root.as_object().unwrap())
    }

    #[test]
    fn scale_follows_alpha_rank_and_their_patterns() {
        let config =
            read(json!({"rank_pattern": {"q_proj": 4}, "alpha_pattern": {"^model.layers.1.mlp.up_proj": 2}})).unwrap();
        assert_eq!(config.scale("model.layers.0.self_attn.k_proj", 8).unwrap(), 2.0);
        assert_eq!(config.scale("model.layers.0.self_attn.q_proj", 4).unwrap(), 4.0);
        assert_eq!(config.scale("model.layers.1.mlp.up_proj", 8).unwrap(), 0.25);
        assert_eq!(config.scale("model.layers.11.mlp.up_proj", 8).unwrap(), 2.0);
        assert!(matches!(config.scale("x.q_proj", 8), Err(LoraError::StatedRank { found: 8, stated: 4, .. })));
        let stabilised = read(json!({"use_rslora": true, "r": 16})).unwrap();
        assert_eq!(stabilised.scale("x", 16).unwrap(), 4.0);
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (change, named) in [
            (json!({"use_dora": true}), "DoRA"),
            (json!({"modules_to_save": ["lm_head"]}), "modules_to_save"),
            (json!({"bias": "all"}), "biases"),
            (json!({"target_parameters": ["mlp.experts.gate_up_proj"]}), "experts"),
            (json!({"peft_type": "LOHA"}), "\"LOHA\""),
            (json!({"rank_pattern": {".*q_proj": 4}}), "regular expression \".*q_proj\" in rank_pattern"),
            (json!({"r": 0}), "\"r\" is 0"),
            (json!({"lora_alpha": "x"}), "\"lora_alpha\""),
            (json!({"alpha_pattern": [1]}), "alpha_pattern"),
        ] {
            let error = read(change.clone()).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(named), "{change}: {error}");
        }
    }
}
