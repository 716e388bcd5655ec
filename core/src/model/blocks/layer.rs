//! A layer: attention and a feed-forward layer, each a branch that adds to the residual stream, with norms where the architecture has them.

use super::{AttentionBlock, Forward, Mlp, Norm, RopeTable};
use crate::kernels::Tensor;
use crate::kernels::rms_norm::NormTarget;
use crate::model::config::Config;
use crate::model::weights::{LoadError, Matrix, WeightRegistry};

/// Which norms a layer has, by their names in files, without `blk.N.` and `.weight`.
#[derive(Debug, Clone, Copy)]
pub struct NormNames {
    /// Of what goes into attention.
    before_attention: Option<&'static str>,
    /// Of what attention adds.
    after_attention: Option<&'static str>,
    before_mlp: MlpNorm,
    /// Of what the feed-forward layer adds.
    after_mlp: Option<&'static str>,
}

/// Of what goes into the feed-forward layer.
#[derive(Debug, Clone, Copy)]
enum MlpNorm {
    Named(&'static str),
    None,
    /// It reads what attention reads.
    Shared,
}

impl NormNames {
    /// Before each branch, as in Llama.
    pub const PRE: NormNames = NormNames {
        before_attention: Some("attn_norm"),
        after_attention: None,
        before_mlp: MlpNorm::Named("ffn_norm"),
        after_mlp: None,
    };
    /// The same under another name.
    pub const PRE_MISNAMED: NormNames =
        NormNames { before_mlp: MlpNorm::Named("post_attention_norm"), ..NormNames::PRE };
    /// Before and after each branch, as in Gemma.
    pub const SANDWICH: NormNames =
        NormNames { after_attention: Some("post_attention_norm"), after_mlp: Some("post_ffw_norm"), ..NormNames::PRE };
    /// After each branch, as in OLMo 2.
    pub const POST: NormNames = NormNames { before_attention: None, before_mlp: MlpNorm::None, ..NormNames::SANDWICH };
    /// One for both branches, as in Command R.
    pub const PARALLEL: NormNames = NormNames { before_mlp: MlpNorm::Shared, ..NormNames::PRE };
}

/// The weights of one layer.
#[derive(Debug)]
pub struct Layer {
    before_attention: Option<Norm>,
    attention: AttentionBlock,
    after_attention: Option<Norm>,
    mlp_input: MlpInput,
    mlp: Mlp,
    after_mlp: Option<Norm>,
}

/// What goes into the feed-forward layer.
#[derive(Debug)]
enum MlpInput {
    Normed(Norm),
    Stream,
    /// What goes into attention.
    Shared,
}

impl Layer {
    /// Registers the norms of layer `index` around its branches.
    pub fn register(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
        names: NormNames,
        attention: AttentionBlock,
        mlp: Mlp,
    ) -> Result<Layer, LoadError> {
        let mut norm = |name| Norm::register(registry, config, &format!("blk.{index}.{name}"), config.hidden);
        Ok(Layer {
            before_attention: names.before_attention.map(&mut norm).transpose()?,
            attention,
            after_attention: names.after_attention.map(&mut norm).transpose()?,
            mlp_input: match names.before_mlp {
                MlpNorm::Named(name) => MlpInput::Normed(norm(name)?),
                MlpNorm::None => MlpInput::Stream,
                MlpNorm::Shared => MlpInput::Shared,
            },
            mlp,
            after_mlp: names.after_mlp.map(&mut norm).transpose()?,
        })
    }

    /// Records layer `index`, which adds to the residual stream `x`.
    pub fn forward(&self, pass: &mut Forward<'_>, index: usize, x: Tensor, ropes: &[RopeTable]) {
        let attention_input = self.before_attention.as_ref().map_or(x, |norm| pass.norm(x, norm));
        pass.tap(index, "attn_norm", attention_input);
        let attended = pass.attention(attention_input, &self.attention, ropes);
        pass.tap(index, "attended", attended);
        // A branch that reads the stream as attention found it comes first.
        let shared = match self.mlp_input {
            MlpInput::Shared => Some(pass.mlp(attention_input, &self.mlp)),
            _ => None,
        };
        pass.add_branch(x, attended, &self.attention.out, self.after_attention.as_ref());
        pass.tap(index, "attn_residual", x);
        let inner = shared.unwrap_or_else(|| {
            let input = match &self.mlp_input {
                MlpInput::Normed(norm) => pass.norm(x, norm),
                _ => x,
            };
            pass.tap(index, "ffn_norm", input);
            pass.mlp(input, &self.mlp)
        });
        pass.tap(index, "gated", inner);
        pass.add_branch(x, inner, &self.mlp.down, self.after_mlp.as_ref());
        pass.tap(index, "out", x);
    }
}

impl Forward<'_> {
    /// `x += norm(input · matrixᵀ)`.
    fn add_branch(&mut self, x: Tensor, input: Tensor, matrix: &Matrix, norm: Option<&Norm>) {
        match norm {
            None => self.add_linear(input, matrix, x),
            Some(norm) => {
                let branch = self.linear(input, matrix);
                self.norm_into(branch, norm, x, NormTarget { adds: true, ..NormTarget::rows(x.cols) });
            }
        }
    }
}
