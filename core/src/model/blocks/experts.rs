//! A feed-forward layer of many experts, of which each token goes to a few.

use super::{Forward, Mlp};
use crate::kernels::Tensor;
use crate::kernels::experts::matmul::{ExpertGemm, ExpertGemv, ExpertMatmul};
use crate::kernels::experts::route::Route;
use crate::kernels::experts::sort::{ExpertCount, ExpertSort, ListShape};
use crate::kernels::experts::sum::ExpertSum;
use crate::kernels::gemv::MAX_ROWS;
use crate::kernels::matmul::Epilogue;
use crate::kernels::scale::Scale;
use crate::model::config::Config;
use crate::model::experts::ExpertConfig;
use crate::model::weights::{ExpertMatrix, LoadError, Matrix, Rows, Vector, WeightRegistry};

/// Experts, what chooses among them, and what every token goes to beside.
#[derive(Debug)]
pub struct Experts {
    config: ExpertConfig,
    /// A logit for each expert.
    router: Matrix,
    /// What experts are chosen by beside.
    selection_bias: Option<Vector>,
    /// What each expert's weight is multiplied by.
    scales: Option<Vector>,
    /// Gates and ups, or where there are no gates ups alone.
    gate_up: ExpertMatrix,
    down: ExpertMatrix,
    /// Projections into fewer columns in which experts work, and back.
    latent: Option<[Matrix; 2]>,
    shared: Option<Mlp>,
    /// What the shared one's answer is gated by, a number a row.
    shared_gate: Option<Matrix>,
}

/// Where the pairs of rows and experts stand in a step.
struct Pairs {
    choices: Tensor,
    /// Where there are many.
    list: Option<Tensor>,
    shape: ListShape,
}

impl Experts {
    /// Registers the experts of layer `index`. Files hold gates and ups apart or in one tensor; there may be no gates.
    pub fn register(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
        experts: &ExpertConfig,
    ) -> Result<Experts, LoadError> {
        let name = |part: &str| format!("blk.{index}.ffn_{part}");
        let (ffn, hidden, count) = (experts.ffn, config.hidden, experts.routing.experts);
        let (gate, up, both) = (name("gate_exps"), name("up_exps"), name("gate_up_exps"));
        let (latent_down, latent_up) = (name("latent_down"), name("latent_up"));
        let (latent, width) = match experts.latent {
            0 => (None, hidden),
            width => {
                let both = [registry.matrix(&latent_down, width, hidden)?, registry.matrix(&latent_up, hidden, width)?];
                (Some(both), width)
            }
        };
        let gate_up = match (config.is_gated, registry.has(&format!("{both}.weight"))) {
            (false, _) => registry.experts(&[Rows::all(&up, ffn)], count, width)?,
            (true, true) => registry.experts(&[Rows::all(&both, 2 * ffn)], count, width)?,
            (true, false) => registry.experts(&[Rows::all(&gate, ffn), Rows::all(&up, ffn)], count, width)?,
        };
        let mut optional = |vector: String| match registry.has(&vector) {
            true => registry.vector(&[(&vector, count)]).map(Some),
            false => Ok(None),
        };
        let selection_bias = optional(format!("blk.{index}.exp_probs_b.bias"))?;
        let scales = optional(name("down_exps.scale"))?;
        let shared = match experts.shared_ffn {
            0 => None,
            shared => Some(Mlp::register_named(registry, config, |part| name(&format!("{part}_shexp")), shared)?),
        };
        let gate = name("gate_inp_shexp");
        let shared_gate = match registry.has(&format!("{gate}.weight")) {
            true => Some(registry.matrix(&gate, 1, hidden)?),
            false => None,
        };
        Ok(Experts {
            config: *experts,
            router: registry.matrix(&name("gate_inp"), count, hidden)?,
            selection_bias,
            scales,
            gate_up,
            down: registry.experts(&[Rows::all(&name("down_exps"), width)], count, ffn)?,
            latent,
            shared,
            shared_gate,
        })
    }

    /// Bytes of weights that a token does not read.
    pub fn unread_bytes(&self) -> u64 {
        let all = self.gate_up.bytes() + self.down.bytes();
        let routing = &self.config.routing;
        all - all / u64::from(routing.experts) * u64::from(routing.used)
    }
}

impl Forward<'_> {
    /// What the experts of each row of `x` make of it, by their weights, and the shared one: added to `out`, or in its place.
    pub fn experts(&mut self, x: Tensor, experts: &Experts, out: Tensor, adds: bool) {
        self.experts_routed_by(x, x, experts, out, adds);
    }

    /// The same where experts are chosen by something else than what goes into them.
    pub fn experts_routed_by(&mut self, by: Tensor, x: Tensor, experts: &Experts, out: Tensor, adds: bool) {
        let pairs = self.route(by, experts);
        let activated = match self.config.is_gated {
            true => Epilogue::Gated(self.config.activation),
            false => Epilogue::Activate(self.config.activation),
        };
        let Some([down, up]) = &experts.latent else {
            self.expert_branch(x, &pairs, experts, activated, (out, adds, self.config.residual_scale));
            return self.shared_expert(x, experts, out);
        };
        let narrow = self.linear(x, down);
        let sum = self.recorder.tensor(self.rows, narrow.cols);
        self.expert_branch(narrow, &pairs, experts, activated, (sum, false, 1.0));
        match adds {
            true => self.add_linear(sum, up, out),
            false => self.matmul(&sum.into(), up, (out, 0), Epilogue::Store),
        }
        self.shared_expert(x, experts, out);
    }

    /// What chosen experts make of each row, weighted by the choice: put into the tensor, or added, by a factor.
    fn expert_branch(
        &mut self,
        x: Tensor,
        pairs: &Pairs,
        experts: &Experts,
        activated: Epilogue,
        (out, adds, scale): (Tensor, bool, f32),
    ) {
        let inner = self.recorder.tensor(pairs.shape.pairs(), experts.config.ffn);
        self.expert_matmul(x, pairs, &experts.gate_up, false, activated, inner);
        let parts = self.recorder.tensor(pairs.shape.pairs(), x.cols);
        self.expert_matmul(inner, pairs, &experts.down, true, Epilogue::Store, parts);
        self.recorder.push(ExpertSum {
            batch: self.batch(),
            parts: parts.into(),
            choices: pairs.choices.into(),
            out: out.into(),
            rows: self.rows,
            cols: out.cols,
            used: experts.config.routing.used,
            scale,
            adds,
        });
    }

    /// Adds what the expert that every row goes to makes of it, if there is one.
    fn shared_expert(&mut self, x: Tensor, experts: &Experts, out: Tensor) {
        if let Some(shared) = &experts.shared {
            let inner = self.mlp(x, shared);
            if let Some(gate) = &experts.shared_gate {
                let factor = self.linear(x, gate).into();
                let (batch, rows, cols) = (self.batch(), self.rows, inner.cols);
                self.recorder.push(Scale { batch, x: inner.into(), factor, is_gate: true, rows, cols });
            }
            self.add_linear(inner, &shared.down, out);
        }
    }

    /// Chooses experts; for many rows, lists pairs by expert.
    fn route(&mut self, x: Tensor, experts: &Experts) -> Pairs {
        let (rows, routing) = (self.rows, experts.config.routing);
        let logits = self.linear(x, &experts.router);
        let choices = self.recorder.tensor(rows, 2 * routing.used);
        self.recorder.push(Route {
            batch: self.batch(),
            logits: logits.into(),
            bias: experts.selection_bias.as_ref().map(|bias| bias.slice.clone().into()),
            scales: experts.scales.as_ref().map(|scales| scales.slice.clone().into()),
            choices: choices.into(),
            rows,
            routing,
        });
        let shape = ListShape { rows, used: routing.used, experts: routing.experts };
        if rows <= MAX_ROWS {
            return Pairs { choices, list: None, shape };
        }
        let counts = self.recorder.tensor(1, shape.experts);
        let list = self.recorder.tensor(1, shape.words());
        let (batch, choices_ref) = (self.batch(), choices.into());
        self.recorder.push(ExpertCount { batch, choices: choices_ref, counts: counts.into(), shape });
        let (batch, choices_ref) = (self.batch(), choices.into());
        self.recorder.push(ExpertSort { batch, choices: choices_ref, counts: counts.into(), list: list.into(), shape });
        Pairs { choices, list: Some(list), shape }
    }

    fn expert_matmul(
        &mut self,
        x: Tensor,
        pairs: &Pairs,
        matrix: &ExpertMatrix,
        x_of_pairs: bool,
        epilogue: Epilogue,
        out: Tensor,
    ) {
        for shard in &matrix.shards {
            let matmul = ExpertMatmul {
                batch: self.batch(),
                x: x.into(),
                pairs: pairs.list.unwrap_or(pairs.choices).into(),
                weights: shard.weights.clone(),
                bias: shard.bias.clone().map(Into::into),
                out: out.into(),
                shape: pairs.shape,
                experts: shard.experts,
                x_of_pairs,
                epilogue,
            };
            match pairs.list {
                None => self.recorder.push(ExpertGemv(matmul)),
                Some(_) => self.recorder.push(ExpertGemm(matmul)),
            }
        }
    }
}
