//! How tokens are chosen.

use clap::Args;
use inglenook::engine::request::{Request, Stop};
use serde_json::{Map, Value, json};

/// How tokens are chosen, and where an answer ends.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingArguments {
    /// Tokens to generate at most [default: until the context is full]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: Option<u32>,
    /// 0 for the most likely token always [default: what the model recommends, else 0.7]
    #[arg(short, long, value_name = "T", allow_negative_numbers = true)]
    temperature: Option<f32>,
    /// Choose among the K most likely tokens, 0 for all [default: what the model recommends, else 40]
    #[arg(long, value_name = "K")]
    top_k: Option<u32>,
    /// Choose among the most likely tokens that together reach probability P [default: what the model recommends, else 0.95]
    #[arg(long, value_name = "P")]
    top_p: Option<f32>,
    /// Choose among tokens at least P times as likely as the most likely [default: what the model recommends, else 0.05]
    #[arg(long, value_name = "P")]
    min_p: Option<f32>,
    /// Divide the logits of tokens that occurred before by X
    #[arg(long, value_name = "X")]
    repetition_penalty: Option<f32>,
    /// Add BIAS, -100 to 100, to the logit of token ID (`tokenize` tells ids); may be given several times
    #[arg(long, value_name = "ID=BIAS", value_parser = bias)]
    logit_bias: Vec<(u32, f32)>,
    /// The same seed and prompt give the same answer
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// End the answer at this text, without it; may be given several times
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
}

impl SamplingArguments {
    /// Puts them into a request.
    pub fn add_to(&self, request: &mut Request) {
        request.max_tokens = self.max_tokens;
        request.temperature = self.temperature;
        request.top_k = self.top_k;
        request.top_p = self.top_p;
        request.min_p = self.min_p;
        request.repetition_penalty = self.repetition_penalty;
        request.seed = self.seed;
        request.stop = Stop::Many(self.stop.clone());
        let bias: Map<String, Value> = self.logit_bias.iter().map(|(id, bias)| (id.to_string(), json!(bias))).collect();
        request.logit_bias = Some(bias).filter(|bias| !bias.is_empty());
    }
}

fn bias(text: &str) -> Result<(u32, f32), String> {
    let wanted = || format!("`{text}` is no ID=BIAS, such as 1734=-100");
    let (id, bias) = text.split_once('=').ok_or_else(wanted)?;
    Ok((id.trim().parse().map_err(|_| wanted())?, bias.trim().parse().map_err(|_| wanted())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bias_is_a_token_and_a_number() {
        assert_eq!(bias("12=-3.5"), Ok((12, -3.5)));
        assert!(bias("12").is_err_and(|message| message.contains("ID=BIAS")));
        assert!(bias("a=1").is_err() && bias("1=a").is_err());
    }
}
