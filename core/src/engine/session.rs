//! Saved sessions: what was computed of a conversation leaves the engine as bytes and comes back, so that it goes on without prefill.

use sha2::{Digest, Sha256};

use super::Engine;
use super::driver::Driver;
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

/// A session out of an engine, to be written to a file.
#[derive(Debug)]
pub struct SavedSession {
    model: SessionModel,
    layout: KvLayout,
    state: Vec<u8>,
    tokens: Vec<u32>,
    pages: Vec<Vec<u8>>,
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
    /// Tokens whose keys and values it has.
    pub fn tokens(&self) -> usize {
        self.tokens.len()
    }

    /// Writes the file: `write` is given its bytes in order.
    ///
    /// # Errors
    /// The first of `write`.
    pub fn write<E>(self, write: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let SavedSession { model, layout, state, tokens, pages } = self;
        let mut encoder = SessionEncoder::begin(&model, &layout, &state, &tokens, pages.len() as u64, write)?;
        for page in pages {
            encoder.page(&page, write)?;
        }
        encoder.finish();
        Ok(())
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
    /// understands. Pages are read one by one, while answers go on; a page that is evicted meanwhile ends what is saved.
    ///
    /// ```no_run
    /// # async fn save(engine: &inglenook::Engine, tokens: &[u32]) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut file = Vec::new();
    /// let session = engine.save(tokens, b"what the app knows of it").await?;
    /// session.write(&mut |bytes| { file.extend_from_slice(bytes); Ok::<(), std::io::Error>(()) })?;
    /// // Later, in an engine with the same model:
    /// let restored = engine.restore(&file)?;
    /// assert_eq!(restored.state, b"what the app knows of it");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Failures of the device.
    pub async fn save(&self, tokens: &[u32], state: &[u8]) -> Result<SavedSession, Error> {
        let keys: Vec<PathKey> = PathKey::pages(Namespace(0), tokens).collect();
        let mut pages = Vec::new();
        let mut saved = 0;
        while saved == pages.len() * PAGE as usize
            && let Some((pending, count)) = self.shared.with(|driver| read_standing(driver, tokens, &keys, pages.len()))
        {
            pages.push(pending.wait().await?);
            saved += count;
        }
        let (model, layout) = (self.session_model(), self.kv_layout());
        Ok(SavedSession { model, layout, state: state.to_vec(), tokens: tokens[..saved].to_vec(), pages })
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

    fn kv_layout(&self) -> KvLayout {
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

/// Begins to read page number `nth` of `tokens`, wherever it stands; with how many of its tokens do.
fn read_standing(
    driver: &mut Driver,
    tokens: &[u32],
    keys: &[PathKey],
    nth: usize,
) -> Option<(PendingReadback, usize)> {
    let found = driver.scheduler.lookup(Namespace(0), tokens);
    let (page, count) = match (found.pages.get(nth), found.partial) {
        (Some(page), _) => (*page, PAGE),
        (None, partial) => {
            if let Some(key) = keys.get(nth)
                && let [bytes] = driver.scheduler.tier.lookup(&[*key])[..]
            {
                return Some((PendingReadback::Cpu(bytes.to_vec()), PAGE as usize));
            }
            partial.filter(|_| nth == found.pages.len())?
        }
    };
    let resources = driver.runner.resources().clone();
    let pending = driver.transfer.read(&resources.device, &resources.kv, page);
    Some((pending, count as usize))
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
