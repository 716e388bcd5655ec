//! The engine's errors as JavaScript sees them: an `Error` whose `name` is a stable code.

use inglenook::format::gguf::GgufError;
use inglenook::gpu::GpuError;
use inglenook::source::SourceError;
use wasm_bindgen::JsValue;

use crate::host;

/// An error with a code for programs; its message is for people.
pub trait Coded: std::error::Error {
    /// Stable across versions.
    fn code(&self) -> &'static str;

    /// As JavaScript gets it.
    fn to_js(&self) -> JsValue {
        host::error(self.code(), &self.to_string())
    }
}

impl Coded for GpuError {
    fn code(&self) -> &'static str {
        match self {
            GpuError::NoWebGpu => "NoWebGpu",
            GpuError::NoAdapter(_) | GpuError::Device(_) => "NoAdapter",
            GpuError::TooSmall { .. } => "TooSmall",
            GpuError::OutOfMemory(_) => "OutOfMemory",
            GpuError::Lost(_) => "Lost",
            GpuError::Compile { .. } | GpuError::Fault(_) => "Internal",
        }
    }
}

impl Coded for SourceError {
    fn code(&self) -> &'static str {
        match self {
            SourceError::Transport { .. } => "Download",
            SourceError::UnexpectedEnd { .. } => "BadFile",
            SourceError::Backwards { .. } => "Unsupported",
            SourceError::Aborted => "Aborted",
        }
    }
}

impl Coded for GgufError {
    fn code(&self) -> &'static str {
        match self {
            GgufError::Source(error) => error.code(),
            _ => "BadFile",
        }
    }
}
