/** How tokens are chosen: see core/src/engine/request/sampling.json. Written by `npm run fields`. */

export interface SamplingOptions {
  /** Tokens to generate at most. Range: at least 1. Default: until the context is full. */
  readonly max_tokens?: number | null;
  /** Another name of `max_tokens`. */
  readonly max_completion_tokens?: number | null;
  /** Another name of `max_tokens`. */
  readonly n_predict?: number | null;
  /** Tokens before which the model cannot end the answer. Range: at least 0. Default: 0. */
  readonly min_tokens?: number | null;
  /** The model cannot end the answer at all. Default: false. */
  readonly ignore_eos?: boolean | null;
  /** 0 for the most likely token always. Range: 0 to 100. Default: what the model recommends, else 0.7. */
  readonly temperature?: number | null;
  /** Choose among tokens whose logit is within N standard deviations of the highest; 0 for all. Range: 0 to 100. Default: 0. */
  readonly top_n_sigma?: number | null;
  /** Choose among the K most likely tokens; 0 for all. Range: at least 0. Default: what the model recommends, else 40. */
  readonly top_k?: number | null;
  /** Choose among the most likely tokens that together reach probability P; 1 for all. Range: 0 to 1. Default: what the model recommends, else 0.95. */
  readonly top_p?: number | null;
  /** Choose among tokens at least P times as likely as the most likely; 0 for all. Range: 0 to 1. Default: what the model recommends, else 0.05. */
  readonly min_p?: number | null;
  /** Choose among the tokens whose information is nearest to the mean and that together reach probability P; 1 for all. Range: 0 to 1. Default: 1. */
  readonly typical_p?: number | null;
  /** With probability P, drop the most likely tokens but the last of those that reach xtc_threshold (XTC); 0 for never. Range: 0 to 1. Default: 0. */
  readonly xtc_probability?: number | null;
  /** The probability from which on XTC drops tokens; above 0.5 it drops none. Range: 0 to 1. Default: 0.1. */
  readonly xtc_threshold?: number | null;
  /** Subtract X from the logit of a token that would make a repetition longer (DRY); 0 for nothing. Range: 0 to 100. Default: 0. */
  readonly dry_multiplier?: number | null;
  /** Multiply what DRY subtracts by X for each token that the repetition is longer than dry_allowed_length. Range: 1 to 100. Default: 1.75. */
  readonly dry_base?: number | null;
  /** Repetitions of fewer than N tokens cost nothing under DRY. Range: 1 to 200. Default: 2. */
  readonly dry_allowed_length?: number | null;
  /** Look for repetitions in the last N tokens. Range: 0 to 4096. Default: 4096. */
  readonly dry_penalty_last_n?: number | null;
  /** DRY's repetitions end at tokens with this text. Default: ["\n",":","\"","*"]. */
  readonly dry_sequence_breakers?: string | readonly string[] | null;
  /** Divide the logits of tokens that occurred before by X (multiply those below 0). Range: 0.01 to 100. Default: 1. */
  readonly repetition_penalty?: number | null;
  /** Another name of `repetition_penalty`. */
  readonly repeat_penalty?: number | null;
  /** Subtract X from a token's logit for each time that it was generated. Range: -100 to 100. Default: 0. */
  readonly frequency_penalty?: number | null;
  /** Subtract X from a token's logit once it was generated. Range: -100 to 100. Default: 0. */
  readonly presence_penalty?: number | null;
  /** Add BIAS, -100 to 100, to the logit of token ID (`inglenook tokenize` tells ids). Default: none. */
  readonly logit_bias?: Readonly<Record<string, number>> | null;
  /** The same seed and request give the same answer. Default: another one for each answer. */
  readonly seed?: number | null;
  /** End the answer at this text, without it. Default: none. */
  readonly stop?: string | readonly string[] | null;
  /** Answers to the request. Range: 1 to 128. Default: 1. */
  readonly n?: number | null;
  /** Tell the log-probability of each token, by the model's own distribution: before penalties, temperature and filters. Default: false. */
  readonly logprobs?: boolean | null;
  /** Tell the N likeliest tokens at each place, too; needs `logprobs`. Range: 0 to 20. Default: 0. */
  readonly top_logprobs?: number | null;
  /** Tell the log-probability of each token of the prompt but the first, and the N likeliest tokens at its place, before the answer; nothing of the prompt is taken from the cache then. Range: 0 to 20. Default: none are told. */
  readonly prompt_logprobs?: number | null;
  /** Of the requests that wait, that of the lowest N is served first, as in vLLM; each 10 s of waiting count for 1. Range: -100 to 100. Default: 0. */
  readonly priority?: number | null;
}
