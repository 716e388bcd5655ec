//! SmolLM2 with its matrices in each type of weights, made from the published file.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use inglenook::format::quant::{TensorType, WeightType, dequantise, quantise};
use tempfile::{NamedTempFile, TempPath};

#[path = "../../field_files/edit.rs"]
#[allow(dead_code, reason = "this test uses a part of it")]
mod edit;

use crate::file;
use edit::{File, Tensor};

/// The name of the published file among those of types.
const PUBLISHED: &str = "published";

/// What the matrices are in.
#[derive(Clone, Copy)]
pub enum Weights {
    /// What the published file has: Q4_1, and Q8_0 in the embedding.
    Published,
    /// One type, where its blocks fit into a row. All else is as published.
    Of(WeightType),
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Weights::Published => f.write_str(PUBLISHED),
            Weights::Of(ty) => ty.fmt(f),
        }
    }
}

/// What `cargo xtask smollm2 --weights` was told; all without it.
pub fn wanted() -> Vec<Weights> {
    let all = || [Weights::Published].into_iter().chain(WeightType::ALL.map(Weights::Of));
    let Ok(names) = std::env::var("INGLENOOK_SMOLLM2_WEIGHTS") else { return all().collect() };
    let named = |name: &str| all().find(|weights| weights.to_string().eq_ignore_ascii_case(name));
    let known = || all().map(|weights| weights.to_string().to_lowercase()).collect::<Vec<_>>().join(", ");
    names.split(',').map(|name| named(name).unwrap_or_else(|| panic!("no weights `{name}`: {}", known()))).collect()
}

/// A file; one that was made is removed with it.
pub enum ModelFile {
    Published(PathBuf),
    Made { path: TempPath, matrices: usize, of: usize },
}

impl ModelFile {
    pub fn path(&self) -> &Path {
        match self {
            ModelFile::Published(path) => path,
            ModelFile::Made { path, .. } => path,
        }
    }

    /// How many matrices of all are in the type.
    pub fn matrices(&self) -> String {
        match self {
            ModelFile::Published(_) => "-".into(),
            ModelFile::Made { matrices, of, .. } => format!("{matrices}/{of}"),
        }
    }
}

impl Weights {
    pub fn file(self) -> ModelFile {
        let published = file("model.gguf");
        let Weights::Of(ty) = self else { return ModelFile::Published(published) };
        let mut model = File::read(&std::fs::read(&published).expect("the model"));
        let (mut matrices, mut of) = (0, 0);
        for tensor in model.tensors.iter_mut().filter(|tensor| tensor.dims.len() == 2) {
            of += 1;
            if tensor.dims[0].is_multiple_of(ty.block_len() as u64) {
                matrices += 1;
                convert(tensor, ty);
            }
        }
        let mut made = NamedTempFile::new_in(published.parent().expect("a folder")).expect("a place for a file");
        made.write_all(&model.bytes()).expect("room for a file");
        ModelFile::Made { path: made.into_temp_path(), matrices, of }
    }
}

/// Other blocks of the same weights.
fn convert(tensor: &mut Tensor, ty: WeightType) {
    let TensorType::Weights(from) = tensor.ty else { panic!("{} is of a type that is not read", tensor.name) };
    let mut weights = vec![0.0; tensor.data.len() / from.block_bytes() * from.block_len()];
    dequantise(from, &tensor.data, &mut weights).expect("whole blocks");
    tensor.data.clear();
    quantise(ty, &weights, &mut tensor.data).expect("whole blocks");
    tensor.ty = ty.into();
}
