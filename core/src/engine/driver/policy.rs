//! What becomes of chosen tokens: each sequence's policy decides of them, in its own time where it has to ask the grammar, and what it says
//! goes to the scheduler and the answer. Until then the sequence waits, and the others go on.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::{Driver, Entry};
use crate::engine::scheduler::SeqId;
use crate::engine::token_policy::{Advance, MaskMode, NextAction, TokenPolicy};
use crate::error::Error;
use crate::kernels::sampling::NO_TOKEN;

/// Groups of tokens that may wait for those before them to be decided of. A sequence that gets further ahead is called back: they would
/// probably be in vain.
const MAX_UNREAD: usize = 2;

/// Tokens that may be chosen without a mask that allows nearly all.
const FREE_RUN: u32 = 16;

/// Of tokens that a row has chosen.
#[derive(Debug)]
pub(super) struct Chosen {
    pub epoch: u32,
    /// Steps that chose them.
    pub steps: u32,
    /// Positions behind each that were computed, too.
    pub ahead: usize,
    /// How long each took, milliseconds; none of the first.
    pub token_ms: Option<f64>,
    /// Words of log-probabilities of each, if they are asked for.
    pub logprobs: Vec<Vec<u32>>,
}

/// A policy at work.
pub(super) struct Decision {
    future: Pin<Box<dyn Future<Output = Decided>>>,
    /// The tokens that it decides of; none at the beginning.
    chosen: Option<(Vec<u32>, Chosen)>,
}

struct Decided {
    policy: Box<TokenPolicy>,
    advances: Vec<Advance>,
    result: Result<(), Error>,
}

impl Driver {
    /// Lets a new sequence's policy begin: the grammar is compiled, and what has to come first comes.
    pub(super) fn begin(&mut self, id: SeqId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        self.scheduler.set_waiting(id, true);
        entry.decide(None);
        self.limit_prefill(id);
    }

    /// Goes on with what policies have decided meanwhile; whether any has.
    pub(super) fn poll_policies(&mut self, context: &mut Context<'_>) -> bool {
        if !self.waker.will_wake(context.waker()) {
            self.waker = context.waker().clone();
        }
        let at_work = self.entries.iter().filter(|(_, entry)| entry.decision.is_some());
        let at_work: Vec<SeqId> = at_work.map(|(id, _)| *id).collect();
        let mut has_moved = false;
        for id in at_work {
            has_moved |= self.ask_policy(id);
        }
        has_moved
    }

    /// Takes a sequence's tokens to its policy, as far as that decides at once; whether it has decided of any.
    pub(super) fn ask_policy(&mut self, id: SeqId) -> bool {
        let mut has_moved = false;
        while let Some(entry) = self.entries.get_mut(&id) {
            if entry.decision.is_none() {
                let Some(tokens) = entry.unread.pop_front() else { break };
                entry.decide(Some(tokens));
            }
            let Some(decision) = &mut entry.decision else { break };
            let waker: &Waker = &self.waker;
            let Poll::Ready(decided) = decision.future.as_mut().poll(&mut Context::from_waker(waker)) else {
                self.wait_for_policy(id);
                break;
            };
            let chosen = entry.decision.take().and_then(|decision| decision.chosen);
            has_moved = true;
            if let Err(error) = self.apply(id, decided, chosen) {
                self.fail_one(id, error);
            }
        }
        has_moved
    }

    /// Whether a row waits for its mask.
    pub(super) fn awaits_mask(&self) -> bool {
        self.entries.iter().any(|(id, entry)| entry.decision.is_some() && self.scheduler.is_held(*id))
    }

    /// A sequence's policy has to wait. Where the sequence goes on meanwhile without a mask, it may do so for a while; where it is free,
    /// what it waits for is the grammar that begins there.
    fn wait_for_policy(&mut self, id: SeqId) {
        self.scheduler.set_waiting(id, true);
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let goes_on = self.scheduler.is_under_way(id);
        if goes_on && (entry.unread.len() >= MAX_UNREAD || !entry.is_verified) {
            entry.unread.clear();
            self.scheduler.rewind(id);
        }
    }

    /// Tells the scheduler and the answer what a policy has decided.
    fn apply(&mut self, id: SeqId, decided: Decided, chosen: Option<(Vec<u32>, Chosen)>) -> Result<(), Error> {
        let Some(entry) = self.entries.get_mut(&id) else { return Ok(()) };
        let Decided { policy, advances, result } = decided;
        entry.sequence.policy = Some(policy);
        let (tokens, chosen) = chosen.unzip();
        let tokens = tokens.unwrap_or_default();
        // Where the sequence was called back or moved meanwhile, none of its steps is in flight any more.
        let in_place = chosen.as_ref().filter(|chosen| self.scheduler.epoch(id) == Some(chosen.epoch));
        let ahead = in_place.map(|chosen| chosen.ahead);
        let token_ms = chosen.as_ref().and_then(|chosen| chosen.token_ms);
        in_place.into_iter().for_each(|chosen| self.scheduler.read(id, chosen.steps));
        let mut logprobs = chosen.into_iter().flat_map(|chosen| chosen.logprobs);
        let mut chosen = tokens.iter().copied();
        let mut is_resumed = false;
        for mut advance in advances {
            let Some(entry) = self.entries.get_mut(&id) else { return Ok(()) };
            let sequence = &mut entry.sequence;
            let token = chosen.next();
            let (standing, events_before) = (sequence.len(), sequence.events.len());
            token_ms.into_iter().for_each(|ms| sequence.clock.token_ms.record(ms));
            sequence.extend(&mut advance);
            // The step that chose the token has computed the one before it; with a pass queued behind, the token itself, if it stands
            // and has not ended the row.
            let stands = sequence.len() > standing && Some(sequence.token(standing)) == token;
            let goes_on = !matches!(advance.next, NextAction::End(_))
                && token.is_some_and(|token| !sequence.stop_ids.contains(&token));
            let computed = match (token, ahead) {
                (Some(_), Some(ahead)) => standing + if stands && goes_on { ahead } else { 0 },
                _ => self.scheduler.computed(id),
            };
            if let (Some(token), Some(logprobs)) = (token, logprobs.next()) {
                sequence.tell_logprobs(standing, token, &logprobs, events_before);
            }
            self.tell(id, standing, computed);
            match advance.next {
                NextAction::GoOn if !self.entries.get(&id).is_some_and(|entry| entry.sequence.must_slide()) => {}
                NextAction::GoOn => break,
                NextAction::Resume | NextAction::Rejected => {
                    self.void_unread(id);
                    self.scheduler.rewind(id);
                    is_resumed = true;
                    break;
                }
                NextAction::End(reason) => {
                    self.finish(id, reason);
                    return Ok(());
                }
            }
        }
        result?;
        if !is_resumed && chosen.next() == Some(NO_TOKEN) {
            // Its row has ended: what the ring says of it in later steps is older than they are.
            self.void_unread(id);
            self.scheduler.set_waiting(id, false);
            self.scheduler.rewind(id);
            self.scheduler.set_held(id, true);
            self.faulty.push_back(id);
            return Ok(());
        }
        self.choose_pace(id);
        Ok(())
    }

    /// Lets a sequence that has filled the context go on from fewer tokens, if it may: as one that was preempted.
    fn slide(&mut self, id: SeqId) {
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.sequence.must_slide()) else { return };
        entry.unread.clear();
        let sequence = &mut entry.sequence;
        sequence.slide();
        let tokens = sequence.tokens().collect();
        self.scheduler.restart(id, tokens, sequence.limit() as usize);
        entry.mailbox.borrow_mut().push(entry.choice, sequence.events.drain(..));
    }

    /// A prompt that is scored is computed from where that was done, and by the plan for it: not before there is one.
    pub(super) fn limit_prefill(&mut self, id: SeqId) {
        let unscored = self.entries.get(&id).and_then(|entry| entry.sequence.unscored());
        let (reused, chunk) = match unscored {
            Some((told, _)) => (told, self.runner.score_rows() as usize),
            None => (usize::MAX, usize::MAX),
        };
        self.scheduler.limit_prefill(id, reused, chunk);
    }

    fn void_unread(&mut self, id: SeqId) {
        self.entries.get_mut(&id).into_iter().for_each(|entry| entry.unread.clear());
    }

    /// Tells the scheduler and the answer of the tokens from `standing` on.
    fn tell(&mut self, id: SeqId, standing: usize, computed: usize) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let sequence = &mut entry.sequence;
        let new: Vec<u32> = (standing..sequence.len()).map(|position| sequence.token(position)).collect();
        self.scheduler.extend(id, &new, computed);
        if self.speculation.is_on {
            self.speculation.foreseen += entry.lookup.foresaw(&new);
        }
        let cached = self.scheduler.cached(id).unwrap_or_default();
        sequence.usage.cached_tokens = cached.min(sequence.prompt.len()) as u32;
        let mut mailbox = entry.mailbox.borrow_mut();
        mailbox.generated[entry.choice as usize].extend_from_slice(&new);
        mailbox.push(entry.choice, sequence.events.drain(..));
        drop(mailbox);
        let now_ms = self.now_ms();
        self.throughput.record(new.len() as u64, now_ms);
    }

    /// How a sequence's next tokens are chosen: freely, under its mask, or without it though a grammar holds.
    fn choose_pace(&mut self, id: SeqId) {
        self.slide(id);
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let Some(policy) = &mut entry.sequence.policy else { return };
        if policy.is_masked() {
            let mask = policy.mask();
            match allowed_run(mask, self.vocab_size).filter(|_| policy.backoff.left == 0) {
                Some(run) => {
                    policy.mask_mode = MaskMode::Unmasked(run);
                    entry.unread.clear();
                    self.scheduler.rewind(id);
                }
                None => {
                    mask.clone_into(&mut entry.mask);
                    entry.sequence.forbid_early_end(&mut entry.mask);
                }
            }
        }
        let is_masked = entry.sequence.is_masked();
        let Some(policy) = &entry.sequence.policy else { return };
        entry.is_verified = policy.is_held() && !is_masked;
        let lookahead = policy.lookahead();
        let features = self.runner.features();
        entry.waits_for_plan = features.or(entry.sequence.params.features()) != features;
        self.scheduler.set_pace(id, is_masked, lookahead);
        self.scheduler.set_held(id, false);
        self.scheduler.set_waiting(id, entry.waits_for_plan);
        self.propose(id);
    }
}

impl Entry {
    /// Takes tokens to the policy, which is there.
    fn decide(&mut self, mut chosen: Option<(Vec<u32>, Chosen)>) {
        let Some(mut policy) = self.sequence.policy.take() else { return };
        // Where the positions are used up the row has ended: what the ring says of it in later steps is older than they are.
        let room = (self.sequence.limit() as usize).saturating_sub(self.sequence.len());
        chosen.iter_mut().for_each(|(tokens, _)| tokens.truncate(room));
        let tokens = chosen.as_ref().map(|(tokens, _)| tokens.clone());
        let future = Box::pin(async move {
            let mut advances = Vec::new();
            let result = match &tokens {
                None => policy.begin(&mut advances).await,
                Some(tokens) => {
                    let chosen = tokens.strip_suffix(&[NO_TOKEN]).unwrap_or(tokens);
                    policy.take_all(chosen, &mut advances).await
                }
            };
            Decided { policy, advances, result }
        });
        self.decision = Some(Decision { future, chosen });
    }
}

/// How far tokens may be chosen without this mask: as if so many had been allowed already. Not at all where it forbids a good part of
/// the vocabulary.
fn allowed_run(mask: &[u32], vocab: usize) -> Option<u32> {
    let allowed: usize = mask.iter().map(|word| word.count_ones() as usize).sum();
    match allowed * 100 / vocab.max(1) {
        98.. => Some(FREE_RUN),
        50..98 => Some(0),
        _ => None,
    }
}
