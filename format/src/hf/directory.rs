//! How the files of a directory are reached: a disk, HTTP ranges, the files that someone chose in a browser.

use super::error::HfError;
use crate::source::{LOOK_BACK, LocalFuture, Source, SourceError};

/// The files of one model.
pub trait Directory {
    /// The file of that name, which may begin with the name of a folder (`1_Pooling/config.json`); `None` where there is none.
    fn open<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<Option<Box<dyn Source>>, SourceError>>;
}

/// Opens a file, where there is one.
pub(super) async fn open(directory: &dyn Directory, name: &str) -> Result<Option<Box<dyn Source>>, HfError> {
    directory.open(name).await.map_err(|error| HfError::Source { file: name.into(), error })
}

/// The text of a file of at most `max` bytes, where there is one.
pub(super) async fn read_text(directory: &dyn Directory, name: &str, max: usize) -> Result<Option<String>, HfError> {
    let Some(source) = open(directory, name).await? else { return Ok(None) };
    let too_large = || HfError::LargeFile { file: name.into(), max };
    if source.len().is_some_and(|len| len > max as u64) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    loop {
        let had = bytes.len();
        let piece = source.len().map_or(LOOK_BACK, |len| LOOK_BACK.min(len as usize - had));
        if piece == 0 {
            break;
        }
        bytes.resize(had + piece, 0);
        match source.read_at(had as u64, &mut bytes[had..]).await {
            Ok(()) => {}
            Err(SourceError::UnexpectedEnd { have, .. }) if source.len().is_none() => {
                bytes.truncate(had + have);
                break;
            }
            Err(error) => return Err(HfError::Source { file: name.into(), error }),
        }
        if bytes.len() > max {
            return Err(too_large());
        }
    }
    let detail = "it is not UTF-8 text".to_owned();
    String::from_utf8(bytes).map(Some).map_err(|_| HfError::Json { file: name.into(), detail })
}

/// The JSON of a file of at most `max` bytes, where there is one.
pub(super) async fn read_json<T: serde::de::DeserializeOwned>(
    directory: &dyn Directory,
    name: &str,
    max: usize,
) -> Result<Option<T>, HfError> {
    let Some(text) = read_text(directory, name, max).await? else { return Ok(None) };
    let parsed = serde_json::from_str(&text);
    parsed.map(Some).map_err(|error| HfError::Json { file: name.into(), detail: error.to_string() })
}
