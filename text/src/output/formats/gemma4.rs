//! Gemma 4 and FunctionGemma: a name and an object with bare keys, whose strings stand between tokens.
//!
//! ```text
//! <|tool_call>call:get_weather{city:<|"|>Oslo<|"|>,days:3}<tool_call|>
//! <start_function_call>call:get_weather{city:<escape>Oslo<escape>,days:3}<end_function_call>
//! ```

use super::super::braces::BracesForm;
use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part, Part::Text, Pattern};
use super::super::reader::Form;
use super::super::tool_call_format::{Spec, StartMarker};

static FORM: Form =
    Form::Braces(BracesForm { open: "<|tool_call>", call: "call:", quote: "<|\"|>", close: "<tool_call|>" });
static FUNCTION: Form = Form::Braces(BracesForm {
    open: "<start_function_call>",
    call: "call:",
    quote: "<escape>",
    close: "<end_function_call>",
});

const fn pattern(open: &'static [Part], quote: &'static [Part], close: &'static [Part]) -> Pattern {
    Pattern {
        lead: &[],
        before: open,
        between: &[],
        arguments: Arguments::Braces(quote),
        after: close,
        separator: &[],
        tail: &[],
    }
}

pub static SPEC: Spec = Spec {
    name: "gemma4",
    template_markers: &[TemplateMarker::All(&["<|tool_call>call:"])],
    tokens: &["<|tool_call>", "<tool_call|>"],
    start_markers: &[StartMarker::strong("<|tool_call>", &FORM)],
    inner: &["<|\"|>", "<tool_call|>"],
    trigger: Some("<|tool_call>"),
    patterns: &[(None, pattern(&[Text("<|tool_call>"), Text("call:")], &[Text("<|\"|>")], &[Text("<tool_call|>")]))],
    ..Spec::PLAIN
};

pub static SPEC_FUNCTION: Spec = Spec {
    name: "function-gemma",
    template_markers: &[TemplateMarker::All(&["<start_function_call>call:"])],
    tokens: &["<start_function_call>", "<end_function_call>"],
    start_markers: &[StartMarker::strong("<start_function_call>", &FUNCTION)],
    inner: &["<escape>", "<end_function_call>"],
    trigger: Some("<start_function_call>"),
    patterns: &[(
        None,
        pattern(&[Text("<start_function_call>"), Text("call:")], &[Text("<escape>")], &[Text("<end_function_call>")]),
    )],
    ..Spec::PLAIN
};
