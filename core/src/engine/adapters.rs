//! LoRA adapters of an engine: loaded beside its model under a name, chosen and scaled by each request, and mixed within a batch.
//!
//! What the adapters of a model need stands beside its matrices ([`AdapterStacks`]), in columns that each adapter has to itself. A request
//! changes nothing but a row of a table. Loading one writes its columns; where there is no room for them, the stacks are made anew,
//! larger, and the plans with them, while answers go on with those before.

use std::hash::Hasher;
use std::rc::{Rc, Weak};

use inglenook_format::lora::{Lora, LoraError};
use inglenook_format::order::sort_by;
use twox_hash::XxHash64;

use super::Engine;
use super::driver::{Driver, Lent};
use super::executor::Resources;
use super::request::{AdapterChoice, RequestError};
use super::scheduler::SeqId;
use crate::error::Error;
use crate::kv::prefix::Namespace;
use crate::model::adapters::AdapterStacks;

/// Columns of the first stacks, and what larger ones are a multiple of.
const LEAST_RANK: u32 = 16;

/// Why an adapter cannot be loaded, or taken away.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AdapterError {
    /// What is wrong with it.
    #[error(transparent)]
    Lora(#[from] LoraError),
    /// Another has its name.
    #[error("an adapter called {0:?} is loaded; give this one another name, or unload that one first")]
    NameTaken(String),
    /// There is none of this name.
    #[error("no adapter called {found:?} is loaded; {}", those_loaded(known))]
    NotLoaded {
        /// The name asked for.
        found: String,
        /// Those that are loaded.
        known: Vec<String>,
    },
}

fn those_loaded(known: &[String]) -> String {
    if known.is_empty() { "none is".into() } else { format!("these are: {}", known.join(", ")) }
}

/// The columns of an adapter. They are free once nobody has this.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    first: u32,
    rank: u32,
    /// Over what it adds.
    hash: u64,
}

impl Place {
    fn end(&self) -> u32 {
        self.first + self.rank
    }
}

/// What a sequence has of adapters.
pub(super) type Chosen = Vec<(Rc<Place>, f32)>;

/// The adapters that are loaded.
#[derive(Debug, Default)]
pub(super) struct Adapters {
    loaded: Vec<(String, Rc<Place>)>,
    /// Those that were unloaded, and may still have sequences.
    retired: Vec<Weak<Place>>,
    /// What the table on the device has for each slot.
    rows: Vec<(u32, Vec<f32>)>,
}

impl Adapters {
    fn names(&self) -> Vec<String> {
        self.loaded.iter().map(|(name, _)| name.clone()).collect()
    }

    fn find(&self, name: &str) -> Option<&Rc<Place>> {
        self.loaded.iter().find(|(known, _)| known == name).map(|(_, place)| place)
    }

    /// What a request chooses.
    ///
    /// # Errors
    /// Names that are not loaded, scales that are no numbers.
    pub fn choose(&self, choices: &[AdapterChoice]) -> Result<Chosen, RequestError> {
        let chosen = choices.iter().map(|AdapterChoice { name, scale }| {
            let place = self.find(name).ok_or_else(|| RequestError::Unknown {
                name: "lora",
                found: name.clone(),
                known: if self.loaded.is_empty() { "none is loaded".into() } else { self.names().join(", ") },
            })?;
            if !scale.is_finite() {
                let (found, wanted) = (scale.to_string(), "a finite number".into());
                return Err(RequestError::Range { name: "lora.scale", found, wanted });
            }
            Ok((place.clone(), *scale))
        });
        chosen.filter(|choice| !matches!(choice, Ok((_, 0.0)))).collect()
    }

    /// The first of so many columns that nobody has, if there are so many in a row.
    fn room(&mut self, rank: u32, columns: u32) -> Option<u32> {
        self.retired.retain(|place| place.strong_count() > 0);
        let taken =
            || self.loaded.iter().map(|(_, place)| place.clone()).chain(self.retired.iter().filter_map(Weak::upgrade));
        let mut free = 0;
        while let Some(place) = taken().find(|place| place.first < free + rank && free < place.end()) {
            free = place.end();
        }
        (free + rank <= columns).then_some(free)
    }
}

/// What a sequence that has these adapters has of each column.
pub(super) fn row(stacks: &AdapterStacks, chosen: &Chosen) -> Vec<f32> {
    stacks.row(chosen.iter().map(|(place, scale)| ((place.first, place.rank), *scale)))
}

/// The namespace of what is computed with these adapters: none is that of the model alone.
pub(super) fn namespace(chosen: &Chosen) -> Namespace {
    let mut told: Vec<(u64, u32)> = chosen.iter().map(|(place, scale)| (place.hash, scale.to_bits())).collect();
    if told.is_empty() {
        return Namespace(0);
    }
    sort_by(&mut told, Ord::cmp);
    let mut hash = XxHash64::with_seed(1);
    for (adapter, scale) in told {
        hash.write(&adapter.to_le_bytes());
        hash.write(&scale.to_le_bytes());
    }
    Namespace(hash.finish())
}

impl Engine {
    /// Loads a LoRA adapter beside the model, so that requests can choose it by this name ([`Request::lora`](crate::Request)). Answers that
    /// are under way go on meanwhile.
    ///
    /// ```
    /// use inglenook::lora::{LowRank, Lora};
    /// use inglenook::{Device, Engine, EngineOptions, Request, source::ReadAt};
    ///
    /// # pollster::block_on(async {
    /// let file = ReadAt::new(std::fs::File::open("../models/ember/ember-q8_0.gguf")?)?;
    /// let engine = Engine::load(Device::Cpu, &file, &EngineOptions::default(), &mut |_| true).await?;
    /// // As a rule, one is read from a file: `Lora::read(&source).await?`.
    /// let sizes = &engine.model().matrices().sizes;
    /// let [inputs, outputs] = sizes.get("blk.0.attn_q.weight").expect("ember has it").map(|len| len as usize);
    /// let low_rank = LowRank { rank: 1, a: vec![0.1; inputs], b: vec![0.1; outputs], scale: 1.0 };
    /// let weights = [("blk.0.attn_q.weight".to_string(), low_rank)].into_iter().collect();
    /// let adapter = Lora { architecture: None, weights };
    ///
    /// engine.load_adapter("formal", &adapter).await?;
    /// let request = r#"{"prompt": "Once", "max_tokens": 4, "lora": [{"name": "formal", "scale": 0.5}]}"#;
    /// let mut answer = engine.submit(Request::from_json(request)?)?;
    /// while answer.next().await?.is_some() {}
    /// engine.unload_adapter("formal")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`AdapterError`]: a name that another has, an adapter of another model. No memory.
    pub async fn load_adapter(&self, name: &str, adapter: &Lora) -> Result<(), Error> {
        let mut lent = Lent::take(&self.shared).await?;
        if self.shared.with(|driver| driver.adapters.find(name).is_some()) {
            return Err(AdapterError::NameTaken(name.to_owned()).into());
        }
        let resources = self.shared.with(|driver| driver.runner.resources().clone());
        resources.model.check_adapter(adapter).map_err(AdapterError::from)?;
        let rank = adapter.rank() as u32;
        let hash = hash(adapter);
        let standing = resources.adapters.as_ref();
        let columns = standing.map_or(0, |stacks| stacks.rank());
        let room = |columns| self.shared.with(|driver| driver.adapters.room(rank, columns));
        let has_all = |stacks: &AdapterStacks| adapter.weights.keys().all(|name| stacks.find(name).is_some());
        let place = match (standing, room(columns)) {
            (Some(stacks), Some(first)) if has_all(stacks) => {
                stacks.put((first, rank), adapter);
                Place { first, rank, hash }
            }
            _ => {
                // All that there are stay where they are.
                let first = room(u32::MAX).unwrap_or(columns);
                let columns = columns.max((first + rank).next_multiple_of(LEAST_RANK));
                let stacks = larger(&resources, columns, adapter)?;
                stacks.put((first, rank), adapter);
                let resources = Rc::new(resources.with_adapters(stacks));
                let wanted = self.shared.with(|driver| driver.runner.plans_there());
                let (prefill, plans) = resources.build_again(lent.kernels(), wanted).await?;
                self.shared.with(|driver| {
                    driver.runner.exchange(resources, prefill, plans);
                    driver.rewrite_adapters();
                });
                Place { first, rank, hash }
            }
        };
        self.device().wait_idle().await?;
        self.shared.with(|driver| driver.adapters.loaded.push((name.to_owned(), Rc::new(place))));
        Ok(())
    }

    /// Takes an adapter away. Answers that have it keep it; its memory is another's once they have ended.
    ///
    /// # Errors
    /// [`AdapterError::NotLoaded`].
    pub fn unload_adapter(&self, name: &str) -> Result<(), Error> {
        self.shared.with(|driver| {
            let adapters = &mut driver.adapters;
            let Some(at) = adapters.loaded.iter().position(|(known, _)| known == name) else {
                return Err(AdapterError::NotLoaded { found: name.to_owned(), known: adapters.names() }.into());
            };
            let (_, place) = adapters.loaded.remove(at);
            adapters.retired.push(Rc::downgrade(&place));
            Ok(())
        })
    }

    /// Names of the adapters that are loaded.
    pub fn adapters(&self) -> Vec<String> {
        self.shared.with(|driver| driver.adapters.names())
    }
}

impl Driver {
    /// Sets what the slot of a sequence has of adapters. Nothing where that stands.
    pub(super) fn set_adapters(&mut self, id: SeqId, slot: u32) {
        let resources = self.runner.resources();
        let (Some(stacks), Some(chosen)) = (&resources.adapters, self.chosen(id)) else { return };
        let row = row(stacks, chosen);
        let rows = &mut self.adapters.rows;
        match rows.iter_mut().find(|(of, _)| *of == slot) {
            Some((_, standing)) if *standing == row => return,
            Some((_, standing)) => standing.clone_from(&row),
            None => rows.push((slot, row.clone())),
        }
        stacks.write_row(slot, &row);
    }

    /// Writes what all slots have to a table that was made anew.
    fn rewrite_adapters(&mut self) {
        let resources = self.runner.resources().clone();
        let Some(stacks) = &resources.adapters else { return };
        for (slot, row) in &mut self.adapters.rows {
            row.resize(stacks.rank() as usize, 0.0);
            stacks.write_row(*slot, row);
        }
    }
}

/// Stacks of so many columns, with what stands, beside the matrices that have some and those that this adapter changes.
fn larger(resources: &Resources, columns: u32, adapter: &Lora) -> Result<AdapterStacks, Error> {
    let standing = resources.adapters.as_ref();
    let names = standing.into_iter().flat_map(|stacks| stacks.names());
    let names = names.chain(adapter.weights.keys().map(String::as_str)).collect();
    let stacks = AdapterStacks::new(&resources.device, &resources.model, (columns, resources.slots), names)?;
    standing.into_iter().for_each(|standing| stacks.take_over(standing));
    Ok(stacks)
}

/// A hash that changes with anything that the adapter adds.
fn hash(adapter: &Lora) -> u64 {
    let mut hash = XxHash64::with_seed(0);
    for (name, low_rank) in &adapter.weights {
        hash.write(name.as_bytes());
        hash.write(&(low_rank.rank as u64).to_le_bytes());
        hash.write(&low_rank.scale.to_le_bytes());
        hash.write(bytemuck::cast_slice(&low_rank.a));
        hash.write(bytemuck::cast_slice(&low_rank.b));
    }
    hash.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn place(first: u32, rank: u32) -> Rc<Place> {
        Rc::new(Place { first, rank, hash: u64::from(first) })
    }

    #[test]
    fn columns_are_free_once_no_sequence_has_them() {
        let mut adapters = Adapters::default();
        assert_eq!(adapters.room(16, 16), Some(0));
        adapters.loaded.push(("a".into(), place(0, 8)));
        adapters.loaded.push(("b".into(), place(12, 4)));
        assert_eq!([4, 5].map(|rank| adapters.room(rank, 16)), [Some(8), None]);
        assert_eq!(adapters.room(5, 32), Some(16));
        let (_, of_sequence) = adapters.loaded.remove(0);
        adapters.retired.push(Rc::downgrade(&of_sequence));
        assert_eq!(adapters.room(8, 16), None);
        drop(of_sequence);
        assert_eq!(adapters.room(12, 16), Some(0));
    }

    #[test]
    fn namespaces_differ_by_adapter_and_by_scale_and_not_by_order() {
        let (a, b) = (place(0, 8), place(8, 8));
        let all = [
            vec![],
            vec![(a.clone(), 1.0)],
            vec![(a.clone(), 0.5)],
            vec![(b.clone(), 1.0)],
            vec![(a.clone(), 1.0), (b.clone(), 1.0)],
        ];
        let named: BTreeSet<Namespace> = all.iter().map(namespace).collect();
        assert_eq!(named.len(), all.len());
        assert_eq!(namespace(&vec![(b.clone(), 1.0), (a.clone(), 1.0)]), namespace(&all[4]));
        assert_eq!(namespace(&all[0]), Namespace(0));
    }
}
