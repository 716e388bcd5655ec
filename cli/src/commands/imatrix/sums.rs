//! Sums of squares of what meets each matrix.

use std::collections::HashMap;

use inglenook::format::imatrix::ColumnSums;
use inglenook::kernels::weights::WeightInput;
use inglenook::model::weights::Placed;

/// Sums for each matrix of a model's file.
pub struct Sums {
    matrices: Vec<Matrix>,
    /// The matrices whose rows stand in the shard at an address: several where some are fused.
    at: HashMap<(usize, u64), Vec<usize>>,
}

struct Matrix {
    name: String,
    columns: usize,
    /// `[experts, columns]`; in double precision, so that what is small counts beside what is large.
    sums: Vec<f64>,
    counts: Vec<u64>,
}

impl Sums {
    /// Nothing yet, for the matrices that `wants` says by name.
    pub fn new(placed: &[Placed], wants: impl Fn(&str) -> bool) -> Sums {
        let mut sums = Sums { matrices: Vec::new(), at: HashMap::new() };
        for Placed { name, weights, cols, matrices } in placed.iter().filter(|placed| wants(&placed.name)) {
            // All shards of a tensor follow each other.
            if sums.matrices.last().is_none_or(|last| last.name != *name) {
                let (columns, experts) = (*cols as usize, *matrices as usize);
                let (name, counts) = (name.clone(), vec![0; experts]);
                sums.matrices.push(Matrix { name, columns, sums: vec![0.0; columns * experts], counts });
            }
            sums.at.entry(weights.address()).or_default().push(sums.matrices.len() - 1);
        }
        sums
    }

    /// Takes a row in.
    pub fn add(&mut self, input: WeightInput<'_>) {
        for matrix in self.at.get(&input.weights.address()).into_iter().flatten() {
            let Matrix { columns, sums, counts, .. } = &mut self.matrices[*matrix];
            let expert = input.expert as usize;
            counts[expert] += 1;
            let sums = &mut sums[expert * *columns..][..*columns];
            sums.iter_mut().zip(input.x).for_each(|(sum, x)| *sum += f64::from(x * x));
        }
    }

    /// Matrices of experts, and how many of all those no token went to.
    pub fn unseen_experts(&self) -> (usize, usize) {
        let all = self.matrices.iter().filter(|matrix| matrix.counts.len() > 1).flat_map(|matrix| &matrix.counts);
        all.fold((0, 0), |(all, unseen), count| (all + 1, unseen + usize::from(*count == 0)))
    }

    /// What is to be written, by name. Matrices that nothing met are left out.
    pub fn into_columns(self) -> Vec<ColumnSums> {
        let met = self.matrices.into_iter().filter(|matrix| matrix.counts.iter().any(|count| *count > 0));
        let mut columns: Vec<ColumnSums> = met
            .map(|Matrix { name, sums, counts, .. }| ColumnSums {
                name,
                sums: sums.into_iter().map(|sum| sum as f32).collect(),
                counts: counts.into_iter().map(|count| count as f32).collect(),
            })
            .collect();
        columns.sort_by(|a, b| a.name.cmp(&b.name));
        columns
    }
}
