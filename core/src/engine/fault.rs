//! Where a model stops computing numbers. A step pays nothing for this: when the sampler has found no token to choose, the tokens
//! that stand are computed once more, by plans that keep every stage, in a cache of their own: what lies behind windows is gone from the
//! engine's.

use std::rc::Rc;

use super::adapters::{self, Chosen};
use super::executor::Resources;
use crate::device::Storage;
use crate::error::Error;
use crate::kernels::batch::{self, Row};
use crate::kernels::kv::PAGE;
use crate::kv::{KvCache, KvOptions};
use crate::model::Forward;
use crate::model::adapters::AdapterStacks;
use crate::plan::{self, KernelCache, Plan, Recorder};

/// Tokens at once, of those that were computed in chunks: more than the kernels of decoding take.
const ROWS: u32 = 32;

/// The name of the last stage.
const LOGITS: &str = "logits";

/// Why no token could be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// Values that are no numbers.
    #[error(
        "the model computes no numbers: at position {position}, `{stage}` holds {value}, and what comes before it does not; its \
         weights are damaged (download the file again), or its values are too large for f16 (keep keys and values exact)"
    )]
    NotFinite {
        /// The first output of a kernel that holds such a value.
        stage: String,
        /// The value: `NaN`, `inf` or `-inf`.
        value: String,
        /// Position of the token, from 0.
        position: usize,
    },
    /// All logits are numbers.
    #[error(
        "no token may follow at position {position}: `logit_bias`, the form of the answer or the model forbids every one"
    )]
    NothingAllowed {
        /// Position of the token, from 0.
        position: usize,
    },
}

/// Why no token could be chosen behind `tokens` with these adapters, of which the first `in_chunks` were computed in chunks: they are computed again.
pub(super) async fn diagnose(
    resources: Rc<Resources>,
    mut kernels: KernelCache,
    (tokens, adapters): (Vec<u32>, Chosen),
    in_chunks: usize,
) -> (KernelCache, Error) {
    let error = match first_fault(&resources, &mut kernels, (&tokens, &adapters), in_chunks).await {
        Ok(Some(fault)) => fault.into(),
        Ok(None) => FaultError::NothingAllowed { position: tokens.len() }.into(),
        Err(error) => error,
    };
    (kernels, error)
}

/// Computes `tokens` again and finds the first value that is no number.
async fn first_fault(
    resources: &Resources,
    kernels: &mut KernelCache,
    (tokens, adapters): (&[u32], &Chosen),
    in_chunks: usize,
) -> Result<Option<FaultError>, Error> {
    let all = resources.kv.options();
    let pages = vec![(tokens.len() as u32).div_ceil(PAGE); all.groups.len()];
    let options = KvOptions { slots: 1, pages: Some(pages), ..all.clone() };
    let kv = KvCache::new(&resources.device, &options).map_err(Error::Gpu)?;
    let adapters = resources.adapters.as_ref().map(|stacks| stacks.for_one(&adapters::row(stacks, adapters)));
    let adapters = adapters.transpose().map_err(Error::Gpu)?;
    let many = Tapped::build(resources, (&kv, adapters.as_ref()), kernels, (ROWS, true)).await?;
    for (chunk, position) in tokens[..in_chunks].chunks(ROWS as usize).zip((0..).step_by(ROWS as usize)) {
        if let Some(fault) = many.fault(resources, position, chunk).await? {
            return Ok(Some(fault));
        }
    }
    drop(many);
    let one = Tapped::build(resources, (&kv, adapters.as_ref()), kernels, (1, false)).await?;
    for (token, position) in tokens[in_chunks..].iter().zip(in_chunks..) {
        if let Some(fault) = one.fault(resources, position, &[*token]).await? {
            return Ok(Some(fault));
        }
    }
    Ok(None)
}

/// A forward pass that keeps every stage.
struct Tapped {
    plan: Plan,
    batch: Storage,
    rows: u32,
}

impl Tapped {
    async fn build(
        resources: &Resources,
        (kv, adapters): (&KvCache, Option<&AdapterStacks>),
        kernels: &mut KernelCache,
        (rows, is_prefill): (u32, bool),
    ) -> Result<Tapped, Error> {
        let device = &resources.device;
        let words: Vec<Row> = (0..rows).map(|position| Row::new(0, position, 0)).collect();
        let batch = device.upload("diagnosis batch", &batch::words(&words)).map_err(Error::Gpu)?;
        let (mut recorder, facts) = (Recorder::with_taps(), device.facts());
        let pass = resources.pass(&mut recorder, &facts, &batch, rows, is_prefill);
        let mut pass = Forward { kv, adapters, ..pass };
        let hidden = resources.model.forward(&mut pass);
        if !is_prefill {
            let logits = resources.model.logits(&mut pass, hidden);
            recorder.keep(LOGITS, logits);
        }
        Ok(Tapped { plan: Plan::build(kernels, recorder).await?, batch, rows })
    }

    /// Runs it over tokens from `position` on; the first of its stages that holds what is no number.
    async fn fault(&self, resources: &Resources, position: usize, tokens: &[u32]) -> Result<Option<FaultError>, Error> {
        let device = &resources.device;
        let words: Vec<Row> =
            tokens.iter().zip(position as u32..).map(|(token, position)| Row::new(*token, position, 0)).collect();
        device.write(&self.batch, 0, bytemuck::cast_slice(&batch::words(&words)));
        plan::submit(device, &[&self.plan]);
        for (stage, slice) in self.plan.kept() {
            let values: Vec<f32> = bytemuck::pod_collect_to_vec(&device.read(slice).await?);
            let cols = values.len() / self.rows as usize;
            for (row, at) in values.chunks(cols).take(tokens.len()).zip(position..) {
                let fault =
                    if stage == LOGITS { fault_of_logits(&row[..resources.vocab as usize]) } else { not_finite(row) };
                if let Some(value) = fault {
                    return Ok(Some(FaultError::NotFinite {
                        stage: stage.clone(),
                        value: value.to_string(),
                        position: at,
                    }));
                }
            }
        }
        Ok(None)
    }
}

fn not_finite(values: &[f32]) -> Option<f32> {
    values.iter().copied().find(|value| !value.is_finite())
}

/// A model may forbid tokens by an infinity, but not all of them.
fn fault_of_logits(logits: &[f32]) -> Option<f32> {
    let forbids = |value: &f32| *value == f32::NEG_INFINITY;
    match logits.iter().all(forbids) {
        true => logits.first().copied(),
        false => logits.iter().copied().find(|value| !value.is_finite() && !forbids(value)),
    }
}
