//! Tool calls and their results in a history: arguments in the form that a template takes, results joined to their calls.

use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};

use super::TemplateError;
use super::capabilities::Capabilities;
use super::origin;
use crate::output::ToolCallFormat;

/// The calls of a conversation so far.
pub(super) struct CallIds<'a> {
    known: &'a Capabilities,
    /// In which calls are written into the content, where the template leaves that to it.
    content_format: Option<ToolCallFormat>,
    /// What stands around the engine's own words where it writes calls.
    own_mark: Option<char>,
    calls: Vec<Call>,
    /// The ids in the request, and those that were made beside them.
    taken: HashSet<String>,
}

struct Call {
    /// The place of its message.
    at: usize,
    /// The id in the request.
    given: String,
    /// The id in the prompt.
    shown: String,
    name: String,
    answered: bool,
}

impl<'a> CallIds<'a> {
    pub fn new(known: &'a Capabilities, tool_call_format: Option<ToolCallFormat>, messages: &[Json]) -> Self {
        let content_format = tool_call_format.filter(|_| !known.calls);
        let calls = messages.iter().filter_map(|message| message["tool_calls"].as_array()).flatten();
        let given = calls.map(|call| &call["id"]).chain(messages.iter().map(|message| &message["tool_call_id"]));
        let taken = given.filter_map(Json::as_str).map(str::to_owned).collect();
        Self {
            known,
            content_format,
            own_mark: content_format.and_then(|_| origin::own_mark(messages)),
            calls: Vec::new(),
            taken,
        }
    }

    /// Brings an assistant message's calls into the template's form: arguments that are valid JSON texts become objects (or objects
    /// texts, where the template wants that), a call without an id, or with that of a call beside it, gets one of its own, and ids
    /// have nine letters or digits where the template insists.
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
        if !self.known.calls && self.content_format.is_none() {
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
            pairs.extend(self.content_format.map(|_| (name.clone(), arguments.clone())));
            function.insert("arguments".into(), arguments);
            let given = set(call.get("id")).unwrap_or_else(|| self.new_id());
            let comes_again = self.calls.iter().any(|call| call.at == at && call.given == given);
            let shown = if comes_again { self.new_id() } else { given.clone() };
            let shown = if self.known.nine_letter_ids { nine_letters(&shown) } else { shown };
            call["id"] = json!(shown);
            if call.get("type").is_none() {
                call["type"] = json!("function");
            }
            self.calls.push(Call { at, given, shown, name, answered: false });
        }
        if let Some(format) = self.content_format {
            let text = format.render_calls(&pairs, self.own_mark).ok_or(TemplateError::Unsupported("tool calls"))?;
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

    /// An id that nothing in the request has.
    fn new_id(&mut self) -> String {
        let ids = (self.calls.len() + 1..).map(|number| format!("call{number:05}"));
        let id = ids.into_iter().find(|id| !self.taken.contains(id)).unwrap_or_default();
        self.taken.insert(id.clone());
        id
    }

    /// Joins a result to its call, see [`CallIds::answered_by`]. It gets the call's name, whatever name it has: where it names a call by
    /// its id, that counts.
    pub fn result(&mut self, at: usize, message: &mut Map<String, Json>) -> Result<(), TemplateError> {
        let (id, name) = (set(message.get("tool_call_id")), set(message.get("name")));
        let place = self.answered_by(id.as_deref(), name.as_deref());
        let place = place.ok_or(TemplateError::ToolResult { at, id, name })?;
        if !self.known.results {
            return Err(TemplateError::Unsupported("tool results"));
        }
        let call = &mut self.calls[place];
        call.answered = true;
        message.insert("tool_call_id".into(), json!(call.shown));
        message.insert("name".into(), json!(call.name));
        Ok(())
    }

    /// The call that a result answers. Ids may come again in a long conversation: of the latest message with this id, the first call
    /// without a result (the first of this name, if there is one), else the last call. A result without an id answers the first call
    /// of its name without a result, else the last of its name; one without either, the first call without a result.
    fn answered_by(&self, id: Option<&str>, name: Option<&str>) -> Option<usize> {
        let has_name = |call: &Call| name.is_none_or(|name| call.name == name);
        let Some(id) = id else {
            let open = self.calls.iter().position(|call| !call.answered && has_name(call));
            return open.or_else(|| name.and_then(|_| self.calls.iter().rposition(has_name)));
        };
        let last = self.calls.iter().rposition(|call| call.given == id)?;
        let is_open = |call: &Call| call.at == self.calls[last].at && call.given == id && !call.answered;
        let named = self.calls.iter().position(|call| is_open(call) && has_name(call));
        named.or_else(|| self.calls.iter().position(is_open)).or(Some(last))
    }
}

/// A text that is there and not empty: some servers give all of their calls the id "".
fn set(value: Option<&Json>) -> Option<String> {
    value.and_then(Json::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
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

#[cfg(test)]
mod tests {
    use super::super::ChatTemplate;
    use super::super::history::normalise;
    use super::*;

    const ALL_AT_ONCE: &str = include_str!("builtin/chatml.jinja");
    const ONE_BY_ONE: &str = "{% for m in messages %}{% if m.tool_calls %}{% if m.tool_calls | length > 1 %}\
        {{ raise_exception('one') }}{% endif %}{{ m.tool_calls[0].function.name }}\
        {{ m.tool_calls[0].function.arguments | tojson }}{% else %}{{ m.content }}{% endif %}{% endfor %}";

    fn call(id: Option<&str>, name: &str) -> Json {
        let mut call = json!({"type": "function", "function": {"name": name, "arguments": "{}"}});
        id.inspect(|id| call["id"] = json!(id));
        call
    }

    /// A result of the tool `of`, by which its content is known.
    fn result(of: &str, members: Json) -> Json {
        let mut message = json!({"role": "tool", "content": format!("R{of}")});
        message.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        message
    }

    /// For each result, the name that its call has, found by the id in the latest message that has it, and its content.
    fn joined(source: &str, calls: &[Json], results: &[Json]) -> Result<Vec<(String, String)>, TemplateError> {
        let mut messages = vec![json!({"role": "user", "content": "u"})];
        messages.push(json!({"role": "assistant", "tool_calls": calls}));
        messages.extend(results.iter().cloned());
        let normal = normalise(&messages, false, &ChatTemplate::new(source).unwrap(), None)?;
        let mut pairs = Vec::new();
        for (at, message) in normal.iter().enumerate().filter(|(_, message)| message["role"] == "tool") {
            let calls = normal[..at].iter().rev().find_map(|message| message["tool_calls"].as_array()).unwrap();
            let own: Vec<&Json> = calls.iter().filter(|call| call["id"] == message["tool_call_id"]).collect();
            assert_eq!(own.len(), 1, "{normal:?}");
            assert_eq!(message["name"], own[0]["function"]["name"]);
            pairs.push((message["name"].as_str().unwrap().into(), message["content"].as_str().unwrap().into()));
        }
        Ok(pairs)
    }

    #[test]
    fn results_join_the_calls_that_they_answer() {
        let (f, g) = (|id| call(id, "f"), |id| call(id, "g"));
        let by_id = |of: &str, id: &str| result(of, json!({"tool_call_id": id}));
        let by_name = |of: &str| result(of, json!({"name": of}));
        let old = |of: &str| result(of, json!({"role": "function", "name": of}));
        for source in [ALL_AT_ONCE, ONE_BY_ONE] {
            for (calls, results) in [
                ([f(Some("call_0")), g(Some("call_0"))], [by_id("f", "call_0"), by_id("g", "call_0")]),
                ([f(Some("")), g(Some(""))], [by_id("f", ""), by_id("g", "")]),
                ([f(None), g(None)], [result("f", json!({})), result("g", json!({}))]),
                ([f(None), g(None)], [by_name("g"), by_name("f")]),
                ([f(Some("a")), g(Some("b"))], [old("g"), old("f")]),
                ([f(Some("a")), g(Some("b"))], [by_id("g", "b"), by_id("f", "a")]),
                ([f(Some("call00002")), g(None)], [by_id("f", "call00002"), by_name("g")]),
                (
                    [f(Some("a")), g(Some("a"))],
                    [
                        result("g", json!({"tool_call_id": "a", "name": "g"})),
                        result("f", json!({"tool_call_id": "a", "name": "f"})),
                    ],
                ),
                // The id counts, and not another name.
                (
                    [f(Some("a")), g(Some("b"))],
                    [result("g", json!({"tool_call_id": "b", "name": "f"})), by_id("f", "a")],
                ),
            ] {
                let pairs = joined(source, &calls, &results).unwrap();
                assert_eq!(pairs.len(), 2);
                for (name, content) in pairs {
                    assert_eq!(content, format!("R{name}"), "{calls:?} {results:?}");
                }
            }
        }
    }

    #[test]
    fn a_result_of_a_tool_that_was_not_called_is_an_error_that_names_it() {
        let error = joined(ALL_AT_ONCE, &[call(None, "f")], &[result("h", json!({"name": "h"}))]).unwrap_err();
        assert_eq!(error, TemplateError::ToolResult { at: 2, id: None, name: Some("h".into()) });
        assert!(error.to_string().contains("\"h\""), "{error}");
    }

    #[test]
    fn an_id_that_comes_again_in_a_later_message_is_the_later_calls() {
        let assistant = |name: &str| json!({"role": "assistant", "tool_calls": [call(Some("a"), name)]});
        let messages = [assistant("f"), result("f", json!({"tool_call_id": "a"})), assistant("g")];
        let messages = [&messages[..], &[result("g", json!({"tool_call_id": "a"}))]].concat();
        let normal = normalise(&messages, false, &ChatTemplate::new(ALL_AT_ONCE).unwrap(), None).unwrap();
        assert_eq!((&normal[1]["name"], &normal[3]["name"]), (&json!("f"), &json!("g")));
    }
}
