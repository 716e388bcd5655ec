//! Apertus: an array of objects between tokens, in which each tool's name is the key of its arguments.
//!
//! ```text
//! <|tools_prefix|>[{"get_weather": {"city": "Oslo"}}, {"now": {}}]<|tools_suffix|>
//! ```

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Text, Pattern};
use super::super::json_object::JsonObjectForm;
use super::super::reader::Form;
use super::super::tool_call_format::{Spec, StartMarker};

static FORM: Form = Form::JsonObject(JsonObjectForm {
    name: None,
    arguments: &[],
    id: None,
    open: "<|tools_prefix|>",
    close: Some("<|tools_suffix|>"),
    separator: None,
});

pub static SPEC: Spec = Spec {
    name: "apertus",
    template_markers: &[TemplateMarker::All(&["<|tools_prefix|>"])],
    tokens: &["<|tools_prefix|>", "<|tools_suffix|>"],
    start_markers: &[StartMarker::strong("<|tools_prefix|>", &FORM)],
    inner: &["<|tools_suffix|>"],
    trigger: Some("<|tools_prefix|>"),
    patterns: &[(
        None,
        Pattern {
            lead: &[Text("<|tools_prefix|>"), Text("[")],
            before: &[Text("{\"")],
            between: &[Text("\": ")],
            arguments: Arguments::Json,
            after: &[Text("}")],
            separator: &[Text(", ")],
            tail: &[Text("]"), Text("<|tools_suffix|>")],
        },
    )],
    ..Spec::PLAIN
};
