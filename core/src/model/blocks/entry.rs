//! What is added to the embeddings of tokens before the first layer: learned positions, the kind of the text, a norm.

use super::{Forward, Norm};
use crate::kernels::Tensor;
use crate::kernels::embed::Lookup;
use crate::model::config::Config;
use crate::model::error::ModelError;
use crate::model::weights::{LoadError, Matrix, WeightRegistry};

/// Tables and a norm, as far as the file of an encoder has them.
#[derive(Debug)]
pub struct Entry {
    /// A row a position.
    positions: Option<Matrix>,
    /// A row a kind of text, of which the first stands for all: so do the files' other readers, although BERT was trained with the second for
    /// the second text of a pair.
    kinds: Option<Matrix>,
    norm: Option<Norm>,
}

impl Entry {
    /// Registers what the file has.
    ///
    /// # Errors
    /// As [`WeightRegistry::table`]; fewer positions than the context.
    pub fn register(registry: &mut WeightRegistry<'_>, config: &Config) -> Result<Entry, LoadError> {
        let is_encoder = !config.architecture.is_causal;
        let mut table = |name: &str, least: u32| match is_encoder && registry.has(name) {
            false => Ok(None),
            true => {
                let rows = registry.row_count(name)?;
                if rows < least {
                    return Err(ModelError::size(format!("`{name}` has {rows} rows, and {least} are needed")).into());
                }
                registry.table(name, rows, config.hidden).map(Some)
            }
        };
        Ok(Entry {
            positions: table("position_embd.weight", config.context)?,
            kinds: table("token_types.weight", 1)?,
            norm: match is_encoder && registry.has("token_embd_norm.weight") {
                true => Some(Norm::register(registry, config, "token_embd_norm", config.hidden)?),
                false => None,
            },
        })
    }
}

impl Forward<'_> {
    /// What the first layer takes: `norm(x + kind + position)`, of which there may be nothing.
    pub fn enter(&mut self, x: Tensor, entry: &Entry) -> Tensor {
        for (table, by) in [(&entry.kinds, Lookup::First), (&entry.positions, Lookup::Position)] {
            table.iter().for_each(|table| self.look_up(table, 1.0, by, x));
        }
        entry.norm.as_ref().map_or(x, |norm| self.norm(x, norm))
    }
}
