//! The sampling chain: from a step's logits to the next step's tokens, without the CPU.
//!
//! Three kernels end a decode step: `chunk_argmax` (bias, penalties, mask, the best of each chunk of the vocabulary), `filter_draw`
//! (temperature, the filters, the draw) and `commit` (ring, history, stop tokens, the next batch). The same recorded plan serves
//! greedy and every other request: what a sequence wants is read from memory at run time. Two more are recorded where somebody asks
//! for what they do ([`Features`]): `dry` in front, which finds repetitions, and `logprobs` before `commit`.
//!
//! The order is: bias; repetition, frequency and presence penalties; DRY; stop tokens that come too early; mask; temperature;
//! top_n_sigma, top_k, top_p, min_p, typical_p, XTC; the draw. It is that of HF transformers, in which filters see the softmax at
//! the temperature, each that of what the one before it keeps; DRY, top_n_sigma and XTC, which HF lacks, stand where llama.cpp has
//! them. (llama.cpp takes typical_p before top_p, and the temperature last.)
//!
//! Draws are by Gumbel noise from Philox, keyed by the seed and counted by position and token: a seed gives the same tokens
//! whatever else is in the batch.

use bytemuck::{Pod, Zeroable};

use super::chunk_argmax::ChunkArgmax;
use super::commit::Commit;
use super::dry::Dry;
use super::filter_draw::FilterDraw;
use super::logprobs::Logprobs;
use super::{Kernel, TensorRef, batch};
use serde::{Deserialize, Serialize};

/// WGSL that the sampling kernels share.
pub(super) const WGSL: &str = wgsl!("shared/sampling");

/// Tokens of each sequence that the ring holds: at most so many steps may pass before it is read.
pub const RING: u32 = 64;

/// Last tokens of each sequence that DRY can look back on.
pub const RECENT: u32 = 4096;

/// Likeliest tokens that are told with their log-probabilities.
pub const TOP_LOGPROBS: u32 = 20;

/// Words of a step in the log-probabilities: pairs of a token and its log-probability (f32), first the chosen one, then the
/// likeliest, in order. Where there are fewer, [`NO_TOKEN`].
pub const LOGPROB_WORDS: u32 = 2 * (1 + TOP_LOGPROBS);

/// Stop tokens of a sequence at most.
pub const MAX_STOPS: usize = 32;

/// Words of a sequence in the stops: a count, then token ids.
pub const STOP_WORDS: u32 = MAX_STOPS as u32 + 1;

/// What the ring holds in a token's place where no token could be chosen, since logits were no numbers or every token was
/// forbidden. The row is finished then.
pub const NO_TOKEN: u32 = u32::MAX;

/// Parts into which a row's vocabulary is split at most.
const MAX_CHUNKS: u32 = 256;

/// The history holds biases ([`history_words`]).
pub const BIASED: u32 = 1;

/// Only tokens of the mask are chosen ([`mask_words`]).
pub const MASKED: u32 = 2;

/// The row is held once its token is chosen ([`batch::HELD`]): what follows is for the CPU to say.
pub const HOLD: u32 = 4;

/// The likeliest tokens are told with their log-probabilities ([`LOGPROB_WORDS`]).
pub const LOGPROBS: u32 = 8;

/// How the tokens of one sequence are chosen: one element of the parameters' memory. Mirrors `shaders/shared/sampling.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct SamplingParams {
    /// Logits are divided by this; below 1e-5 the most likely token is taken, the lowest id among equals.
    pub temperature: f32,
    /// Keeps the k most likely tokens; 0 keeps all.
    pub top_k: u32,
    /// Keeps the most likely tokens that together reach this probability, at least one; 1 keeps all.
    pub top_p: f32,
    /// Keeps tokens at least this times as likely as the most likely one; 0 keeps all.
    pub min_p: f32,
    /// Divides positive logits, and multiplies others, of tokens in the prompt or generated so far; 1 does nothing.
    pub repetition_penalty: f32,
    /// Subtracted for each time that a token was generated (OpenAI's `frequency_penalty`).
    pub frequency_penalty: f32,
    /// Subtracted once when a token was generated (OpenAI's `presence_penalty`).
    pub presence_penalty: f32,
    /// The row finishes when its next token would enter the model at this position; 0 for never.
    pub limit: u32,
    /// Low half of the seed.
    pub seed_lo: u32,
    /// High half of the seed.
    pub seed_hi: u32,
    /// [`BIASED`], [`MASKED`], [`HOLD`] and [`LOGPROBS`], or 0.
    pub flags: u32,
    /// Stop tokens are not chosen for positions below this: 0 for wherever, `u32::MAX` for never. Under a mask, the mask decides.
    pub min_limit: u32,
    /// Keeps the tokens whose information is nearest to the mean and that together reach this probability; 1 keeps all.
    pub typical_p: f32,
    /// Keeps tokens whose logit is within so many standard deviations of the highest; 0 keeps all.
    pub top_n_sigma: f32,
    /// How probable it is that XTC, at a position, drops all tokens of [`xtc_threshold`](Self::xtc_threshold) but the least likely of
    /// them; 0 for never.
    pub xtc_probability: f32,
    /// The probability from which on tokens are XTC's.
    pub xtc_threshold: f32,
    /// What DRY subtracts for a token that makes a repetition of [`dry_allowed_length`](Self::dry_allowed_length) longer; 0 for
    /// nothing.
    pub dry_multiplier: f32,
    /// Multiplies that for each token that the repetition is longer.
    pub dry_base: f32,
    /// Repetitions of fewer tokens cost nothing.
    pub dry_allowed_length: u32,
    /// So many of the last tokens are looked at, at most [`RECENT`].
    pub dry_last_n: u32,
}

impl SamplingParams {
    /// The most likely token, always, without an end.
    pub const GREEDY: SamplingParams = SamplingParams {
        temperature: 0.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        repetition_penalty: 1.0,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
        limit: 0,
        seed_lo: 0,
        seed_hi: 0,
        flags: 0,
        min_limit: 0,
        typical_p: 1.0,
        top_n_sigma: 0.0,
        xtc_probability: 0.0,
        xtc_threshold: 0.1,
        dry_multiplier: 0.0,
        dry_base: 1.75,
        dry_allowed_length: 2,
        dry_last_n: u32::MAX,
    };

    /// The same with this seed.
    pub fn seeded(self, seed: u64) -> SamplingParams {
        SamplingParams { seed_lo: seed as u32, seed_hi: (seed >> 32) as u32, ..self }
    }

    /// True when logits depend on the history.
    pub fn remembers(&self) -> bool {
        self.repetition_penalty != 1.0
            || self.frequency_penalty != 0.0
            || self.presence_penalty != 0.0
            || self.flags & BIASED != 0
            || self.min_limit > 0
    }

    /// What a chain must have for a sequence that is sampled so.
    pub fn features(&self) -> Features {
        Features { dry: self.dry_multiplier > 0.0, logprobs: self.flags & LOGPROBS != 0 }
    }
}

/// What is recorded in a chain beside the three kernels that every sequence needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Features {
    /// The penalty of repetitions.
    pub dry: bool,
    /// Log-probabilities.
    pub logprobs: bool,
}

impl Features {
    /// What either of them has.
    pub fn or(self, other: Features) -> Features {
        Features { dry: self.dry || other.dry, logprobs: self.logprobs || other.logprobs }
    }
}

/// Bytes of the memories for `sequences` sequences over a vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateBytes {
    /// [`SamplingParams`], one a sequence.
    pub params: u64,
    /// u32 `[sequences, vocab]`, rows as made by [`history_words`].
    pub history: u64,
    /// u32 `[sequences, STOP_WORDS]`, rows as made by [`stop_words`].
    pub stops: u64,
    /// u32 `[sequences, mask_words(vocab)]`.
    pub mask: u64,
    /// u32 `[sequences, RING]`: the token chosen in step s is at `s % RING`.
    pub ring: u64,
    /// u32 `[sequences, RECENT]`, rows as made by [`recent_words`].
    pub recent: u64,
    /// u32 `[sequences, mask_words(vocab)]`: a bit for each token that ends a repetition for DRY.
    pub breakers: u64,
    /// u32 `[sequences, RING, LOGPROB_WORDS]`: those of step s are at `s % RING`.
    pub logprobs: u64,
}

impl StateBytes {
    /// Sizes for `sequences` sequences.
    pub fn new(sequences: u32, vocab: u32) -> StateBytes {
        let words = |each: u64| u64::from(sequences) * each * 4;
        StateBytes {
            params: words(size_of::<SamplingParams>() as u64 / 4),
            history: words(vocab.into()),
            stops: words(STOP_WORDS.into()),
            mask: words(mask_words(vocab).into()),
            ring: words(RING.into()),
            recent: words(RECENT.into()),
            breakers: words(mask_words(vocab).into()),
            logprobs: words(u64::from(RING * LOGPROB_WORDS)),
        }
    }
}

/// Words of a sequence's mask: bit `t % 32` of word `t / 32` is set where token t is allowed.
pub fn mask_words(vocab: u32) -> u32 {
    vocab.div_ceil(32)
}

/// A sequence's history, `[vocab]`: bits 0–14 times generated, 15 whether it is a stop token, 16–30 bias in steps of 1/128, 31 whether the prompt
/// has the token. Ids beyond the vocabulary are ignored. Biases are held within ±127.99; -100 and below forbid the token, as in
/// OpenAI's `logit_bias`. With any bias, [`SamplingParams::flags`] must hold [`BIASED`].
pub fn history_words(vocab: u32, prompt: &[u32], generated: &[u32], bias: &[(u32, f32)], stops: &[u32]) -> Vec<u32> {
    let mut words = vec![0; vocab as usize];
    for token in prompt {
        if let Some(word) = words.get_mut(*token as usize) {
            *word |= 1 << 31;
        }
    }
    for token in generated {
        if let Some(word) = words.get_mut(*token as usize) {
            *word += u32::from(*word & TIMES < TIMES);
        }
    }
    for token in stops {
        if let Some(word) = words.get_mut(*token as usize) {
            *word |= STOPS;
        }
    }
    for (token, bias) in bias {
        if let Some(word) = words.get_mut(*token as usize) {
            let steps = if *bias <= -100.0 { -0x4000 } else { (bias * 128.0).round().clamp(-16383.0, 16383.0) as i32 };
            *word = *word & 0x8000_ffff | (steps as u32 & 0x7fff) << 16;
        }
    }
    words
}

/// How often a token was generated, in a word of the history.
pub(super) const TIMES: u32 = 0x7fff;

/// The mark of a stop token in a word of the history.
pub(super) const STOPS: u32 = 0x8000;

/// A sequence's last tokens, `[RECENT]`, each at its position modulo `RECENT`. `next` is the position of what follows them.
pub fn recent_words(tokens: &[u32], next: u32) -> Vec<u32> {
    let mut words = vec![NO_TOKEN; RECENT as usize];
    for (token, behind) in tokens.iter().rev().zip(1..=RECENT.min(next)) {
        words[((next - behind) % RECENT) as usize] = *token;
    }
    words
}

/// A sequence's stop tokens, `[STOP_WORDS]`. `None` when there are more than [`MAX_STOPS`].
pub fn stop_words(stops: &[u32]) -> Option<Vec<u32>> {
    let mut words = vec![0; STOP_WORDS as usize];
    words[0] = stops.len() as u32;
    words.get_mut(1..=stops.len())?.copy_from_slice(stops);
    Some(words)
}

/// Sizes of a sampling chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleShape {
    /// Rows at most.
    pub rows: u32,
    /// Tokens that may be chosen.
    pub vocab: u32,
    /// Columns of the logits; those from `vocab` on belong to no token.
    pub columns: u32,
}

impl SampleShape {
    /// Tokens of a chunk; a multiple of 4, so that a chunk uses whole blocks of random words.
    pub fn chunk(&self) -> u32 {
        self.vocab.div_ceil(MAX_CHUNKS).next_multiple_of(4)
    }

    /// Chunks of a row. None is empty.
    pub fn chunks(&self) -> u32 {
        self.vocab.div_ceil(self.chunk())
    }

    /// Columns of the adjusted logits: the vocabulary, and what is left of the last chunk.
    pub fn stride(&self) -> u32 {
        self.chunks() * self.chunk()
    }

    /// Columns of the tensors, each with `rows` rows, that the kernels pass on: [`Scratch`] in the order of its fields.
    pub fn scratch_cols(&self) -> [u32; 4] {
        [self.stride(), 2 * self.chunks(), self.chunks(), 1]
    }

    pub(super) fn constants(&self) -> Vec<(&'static str, f64)> {
        vec![("VOCAB", self.vocab.into()), ("CHUNK", self.chunk().into()), ("CHUNKS", self.chunks().into())]
    }
}

/// What the chain works on.
#[derive(Debug, Clone)]
pub struct SampleInputs {
    /// The batch; written by the last kernel.
    pub batch: TensorRef,
    /// f32 `[rows, columns]`.
    pub logits: TensorRef,
    /// [`SamplingParams`], one a sequence.
    pub params: TensorRef,
    /// u32 `[sequences, vocab]`.
    pub history: TensorRef,
    /// u32 `[sequences, STOP_WORDS]`.
    pub stops: TensorRef,
    /// u32 `[sequences, mask_words(vocab)]`.
    pub mask: TensorRef,
    /// u32 `[sequences, RING]`.
    pub ring: TensorRef,
    /// u32 `[sequences, RECENT]`.
    pub recent: TensorRef,
    /// u32 `[sequences, mask_words(vocab)]`.
    pub breakers: TensorRef,
    /// u32 `[sequences, RING, LOGPROB_WORDS]`.
    pub logprobs: TensorRef,
}

/// What the kernels pass on to each other; sizes by [`SampleShape::scratch_cols`].
#[derive(Debug, Clone)]
pub struct Scratch {
    /// f32 `[rows, chunks · chunk]`: logits after bias and penalties, where a row's filters need them.
    pub adjusted: TensorRef,
    /// f32 `[rows, chunks, 2]`: the best of a chunk and the chunk's softmax mass relative to it.
    pub peaks: TensorRef,
    /// u32 `[rows, chunks]`: the token of a chunk's best.
    pub places: TensorRef,
    /// u32 `[rows]`: tokens.
    pub chosen: TensorRef,
}

/// The kernels of a chain, in the order of their run. Sequences whose [`SamplingParams::features`] are not among `features` must not be
/// in the batch.
pub fn chain(shape: SampleShape, inputs: SampleInputs, scratch: Scratch, features: Features) -> Vec<Box<dyn Kernel>> {
    let SampleInputs { batch, logits, params, history, stops, mask, ring, recent, breakers, logprobs } = inputs;
    let Scratch { adjusted, peaks, places, chosen } = scratch;
    let mut kernels: Vec<Box<dyn Kernel>> = Vec::new();
    if features.dry {
        kernels.push(Box::new(Dry {
            batch: batch.clone(),
            params: params.clone(),
            recent: recent.clone(),
            breakers,
            lengths: adjusted.clone(),
            shape,
        }));
    }
    kernels.push(Box::new(ChunkArgmax {
        batch: batch.clone(),
        logits: logits.clone(),
        params: params.clone(),
        history: history.clone(),
        mask,
        adjusted: adjusted.clone(),
        peaks: peaks.clone(),
        places: places.clone(),
        shape,
    }));
    kernels.push(Box::new(FilterDraw {
        batch: batch.clone(),
        adjusted,
        peaks,
        places,
        params: params.clone(),
        chosen: chosen.clone(),
        shape,
    }));
    if features.logprobs {
        kernels.push(Box::new(Logprobs {
            batch: batch.clone(),
            logits,
            params: params.clone(),
            chosen: chosen.clone(),
            logprobs,
            shape,
        }));
    }
    kernels.push(Box::new(Commit { batch, chosen, params, stops, history, ring, recent, shape }));
    kernels
}

/// The words of parameters, as the kernels' cases give them.
pub(super) fn params_words(params: &[SamplingParams]) -> Vec<u32> {
    bytemuck::cast_slice(params).to_vec()
}

/// Rows for cases: positions far apart, sequences in another order than the rows.
pub(super) fn case_rows(rows: u32) -> Vec<batch::Row> {
    (0..rows).map(|r| batch::Row::new(7, 5 + 40 * r, rows - 1 - r)).collect()
}

#[cfg(test)]
mod tests;
