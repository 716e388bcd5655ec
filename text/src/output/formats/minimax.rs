//! MiniMax M2: XML with the names in attributes.
//!
//! ```text
//! <minimax:tool_call>
//! <invoke name="get_weather">
//! <parameter name="city">Oslo</parameter>
//! </invoke>
//! </minimax:tool_call>
//! ```

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Text, Pattern, Tagging};
use super::super::reader::Form;
use super::super::tool_call_format::{Spec, StartMarker};
use super::super::xml_params::XmlParamsForm;

static FORM: Form = Form::XmlParams(XmlParamsForm {
    wrapper: Some(("<minimax:tool_call>", "</minimax:tool_call>")),
    open: "<invoke name=\"",
    name_end: "\">",
    key: ("<parameter name=\"", "\">"),
    value_ends: &["</parameter>"],
    close: "</invoke>",
    ..XmlParamsForm::PLAIN
});

pub static SPEC: Spec = Spec {
    name: "minimax",
    template_markers: &[TemplateMarker::All(&["<minimax:tool_call>"])],
    tokens: &["<minimax:tool_call>"],
    start_markers: &[StartMarker::strong("<minimax:tool_call>", &FORM)],
    inner: &["</minimax:tool_call>"],
    trigger: Some("<minimax:tool_call>"),
    patterns: &[(
        None,
        Pattern {
            lead: &[Text("<minimax:tool_call>"), Text("\n")],
            before: &[Text("<invoke name=\"")],
            between: &[Text("\">\n")],
            arguments: Arguments::Tagged(Tagging {
                key: (&[Text("<parameter name=\"")], &[Text("\">")]),
                json: None,
                end: &[Text("</parameter>")],
                gap: "\n",
            }),
            after: &[Text("</invoke>\n")],
            separator: &[],
            tail: &[Text("</minimax:tool_call>")],
        },
    )],
    ..Spec::PLAIN
};
