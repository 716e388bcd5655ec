//! Command: a JSON array of actions. Command R writes it into a fence, Command R7B and A between tokens.
//!
//! ````text
//! Action: ```json
//! [{"tool_name": "get_weather", "parameters": {"city": "Oslo"}}]```
//! <|START_ACTION|>[{"tool_call_id": "0", "tool_name": "get_weather", "parameters": {"city": "Oslo"}}]<|END_ACTION|>
//! ````

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Regex, Part::Text, Pattern};
use super::super::json_object::JsonObjectForm;
use super::super::reader::Form;
use super::super::tool_call_format::{Place, Spec, StartMarker};

const fn actions(open: &'static str, close: &'static str) -> Form {
    Form::JsonObject(JsonObjectForm {
        name: Some("tool_name"),
        arguments: &["parameters"],
        id: Some("tool_call_id"),
        open,
        close: Some(close),
        separator: None,
    })
}

static FENCED: Form = actions("Action: ```json", "```");
static TOKENS: Form = actions("<|START_ACTION|>", "<|END_ACTION|>");

/// A fence behind `Action:`, on the same line or, as Command R+'s template writes it, on the next.
const fn fence(text: &'static str) -> StartMarker {
    StartMarker { text, form: &FENCED, place: Place::Line, weak: false, keep: false }
}

pub static SPEC_R: Spec = Spec {
    name: "command-r",
    template_markers: &[TemplateMarker::All(&["Action:", "```json", "tool_name"])],
    start_markers: &[
        fence("Action: ```json"),
        fence("Action:\n```json"),
        fence("Action:```json"),
        fence("Action: \n```json"),
    ],
    trigger: Some("Action: ```json"),
    patterns: &[(
        None,
        Pattern {
            lead: &[Text("Action: ```json"), Text("\n[\n")],
            before: &[Text("    {\n        \"tool_name\": \"")],
            between: &[Text("\",\n        \"parameters\": ")],
            arguments: Arguments::Json,
            after: &[Text("\n    }")],
            separator: &[Text(",\n")],
            tail: &[Text("\n]```")],
        },
    )],
    ..Spec::PLAIN
};

pub static SPEC_R7B: Spec = Spec {
    name: "command-r7b",
    template_markers: &[
        TemplateMarker::All(&["<|START_ACTION|>", "<|END_ACTION|>"]),
        TemplateMarker::All(&["<|START_ACTION|>"]),
    ],
    tokens: &["<|START_ACTION|>"],
    start_markers: &[StartMarker::strong("<|START_ACTION|>", &TOKENS)],
    ornaments: &[
        ("<|START_RESPONSE|>", Place::Anywhere),
        ("<|END_RESPONSE|>", Place::Anywhere),
        ("<|START_TEXT|>", Place::Anywhere),
        ("<|END_TEXT|>", Place::Anywhere),
    ],
    inner: &["<|END_ACTION|>"],
    trigger: Some("<|START_ACTION|>"),
    patterns: &[(
        None,
        Pattern {
            lead: &[Text("<|START_ACTION|>"), Text("[\n")],
            before: &[Text("    {\"tool_call_id\": \""), Regex("[0-9]{1,4}"), Text("\", \"tool_name\": \"")],
            between: &[Text("\", \"parameters\": ")],
            arguments: Arguments::Json,
            after: &[Text("}")],
            separator: &[Text(",\n")],
            tail: &[Text("\n]"), Text("<|END_ACTION|>")],
        },
    )],
    ..Spec::PLAIN
};
