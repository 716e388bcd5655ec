//! Kimi K2: a section of calls, each with an id that holds the tool's name and a running number.
//!
//! ```text
//! <|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{"city": "Oslo"}<|tool_call_end|><|tool_calls_section_end|>
//! ```

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Regex, Part::Text, Pattern};
use super::super::ids::IdForm;
use super::super::name_then_json::NameThenJsonForm;
use super::super::reader::Form;
use super::super::tool_call_format::{Place, Spec, StartMarker};

static FORM: Form = Form::NameThenJson(NameThenJsonForm {
    name_ends: &["<|tool_call_argument_begin|>"],
    split: |head| {
        let name = head.strip_prefix("functions.").unwrap_or(head);
        (name.rsplit_once(':').map_or(name, |(name, _)| name), Some(head))
    },
    kind: None,
    open: "<|tool_call_begin|>",
    close: Some("<|tool_call_end|>"),
    code: None,
    user: None,
});

pub static SPEC: Spec = Spec {
    name: "kimi-k2",
    template_markers: &[
        TemplateMarker::All(&["<|tool_calls_section_begin|>"]),
        TemplateMarker::All(&["<|tool_call_argument_begin|>"]),
    ],
    tokens: &["<|tool_calls_section_begin|>"],
    start_markers: &[StartMarker::strong("<|tool_call_begin|>", &FORM)],
    ornaments: &[("<|tool_calls_section_begin|>", Place::Anywhere), ("<|tool_calls_section_end|>", Place::Anywhere)],
    inner: &["<|tool_call_argument_begin|>", "<|tool_call_end|>"],
    ids: IdForm::Counted,
    trigger: Some("<|tool_calls_section_begin|>"),
    patterns: &[(
        None,
        Pattern {
            lead: &[Text("<|tool_calls_section_begin|>")],
            before: &[Text("<|tool_call_begin|>"), Text("functions.")],
            between: &[Text(":"), Regex("[0-9]{1,4}"), Text("<|tool_call_argument_begin|>")],
            arguments: Arguments::Json,
            after: &[Text("<|tool_call_end|>")],
            separator: &[],
            tail: &[Text("<|tool_calls_section_end|>")],
        },
    )],
    ..Spec::PLAIN
};
