//! A store of pages that JavaScript holds, as the engine uses it.

use inglenook::engine::page_store::{LocalFuture, PageStore, PageStoreError};
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen(typescript_custom_section)]
const TYPESCRIPT: &str = r#"
/** Pages of keys and values, by name. */
export interface JsPageStore {
  get(name: string): Promise<Uint8Array | undefined>;
  put(name: string, bytes: Uint8Array): Promise<void>;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// The caller's store.
    #[derive(Debug, Clone)]
    #[wasm_bindgen(typescript_type = "JsPageStore")]
    pub type JsPageStore;

    #[wasm_bindgen(method, catch)]
    fn get(this: &JsPageStore, name: &str) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn put(this: &JsPageStore, name: &str, bytes: Uint8Array) -> Result<Promise, JsValue>;
}

impl PageStore for JsPageStore {
    fn get<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<Option<Vec<u8>>, PageStoreError>> {
        Box::pin(async move {
            let given = settled(self.get(name)).await?;
            Ok(given.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec))
        })
    }

    fn put<'a>(&'a self, name: &'a str, bytes: &'a [u8]) -> LocalFuture<'a, Result<(), PageStoreError>> {
        Box::pin(async move { settled(self.put(name, Uint8Array::from(bytes))).await.map(drop) })
    }
}

async fn settled(called: Result<Promise, JsValue>) -> Result<JsValue, PageStoreError> {
    let settled = async { JsFuture::from(called?).await };
    settled.await.map_err(|thrown| PageStoreError(thrown.as_string().unwrap_or_default()))
}
