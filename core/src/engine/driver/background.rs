//! What takes longer than a step and goes on beside the steps: plans that are built when first needed, and the diagnosis of a sequence
//! for which no token could be chosen.

use std::task::{Context, Poll};

use super::{BoxedFuture, Driver, Speculation};
use crate::engine::executor::{DecodePlan, Phase, PlanWanted, SCORE_ROWS, SCORED};
use crate::engine::fault;
use crate::engine::model_drafter::ModelDrafter;
use crate::engine::scheduler::SeqId;
use crate::error::Error;
use crate::gpu::GpuError;
use crate::kernels::sampling::Features;
use crate::plan::{KernelCache, PlanError};

/// Rows of the plans of verification: the token before a draft, and three or seven drafted ones.
const VERIFY_ROWS: [u32; 2] = [4, 8];

/// So many tokens must prompt lookup have foreseen before plans of verification are built.
const FORESEEN_ENOUGH: u32 = 16;

/// What takes longer than a step, and goes on beside the steps.
pub(super) enum Background {
    Build(BoxedFuture<(KernelCache, Result<Plans, PlanError>)>),
    Diagnose(SeqId, BoxedFuture<(KernelCache, Error)>),
}

/// Plans by what they are for.
type Plans = Vec<(PlanWanted, DecodePlan)>;

impl Driver {
    /// Begins what the next steps need, if it is not there and nothing else is under way.
    pub(super) fn begin_background(&mut self) {
        if self.background.is_some() || self.kernels.is_none() {
            return;
        }
        let resources = self.runner.resources().clone();
        while let Some(id) = self.faulty.pop_front() {
            let Some(entry) = self.entries.get(&id) else { continue };
            let Some(kernels) = self.kernels.take() else { return };
            let tokens = entry.sequence.tokens().collect();
            let in_chunks = entry.sequence.prompt.len().min(entry.sequence.len()) - 1;
            let adapters = entry.sequence.adapters.clone();
            let diagnosis = fault::diagnose(resources, kernels, (tokens, adapters), in_chunks);
            self.background = Some(Background::Diagnose(id, Box::pin(diagnosis)));
            return;
        }
        let wanted = self.plans_wanted();
        if !wanted.is_empty()
            && let Some(mut kernels) = self.kernels.take()
        {
            self.background = Some(Background::Build(Box::pin(async move {
                let plans = resources.build_all(&mut kernels, wanted).await;
                (kernels, plans)
            })));
        }
    }

    /// Plans that sequences wait for, or would be faster with.
    pub(super) fn plans_wanted(&self) -> Vec<PlanWanted> {
        let features = self.runner.features();
        let wanted = self.entries.values().fold(features, |all, entry| all.or(entry.sequence.params.features()));
        if wanted != features {
            let rows = self.runner.decode_rows().into_iter();
            return rows.map(|rows| PlanWanted { phase: Phase::Decode, rows, features: wanted }).collect();
        }
        let rows = self.scheduler.rows_wanted().next_power_of_two().min(self.runner.resources().slots);
        if rows > self.runner.rows() {
            return vec![PlanWanted { phase: Phase::Decode, rows, features }];
        }
        if self.runner.score_rows() == 0 && self.entries.values().any(|entry| entry.sequence.unscored().is_some()) {
            return vec![PlanWanted { phase: Phase::Score, rows: SCORE_ROWS, features: SCORED }];
        }
        let Speculation { is_on, model, foreseen, .. } = &self.speculation;
        if *is_on && self.runner.verify_rows() == 0 && (*foreseen >= FORESEEN_ENOUGH || model.is_some()) {
            let plain = |phase, rows| PlanWanted { phase, rows, features: Features::default() };
            let drafts = matches!(model, Some(ModelDrafter::Mtp(_))).then(|| plain(Phase::Draft, 1));
            return VERIFY_ROWS.map(|rows| plain(Phase::Verify, rows)).into_iter().chain(drafts).collect();
        }
        Vec::new()
    }

    pub(super) fn poll_background(&mut self, context: &mut Context<'_>) -> Result<Poll<()>, GpuError> {
        match &mut self.background {
            None => return Ok(Poll::Pending),
            Some(Background::Build(future)) => {
                let Poll::Ready((kernels, plans)) = future.as_mut().poll(context) else {
                    return Ok(Poll::Pending);
                };
                self.kernels = Some(kernels);
                self.background = None;
                match plans {
                    Ok(plans) => {
                        self.runner.add_plans(plans);
                        let ids: Vec<SeqId> = self.entries.keys().copied().collect();
                        for id in ids {
                            self.release_from_plan(id);
                            self.limit_prefill(id);
                        }
                    }
                    Err(PlanError::Gpu(error)) => return Err(error),
                    Err(error) => return Err(GpuError::Fault(error.to_string())),
                }
            }
            Some(Background::Diagnose(id, future)) => {
                let id = *id;
                let Poll::Ready((kernels, error)) = future.as_mut().poll(context) else {
                    return Ok(Poll::Pending);
                };
                self.kernels = Some(kernels);
                self.background = None;
                self.fail_one(id, error);
            }
        }
        Ok(Poll::Ready(()))
    }

    /// Lets a sequence go on that has waited for a plan, if that is there.
    pub(super) fn release_from_plan(&mut self, id: SeqId) {
        let features = self.runner.features();
        if let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.waits_for_plan)
            && features.or(entry.sequence.params.features()) == features
        {
            entry.waits_for_plan = false;
            self.scheduler.set_waiting(id, entry.decision.is_some());
        }
    }
}
