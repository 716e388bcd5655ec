//! GigaChat 3: a message of the role `function call`, behind the answer's own.
//!
//! ```text
//! Let me look.<|message_sep|>
//!
//! function call<|role_sep|>
//! {"name": "get_weather", "arguments": {"city": "Oslo"}}<|message_sep|>
//! ```
//!
//! Later models write `<|function_call|>` in place of the role.

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Text, Pattern};
use super::super::json_object::JsonObjectForm;
use super::super::reader::Form;
use super::super::tool_call_format::{Place, Spec, StartMarker};

static FORM: Form = Form::JsonObject(JsonObjectForm {
    name: Some("name"),
    arguments: &["arguments", "parameters"],
    id: None,
    open: "function call<|role_sep|>",
    close: None,
    separator: None,
});

pub static SPEC: Spec = Spec {
    name: "gigachat3",
    template_markers: &[TemplateMarker::All(&["function call", "<|role_sep|>"])],
    start_markers: &[
        StartMarker::strong("function call<|role_sep|>", &FORM),
        StartMarker::strong("<|function_call|>", &FORM),
    ],
    ornaments: &[("<|message_sep|>", Place::Anywhere)],
    trigger: Some("<|role_sep|>"),
    patterns: &[(
        None,
        Pattern {
            lead: &[],
            before: &[
                Text("<|message_sep|>"),
                Text("\n\nfunction call"),
                Text("<|role_sep|>"),
                Text("\n{\"name\": \""),
            ],
            between: &[Text("\", \"arguments\": ")],
            arguments: Arguments::Json,
            after: &[Text("}")],
            separator: &[],
            tail: &[],
        },
    )],
    ..Spec::PLAIN
};
