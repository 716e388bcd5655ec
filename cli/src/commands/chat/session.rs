//! The file of `inglenook chat --session`: the conversation, with what the engine computed of it.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result};
use inglenook::engine::Engine;
use inglenook::engine::request::AdapterChoice;
use pollster::block_on;

use super::conversation::Conversation;

/// The conversation in a file, and the tokens whose keys and values the engine has of it now; none where there is no file.
///
/// # Errors
/// Where the file cannot be read, is damaged, or belongs to another model. It is left as it is.
pub fn open(engine: &Engine, path: &Path) -> Result<Option<(Conversation, Vec<u32>)>> {
    let refused = || format!("cannot go on with {}, which is left as it is", path.display());
    let file = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.with_context(refused)?,
    };
    let restored = engine.restore(&file).with_context(refused)?;
    let conversation = serde_json::from_slice(&restored.state)
        .context("it was not written by `inglenook chat`; name another file")
        .with_context(refused)?;
    Ok(Some((conversation, restored.tokens)))
}

/// Writes a conversation, beside the file at first, so that an earlier one stays whole whatever happens.
///
/// # Errors
/// What the device or the disk says.
pub fn write(
    engine: &Engine,
    path: &Path,
    conversation: &Conversation,
    tokens: &[u32],
    lora: &[AdapterChoice],
) -> Result<()> {
    let failed = || format!("cannot save the session in {}", path.display());
    let state = serde_json::to_vec(conversation).with_context(failed)?;
    let mut session = engine.save_with_adapters(tokens, lora, &state).with_context(failed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    let mut writer = io::BufWriter::new(&mut file);
    while let Some(bytes) = block_on(session.next()).with_context(failed)? {
        writer.write_all(&bytes).with_context(failed)?;
    }
    writer.flush().with_context(failed)?;
    drop(writer);
    file.as_file().sync_all().with_context(failed)?;
    file.persist(path).with_context(failed)?;
    Ok(())
}
