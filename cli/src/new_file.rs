//! A file that is there when it is whole, and not before.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::{Builder, NamedTempFile};

/// A file under another name, beside its place. Dropped before [`NewFile::finish`], it is gone.
#[derive(Debug)]
pub struct NewFile {
    file: NamedTempFile,
    place: PathBuf,
    replaces: bool,
}

impl NewFile {
    /// Looks at the place, and begins beside it.
    ///
    /// # Errors
    /// When something is there and shall not be replaced, or nothing can be written there.
    pub fn create(place: &Path, replaces: bool) -> Result<NewFile> {
        let Some(name) = place.file_name().filter(|_| !place.is_dir()) else {
            bail!("{} is a folder; name the file to write in it", place.display());
        };
        if !replaces && place.exists() {
            bail!("{} is there already; pass --force to replace it", place.display());
        }
        let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = Builder::new();
        let name = name.to_string_lossy();
        let prefix = format!(".{name}.");
        builder.prefix(&prefix).suffix(".partial");
        // Like any new file, for whoever the system lets read it; temporary ones are their owner's alone.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder).with_context(|| format!("cannot write {}", place.display()))?;
        Ok(NewFile { file, place: place.to_owned(), replaces })
    }

    /// Puts the file in its place; how many bytes it has.
    ///
    /// # Errors
    /// When it cannot be written to the end, or something has come to be in its place.
    pub fn finish(self) -> Result<u64> {
        let NewFile { file, place, replaces } = self;
        let cannot_write = || format!("cannot write {}", place.display());
        file.as_file().sync_all().with_context(cannot_write)?;
        let moved = if replaces { file.persist(&place) } else { file.persist_noclobber(&place) };
        let file: File = moved.map_err(|error| error.error).with_context(cannot_write)?;
        Ok(file.metadata().with_context(cannot_write)?.len())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
