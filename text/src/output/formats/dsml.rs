//! DSML, of DeepSeek V3.2 and V4: XML whose tags begin with a token, and whose arguments say whether they are strings.
//!
//! ```text
//! <｜DSML｜function_calls>
//! <｜DSML｜invoke name="get_weather">
//! <｜DSML｜parameter name="city" string="true">Oslo</｜DSML｜parameter>
//! <｜DSML｜parameter name="days" string="false">3</｜DSML｜parameter>
//! </｜DSML｜invoke>
//! </｜DSML｜function_calls>
//! ```
//!
//! V4 has `tool_calls` in place of `function_calls`; both are read in either format. In place of parameters there may be one JSON
//! object.

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part, Part::Text, Pattern, Tagging};
use super::super::reader::Form;
use super::super::tool_call_format::{Spec, StartMarker};
use super::super::xml_params::XmlParamsForm;

const MARK: &str = "｜DSML｜";

const fn form(open: &'static str, close: &'static str) -> Form {
    Form::XmlParams(XmlParamsForm {
        wrapper: Some((open, close)),
        open: "<｜DSML｜invoke name=\"",
        name_end: ">",
        attributes: true,
        typed: &[("string=\"true\"", true), ("string=\"false\"", false)],
        json: Some(("", "")),
        key: ("<｜DSML｜parameter name=\"", ">"),
        value_ends: &["</｜DSML｜parameter>"],
        close: "</｜DSML｜invoke>",
        ..XmlParamsForm::PLAIN
    })
}

static FUNCTIONS: Form = form("<｜DSML｜function_calls>", "</｜DSML｜function_calls>");
static TOOLS: Form = form("<｜DSML｜tool_calls>", "</｜DSML｜tool_calls>");

static START_MARKERS: [StartMarker; 2] =
    [StartMarker::strong("<｜DSML｜function_calls>", &FUNCTIONS), StartMarker::strong("<｜DSML｜tool_calls>", &TOOLS)];

static V32: [(Option<&str>, Pattern); 1] = [(
    None,
    pattern(&[Text("<"), Text(MARK), Text("function_calls>\n")], &[Text("</"), Text(MARK), Text("function_calls>")]),
)];
static V4: [(Option<&str>, Pattern); 1] =
    [(None, pattern(&[Text("<"), Text(MARK), Text("tool_calls>\n")], &[Text("</"), Text(MARK), Text("tool_calls>")]))];

const fn pattern(lead: &'static [Part], tail: &'static [Part]) -> Pattern {
    Pattern {
        lead,
        before: &[Text("<"), Text(MARK), Text("invoke name=\"")],
        between: &[Text("\">\n")],
        arguments: Arguments::Tagged(Tagging {
            key: (&[Text("<"), Text(MARK), Text("parameter name=\"")], &[Text("\" string=\"true\">")]),
            json: Some(&[Text("\" string=\"false\">")]),
            end: &[Text("</"), Text(MARK), Text("parameter>")],
            gap: "\n",
        }),
        after: &[Text("</"), Text(MARK), Text("invoke>\n")],
        separator: &[],
        tail,
    }
}

pub static SPEC_V32: Spec = spec("deepseek-v3.2", &[TemplateMarker::All(&[MARK, "function_calls"])], &V32);
pub static SPEC_V4: Spec = spec("deepseek-v4", &[TemplateMarker::All(&[MARK, "tool_calls"])], &V4);

const fn spec(
    name: &'static str,
    template_markers: &'static [TemplateMarker],
    patterns: &'static [(Option<&'static str>, Pattern)],
) -> Spec {
    Spec { name, template_markers, start_markers: &START_MARKERS, trigger: Some(MARK), patterns, ..Spec::PLAIN }
}
