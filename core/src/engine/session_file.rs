//! The file of a saved session: a conversation's state, its tokens, and the pages with their keys and values.
//!
//! ```text
//! preamble: magic, 8 bytes; version, u32; length of the header, u32
//! header: JSON with the model, the layout of pages, and the length of what follows · checksum
//! state: bytes that only the caller understands · checksum
//! tokens: u32 each · checksum
//! each page that the next token needs: the bytes of all layers that need it · checksum
//! end: how many pages there are, u64 · checksum
//! ```
//!
//! Numbers are little-endian. A checksum is XXH64 over its section, seeded with the checksum before it (the header's with the
//! preamble's hash), so that sections cannot be swapped or mixed with another file's. It is against accidents; who forges a file can forge it. So whatever a file says is
//! checked, and memory is taken for bytes that have come, never by a number.
//!
//! A header is written before the pages are read, and one that was evicted meanwhile ends what is saved. So a file may have fewer pages than
//! its header says, and has as many as its end says.
//!
//! Reading and writing are the caller's: the encoder hands out pieces, and the decoder is given them in pieces of any size.

use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

use crate::kv::groups::Lifetime;

const MAGIC: [u8; 8] = *b"INGLSESS";
const VERSION: u32 = 4;
const PREAMBLE: usize = 16;
const CHECKSUM: usize = 8;
const END: usize = 8 + CHECKSUM;
/// Bytes a header may have; ours have some hundreds.
const HEADER_LIMIT: u32 = 16 * 1024;
/// Characters of a model's name, of which JSON takes six bytes at most each.
const NAME_LIMIT: usize = 256;

/// The model that a session belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionModel {
    /// A hash that changes with the model's weights or its computation.
    pub fingerprint: [u8; 32],
    /// Its name, for people. A long one is cut in the file.
    pub name: String,
    /// Token ids are below this.
    pub vocab: u32,
    /// The LoRA adapters that keys and values were computed with, by a hash; 0 for none. A file with any can be read: what it has is found by
    /// requests that choose the same.
    pub adapters: u64,
}

/// What the bytes of a page mean. Pages of one layout cannot be used under another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvLayout {
    /// Type of keys and values, by name.
    pub ty: String,
    /// Layers with keys and values.
    pub layers: u32,
    /// Key/value heads of each.
    pub kv_heads: u32,
    /// Width of a head.
    pub head_dim: u32,
    /// Tokens in a page.
    pub page_tokens: u32,
    /// Bytes of a page, all layers together.
    pub page_bytes: u64,
    /// Layers whose sliding windows leave pages behind, which a session does without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<WindowLayout>,
}

/// Layers with a sliding window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowLayout {
    /// How many layers.
    pub layers: u32,
    /// Positions that a token sees, its own included.
    pub window: u32,
    /// Leading positions that it sees besides.
    pub keep: u32,
    /// Bytes of their part of a page.
    pub page_bytes: u64,
}

impl WindowLayout {
    fn lifetime(&self) -> Lifetime {
        Lifetime { window: Some(self.window), keep: self.keep, is_state: false }
    }
}

impl std::fmt::Display for KvLayout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let KvLayout { ty, layers, kv_heads, head_dim, page_tokens, page_bytes, windows } = self;
        write!(f, "{ty}, {layers} layers of {kv_heads} heads of {head_dim}, ")?;
        write!(f, "{page_tokens} tokens in a page of {page_bytes} bytes")?;
        windows.iter().try_for_each(|of| write!(f, ", {} of them with windows of {} tokens", of.layers, of.window))
    }
}

/// A part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Magic, version, and the header's length.
    Preamble,
    /// What the file holds.
    Header,
    /// The caller's state.
    State,
    /// Tokens.
    Tokens,
    /// A page, by number.
    Page(u64),
    /// How many pages there were; behind it is nothing.
    End,
}

impl std::fmt::Display for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Section::Preamble | Section::Header => f.write_str("its header"),
            Section::State => f.write_str("its conversation"),
            Section::Tokens => f.write_str("its tokens"),
            Section::Page(page) => write!(f, "page {page}"),
            Section::End => f.write_str("its end"),
        }
    }
}

/// Why a session cannot be restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionFileError {
    /// The file begins otherwise.
    #[error("this is not a saved session of inglenook")]
    NotASession,
    /// Written by another version.
    #[error(
        "the session was saved in version {found} of the format, and version {VERSION} can be read; begin a new one"
    )]
    Version {
        /// The file's version.
        found: u32,
    },
    /// The file ends early.
    #[error("the session file ends within {section}; it was not copied or saved whole")]
    Truncated {
        /// Where it ends.
        section: Section,
    },
    /// A checksum does not match, or a number cannot be right.
    #[error("the session file is damaged in {section}; use an earlier copy or begin a new session")]
    Damaged {
        /// Where.
        section: Section,
    },
    /// Saved with other weights.
    #[error(
        "the session was saved with another model ({saved:?}); load that one, or begin a new session with {loaded:?}"
    )]
    OtherModel {
        /// Name of the model it was saved with.
        saved: String,
        /// Name of the model that is loaded.
        loaded: String,
    },
    /// Saved with another layout of keys and values.
    #[error(
        "the session keeps keys and values as {saved}, and the model is loaded with {loaded}; load it as it was, or restore without pages"
    )]
    OtherLayout {
        /// The file's layout.
        saved: Box<KvLayout>,
        /// The layout in use.
        loaded: Box<KvLayout>,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Header {
    model: SessionModel,
    layout: KvLayout,
    state_bytes: u64,
    tokens: u64,
    /// At most.
    pages: u64,
}

impl Header {
    /// Bytes of a section with its checksum; none where no memory could hold them.
    fn section_bytes(&self, section: Section) -> Option<usize> {
        let bytes = match section {
            Section::Tokens => self.tokens.checked_mul(4)?,
            Section::Page(page) => self.page_bytes(page)?,
            _ => self.state_bytes,
        };
        usize::try_from(bytes).ok()?.checked_add(CHECKSUM)
    }

    /// Bytes of a page, without those that lie behind the windows of the next token.
    fn page_bytes(&self, page: u64) -> Option<u64> {
        let KvLayout { windows, page_bytes, .. } = &self.layout;
        let next = usize::try_from(self.tokens).ok()?;
        let page = usize::try_from(page).ok()?;
        // Pages that no layer needs are left out as a whole.
        let has_all = windows.iter().map(|layers| layers.page_bytes).try_fold(*page_bytes, u64::checked_sub)? > 0;
        let gap = match has_all {
            true => 0..0,
            false => windows
                .iter()
                .map(|layers| layers.lifetime().gap(next))
                .reduce(|one, other| one.start.max(other.start)..one.end.min(other.end))?,
        };
        let number = if page < gap.start { page } else { page.checked_add(gap.len())? };
        let behind = windows.iter().filter(|layers| !layers.lifetime().needs(next, number));
        behind.map(|layers| layers.page_bytes).try_fold(*page_bytes, u64::checked_sub)
    }
}

/// Writes a session: [`SessionEncoder::begin`], each page in order, [`SessionEncoder::finish`]. Each gives the next piece of the file.
#[derive(Debug)]
pub struct SessionEncoder {
    checksum: u64,
    header: Header,
    /// Pages that it was given.
    pages: u64,
}

impl SessionEncoder {
    /// All but the pages, of which there will be `pages` at most: those of the first tokens, so many as are kept.
    pub fn begin(
        model: &SessionModel,
        layout: &KvLayout,
        state: &[u8],
        tokens: &[u32],
        pages: u64,
    ) -> (SessionEncoder, Vec<u8>) {
        let (state_bytes, count) = (state.len() as u64, tokens.len() as u64);
        debug_assert!(pages <= count.div_ceil(layout.page_tokens.into()), "no page without tokens");
        let name = model.name.chars().take(NAME_LIMIT).collect();
        let model = SessionModel { name, ..model.clone() };
        let header = Header { model, layout: layout.clone(), state_bytes, tokens: count, pages };
        let Ok(json) = serde_json::to_vec(&header) else { unreachable!("numbers and texts can be written as JSON") };
        let preamble = [&MAGIC[..], &VERSION.to_le_bytes(), &(json.len() as u32).to_le_bytes()].concat();
        let checksum = XxHash64::oneshot(0, &preamble);
        let mut encoder = SessionEncoder { checksum, header, pages: 0 };
        let tokens = tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
        let sections = [json, state.to_vec(), tokens].map(|section| encoder.section(section));
        (encoder, [&preamble, &*sections.concat()].concat())
    }

    /// The next page.
    pub fn page(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let announced = self.header.page_bytes(self.pages);
        debug_assert_eq!(announced, Some(bytes.len() as u64), "a page as it was announced");
        self.pages += 1;
        self.section(bytes)
    }

    /// The end of the file.
    pub fn finish(mut self) -> Vec<u8> {
        self.section(self.pages.to_le_bytes().to_vec())
    }

    fn section(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        self.checksum = XxHash64::oneshot(self.checksum, &bytes);
        bytes.extend_from_slice(&self.checksum.to_le_bytes());
        bytes
    }
}

/// A section of a session, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionPart {
    /// The caller's state.
    State(Vec<u8>),
    /// All tokens, each one of the model's.
    Tokens(Vec<u32>),
    /// Keys and values of the next page, all layers together but for those whose windows have left it behind.
    Page(Vec<u8>),
}

/// Reads a session from pieces of a file.
#[derive(Debug)]
pub struct SessionDecoder {
    model: SessionModel,
    layout: Option<KvLayout>,
    section: Section,
    /// What has come of the section, with its checksum.
    buffer: Vec<u8>,
    /// The checksum of the section before.
    checksum: u64,
    header_bytes: u32,
    header: Option<Header>,
    /// Pages that have come.
    pages: u64,
    is_whole: bool,
}

impl SessionDecoder {
    /// Reads a session of `model`. Its pages must be of `layout`; where that is none, they are checked and left out.
    pub fn new(model: SessionModel, layout: Option<KvLayout>) -> SessionDecoder {
        let (buffer, section) = (Vec::new(), Section::Preamble);
        SessionDecoder {
            model,
            layout,
            section,
            buffer,
            checksum: 0,
            header_bytes: 0,
            header: None,
            pages: 0,
            is_whole: false,
        }
    }

    /// Takes the next piece of the file, and gives each section that it completes to `take`.
    ///
    /// # Errors
    /// [`SessionFileError`]. What was given to `take` before is right, but the session as a whole is not to be used.
    pub fn push(&mut self, mut bytes: &[u8], take: &mut dyn FnMut(SessionPart)) -> Result<(), SessionFileError> {
        while !self.is_whole {
            let missing = self.section_bytes() - self.buffer.len();
            let (piece, rest) = bytes.split_at(bytes.len().min(missing));
            self.buffer.extend_from_slice(piece);
            bytes = rest;
            if self.section == Section::Preamble && !self.buffer.iter().zip(&MAGIC).all(|(byte, magic)| byte == magic) {
                return Err(SessionFileError::NotASession);
            }
            if piece.len() < missing {
                return Ok(());
            }
            self.complete(take)?;
        }
        if bytes.is_empty() { Ok(()) } else { Err(damaged(Section::End)) }
    }

    /// [`SessionModel::adapters`] of the file; none before its header has come.
    pub fn adapters(&self) -> Option<u64> {
        Some(self.header.as_ref()?.model.adapters)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`SessionFileError::Truncated`] if something is missing.
    pub fn finish(mut self) -> Result<(), SessionFileError> {
        let section = self.section;
        // Fewer pages than were announced.
        if matches!(section, Section::Page(_)) && self.buffer.len() == END {
            self.section = Section::End;
            return self.complete(&mut |_| ()).map_err(|_| SessionFileError::Truncated { section });
        }
        if self.is_whole { Ok(()) } else { Err(SessionFileError::Truncated { section }) }
    }

    /// Bytes of the section that is being read, with its checksum.
    fn section_bytes(&self) -> usize {
        match (self.section, &self.header) {
            (Section::Preamble, _) => PREAMBLE,
            (Section::Header, _) => self.header_bytes as usize + CHECKSUM,
            (Section::End, _) => END,
            (section, Some(header)) => header.section_bytes(section).unwrap_or(usize::MAX),
            _ => unreachable!("the header is the first section"),
        }
    }

    /// Checks the section that is there whole, hands it out, and goes on to the next.
    fn complete(&mut self, take: &mut dyn FnMut(SessionPart)) -> Result<(), SessionFileError> {
        let section = self.section;
        let mut bytes = std::mem::take(&mut self.buffer);
        if section == Section::Preamble {
            return self.read_preamble(&bytes);
        }
        let Some((body, checksum)) = bytes.split_last_chunk() else { return Err(damaged(section)) };
        self.checksum = XxHash64::oneshot(self.checksum, body);
        if self.checksum != u64::from_le_bytes(*checksum) {
            return Err(damaged(section));
        }
        bytes.truncate(bytes.len() - CHECKSUM);
        let pages = self.header.as_ref().map_or(0, |header| header.pages);
        self.section = match section {
            Section::Header => {
                self.header = Some(self.read_header(&bytes)?);
                Section::State
            }
            Section::State => {
                take(SessionPart::State(bytes));
                Section::Tokens
            }
            Section::Tokens => {
                take(SessionPart::Tokens(self.read_tokens(&bytes)?));
                if pages > 0 { Section::Page(0) } else { Section::End }
            }
            Section::Page(page) => {
                if self.layout.is_some() {
                    take(SessionPart::Page(bytes));
                }
                self.pages += 1;
                if page + 1 < pages { Section::Page(page + 1) } else { Section::End }
            }
            Section::End if bytes == self.pages.to_le_bytes() => {
                self.is_whole = true;
                Section::End
            }
            Section::End => return Err(damaged(section)),
            Section::Preamble => unreachable!("it has no checksum"),
        };
        Ok(())
    }

    fn read_preamble(&mut self, bytes: &[u8]) -> Result<(), SessionFileError> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let (version, header_bytes) = (word(8), word(12));
        if version != VERSION {
            return Err(SessionFileError::Version { found: version });
        }
        if header_bytes > HEADER_LIMIT {
            return Err(damaged(Section::Header));
        }
        self.checksum = XxHash64::oneshot(0, bytes);
        self.header_bytes = header_bytes;
        self.section = Section::Header;
        Ok(())
    }

    fn read_header(&self, bytes: &[u8]) -> Result<Header, SessionFileError> {
        let header: Header = serde_json::from_slice(bytes).map_err(|_| damaged(Section::Header))?;
        if (header.model.fingerprint, header.model.vocab) != (self.model.fingerprint, self.model.vocab) {
            return Err(SessionFileError::OtherModel { saved: header.model.name, loaded: self.model.name.clone() });
        }
        if let Some(layout) = &self.layout
            && *layout != header.layout
        {
            let (saved, loaded) = (Box::new(header.layout), Box::new(layout.clone()));
            return Err(SessionFileError::OtherLayout { saved, loaded });
        }
        let page_tokens = u64::from(header.layout.page_tokens);
        // A page is longer than the end, so that the two cannot be mistaken for each other. Some layers may be in every page.
        let windows = &header.layout.windows;
        let of_windows = windows.iter().map(|layers| layers.page_bytes).fold(0, u64::saturating_add);
        let of_others = header.layout.page_bytes.checked_sub(of_windows);
        let is_long = of_others.is_some_and(|bytes| bytes > END as u64 || (bytes == 0 && !windows.is_empty()));
        let is_possible = page_tokens > 0
            && is_long
            && windows.iter().all(|layers| layers.page_bytes > END as u64)
            && header.pages <= header.tokens.div_ceil(page_tokens)
            && [Section::State, Section::Tokens, Section::Page(0)].iter().all(|of| header.section_bytes(*of).is_some());
        if is_possible { Ok(header) } else { Err(damaged(Section::Header)) }
    }

    fn read_tokens(&self, bytes: &[u8]) -> Result<Vec<u32>, SessionFileError> {
        let (tokens, _) = bytes.as_chunks();
        let tokens: Vec<u32> = tokens.iter().map(|token| u32::from_le_bytes(*token)).collect();
        if tokens.iter().any(|token| *token >= self.model.vocab) {
            return Err(damaged(Section::Tokens));
        }
        Ok(tokens)
    }
}

fn damaged(section: Section) -> SessionFileError {
    SessionFileError::Damaged { section }
}

#[cfg(test)]
mod tests;
