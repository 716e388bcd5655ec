//! LFM2: a Python list of calls between tokens.
//!
//! ```text
//! <|tool_call_start|>[get_weather(city="Oslo", days=3)]<|tool_call_end|>
//! ```

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Text, Pattern};
use super::super::python::PythonForm;
use super::super::reader::Form;
use super::super::tool_call_format::{Spec, StartMarker};

static FORM: Form = Form::Python(PythonForm {
    open: "<|tool_call_start|>",
    close: Some("<|tool_call_end|>"),
    name: |name| name,
    code: None,
});

pub static SPEC: Spec = Spec {
    name: "lfm2",
    template_markers: &[TemplateMarker::All(&["<|tool_call_start|>"]), TemplateMarker::All(&["<|tool_list_start|>"])],
    tokens: &["<|tool_call_start|>", "<|tool_call_end|>"],
    start_markers: &[StartMarker::strong("<|tool_call_start|>", &FORM)],
    inner: &["<|tool_call_end|>"],
    trigger: Some("<|tool_call_start|>"),
    patterns: &[(
        None,
        Pattern {
            lead: &[Text("<|tool_call_start|>"), Text("[")],
            before: &[],
            between: &[Text("(")],
            arguments: Arguments::Python,
            after: &[Text(")")],
            separator: &[Text(", ")],
            tail: &[Text("]"), Text("<|tool_call_end|>")],
        },
    )],
    ..Spec::PLAIN
};
