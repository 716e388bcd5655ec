//! Nemotron Nano and Super: a JSON array between tags.
//!
//! ```text
//! <TOOLCALL>[{"name": "get_weather", "arguments": {"city": "Oslo"}}]</TOOLCALL>
//! ```

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Text, Pattern};
use super::super::json_object::JsonObjectForm;
use super::super::reader::Form;
use super::super::tool_call_format::{Spec, StartMarker};

static FORM: Form = Form::JsonObject(JsonObjectForm {
    name: Some("name"),
    arguments: &["arguments", "parameters"],
    id: None,
    open: "<TOOLCALL>",
    close: Some("</TOOLCALL>"),
    separator: None,
});

pub static SPEC: Spec = Spec {
    name: "nemotron",
    template_markers: &[TemplateMarker::All(&["<TOOLCALL>"])],
    start_markers: &[StartMarker::strong("<TOOLCALL>", &FORM)],
    inner: &["</TOOLCALL>"],
    trigger: Some("<TOOLCALL>"),
    patterns: &[(
        None,
        Pattern {
            lead: &[Text("<TOOLCALL>"), Text("[")],
            before: &[Text("{\"name\": \"")],
            between: &[Text("\", \"arguments\": ")],
            arguments: Arguments::Json,
            after: &[Text("}")],
            separator: &[Text(", ")],
            tail: &[Text("]"), Text("</TOOLCALL>")],
        },
    )],
    ..Spec::PLAIN
};
