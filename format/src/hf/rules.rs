//! Which tensor of a checkpoint becomes which tensor of the virtual file, as data: a name, a new name and a function.

use std::collections::BTreeMap;

use super::config::Config;
use super::error::HfError;
use super::names::{self, Name};
use super::tensor::{Op, Slice, Tensor};

/// What becomes of a stored tensor.
pub(super) type Make = fn(&Context<'_>, Slice) -> Result<Tensor, HfError>;

/// One tensor: its name behind the layer's number, its name in a GGUF file, and what is done to it. A name that begins with `/` is one of
/// a tensor outside of layers. Where the first name lacks its ending `.weight` or `.bias`, so does the second, and the rule serves both.
/// Several rules may make tensors of the same one.
pub(super) type Rule = (&'static str, &'static str, Make);

/// What a function may ask for besides the tensor.
pub(super) struct Context<'a> {
    pub config: &'a Config,
}

/// A rule's new name for a tensor that no computation needs.
pub(super) const DROPPED: &str = "";

/// Names and functions for all tensors of a checkpoint.
pub(super) struct Rules<'a> {
    pub tables: &'a [&'a [Rule]],
    pub config: &'a Config,
    /// Layers, those behind the last one of the trunk included.
    pub layers: u64,
}

/// Matrices that become one, by the name that they make: by their number.
type Stacks = BTreeMap<String, BTreeMap<u64, Tensor>>;

impl Rules<'_> {
    /// The tensors made of slices, by their names; slices come with the names that they have in the checkpoint.
    pub fn apply(&self, slices: Vec<Slice>) -> Result<Vec<(String, Tensor)>, HfError> {
        let mut tensors = Vec::new();
        let mut stacks = Stacks::new();
        for slice in slices {
            let Some(name) = names::parse(&slice.name) else { continue };
            if name.layer.is_some_and(|layer| layer >= self.layers) {
                return Err(self.unknown(&slice.name));
            }
            let mut is_known = false;
            for (to, make) in self.tables.iter().flat_map(|table| table.iter()).filter_map(|rule| renamed(rule, &name))
            {
                is_known = true;
                if to == DROPPED {
                    continue;
                }
                let context = Context { config: self.config };
                let tensor = make(&context, slice.clone())?;
                let Some(index) = name.index else {
                    tensors.push((to, tensor));
                    continue;
                };
                if stacks.entry(to).or_default().insert(index, tensor).is_some() {
                    return Err(HfError::DuplicateTensor { name: slice.name });
                }
            }
            if !is_known {
                return Err(self.unknown(&slice.name));
            }
        }
        for (name, stack) in stacks {
            let tensor = stacked(&name, stack)?;
            tensors.push((name, tensor));
        }
        Ok(tensors)
    }

    fn unknown(&self, name: &str) -> HfError {
        HfError::UnknownTensor { name: name.into(), model_type: self.config.model_type().into() }
    }
}

/// The name that a rule gives to a tensor, where it is about that one.
fn renamed((from, to, make): &Rule, name: &Name) -> Option<(String, Make)> {
    let outside = from.strip_prefix('/');
    if outside.is_some() != name.layer.is_none() {
        return None;
    }
    let ending = name.rest.strip_prefix(outside.unwrap_or(from))?;
    if !matches!(ending, "" | ".weight" | ".bias") {
        return None;
    }
    if *to == DROPPED {
        return Some((DROPPED.into(), *make));
    }
    Some((name.layer.map_or_else(|| format!("{to}{ending}"), |layer| format!("blk.{layer}.{to}{ending}")), *make))
}

/// One tensor of several, which must be numbered without gaps.
fn stacked(name: &str, stack: BTreeMap<u64, Tensor>) -> Result<Tensor, HfError> {
    let mut slices = Vec::new();
    for (place, (index, tensor)) in stack.into_iter().enumerate() {
        if index != place as u64 {
            return Err(HfError::MissingTensor { name: format!("number {place} of {name}") });
        }
        if !tensor.ops.is_empty() {
            return Err(HfError::unsupported(format!("changed numbers in `{name}`")));
        }
        slices.extend(tensor.slices);
    }
    Tensor::stack(slices)
}

// The functions of rules.

pub(super) fn copy(_: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    Ok(slice.into())
}

/// For norms that transformers multiplies by `1 + w`.
pub(super) fn add_one(_: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    Ok(Tensor::from(slice).op(Op::Add(1.0)))
}

/// Rows of queries, for interleaved RoPE.
pub(super) fn pairs_of_queries(context: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    Ok(slice.pairs(context.config.heads()?)?.into())
}

/// Rows of keys, for interleaved RoPE.
pub(super) fn pairs_of_keys(context: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    Ok(slice.pairs(context.config.kv_heads()?)?.into())
}

/// The first half of a fused pair.
pub(super) fn gate_half(_: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    Ok(slice.half(0)?.into())
}

/// The second half of a fused pair.
pub(super) fn up_half(_: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    Ok(slice.half(1)?.into())
}

/// A convolution of one channel each, `[channels, 1, kernel]`, without the dimension of 1.
pub(super) fn squeezed(_: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    Ok(slice.squeeze().into())
}

/// Numbers in a column of their own, `[n, 1]`.
pub(super) fn column(_: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    let shape = [slice.elements(), 1];
    Ok(slice.reshape(&shape)?.into())
}

/// How fast states decay, from the logarithm that is stored.
pub(super) fn decay(context: &Context<'_>, slice: Slice) -> Result<Tensor, HfError> {
    Ok(column(context, slice)?.op(Op::NegExp))
}
