//! Which type each tensor of a file gets: the mixes that files are named after, as data.
//!
//! A mix has one type for most matrices, and better ones for those through which an error does most harm: the output, values of attention
//! and the way down from the feed-forward layer, in the layers that bear it least. The names, numbers and most choices are those
//! of llama.cpp (`llama-quant.cpp`), so that a file called Q4_K_M is what is expected of it.

mod table;

use super::{TensorType, WeightType};
use crate::gguf::TensorInfo;

pub use table::MIXES;

/// The types of a file's tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix {
    /// The name in files' names, such as `Q4_K_M`.
    pub name: &'static str,
    /// The number in files' `general.file_type`.
    pub file_type: u32,
    /// The type of all matrices for which there is no rule.
    base: WeightType,
    /// The first one that fits a tensor decides.
    rules: &'static [Rule],
}

/// A type for some tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    /// What tensors are called: how their names begin, within the layer if they are in one. Any name begins with nothing.
    names: &'static [&'static str],
    layers: Layers,
    when: When,
    ty: WeightType,
}

/// Layers for which a rule is, counted among those that have such a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layers {
    All,
    FirstSixteenth,
    FirstEighth,
    /// The first and the last eighth, and every third between: about half, and those at the ends, which bear errors least.
    Half,
}

/// Models for which a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    /// The embedding is the output matrix, too.
    Tied,
    /// There are experts, beside which attention is small.
    Experts,
    /// At least four queries share a value, so that values are few.
    FewValues,
}

/// Parts of the names of matrices that stay F32, since they are small, or no factors of products.
const FULL: [&str; 11] = [
    "_norm",
    "ffn_gate_inp",
    "position_embd",
    "token_types",
    "attn_rel_b",
    "ssm_conv1d",
    "shortconv.conv",
    "patch_embd",
    "pos_embd",
    "time_mix_first",
    "time_mix_lerp",
];

/// Parts of the names of matrices that stay what they are: small, and much depends on them.
const KEPT: [&str; 7] =
    ["altup", "laurel", "per_layer_model_proj", "time_mix_w", "time_mix_a", "time_mix_v", "time_mix_g"];

impl Mix {
    /// The mix of that name, in capitals or not; `q4_k` is `q4_k_m`.
    pub fn by_name(name: &str) -> Option<&'static Mix> {
        let named = |name: &str| MIXES.iter().find(|mix| mix.name.eq_ignore_ascii_case(name));
        named(name).or_else(|| named(&format!("{name}_m")))
    }

    /// The names of all, for messages.
    pub fn names() -> String {
        MIXES.map(|mix| mix.name.to_lowercase()).join(", ")
    }

    /// The type of each tensor, in the order of the tensors.
    ///
    /// Vectors, biases and routers are F32, and integers stay. Rows that are not whole blocks of the mix's type get one of smaller
    /// blocks that is no worse, in the end F16.
    pub fn types(&self, tensors: &[TensorInfo]) -> Vec<TensorType> {
        let rules: Vec<(&Rule, Vec<u32>)> =
            self.rules.iter().filter(|rule| is(tensors, rule.when)).map(|rule| (rule, rule.layers(tensors))).collect();
        tensors.iter().map(|tensor| self.type_of(&rules, tensor)).collect()
    }

    /// The type of a tensor, by the rules that are for the model, each with the layers in which it is.
    fn type_of(&self, rules: &[(&Rule, Vec<u32>)], tensor: &TensorInfo) -> TensorType {
        let has_one = |parts: &[&str]| parts.iter().any(|part| tensor.name.contains(part));
        if tensor.ty.is_integer() || has_one(&KEPT) {
            return tensor.ty;
        }
        if tensor.rows() == 1 || !tensor.name.ends_with(".weight") || has_one(&FULL) {
            return WeightType::F32.into();
        }
        let holds = |rule: &Rule, layers: &[u32]| {
            rule.layers == Layers::All || layer(&tensor.name).is_some_and(|layer| layers.binary_search(&layer).is_ok())
        };
        let rule = rules.iter().find(|(rule, layers)| is_called(&tensor.name, rule.names) && holds(rule, layers));
        fitting(rule.map_or(self.base, |(rule, _)| rule.ty), tensor.row_len()).into()
    }
}

impl Rule {
    /// The layers for which it is, in order.
    fn layers(&self, tensors: &[TensorInfo]) -> Vec<u32> {
        let mut all: Vec<u32> = tensors
            .iter()
            .filter(|tensor| is_called(&tensor.name, self.names))
            .filter_map(|tensor| layer(&tensor.name))
            .collect();
        all.sort_unstable();
        all.dedup();
        let (count, eighth) = (all.len(), all.len() / 8);
        let is_among = |at: usize| match self.layers {
            Layers::All => true,
            Layers::FirstSixteenth => at < count / 16,
            Layers::FirstEighth => at < eighth,
            Layers::Half => at < eighth || at >= 7 * count / 8 || (at - eighth) % 3 == 2,
        };
        all.into_iter().enumerate().filter(|(at, _)| is_among(*at)).map(|(_, layer)| layer).collect()
    }
}

/// Whether a model of these tensors is such a one.
fn is(tensors: &[TensorInfo], when: When) -> bool {
    let rows = |name| tensors.iter().find(|tensor| is_called(&tensor.name, &[name])).map(TensorInfo::rows);
    match when {
        When::Always => true,
        When::Tied => rows("output.weight").is_none(),
        When::Experts => rows("ffn_down_exps").is_some(),
        When::FewValues => match (rows("attn_q.weight"), rows("attn_v.weight")) {
            (Some(queries), Some(values)) => queries / 4 >= values,
            _ => false,
        },
    }
}

/// Whether a name, or what follows a dot in it, begins with one of `names`.
fn is_called(name: &str, names: &[&str]) -> bool {
    let begins = |wanted: &str| name.match_indices(wanted).any(|(at, _)| at == 0 || name.as_bytes()[at - 1] == b'.');
    names.iter().any(|wanted| begins(wanted))
}

/// The layer of a tensor: 12 of `blk.12.attn_v.weight`.
fn layer(name: &str) -> Option<u32> {
    name.split_once("blk.")?.1.split_once('.')?.0.parse().ok()
}

/// The type, or one with smaller blocks into which rows of this length go.
fn fitting(ty: WeightType, row_len: u64) -> WeightType {
    if row_len.is_multiple_of(ty.block_len() as u64) {
        return ty;
    }
    let smaller = match ty {
        WeightType::Q6_K => WeightType::Q8_0,
        WeightType::Q5_K => WeightType::Q5_1,
        WeightType::Q4_K => WeightType::Q5_0,
        WeightType::Q3_K | WeightType::Q2_K => WeightType::Q4_0,
        WeightType::IQ4_XS => WeightType::IQ4_NL,
        _ => return WeightType::F16,
    };
    fitting(smaller, row_len)
}

#[cfg(test)]
mod tests;
