//! A model of several files, shown as one.

use std::rc::Rc;

use inglenook_format::converted::Converted;
use inglenook_format::gguf::split::{PartName, join, only_model};
use inglenook_format::gguf::{Gguf, GgufError, PartProblem, Value};
use inglenook_format::hf::{self, Directory};
use inglenook_format::quant::mix::Mix;
use inglenook_format::source::{Memory, Source, SourceError};
use inglenook_text::TokenizerError;
use inglenook_text::tokenizer::gguf_keys;
use inglenook_wasm_host::{self as host, JsSource};
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::errors;
use crate::files::JsFiles;

/// The longest piece that is given at once, in bytes.
const LONGEST_READ: u64 = 4 << 20;

/// Where the header of a folder has its `tokenizer.json`.
const WHOLE_TOKENIZER: &str = "tokenizer.huggingface.json";

/// Keys of a header.
type Entries = Vec<(&'static str, Value)>;

/// A GGUF file that is nowhere written.
#[wasm_bindgen]
pub struct WasmModelFile {
    source: Rc<dyn Source>,
}

#[wasm_bindgen]
impl WasmModelFile {
    /// Opens the model that the files are: a folder as Hugging Face keeps it if `config.json` is among them, else a GGUF file or its parts.
    /// Where `first` names a part, those beside it. Its matrices are converted to the type `quantize` as they are read, if that is given.
    #[wasm_bindgen(unchecked_return_type = "Promise<WasmModelFile>")]
    pub fn open(files: JsFiles, first: Option<String>, quantize: Option<String>) -> Promise {
        host::promise(async move {
            let mix = quantize.map(|name| Mix::by_name(&name).ok_or_else(|| errors::of_mix(&name))).transpose()?;
            let (mut source, tokenizer) = open(&files, first).await?;
            if mix.is_some() || !tokenizer.is_empty() {
                let without: &[&str] = if tokenizer.is_empty() { &[] } else { &[WHOLE_TOKENIZER] };
                let converted = Converted::open(source, mix, tokenizer, without).await;
                source = Box::new(converted.map_err(|error| errors::of_parts(&error))?);
            }
            Ok(WasmModelFile { source: source.into() }.into())
        })
    }

    /// Opens the adapter that the files are, a folder as PEFT saves it, as the GGUF file that it is for a model. Of that, its header is read.
    #[wasm_bindgen(unchecked_return_type = "Promise<WasmModelFile>")]
    pub fn open_adapter(files: JsFiles, base: JsSource) -> Promise {
        host::promise(async move {
            let base = Gguf::read(&base).await.map_err(|error| errors::of_parts(&error))?;
            let adapter = async { hf::read_lora(&files, &base).await?.to_gguf() };
            let bytes = adapter.await.map_err(|error| errors::of_adapter(&error))?;
            Ok(WasmModelFile { source: Rc::new(Memory(bytes)) }.into())
        })
    }

    /// Its length in bytes, where it is known.
    #[wasm_bindgen(getter)]
    pub fn size(&self) -> Option<f64> {
        self.source.len().map(|len| len as f64)
    }

    /// The bytes from `offset` on: `length` of them, at most 4 MiB, and fewer only where the file ends.
    #[wasm_bindgen(unchecked_return_type = "Promise<Uint8Array>")]
    pub fn read(&self, offset: f64, length: f64) -> Promise {
        let source = self.source.clone();
        host::promise(async move {
            let mut bytes = vec![0; (length as u64).min(LONGEST_READ) as usize];
            match source.read_at(offset as u64, &mut bytes).await {
                Ok(()) => {}
                Err(SourceError::UnexpectedEnd { have, .. }) => bytes.truncate(have),
                Err(error) => return Err(errors::of_source(&error)),
            }
            Ok(Uint8Array::from(&bytes[..]).into())
        })
    }
}

/// The model, and the keys of its tokenizer where they stand in no GGUF file.
async fn open(files: &JsFiles, first: Option<String>) -> Result<(Box<dyn Source>, Entries), JsValue> {
    let name = match (first, files.names()) {
        (Some(first), _) => first,
        (None, Some(names)) if !names.iter().any(|name| name == "config.json") => {
            let model = only_model(names.iter().map(String::as_str));
            model.map_err(|error| errors::of_files(&error))?.to_owned()
        }
        _ => {
            let folder = hf::open(files).await.map_err(|error| errors::of_folder(&error))?;
            let tokenizer = tokenizer(&folder.gguf).map_err(|error| errors::of_tokenizer(&error))?;
            return Ok((Box::new(folder.source), tokenizer));
        }
    };
    let parts = PartName::parse(&name).map_or_else(|| vec![name], |part| part.all().collect());
    let mut sources = Vec::new();
    for file in parts {
        let source = Directory::open(files, &file).await.map_err(|error| errors::of_source(&error))?;
        let missing = || GgufError::Part { file: file.clone(), problem: PartProblem::Missing };
        let source = source.ok_or_else(|| errors::of_parts(&missing()))?;
        sources.push((file, source));
    }
    if sources.len() == 1 {
        return Ok((sources.remove(0).1, Vec::new()));
    }
    Ok((Box::new(join(sources).await.map_err(|error| errors::of_parts(&error))?), Vec::new()))
}

/// The keys of GGUF's own for a folder's `tokenizer.json`, which the engine's module does not read.
fn tokenizer(gguf: &Gguf) -> Result<Entries, TokenizerError> {
    let rows = gguf.find("token_embd.weight").map_or(0, |tensor| tensor.rows());
    match gguf.metadata.text(WHOLE_TOKENIZER).filter(|_| gguf.metadata.get("tokenizer.ggml.model").is_none()) {
        Some(json) => gguf_keys(json.as_bytes(), rows),
        None => Ok(Vec::new()),
    }
}
