//! Where a model stops computing numbers. A step pays nothing for this: when the sampler has found no token to choose, the tokens
//! that stand are computed once more, by plans that keep every stage.

use super::Engine;
use super::decode::{Runner, decoding};
use super::generation::Generation;
use crate::device::Slice;
use crate::error::Error;
use crate::kernels::batch::{self, Row};
use crate::model::Forward;
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

impl Engine {
    /// Why no token could be chosen behind those that stand.
    pub(super) async fn fault(&mut self, generation: &Generation) -> Error {
        let tokens: Vec<u32> = (0..generation.len()).map(|position| generation.token(position)).collect();
        let in_chunks = generation.prompt.len() - 1;
        match self.runner.first_fault(&mut self.kernels, &tokens, in_chunks).await {
            Ok(Some(fault)) => fault.into(),
            Ok(None) => FaultError::NothingAllowed { position: tokens.len() }.into(),
            Err(error) => error,
        }
    }
}

impl Runner {
    /// Computes `tokens` again, the first of them in chunks, and finds the first value that is no number.
    async fn first_fault(
        &self,
        kernels: &mut KernelCache,
        tokens: &[u32],
        in_chunks: usize,
    ) -> Result<Option<FaultError>, Error> {
        let rows = ROWS.min(self.chunk);
        let many = self.tapped_prefill(kernels, rows).await?;
        for (chunk, position) in tokens[..in_chunks].chunks(rows as usize).zip((0..).step_by(rows as usize)) {
            if let Some(fault) = self.fault_in((&many, rows), &self.state.prefill_batch.all(), position, chunk).await? {
                return Ok(Some(fault));
            }
        }
        drop(many);
        let one = self.tapped_step(kernels).await?;
        for (token, position) in tokens[in_chunks..].iter().zip(in_chunks..) {
            if let Some(fault) = self.fault_in((&one, 1), &self.state.decode_batch.all(), position, &[*token]).await? {
                return Ok(Some(fault));
            }
        }
        Ok(None)
    }

    async fn tapped_prefill(&self, kernels: &mut KernelCache, rows: u32) -> Result<Plan, Error> {
        let (mut recorder, facts) = (Recorder::with_taps(), self.device.facts());
        self.model.forward(&mut Forward {
            recorder: &mut recorder,
            config: self.model.config(),
            kv: &self.kv,
            batch: self.state.prefill_batch.all(),
            rows,
            is_prefill: true,
            facts: &facts,
        });
        Ok(Plan::build(kernels, recorder).await?)
    }

    async fn tapped_step(&self, kernels: &mut KernelCache) -> Result<Plan, Error> {
        let (mut recorder, facts) = (Recorder::with_taps(), self.device.facts());
        let mut pass = decoding(&mut recorder, &facts, &self.model, &self.kv, &self.state);
        let hidden = self.model.forward(&mut pass);
        let logits = self.model.logits(&mut pass, hidden);
        recorder.keep(LOGITS, logits);
        Ok(Plan::build(kernels, recorder).await?)
    }

    /// Runs a tapped plan of so many rows over tokens from `position` on; the first of its stages that holds what is no number.
    async fn fault_in(
        &self,
        (plan, rows): (&Plan, u32),
        batch: &Slice,
        position: usize,
        tokens: &[u32],
    ) -> Result<Option<FaultError>, Error> {
        let words: Vec<Row> =
            tokens.iter().zip(position as u32..).map(|(token, position)| Row::new(*token, position, 0)).collect();
        self.device.write(&batch.storage, 0, bytemuck::cast_slice(&batch::words(&words)));
        plan::submit(&self.device, &[plan]);
        for (stage, slice) in plan.kept() {
            let values: Vec<f32> = bytemuck::pod_collect_to_vec(&self.device.read(slice).await?);
            let cols = values.len() / rows as usize;
            for (row, at) in values.chunks(cols).take(tokens.len()).zip(position..) {
                let fault =
                    if stage == LOGITS { fault_of_logits(&row[..self.vocab as usize]) } else { not_finite(row) };
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
