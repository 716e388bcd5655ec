//! Errors as JavaScript sees them: an `Error` whose `name` is a stable code.

use inglenook_grammar::GrammarError;
use wasm_bindgen::prelude::*;

/// The error with its code, as JavaScript gets it.
pub fn to_js(error: GrammarError) -> JsValue {
    coded(error.code(), &error.to_string())
}

fn coded(code: &str, message: &str) -> JsValue {
    let error = js_sys::Error::new(message);
    error.set_name(code);
    error.into()
}

/// Runs once, when the module is instantiated.
#[wasm_bindgen(start)]
fn start() {
    // There is no unwinding here: the hook runs last, and what it throws is what the caller gets instead of a bare trap.
    std::panic::set_hook(Box::new(|info| {
        let message = format!("The grammar module has failed, which is a fault of inglenook; please report it: {info}");
        wasm_bindgen::throw_val(coded("Internal", &message));
    }));
}
