//! One error for whoever calls the engine, with a stable code for programs and a sentence for people.

use inglenook_grammar::GrammarError;

use crate::engine::FaultError;
use crate::engine::adapters::AdapterError;
use crate::engine::draft_model::DraftError;
use crate::engine::request::RequestError;
use crate::engine::score::ScoreError;
use crate::engine::session_file::SessionFileError;
use crate::gpu::GpuError;
use crate::kernels::kv::UnsupportedKv;
use crate::model::{FitError, LoadError, ModelError};
use crate::plan::PlanError;
use inglenook_format::gguf::GgufError;
use inglenook_format::source::SourceError;
use inglenook_text::{TemplateError, TokenizerError};

/// Whatever can go wrong between a file, a device and a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// Reading the file.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file's header.
    #[error(transparent)]
    Gguf(GgufError),
    /// The model.
    #[error(transparent)]
    Model(ModelError),
    /// The model or its context is larger than the device.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// A type of cache that this model's heads do not fit.
    #[error(transparent)]
    Kv(#[from] UnsupportedKv),
    /// A draft model of another vocabulary.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// An adapter.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// The kernels.
    #[error(transparent)]
    Plan(PlanError),
    /// The tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The chat template, or the conversation it refuses.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The request.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A step that gave no token.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// The form that an answer must have.
    #[error(transparent)]
    Grammar(#[from] GrammarError),
    /// A saved session that cannot be restored.
    #[error(transparent)]
    Session(#[from] SessionFileError),
}

impl Error {
    /// A code that stays the same across versions; the npm package and the server pass it on.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Gpu(error) => gpu_code(error),
            Error::Source(error) => error.code(),
            Error::Gguf(error) => error.code(),
            Error::Model(error) if error.is_unsupported() => "Unsupported",
            Error::Model(_) => "BadFile",
            Error::Kv(_) | Error::Draft(_) => "Unsupported",
            Error::Fit(_) => "TooSmall",
            Error::Adapter(AdapterError::Lora(error)) => error.code(),
            Error::Adapter(_) => "BadRequest",
            Error::Plan(_) | Error::Fault(FaultError::NotFinite { .. }) => "WrongAnswer",
            Error::Fault(FaultError::NothingAllowed { .. }) => "BadRequest",
            Error::Tokenizer(error) if error.is_unsupported() => "Unsupported",
            Error::Tokenizer(_) => "BadFile",
            Error::Template(TemplateError::Part(_)) => "Unsupported",
            Error::Request(
                RequestError::Media { .. } | RequestError::UnknownField { .. } | RequestError::UnsupportedField { .. },
            ) => "Unsupported",
            Error::Request(RequestError::Busy { .. }) => "Busy",
            Error::Template(_) | Error::Request(_) => "BadRequest",
            Error::Grammar(error) => error.code(),
            Error::Session(
                SessionFileError::Version { .. }
                | SessionFileError::OtherModel { .. }
                | SessionFileError::OtherLayout { .. },
            ) => "Unsupported",
            Error::Session(_) => "BadFile",
        }
    }
}

fn gpu_code(error: &GpuError) -> &'static str {
    match error {
        GpuError::NoWebGpu(_) => "NoWebGpu",
        GpuError::NoAdapter(_) | GpuError::SoftwareOnly(_) | GpuError::Device(_) => "NoAdapter",
        GpuError::TooSmall { .. } => "TooSmall",
        GpuError::OutOfMemory(_) | GpuError::HostMemory { .. } => "OutOfMemory",
        GpuError::Lost(_) => "Lost",
        GpuError::Shaders(_) => "Download",
        GpuError::Compile { .. } | GpuError::Module(_) | GpuError::Fault(_) => "Internal",
    }
}

impl From<GgufError> for Error {
    fn from(error: GgufError) -> Error {
        match error {
            GgufError::Source(error) => Error::Source(error),
            error => Error::Gguf(error),
        }
    }
}

impl From<ModelError> for Error {
    fn from(error: ModelError) -> Error {
        match error {
            ModelError::Gguf(error) => error.into(),
            error => Error::Model(error),
        }
    }
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Error {
        match error {
            LoadError::Model(error) => error.into(),
            LoadError::Fit(error) => Error::Fit(error),
            LoadError::Gpu(error) => Error::Gpu(error),
            LoadError::Source(error) => Error::Source(error),
        }
    }
}

impl From<PlanError> for Error {
    fn from(error: PlanError) -> Error {
        match error {
            PlanError::Gpu(error) => Error::Gpu(error),
            error => Error::Plan(error),
        }
    }
}

impl From<ScoreError> for Error {
    fn from(error: ScoreError) -> Error {
        match error {
            ScoreError::Gguf(error) => error.into(),
            ScoreError::Load(error) => error.into(),
            ScoreError::Adapter(error) => Error::Adapter(error.into()),
            ScoreError::Kv(error) => Error::Kv(error),
            ScoreError::Plan(error) => error.into(),
            ScoreError::Gpu(error) => Error::Gpu(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use inglenook_format::lora::LoraError;
    use inglenook_format::source::SourceError;

    use super::*;

    #[test]
    fn an_adapter_whose_download_fails_is_no_damaged_file() {
        let lost = SourceError::Transport { message: "no network".into() };
        for error in [LoraError::Source(lost.clone()), LoraError::Gguf(GgufError::Source(lost))] {
            assert_eq!(Error::Adapter(error.into()).code(), "Download");
        }
        assert_eq!(Error::Adapter(LoraError::Empty.into()).code(), "BadFile");
    }
}
