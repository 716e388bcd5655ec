//! Files beside each other that JavaScript holds.

use inglenook_format::hf::Directory;
use inglenook_format::source::{LocalFuture, Source, SourceError};
use inglenook_wasm_host::{JsSource, source_error};
use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen(typescript_custom_section)]
const TYPESCRIPT: &str = r#"
/** Files beside each other. */
export interface JsFiles {
  /** Their names, where they are known; those in folders begin with the folder's. */
  readonly names?: readonly string[] | undefined;
  /** The file of that name; nothing where there is none. */
  open(name: string): Promise<JsSource | undefined>;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// The caller's files.
    #[wasm_bindgen(typescript_type = "JsFiles")]
    pub type JsFiles;

    /// Their names, where they are known.
    #[wasm_bindgen(method, getter)]
    pub fn names(this: &JsFiles) -> Option<Vec<String>>;
    #[wasm_bindgen(method, catch)]
    fn open(this: &JsFiles, name: &str) -> Result<Promise, JsValue>;
}

impl Directory for JsFiles {
    fn open<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<Option<Box<dyn Source>>, SourceError>> {
        Box::pin(async move {
            let opened = async { JsFuture::from(JsFiles::open(self, name)?).await }.await;
            let file = opened.map_err(|thrown| source_error(&thrown))?;
            let source = (!file.is_undefined()).then(|| file.unchecked_into::<JsSource>());
            Ok(source.map(|source| Box::new(source) as Box<dyn Source>))
        })
    }
}
