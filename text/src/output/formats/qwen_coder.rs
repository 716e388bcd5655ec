//! Qwen3-Coder: each argument between tags, on lines of its own, a string without quotes.
//!
//! ```text
//! <tool_call>
//! <function=get_weather>
//! <parameter=city>
//! Oslo
//! </parameter>
//! </function>
//! </tool_call>
//! ```
//!
//! The model leaves out the outer opening tag at times; the closing one is dropped then.

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Text, Pattern, Tagging};
use super::super::reader::Form;
use super::super::tool_call_format::{Place, Spec, StartMarker};
use super::super::xml_params::XmlParamsForm;

/// The tags within `wrapper`; `lines` says that each value stands on lines of its own.
pub const fn form(wrapper: Option<(&'static str, &'static str)>, lines: bool) -> Form {
    Form::XmlParams(XmlParamsForm {
        wrapper,
        open: "<function=",
        name_end: ">",
        key: ("<parameter=", ">"),
        value_ends: if lines { &["\n</parameter>", "</parameter>"] } else { &["</parameter>"] },
        lines,
        close: "</function>",
        ..XmlParamsForm::PLAIN
    })
}

static WRAPPED: Form = form(Some(("<tool_call>", "</tool_call>")), true);
static BARE: Form = form(None, true);

pub static SPEC: Spec = Spec {
    name: "qwen-coder",
    template_markers: &[TemplateMarker::All(&["<tool_call>", "<function=", "<parameter="])],
    start_markers: &[StartMarker::strong("<tool_call>", &WRAPPED), StartMarker::strong("<function=", &BARE)],
    ornaments: &[("</tool_call>", Place::Start)],
    inner: &["</tool_call>"],
    trigger: Some("<tool_call>"),
    patterns: &[(
        None,
        Pattern {
            lead: &[],
            before: &[Text("<tool_call>"), Text("\n<function=")],
            between: &[Text(">\n")],
            arguments: Arguments::Tagged(Tagging {
                key: (&[Text("<parameter=")], &[Text(">\n")]),
                json: None,
                end: &[Text("\n</parameter>")],
                gap: "\n",
            }),
            after: &[Text("</function>\n"), Text("</tool_call>")],
            separator: &[Text("\n")],
            tail: &[],
        },
    )],
    ..Spec::PLAIN
};
