//! Solar Open: a section of calls between tokens, each with an id.
//!
//! ```text
//! <|tool_calls|><|tool_call:begin|>a1b2c3d4e5<|tool_call:name|>get_weather<|tool_call:args|>{"city": "Oslo"}<|tool_call:end|><|calls|>
//! ```

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Optional, Part::Regex, Part::Text, Pattern};
use super::super::name_then_json::NameThenJsonForm;
use super::super::reader::Form;
use super::super::tool_call_format::{Place, Spec, StartMarker};

static FORM: Form = Form::NameThenJson(NameThenJsonForm {
    name_ends: &["<|tool_call:args|>"],
    split: |head| match head.split_once("<|tool_call:name|>") {
        Some((id, name)) => (name, Some(id)),
        None => (head, None),
    },
    kind: None,
    open: "<|tool_call:begin|>",
    close: Some("<|tool_call:end|>"),
    code: None,
    user: None,
});

pub static SPEC: Spec = Spec {
    name: "solar-open",
    template_markers: &[TemplateMarker::All(&["<|tool_call:begin|>"])],
    tokens: &["<|tool_call:begin|>", "<|tool_call:end|>"],
    start_markers: &[StartMarker::strong("<|tool_call:begin|>", &FORM)],
    ornaments: &[
        ("<|begin|>assistant", Place::Anywhere),
        ("<|content|>", Place::Anywhere),
        ("<|end|>", Place::Anywhere),
        ("<|tool_calls|>", Place::Anywhere),
        ("<|calls|>", Place::Anywhere),
        ("<|flush|>", Place::Anywhere),
    ],
    inner: &["<|tool_call:name|>", "<|tool_call:args|>", "<|tool_call:end|>"],
    trigger: Some("<|tool_calls|>"),
    patterns: &[(
        None,
        Pattern {
            lead: &[Optional(&[Text("<|begin|>"), Text("assistant")]), Text("<|tool_calls|>")],
            before: &[Text("<|tool_call:begin|>"), Regex("[a-z0-9]{10}"), Text("<|tool_call:name|>")],
            between: &[Text("<|tool_call:args|>")],
            arguments: Arguments::Json,
            after: &[Text("<|tool_call:end|>")],
            separator: &[],
            tail: &[Text("<|calls|>")],
        },
    )],
    ..Spec::PLAIN
};
