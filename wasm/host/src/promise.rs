//! `host.js`: errors with a code, promises that end even if the module dies, and a signal that can be waited for.

use std::pin::{Pin, pin};
use std::task::Poll;

use js_sys::{Object, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

#[wasm_bindgen(module = "/src/host.js")]
extern "C" {
    #[wasm_bindgen(js_name = codedError)]
    fn coded_error(name: &str, message: &str, retry_after_ms: Option<f64>) -> JsValue;
    fn owe(promise: &Promise) -> Promise;
    #[wasm_bindgen(js_name = reportPanic)]
    fn report_panic(message: &str);
    fn aborted(signal: &Object) -> Promise;
    #[wasm_bindgen(js_name = breathe)]
    fn next_task() -> Promise;
}

/// To be called once, when the module is instantiated.
pub fn set_panic_hook() {
    std::panic::set_hook(Box::new(|info| report_panic(&info.to_string())));
}

/// An `Error` whose `name` is `code`.
pub fn error(code: &str, message: &str) -> JsValue {
    coded_error(code, message, None)
}

/// The same where it may succeed after so many milliseconds: its `retryAfterMs`.
pub fn error_for_now(code: &str, message: &str, retry_after_ms: u64) -> JsValue {
    coded_error(code, message, Some(retry_after_ms as f64))
}

/// A promise of what `future` gives, rejected with the code `Internal` if the module panics before.
pub fn promise(future: impl Future<Output = Result<JsValue, JsValue>> + 'static) -> Promise {
    owe(&future_to_promise(future))
}

/// Lets JavaScript handle what has come meanwhile, such as the message that cancels an answer.
pub async fn breathe() {
    // It never rejects.
    let _ = JsFuture::from(next_task()).await;
}

/// What `future` gives, or `None` as soon as `signal` (an `AbortSignal`) is aborted; then the future is dropped, and with it
/// all that it holds.
pub async fn until_aborted<T>(signal: &Object, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut aborted = JsFuture::from(aborted(signal));
    std::future::poll_fn(|context| match Pin::new(&mut aborted).poll(context) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(context).map(Some),
    })
    .await
}
