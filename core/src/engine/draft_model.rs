//! A second, smaller model, which proposes what the engine's own may choose next.
//!
//! It has a cache of its own with room for one sequence, and goes on from as much of that as the next sequence it is asked about has in
//! common with the last. It draws by the same noise as the model that it drafts for, so that two models that agree choose the same tokens
//! at any temperature.

use super::Memory;
use super::drafter::{Acceptance, StepTimes};
use super::executor::{ModelRunner, SlotState};
use super::model::Model;
use super::scheduler::DraftWork;
use crate::error::Error;
use crate::kernels::batch::Row;
use crate::kernels::kv::KvType;
use crate::kernels::sampling::{Features, NO_TOKEN, RING};
use crate::kv::{KvCache, KvOptions};
use crate::model::fit::FitOptions;
use crate::model::layer_kind::kv_groups;
use crate::model::{Config, ModelError};
use crate::plan::{KernelCache, PendingReadback};
use inglenook_text::Tokenizer;

/// Tokens for which drafting goes on as well as it does, when it is weighed against the computation of a prompt.
const HORIZON: u32 = 128;

/// Why a model cannot draft for another.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DraftError {
    /// The vocabularies are not of the same size.
    #[error(
        "the draft model has {draft} tokens and the model {model}; take a smaller model of the same family, whose vocabulary is the same"
    )]
    Size {
        /// Tokens of the draft model.
        draft: usize,
        /// Tokens of the model.
        model: usize,
    },
    /// Its states cannot be taken back from what is not accepted.
    #[error(
        "the draft model is recurrent ({architecture}), and its states cannot be taken back where a draft is not accepted; take a smaller \
         model of the same family that attends in all layers"
    )]
    Recurrent {
        /// Its architecture.
        architecture: &'static str,
    },
    /// A drafter of other models.
    #[error("the draft model does not fit the model: {0}")]
    Unfit(#[from] ModelError),
    /// A drafter that reads another model's keys and values on another device.
    #[error(
        "the draft model reads the keys and values of the model, so it must be on the same device; load both on the GPU, or on the CPU"
    )]
    Device,
    /// Two drafters.
    #[error("both a draft model and `mtp` were given; leave one of them out")]
    Both,
    /// The model was loaded without the layer that drafts.
    #[error("the model was loaded without its MTP layer; ask for `mtp` when it is loaded, too")]
    MtpNotLoaded,
    /// A token is not the same in both.
    #[error(
        "token {token} is {draft:?} to the draft model and {model:?} to the model; take a smaller model of the same family, whose \
         vocabulary is the same"
    )]
    Token {
        /// The token.
        token: u32,
        /// What it is to the draft model.
        draft: String,
        /// What it is to the model.
        model: String,
    },
}

/// A model that drafts.
#[derive(Debug)]
pub(super) struct DraftModel {
    /// Kept, so that its weights are not given back.
    model: Model,
    runner: ModelRunner,
    /// The tokens whose keys and values stand in its cache.
    standing: Vec<u32>,
    /// What came of its drafts, of all sequences: how well two models agree differs little between texts.
    pub acceptance: Acceptance,
    /// The time of a step of it in steps of the other, as the bytes that each reads tell.
    cost_at_first: f32,
}

impl DraftModel {
    /// Makes its cache and its plans. `step_bytes`: what a step of the other model reads.
    ///
    /// # Errors
    /// [`Error`]: the cache does not fit, or the device computes wrongly.
    pub async fn new(model: Model, step_bytes: u64) -> Result<DraftModel, Error> {
        let (device, weights) = (model.device().clone(), model.weights().clone());
        let mut kernels = KernelCache::new(device.clone());
        let kv = KvCache::new(&device, &cache(weights.config(), model.info().context_length))?;
        let cost_at_first = weights.step_bytes() as f32 / step_bytes.max(1) as f32;
        let runner = ModelRunner::new(&mut kernels, (weights, None), kv, (model.vocab(), 1)).await?;
        Ok(DraftModel { model, runner, standing: Vec::new(), acceptance: Acceptance::of_model(), cost_at_first })
    }

    /// Checks that a model can draft for one of another configuration and with another tokenizer.
    ///
    /// # Errors
    /// [`DraftError`].
    pub fn check(draft: &Model, (of_model, model): (&Config, &Tokenizer)) -> Result<(), DraftError> {
        let config = draft.weights().config();
        draft.weights().check_assists(of_model)?;
        if kv_groups(&config.layer_kinds).iter().any(|group| group.lifetime.is_state) {
            return Err(DraftError::Recurrent { architecture: config.architecture.name });
        }
        let draft = draft.tokenizer();
        let sizes = [draft.vocab_size(), model.vocab_size()];
        if sizes[0] != sizes[1] || draft.choosable() != model.choosable() {
            return Err(DraftError::Size { draft: sizes[0], model: sizes[1] });
        }
        let differs = |token: &u32| {
            (draft.token_bytes(*token), draft.is_control(*token))
                != (model.token_bytes(*token), model.is_control(*token))
        };
        match (0..sizes[0] as u32).find(differs) {
            None => Ok(()),
            Some(token) => {
                let [draft, model] = [&**draft, model]
                    .map(|tokenizer| String::from_utf8_lossy(tokenizer.token_bytes(token)).into_owned());
                Err(DraftError::Token { token, draft, model })
            }
        }
    }

    /// Device memory that a model takes which drafts, bytes.
    pub fn bytes_needed(model: &Model) -> u64 {
        let kv = cache(model.weights().config(), model.info().context_length);
        let KvOptions { context, slots, ty, .. } = kv;
        let rows = super::executor::most_rows(model.device());
        let options = FitOptions { context, cache_tokens: context, slots, kv: ty, rows, mtp: false };
        model.weights().memory_needs(&options).without_cache().saturating_add(kv.bytes_of_slots())
    }

    /// Device memory.
    pub fn memory(&self) -> Memory {
        self.runner.memory()
    }

    /// Gives its memory back, unless somebody else holds it.
    pub fn close(&self) {
        self.model.close_unless_shared();
    }

    /// What is to be done to draft up to `max` tokens behind `tokens` of which `remaining` more may come, and how many tokens are to be
    /// expected of it in the time of a plain step; none where that is not likely to pay. `refusal` as for [`Acceptance::draft_length`].
    pub fn propose(
        &mut self,
        tokens: &[u32],
        (max, remaining): (u32, u32),
        (times, refusal): (&StepTimes, f32),
    ) -> Option<(DraftWork, f32)> {
        let room = (self.runner.context() as usize).saturating_sub(tokens.len()) as u32;
        let [_, compute] = times.draft(self.cost_at_first);
        let cost = |drafted| self.cost(drafted, times) + times.verify(drafted);
        let length =
            self.acceptance.draft_length(max.min(room).min(RING - self.runner.place_in_ring()), refusal, cost)?;
        let missing = tokens.len() - 1 - self.common(tokens);
        // A chunk at once, so that the answer goes on meanwhile.
        let computed = missing.min(self.runner.chunk() as usize);
        // What a draft's own last token costs is in the time of the next.
        if missing > 1 {
            let gain = (1.0 - 1.0 / length.rate) * remaining.min(HORIZON) as f32;
            if missing as f32 * compute > gain && !self.acceptance.spend(computed as f32 * compute) {
                return None;
            }
        }
        let chosen = if computed == missing { length.tokens as usize } else { 0 };
        Some((DraftWork { computed, chosen }, length.rate))
    }

    /// The time in which it chooses so many tokens, in plain steps of the other model.
    pub fn cost(&self, chosen: u32, times: &StepTimes) -> f32 {
        chosen as f32 * times.draft(self.cost_at_first)[0]
    }

    /// Leading tokens that it need not compute.
    fn common(&self, tokens: &[u32]) -> usize {
        self.standing.iter().zip(&tokens[..tokens.len() - 1]).take_while(|(one, other)| one == other).count()
    }

    /// Queues the work, and asks for the tokens that are chosen.
    pub fn submit(&mut self, tokens: &[u32], work: DraftWork, state: &SlotState<'_>) -> PendingReadback {
        let from = self.common(tokens);
        let to = (from + work.computed).min(tokens.len() - 1);
        self.standing.clear();
        self.standing.extend_from_slice(&tokens[..to]);
        let computed = (work.computed > 0).then(|| self.runner.prefill(0, from as u32, &tokens[from..to], true));
        match computed {
            Some(pending) if work.chosen == 0 => pending,
            _ => {
                self.standing.push(tokens[to]);
                self.runner.set_slot(0, state);
                self.runner.set_row(Row::new(tokens[to], to as u32, 0), false);
                self.runner.decode(1, work.chosen as u32, false, Features::default()).0
            }
        }
    }

    /// Takes the tokens that it has chosen: those up to the first that ends an answer.
    pub fn take(&mut self, words: &[u32], chosen: usize) -> Vec<u32> {
        let is_token = |token: &&u32| **token != NO_TOKEN;
        let mut tokens: Vec<u32> = words.iter().take(chosen).take_while(is_token).copied().collect();
        if let Some(end) = tokens.iter().position(|token| self.model.tokenizer().is_stop(*token)) {
            tokens.truncate(end + 1);
        }
        // The last one was chosen, and not computed.
        self.standing.extend(tokens.iter().take(tokens.len().saturating_sub(1)));
        tokens
    }
}

/// Its cache: of one sequence, and exact, since it is small.
fn cache(config: &Config, context: u32) -> KvOptions {
    KvOptions {
        groups: kv_groups(&config.layer_kinds),
        context,
        slots: 1,
        pages: None,
        ty: KvType::F16,
        segment_bytes: None,
        is_scratch: false,
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::device::Device;
    use crate::engine::ModelOptions;
    use crate::source;

    #[test]
    fn draft_model_with_windows_takes_no_more_than_it_said() {
        let file: &[u8] = include_bytes!("../../../tests/goldens/models/windowed.gguf");
        let options = ModelOptions::default();
        let model =
            block_on(Model::load(Device::Cpu, &source::Memory(file), &options, &mut |_| true)).expect("it loads");
        let said = DraftModel::bytes_needed(&model);
        let draft = block_on(DraftModel::new(model, 1)).expect("it drafts");
        let Memory { weights, kv_cache, .. } = draft.memory();
        assert!(kv_cache > 0 && said >= weights + kv_cache, "{said} for {weights} and {kv_cache}");
    }
}
