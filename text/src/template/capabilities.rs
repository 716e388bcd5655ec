//! What a template can take, found by trying: each question is a small conversation that carries a mark, and the answer is whether
//! the mark comes out.

use serde_json::{Value as Json, json};

use super::thoughts::{self, ThoughtPlace};
use super::{ChatTemplate, TemplateInput};

/// What the questions carry. Nine letters, since Mistral's templates want call ids of that length.
const MARK: &str = "markmark1";
const OTHER: &str = "othermk22";
const RESULT: &str = "resultof1";

/// Steps that one question may take; a template that takes more has no answer.
pub(super) const STEPS: u64 = 100_000;

/// What a template can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Content that is a text.
    pub text: bool,
    /// Content that is a list of parts.
    pub parts: bool,
    /// Kinds of parts, beside text, that leave something in the prompt: `image`, `image_url`, `audio`, `input_audio`, `video`.
    pub media: Vec<&'static str>,
    /// A system message; where it is refused or left out, its text goes to the first user message.
    pub system: bool,
    /// Several system messages at the beginning.
    pub several_systems: bool,
    /// The role `developer`.
    pub developer: bool,
    /// The roles of which several messages may follow each other: `user`, `assistant`.
    pub neighbours: Vec<&'static str>,
    /// Where it reads what an assistant's message thought, if anywhere.
    pub thoughts: Option<ThoughtPlace>,
    /// Descriptions of tools.
    pub tools: bool,
    /// Calls of tools in the history.
    pub calls: bool,
    /// Several calls in a message.
    pub parallel_calls: bool,
    /// Results of tools.
    pub results: bool,
    /// Call messages without content, which transformers' users have; else their content is an empty text.
    pub calls_without_content: bool,
    /// Arguments as JSON text and not as an object.
    pub text_arguments: bool,
    /// Whether call ids must have nine letters or digits.
    pub nine_letter_ids: bool,
}

impl Capabilities {
    /// Finds out. Takes well under a millisecond with usual templates. A template that answers nothing is given everything as it is.
    pub(super) fn probe(template: &ChatTemplate) -> Self {
        Asking::new(template).map_or_else(Self::all, |asking| asking.all())
    }

    /// Everything, as it comes.
    fn all() -> Self {
        Self {
            text: true,
            parts: true,
            media: KINDS.to_vec(),
            system: true,
            several_systems: true,
            developer: true,
            neighbours: ROLES.to_vec(),
            thoughts: None,
            tools: true,
            calls: true,
            parallel_calls: true,
            results: true,
            calls_without_content: true,
            text_arguments: false,
            nine_letter_ids: false,
        }
    }
}

/// Roles that speak several times in a row in some conversations.
const ROLES: [&str; 2] = ["user", "assistant"];

/// Kinds of parts beside text.
const KINDS: [&str; 5] = ["image", "image_url", "audio", "input_audio", "video"];

/// A setting in which a template answers.
struct Asking<'a> {
    template: &'a ChatTemplate,
    tools: Option<Json>,
    documents: Option<Json>,
    /// Whether content may be a text.
    text: bool,
}

impl<'a> Asking<'a> {
    /// The first setting in which the template answers: some do so only where there are tools or documents.
    fn new(template: &'a ChatTemplate) -> Option<Self> {
        let settings =
            [(None, None), (Some(tool("f")), None), (None, Some(json!([{"title": "t", "text": "d", "doc_id": "1"}])))];
        settings.into_iter().find_map(|(tools, documents)| {
            let mut asking = Asking { template, tools, documents, text: true };
            asking.text = asking.says(&[user(json!(MARK))]);
            (asking.text || asking.says(&[user(parts(MARK))])).then_some(asking)
        })
    }

    /// Content in a form that the template takes.
    fn content(&self, text: &str) -> Json {
        if self.text { json!(text) } else { parts(text) }
    }

    /// The prompt for a question, if the template has one.
    fn ask(&self, messages: &[Json]) -> Option<String> {
        let list = |json: &'_ Option<Json>| json.as_ref().and_then(Json::as_array).cloned();
        let (tools, documents) = (list(&self.tools), list(&self.documents));
        let input = TemplateInput {
            messages,
            tools: tools.as_deref(),
            documents: documents.as_deref(),
            add_generation_prompt: true,
            bos_token: "<s>",
            eos_token: "</s>",
            local_time: Some(0),
            ..TemplateInput::default()
        };
        self.template.answer(&input, Some(STEPS)).ok()
    }

    fn says(&self, messages: &[Json]) -> bool {
        self.ask(messages).is_some_and(|text| shows(&text, MARK))
    }

    /// All questions.
    fn all(&self) -> Capabilities {
        let first = user(self.content("x"));
        let with = |role: &str| self.says(&[json!({"role": role, "content": self.content(MARK)}), first.clone()]);
        let offering = Asking { tools: Some(tool(MARK)), documents: self.documents.clone(), ..*self };
        let calls = Calls { asking: self, first: &first };
        let object = calls.shows(&calls.messages(json!({"a": "v"}), MARK, Some("")), MARK);
        let as_text = || calls.shows(&calls.messages(json!("{\"a\": \"v\"}"), MARK, Some("")), MARK);
        let text_arguments = !object && as_text();
        let arguments = if text_arguments { json!("{\"a\": \"v\"}") } else { json!({"a": "v"}) };
        let has_calls = object || text_arguments;
        Capabilities {
            text: self.text,
            parts: self.says(&[user(parts(MARK))]),
            media: self.media(),
            system: with("system"),
            several_systems: self.both_shown(&[
                self.message("system", OTHER),
                self.message("system", MARK),
                first.clone(),
            ]),
            developer: self.template.source().contains("developer") && with("developer"),
            neighbours: ROLES.into_iter().filter(|role| self.takes_neighbours(role)).collect(),
            thoughts: self.thoughts(&calls, &arguments),
            tools: offering.ask(std::slice::from_ref(&first)).is_some_and(|text| text.contains(MARK)),
            calls: has_calls,
            parallel_calls: has_calls && calls.shows(&calls.parallel(&arguments), OTHER),
            results: calls.shows(&calls.messages(arguments.clone(), MARK, Some("")), RESULT),
            calls_without_content: has_calls && calls.shows(&calls.messages(arguments.clone(), MARK, None), MARK),
            text_arguments,
            nine_letter_ids: has_calls && !calls.shows(&calls.with_id(&arguments, "call_long-id_000000000001"), MARK),
        }
    }

    fn message(&self, role: &str, text: &str) -> Json {
        json!({"role": role, "content": self.content(text)})
    }

    fn both_shown(&self, messages: &[Json]) -> bool {
        self.ask(messages).is_some_and(|text| shows(&text, MARK) && text.contains(OTHER))
    }

    /// Whether two messages of a role may follow each other.
    fn takes_neighbours(&self, role: &str) -> bool {
        let others = ROLES.map(|role| self.message(role, "x"));
        let run = [self.message(role, OTHER), self.message(role, MARK)];
        let messages: Vec<Json> = match role {
            "user" => run.into_iter().chain(others.into_iter().rev()).collect(),
            _ => others[..1].iter().cloned().chain(run).chain(others[..1].iter().cloned()).collect(),
        };
        self.both_shown(&messages)
    }

    /// The place of thoughts that come out in some conversation: many templates show them only where tools were called since the last
    /// question, or at the end.
    fn thoughts(&self, calls: &Calls<'_>, arguments: &Json) -> Option<ThoughtPlace> {
        let first = calls.first;
        let settings = [
            vec![first.clone(), self.message("assistant", "y"), first.clone()],
            vec![first.clone(), self.message("assistant", "y")],
            calls.messages(arguments.clone(), "f", Some(""))[..3].to_vec(),
        ];
        ThoughtPlace::ALL.into_iter().find(|place| {
            settings.iter().any(|messages| {
                let mut messages = messages.clone();
                let Some(assistant) = messages[1].as_object_mut() else { return false };
                assistant.insert("reasoning_content".into(), json!(MARK));
                place.put(assistant).is_ok() && self.ask(&messages).is_some_and(|text| shows_thought(&text))
            })
        })
    }

    /// The kinds of parts that change the prompt.
    fn media(&self) -> Vec<&'static str> {
        let with = |kind: Option<&str>| {
            let mut parts = vec![json!({"type": "text", "text": MARK})];
            parts.extend(kind.map(|kind| json!({"type": kind, kind: "x"})));
            self.ask(&[user(json!(parts))]).filter(|text| shows(text, MARK) && !text.contains("{'type'"))
        };
        let Some(plain) = with(None) else { return Vec::new() };
        KINDS.into_iter().filter(|kind| with(Some(kind)).is_some_and(|text| text != plain)).collect()
    }
}

/// A text as the only part of a content.
fn parts(text: &str) -> Json {
    json!([{"type": "text", "text": text}])
}

fn user(content: Json) -> Json {
    json!({"role": "user", "content": content})
}

fn tool(name: &str) -> Json {
    let parameters =
        json!({"type": "object", "properties": {"a": {"type": "string", "description": "d"}}, "required": ["a"]});
    json!([{"type": "function", "function": {"name": name, "description": "d", "parameters": parameters}}])
}

/// Whether a mark came out, and not as part of a list that was printed as Python prints it.
fn shows(text: &str, mark: &str) -> bool {
    text.contains(mark) && !text.contains("'type': 'text'") && !text.contains("\"type\": \"text\"")
}

/// Whether a thought came out, and not within a part that was printed as Python or JSON prints it.
fn shows_thought(text: &str) -> bool {
    let is_printed =
        |kind: &&str| text.contains(&format!("'type': '{kind}'")) || text.contains(&format!("\"type\": \"{kind}\""));
    shows(text, MARK) && !thoughts::KINDS.iter().any(is_printed)
}

/// Questions about calls.
struct Calls<'a> {
    asking: &'a Asking<'a>,
    first: &'a Json,
}

impl Calls<'_> {
    fn shows(&self, messages: &[Json], mark: &str) -> bool {
        // An object that was printed as Python prints it was not understood.
        self.asking.ask(messages).is_some_and(|text| text.contains(mark) && !text.contains("{'a'"))
    }

    fn messages(&self, arguments: Json, name: &str, content: Option<&str>) -> Vec<Json> {
        let mut assistant = json!({"role": "assistant", "tool_calls": [call("abcdef123", name, arguments)]});
        if let Some(content) = content {
            assistant["content"] = json!(content);
        }
        vec![
            self.first.clone(),
            assistant,
            result("abcdef123", name),
            json!({"role": "assistant", "content": "y"}),
            self.first.clone(),
        ]
    }

    fn parallel(&self, arguments: &Json) -> Vec<Json> {
        let mut messages = self.messages(arguments.clone(), MARK, Some(""));
        messages[1]["tool_calls"] =
            json!([call("abcdef123", MARK, arguments.clone()), call("abcdef456", OTHER, arguments.clone()),]);
        messages.insert(3, result("abcdef456", OTHER));
        messages
    }

    fn with_id(&self, arguments: &Json, id: &str) -> Vec<Json> {
        let mut messages = self.messages(arguments.clone(), MARK, Some(""));
        messages[1]["tool_calls"][0]["id"] = json!(id);
        messages[2]["tool_call_id"] = json!(id);
        messages
    }
}

fn call(id: &str, name: &str, arguments: Json) -> Json {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn result(id: &str, name: &str) -> Json {
    json!({"role": "tool", "tool_call_id": id, "name": name, "content": RESULT})
}
