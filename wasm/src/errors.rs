//! The engine's errors as JavaScript sees them: an `Error` whose `name` is a stable code.

use inglenook::engine::request::RequestError;
use inglenook::error::Error;
use inglenook_wasm_host as host;
use wasm_bindgen::JsValue;

/// The error with its code, as JavaScript gets it.
pub fn to_js(error: impl Into<Error>) -> JsValue {
    let error = error.into();
    match error {
        Error::Request(RequestError::Busy { retry_after_ms, .. }) => {
            host::error_for_now(error.code(), &error.to_string(), retry_after_ms)
        }
        _ => host::error(error.code(), &error.to_string()),
    }
}

/// What loading ends with when its signal is aborted.
pub fn aborted() -> JsValue {
    host::error("Aborted", "loading the model was aborted")
}

/// What is asked of an engine after its end.
pub fn closed() -> JsValue {
    host::error("Closed", "this engine was closed; create a new one")
}

/// What a caller got wrong that only a program can get wrong.
pub fn misuse(message: &str) -> JsValue {
    host::error("BadRequest", message)
}

/// What can only be a fault of inglenook.
pub fn internal(error: impl std::fmt::Display) -> JsValue {
    host::error("Internal", &error.to_string())
}
