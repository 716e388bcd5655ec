//! Matmuls: a piece of the weight rows at a time, on several threads.

use std::ops::Range;
use std::slice::ChunksMut;

use inglenook_cpu::{ActivationFunction, Activations, TILE, products};
use inglenook_format::quant::WeightType;

use super::{FastWay, WORK_OF_A_VALUE};
use crate::kernels::Activation;
use crate::kernels::cpu::threads::{pieces_of, spread, threads_for};
use crate::kernels::cpu::{BiasRows, Strided, WeightRows, activate, gated_activation};
use crate::kernels::matmul::Epilogue;

/// Rows of a piece are a multiple of these, so that no panel has lanes to spare.
const WHOLE_PANELS: usize = 32;

/// Products of weight rows with rows of x, in pieces of weight rows: each `[m_count, rows of the piece]`.
#[derive(Debug)]
pub struct Products {
    way: FastWay,
    m_count: usize,
    /// Weight rows of a piece but the last, and of all.
    piece: usize,
    rows: usize,
    sums: Vec<f32>,
}

/// What [`crate::kernels::cpu::dot_products`] computes; the first row begins a group.
pub fn fast_products(way: FastWay, weights: WeightRows<'_>, rows: Range<usize>, x: &[f32]) -> Products {
    let weights = weights.planes();
    let x = activations(way, weights.ty, weights.cols, x);
    let threads = threads_for(rows.len() * x.rows() * weights.cols, way.threads);
    let mut all = Products::new(way, rows.len(), x.rows(), pieces_of(rows.len(), threads));
    let piece = all.piece;
    spread(threads, all.pieces().enumerate(), |(number, sums)| {
        products(way.processor, weights, rows.start + number * piece, &x, sums);
    });
    all
}

/// Rows of x, of `cols` columns, in the form in which they meet weights of this type.
pub fn activations(way: FastWay, ty: WeightType, cols: usize, x: &[f32]) -> Activations {
    let FastWay { processor, threads, .. } = way;
    let m_count = x.len() / cols;
    let mut activations = Activations::new(way.form(ty, m_count), m_count, cols);
    let shares = threads_for(x.len() * WORK_OF_A_VALUE, threads).min(m_count).max(1);
    let share = m_count.div_ceil(shares).max(1).next_multiple_of(TILE);
    let parts = activations.parts(share).into_iter().zip(x.chunks(share * cols));
    spread(shares, parts, |(part, x)| part.fill(processor, x));
    activations
}

impl Products {
    /// Weight rows of a piece that should have so many: a few more.
    pub fn rows_of_piece(rows: usize) -> usize {
        rows.next_multiple_of(WHOLE_PANELS).max(WHOLE_PANELS)
    }

    /// Room for the products of `rows` weight rows with `m_count` rows of x, in pieces of so many weight rows, or a few more.
    pub fn new(way: FastWay, rows: usize, m_count: usize, piece: usize) -> Products {
        let piece = Products::rows_of_piece(piece);
        Products { way, m_count, piece, rows, sums: vec![0.0; rows * m_count] }
    }

    /// The pieces: each `[m_count, rows of the piece]`.
    pub fn pieces(&mut self) -> ChunksMut<'_, f32> {
        self.sums.chunks_mut((self.piece * self.m_count).max(1))
    }

    /// Computes a piece, of the weights of all; where there are fewer, nothing.
    pub fn compute(&mut self, number: usize, weights: WeightRows<'_>, x: &Activations) {
        let (processor, first) = (self.way.processor, number * self.piece);
        if let Some(sums) = self.pieces().nth(number) {
            products(processor, weights.planes(), first, x, sums);
        }
    }

    /// What [`finish`] does with them.
    ///
    /// [`finish`]: crate::kernels::cpu::finish
    pub fn finish(self, bias: Option<BiasRows<'_>>, epilogue: Epilogue, out: Strided<'_>) {
        let Strided { values, stride, offset } = out;
        let m_count = self.m_count;
        let mut rows = values.chunks_mut(stride).take(m_count).map(|row| &mut row[offset..]);
        let threads = threads_for(self.sums.len() * WORK_OF_A_VALUE, self.way.threads).min(m_count);
        let share = m_count.div_ceil(threads.max(1)).max(1);
        let mut shares = Vec::new();
        while shares.len() * share < m_count {
            shares.push(rows.by_ref().take(share).collect::<Vec<_>>());
        }
        spread(threads, shares.into_iter().enumerate(), |(number, outs)| {
            let mut gathered = Vec::new();
            for (m, out) in (number * share..).zip(outs) {
                let bias = bias.map(|bias| bias.row(m));
                match epilogue {
                    Epilogue::Store => self.parts(m, bias, out).for_each(|(sums, bias, out)| store(sums, bias, out)),
                    Epilogue::Add => self.parts(m, bias, out).for_each(|(sums, bias, out)| add(sums, bias, out)),
                    Epilogue::Scale(factor) => self.store_by(m, bias, out, |sum| factor * sum),
                    Epilogue::Cap(cap) => self.store_by(m, bias, out, |sum| cap * (sum / cap).tanh()),
                    Epilogue::Activate(activation) => match function(activation) {
                        Some(function) => self.parts(m, bias, out).for_each(|(sums, bias, out)| {
                            store(sums, bias, out);
                            inglenook_cpu::activate(self.way.processor, function, out);
                        }),
                        None => self.store_by(m, bias, out, |sum| activate(sum, activation)),
                    },
                    Epilogue::AddScaled(factor) => {
                        gathered.resize(self.rows, 0.0);
                        self.store_by(m, bias, &mut gathered, |sum| factor * sum);
                        add(&gathered, None, &mut out[..self.rows]);
                    }
                    Epilogue::Gated(activation) => {
                        let is_whole = bias.is_none() && (m_count == 1 || self.piece >= self.rows);
                        let sums = if is_whole {
                            &self.sums[m * self.rows..][..self.rows]
                        } else {
                            // Gates and what they let through need not be in the same piece.
                            gathered.resize(self.rows, 0.0);
                            self.parts(m, bias, &mut gathered).for_each(|(sums, bias, out)| store(sums, bias, out));
                            &gathered
                        };
                        self.gate(sums, activation, out);
                    }
                }
            }
        });
    }

    /// Row `m` of the products, piece by piece, with the bias and the place in `out` of each.
    fn parts<'a>(
        &'a self,
        m: usize,
        mut bias: Option<&'a [f32]>,
        mut out: &'a mut [f32],
    ) -> impl Iterator<Item = (&'a [f32], Option<&'a [f32]>, &'a mut [f32])> {
        self.sums.chunks((self.piece * self.m_count).max(1)).map(move |piece| {
            let rows = piece.len() / self.m_count;
            let (part, rest) = std::mem::take(&mut out).split_at_mut(rows);
            out = rest;
            let of_part = bias.map(|bias| &bias[..rows]);
            bias = bias.map(|bias| &bias[rows..]);
            (&piece[m * rows..][..rows], of_part, part)
        })
    }

    /// What `finish` makes of each product of row `m`.
    fn store_by(&self, m: usize, bias: Option<&[f32]>, out: &mut [f32], finish: impl Fn(f32) -> f32) {
        self.parts(m, bias, out).for_each(|(sums, bias, out)| {
            store(sums, bias, out);
            out.iter_mut().for_each(|value| *value = finish(*value));
        });
    }

    fn gate(&self, sums: &[f32], activation: Activation, out: &mut [f32]) {
        let (gates, ups) = sums.split_at(self.rows / 2);
        let out = &mut out[..gates.len()];
        match function(activation) {
            Some(function) => inglenook_cpu::gate(self.way.processor, function, gates, ups, out),
            None => gated_activation(gates, ups, activation, out),
        }
    }
}

/// What computes an activation by vectors.
fn function(activation: Activation) -> Option<ActivationFunction> {
    match activation {
        Activation::Silu => Some(ActivationFunction::Silu),
        Activation::Gelu => Some(ActivationFunction::Gelu),
        Activation::GeluTanh => Some(ActivationFunction::GeluTanh),
        Activation::ReluSquared | Activation::Sigmoid | Activation::ClampedSilu => None,
    }
}

fn store(sums: &[f32], bias: Option<&[f32]>, out: &mut [f32]) {
    out.copy_from_slice(sums);
    if let Some(bias) = bias {
        out.iter_mut().zip(bias).for_each(|(out, bias)| *out += bias);
    }
}

fn add(sums: &[f32], bias: Option<&[f32]>, out: &mut [f32]) {
    match bias {
        Some(bias) => out.iter_mut().zip(sums).zip(bias).for_each(|((out, sum), bias)| *out += sum + bias),
        None => out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum),
    }
}
