//! What adapters add to the products with a matrix.

use super::Forward;
use crate::kernels::lora::{LoraDown, LoraUp};
use crate::kernels::matmul::Bias;
use crate::kernels::{Tensor, TensorRef};
use crate::model::adapters::Stack;
use crate::model::weights::{Matrix, Part, Shard};

/// What rows of x are by the first matrices of adapters: `[rows, rank]`, for each matrix of the file that a matrix is made of.
pub(super) type Lowered<'a> = Vec<(&'a str, Tensor)>;

impl Forward<'_> {
    /// Records the first halves for the parts of a matrix. Nothing where no adapter changes it.
    pub(super) fn lower<'a>(&mut self, x: &TensorRef, matrix: &'a Matrix) -> Lowered<'a> {
        let mut lowered = Lowered::new();
        for part in matrix.shards.iter().flat_map(|shard| &shard.parts) {
            if let Some(Stack { a, .. }) = self.stack(part)
                && !lowered.iter().any(|(name, _)| **name == *part.name)
            {
                let rank = self.rank();
                let (a, out) = (a.all().into(), self.recorder.tensor(self.rows, rank));
                let scales = self.scales();
                let down = LoraDown {
                    batch: self.batch(),
                    x: x.clone(),
                    a,
                    scales,
                    out: out.into(),
                    rows: self.rows,
                    cols: matrix.cols,
                    rank,
                };
                self.recorder.push(down);
                lowered.push((&part.name, out));
            }
        }
        lowered
    }

    /// What is added to products with a shard: its bias, and with it the second halves of the adapters.
    pub(super) fn bias_of(&mut self, shard: &Shard, lowered: &Lowered<'_>) -> Option<Bias> {
        let bias = shard.bias.clone().map(TensorRef::Fixed);
        if lowered.is_empty() {
            return bias.map(Bias::OfWeights);
        }
        let out = self.recorder.tensor(self.rows, shard.weights.rows);
        let rank = self.rank();
        for part in &shard.parts {
            let (Some(Stack { b, size, .. }), Some((_, x))) =
                (self.stack(part), lowered.iter().find(|(name, _)| **name == *part.name))
            else {
                continue;
            };
            let (b, outputs) = (b.all().into(), size[1]);
            let up = LoraUp {
                batch: self.batch(),
                x: (*x).into(),
                b,
                bias: bias.clone(),
                out: out.into(),
                rows: self.rows,
                rank,
                outputs,
                first: part.from,
                count: part.rows,
                stride: out.cols,
                offset: part.to,
            };
            self.recorder.push(up);
        }
        Some(Bias::OfRows(out.into()))
    }

    fn stack(&self, part: &Part) -> Option<&Stack> {
        self.adapters.and_then(|adapters| adapters.find(&part.name))
    }

    fn rank(&self) -> u32 {
        self.adapters.map_or(0, |adapters| adapters.rank())
    }

    fn scales(&self) -> TensorRef {
        self.adapters.map(|adapters| adapters.scales().into()).unwrap_or_default()
    }
}
