//! Adapters as GGUF files, as llama.cpp's `convert_lora_to_gguf` writes them: tensors `NAME.lora_a` and `NAME.lora_b`.

use litemap::LiteMap;

use super::{Lora, LoraError, LowRank, check_shapes};
use crate::gguf::write::GgufWriter;
use crate::gguf::{Gguf, Metadata, TensorInfo};
use crate::quant::{WeightType, dequantise};
use crate::source::Source;

const ALPHA: &str = "adapter.lora.alpha";

impl Lora {
    /// Reads an adapter.
    ///
    /// # Errors
    /// Anything in [`LoraError`] about the file.
    pub async fn read(source: &dyn Source) -> Result<Lora, LoraError> {
        let gguf = Gguf::read(source).await?;
        gguf.check_whole()?;
        expect(&gguf.metadata, "general.type", "adapter")?;
        expect(&gguf.metadata, "adapter.type", "lora")?;
        if gguf.metadata.get("adapter.alora.invocation_tokens").is_some() {
            return Err(LoraError::unsupported("tokens that switch it on (aLoRA)"));
        }
        let alpha = gguf.metadata.opt_f32(ALPHA)?.unwrap_or(0.0);
        check_pairs(&gguf)?;
        let mut weights = LiteMap::<String, LowRank>::new_vec();
        // In the order of their data, since a source may only run forward.
        for tensor in gguf.tensors_by_offset() {
            let Some((name, half)) = half_of(&tensor.name) else { continue };
            let rank = if half == Half::A { tensor.rows() } else { tensor.row_len() };
            let (rank, scale) = (rank as usize, scale(alpha, rank));
            let values = floats(source, tensor).await?;
            let empty = LowRank { rank, a: Vec::new(), b: Vec::new(), scale };
            let low_rank = weights.entry(name.to_owned()).or_insert(empty);
            *(if half == Half::A { &mut low_rank.a } else { &mut low_rank.b }) = values;
        }
        weights.iter().try_for_each(|(name, low_rank)| low_rank.check_numbers(name))?;
        let architecture = gguf.metadata.opt_str("general.architecture")?.map(str::to_owned);
        if weights.is_empty() { Err(LoraError::Empty) } else { Ok(Lora { architecture, weights }) }
    }
}

impl Lora {
    /// The adapter as a GGUF file: factors are in the numbers of B, since a file has one alpha for all weights.
    ///
    /// # Errors
    /// [`LoraError::Unsupported`] for sizes that no file can have.
    pub fn to_gguf(&self) -> Result<Vec<u8>, LoraError> {
        self.write().map_err(|error| LoraError::unsupported(error.to_string()))
    }

    fn write(&self) -> std::io::Result<Vec<u8>> {
        let mut writer = GgufWriter::new();
        writer.entry("general.type", "adapter").entry("adapter.type", "lora").entry(ALPHA, 0.0f32);
        if let Some(architecture) = &self.architecture {
            writer.entry("general.architecture", architecture.as_str());
        }
        for (name, low_rank) in &self.weights {
            let [rank, inputs, outputs] =
                [low_rank.rank, low_rank.inputs(), low_rank.outputs()].map(|size| size as u64);
            writer.tensor(&format!("{name}.lora_a"), &[inputs, rank], WeightType::F32)?;
            writer.tensor(&format!("{name}.lora_b"), &[rank, outputs], WeightType::F32)?;
        }
        let mut data = writer.start(Vec::new())?;
        for low_rank in self.weights.values() {
            let bytes = |values: &[f32], factor: f32| -> Vec<u8> {
                values.iter().flat_map(|value| (value * factor).to_le_bytes()).collect()
            };
            data.write(&bytes(&low_rank.a, 1.0))?;
            data.write(&bytes(&low_rank.b, low_rank.scale))?;
        }
        data.finish()
    }
}

/// An alpha of 0 stands for that of the rank, as in llama.cpp.
fn scale(alpha: f32, rank: u64) -> f32 {
    if alpha == 0.0 { 1.0 } else { alpha / rank as f32 }
}

fn expect(metadata: &Metadata, key: &'static str, wanted: &'static str) -> Result<(), LoraError> {
    match metadata.opt_str(key)? {
        Some(found) if found == wanted => Ok(()),
        found => {
            let found = found.unwrap_or_default().chars().take(60).collect();
            Err(LoraError::NotAdapter { key, found, wanted })
        }
    }
}

/// One of the two matrices of a weight.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    A,
    B,
}

/// The weight that a tensor is for, and which of its matrices it is.
fn half_of(tensor: &str) -> Option<(&str, Half)> {
    let a = tensor.strip_suffix(".lora_a").map(|name| (name, Half::A));
    a.or_else(|| Some((tensor.strip_suffix(".lora_b")?, Half::B)))
}

/// Refuses what is no pair of matrices with shapes that belong together, before anything is read.
fn check_pairs(gguf: &Gguf) -> Result<(), LoraError> {
    for tensor in gguf.tensors() {
        let Some((name, _)) = half_of(&tensor.name) else {
            return Err(LoraError::unsupported(format!("the tensor {:?}", tensor.name)));
        };
        if name == "token_embd.weight" {
            return Err(LoraError::unsupported("changes to the embeddings"));
        }
        if tensor.dims.len() != 2 {
            let (name, found) = (tensor.name.clone(), tensor.dims.clone());
            let is_stack = found.len() == 3;
            return Err(if is_stack {
                LoraError::unsupported(format!("changes to experts ({name})"))
            } else {
                LoraError::NoMatrix { name, found }
            });
        }
    }
    for tensor in gguf.tensors() {
        let Some((name, half)) = half_of(&tensor.name) else { continue };
        let (ending, part) = if half == Half::A { ("b", "B") } else { ("a", "A") };
        let other = gguf.find(&format!("{name}.lora_{ending}"));
        let other = other.ok_or_else(|| LoraError::Missing { name: name.to_owned(), part })?;
        if half == Half::A {
            check_shapes(name, rows_and_columns(tensor), rows_and_columns(other))?;
        }
    }
    Ok(())
}

fn rows_and_columns(tensor: &TensorInfo) -> [u64; 2] {
    [tensor.rows(), tensor.row_len()]
}

/// A tensor's numbers. The header was checked against the length of the source, where it has one; a stream is read in pieces.
async fn floats(source: &dyn Source, tensor: &TensorInfo) -> Result<Vec<f32>, LoraError> {
    /// Weights that are read at once.
    const PIECE: u64 = 1 << 18;
    let ty = tensor.weight_type()?;
    let (mut values, mut at) = (Vec::new(), 0);
    while at < tensor.weights() {
        let count = PIECE.min(tensor.weights() - at) as usize;
        let bytes = |weights: u64| weights / ty.block_len() as u64 * ty.block_bytes() as u64;
        let mut raw = vec![0; bytes(count as u64) as usize];
        source.read_at(tensor.offset + bytes(at), &mut raw).await?;
        let had = values.len();
        values.resize(had + count, 0.0);
        // Whole blocks into as many weights as they have.
        dequantise(ty, &raw, &mut values[had..]).map_err(|error| LoraError::unsupported(error.to_string()))?;
        at += count as u64;
    }
    Ok(values)
}
