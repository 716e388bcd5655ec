//! Directories of Hugging Face models, shown as GGUF files.
//!
//! A directory has `config.json`, weights in safetensors files and a tokenizer. [`open`] reads their headers and makes a virtual GGUF
//! file: its header, as llama.cpp's converter would write it, and a [`View`] that serves its bytes by reading ranges of the weights and
//! changing them on the way. Nothing holds a matrix; a read takes a few MiB besides the buffer that it fills.

mod arch;
mod checkpoint;
mod config;
mod decode;
mod directory;
mod error;
mod keys;
mod leaf;
mod lora;
mod names;
mod peft;
mod pooling;
mod read;
mod rope;
mod rules;
mod steps;
mod stored;
mod tensor;
mod tokenizer;
mod view;

pub use directory::Directory;
pub use error::HfError;
pub use lora::read_lora;
pub use view::View;

use crate::gguf::write::GgufWriter;
use crate::gguf::{Gguf, GgufError, TensorProblem};
use crate::quant::{TensorType, WeightType};
use arch::Arch;
use checkpoint::{Checkpoint, Shards};
use config::Config;
use keys::Keys;
use rope::Rope;
use rules::Rules;
use tensor::{Slice, Tensor};
use view::Placed;

/// The largest `config.json` accepted.
const MAX_CONFIG: usize = 4 << 20;

/// A model's header and its bytes.
#[derive(Debug)]
pub struct HfModel {
    /// The header of the virtual file.
    pub gguf: Gguf,
    /// The bytes of the virtual file, header included.
    pub source: View,
}

/// Reads the configuration, the tokenizer and the headers of the weights.
///
/// # Errors
/// Anything in [`HfError`]: files that are missing or damaged, and models that cannot be shown.
pub async fn open(directory: &dyn Directory) -> Result<HfModel, HfError> {
    let root = directory::read_json(directory, "config.json", MAX_CONFIG).await?;
    let config = Config::new(root.ok_or_else(|| HfError::MissingFile { file: "config.json".into() })?);
    let arch = Arch::of(&config)?;
    let config = config.with_defaults(arch.defaults);
    let rope = Rope::read(&config, arch.theta)?;
    let mut checkpoint = Checkpoint::open(directory).await?;
    checkpoint.tensors.retain(|name, _| !arch.leaves_out.iter().any(|begin| name.starts_with(begin)));
    let slices = stored::slices(checkpoint.tensors, &config, |name| (arch.rename)(&config, name))?;
    let mut keys = arch.all_keys(&config, &rope)?;
    let layers = all_layers(arch, &config, &slices, &mut keys)?;
    tokenizer::keys(directory, &config, &mut keys).await?;
    pooling::keys(directory, &config, &mut keys).await?;
    let rules = Rules { tables: arch.rules, config: &config, layers };
    let mut tensors = rules.apply(slices)?;
    let extras = (arch.extras)(&config, &rope)?;
    tensors.extend(extras.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)));
    assemble(keys, tensors, checkpoint.shards).await
}

/// Number of layers, with those that predict further tokens where the checkpoint has them: transformers saves models without.
fn all_layers(arch: &Arch, config: &Config, slices: &[Slice], keys: &mut Keys) -> Result<u64, HfError> {
    let trunk = config.layers()?;
    let more = (arch.extra_layers)(config)?;
    let is_behind = |slice: &Slice| names::parse(&slice.name).is_some_and(|name| name.layer >= Some(trunk));
    let more = if slices.iter().any(is_behind) { more } else { 0 };
    if more > 0 {
        keys.set("block_count", (trunk + more) as u32);
        keys.set("nextn_predict_layers", more as u32);
        keys.lengthen(trunk as usize, (trunk + more) as usize);
    }
    Ok(trunk + more)
}

/// Writes the header, and gives each tensor its place.
async fn assemble(keys: Keys, tensors: Vec<(String, Tensor)>, shards: Shards) -> Result<HfModel, HfError> {
    let mut writer = GgufWriter::new();
    for (key, value) in keys.entries {
        writer.entry(&key, value);
    }
    let mut types = Vec::new();
    for (name, tensor) in &tensors {
        let ty = served_type(name, tensor);
        let dims: Vec<u64> = tensor.shape.iter().rev().copied().collect();
        if dims.len() > MAX_DIMS {
            return Err(malformed(name, tensor, ty));
        }
        writer.tensor(name, &dims, ty).map_err(|_| malformed(name, tensor, ty))?;
        types.push(ty);
    }
    let mut header = Vec::new();
    let written = writer.start(&mut header).map(drop);
    written.map_err(|error| HfError::unsupported(error.to_string()))?;
    // A tokenizer of many megabytes is in both.
    drop(writer);
    let mut view = View { len: header.len() as u64, header, shards, tensors: Vec::new() };
    for ((name, tensor), ty) in tensors.into_iter().zip(types) {
        let (block, block_bytes) = ty.block().unwrap_or((1, 1));
        let elements: u64 = tensor.shape.iter().product();
        let (offset, bytes) = (view.len, elements / block as u64 * block_bytes as u64);
        // The writer has refused sizes beyond half of 64 bits, so only the sum can overflow.
        let end = offset.checked_add(bytes).and_then(|end| end.checked_next_multiple_of(ALIGNMENT));
        let too_large = || GgufError::Tensor { name: name.clone(), problem: TensorProblem::TooLarge };
        view.len = end.ok_or_else(too_large)?;
        view.tensors.push(Placed { offset, bytes, ty, tensor });
    }
    let gguf = Gguf::read(&view).await?;
    Ok(HfModel { gguf, source: view })
}

/// The most dimensions of a tensor in a GGUF file.
const MAX_DIMS: usize = 4;
/// Alignment of the virtual file's data, bytes: GGUF's own where it names none.
const ALIGNMENT: u64 = 32;

fn malformed(name: &str, tensor: &Tensor, ty: TensorType) -> HfError {
    HfError::Shape {
        name: name.into(),
        found: tensor.shape.clone(),
        wanted: format!("a tensor of the type {}", ty.name()),
    }
}

/// Names of matrices that GGUF files have as f32 whatever the type of the file.
const ALWAYS_F32: [&str; 9] = [
    "_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_inp_shexp.weight",
    "position_embd.weight",
    "token_types.weight",
    "ssm_conv1d.weight",
    "shortconv.conv.weight",
    "altup_correct_coef.weight",
    "altup_predict_coef.weight",
];

/// The type of a tensor in the virtual file: that of the checkpoint, but f32 for what is small and matters.
fn served_type(name: &str, tensor: &Tensor) -> TensorType {
    let is_vector = tensor.shape.len() <= 1 || !name.ends_with(".weight");
    if is_vector || ALWAYS_F32.iter().any(|end| name.ends_with(end)) { WeightType::F32.into() } else { tensor.ty() }
}
