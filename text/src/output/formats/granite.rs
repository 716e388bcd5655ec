//! Granite 3 and Phi-4-mini: a JSON array behind a token. Phi closes it with another one, Granite does not.
//!
//! ```text
//! <|tool_call|>[{"name": "get_weather", "arguments": {"city": "Oslo"}}]
//! <|tool_call|>[{"name": "get_weather", "arguments": {"city": "Oslo"}}]<|/tool_call|>
//! ```

use super::super::detect::TemplateMarker;
use super::super::grammar::{Part::Text, Pattern};
use super::super::json_object::JsonObjectForm;
use super::super::reader::Form;
use super::super::tool_call_format::{Place, Spec, StartMarker};

static FORM: Form = Form::JsonObject(JsonObjectForm {
    name: Some("name"),
    arguments: &["arguments", "parameters"],
    id: None,
    open: "<|tool_call|>",
    close: None,
    separator: None,
});

pub static SPEC: Spec = Spec {
    name: "granite",
    template_markers: &[TemplateMarker::All(&["<|tool_call|>"]), TemplateMarker::All(&["<|tool|>", "<|/tool|>"])],
    tokens: &["<|tool_call|>"],
    start_markers: &[StartMarker::strong("<|tool_call|>", &FORM)],
    ornaments: &[("<|/tool_call|>", Place::Start)],
    trigger: Some("<|tool_call|>"),
    patterns: &[(None, Pattern { lead: &[Text("<|tool_call|>"), Text("[")], ..Pattern::JSON_LIST })],
    ..Spec::PLAIN
};
