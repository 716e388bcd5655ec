//! firefunction v2: a JSON array behind a word.
//!
//! ```text
//!  functools[{"name": "get_weather", "arguments": {"city": "Oslo"}}]
//! ```
//!
//! The word is ordinary text unless an array follows that calls an offered tool.

use super::super::detect::TemplateMarker;
use super::super::grammar::{Part::Text, Pattern};
use super::super::json_object::JsonObjectForm;
use super::super::reader::Form;
use super::super::tool_call_format::{Place, Spec, StartMarker};

static FORM: Form = Form::JsonObject(JsonObjectForm {
    name: Some("name"),
    arguments: &["arguments", "parameters"],
    id: None,
    open: "functools",
    close: None,
    separator: None,
});

pub static SPEC: Spec = Spec {
    name: "firefunction",
    template_markers: &[TemplateMarker::All(&[" functools["])],
    start_markers: &[StartMarker { text: "functools", form: &FORM, place: Place::Anywhere, weak: true, keep: false }],
    trigger: Some("functools["),
    patterns: &[(None, Pattern { lead: &[Text(" "), Text("functools[")], ..Pattern::JSON_LIST })],
    ..Spec::PLAIN
};
