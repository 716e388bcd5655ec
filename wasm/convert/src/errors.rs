//! Errors as JavaScript sees them: an `Error` whose `name` is a stable code.

use inglenook_format::gguf::GgufError;
use inglenook_format::gguf::split::NotOneModel;
use inglenook_format::hf::HfError;
use inglenook_format::lora::LoraError;
use inglenook_format::quant::mix::Mix;
use inglenook_format::source::SourceError;
use inglenook_text::TokenizerError;
use inglenook_wasm_host as host;
use wasm_bindgen::JsValue;

/// The error with its code, as JavaScript gets it.
pub fn of_files(error: &NotOneModel) -> JsValue {
    host::error("BadFile", &format!("{error}; choose a .gguf file, all parts of a model, or a model's folder"))
}

/// The same of a type that there is not.
pub fn of_mix(name: &str) -> JsValue {
    let names = Mix::names();
    host::error("BadRequest", &format!("`quantize` is {name:?}, which is no type to convert to; there are {names}"))
}

/// The same of a source.
pub fn of_source(error: &SourceError) -> JsValue {
    host::error(error.code(), &error.to_string())
}

/// The same of a GGUF file, or of parts.
pub fn of_parts(error: &GgufError) -> JsValue {
    host::error(error.code(), &error.to_string())
}

/// The same of a folder's tokenizer.
pub fn of_tokenizer(error: &TokenizerError) -> JsValue {
    host::error(if error.is_unsupported() { "Unsupported" } else { "BadFile" }, &error.to_string())
}

/// The same of a folder.
pub fn of_folder(error: &HfError) -> JsValue {
    host::error(error.code(), &error.to_string())
}

/// The same of an adapter.
pub fn of_adapter(error: &LoraError) -> JsValue {
    host::error(error.code(), &error.to_string())
}
