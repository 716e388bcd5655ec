//! What is left out where a conversation or an answer does not fit into the context, if the request allows it: of a prompt the oldest
//! turns, and of an answer that has filled the context the oldest half of what stands behind the system prompt. Nothing is left out in
//! silence: [`Event::Truncated`](super::event::Event) and the usage say it.

use std::ops::Range;

use serde::Deserialize;
use serde_json::{Value, json};

use super::prompt::{Prompt, PromptBuilder};
use super::request::{Request, RequestError};
use crate::error::Error;

/// Whether what does not fit into the context may be left out, in the words of OpenAI's Responses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Truncation {
    /// It may.
    Auto,
    /// A prompt that does not fit is refused, and an answer ends with `length` where the context does.
    #[default]
    Disabled,
}

/// Fewest tokens behind the kept ones: with less room an answer would be computed anew every few tokens.
const LEAST_ROOM: usize = 32;

/// How a sequence goes on where the context is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SlidingWindow {
    /// Leading tokens that stay: those of the system prompt.
    pub kept: usize,
    /// The token that begins each message, where it is known.
    pub opener: Option<u32>,
}

impl SlidingWindow {
    /// From where on the tokens of a full context stay: at least half of those behind the kept ones are left out, up to the beginning of a
    /// message if one comes there.
    pub fn stays_from(&self, len: usize, token: impl Fn(usize) -> u32) -> usize {
        let half = self.kept + (len - self.kept).div_ceil(2);
        let opener = |position: &usize| Some(token(*position)) == self.opener;
        (half..len.saturating_sub(1)).find(opener).unwrap_or(half)
    }
}

impl PromptBuilder {
    /// The prompt of a request that is to be answered within `context` tokens. If the request allows it, the fewest turns are left out
    /// that must be; of how many messages and tokens the prompt lacks.
    ///
    /// # Errors
    /// As [`PromptBuilder::render`]; [`RequestError::TooLong`].
    pub(super) fn fitting(&self, request: &Request, context: u32) -> Result<(Prompt, (u32, u32)), Error> {
        let whole = self.prompt(request)?;
        let most = context as usize;
        let room = (most / 4).min(request.max_tokens.map_or(most, |tokens| tokens as usize)).max(1);
        let (tokens, may_drop) = (whole.tokens.len(), request.truncation == Truncation::Auto);
        if tokens + room <= most || (tokens < most && !may_drop) {
            return Ok((whole, (0, 0)));
        }
        let units = if may_drop { droppable(&request.messages) } else { Vec::new() };
        let mut without = request.clone();
        let mut shortened = |units: &[Range<usize>]| {
            let stays = |at: &usize| !units.iter().any(|unit| unit.contains(at));
            let kept = (0..request.messages.len()).filter(stays);
            without.messages = kept.map(|at| request.messages[at].clone()).collect();
            let prompt = self.prompt(&without)?;
            let lacks = (request.messages.len() - without.messages.len(), tokens.saturating_sub(prompt.tokens.len()));
            Ok::<_, Error>((prompt, (lacks.0 as u32, lacks.1 as u32)))
        };
        // The fewest units without which it fits lie in `low..=high`.
        let (mut low, mut high) = (1, units.len());
        while low < high {
            let middle = low.midpoint(high);
            let fits = shortened(&units[..middle])?.0.tokens.len() + room <= most;
            (low, high) = if fits { (low, middle) } else { (middle + 1, high) };
        }
        let least = if units.is_empty() { (whole, (0, 0)) } else { shortened(&units[..low])? };
        match least.0.tokens.len() {
            tokens if tokens < most => Ok(least),
            tokens => Err(RequestError::TooLong { tokens, context }.into()),
        }
    }

    /// How an answer to a request goes on where it has filled the context; none where it may not, or its system prompt leaves no room.
    pub(super) fn window(&self, request: &Request, prompt: &[u32], context: u32) -> Option<SlidingWindow> {
        if request.truncation == Truncation::Disabled {
            return None;
        }
        let begins = usize::from(prompt.first().copied() == self.tokenizer().special_ids().bos);
        let window = match request.prompt {
            Some(_) => SlidingWindow { kept: begins, opener: None },
            None => self.system_prompt(request, prompt).unwrap_or(SlidingWindow { kept: begins, opener: None }),
        };
        (window.kept + LEAST_ROOM <= context as usize).then_some(window)
    }

    /// What the prompt begins with whatever is asked: what another question has in common with it, up to where the question's message
    /// begins. What begins a message is seen at the answer's, as far as that is a special token.
    fn system_prompt(&self, request: &Request, prompt: &[u32]) -> Option<SlidingWindow> {
        let mut messages = request.messages[..leading(&request.messages)].to_vec();
        messages.push(json!({"role": "user", "content": "?"}));
        let other = Request { messages, continue_final_message: false, ..request.clone() };
        let tokens = |begins| self.tokens(&Request { add_generation_prompt: Some(begins), ..other.clone() }).ok();
        let (asked, ended) = (tokens(true)?, tokens(false)?);
        let opener = asked.get(common(&asked, &ended)).copied().filter(|token| self.tokenizer().is_control(*token));
        let kept = common(&asked, prompt).min(prompt.len().saturating_sub(1));
        let begins = |at: &usize| Some(prompt[*at]) == opener;
        Some(SlidingWindow { kept: (0..=kept).rev().find(begins).unwrap_or(kept), opener })
    }
}

/// How many leading tokens two prompts have in common.
fn common(one: &[u32], other: &[u32]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

fn role(message: &Value) -> &str {
    message["role"].as_str().unwrap_or_default()
}

/// How many messages the system prompt is.
fn leading(messages: &[Value]) -> usize {
    messages.iter().take_while(|message| ["system", "developer"].contains(&role(message))).count()
}

/// What may be left out of a conversation, the oldest first: turns, from a user's message up to the next, and then what came of the last
/// question, a call with its results at a time. The system prompt, the last question and what the answer follows on stay.
fn droppable(messages: &[Value]) -> Vec<Range<usize>> {
    let first = leading(messages);
    let behind =
        |at: usize, begins: fn(&str) -> bool| (at..messages.len()).filter(move |at| begins(role(&messages[*at])));
    let questions: Vec<usize> = behind(first, |role| role == "user").collect();
    let last = questions.last().copied();
    let mut turns = questions;
    if turns.first().is_some_and(|question| *question > first) {
        turns.insert(0, first);
    }
    let rounds: Vec<usize> =
        behind(last.map_or(first, |last| last + 1), |role| role != "tool" && role != "function").collect();
    let ranges = |begins: Vec<usize>| begins.windows(2).map(|pair| pair[0]..pair[1]).collect::<Vec<_>>();
    [ranges(turns), ranges(rounds)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation(roles: &str) -> Vec<Value> {
        let role = |letter| match letter {
            's' => "system",
            'u' => "user",
            'a' => "assistant",
            _ => "tool",
        };
        roles.chars().map(|letter| json!({"role": role(letter), "content": "x"})).collect()
    }

    #[test]
    fn droppable_has_whole_turns_and_calls_with_their_results() {
        let cases: [(&str, &[(usize, usize)]); 9] = [
            ("", &[]),
            ("su", &[]),
            ("suau", &[(1, 3)]),
            ("suatau", &[(1, 5)]),
            ("ssaauau", &[(2, 4), (4, 6)]),
            ("uau", &[(0, 2)]),
            ("uauattat", &[(0, 2), (3, 6)]),
            ("uatata", &[(1, 3), (3, 5)]),
            ("saa", &[(1, 2)]),
        ];
        for (roles, ranges) in cases {
            let found: Vec<_> = droppable(&conversation(roles)).iter().map(|unit| (unit.start, unit.end)).collect();
            assert_eq!(found, ranges, "{roles}");
        }
    }

    #[test]
    fn stays_from_leaves_out_half_and_begins_at_a_message_if_one_comes() {
        let tokens = [9, 1, 1, 9, 2, 2, 2, 9, 3, 3];
        let stays = |kept, opener, len| SlidingWindow { kept, opener }.stays_from(len, |at| tokens[at]);
        assert_eq!(stays(3, Some(9), 10), 7);
        assert_eq!(stays(3, None, 10), 7);
        assert_eq!(stays(0, Some(9), 10), 7);
        assert_eq!(stays(0, None, 10), 5);
        assert_eq!(stays(0, Some(9), 7), 4, "no message begins behind the half");
        assert_eq!(stays(0, Some(9), 8), 4, "the last token is no beginning to go on from");
    }
}
