//! Who drafts beside prompt lookup: a second model, or a layer of the model itself that predicts a further token (MTP).

use super::Memory;
use super::draft_model::DraftModel;
use super::drafter::{Acceptance, StepTimes};
use super::model::Model;
use super::scheduler::DraftWork;
use crate::kernels::sampling::NO_TOKEN;

/// A model that drafts, or a part of one.
#[derive(Debug)]
pub(super) enum ModelDrafter {
    /// A second model.
    Apart(Box<DraftModel>),
    /// A layer of the model itself, or a drafter beside it, whose plans and cache are the runner's.
    Mtp(MtpDrafter),
}

/// What is known of the worth of MTP.
#[derive(Debug)]
pub(super) struct MtpDrafter {
    /// The drafter beside the model, kept so that its weights are not given back.
    beside: Option<Model>,
    /// Positions at which it can draft.
    context: u32,
    /// What came of its drafts, of all sequences.
    acceptance: Acceptance,
    /// The time of a token in steps of the model, as the bytes that each reads tell.
    cost_at_first: f32,
}

impl MtpDrafter {
    /// `bytes`: what a drafted token reads, and what a step of the model does.
    pub fn new(bytes: [u64; 2]) -> MtpDrafter {
        let cost_at_first = bytes[0] as f32 / bytes[1].max(1) as f32;
        MtpDrafter { beside: None, context: u32::MAX, acceptance: Acceptance::of_model(), cost_at_first }
    }

    /// By a drafter beside the model, of which a step reads so many bytes.
    pub fn beside(drafter: Model, step_bytes: u64) -> MtpDrafter {
        let (bytes, context) = (drafter.weights().weight_bytes(), drafter.info().context_length);
        MtpDrafter { beside: Some(drafter), context, ..MtpDrafter::new([bytes, step_bytes]) }
    }

    fn cost(&self, chosen: u32, times: &StepTimes) -> f32 {
        chosen as f32 * times.draft(self.cost_at_first)[0]
    }
}

impl ModelDrafter {
    /// What came of its drafts.
    pub fn acceptance(&mut self) -> &mut Acceptance {
        match self {
            ModelDrafter::Apart(model) => &mut model.acceptance,
            ModelDrafter::Mtp(mtp) => &mut mtp.acceptance,
        }
    }

    /// As [`DraftModel::propose`].
    pub fn propose(
        &mut self,
        tokens: &[u32],
        (max, remaining): (u32, u32),
        (times, refusal): (&StepTimes, f32),
    ) -> Option<(DraftWork, f32)> {
        match self {
            ModelDrafter::Apart(model) => model.propose(tokens, (max, remaining), (times, refusal)),
            // Behind a first token there is no hidden state to go on from.
            ModelDrafter::Mtp(_) if tokens.len() < 2 => None,
            ModelDrafter::Mtp(mtp) => {
                let cost = |drafted| mtp.cost(drafted, times) + times.verify(drafted);
                let room = mtp.context.saturating_sub(tokens.len() as u32);
                let length = mtp.acceptance.draft_length(max.min(room), refusal, cost)?;
                Some((DraftWork { computed: 0, chosen: length.tokens as usize }, length.rate))
            }
        }
    }

    /// The time in which it chooses so many tokens, in plain steps.
    pub fn cost(&self, chosen: u32, times: &StepTimes) -> f32 {
        match self {
            ModelDrafter::Apart(model) => model.cost(chosen, times),
            ModelDrafter::Mtp(mtp) => mtp.cost(chosen, times),
        }
    }

    /// Takes the tokens that it has chosen: those up to the first that ends an answer.
    pub fn take(&mut self, words: &[u32], chosen: usize, stops: &[u32]) -> Vec<u32> {
        match self {
            ModelDrafter::Apart(model) => model.take(words, chosen),
            ModelDrafter::Mtp(_) => {
                let tokens: Vec<u32> = words.iter().take(chosen).copied().collect();
                let ends = |token: &u32| *token == NO_TOKEN || stops.contains(token);
                let end = tokens.iter().position(ends).unwrap_or(tokens.len());
                tokens.into_iter().take(end + 1).filter(|token| *token != NO_TOKEN).collect()
            }
        }
    }

    /// Device memory of its own, beside the model's.
    pub fn memory(&self) -> Option<Memory> {
        match self {
            ModelDrafter::Apart(model) => Some(model.memory()),
            ModelDrafter::Mtp(mtp) => mtp.beside.as_ref().map(|model| Memory {
                weights: model.weights().weight_bytes(),
                kv_cache: 0,
                activations: 0,
            }),
        }
    }

    /// Gives its memory back.
    pub fn close(&self) {
        match self {
            ModelDrafter::Apart(model) => model.close(),
            ModelDrafter::Mtp(mtp) => mtp.beside.iter().for_each(Model::close_unless_shared),
        }
    }
}
