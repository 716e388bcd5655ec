//! What was said so far, as the engine's messages.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::{Answer, ToolCall};

/// A system message, if there is one, and turns.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Conversation {
    system: Option<String>,
    turns: Vec<Value>,
    /// The calls of the last answer, whose results come next.
    calls: Vec<ToolCall>,
    /// What the user has said since the last answer: a question, or results of calls, in order.
    #[serde(skip)]
    said: Vec<Value>,
}

impl Conversation {
    /// With nothing said yet.
    pub fn new(system: Option<String>) -> Conversation {
        Conversation { system, ..Conversation::default() }
    }

    /// The system message.
    pub fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// How many messages are kept.
    pub fn turns(&self) -> usize {
        self.turns.len()
    }

    /// Forgets the turns, and keeps the system message.
    pub fn clear(&mut self) {
        *self = Conversation::new(self.system.take());
    }

    /// The call whose result is what the user says next; if there is none, it is a question.
    pub fn next_call(&self) -> Option<&ToolCall> {
        self.calls.get(self.said.len())
    }

    /// Takes what the user says. All messages, if it is the model's turn now.
    pub fn say(&mut self, text: &str) -> Option<Vec<Value>> {
        let said = match self.next_call() {
            Some(ToolCall { id, name, .. }) => {
                json!({ "role": "tool", "tool_call_id": id, "name": name, "content": text })
            }
            None => message("user", text),
        };
        self.said.push(said);
        if self.next_call().is_some() {
            return None;
        }
        let system = self.system.iter().map(|text| message("system", text));
        Some(system.chain(self.turns.iter().chain(&self.said).cloned()).collect())
    }

    /// Keeps a turn. One that was stopped before its first word is forgotten.
    pub fn add(&mut self, answer: &Answer) {
        if answer.text.is_empty() && answer.calls.is_empty() {
            return self.forget();
        }
        self.turns.append(&mut self.said);
        self.turns.push(answer.message());
        self.calls = answer.calls.clone();
    }

    /// Forgets what the user has said since the last answer.
    pub fn forget(&mut self) {
        self.said.clear();
    }
}

fn message(role: &str, content: &str) -> Value {
    json!({ "role": role, "content": content })
}

#[cfg(test)]
mod tests {
    use inglenook::engine::event::{FinishReason, Timings, Usage};

    use super::*;

    fn answer(text: &str, calls: &[&str]) -> Answer {
        let call = |id: &&str| ToolCall { id: id.to_string(), name: "now".into(), arguments: "{}".into() };
        Answer {
            text: text.into(),
            reasoning: String::new(),
            calls: calls.iter().map(call).collect(),
            malformed: Vec::new(),
            logprobs: Vec::new(),
            prompt_logprobs: Vec::new(),
            tokens: Vec::new(),
            reason: FinishReason::Stop,
            usage: Usage::default(),
            timings: Timings::default(),
        }
    }

    /// What is asked of the model after `text` was said.
    fn roles(conversation: &mut Conversation, text: &str) -> Option<String> {
        let messages = conversation.say(text)?;
        let roles: Vec<&str> = messages.iter().filter_map(|message| message["role"].as_str()).collect();
        Some(roles.join(" "))
    }

    #[test]
    fn turns_alternate_whatever_was_stopped() {
        let mut conversation = Conversation::new(Some("be brief".into()));
        assert_eq!(roles(&mut conversation, "one").as_deref(), Some("system user"));
        conversation.add(&answer("1", &[]));
        roles(&mut conversation, "two");
        conversation.add(&answer("", &[]));
        assert_eq!(roles(&mut conversation, "q").as_deref(), Some("system user assistant user"));
        conversation.clear();
        assert_eq!(roles(&mut conversation, "q").as_deref(), Some("system user"));
    }

    #[test]
    fn results_of_all_calls_come_before_the_models_next_turn() {
        let mut conversation = Conversation::new(None);
        roles(&mut conversation, "what time is it?");
        conversation.add(&answer("", &["a", "b"]));
        assert_eq!(conversation.next_call().map(|call| call.id.as_str()), Some("a"));
        assert_eq!(roles(&mut conversation, "12:00"), None);
        assert_eq!(roles(&mut conversation, "noon").as_deref(), Some("user assistant tool tool"));
        // The engine refused: both results are asked for again.
        conversation.forget();
        assert_eq!(conversation.next_call().map(|call| call.id.as_str()), Some("a"));
        conversation.say("1");
        let messages = conversation.say("2").expect("the model's turn");
        assert_eq!((&messages[3]["tool_call_id"], &messages[3]["content"]), (&json!("b"), &json!("2")));
        conversation.add(&answer("It is noon.", &[]));
        assert_eq!(roles(&mut conversation, "q").as_deref(), Some("user assistant tool tool assistant user"));
    }
}
