//! The checks of `inglenook::selftest` for JavaScript to run, the same in Chromium, Firefox and Node as natively; and the
//! parts of this crate one by one, for tests/browser to look at.

use inglenook::format::gguf::Gguf;
use inglenook::gpu::{Gpu, GpuError, GpuOptions, Without};
use inglenook::selftest;
use inglenook::source::Source;
use js_sys::{Object, Promise, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::errors::Coded;
use crate::host;
use crate::source::JsSource;

/// Runs the cases whose name starts with `prefix`; gives their reports as JSON. `plain` leaves f16, subgroups and the
/// integer dot product unused.
#[wasm_bindgen(unchecked_return_type = "Promise<string>")]
pub fn selftest(prefix: String, plain: bool) -> Promise {
    host::promise(async move {
        let without = Without { f16: plain, subgroups: plain, dot4: plain };
        let options = GpuOptions { without, ..GpuOptions::default() };
        let reports = selftest::run(&prefix, &options).await.map_err(|error| error.to_js())?;
        Ok(serde_json::to_string(&reports).map_err(|error| host::error("Internal", &error.to_string()))?.into())
    })
}

/// `length` bytes of a file from `offset` on, as the engine gets them.
#[wasm_bindgen(unchecked_return_type = "Promise<Uint8Array>")]
pub fn selftest_read(source: JsSource, offset: f64, length: usize, signal: Object) -> Promise {
    host::promise(async move {
        let mut bytes = vec![0; length];
        let read = host::until_aborted(&signal, source.read_at(offset as u64, &mut bytes)).await;
        let read = read.ok_or_else(|| host::error("Aborted", "the read was aborted"))?;
        read.map_err(|error| error.to_js())?;
        Ok(Uint8Array::from(&bytes[..]).into())
    })
}

/// Number of tensors that a GGUF file declares.
#[wasm_bindgen(unchecked_return_type = "Promise<number>")]
pub fn selftest_tensors(source: JsSource) -> Promise {
    host::promise(async move {
        let header = Gguf::read(&source).await.map_err(|error| error.to_js())?;
        Ok((header.tensors().len() as u32).into())
    })
}

/// Uses a GPU until it is lost, then gives the error.
#[wasm_bindgen(unchecked_return_type = "Promise<never>")]
pub fn selftest_until_lost() -> Promise {
    host::promise(async move { Err(until_lost().await.to_js()) })
}

async fn until_lost() -> GpuError {
    let gpu = match Gpu::request(&GpuOptions::default()).await {
        Ok(gpu) => gpu,
        Err(error) => return error,
    };
    loop {
        let buffer = match gpu.buffer("values", 1 << 16) {
            Ok(buffer) => buffer,
            Err(error) => return error,
        };
        if let Err(error) = gpu.read(&buffer, 0..256).await {
            return error;
        }
    }
}

/// Panics in the middle of a promise.
#[wasm_bindgen(unchecked_return_type = "Promise<never>")]
pub fn selftest_panic() -> Promise {
    host::promise(async move {
        let ready = wasm_bindgen_futures::JsFuture::from(Promise::resolve(&JsValue::NULL)).await;
        panic!("as the test has asked for: {ready:?}");
    })
}
