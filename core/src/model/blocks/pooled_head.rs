//! What follows pooling: linear maps of embeddings, or a classifier that scores texts.

use super::{Forward, Norm};
use crate::kernels::Tensor;
use crate::kernels::matmul::Epilogue;
use crate::model::config::Config;
use crate::model::error::ModelError;
use crate::model::weights::{LoadError, Matrix, WeightRegistry};

/// As much of it as the file of a model that pools has.
#[derive(Debug)]
pub struct PooledHead {
    /// One behind the other, as sentence-transformers' modules.
    maps: Vec<Matrix>,
    /// The classifier's hidden layer.
    dense: Option<Matrix>,
    norm: Option<Norm>,
    /// A row a label.
    scores: Option<Matrix>,
}

impl PooledHead {
    /// Registers what the file has.
    ///
    /// # Errors
    /// As [`WeightRegistry::matrix`]; a model that ranks without a classifier.
    pub fn register(registry: &mut WeightRegistry<'_>, config: &Config) -> Result<PooledHead, LoadError> {
        let mut width = config.hidden;
        let mut matrix = |registry: &mut WeightRegistry<'_>, name: &str| {
            let weight = format!("{name}.weight");
            if config.pooling.is_none() || !registry.has(&weight) {
                return Ok::<_, LoadError>(None);
            }
            let rows = registry.row_count(&weight)?;
            let matrix = registry.matrix(name, rows, width)?;
            width = rows;
            Ok(Some(matrix))
        };
        let maps = [matrix(registry, "dense_2")?, matrix(registry, "dense_3")?].into_iter().flatten().collect();
        let dense = matrix(registry, "cls")?;
        let scores = matrix(registry, "cls.output")?;
        if config.ranks && !config.is_causal && dense.is_none() && scores.is_none() {
            return Err(
                ModelError::size("it ranks texts and has no classifier (`cls.weight`, `cls.output.weight`)").into()
            );
        }
        let norm = match dense.is_some() && registry.has("cls.norm.weight") {
            true => Some(Norm::register(registry, config, "cls.norm", config.hidden)?),
            false => None,
        };
        Ok(PooledHead { maps, dense, norm, scores })
    }

    /// Labels that it scores; 0 where there is no classifier.
    pub fn score_columns(&self) -> u32 {
        self.scores.as_ref().or(self.dense.as_ref()).map_or(0, |matrix| matrix.outputs)
    }
}

impl Forward<'_> {
    /// What the head makes of pooled vectors, of which this pass has a row each.
    pub fn pooled_head(&mut self, pooled: Tensor, head: &PooledHead) -> Tensor {
        let mut x = head.maps.iter().fold(pooled, |x, map| self.linear(x, map));
        if let Some(dense) = &head.dense {
            // ModernBERT's classifier has the model's activation and a norm; BERT's has tanh, which is a bound of 1.
            let epilogue = match &head.norm {
                Some(_) => Epilogue::Activate(self.config.activation),
                None => Epilogue::Cap(1.0),
            };
            x = self.finished(x, dense, epilogue);
        }
        if let Some(norm) = &head.norm {
            x = self.norm(x, norm);
        }
        head.scores.as_ref().map_or(x, |scores| self.linear(x, scores))
    }
}
