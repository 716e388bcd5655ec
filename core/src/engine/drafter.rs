//! Speculation by prompt lookup: what followed the same tokens earlier in the sequence is proposed as what follows now.
//!
//! [`PromptLookup`] proposes, the model verifies, and [`Acceptance`] decides how much to propose. Neither changes what an answer says.

use std::collections::HashMap;

use web_time::Instant;

/// Lengths of the suffixes that are looked up, longest first.
///
/// Measured on five texts with drafts of 8 tokens. One token of context adds 0.1 tokens a step on prose and costs verification on three
/// quarters of its steps instead of one third; two tokens and more accept 0.6 a verification there. Where a text is copied, up to four
/// tokens find its place better than up to three (6.1 tokens a step against 5.6), and five add nothing worth their memory.
const SUFFIXES: [usize; 3] = [4, 3, 2];
const LONGEST: usize = SUFFIXES[0];

/// A suffix, filled up with a token that no vocabulary has.
type Suffix = [u32; LONGEST];

/// A sequence's tokens, indexed by the few tokens before each.
#[derive(Debug, Default)]
pub struct PromptLookup {
    tokens: Vec<u32>,
    /// Where the latest occurrence of these tokens goes on. The end of the sequence is not in it, since nothing follows there.
    followed: HashMap<Suffix, usize>,
}

impl PromptLookup {
    /// Adds tokens of the prompt, or generated ones. Takes constant time a token.
    pub fn extend(&mut self, tokens: &[u32]) {
        for token in tokens {
            let at = self.tokens.len();
            for length in SUFFIXES {
                if let Some(suffix) = suffix(&self.tokens, length) {
                    self.followed.insert(suffix, at);
                }
            }
            self.tokens.push(*token);
        }
    }

    /// Up to `max` tokens that followed the latest earlier occurrence of the longest suffix that has one; empty where none has.
    ///
    /// A continuation that reaches the end goes on with itself, so that a text with a period is drafted over several.
    pub fn draft(&self, max: usize) -> Vec<u32> {
        let find = |length| self.followed.get(&suffix(&self.tokens, length)?);
        let Some(&from) = SUFFIXES.into_iter().find_map(find) else { return Vec::new() };
        let period = self.tokens.len() - from;
        (0..max).map(|at| self.tokens[from + at % period]).collect()
    }

    /// Adds tokens as [`PromptLookup::extend`] does; how many of them it would have drafted.
    pub fn foresaw(&mut self, tokens: &[u32]) -> u32 {
        let mut foreseen = 0;
        for token in tokens {
            foreseen += u32::from(self.draft(1).first() == Some(token));
            self.extend(&[*token]);
        }
        foreseen
    }

    /// Tokens of the sequence.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// True before the first token.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }
}

fn suffix(tokens: &[u32], length: usize) -> Option<Suffix> {
    let last = tokens.get(tokens.len().checked_sub(length)?..)?;
    let mut suffix = [u32::MAX; LONGEST];
    suffix[..length].copy_from_slice(last);
    Some(suffix)
}

/// The time of a verification in plain steps, as measured.
#[derive(Debug, Default)]
pub struct VerifyCost {
    /// Milliseconds of a plain step; running mean.
    plain: Option<f64>,
    /// Of verifications of up to three, and of up to seven drafted tokens.
    verify: [Option<f64>; 2],
    last_end: Option<Instant>,
}

impl VerifyCost {
    /// A submission of plain steps has ended.
    pub fn measured_plain(&mut self, submitted: Instant, steps: u32) {
        let millis = self.since(submitted) / f64::from(steps.max(1));
        self.plain = Some(self.plain.map_or(millis, |mean| mean + (millis - mean) / 8.0));
    }

    /// A verification of `drafted` tokens has ended; its time in plain steps.
    pub fn measured(&mut self, drafted: usize, submitted: Instant) -> f32 {
        let millis = self.since(submitted);
        let mean = &mut self.verify[usize::from(drafted > 3)];
        *mean = Some(mean.map_or(millis, |mean| mean + (millis - mean) / 4.0));
        self.plain.map_or(1.0, |plain| (millis / plain.max(1e-6)) as f32)
    }

    /// The time of a verification of `drafted` tokens in plain steps; before any was measured, little enough for one to be tried.
    pub fn of(&self, drafted: usize) -> f32 {
        match (self.verify[usize::from(drafted > 3)], self.plain) {
            (Some(verify), Some(plain)) => (verify / plain.max(1e-6)) as f32,
            _ if drafted > 3 => 2.0,
            _ => 1.5,
        }
    }

    fn since(&mut self, submitted: Instant) -> f64 {
        let now = Instant::now();
        let began = self.last_end.map_or(submitted, |end| end.max(submitted));
        self.last_end = Some(now);
        now.duration_since(began).as_secs_f64() * 1e3
    }
}

/// Time that drafting may lose, in plain steps, before it has gained any.
const CREDIT_AT_FIRST: f32 = 1.0;
/// What each token adds to that: the most that drafting can slow a text down where it never pays.
const CREDIT_A_TOKEN: f32 = 0.01;
/// What is kept of gains, so that a text that has been copied for long does not pay for one that is not.
const CREDIT_LIMIT: f32 = 4.0;
/// Tokens of a sequence's first draft.
const FIRST_DRAFT: u32 = 4;

/// Decides how many tokens a sequence drafts, by what verifying them has gained and lost.
///
/// Time is counted in plain steps, which give one token each. A step that verifies `drafted` tokens in the time of `cost` plain ones
/// and accepts `accepted` gains `accepted + 1 - cost`. Gains and losses are booked as credit, and a draft is allowed as far as the credit
/// covers its loss if nothing is accepted. So whatever the text, all steps together take no longer than plain ones by more than
/// `1 + 0.01 a token`; where drafting does not pay, it is tried again whenever the credit has come back.
#[derive(Debug, Clone)]
pub struct Acceptance {
    credit: f32,
    /// Tokens to draft next: twice as many after a draft that was accepted whole, one more than was accepted after another.
    length: u32,
    drafted: u64,
    accepted: u64,
}

impl Default for Acceptance {
    fn default() -> Acceptance {
        Acceptance { credit: CREDIT_AT_FIRST, length: FIRST_DRAFT, drafted: 0, accepted: 0 }
    }
}

impl Acceptance {
    /// How many tokens to draft, at most `max`; 0 for a plain step.
    ///
    /// `cost(drafted)` is the time of a step that verifies so many tokens, in plain steps. It should grow with `drafted`.
    pub fn draft_len(&self, max: u32, cost: impl Fn(u32) -> f32) -> u32 {
        let covered = |drafted: &u32| self.credit + 1.0 >= cost(*drafted);
        let shorter = std::iter::successors(Some(self.length.min(max)), |drafted| Some(drafted / 2));
        shorter.take_while(|drafted| *drafted > 0).find(covered).unwrap_or(0)
    }

    /// Books a step: what it drafted, what was accepted of it, and its time in plain steps. A plain step drafts nothing and costs 1.
    pub fn record(&mut self, drafted: u32, accepted: u32, cost: f32) {
        debug_assert!(accepted <= drafted);
        let tokens = accepted as f32 + 1.0;
        let gain = if drafted > 0 && cost.is_finite() { tokens - cost } else { 0.0 };
        self.credit = (self.credit + gain + CREDIT_A_TOKEN * tokens).min(CREDIT_LIMIT);
        if drafted > 0 {
            self.length = if accepted == drafted { self.length.max(drafted.saturating_mul(2)) } else { accepted + 1 };
        }
        self.drafted += u64::from(drafted);
        self.accepted += u64::from(accepted);
    }

    /// Tokens drafted so far.
    pub fn drafted(&self) -> u64 {
        self.drafted
    }

    /// Tokens accepted of them.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lookup(tokens: &[u32]) -> PromptLookup {
        let mut lookup = PromptLookup::default();
        lookup.extend(tokens);
        lookup
    }

    #[test]
    fn draft_prefers_the_longest_suffix_and_then_the_latest() {
        let text = [1, 2, 3, 4, 50, 9, 9, 3, 4, 60, 9, 9, 3, 4, 70, 1, 2, 3, 4];
        assert_eq!(lookup(&text).draft(3), [50, 9, 9], "four tokens are alike at the first place alone");
        assert_eq!(lookup(&text[1..]).draft(2), [50, 9], "three are");
        assert_eq!(lookup(&[&text[5..15], &[8, 3, 4]].concat()).draft(2), [70, 8], "two are alike at several places");
    }

    #[test]
    fn draft_goes_on_with_a_period() {
        assert_eq!(lookup(&[7, 1, 2, 3, 1, 2, 3, 1]).draft(7), [2, 3, 1, 2, 3, 1, 2]);
        assert_eq!(lookup(&[5, 5, 5]).draft(4), [5, 5, 5, 5]);
    }

    #[test]
    fn draft_is_empty_where_nothing_was_seen_before() {
        for text in [&[][..], &[1], &[1, 2], &[1, 2, 3, 1], &[1, 2, 3, 4, 5]] {
            assert!(lookup(text).draft(4).is_empty(), "{text:?}");
        }
        assert!(lookup(&[1, 2, 1, 2]).draft(0).is_empty());
    }

    /// The same by looking through all tokens.
    fn by_scan(tokens: &[u32], max: usize) -> Vec<u32> {
        for length in (2..=4).rev().filter(|length| *length < tokens.len()) {
            let last = &tokens[tokens.len() - length..];
            let ends = (length..tokens.len()).rev();
            if let Some(from) = ends.into_iter().find(|end| tokens[end - length..*end] == *last) {
                let mut text = tokens.to_vec();
                (0..max).for_each(|at| text.push(text[from + at]));
                return text[tokens.len()..].to_vec();
            }
        }
        Vec::new()
    }

    /// Time and tokens of `steps` steps where `accepts` says how many of a draft are accepted.
    fn run(
        acceptance: &mut Acceptance,
        steps: usize,
        cost: impl Fn(u32) -> f32 + Copy,
        mut accepts: impl FnMut(u32) -> u32,
    ) -> (f32, f32) {
        let (mut time, mut tokens) = (0.0, 0.0);
        for _ in 0..steps {
            let drafted = acceptance.draft_len(16, cost);
            let accepted = accepts(drafted);
            let spent = if drafted == 0 { 1.0 } else { cost(drafted) };
            acceptance.record(drafted, accepted, spent);
            time += spent;
            tokens += accepted as f32 + 1.0;
        }
        (time, tokens)
    }

    #[test]
    fn drafts_grow_where_a_text_is_copied() {
        let mut acceptance = Acceptance::default();
        let (time, tokens) = run(&mut acceptance, 50, |drafted| 1.0 + 0.1 * drafted as f32, |drafted| drafted);
        assert!(tokens / time > 5.0, "{tokens} tokens in {time} steps");
        assert_eq!(acceptance.draft_len(16, |_| 1.0), 16);
        assert_eq!((acceptance.drafted(), acceptance.accepted()), (4 + 8 + 48 * 16, 4 + 8 + 48 * 16));
    }

    #[test]
    fn drafts_are_tried_again_after_a_text_that_nothing_was_accepted_of() {
        let cost = |drafted| 1.0 + 0.5 * drafted as f32;
        let mut acceptance = Acceptance::default();
        let (time, tokens) = run(&mut acceptance, 1000, cost, |_| 0);
        assert!(time / tokens < 1.02 && acceptance.drafted() > 10, "{tokens} tokens in {time} steps");
        let (time, tokens) = run(&mut acceptance, 200, cost, |drafted| drafted);
        assert!(tokens / time > 1.5, "{tokens} tokens in {time} steps");
    }

    #[test]
    fn nothing_is_drafted_where_verifying_costs_more_than_it_can_give() {
        for cost in [9.0, f32::INFINITY, f32::NAN] {
            let mut acceptance = Acceptance::default();
            acceptance.record(0, 0, cost);
            assert_eq!(acceptance.draft_len(8, |_| cost), 0);
        }
        assert_eq!(Acceptance::default().draft_len(0, |_| 1.0), 0);
        assert_eq!(Acceptance::default().draft_len(3, |_| 1.0), 3);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn lookup_drafts_what_a_scan_of_all_tokens_does(
            tokens in proptest::collection::vec(0u32..3, 0..60),
            cut in any::<prop::sample::Index>(),
            max in 0usize..12,
        ) {
            let (first, second) = tokens.split_at(cut.index(tokens.len() + 1));
            let mut lookup = PromptLookup::default();
            for piece in [first, second] {
                lookup.extend(piece);
            }
            prop_assert_eq!(lookup.draft(max), by_scan(&tokens, max));
            prop_assert_eq!(lookup.len(), tokens.len());
        }

        /// Whatever is accepted and whatever verifying costs.
        #[test]
        fn drafting_never_loses_more_than_its_credit(
            seed in any::<u64>(),
            base in 0.2f32..3.0,
            slope in 0.0f32..1.5,
            steps in 1usize..600,
            luck in 0.0f64..1.0,
        ) {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut acceptance = Acceptance::default();
            let cost = |drafted: u32| base + slope * drafted as f32;
            let accepts = |drafted: u32| (0..drafted).take_while(|_| random.f64() < luck).count() as u32;
            let (time, tokens) = run(&mut acceptance, steps, cost, accepts);
            prop_assert!(time <= tokens * 1.01 + 1.0 + 0.01, "{tokens} tokens took {time} steps");
        }
    }
}
