//! A module that computes its rows of weights for another, which gives it the weights, then x for each time.

use serde::de::Error as _;
use serde_json::Error;

use super::sharing::SharedWeights;
use crate::kernels::cpu::{FastWay, Precision, Processor, Products, WeightRows, activations};
use inglenook_format::quant::{Plane, PlanesRef};

/// What a module has learned of others.
#[derive(Debug, Default)]
pub struct Helper {
    groups: Vec<Option<Weights>>,
    x: Vec<f32>,
    products: Vec<f32>,
}

/// The weights of a group of matmuls with the same x, planes behind one another.
#[derive(Debug)]
struct Weights {
    way: FastWay,
    matmuls: Vec<SharedWeights>,
    words: Vec<u32>,
}

impl Helper {
    /// Makes room for the weights of a group, in place of those that had its number; the memory is to be filled with their planes. `None`
    /// where there is not so much.
    ///
    /// # Errors
    /// A text that is not of [`share_of`].
    ///
    /// [`share_of`]: super::ModuleHost::share_of
    pub fn learn(&mut self, group: usize, text: &str) -> Result<Option<&mut [u32]>, Error> {
        let (processor, exact, matmuls): (String, bool, Vec<SharedWeights>) = serde_json::from_str(text)?;
        let processor = Processor::all().into_iter().find(|known| known.name() == processor);
        let processor = processor.ok_or_else(|| Error::custom("no such instructions"))?;
        let precision = if exact { Precision::Exact } else { Precision::Rounded };
        let bytes: u64 = matmuls.iter().flat_map(|matmul| &matmul.planes).map(|(.., bytes)| bytes).sum();
        self.forget(group);
        let mut words = Vec::new();
        if words.try_reserve_exact(bytes as usize / 4).is_err() {
            return Ok(None);
        }
        words.resize(bytes as usize / 4, 0);
        self.groups.resize_with(self.groups.len().max(group + 1), || None);
        let way = FastWay { processor, threads: 1, precision };
        let weights = self.groups[group].insert(Weights { way, matmuls, words });
        Ok(Some(&mut weights.words))
    }

    /// Gives the memory of a group back.
    pub fn forget(&mut self, group: usize) {
        if let Some(weights) = self.groups.get_mut(group) {
            *weights = None;
        }
    }

    /// Room for x.
    pub fn x(&mut self, values: usize) -> &mut [f32] {
        self.x.resize(values, 0.0);
        &mut self.x
    }

    /// What was multiplied last.
    pub fn products(&self) -> &[f32] {
        &self.products
    }

    /// The products of a group's weights with x: of each matmul, `[rows of x, its rows]`. Empty where the group is not known.
    pub fn multiply(&mut self, group: usize) -> &[f32] {
        self.products.clear();
        if let Some(Weights { way, matmuls, words }) = self.groups.get(group).and_then(Option::as_ref) {
            let x = activations(*way, matmuls[0].ty, matmuls[0].cols, &self.x);
            let mut rest = words.as_slice();
            for SharedWeights { ty, rows, cols, planes } in matmuls {
                let mut sizes = planes.iter().map(|(.., bytes)| *bytes as usize / 4);
                let mut next = |plane| {
                    let words = if ty.has_plane(plane) { sizes.next().unwrap_or(0) } else { 0 };
                    let (own, behind) = rest.split_at(words);
                    rest = behind;
                    own
                };
                let planes = PlanesRef {
                    quants: next(Plane::Quants),
                    high_bits: next(Plane::HighBits),
                    scales: next(Plane::Scales),
                };
                let mut products = Products::new(*way, *rows, x.rows(), *rows);
                products.compute(0, WeightRows::new(*ty, *cols, planes), &x);
                products.pieces().for_each(|piece| self.products.extend_from_slice(piece));
            }
        }
        &self.products
    }
}
