//! Mistral, in the three forms that its tokenizer versions brought.
//!
//! ```text
//! [TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Oslo"}, "id": "VvvODy9mT"}]
//! [TOOL_CALLS]get_weather[ARGS]{"city": "Oslo"}
//! [TOOL_CALLS]get_weather[CALL_ID]VvvODy9mT[ARGS]{"city": "Oslo"}
//! ```
//!
//! In the first form the id comes after the arguments, when the call has long been announced; it gets a new one of the same form.

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Text, Pattern};
use super::super::ids::IdForm;
use super::super::json_object::JsonObjectForm;
use super::super::name_then_json::NameThenJsonForm;
use super::super::reader::Form;
use super::super::tool_call_format::{Spec, StartMarker};

static FORM: Form = Form::JsonOr(
    JsonObjectForm {
        name: Some("name"),
        arguments: &["arguments", "parameters"],
        id: Some("id"),
        open: "[TOOL_CALLS]",
        close: None,
        separator: None,
    },
    &NAME_THEN_JSON,
);

static NAME_THEN_JSON: Form = Form::NameThenJson(NameThenJsonForm {
    // Before `[ARGS]` there was one version with nothing between name and arguments.
    name_ends: &["[ARGS]", "{"],
    split: |head| match head.split_once("[CALL_ID]") {
        Some((name, id)) => (name, Some(id)),
        None => (head, None),
    },
    kind: None,
    open: "[TOOL_CALLS]",
    close: None,
    code: None,
    user: None,
});

pub static SPEC: Spec = Spec {
    name: "mistral",
    template_markers: &[TemplateMarker::All(&["[TOOL_CALLS]"])],
    tokens: &["[TOOL_CALLS]"],
    start_markers: &[StartMarker::strong("[TOOL_CALLS]", &FORM)],
    inner: &["[ARGS]", "[CALL_ID]"],
    ids: IdForm::Nine,
    trigger: Some("[TOOL_CALLS]"),
    patterns: &[
        (
            Some("[ARGS]"),
            Pattern {
                lead: &[],
                before: &[Text("[TOOL_CALLS]")],
                between: &[Text("[ARGS]")],
                arguments: Arguments::Json,
                after: &[],
                separator: &[],
                tail: &[],
            },
        ),
        (None, Pattern { lead: &[Text("[TOOL_CALLS]"), Text(" [")], ..Pattern::JSON_LIST }),
    ],
    ..Spec::PLAIN
};
