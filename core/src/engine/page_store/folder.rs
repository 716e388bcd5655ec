//! A store in a folder: a file a page, within a budget of bytes. Several processes may use one folder.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{LocalFuture, PageStore, PageStoreError};

/// How the names of pages end, and those of pages that are being written.
const PAGE: &str = "page";
const PART: &str = "part";

/// A folder of pages. Those that were used least recently, as the files' times say, are removed where it grows above its budget.
#[derive(Debug)]
pub struct FolderStore {
    folder: PathBuf,
    budget: u64,
    entries: RefCell<Entries>,
}

/// What is in the folder, as far as this process knows.
#[derive(Debug, Default)]
struct Entries {
    /// Bytes and last use of each, by name.
    by_name: HashMap<String, (u64, u64)>,
    /// Names by their last use, oldest first.
    order: BTreeMap<u64, String>,
    clock: u64,
    bytes: u64,
}

impl FolderStore {
    /// Opens a folder, which is made where there is none, and removes what is above `budget` bytes. Files that are no pages are left alone.
    ///
    /// # Errors
    /// Where the folder can neither be read nor made.
    pub fn open(folder: impl Into<PathBuf>, budget: u64) -> io::Result<FolderStore> {
        let folder = folder.into();
        fs::create_dir_all(&folder)?;
        let mut pages = Vec::new();
        for file in fs::read_dir(&folder)? {
            let path = file?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some(PAGE) => {}
                // Of a process that did not live to finish it.
                Some(PART) if is_old(&path) => {
                    let _ = fs::remove_file(&path);
                    continue;
                }
                _ => continue,
            }
            // Another process may remove files meanwhile.
            let Ok(facts) = fs::metadata(&path) else { continue };
            let Some(name) = path.file_stem().and_then(|name| name.to_str()).filter(|_| facts.is_file()) else {
                continue;
            };
            pages.push((facts.modified()?, name.to_owned(), facts.len()));
        }
        pages.sort();
        let store = FolderStore { folder, budget, entries: RefCell::default() };
        pages.into_iter().for_each(|(_, name, bytes)| store.entries.borrow_mut().insert(&name, bytes));
        store.shrink()?;
        Ok(store)
    }

    /// Bytes of the pages in it.
    pub fn bytes(&self) -> u64 {
        self.entries.borrow().bytes
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name).with_extension(PAGE)
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.entries.borrow_mut().remove(name);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes beside the page at first, so that nobody reads half of it.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let len = bytes.len() as u64;
        if len > self.budget {
            return Ok(());
        }
        let part = self.folder.join(format!("{name}-{}", std::process::id())).with_extension(PART);
        let write = || {
            let mut file = File::create(&part)?;
            file.write_all(bytes)?;
            // As `used` does it: the system's own times are coarser.
            file.set_modified(SystemTime::now())?;
            fs::rename(&part, self.path(name))
        };
        let written = write();
        if written.is_err() {
            let _ = fs::remove_file(&part);
        }
        written?;
        self.entries.borrow_mut().insert(name, len);
        self.shrink()
    }

    fn shrink(&self) -> io::Result<()> {
        let mut entries = self.entries.borrow_mut();
        while entries.bytes > self.budget
            && let Some((_, name)) = entries.order.first_key_value()
        {
            let name = name.clone();
            match fs::remove_file(self.path(&name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => entries.remove(&name),
            }
        }
        Ok(())
    }

    fn error(&self, what: &str, error: &io::Error) -> PageStoreError {
        PageStoreError(format!("a page cannot be {what} {}: {error}", self.folder.display()))
    }
}

/// Whether nobody is writing a file any more.
fn is_old(path: &Path) -> bool {
    let modified = fs::metadata(path).and_then(|facts| facts.modified());
    let age = modified.ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
    age.is_some_and(|age| age.as_secs() > 600)
}

impl Entries {
    fn insert(&mut self, name: &str, bytes: u64) {
        self.remove(name);
        self.clock += 1;
        self.bytes += bytes;
        self.by_name.insert(name.to_owned(), (bytes, self.clock));
        self.order.insert(self.clock, name.to_owned());
    }

    fn remove(&mut self, name: &str) {
        if let Some((bytes, used)) = self.by_name.remove(name) {
            self.bytes -= bytes;
            self.order.remove(&used);
        }
    }
}

impl PageStore for FolderStore {
    fn get<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<Option<Vec<u8>>, PageStoreError>> {
        Box::pin(async move { self.read(name).map_err(|error| self.error("read from", &error)) })
    }

    fn put<'a>(&'a self, name: &'a str, bytes: &'a [u8]) -> LocalFuture<'a, Result<(), PageStoreError>> {
        Box::pin(async move { self.write(name, bytes).map_err(|error| self.error("written to", &error)) })
    }

    fn used(&self, names: &[String]) {
        let mut entries = self.entries.borrow_mut();
        for name in names {
            if let Some((bytes, _)) = entries.by_name.get(name).copied() {
                entries.insert(name, bytes);
            }
            // For the processes that come later; where it fails, the page is older than it could be.
            let file = File::options().append(true).open(self.path(name));
            let _ = file.and_then(|file| file.set_modified(SystemTime::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;

    fn get(store: &FolderStore, name: &str) -> Option<Vec<u8>> {
        block_on(store.get(name)).expect("reads")
    }

    fn put(store: &FolderStore, name: &str, bytes: usize) {
        block_on(store.put(name, &vec![7; bytes])).expect("writes");
    }

    #[test]
    fn folder_keeps_pages_for_a_later_process_and_leaves_other_files_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("notes.txt"), "mine").expect("writes");
        let store = FolderStore::open(folder.path().join("pages"), 100).expect("makes it");
        put(&store, "a", 10);
        assert_eq!((get(&store, "a"), get(&store, "b"), store.bytes()), (Some(vec![7; 10]), None, 10));
        let store = FolderStore::open(folder.path().join("pages"), 100).expect("opens");
        assert_eq!((get(&store, "a"), store.bytes()), (Some(vec![7; 10]), 10));
        FolderStore::open(folder.path(), 0).expect("opens");
        assert_eq!(fs::read(folder.path().join("notes.txt")).expect("there"), b"mine");
    }

    #[test]
    fn folder_removes_what_was_used_least_recently() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = FolderStore::open(folder.path(), 30).expect("opens");
        ["a", "b", "c"].iter().for_each(|name| put(&store, name, 10));
        store.used(&["b".into(), "a".into()]);
        put(&store, "d", 10);
        assert_eq!((get(&store, "c"), store.bytes()), (None, 30));
        let store = FolderStore::open(folder.path(), 20).expect("opens");
        assert_eq!((get(&store, "b"), store.bytes()), (None, 20));
        put(&store, "huge", 31);
        assert_eq!((get(&store, "huge"), get(&store, "a").is_some()), (None, true));
        put(&store, "a", 20);
        assert_eq!((get(&store, "d"), store.bytes()), (None, 20), "a page that is written again counts once");
    }

    #[test]
    fn folder_that_another_process_has_emptied_gives_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = FolderStore::open(folder.path(), 30).expect("opens");
        put(&store, "a", 10);
        fs::remove_file(store.path("a")).expect("removes");
        assert_eq!((get(&store, "a"), store.bytes()), (None, 0));
        fs::remove_dir_all(folder.path()).expect("removes");
        assert!(block_on(store.put("b", &[1])).expect_err("no folder").to_string().contains("written to"));
    }
}
