//! Qwen 2 and 3.

use super::{Arch, PLAIN};

pub(super) const QWEN2: Arch = Arch { name: "qwen2", ..PLAIN };

pub(super) const QWEN3: Arch = Arch { name: "qwen3", ..PLAIN };
