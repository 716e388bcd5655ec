//! The checks of `inglenook::selftest` for JavaScript to run: the same in Chromium, Firefox and Node as natively.

use inglenook::gpu::{GpuOptions, Without};
use inglenook::selftest;
use wasm_bindgen::prelude::*;

/// Names of all cases.
#[wasm_bindgen]
pub fn selftest_names() -> Vec<String> {
    selftest::cases().into_iter().map(|case| case.name).collect()
}

/// Runs the cases whose name starts with `prefix`; gives their reports as JSON. `plain` leaves f16, subgroups and the
/// integer dot product unused.
///
/// # Errors
/// When no GPU opens.
#[wasm_bindgen]
pub async fn selftest(prefix: String, plain: bool) -> Result<String, JsError> {
    let without = Without { f16: plain, subgroups: plain, dot4: plain };
    let reports = selftest::run(&prefix, &GpuOptions { without, ..GpuOptions::default() }).await?;
    Ok(serde_json::to_string(&reports)?)
}
