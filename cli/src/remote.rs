//! The beginning of a file on a server, by `curl`: this program opens no connection of its own.

use std::cell::{Cell, RefCell};
use std::future::ready;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::Command;

use inglenook::source::{LocalFuture, Source, SourceError};

/// Bytes that are asked for at a time: most headers take a few pieces.
const PIECE: u64 = 2 << 20;
/// Bytes of a header at most.
const MOST: usize = 256 << 20;

/// How curl ends where a file is larger than allowed.
const TOO_LARGE: i32 = 63;
const NO_RANGES: &str = "the server does not answer requests for a part of the file; download it";

/// A file on a server that answers requests for ranges.
pub struct Remote {
    address: String,
    /// The file from its first byte on.
    beginning: RefCell<Vec<u8>>,
    /// Its length, once the server has told it.
    length: Cell<Option<u64>>,
}

impl Remote {
    /// The address that a path is, if it is one.
    pub fn address(path: &Path) -> Option<&str> {
        path.to_str().filter(|text| ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme)))
    }

    /// The file at an address, of which nothing was read yet.
    pub fn new(address: &str) -> Remote {
        Remote { address: address.into(), beginning: RefCell::default(), length: Cell::new(None) }
    }

    /// Fetches as much as it takes to have `end` bytes, or the whole file.
    fn fetch(&self, end: u64) -> Result<(), String> {
        let mut beginning = self.beginning.borrow_mut();
        while (beginning.len() as u64) < end.min(self.length.get().unwrap_or(u64::MAX)) {
            if beginning.len() >= MOST {
                return Err(format!("no header ends within {} MiB", MOST >> 20));
            }
            let from = beginning.len() as u64;
            let (piece, length) = range(&self.address, from, from + PIECE - 1)?;
            if piece.is_empty() {
                return Err("the server sent nothing".into());
            }
            self.length.set(Some(length));
            beginning.extend(piece);
        }
        Ok(())
    }
}

impl Source for Remote {
    fn len(&self) -> Option<u64> {
        self.length.get()
    }

    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> LocalFuture<'a, Result<(), SourceError>> {
        let wanted = buf.len();
        let fetched = self.fetch(offset.saturating_add(wanted as u64));
        Box::pin(ready(match fetched {
            Err(message) => Err(SourceError::Transport { message }),
            Ok(()) => {
                let beginning = self.beginning.borrow();
                let there = usize::try_from(offset).ok().and_then(|offset| beginning.get(offset..)).unwrap_or_default();
                let have = there.len().min(wanted);
                buf[..have].copy_from_slice(&there[..have]);
                if have == wanted { Ok(()) } else { Err(SourceError::UnexpectedEnd { offset, wanted, have }) }
            }
        }))
    }
}

/// Bytes `first..=last` of the file at an address, as many of them as there are, and its length.
fn range(address: &str, first: u64, last: u64) -> Result<(Vec<u8>, u64), String> {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--fail", "--location", "--proto", "=http,https", "--include"])
        // What a server without ranges would send is cut off.
        .args(["--range", &format!("{first}-{last}"), "--max-filesize", &(2 * PIECE).to_string()])
        .args(["--", address])
        .output()
        .map_err(|error| could_not_start(&error))?;
    if output.status.code() == Some(TOO_LARGE) {
        return Err(NO_RANGES.into());
    }
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("curl could not fetch it: {}", said.trim().trim_start_matches("curl: ")));
    }
    parse(&output.stdout)
}

fn could_not_start(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => {
            "addresses are read by `curl`, which is not there; install it, or download the file".into()
        }
        _ => format!("cannot start curl: {error}"),
    }
}

/// The body of an answer behind its headers (and those of redirections), and the length that `Content-Range` tells.
fn parse(mut answer: &[u8]) -> Result<(Vec<u8>, u64), String> {
    let mut length = None;
    while answer.starts_with(b"HTTP/") {
        let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { break };
        let headers = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        let range = headers.lines().find_map(|line| line.strip_prefix("content-range:"));
        length = range.and_then(|range| range.rsplit('/').next()?.trim().parse().ok());
        answer = &answer[end + 4..];
    }
    let length = length.ok_or(NO_RANGES)?;
    Ok((answer.to_vec(), length))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread;

    use pollster::block_on;

    use super::*;

    /// A server of one file; its address. It answers as long as the test runs.
    fn serve(file: Vec<u8>, ranges: bool) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}/model.gguf", listener.local_addr().expect("an address"));
        thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.expect("a connection");
                let lines = BufReader::new(connection.try_clone().expect("a copy")).lines();
                let lines: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                let range =
                    lines.iter().find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(String::from));
                let answer = match range.filter(|_| ranges) {
                    Some(range) => {
                        let (first, last) = range.split_once('-').expect("a range");
                        let first: usize = first.parse().expect("a number");
                        let end = file.len().min(last.parse::<usize>().expect("a number") + 1);
                        let head = format!(
                            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{}/{}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                            end - 1,
                            file.len(),
                            end - first
                        );
                        [head.as_bytes(), &file[first..end]].concat()
                    }
                    None => {
                        let head =
                            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", file.len());
                        [head.as_bytes(), &file].concat()
                    }
                };
                // Whoever has read enough hangs up.
                let _ = connection.write_all(&answer);
            }
        });
        address
    }

    #[test]
    fn remote_reads_ranges_piece_by_piece() {
        let file: Vec<u8> = (0..PIECE * 2 + 100).map(|byte| (byte % 251) as u8).collect();
        let remote = Remote::new(&serve(file.clone(), true));
        let mut buf = [0; 64];
        block_on(remote.read_at(PIECE - 10, &mut buf)).expect("it is there");
        assert_eq!(buf, file[PIECE as usize - 10..][..64]);
        assert_eq!(remote.len(), Some(file.len() as u64));
        assert_eq!(remote.beginning.borrow().len() as u64, 2 * PIECE, "and no more was read");
        let error = block_on(remote.read_at(file.len() as u64 - 1, &mut buf)).expect_err("it ends");
        assert!(matches!(error, SourceError::UnexpectedEnd { have: 1, .. }), "{error}");
    }

    #[test]
    fn remote_without_ranges_says_so() {
        let remote = Remote::new(&serve(vec![1; 100], false));
        let large = Remote::new(&serve(vec![1; 3 * PIECE as usize], false));
        for remote in [remote, large] {
            let error = block_on(remote.read_at(0, &mut [0; 4])).expect_err("refused");
            assert!(error.to_string().contains("requests for a part"), "{error}");
        }
    }

    #[test]
    fn paths_are_no_addresses() {
        assert_eq!(Remote::address(Path::new("https://host/file")), Some("https://host/file"));
        assert_eq!(Remote::address(Path::new("models/file.gguf")), None);
    }
}
