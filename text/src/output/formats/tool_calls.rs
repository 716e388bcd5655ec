//! Calls between `<tool_calls>` and `</tool_calls>`: a JSON array (Apriel, Jamba, Hunyuan A13B), or an object a line (MiniMax M1).
//!
//! ```text
//! <tool_calls>[{"name": "get_weather", "arguments": {"city": "Oslo"}}]</tool_calls>
//! <tool_calls>
//! {"name": "get_weather", "arguments": {"city": "Oslo"}}
//! </tool_calls>
//! ```
//!
//! Both are read in either format; they differ in what the grammar forces.

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part, Part::Text, Pattern};
use super::super::json_object::JsonObjectForm;
use super::super::reader::Form;
use super::super::tool_call_format::{Spec, StartMarker};

static FORM: Form = Form::JsonObject(JsonObjectForm {
    name: Some("name"),
    arguments: &["arguments", "parameters"],
    id: Some("id"),
    open: "<tool_calls>",
    close: Some("</tool_calls>"),
    separator: None,
});

static START_MARKERS: [StartMarker; 1] = [StartMarker::strong("<tool_calls>", &FORM)];

static ARRAY: [(Option<&str>, Pattern); 1] = [(
    None,
    pattern(&[Text("<tool_calls>"), Text("[")], &[Text("}")], &[Text(", ")], &[Text("]"), Text("</tool_calls>")]),
)];

static LINES: [(Option<&str>, Pattern); 1] =
    [(None, pattern(&[Text("<tool_calls>"), Text("\n")], &[Text("}\n")], &[], &[Text("</tool_calls>")]))];

const fn pattern(
    lead: &'static [Part],
    after: &'static [Part],
    separator: &'static [Part],
    tail: &'static [Part],
) -> Pattern {
    Pattern {
        lead,
        before: &[Text("{\"name\": \"")],
        between: &[Text("\", \"arguments\": ")],
        arguments: Arguments::Json,
        after,
        separator,
        tail,
    }
}

pub static SPEC_APRIEL: Spec = spec("apriel", &[TemplateMarker::Near(200, &["<tool_calls>[", "\"name\""])], &ARRAY);
pub static SPEC_M1: Spec =
    spec("minimax-m1", &[TemplateMarker::Near(200, &["<tool_calls>", "\"name\"", "</tool_calls>"])], &LINES);

const fn spec(
    name: &'static str,
    template_markers: &'static [TemplateMarker],
    patterns: &'static [(Option<&'static str>, Pattern)],
) -> Spec {
    Spec {
        name,
        template_markers,
        start_markers: &START_MARKERS,
        inner: &["</tool_calls>"],
        trigger: Some("<tool_calls>"),
        patterns,
        ..Spec::PLAIN
    }
}
