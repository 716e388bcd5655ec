//! Gemma 2 and 3: calls as Python, in a fenced block.
//!
//! ````text
//! ```tool_code
//! get_weather(city="Oslo")
//! ```
//! ````
//!
//! A `print(…)` around a call and the prefix `default_api.` are taken away.

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Text, Pattern};
use super::super::python::PythonForm;
use super::super::reader::Form;
use super::super::tool_call_format::{Spec, StartMarker};

static FORM: Form = Form::Python(PythonForm {
    open: "```tool_code",
    close: Some("```"),
    name: |name| name.strip_prefix("default_api.").unwrap_or(name),
    code: None,
});

pub static SPEC: Spec = Spec {
    name: "gemma",
    template_markers: &[TemplateMarker::All(&["```tool_code"])],
    start_markers: &[StartMarker::strong("```tool_code", &FORM)],
    trigger: Some("```tool_code"),
    patterns: &[(
        None,
        Pattern {
            lead: &[Text("```tool_code"), Text("\n")],
            before: &[],
            between: &[Text("(")],
            arguments: Arguments::Python,
            after: &[Text(")\n")],
            separator: &[],
            tail: &[Text("```")],
        },
    )],
    ..Spec::PLAIN
};
