//! Saved sessions: what was computed of a conversation leaves the engine as bytes and comes back, so that it goes on without prefill.

use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::Engine;
use super::driver::{Driver, Shared};
use super::page_transfer::write_page;
use super::request::Request;
use super::session_file::{KvLayout, SessionDecoder, SessionEncoder, SessionModel, SessionPart};
use crate::error::Error;
use crate::gpu::GpuError;
use crate::kernels::kv::PAGE;
use crate::kv::path_key::PathKey;
use crate::kv::prefix::Namespace;
use crate::model::Config;
use crate::plan::PendingReadback;

/// Bytes of a file that are looked at before more are copied.
const PIECE: usize = 1 << 20;

/// A session on its way out of an engine, page by page.
#[derive(Debug)]
pub struct SavedSession {
    shared: Rc<Shared>,
    tokens: Vec<u32>,
    /// Names of the full pages, first to last.
    keys: Vec<PathKey>,
    /// Pages that stood when it was begun.
    pages: usize,
    /// The next of them.
    next: usize,
    /// What comes before the pages.
    head: Option<Vec<u8>>,
    encoder: Option<SessionEncoder>,
}

/// What was in a saved session, beside the keys and values, which are in the engine's cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredSession {
    /// The state that it was saved with.
    pub state: Vec<u8>,
    /// Tokens whose keys and values came with it.
    pub tokens: Vec<u32>,
}

impl SavedSession {
    /// Tokens whose keys and values it has, as long as none is evicted.
    pub fn tokens(&self) -> usize {
        self.tokens.len()
    }

    /// The next piece of the file; none behind the last. A page is read when its turn comes, so that no more than one is in memory.
    ///
    /// # Errors
    /// Failures of the device.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if let Some(head) = self.head.take() {
            return Ok(Some(head));
        }
        if self.next < self.pages
            && let Some(pending) = self.shared.with(|driver| read_page(driver, &self.tokens, &self.keys, self.next))
            && let Some(encoder) = &mut self.encoder
        {
            self.next += 1;
            return Ok(Some(encoder.page(pending.wait().await?)));
        }
        // A page that was evicted ends it.
        self.next = self.pages;
        Ok(self.encoder.take().map(SessionEncoder::finish))
    }
}

impl Engine {
    /// The tokens of a request's prompt.
    ///
    /// # Errors
    /// As [`Engine::submit`] where it cannot be rendered.
    pub fn prompt_tokens(&self, request: &Request) -> Result<Vec<u32>, Error> {
        Ok(self.prompts().prompt(request)?.tokens)
    }

    /// Saves what the cache has of `tokens`, a conversation's as far as it was computed, with a `state` that only the caller
    /// understands. Pages are read as the file is written, while answers go on; a page that is evicted meanwhile ends what is saved.
    ///
    /// ```
    /// use inglenook::{Device, Engine, EngineOptions, Request, source::ReadAt};
    ///
    /// # pollster::block_on(async {
    /// let model = ReadAt::new(std::fs::File::open("../models/ember/ember-q8_0.gguf")?)?;
    /// let engine = Engine::load(Device::Cpu, &model, &EngineOptions::default(), &mut |_| true).await?;
    /// let request = Request::from_json(r#"{"prompt": "Once upon a time", "max_tokens": 4}"#)?;
    /// let tokens = engine.prompt_tokens(&request)?;
    /// let mut answer = engine.submit(request)?;
    /// while answer.next().await?.is_some() {}
    ///
    /// let mut file = Vec::new();
    /// let mut session = engine.save(&tokens, b"what the app knows of it");
    /// while let Some(bytes) = session.next().await? {
    ///     file.extend(bytes);
    /// }
    /// // Later, in an engine with the same model:
    /// let restored = engine.restore(&file)?;
    /// assert_eq!((restored.state, restored.tokens), (b"what the app knows of it".to_vec(), tokens));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn save(&self, tokens: &[u32], state: &[u8]) -> SavedSession {
        let keys: Vec<PathKey> = PathKey::pages(Namespace(0), tokens).collect();
        let (found, kept) = self.shared.with(|driver| {
            let found = driver.scheduler.lookup(Namespace(0), tokens);
            let kept = driver.scheduler.tier.lookup(&keys[found.pages.len()..]).len();
            (found, kept)
        });
        let full = found.pages.len() + kept;
        let partial = found.partial.filter(|_| kept == 0).map_or(0, |(_, count)| count as usize);
        let pages = full + usize::from(partial > 0);
        let tokens = tokens[..full * PAGE as usize + partial].to_vec();
        let (encoder, head) =
            SessionEncoder::begin(&self.session_model(), &self.kv_layout(), state, &tokens, pages as u64);
        let shared = self.shared.clone();
        SavedSession { shared, tokens, keys, pages, next: 0, head: Some(head), encoder: Some(encoder) }
    }

    /// Takes a saved session: its keys and values go to the cache, as far as there is room beside what runs, so that a prompt that
    /// begins with its tokens is not computed again.
    ///
    /// # Errors
    /// [`Error::Session`] where the file is damaged, or of another model, version or type of cache; nothing is taken of it then.
    pub fn restore(&self, file: &[u8]) -> Result<RestoredSession, Error> {
        let mut decoder = SessionDecoder::new(self.session_model(), Some(self.kv_layout()));
        let (mut state, mut tokens, mut pages) = (Vec::new(), Vec::new(), Vec::new());
        let mut take = |part| match part {
            SessionPart::State(bytes) => state = bytes,
            SessionPart::Tokens(all) => tokens = all,
            SessionPart::Page(bytes) => pages.push(bytes),
        };
        for piece in file.chunks(PIECE) {
            decoder.push(piece, &mut take)?;
        }
        decoder.finish()?;
        tokens.truncate(pages.len() * PAGE as usize);
        self.shared.with(|driver| adopt(driver, &tokens, pages))?;
        Ok(RestoredSession { state, tokens })
    }

    fn session_model(&self) -> SessionModel {
        let name = self.info.model.name.clone();
        SessionModel { fingerprint: self.model().fingerprint(), name, vocab: self.tokenizer().vocab_size() as u32 }
    }

    pub(super) fn kv_layout(&self) -> KvLayout {
        self.shared.with(|driver| {
            let resources = driver.runner.resources();
            let shape = resources.kv.shape();
            KvLayout {
                ty: shape.ty.name().into(),
                layers: resources.model.config().layers,
                kv_heads: shape.kv_heads,
                head_dim: shape.head_dim,
                page_tokens: PAGE,
                page_bytes: resources.kv.page_bytes(),
            }
        })
    }
}

/// A hash that changes with a model's weights, of which `weights` is one, and with what is computed of them.
pub(super) fn fingerprint(weights: u64, config: &Config, context: u32) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(weights.to_le_bytes());
    hash.update(format!("{config:?}"));
    // Some models rotate by other angles in a longer context.
    hash.update(format!("{:?}", config.rope.factors(|_| true, context)));
    config.rope.frequencies(&[], context).iter().for_each(|angle| hash.update(angle.to_le_bytes()));
    hash.finalize().into()
}

/// Begins to read page number `nth` of `tokens`, wherever it stands: full ones by their names, and a last one that is partly filled by the
/// tokens in it, since it may go on with others.
fn read_page(driver: &mut Driver, tokens: &[u32], keys: &[PathKey], nth: usize) -> Option<PendingReadback> {
    let is_full = (nth + 1) * PAGE as usize <= tokens.len();
    let standing = match keys.get(nth).filter(|_| is_full) {
        Some(key) => driver.scheduler.page(key),
        None => {
            let found = driver.scheduler.lookup(Namespace(0), tokens);
            let wanted = (tokens.len() % PAGE as usize) as u32;
            found.partial.filter(|(_, count)| found.pages.len() == nth && *count == wanted).map(|(page, _)| page)
        }
    };
    let Some(page) = standing else {
        let kept = driver.scheduler.tier.lookup(keys.get(nth..=nth).filter(|_| is_full)?);
        return kept.first().map(|bytes| PendingReadback::Cpu(bytes.to_vec()));
    };
    let resources = driver.runner.resources().clone();
    Some(driver.transfer.read(&resources.device, &resources.kv, page))
}

/// Gives the pages of `tokens` to the cache; full ones for which it has no room to the host tier.
fn adopt(driver: &mut Driver, tokens: &[u32], pages: Vec<Vec<u8>>) -> Result<(), GpuError> {
    if let Some(error) = driver.failure() {
        return Err(error.clone());
    }
    let adopted = driver.scheduler.adopt(Namespace(0), tokens);
    let before = driver.scheduler.take_pending();
    driver.prepare(before);
    let resources = driver.runner.resources().clone();
    for (page, bytes) in adopted.iter().zip(&pages) {
        if let Some(page) = page {
            write_page(&resources.device, &resources.kv, *page, bytes);
        }
    }
    let keys = PathKey::pages(Namespace(0), tokens).zip(pages).skip(adopted.len());
    keys.for_each(|(key, bytes)| driver.scheduler.tier.put(key, bytes.into()));
    Ok(())
}
