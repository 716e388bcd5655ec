//! Tool calls and their results in a history: arguments in the form that a template takes, results joined to their calls.

use serde_json::{Map, Value as Json, json};

use super::TemplateError;
use super::capabilities::Capabilities;
use super::origin;
use crate::text::output::Dialect;

/// The calls of a conversation so far.
pub(super) struct CallIds<'a> {
    known: &'a Capabilities,
    /// In which calls are written into the content, where the template leaves that to it.
    written: Option<Dialect>,
    /// What stands around the engine's own words where it writes calls.
    own_mark: Option<char>,
    calls: Vec<Call>,
}

struct Call {
    /// The id in the request.
    given: String,
    /// The id in the prompt.
    shown: String,
    name: String,
    answered: bool,
}

impl<'a> CallIds<'a> {
    pub fn new(known: &'a Capabilities, dialect: Option<Dialect>, messages: &[Json]) -> Self {
        let written = dialect.filter(|_| !known.calls);
        Self { known, written, own_mark: written.and_then(|_| origin::own_mark(messages)), calls: Vec::new() }
    }

    /// Brings an assistant message's calls into the template's form: arguments that are valid JSON texts become objects (or objects
    /// texts, where the template wants that), a call without an id gets one, and ids have nine letters or digits where the template
    /// insists.
    pub fn calls(&mut self, at: usize, message: &mut Map<String, Json>) -> Result<(), TemplateError> {
        let wrong = |why| TemplateError::Message { at, why };
        let calls = match message.get_mut("tool_calls") {
            None | Some(Json::Null) => return Ok(()),
            Some(Json::Array(calls)) if calls.is_empty() => {
                // Some templates take an empty list for calls.
                message.remove("tool_calls");
                return Ok(());
            }
            Some(Json::Array(calls)) => calls,
            Some(_) => return Err(wrong("its tool_calls are no list")),
        };
        if !self.known.calls && self.written.is_none() {
            return Err(TemplateError::Unsupported("tool calls"));
        }
        let mut pairs = Vec::new();
        for call in calls {
            let function = call.get_mut("function").and_then(Json::as_object_mut);
            let function = function.ok_or_else(|| wrong("one of its tool calls has no function"))?;
            let name = function.get("name").and_then(Json::as_str).map(str::to_owned);
            let name = name.ok_or_else(|| wrong("one of its tool calls has no name"))?;
            let arguments = function.remove("arguments").filter(|arguments| !arguments.is_null());
            let arguments = arguments.unwrap_or_else(|| json!({}));
            let arguments = self.arguments(arguments);
            pairs.extend(self.written.map(|_| (name.clone(), arguments.clone())));
            function.insert("arguments".into(), arguments);
            let given = call.get("id").and_then(Json::as_str).map(str::to_owned);
            let given = given.unwrap_or_else(|| format!("call{:05}", self.calls.len() + 1));
            let shown = if self.known.nine_letter_ids { nine_letters(&given) } else { given.clone() };
            call["id"] = json!(shown);
            if call.get("type").is_none() {
                call["type"] = json!("function");
            }
            self.calls.push(Call { given, shown, name, answered: false });
        }
        if let Some(dialect) = self.written {
            let text = dialect.written(&pairs, self.own_mark).ok_or(TemplateError::Unsupported("tool calls"))?;
            message.remove("tool_calls");
            append(message, text);
        }
        Ok(())
    }

    fn arguments(&self, arguments: Json) -> Json {
        match arguments {
            Json::String(text) if !self.known.text_arguments => match serde_json::from_str(&text) {
                Ok(object @ Json::Object(_)) => object,
                _ if text.trim().is_empty() => json!({}),
                _ => Json::String(text),
            },
            Json::Object(_) if self.known.text_arguments => json!(arguments.to_string()),
            other => other,
        }
    }

    /// Joins a result to its call: by its id, or to the oldest call without a result where it names none. A name that is missing is
    /// the call's.
    pub fn result(&mut self, at: usize, message: &mut Map<String, Json>) -> Result<(), TemplateError> {
        let id = message.get("tool_call_id").and_then(Json::as_str);
        // Ids may come again in a long conversation: the last call counts.
        let call = match id {
            Some(id) => self.calls.iter_mut().rev().find(|call| call.given == id),
            None => self.calls.iter_mut().find(|call| !call.answered),
        };
        let call = call.ok_or_else(|| TemplateError::ToolResult { at, id: id.map(str::to_owned) })?;
        if !self.known.results {
            return Err(TemplateError::Unsupported("tool results"));
        }
        call.answered = true;
        message.insert("tool_call_id".into(), json!(call.shown));
        if message.get("name").is_none_or(Json::is_null) {
            message.insert("name".into(), json!(call.name));
        }
        Ok(())
    }
}

/// Puts a text, on a line of its own, behind a message's content.
fn append(message: &mut Map<String, Json>, text: String) {
    let content = match message.remove("content") {
        Some(Json::String(content)) if !content.is_empty() => json!(format!("{content}\n{text}")),
        Some(Json::Array(mut parts)) if !parts.is_empty() => {
            parts.push(json!({"type": "text", "text": format!("\n{text}")}));
            json!(parts)
        }
        _ => json!(text),
    };
    message.insert("content".into(), content);
}

/// For templates that know only one call a message: each call in a message of its own, followed by its result. What else the
/// message has stays with the first call.
pub(super) fn one_by_one(messages: Vec<Map<String, Json>>) -> Vec<Map<String, Json>> {
    let mut split: Vec<Map<String, Json>> = Vec::with_capacity(messages.len());
    let mut messages = messages.into_iter().peekable();
    while let Some(mut message) = messages.next() {
        let calls = match message.get_mut("tool_calls") {
            Some(Json::Array(calls)) if calls.len() > 1 => std::mem::take(calls),
            _ => {
                split.push(message);
                continue;
            }
        };
        let is_result = |message: &Map<String, Json>| message.get("role").is_some_and(|role| role == "tool");
        let mut results = Vec::new();
        while let Some(result) = messages.next_if(is_result) {
            results.push(result);
        }
        for call in calls {
            let answers = |result: &Map<String, Json>| result.get("tool_call_id") == call.get("id");
            let (own, others): (Vec<_>, Vec<_>) = results.into_iter().partition(answers);
            results = others;
            let only = Json::Array(vec![call]);
            let next = [
                ("role".to_owned(), json!("assistant")),
                ("content".to_owned(), json!("")),
                ("tool_calls".to_owned(), json!([])),
            ];
            let mut carrier = std::mem::replace(&mut message, next.into_iter().collect());
            carrier.insert("tool_calls".into(), only);
            split.push(carrier);
            split.extend(own);
        }
        split.extend(results);
    }
    split
}

/// The id itself if it has nine letters or digits; else nine that follow from it.
fn nine_letters(id: &str) -> String {
    if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return id.to_owned();
    }
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    // FNV-1a, which spreads even ids that differ in one digit.
    let mut hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (0..9)
        .map(|_| {
            let digit = usize::try_from(hash % 62).unwrap_or(0);
            hash /= 62;
            char::from(DIGITS[digit])
        })
        .collect()
}
