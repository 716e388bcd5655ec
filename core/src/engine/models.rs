//! Several models on one device within one budget of memory: the least recently used of those that nobody waits for make room.

use super::load::needs;
use super::{Engine, EngineOptions, LoadProgress};
use crate::error::Error;
use crate::model::fit::MemoryNeeds;
use crate::model::{Config, FitError};
use crate::placement::Placement;
use inglenook_format::gguf::Gguf;
use inglenook_format::source::Source;

/// Loaded models by name.
///
/// ```
/// use inglenook::{Device, Models, source::ReadAt};
///
/// # pollster::block_on(async {
/// let file = ReadAt::new(std::fs::File::open("../models/ember/ember-q8_0.gguf")?)?;
/// let mut models = Models::new(Device::Cpu.into(), Some(1 << 30));
/// let engine = models.load("chat", &file, &Default::default(), &mut |_| true).await?;
/// assert_eq!(models.names().collect::<Vec<_>>(), ["chat"]);
/// assert_eq!(models.bytes(), engine.info().memory.total());
/// assert!(models.unload("chat"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Models {
    placement: Placement,
    budget: Option<u64>,
    /// Least recently used first.
    loaded: Vec<(String, Engine)>,
}

impl Models {
    /// None yet. All together take at most `budget` bytes of the device's memory, if one is given.
    pub fn new(placement: Placement, budget: Option<u64>) -> Models {
        Models { placement, budget, loaded: Vec::new() }
    }

    /// The model of this name, if it is loaded; it counts as used now.
    pub fn get(&mut self, name: &str) -> Option<Engine> {
        let at = self.loaded.iter().position(|(known, _)| known == name)?;
        let entry = self.loaded.remove(at);
        self.loaded.push(entry);
        self.loaded.last().map(|(_, engine)| engine.clone())
    }

    /// Names of the loaded models, least recently used first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.loaded.iter().map(|(name, _)| name.as_str())
    }

    /// Device memory of all loaded models, bytes.
    pub fn bytes(&self) -> u64 {
        self.loaded.iter().map(|(_, engine)| engine.info().memory.total()).sum()
    }

    /// Loads a model under a name; one that has it already is given instead. Models that are idle make room, least recently used first.
    ///
    /// # Errors
    /// As [`Engine::load`]; [`FitError::Budget`] where those that are busy leave too little.
    pub async fn load(
        &mut self,
        name: &str,
        source: &dyn Source,
        options: &EngineOptions,
        progress: &mut dyn FnMut(LoadProgress) -> bool,
    ) -> Result<Engine, Error> {
        if let Some(engine) = self.get(name) {
            return Ok(engine);
        }
        let gguf = Gguf::read(source).await?;
        let (needs, cache_tokens) = needs(&gguf, &Config::read(&gguf)?, &self.placement.device, options)?;
        self.make_room(&needs, needs.total(cache_tokens.into())).await?;
        let engine = Engine::load(self.placement.clone(), source, options, progress).await?;
        self.loaded.push((name.to_owned(), engine.clone()));
        Ok(engine)
    }

    /// Ends all answers of a model and gives exactly its memory back, without [`Engine::store_pages`]; false where it is not loaded.
    pub fn unload(&mut self, name: &str) -> bool {
        let Some(at) = self.loaded.iter().position(|(known, _)| known == name) else { return false };
        self.loaded.remove(at).1.close();
        true
    }

    async fn make_room(&mut self, needs: &MemoryNeeds, wanted: u64) -> Result<(), Error> {
        let Some(budget) = self.budget else { return Ok(()) };
        while self.bytes().saturating_add(wanted) > budget {
            let Some(at) = self.loaded.iter().position(|(_, engine)| engine.requests() == 0) else {
                let taken = self.bytes();
                return Err(FitError::Budget { needed: wanted, weights: needs.weights, taken, budget }.into());
            };
            let (_, engine) = self.loaded.remove(at);
            // What the store does not take is computed again.
            let _ = engine.store_pages().await;
            engine.close();
        }
        Ok(())
    }
}
