//! What is proposed as a sequence's next tokens, and how much of it: none of this changes what an answer says.
//!
//! [`PromptLookup`] proposes what followed the same tokens earlier in the sequence, a [draft model](super::draft_model) what it would say
//! itself. The model verifies, and [`Acceptance`] decides how much is proposed, by the [`StepTimes`].

use std::collections::HashMap;

use inglenook_format::order::sort_by;

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

/// Times of what speculation weighs against plain steps, as measured: medians of the last few, since on a busy machine any one may take
/// several times as long as it should.
#[derive(Debug)]
pub struct StepTimes {
    /// Whether a verification counts as one plain step and a draft model's work as none, whatever is measured.
    pub is_free: bool,
    /// Of a plain step, milliseconds.
    plain: Recent,
    /// Submissions of plain steps.
    plain_submissions: u32,
    /// Of verifications of up to three, and of up to seven drafted tokens, in plain steps.
    verify: [Recent; 2],
    /// Of a token that the draft model chooses, and of one of those before that it computes, in plain steps.
    draft: [Recent; 2],
}

/// A verification's time in plain steps before any was measured: little enough for one to be tried.
const VERIFY_AT_FIRST: [f32; 2] = [1.5, 2.0];
/// Submissions of plain steps after which one of the verifications that were too slow is forgotten, so that they are tried again some day.
const FORGET_AFTER: u32 = 64;

/// The last few of what was measured.
#[derive(Debug, Clone, Copy, Default)]
struct Recent {
    values: [f32; 5],
    count: usize,
}

impl Recent {
    fn add(&mut self, value: f32) {
        self.values[self.count % self.values.len()] = value;
        self.count += 1;
    }

    fn median(&self) -> Option<f32> {
        let mut values = self.values;
        let values = &mut values[..self.count.min(self.values.len())];
        sort_by(values, f32::total_cmp);
        values.get(values.len().saturating_sub(1) / 2).copied()
    }
}

impl Default for StepTimes {
    fn default() -> StepTimes {
        // Twice, so that it takes more than one that was slow by chance to be believed.
        let verify = VERIFY_AT_FIRST.map(|at_first| Recent { values: [at_first; 5], count: 2 });
        StepTimes { is_free: false, plain: Recent::default(), plain_submissions: 0, verify, draft: Default::default() }
    }
}

impl StepTimes {
    /// So many plain steps took so many milliseconds.
    pub fn measured_plain(&mut self, millis: f64, steps: u32) {
        self.plain.add(millis as f32 / steps.max(1) as f32);
        self.plain_submissions += 1;
        if self.plain_submissions.is_multiple_of(FORGET_AFTER) {
            for (verify, at_first) in self.verify.iter_mut().zip(VERIFY_AT_FIRST) {
                if verify.median() > Some(at_first) {
                    verify.add(at_first);
                }
            }
        }
    }

    /// A verification of `drafted` tokens took so many milliseconds.
    pub fn measured_verify(&mut self, millis: f64, drafted: usize) {
        let steps = self.in_plain_steps(millis);
        self.verify[usize::from(drafted > 3)].add(steps);
    }

    /// The draft model has computed some tokens and chosen some in so many milliseconds.
    pub fn measured_draft(&mut self, millis: f64, computed: usize, chosen: usize) {
        let steps = self.in_plain_steps(millis);
        // A few computed ones take about as long as one chosen.
        match chosen {
            0 => self.draft[1].add(steps / computed.max(1) as f32),
            _ => self.draft[0].add(steps / chosen as f32),
        }
    }

    /// MTP has drafted so many tokens, and they were verified, in so many milliseconds together. Books the drafting, for which a verification's
    /// time as known is taken off, and gives that of the verification.
    pub fn measured_mtp(&mut self, millis: f64, drafted: usize) -> f64 {
        let steps = self.in_plain_steps(millis);
        let verify = self.verify(drafted as u32).min(steps);
        self.draft[0].add((steps - verify) / drafted.max(1) as f32);
        millis * f64::from(verify / steps.max(f32::MIN_POSITIVE))
    }

    /// The time of a verification of `drafted` tokens in plain steps.
    pub fn verify(&self, drafted: u32) -> f32 {
        if self.is_free {
            return 1.0;
        }
        let class = usize::from(drafted > 3);
        self.verify[class].median().unwrap_or(VERIFY_AT_FIRST[class])
    }

    /// The time in plain steps in which the draft model chooses a token, and computes one. `at_first`: that of a step of it, before any
    /// was measured.
    pub fn draft(&self, at_first: f32) -> [f32; 2] {
        if self.is_free {
            return [0.0; 2];
        }
        let [chosen, computed] = self.draft.map(|recent| recent.median());
        let chosen = chosen.unwrap_or(at_first);
        [chosen, computed.unwrap_or(chosen / 2.0)]
    }

    /// The time in which so many tokens are computed again, in plain steps. `millis`: that of a token of a prompt, where it was measured.
    pub fn again(&self, tokens: usize, millis: Option<f64>) -> f32 {
        if self.is_free || tokens == 0 {
            return 0.0;
        }
        let steps = match millis {
            Some(millis) => self.in_plain_steps(millis * tokens as f64),
            None => self.verify(7) * tokens.div_ceil(8) as f32,
        };
        steps.max(1.0)
    }

    fn in_plain_steps(&self, millis: f64) -> f32 {
        self.plain.median().map_or(1.0, |plain| millis as f32 / plain.max(1e-6))
    }
}

/// Time that drafting may lose, in plain steps, before it has gained any.
const CREDIT_AT_FIRST: f32 = 1.0;
/// What each token adds to that: the most that drafting can slow a text down where it never pays.
const CREDIT_A_TOKEN: f32 = 0.01;
/// What is kept of gains, so that a text that has been copied for long does not pay for one that is not.
const CREDIT_LIMIT: f32 = 4.0;
/// The chance that a drafted token is accepted, before any was.
const CHANCE_AT_FIRST: f32 = 0.5;
/// The same of the tokens of a draft model, since somebody has chosen it for that.
const CHANCE_OF_MODEL: f32 = 0.8;
/// How much of the mean each drafted token is.
const CHANCE_WEIGHT: f32 = 1.0 / 8.0;

/// Decides how many tokens are drafted, by what verifying them costs and what it has gained and lost.
///
/// Time is counted in plain steps, which give one token each. A step that verifies `drafted` tokens in the time of `cost` plain ones
/// and accepts `accepted` gains `accepted + 1 - cost`. Gains and losses are booked as credit, and a draft is allowed as far as the credit
/// covers its loss if nothing is accepted. So whatever the text, all steps together take no longer than plain ones by more than
/// `1 + 0.01 a token`; where drafting does not pay, it is tried again whenever the credit has come back.
#[derive(Debug, Clone)]
pub struct Acceptance {
    credit: f32,
    /// The chance that a drafted token is accepted where those before it are; running mean.
    chance: f32,
}

/// How many tokens to draft.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DraftLength {
    /// So many.
    pub tokens: u32,
    /// Tokens that are to be expected of it, in the time of a plain step.
    pub rate: f32,
}

impl Default for Acceptance {
    fn default() -> Acceptance {
        Acceptance { credit: CREDIT_AT_FIRST, chance: CHANCE_AT_FIRST }
    }
}

impl Acceptance {
    /// Of a draft model, which serves all answers: it may lose more before it has gained any.
    pub fn of_model() -> Acceptance {
        Acceptance { credit: CREDIT_LIMIT, chance: CHANCE_OF_MODEL }
    }

    /// How many tokens to draft, at most `max`: as many as promise the most tokens in a time, among those whose loss is covered. None
    /// for a plain step.
    ///
    /// `cost(drafted)` is the time of a step that drafts and verifies so many tokens, in plain steps; `refusal` what it takes besides where one
    /// of them is refused.
    pub fn draft_length(&self, max: u32, refusal: f32, cost: impl Fn(u32) -> f32) -> Option<DraftLength> {
        let mut expected = 1.0;
        let lengths = (1..=max).map(|tokens| {
            let all = self.chance.powi(tokens as i32);
            expected += all;
            let cost = cost(tokens);
            (tokens, cost + refusal, expected / (cost + (1.0 - all) * refusal))
        });
        let covered = lengths.filter(|(_, most, _)| self.credit + 1.0 >= *most);
        let rated = covered.map(|(tokens, _, rate)| DraftLength { tokens, rate });
        rated.max_by(|one, other| one.rate.total_cmp(&other.rate))
    }

    /// Books a step: what it drafted, what was accepted of it, and its time in plain steps. A plain step drafts nothing and costs 1.
    pub fn record(&mut self, drafted: u32, accepted: u32, cost: f32) {
        debug_assert!(accepted <= drafted);
        let tokens = accepted as f32 + 1.0;
        let gain = if drafted > 0 && cost.is_finite() { tokens - cost } else { 0.0 };
        self.credit = (self.credit + gain + CREDIT_A_TOKEN * tokens).min(CREDIT_LIMIT);
        (0..accepted).for_each(|_| self.chance += (1.0 - self.chance) * CHANCE_WEIGHT);
        if accepted < drafted {
            self.chance -= self.chance * CHANCE_WEIGHT;
        }
    }

    /// Books time that gave no token, in plain steps; false, and nothing is booked, where the credit does not cover it.
    pub fn spend(&mut self, cost: f32) -> bool {
        let is_covered = self.credit >= cost;
        self.credit -= if is_covered { cost } else { 0.0 };
        is_covered
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
            let drafted = acceptance.draft_length(16, 0.0, cost).map_or(0, |draft| draft.tokens);
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
        let length = acceptance.draft_length(16, 0.0, |_| 1.0).expect("a draft");
        assert!(length.tokens == 16 && length.rate > 10.0, "{length:?}");
    }

    #[test]
    fn drafts_are_as_long_as_their_costs_make_worthwhile() {
        let mut acceptance = Acceptance::default();
        let rows = |drafted: u32| if drafted > 3 { 2.5 } else { 1.5 };
        let length = |acceptance: &Acceptance, cost: &dyn Fn(u32) -> f32| {
            acceptance.draft_length(7, 0.0, cost).map(|l| l.tokens)
        };
        acceptance.record(3, 3, 1.5);
        assert_eq!(length(&acceptance, &rows), Some(3), "a half of the tokens is accepted");
        (0..4).for_each(|_| acceptance.record(7, 7, 2.5));
        assert_eq!(length(&acceptance, &rows), Some(7), "nearly all are");
        // Each token that a draft model chooses costs, too.
        (0..20).for_each(|_| acceptance.record(2, 1, 1.9));
        assert_eq!(length(&acceptance, &|drafted| rows(drafted) + 0.3 * drafted as f32), Some(1));
    }

    #[test]
    fn drafts_are_tried_again_after_a_text_that_nothing_was_accepted_of() {
        let cost = |drafted| 1.0 + 0.5 * drafted as f32;
        let mut acceptance = Acceptance::default();
        let (time, tokens) = run(&mut acceptance, 1000, cost, |_| 0);
        assert!(time / tokens < 1.02 && time > tokens, "{tokens} tokens in {time} steps");
        let (time, tokens) = run(&mut acceptance, 200, cost, |drafted| drafted);
        assert!(tokens / time > 1.5, "{tokens} tokens in {time} steps");
    }

    #[test]
    fn nothing_is_drafted_where_verifying_costs_more_than_it_can_give() {
        for cost in [9.0, f32::INFINITY, f32::NAN] {
            let mut acceptance = Acceptance::default();
            acceptance.record(0, 0, cost);
            assert_eq!(acceptance.draft_length(8, 0.0, |_| cost), None);
        }
        assert_eq!(Acceptance::default().draft_length(0, 0.0, |_| 1.0), None);
    }

    #[test]
    fn drafts_are_made_where_what_a_refused_one_takes_is_covered_and_pays() {
        let mut acceptance = Acceptance::of_model();
        let length = |acceptance: &Acceptance, refusal| {
            acceptance.draft_length(7, refusal, |drafted| 1.0 + 0.1 * drafted as f32).map(|length| length.tokens)
        };
        assert!(length(&acceptance, 0.0) > Some(3));
        assert_eq!(length(&acceptance, 5.0), None, "four steps are covered");
        assert!(length(&acceptance, 3.0).is_some_and(|tokens| tokens < 4), "the longer, the likelier it is refused");
        acceptance.record(2, 0, 1.2 + 2.0);
        assert_eq!(length(&acceptance, 2.5), None, "what it took is booked");
    }

    #[test]
    fn tokens_that_are_computed_again_take_what_a_prompt_does_and_at_least_a_step() {
        let mut times = StepTimes::default();
        assert_eq!([times.again(0, None), times.again(3, None), times.again(31, None)], [0.0, 2.0, 8.0]);
        times.measured_plain(10.0, 1);
        assert_eq!([times.again(1, Some(1.0)), times.again(30, Some(1.0))], [1.0, 3.0]);
        times.is_free = true;
        assert_eq!(times.again(31, Some(1.0)), 0.0);
    }

    #[test]
    fn step_times_believe_no_single_verification_that_was_slow() {
        let mut times = StepTimes::default();
        (0..3).for_each(|_| times.measured_plain(40.0, 4));
        times.measured_verify(200.0, 3);
        assert_eq!(times.verify(3), VERIFY_AT_FIRST[0]);
        [12.0, 13.0, 90.0, 12.0].into_iter().for_each(|millis| times.measured_verify(millis, 2));
        assert_eq!(times.verify(1), 1.3);
        (0..5).for_each(|_| times.measured_verify(60.0, 7));
        assert_eq!(times.verify(4), 6.0);
        (0..3 * FORGET_AFTER).for_each(|_| times.measured_plain(10.0, 1));
        assert_eq!(times.verify(7), VERIFY_AT_FIRST[1], "it is tried again");
    }

    #[test]
    fn time_is_spent_only_where_credit_covers_it() {
        let mut acceptance = Acceptance::default();
        assert!(!acceptance.spend(1.5) && acceptance.spend(0.75) && !acceptance.spend(0.5));
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
