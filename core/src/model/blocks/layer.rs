//! A layer: attention and a feed-forward layer, each a branch that adds to the residual stream, with norms where the architecture has them.

use super::{AttentionBlock, Experts, Forward, Mlp, Norm, Recurrent, RopeTable, ShortConv};
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
    /// The same in the first layer of ModernBERT, whose input is normed already.
    pub const PRE_BUT_FIRST: NormNames = NormNames { before_attention: None, ..NormNames::PRE };
    /// The same under another name.
    pub const PRE_MISNAMED: NormNames =
        NormNames { before_mlp: MlpNorm::Named("post_attention_norm"), ..NormNames::PRE };
    /// Before and after each branch, as in Gemma.
    pub const SANDWICH: NormNames =
        NormNames { after_attention: Some("post_attention_norm"), after_mlp: Some("post_ffw_norm"), ..NormNames::PRE };
    /// After each branch, as in OLMo 2.
    pub const POST: NormNames = NormNames { before_attention: None, before_mlp: MlpNorm::None, ..NormNames::SANDWICH };
    /// Before the only branch, which mixes positions.
    pub const MIXER_ALONE: NormNames = NormNames { before_mlp: MlpNorm::None, ..NormNames::PRE };
    /// Before the only branch, a feed-forward layer.
    pub const FEED_FORWARD_ALONE: NormNames =
        NormNames { before_attention: None, before_mlp: MlpNorm::Named("attn_norm"), ..NormNames::PRE };
    /// One for both branches, as in Command R.
    pub const PARALLEL: NormNames = NormNames { before_mlp: MlpNorm::Shared, ..NormNames::PRE };
}

/// The weights of one layer.
#[derive(Debug)]
pub struct Layer {
    before_attention: Option<Norm>,
    mixer: Mixer,
    after_attention: Option<Norm>,
    mlp_input: MlpInput,
    feed_forward: FeedForward,
    after_mlp: Option<Norm>,
}

/// What mixes positions.
#[derive(Debug)]
pub enum Mixer {
    /// Attention.
    Attention(Box<AttentionBlock>),
    /// A short convolution.
    Conv(ShortConv),
    /// A recurrence.
    Recurrent(Box<Recurrent>),
    /// Attention and a recurrence over the same, whose answers are added.
    Parallel(Box<AttentionBlock>, Box<Recurrent>),
    /// Nothing.
    None,
}

impl From<AttentionBlock> for Mixer {
    fn from(block: AttentionBlock) -> Mixer {
        Mixer::Attention(Box::new(block))
    }
}

impl From<Recurrent> for Mixer {
    fn from(block: Recurrent) -> Mixer {
        Mixer::Recurrent(Box::new(block))
    }
}

impl From<ShortConv> for Mixer {
    fn from(block: ShortConv) -> Mixer {
        Mixer::Conv(block)
    }
}

/// What goes into an output projection, and that.
pub type Branch<'l> = (Tensor, &'l Matrix);

/// What follows attention.
#[derive(Debug)]
pub enum FeedForward {
    /// A layer that every token goes through.
    Dense(Mlp),
    /// Many, of which a token goes through a few.
    Experts(Box<Experts>),
    /// Nothing.
    None,
}

impl FeedForward {
    /// Registers what layer `index` has: experts, where the model has some and this layer is none without.
    pub fn register(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<FeedForward, LoadError> {
        match &config.experts {
            Some(experts) if experts.are_in(index) => {
                Ok(FeedForward::Experts(Experts::register(registry, config, index, experts)?.into()))
            }
            _ => Ok(FeedForward::Dense(Mlp::register(registry, config, index)?)),
        }
    }

    /// Bytes of weights that a token does not read.
    pub fn unread_bytes(&self) -> u64 {
        match self {
            FeedForward::Dense(_) | FeedForward::None => 0,
            FeedForward::Experts(experts) => experts.unread_bytes(),
        }
    }
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
        mixer: impl Into<Mixer>,
        feed_forward: FeedForward,
    ) -> Result<Layer, LoadError> {
        let mut norm = |name| Norm::register(registry, config, &format!("blk.{index}.{name}"), config.hidden);
        Ok(Layer {
            before_attention: names.before_attention.map(&mut norm).transpose()?,
            mixer: mixer.into(),
            after_attention: names.after_attention.map(&mut norm).transpose()?,
            mlp_input: match names.before_mlp {
                MlpNorm::Named(name) => MlpInput::Normed(norm(name)?),
                MlpNorm::None => MlpInput::Stream,
                MlpNorm::Shared => MlpInput::Shared,
            },
            feed_forward,
            after_mlp: names.after_mlp.map(&mut norm).transpose()?,
        })
    }

    /// Records layer `index`, which adds to the residual stream `x`.
    pub fn forward(&self, pass: &mut Forward<'_>, index: usize, x: Tensor, ropes: &[RopeTable]) {
        let attention_input = self.attend(pass, index, x, ropes);
        self.feed_forward(pass, index, x, attention_input);
    }

    /// Records its attention, which adds to `x`; gives what went into it.
    pub fn attend(&self, pass: &mut Forward<'_>, index: usize, x: Tensor, ropes: &[RopeTable]) -> Tensor {
        let (input, branches) = self.mix(pass, index, x, ropes);
        self.add_mixed(pass, branches, x);
        pass.tap(index, "attn_residual", x);
        input
    }

    /// Records what it keeps of the residual stream `x`, and nothing else: keys and values, if it attends.
    pub fn write_keys(&self, pass: &mut Forward<'_>, x: Tensor, ropes: &[RopeTable]) {
        if let Mixer::Attention(block) = &self.mixer {
            let input = self.before_attention.as_ref().map_or(x, |norm| pass.norm(x, norm));
            let qkv = pass.project(input, block);
            let rotated = pass.rotate(qkv, block, ropes);
            pass.write(&rotated, block);
        }
    }

    /// Records what mixes positions, without what it adds: what goes in, and what goes into each output projection.
    pub fn mix(
        &self,
        pass: &mut Forward<'_>,
        index: usize,
        x: Tensor,
        ropes: &[RopeTable],
    ) -> (Tensor, Vec<Branch<'_>>) {
        let input = self.before_attention.as_ref().map_or(x, |norm| pass.norm(x, norm));
        pass.tap(index, "attn_norm", input);
        let branches = match &self.mixer {
            Mixer::None => Vec::new(),
            Mixer::Attention(block) => vec![(pass.attention(input, block, ropes), &block.out)],
            Mixer::Conv(block) => vec![(pass.short_conv(input, block), &block.out)],
            Mixer::Recurrent(block) => vec![(pass.recurrent(input, block), &block.out)],
            Mixer::Parallel(attention, recurrent) => vec![
                (pass.attention(input, attention, ropes), &attention.out),
                (pass.recurrent(input, recurrent), &recurrent.out),
            ],
        };
        branches.iter().for_each(|(mixed, _)| pass.tap(index, "attended", *mixed));
        (input, branches)
    }

    /// Records what it adds to `x`.
    pub fn add_mixed(&self, pass: &mut Forward<'_>, branches: Vec<Branch<'_>>, x: Tensor) {
        for (mixed, out) in branches {
            pass.add_branch(x, mixed, out, self.after_attention.as_ref());
        }
    }

    /// Records what follows, which adds to `x`, too.
    pub fn feed_forward(&self, pass: &mut Forward<'_>, index: usize, x: Tensor, attention_input: Tensor) {
        let input = self.feed_forward_input(pass, x, attention_input);
        pass.tap(index, "ffn_norm", input);
        match (&self.feed_forward, &self.after_mlp) {
            (FeedForward::None, _) => return,
            (FeedForward::Dense(mlp), norm) => {
                let inner = pass.mlp(input, mlp);
                pass.tap(index, "gated", inner);
                pass.add_branch(x, inner, &mlp.down, norm.as_ref());
            }
            (FeedForward::Experts(experts), None) => pass.experts(input, experts, x, true),
            (FeedForward::Experts(experts), Some(_)) => {
                let branch = pass.recorder.tensor(pass.rows, x.cols);
                pass.experts(input, experts, branch, false);
                self.add_normed(pass, branch, x);
            }
        }
        pass.tap(index, "out", x);
    }

    /// What a dense layer gives, neither normed nor added.
    pub fn feed_forward_alone(&self, pass: &mut Forward<'_>, x: Tensor) -> Tensor {
        let input = self.feed_forward_input(pass, x, x);
        match &self.feed_forward {
            FeedForward::Dense(mlp) => {
                let inner = pass.mlp(input, mlp);
                pass.linear(inner, &mlp.down)
            }
            FeedForward::None => x,
            FeedForward::Experts(experts) => {
                let branch = pass.recorder.tensor(pass.rows, x.cols);
                pass.experts(input, experts, branch, false);
                branch
            }
        }
    }

    /// Adds a branch to `x` by the norm behind the feed-forward layer, if there is one.
    pub fn add_normed(&self, pass: &mut Forward<'_>, branch: Tensor, x: Tensor) {
        if let Some(norm) = &self.after_mlp {
            pass.norm_into(branch, norm, x, NormTarget::added(x.cols));
        }
    }

    fn feed_forward_input(&self, pass: &mut Forward<'_>, x: Tensor, attention_input: Tensor) -> Tensor {
        match &self.mlp_input {
            MlpInput::Normed(norm) => pass.norm(x, norm),
            MlpInput::Stream => x,
            MlpInput::Shared => attention_input,
        }
    }

    /// Bytes of weights that a token does not read.
    pub fn unread_bytes(&self) -> u64 {
        self.feed_forward.unread_bytes()
    }
}

impl Forward<'_> {
    /// `x += norm(input · matrixᵀ)`.
    fn add_branch(&mut self, x: Tensor, input: Tensor, matrix: &Matrix, norm: Option<&Norm>) {
        match norm {
            None => self.add_linear(input, matrix, x),
            Some(norm) => {
                let branch = self.linear(input, matrix);
                self.norm_into(branch, norm, x, NormTarget::added(x.cols));
            }
        }
    }
}
