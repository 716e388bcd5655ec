//! Kernels as text, for a module that computes apart from the engine: their own fields, without what they read and write. Of operands that
//! may be there or not, or several times, it is told that they are.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::{Kernel, Tensor, TensorRef};
use super::{
    altup, anchor_rows, attention, blend, chunk_argmax, commit, conv, copy, draft_rows, dry, embed, experts,
    filter_draw, gated_activation, gemm, gemv,
};
use super::{layer_norm, logprobs, lora, pool, rms_norm, rope, row_scale, scale, scan, scan_gates};
use crate::device::{Slice, Storage};

/// A kernel as its fields.
pub trait Encode {
    /// As JSON.
    ///
    /// # Errors
    /// None but of memory: every kernel has a form in JSON.
    fn encode(&self) -> Result<Box<RawValue>, serde_json::Error>;
}

impl<K: Serialize> Encode for K {
    fn encode(&self) -> Result<Box<RawValue>, serde_json::Error> {
        // The module of the CPU is told of kernels and tells of none: a page need not download how each would be written.
        if cfg!(all(target_arch = "wasm32", not(feature = "web"), not(feature = "selftest"))) {
            return Err(serde::ser::Error::custom("this module writes no kernels"));
        }
        to_raw_value(self)
    }
}

/// The kernel called `name`, from its fields. Its operands have no memory.
///
/// # Errors
/// Fields of another build, or a name that no kernel has.
pub fn decode(name: &str, fields: &str) -> Result<Box<dyn Kernel>, serde_json::Error> {
    fn read<K: Kernel + DeserializeOwned + 'static>(fields: &str) -> Result<Box<dyn Kernel>, serde_json::Error> {
        Ok(Box::new(serde_json::from_str::<K>(fields)?))
    }
    match name {
        "altup" => read::<altup::Altup>(fields),
        "attention" => read::<attention::Attention>(fields),
        "attention_reduce" => read::<attention::AttentionReduce>(fields),
        "blend" => read::<blend::Blend>(fields),
        "chunk_argmax" => read::<chunk_argmax::ChunkArgmax>(fields),
        "commit" => read::<commit::Commit>(fields),
        "conv" => read::<conv::Conv>(fields),
        "conv_store" => read::<conv::ConvStore>(fields),
        "copy" => read::<copy::Copy>(fields),
        "anchor_rows" => read::<anchor_rows::AnchorRows>(fields),
        "draft_rows" => read::<draft_rows::DraftRows>(fields),
        "dry" => read::<dry::Dry>(fields),
        "embed" => read::<embed::Embed>(fields),
        "expert_count" => read::<experts::sort::ExpertCount>(fields),
        "expert_gemm" => read::<experts::matmul::ExpertGemm>(fields),
        "expert_gemv" => read::<experts::matmul::ExpertGemv>(fields),
        "expert_sort" => read::<experts::sort::ExpertSort>(fields),
        "expert_sum" => read::<experts::sum::ExpertSum>(fields),
        "filter_draw" => read::<filter_draw::FilterDraw>(fields),
        "gated_activation" => read::<gated_activation::GatedActivation>(fields),
        "gemm" => read::<gemm::Gemm>(fields),
        "gemv" => read::<gemv::Gemv>(fields),
        "layer_norm" => read::<layer_norm::LayerNorm>(fields),
        "logprobs" => read::<logprobs::Logprobs>(fields),
        "lora_down" => read::<lora::LoraDown>(fields),
        "lora_up" => read::<lora::LoraUp>(fields),
        "pool" => read::<pool::Pool>(fields),
        "rms_norm" => read::<rms_norm::RmsNorm>(fields),
        "route" => read::<experts::route::Route>(fields),
        "rope_kv" => read::<rope::RopeKv>(fields),
        "row_scale" => read::<row_scale::RowScale>(fields),
        "scale" => read::<scale::Scale>(fields),
        "scan" => read::<scan::Scan>(fields),
        "scan_gates" => read::<scan_gates::ScanGates>(fields),
        name => Err(serde::de::Error::custom(format!("there is no kernel `{name}`"))),
    }
}

/// An operand whose memory is the other end's.
impl Default for TensorRef {
    fn default() -> TensorRef {
        Tensor { id: 0, rows: 0, cols: 0 }.into()
    }
}

/// No `null`, which would be an operand that is not there.
impl Serialize for TensorRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(0)
    }
}

impl<'de> Deserialize<'de> for TensorRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TensorRef, D::Error> {
        u8::deserialize(deserializer).map(|_| TensorRef::default())
    }
}

impl Serialize for Slice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(0)
    }
}

impl<'de> Deserialize<'de> for Slice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Slice, D::Error> {
        u8::deserialize(deserializer).map(|_| Storage::Cpu(Default::default()).all())
    }
}

/// How a weight type is written: by ggml's number.
pub mod weight_type {
    use inglenook_format::quant::WeightType;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the number.
    pub fn serialize<S: Serializer>(ty: &WeightType, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(ty.ggml_id())
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<WeightType, D::Error> {
        let id = u32::deserialize(deserializer)?;
        WeightType::from_ggml_id(id).ok_or_else(|| serde::de::Error::custom("no such weight type"))
    }
}
