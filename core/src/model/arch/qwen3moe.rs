//! Qwen3 with experts: layers as Qwen3's, with experts in place of feed-forward layers.

use super::{Architecture, qwen3};
use crate::model::experts::EXPERT_KEYS;

/// Qwen3 with experts.
pub const QWEN3_MOE: Architecture = Architecture {
    name: "qwen3moe",
    models: "Qwen3-30B-A3B, Qwen3-235B-A22B, Qwen3-Coder",
    reads: EXPERT_KEYS,
    ..qwen3::QWEN3
};
