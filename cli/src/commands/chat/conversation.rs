//! What was said so far, as the engine's messages.

use serde_json::{Value, json};

/// A system message, if there is one, and turns.
#[derive(Debug, Default)]
pub struct Conversation {
    system: Option<String>,
    turns: Vec<Value>,
}

impl Conversation {
    /// With nothing said yet.
    pub fn new(system: Option<String>) -> Conversation {
        Conversation { system, turns: Vec::new() }
    }

    /// The system message.
    pub fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// Forgets the turns, and keeps the system message.
    pub fn clear(&mut self) {
        self.turns.clear();
    }

    /// All messages, `question` at their end.
    pub fn with(&self, question: &str) -> Vec<Value> {
        let system = self.system.iter().map(|text| message("system", text));
        system.chain(self.turns.iter().cloned()).chain([message("user", question)]).collect()
    }

    /// Keeps a turn. One that was stopped before its first word is forgotten.
    pub fn add(&mut self, question: String, answer: &str) {
        if !answer.is_empty() {
            self.turns.push(message("user", &question));
            self.turns.push(message("assistant", answer));
        }
    }
}

fn message(role: &str, content: &str) -> Value {
    json!({ "role": role, "content": content })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(conversation: &Conversation) -> String {
        let messages = conversation.with("q");
        messages.iter().map(|message| message["role"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn turns_alternate_whatever_was_stopped() {
        let mut conversation = Conversation::new(Some("be brief".into()));
        conversation.add("one".into(), "1");
        conversation.add("two".into(), "");
        assert_eq!(roles(&conversation), "system user assistant user");
        conversation.clear();
        assert_eq!(roles(&conversation), "system user");
    }
}
