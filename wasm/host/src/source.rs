//! A file that JavaScript holds, as the engine reads it.

use inglenook_format::source::{LocalFuture, Source, SourceError};
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// The longest piece asked for at once, in bytes, so that no more of the file is ever in JavaScript's memory.
const LONGEST_READ: usize = 4 << 20;
/// The largest whole number that JavaScript counts to exactly.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

#[wasm_bindgen(typescript_custom_section)]
const TYPESCRIPT: &str = r#"
/** Byte ranges of one file. */
export interface JsSource {
  /** Length of the file in bytes, where it is known. */
  readonly size?: number | undefined;
  /** The bytes from `offset` on: `length` of them, fewer only where the file ends. At most 4 MiB are asked for at once. */
  read(offset: number, length: number): Promise<Uint8Array>;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// The caller's file.
    #[derive(Debug, Clone)]
    #[wasm_bindgen(typescript_type = "JsSource")]
    pub type JsSource;

    #[wasm_bindgen(method, getter)]
    fn size(this: &JsSource) -> Option<f64>;
    #[wasm_bindgen(method, catch)]
    fn read(this: &JsSource, offset: f64, length: f64) -> Result<Promise, JsValue>;
}

impl Source for JsSource {
    fn len(&self) -> Option<u64> {
        // A size that is no number of bytes is as good as none.
        self.size().filter(|size| *size >= 0.0 && *size <= MAX_SAFE_INTEGER as f64).map(|size| size as u64)
    }

    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> LocalFuture<'a, Result<(), SourceError>> {
        Box::pin(fill(self, offset, buf))
    }
}

async fn fill(source: &JsSource, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
    let wanted = buf.len();
    let mut have = 0;
    while have < wanted {
        let at = offset.saturating_add(have as u64);
        let length = (wanted - have).min(LONGEST_READ);
        if at > MAX_SAFE_INTEGER {
            return Err(SourceError::UnexpectedEnd { offset, wanted, have });
        }
        let piece = piece(source, at, length).await?;
        let came = piece.length() as usize;
        if came == 0 {
            return Err(SourceError::UnexpectedEnd { offset, wanted, have });
        }
        if came > length {
            return Err(SourceError::Transport { message: format!("{came} bytes came where {length} were asked for") });
        }
        piece.copy_to(&mut buf[have..have + came]);
        have += came;
    }
    Ok(())
}

async fn piece(source: &JsSource, offset: u64, length: usize) -> Result<Uint8Array, SourceError> {
    let reading = source.read(offset as f64, length as f64).map_err(|thrown| source_error(&thrown))?;
    let bytes = JsFuture::from(reading).await.map_err(|thrown| source_error(&thrown))?;
    bytes.dyn_into().map_err(|_| SourceError::Transport { message: "what came is no Uint8Array".into() })
}

/// Why a read failed, of what JavaScript threw.
pub fn source_error(thrown: &JsValue) -> SourceError {
    match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) if ["AbortError", "Aborted"].contains(&String::from(error.name()).as_str()) => SourceError::Aborted,
        Some(error) => SourceError::Transport { message: error.message().into() },
        None => SourceError::Transport { message: thrown.as_string().unwrap_or_else(|| format!("{thrown:?}")) },
    }
}
