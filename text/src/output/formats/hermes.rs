//! Hermes: each call a JSON object between tags.
//!
//! ```text
//! <tool_call>
//! {"name": "get_weather", "arguments": {"city": "Oslo"}}
//! </tool_call>
//! ```

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Text, Pattern};
use super::super::json_object::JsonObjectForm;
use super::super::reader::Form;
use super::super::tool_call_format::{Spec, StartMarker};

static FORM: Form = Form::JsonObject(JsonObjectForm {
    name: Some("name"),
    arguments: &["arguments", "parameters"],
    id: Some("id"),
    open: "<tool_call>",
    close: Some("</tool_call>"),
    separator: None,
});

pub static SPEC: Spec = Spec {
    name: "hermes",
    template_markers: &[
        TemplateMarker::Near(40, &["<tool_call>", "{\"name\""]),
        TemplateMarker::Near(40, &["<tool_call>", "{\"arguments\""]),
        TemplateMarker::Near(40, &["<tool_call>", "{'name'"]),
        TemplateMarker::Near(40, &["<tool_call>", "{'arguments'"]),
        TemplateMarker::Near(160, &["<tool_call>", "\"name\"", "</tool_call>"]),
        TemplateMarker::Near(160, &["<tool_call>", "tojson", "</tool_call>"]),
        TemplateMarker::Near(160, &["<tool_call></tool_call>", "<tools>"]),
    ],
    tokens: &["<tool_call>", "</tool_call>"],
    start_markers: &[StartMarker::strong("<tool_call>", &FORM)],
    inner: &["</tool_call>"],
    trigger: Some("<tool_call>"),
    patterns: &[(
        None,
        Pattern {
            lead: &[],
            before: &[Text("<tool_call>"), Text("\n{\"name\": \"")],
            between: &[Text("\", \"arguments\": ")],
            arguments: Arguments::Json,
            after: &[Text("}\n"), Text("</tool_call>")],
            separator: &[Text("\n")],
            tail: &[],
        },
    )],
    ..Spec::PLAIN
};
