//! The tensors of a checkpoint as slices that rules can work with. Quantised ones, which lie in several tensors, become one each.

use std::collections::BTreeMap;

use super::checkpoint::Stored;
use super::error::HfError;
use super::leaf::{Leaf, Place, float_type};
use super::names;
use super::tensor::Slice;

/// A slice for each tensor that a text model may need, in the order of their data, with its new name where it gets one.
pub(super) fn slices(
    tensors: BTreeMap<String, Stored>,
    rename: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Slice>, HfError> {
    let mut tensors: Vec<(String, Stored)> = tensors.into_iter().collect();
    tensors.sort_by_key(|(_, stored)| (stored.shard, stored.offset));
    let mut slices = Vec::new();
    for (name, stored) in tensors {
        let name = rename(&name).unwrap_or(name);
        if names::parse(&name).is_none() || stored.elements() == 0 {
            continue;
        }
        let ty = float_type(&name, stored.dtype)?;
        slices.push(Slice::new(&name, Leaf::Stored { at: Place::of(&stored), ty }, stored.shape));
    }
    Ok(slices)
}
