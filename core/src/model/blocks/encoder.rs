//! A layer of BERT's kind: the norm comes behind each sum of a branch and what went into it, so that there is no residual stream.

use super::{AttentionBlock, FeedForward, Forward, Norm, RopeTable};
use crate::kernels::Tensor;
use crate::kernels::copy::Copy;
use crate::kernels::rms_norm::NormTarget;
use crate::model::config::Config;
use crate::model::decoder::Decoder;
use crate::model::weights::{LoadError, WeightRegistry};

/// The weights of one layer.
#[derive(Debug)]
pub struct EncoderLayer {
    attention: AttentionBlock,
    attention_norm: Norm,
    /// Of the layer's input and what the first norm gives.
    second_norm: Option<Norm>,
    feed_forward: FeedForward,
    out_norm: Norm,
}

impl EncoderLayer {
    /// Registers the norms of layer `index`, and what it is made of.
    pub fn register(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
        attention: AttentionBlock,
        feed_forward: FeedForward,
    ) -> Result<EncoderLayer, LoadError> {
        let mut norm = |name: &str| Norm::register(registry, config, &format!("blk.{index}.{name}"), config.hidden);
        let (attention_norm, out_norm) = (norm("attn_output_norm")?, norm("layer_output_norm")?);
        let second = format!("blk.{index}.attn_norm_2");
        let second_norm = match registry.has(&format!("{second}.weight")) {
            true => Some(Norm::register(registry, config, &second, config.hidden)?),
            false => None,
        };
        Ok(EncoderLayer { attention, attention_norm, second_norm, feed_forward, out_norm })
    }

    /// Records layer `index` over `x`, which it overwrites; gives what it makes of it.
    fn forward(&self, pass: &mut Forward<'_>, index: usize, x: Tensor, ropes: &[RopeTable]) -> Tensor {
        let attended = pass.attention(x, &self.attention, ropes);
        pass.tap(index, "attended", attended);
        let input = self.second_norm.as_ref().map(|norm| (pass.copied(x), norm));
        pass.add_linear(attended, &self.attention.out, x);
        let x = match input {
            None => pass.norm(x, &self.attention_norm),
            Some((input, second)) => {
                pass.norm_into(x, &self.attention_norm, input, NormTarget::added(x.cols));
                pass.norm(input, second)
            }
        };
        pass.tap(index, "attn_norm", x);
        match &self.feed_forward {
            FeedForward::Dense(mlp) => {
                let inner = pass.mlp(x, mlp);
                pass.add_linear(inner, &mlp.down, x);
            }
            FeedForward::Experts(experts) => pass.experts(x, experts, x, true),
            FeedForward::None => {}
        }
        let out = pass.norm(x, &self.out_norm);
        pass.tap(index, "out", out);
        out
    }
}

impl Decoder for Vec<EncoderLayer> {
    fn forward(&self, pass: &mut Forward<'_>, x: Tensor, ropes: &[RopeTable]) -> Tensor {
        self.iter().enumerate().fold(x, |x, (index, layer)| layer.forward(pass, index, x, ropes))
    }

    fn unread_bytes(&self) -> u64 {
        self.iter().map(|layer| layer.feed_forward.unread_bytes()).sum()
    }
}

impl Forward<'_> {
    /// A copy of `x`.
    fn copied(&mut self, x: Tensor) -> Tensor {
        let copy = self.recorder.tensor(self.rows, x.cols);
        self.recorder.push(Copy::whole(x.into(), copy.into(), self.rows * x.cols));
        copy
    }
}
