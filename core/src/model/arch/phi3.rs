//! Phi-3, 3.5 and 4: as Llama, with query, key and value in one tensor and gate and up in another, RoPE on half-split pairs of some of a head's
//! dimensions, and factors of frequencies for long contexts and for short ones.

use super::{Architecture, DECODER};
use crate::model::windows::WindowPattern;

/// Phi-3 to Phi-4.
pub const PHI3: Architecture =
    Architecture { name: "phi3", models: "Phi-3, Phi-3.5, Phi-4, Phi-4-mini", windows: WindowPattern::All, ..DECODER };
