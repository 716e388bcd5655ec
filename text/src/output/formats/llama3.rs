//! Llama 3.1 to 3.3: a JSON object as the whole answer, or behind `<|python_tag|>` a JSON object, the call of a built-in tool, or
//! code.
//!
//! ```text
//! {"name": "get_weather", "parameters": {"city": "Oslo"}}
//! <|python_tag|>brave_search.call(query="weather in Oslo")
//! <|python_tag|>print(2 ** 10)
//! ```
//!
//! Several objects are separated by `;` or white space, or stand in an array. An answer that is JSON and names no offered tool is
//! ordinary text.

use super::super::code::CodeForm;
use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Text, Pattern};
use super::super::json_object::JsonObjectForm;
use super::super::python::PythonForm;
use super::super::reader::Form;
use super::super::tool_call_format::{Place, Spec, StartMarker};

const fn json_object(open: &'static str) -> JsonObjectForm {
    JsonObjectForm {
        name: Some("name"),
        arguments: &["parameters", "arguments"],
        id: None,
        open,
        close: None,
        separator: Some(';'),
    }
}

static ANSWER: Form = Form::JsonObject(json_object(""));
static TAGGED: Form = Form::JsonOr(json_object("<|python_tag|>"), &BUILT_IN);
static BUILT_IN: Form = Form::Python(PythonForm {
    open: "<|python_tag|>",
    close: None,
    name: |name| name.strip_suffix(".call").unwrap_or(name),
    code: Some("python"),
});

/// An object or array that may be a call only at the beginning of the answer.
const fn answer(text: &'static str) -> StartMarker {
    StartMarker { text, form: &ANSWER, place: Place::Start, weak: true, keep: true }
}

pub static SPEC: Spec = Spec {
    name: "llama3",
    template_markers: &[TemplateMarker::All(&["<|python_tag|>"]), TemplateMarker::All(&["ipython", "\"parameters\""])],
    tokens: &["<|python_tag|>", "<|eom_id|>"],
    start_markers: &[StartMarker::strong("<|python_tag|>", &TAGGED), answer("{"), answer("[")],
    ornaments: &[("<|eom_id|>", Place::Anywhere), ("<|eot_id|>", Place::Anywhere)],
    code: Some(CodeForm { ends: &["<|eom_id|>", "<|eot_id|>", "<|python_tag|>"] }),
    patterns: &[(
        None,
        Pattern {
            lead: &[],
            before: &[Text("{\"name\": \"")],
            between: &[Text("\", \"parameters\": ")],
            arguments: Arguments::Json,
            after: &[Text("}")],
            separator: &[Text("; ")],
            tail: &[],
        },
    )],
    ..Spec::PLAIN
};
