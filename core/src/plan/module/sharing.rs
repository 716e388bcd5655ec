//! Matmuls whose weight rows several modules share: each has rows of its own, gets the same x, and answers with its products. A product
//! has the same bits wherever it is computed, so that answers do not depend on how many modules there are, or on one that is lost.

use std::cell::Ref;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Place;
use super::host::HostPlan;
use crate::kernels::cpu::{Activations, FastWay, Precision, Products, Strided, activations};
use crate::kernels::encode::weight_type;
use crate::kernels::matmul::Matmul;
use crate::plan::CpuStep;
use inglenook_format::quant::{Layout, Plane, WeightType};

/// How matmuls are shared.
#[derive(Debug, Clone, Copy)]
pub struct Sharing {
    /// Modules, this one too.
    pub modules: usize,
    /// Multiplications below which it does not pay.
    pub least: u64,
    /// Bytes that x, or the answer of a module, may have at once.
    pub room: usize,
}

/// The weights of one matmul: rows, and where each plane is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedWeights {
    #[serde(with = "weight_type")]
    pub ty: WeightType,
    pub rows: usize,
    pub cols: usize,
    pub planes: Vec<Place>,
}

impl SharedWeights {
    /// Those of a step, whose operands are at `places`, in the order of their declaration: planes follow batch, x and out.
    fn of(matmul: &Matmul, places: &[Place]) -> SharedWeights {
        let weights = &matmul.weights;
        let planes = places[3..][..planes_of(weights.ty).count()].to_vec();
        SharedWeights { ty: weights.ty, rows: weights.rows as usize, cols: weights.cols as usize, planes }
    }

    /// The rows of the module of this number, of so many.
    pub fn share(&self, module: usize, modules: usize) -> SharedWeights {
        let SharedWeights { ty, rows, cols, .. } = *self;
        let piece = Products::rows_of_piece(rows.div_ceil(modules));
        let [first, end] = [module, module + 1].map(|number| (number * piece).min(rows));
        let planes = self.planes.iter().zip(planes_of(ty)).map(|(&(buffer, offset, _), plane)| {
            let bytes = |rows| ty.plane_bytes(plane, Layout::for_cpu(ty).rows(rows) * cols / ty.block_len()) as u64;
            (buffer, offset + bytes(first), bytes(end) - bytes(first))
        });
        SharedWeights { ty, rows: end - first, cols, planes: planes.collect() }
    }
}

/// The planes that a type has, in the order of operands.
fn planes_of(ty: WeightType) -> impl Iterator<Item = Plane> {
    [Plane::Quants, Plane::HighBits, Plane::Scales].into_iter().filter(move |plane| ty.has_plane(*plane))
}

/// Consecutive steps of a plan that multiply the same x.
#[derive(Debug)]
pub struct Group {
    pub steps: Range<usize>,
    /// The number of its weights.
    pub weights: usize,
}

/// The weights of a group, and how they meet x.
#[derive(Debug, PartialEq, Eq)]
pub struct GroupWeights {
    way: FastWay,
    matmuls: Vec<SharedWeights>,
}

impl GroupWeights {
    /// Whether x has one form for these weights and others. Where few rows have one, many have, too.
    fn takes(&self, way: FastWay, ty: WeightType) -> bool {
        self.way == way && way.form(self.matmuls[0].ty, 1) == way.form(ty, 1)
    }

    /// What the module of this number has of them: instructions, whether x stays f32, and weights.
    pub fn share(&self, module: usize, modules: usize) -> (&'static str, bool, Vec<SharedWeights>) {
        let FastWay { processor, precision, .. } = self.way;
        let matmuls = self.matmuls.iter().map(|matmul| matmul.share(module, modules)).collect();
        (processor.name(), precision == Precision::Exact, matmuls)
    }
}

/// The groups of a plan whose operands are at `places`. `known` are the weights of all plans.
pub fn groups(steps: &[CpuStep], places: &[Vec<Place>], known: &mut Vec<GroupWeights>) -> Vec<Group> {
    let mut groups: Vec<(Range<usize>, GroupWeights)> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let (Some(matmul), Some(way)) = (step.kernel.as_matmul(), step.way) else { continue };
        let weights = SharedWeights::of(matmul, &places[number]);
        match groups.last_mut() {
            Some((range, group))
                if range.end == number && group.takes(way, weights.ty) && have_one_x(&places[range.start..=number]) =>
            {
                range.end += 1;
                group.matmuls.push(weights);
            }
            _ => groups.push((number..number + 1, GroupWeights { way, matmuls: vec![weights] })),
        }
    }
    let numbered = |(steps, weights)| {
        let number = known.iter().position(|other| *other == weights).unwrap_or_else(|| {
            known.push(weights);
            known.len() - 1
        });
        Group { steps, weights: number }
    };
    groups.into_iter().map(numbered).collect()
}

/// Whether steps have one batch and one x, which none of them writes.
fn have_one_x(places: &[Vec<Place>]) -> bool {
    let [batch, x] = [places[0][0], places[0][1]];
    places.iter().all(|places| [places[0], places[1]] == [batch, x] && places[2].0 != x.0)
}

/// Matmuls under way, for some rows of x.
#[derive(Debug)]
pub struct Exchange {
    group: usize,
    /// The number of the weights.
    pub weights: usize,
    rows: Range<usize>,
    is_last: bool,
    x: Activations,
    products: Vec<Products>,
}

impl Exchange {
    /// Begins a group of a plan for the rows of x from `first` on, as many as there is room for; `None` where it does not pay.
    pub fn begin(plan: &HostPlan, group: usize, first: usize, sharing: Sharing) -> Option<Exchange> {
        let Group { weights, .. } = plan.groups[group];
        let steps = steps(plan, group);
        let Sharing { modules, least, room } = sharing;
        let all: usize = steps.iter().map(|(_, matmul)| matmul.weights.rows as usize).sum();
        let (step, matmul) = &steps[0];
        matmul.with_inputs(&step.arguments, |rows, _, x| {
            let (cols, way) = (rows.cols(), step.way?);
            let m_count = x.len() / cols;
            // Once begun, it is for all rows.
            if m_count == 0 || (first == 0 && (x.len() * all) as u64 <= least) {
                return None;
            }
            // Shares are whole panels.
            let answer = all.div_ceil(modules) + steps.len() * Products::rows_of_piece(1);
            let rows = first..m_count.min(first + (room / 4 / cols.max(answer)).max(1));
            let x = activations(way, matmul.weights.ty, cols, &x[rows.start * cols..rows.end * cols]);
            let products = steps.iter().map(|(_, matmul)| {
                let all = matmul.weights.rows as usize;
                Products::new(way, all, rows.len(), all.div_ceil(modules))
            });
            Some(Exchange { group, weights, products: products.collect(), is_last: rows.end == m_count, rows, x })
        })
    }

    /// The rows of x, which the others need.
    pub fn x<'a>(&self, plan: &'a HostPlan) -> Ref<'a, [f32]> {
        let x = steps(plan, self.group)[0].0.arguments.f32s("x");
        let cols = self.x.cols();
        Ref::map(x, |x| &x[self.rows.start * cols..self.rows.end * cols])
    }

    /// Computes the share of the module of this number.
    pub fn compute(&mut self, plan: &HostPlan, module: usize) {
        for ((step, matmul), products) in steps(plan, self.group).into_iter().zip(&mut self.products) {
            matmul.with_inputs(&step.arguments, |weights, _, _| products.compute(module, weights, &self.x));
        }
    }

    /// Takes the share of the module of this number; false, and nothing taken, where it has another length.
    pub fn take(&mut self, module: usize, mut answer: &[f32]) -> bool {
        let mut pieces: Vec<_> = self.products.iter_mut().filter_map(|all| all.pieces().nth(module)).collect();
        if pieces.iter().map(|piece| piece.len()).sum::<usize>() != answer.len() {
            return false;
        }
        for piece in &mut pieces {
            let (own, rest) = answer.split_at(piece.len());
            piece.copy_from_slice(own);
            answer = rest;
        }
        true
    }

    /// Finishes the products into the outputs. Gives the step that follows, where these are the last rows of x; else how many they are.
    pub fn finish(self, plan: &HostPlan) -> Result<usize, usize> {
        let Exchange { group, rows, is_last, products, .. } = self;
        for ((step, matmul), products) in steps(plan, group).into_iter().zip(products) {
            matmul.with_outputs(&step.arguments, |bias, Strided { values, stride, offset }| {
                let out = Strided { values: &mut values[rows.start * stride..], stride, offset };
                products.finish(bias.map(|bias| bias.behind(rows.start)), matmul.epilogue, out);
            });
        }
        if is_last { Ok(plan.groups[group].steps.end) } else { Err(rows.len()) }
    }
}

/// The matmuls of a group.
fn steps(plan: &HostPlan, group: usize) -> Vec<(&CpuStep, &Matmul)> {
    let steps = &plan.steps[plan.groups[group].steps.clone()];
    steps.iter().filter_map(|step| Some((step, step.kernel.as_matmul()?))).collect()
}
