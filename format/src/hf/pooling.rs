//! How an embedding model makes one vector of a text, from the files of sentence-transformers.

use serde_json::{Map, Value};

use super::config::Config;
use super::directory::{Directory, read_json};
use super::error::HfError;
use super::keys::Keys;

const MAX_TEXT: usize = 1 << 20;
const MODULES: &str = "modules.json";

/// Reads `modules.json` and what it says of pooling, where there is such a file.
pub(super) async fn keys(directory: &dyn Directory, config: &Config, keys: &mut Keys) -> Result<(), HfError> {
    if let Some(pooling) = config.str("classifier_pooling") {
        let known = pooling_type(pooling).ok_or_else(|| unknown(pooling))?;
        keys.set("classifier.pooling_type", known);
    }
    let Some(modules) = read_json::<Vec<Map<String, Value>>>(directory, MODULES, MAX_TEXT).await? else {
        return Ok(());
    };
    let text = |module: &Map<String, Value>, key: &str| module.get(key).and_then(Value::as_str).map(str::to_owned);
    let pooling = modules.iter().find(|module| text(module, "type").is_some_and(|kind| kind.ends_with("Pooling")));
    let Some(folder) = pooling.and_then(|module| text(module, "path")) else { return Ok(()) };
    if folder.is_empty() || !folder.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
        return Err(HfError::Json { file: MODULES.into(), detail: "it names a folder outside the directory".into() });
    }
    let file = format!("{folder}/config.json");
    let found: Option<Map<String, Value>> = read_json(directory, &file, MAX_TEXT).await?;
    let found = found.ok_or(HfError::MissingFile { file })?;
    let says = |key: &str| found.get(key).and_then(Value::as_bool).unwrap_or(false);
    let named = match () {
        () if says("pooling_mode_mean_tokens") => "mean",
        () if says("pooling_mode_cls_token") => "cls",
        () if says("pooling_mode_lasttoken") => "lasttoken",
        () => found.get("pooling_mode").and_then(Value::as_str).unwrap_or_default(),
    };
    let known = pooling_type(named).ok_or_else(|| unknown(named))?;
    keys.set("pooling_type", known);
    Ok(())
}

/// GGUF's number for a way of pooling.
fn pooling_type(name: &str) -> Option<u32> {
    [("mean", 1), ("cls", 2), ("lasttoken", 3)].into_iter().find(|(known, _)| *known == name).map(|(_, number)| number)
}

fn unknown(name: &str) -> HfError {
    HfError::unsupported(format!("pooling of the kind {:?}", name.chars().take(40).collect::<String>()))
}
