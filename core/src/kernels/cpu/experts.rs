//! Twins of `shaders/experts`.

use super::fast::{FastWay, fast_products};
use super::matmul::{BiasRows, Strided, dot_products, finish};
use super::weights::WeightRows;
use crate::kernels::experts::route::{Gating, Routing};
use crate::kernels::experts::sort::{ListShape, SIDE, TILE_WORDS};
use crate::kernels::matmul::Epilogue;

/// Sums of weights are taken for no smaller: 2^-14.
const LEAST_SUM: f32 = 6.103_515_6e-5;

/// The experts of each row of `logits`, `[rows, experts]`, and their weights: `choices` is `[rows, 2 · used]`.
pub fn route(logits: &[f32], bias: Option<&[f32]>, scales: Option<&[f32]>, routing: Routing, choices: &mut [u32]) {
    let (experts, used) = (routing.experts as usize, routing.used as usize);
    for (logits, choices) in logits.chunks_exact(experts).zip(choices.chunks_exact_mut(2 * used)) {
        let (chosen, weights) = choices.split_at_mut(used);
        route_row(logits, bias, routing, chosen, weights);
        if let Some(scales) = scales {
            for (weight, expert) in weights.iter_mut().zip(chosen) {
                *weight = (f32::from_bits(*weight) * scales[*expert as usize]).to_bits();
            }
        }
    }
}

fn route_row(logits: &[f32], bias: Option<&[f32]>, routing: Routing, chosen: &mut [u32], weights: &mut [u32]) {
    let highest = logits.iter().copied().fold(f32::MIN, f32::max);
    let mass: f32 = logits.iter().map(|logit| (logit - highest).exp()).sum();
    let probability = |logit: f32| match routing.gating {
        Gating::Softmax => (logit - highest).exp() / mass,
        Gating::Sigmoid => 1.0 / (1.0 + (-logit).exp()),
        Gating::SoftmaxOfChosen => logit,
    };
    let scores: Vec<f32> = logits
        .iter()
        .enumerate()
        .map(|(expert, logit)| probability(*logit) + bias.map_or(0.0, |bias| bias[expert]))
        // What is no number is chosen last.
        .map(|score| if score.is_nan() { f32::MIN } else { score })
        .collect();
    let mut open = vec![true; logits.len()];
    if routing.groups > 1 {
        let size = logits.len() / routing.groups as usize;
        let of_group = |group: &[f32]| -> f32 {
            let mut open = vec![true; group.len()];
            best(group, &mut open, 2).into_iter().map(|expert| group[expert]).sum()
        };
        let of_groups: Vec<f32> = scores.chunks_exact(size).map(of_group).collect();
        let groups = best(&of_groups, &mut vec![true; of_groups.len()], routing.groups_used as usize);
        open.iter_mut().enumerate().for_each(|(expert, open)| *open = groups.contains(&(expert / size)));
    }
    let experts = best(&scores, &mut open, chosen.len());
    let of_chosen: Vec<f32> = experts
        .iter()
        .map(|expert| match routing.gating {
            Gating::SoftmaxOfChosen => (logits[*expert] - highest).exp(),
            _ => probability(logits[*expert]),
        })
        .collect();
    let sum: f32 = of_chosen.iter().sum();
    let divisor = match (routing.gating, routing.normalises) {
        (Gating::SoftmaxOfChosen, _) => sum.max(f32::MIN_POSITIVE),
        (_, true) => sum.max(LEAST_SUM),
        (_, false) => 1.0,
    };
    let is_faulty = logits.iter().any(|logit| !logit.is_finite());
    for (((chosen, weight), expert), value) in chosen.iter_mut().zip(weights).zip(experts).zip(of_chosen) {
        *chosen = expert as u32;
        *weight = if is_faulty { f32::NAN.to_bits() } else { (value / divisor * routing.scale).to_bits() };
    }
}

/// The places of the `count` best scores among those that are open, best first, the lower place among equals; they are open no longer.
fn best(scores: &[f32], open: &mut [bool], count: usize) -> Vec<usize> {
    let next = |open: &mut [bool]| {
        let left = (0..scores.len()).filter(|place| open[*place]);
        let best = left.reduce(|best, place| if scores[place] > scores[best] { place } else { best })?;
        open[best] = false;
        Some(best)
    };
    (0..count).map_while(|_| next(open)).collect()
}

/// How many pairs each expert has among the first `rows` rows of `choices`, `[rows, 2 · used]`.
pub fn count_pairs(choices: &[u32], (rows, used): (usize, usize), counts: &mut [u32]) {
    counts.fill(0);
    for expert in choices.chunks_exact(2 * used).take(rows).flat_map(|row| &row[..used]) {
        counts[*expert as usize] += 1;
    }
}

/// Lists the pairs of the first `rows` rows by expert; see `shaders/experts/sort.wgsl`.
pub fn sort_pairs(choices: &[u32], counts: &[u32], rows: usize, shape: ListShape, list: &mut [u32]) {
    let used = shape.used as usize;
    let (tiles, pairs) = list.split_at_mut((TILE_WORDS * shape.tiles()) as usize);
    let mut next: Vec<usize> = Vec::with_capacity(counts.len());
    let (mut place, mut words) = (0, tiles.chunks_exact_mut(TILE_WORDS as usize));
    for (expert, count) in (0..).zip(counts) {
        for begin in (0..*count).step_by(SIDE as usize) {
            if let Some(tile) = words.next() {
                tile.copy_from_slice(&[expert, place + begin, (count - begin).min(SIDE), 0]);
            }
        }
        next.push(place as usize);
        place += count;
    }
    words.for_each(|tile| tile.fill(0));
    let experts = choices.chunks_exact(2 * used).take(rows).flat_map(|row| &row[..used]);
    for (pair, expert) in (0..).zip(experts) {
        let place = &mut next[*expert as usize];
        pairs[*place] = pair;
        *place += 1;
    }
}

/// `sums[r] = Σ_j weight(r, j) · parts[r · used + j]`.
pub fn sum_of_experts(parts: &[f32], choices: &[u32], used: usize, sums: &mut [f32]) {
    let rows = choices.len() / (2 * used);
    let cols = sums.len().checked_div(rows).unwrap_or(0);
    for ((choices, parts), sum) in
        choices.chunks_exact(2 * used).zip(parts.chunks(used * cols.max(1))).zip(sums.chunks_exact_mut(cols.max(1)))
    {
        for (weight, part) in choices[used..].iter().zip(parts.chunks_exact(cols)) {
            let weight = f32::from_bits(*weight);
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += weight * part);
        }
    }
}

/// An expert with its pairs.
pub struct PairsOfExpert {
    /// The expert.
    pub expert: u32,
    /// Its pairs.
    pub pairs: Vec<usize>,
}

/// The pairs of the first `rows` rows of `choices` by expert.
pub fn pairs_of_choices(choices: &[u32], rows: usize, used: usize) -> Vec<PairsOfExpert> {
    let mut runs: Vec<PairsOfExpert> = Vec::new();
    let experts = choices.chunks_exact(2 * used).take(rows).flat_map(|row| &row[..used]);
    for (pair, expert) in experts.enumerate() {
        match runs.iter_mut().find(|run| run.expert == *expert) {
            Some(run) => run.pairs.push(pair),
            None => runs.push(PairsOfExpert { expert: *expert, pairs: vec![pair] }),
        }
    }
    runs
}

/// The pairs of a list by expert.
pub fn pairs_of_list(list: &[u32], shape: ListShape) -> Vec<PairsOfExpert> {
    let (tiles, pairs) = list.split_at((TILE_WORDS * shape.tiles()) as usize);
    let mut runs: Vec<PairsOfExpert> = Vec::new();
    for tile in tiles.chunks_exact(TILE_WORDS as usize).filter(|tile| tile[2] > 0) {
        let of_tile = pairs[tile[1] as usize..][..tile[2] as usize].iter().map(|pair| *pair as usize);
        match runs.last_mut().filter(|run| run.expert == tile[0]) {
            Some(run) => run.pairs.extend(of_tile),
            None => runs.push(PairsOfExpert { expert: tile[0], pairs: of_tile.collect() }),
        }
    }
    runs
}

/// A matmul of experts whose weights stand one below the other.
pub struct ExpertProducts<'a> {
    /// The weights.
    pub weights: WeightRows<'a>,
    /// Rows of an expert.
    pub rows: usize,
    /// Of all rows.
    pub bias: Option<&'a [f32]>,
    /// The first expert, and how many there are.
    pub experts: (u32, u32),
    /// Pairs that share a row of x.
    pub used: usize,
    /// What becomes of the products.
    pub epilogue: Epilogue,
}

impl ExpertProducts<'_> {
    /// Computes `out`, `[pairs, outputs]`, for the pairs whose experts these are.
    pub fn compute(&self, x: &[f32], runs: &[PairsOfExpert], way: Option<FastWay>, out: &mut [f32]) {
        let ExpertProducts { weights, rows, epilogue, .. } = *self;
        let cols = weights.cols();
        let outputs = if matches!(epilogue, Epilogue::Gated(_)) { rows / 2 } else { rows };
        let (mut gathered, mut results) = (Vec::new(), Vec::new());
        for PairsOfExpert { expert, pairs } in runs {
            let Some(number) = expert.checked_sub(self.experts.0).filter(|number| *number < self.experts.1) else {
                continue;
            };
            let first = number as usize * rows;
            let bias = self.bias.map(|bias| BiasRows { values: &bias[first..][..rows], stride: 0 });
            gathered.clear();
            pairs.iter().for_each(|pair| gathered.extend_from_slice(&x[pair / self.used * cols..][..cols]));
            results.clear();
            results.resize(pairs.len() * outputs, 0.0);
            let values = Strided { values: &mut results, stride: outputs, offset: 0 };
            match way {
                Some(way) => fast_products(way, weights, first..first + rows, &gathered).finish(bias, epilogue, values),
                None => {
                    let sums = dot_products(weights, first..first + rows, &gathered);
                    finish(&sums, bias, epilogue, pairs.len(), values);
                }
            }
            for (pair, result) in pairs.iter().zip(results.chunks_exact(outputs)) {
                out[pair * outputs..][..outputs].copy_from_slice(result);
            }
        }
    }
}
