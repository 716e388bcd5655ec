//! Layers behind the last one, which predict further tokens.

use super::super::rules::{Rule, copy};

/// What such a layer has besides what layers have.
pub(super) const NEXTN: &[Rule] = &[
    ("embed_tokens", "nextn.embed_tokens", copy),
    ("eh_proj", "nextn.eh_proj", copy),
    ("enorm", "nextn.enorm", copy),
    ("hnorm", "nextn.hnorm", copy),
    ("shared_head.head", "nextn.shared_head_head", copy),
    ("shared_head.norm", "nextn.shared_head_norm", copy),
];
