//! Saved sessions: what was computed of a conversation leaves the engine as bytes and comes back, so that it goes on without prefill.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::Engine;
use super::adapters::namespace;
use super::driver::{Driver, Shared};
use super::page_transfer::write_page;
use super::request::{AdapterChoice, Request};
use super::scheduler::Adopted;
use super::session_file::{KvLayout, SessionDecoder, SessionEncoder, SessionModel, SessionPart, WindowLayout};
use crate::error::Error;
use crate::gpu::GpuError;
use crate::kernels::kv::PAGE;
use crate::kv::groups::Lifetime;
use crate::kv::path_key::PathKey;
use crate::kv::prefix::Namespace;
use crate::model::Config;
use crate::plan::PendingReadback;
use inglenook_format::order::sort_by;

/// Bytes of a file that are looked at before more are copied.
const PIECE: usize = 1 << 20;

/// A session on its way out of an engine, page by page.
#[derive(Debug)]
pub struct SavedSession {
    shared: Rc<Shared>,
    namespace: Namespace,
    tokens: Vec<u32>,
    /// Names of the full pages, first to last.
    keys: Vec<PathKey>,
    /// Numbers of the pages that are still to come.
    pages: VecDeque<usize>,
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
        if let Some(number) = self.pages.pop_front()
            && let Some(pieces) =
                self.shared.with(|driver| read_page(driver, (self.namespace, &self.tokens), &self.keys, number))
            && let Some(encoder) = &mut self.encoder
        {
            let mut page = Vec::new();
            for piece in pieces {
                page.extend(piece.wait().await?);
            }
            return Ok(Some(encoder.page(page)));
        }
        // A page that was evicted ends it.
        self.pages.clear();
        Ok(self.encoder.take().map(SessionEncoder::finish))
    }
}

impl Engine {
    /// The tokens of a request's prompt, without what is left out of it.
    ///
    /// # Errors
    /// As [`Engine::submit`] where it cannot be rendered.
    pub fn prompt_tokens(&self, request: &Request) -> Result<Vec<u32>, Error> {
        Ok(self.prompts().fitting(request, self.context)?.0.tokens)
    }

    /// Saves what the cache has of `tokens`, a conversation's as far as it was computed, with a `state` that only the caller
    /// understands: of each group of layers the pages that the next token needs. Pages are read as the file is written, while answers go
    /// on; a page that is evicted meanwhile ends what is saved. Of layers with sliding windows nothing is of use then.
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
    /// assert_eq!(restored.state, b"what the app knows of it");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn save(&self, tokens: &[u32], state: &[u8]) -> SavedSession {
        self.save_of(Namespace(0), tokens, state)
    }

    /// The same of a conversation with these LoRA adapters, [`Request::lora`].
    ///
    /// # Errors
    /// [`Error::Request`] for adapters that are not loaded.
    pub fn save_with_adapters(
        &self,
        tokens: &[u32],
        lora: &[AdapterChoice],
        state: &[u8],
    ) -> Result<SavedSession, Error> {
        let chosen = self.shared.with(|driver| driver.adapters.choose(lora))?;
        Ok(self.save_of(namespace(&chosen), tokens, state))
    }

    fn save_of(&self, namespace: Namespace, tokens: &[u32], state: &[u8]) -> SavedSession {
        let found = self.shared.with(|driver| driver.scheduler.lookup(namespace, tokens));
        let tokens = tokens[..found.tokens + found.partial.map_or(0, |(_, count)| count as usize)].to_vec();
        let keys: Vec<PathKey> = PathKey::pages(namespace, &tokens).collect();
        let pages = self.shared.with(|driver| saved_pages(driver, tokens.len()));
        let model = SessionModel { adapters: namespace.0, ..self.session_model() };
        let (encoder, head) = SessionEncoder::begin(&model, &self.kv_layout(), state, &tokens, pages.len() as u64);
        let shared = self.shared.clone();
        SavedSession { shared, namespace, tokens, keys, pages: pages.into(), head: Some(head), encoder: Some(encoder) }
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
        let namespace = Namespace(decoder.adapters().unwrap_or_default());
        decoder.finish()?;
        self.shared.with(|driver| {
            // Windows need the last pages, which a session that was cut short lacks.
            let has_windows = driver.scheduler.lifetimes().any(|lifetime| lifetime.window.is_some());
            let is_cut = has_windows && pages.len() < saved_pages(driver, tokens.len()).len();
            match has_windows {
                true if is_cut => tokens.clear(),
                true => {}
                false => tokens.truncate(pages.len() * PAGE as usize),
            }
            adopt(driver, (namespace, &tokens), &pages)
        })?;
        Ok(RestoredSession { state, tokens })
    }

    fn session_model(&self) -> SessionModel {
        let name = self.info.model.name.clone();
        SessionModel {
            fingerprint: self.model().fingerprint(),
            name,
            vocab: self.tokenizer().vocab_size() as u32,
            adapters: 0,
        }
    }

    pub(super) fn kv_layout(&self) -> KvLayout {
        self.shared.with(|driver| {
            let resources = driver.runner.resources();
            let (kv, config) = (&resources.kv, resources.model.config());
            let groups = kv.options().groups.iter().zip(kv.page_bytes());
            let windows = groups.filter_map(|(group, page_bytes)| {
                let Lifetime { window, keep, .. } = group.lifetime;
                Some(WindowLayout { layers: group.layers.len() as u32, window: window?, keep, page_bytes })
            });
            KvLayout {
                ty: kv.options().ty.name().into(),
                layers: config.layers,
                kv_heads: config.kv_heads,
                head_dim: config.head_dim,
                page_tokens: PAGE,
                page_bytes: kv.page_bytes().sum(),
                windows: windows.collect(),
            }
        })
    }
}

/// A hash that changes with a model's weights, of which `weights` is one, and with what is computed of them.
pub(super) fn fingerprint(weights: u64, config: &Config, context: u32) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(weights.to_le_bytes());
    hash.update(format!("{config:?}"));
    // Some models rotate by other angles in a longer context.
    for rope in &config.ropes {
        hash.update(format!("{:?}", rope.factors(|_| true, context)));
        rope.frequencies(&[], context).iter().for_each(|angle| hash.update(angle.to_le_bytes()));
    }
    hash.finalize().into()
}

/// Numbers of the pages of a session of so many tokens: those that any group needs for the next.
fn saved_pages(driver: &Driver, tokens: usize) -> Vec<usize> {
    let mut pages: Vec<usize> =
        driver.scheduler.lifetimes().flat_map(|lifetime| lifetime.pages(tokens..tokens)).collect();
    sort_by(&mut pages, Ord::cmp);
    pages.dedup();
    pages
}

/// Begins to read page `number` of `tokens` in each group that needs it for the next, wherever it stands: full ones by their names, and a
/// last one that is partly filled by the tokens in it, since it may go on with others. None where one of them is gone.
fn read_page(
    driver: &mut Driver,
    (namespace, tokens): (Namespace, &[u32]),
    keys: &[PathKey],
    number: usize,
) -> Option<Vec<PendingReadback>> {
    let key = keys.get(number);
    let partial = match key {
        Some(_) => None,
        None => {
            let found = driver.scheduler.lookup(namespace, tokens);
            let wanted = (tokens.len() % PAGE as usize) as u32;
            Some(found.partial.filter(|(_, count)| *count == wanted && found.tokens == number * PAGE as usize)?.0)
        }
    };
    let resources = driver.runner.resources().clone();
    let lifetimes: Vec<Lifetime> = driver.scheduler.lifetimes().collect();
    let needing = lifetimes.iter().enumerate().filter(|(_, lifetime)| lifetime.needs(tokens.len(), number));
    let pieces = needing.map(|(group, _)| {
        let standing = match (key, &partial) {
            (Some(key), _) => driver.scheduler.page(key, group),
            (None, partial) => partial.as_ref().map(|pages| pages[group]),
        };
        match standing {
            Some(page) => Some(driver.transfer.read(&resources.device, &resources.kv, group, page)),
            None => {
                let kept = driver.scheduler.tier.lookup(&[key?.of_group(group)]);
                kept.first().map(|bytes| PendingReadback::Cpu(bytes.to_vec()))
            }
        }
    });
    pieces.collect()
}

/// Gives the pages of `tokens` to the cache; full ones for which it has no room to the host tier.
fn adopt(driver: &mut Driver, (namespace, tokens): (Namespace, &[u32]), pages: &[Vec<u8>]) -> Result<(), GpuError> {
    if let Some(error) = driver.failure() {
        return Err(error.clone());
    }
    let adopted = driver.scheduler.adopt(namespace, tokens);
    let before = driver.scheduler.take_pending();
    driver.prepare(before);
    let resources = driver.runner.resources().clone();
    let (device, kv) = (&resources.device, &resources.kv);
    let keys: Vec<PathKey> = PathKey::pages(namespace, tokens).collect();
    let numbers = saved_pages(driver, tokens.len());
    let mut rest: HashMap<usize, &[u8]> = numbers.into_iter().zip(pages.iter().map(Vec::as_slice)).collect();
    for (group, (adopted, bytes)) in adopted.into_iter().zip(kv.page_bytes()).enumerate() {
        for (number, place) in adopted {
            let Some(page) = rest.get_mut(&number) else { unreachable!("a session has the pages that are needed") };
            let (piece, behind) = page.split_at(bytes as usize);
            *page = behind;
            match (place, keys.get(number)) {
                (Adopted::Write(page), _) => write_page(device, kv, group, page, piece),
                (Adopted::NoRoom, Some(key)) => driver.scheduler.tier.put(key.of_group(group), piece.into()),
                _ => {}
            }
        }
    }
    Ok(())
}
