//! LoRA adapters: for weights of a model, two thin matrices whose product is added to them.
//!
//! `W + scale · B · A`, with A `[rank, inputs]` and B `[outputs, rank]`. Adapters come as GGUF files ([`Lora::read`]) and as the folders that
//! PEFT writes (`hf::read_lora`). Both become the same: names of weights as GGUF files have them, and floats.
//!
//! What an adapter asks for and this does not have is an error that names it: an adapter that is half applied answers wrongly.

mod error;
mod gguf;

use litemap::LiteMap;

pub use error::LoraError;

/// The largest rank accepted; those of published adapters reach 256.
pub const MAX_RANK: u64 = 4096;

/// What is added to one weight.
#[derive(Debug, Clone, PartialEq)]
pub struct LowRank {
    /// Rank of the product.
    pub rank: usize,
    /// `[rank, inputs]`, row by row.
    pub a: Vec<f32>,
    /// `[outputs, rank]`, row by row, its rows in the order in which the GGUF file of the model has them.
    pub b: Vec<f32>,
    /// The factor of the product.
    pub scale: f32,
}

impl LowRank {
    /// Length of a row of A: columns of the weight.
    pub fn inputs(&self) -> usize {
        self.a.len() / self.rank
    }

    /// Rows of B, and of the weight.
    pub fn outputs(&self) -> usize {
        self.b.len() / self.rank
    }

    /// Refuses numbers that are none.
    pub(crate) fn check_numbers(&self, name: &str) -> Result<(), LoraError> {
        for (part, values) in [("A", &self.a[..]), ("B", &self.b), ("scale", &[self.scale])] {
            if let Some(value) = values.iter().copied().find(|value| !value.is_finite()) {
                return Err(LoraError::NotFinite { name: name.to_owned(), part, value });
            }
        }
        Ok(())
    }
}

/// An adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct Lora {
    /// The architecture that it says it is for, if it says one.
    pub architecture: Option<String>,
    /// By the name of the weight, such as `blk.0.attn_q.weight`.
    pub weights: LiteMap<String, LowRank>,
}

impl Lora {
    /// The largest rank of what it adds.
    pub fn rank(&self) -> usize {
        self.weights.values().map(|low_rank| low_rank.rank).max().unwrap_or(0)
    }

    /// Whether it fits a model of these matrices, of which `find` gives columns and rows by name.
    ///
    /// # Errors
    /// [`LoraError::OtherArchitecture`], [`LoraError::UnknownWeight`], [`LoraError::BaseShape`].
    pub fn check(&self, architecture: &str, find: impl Fn(&str) -> Option<[u64; 2]>) -> Result<(), LoraError> {
        if let Some(own) = self.architecture.as_ref().filter(|own| *own != architecture) {
            return Err(LoraError::OtherArchitecture { adapter: own.clone(), model: architecture.to_owned() });
        }
        for (name, low_rank) in &self.weights {
            let base = find(name).ok_or_else(|| LoraError::UnknownWeight { name: name.clone() })?;
            let wanted = [low_rank.inputs() as u64, low_rank.outputs() as u64];
            if base != wanted {
                return Err(LoraError::BaseShape {
                    name: name.clone(),
                    adapter: wanted.to_vec(),
                    model: base.to_vec(),
                });
            }
        }
        Ok(())
    }
}

/// Refuses shapes that do not belong together, before anything is read.
pub(crate) fn check_shapes(name: &str, a: [u64; 2], b: [u64; 2]) -> Result<(), LoraError> {
    match a[0] {
        rank if rank != b[1] => Err(LoraError::Shape { name: name.to_owned(), a, b }),
        0 => Err(LoraError::Rank { name: name.to_owned(), rank: 0 }),
        rank if rank > MAX_RANK => Err(LoraError::Rank { name: name.to_owned(), rank }),
        _ => Ok(()),
    }
}
