//! GLM-4.5 and later: key and value of each argument between tags, a string without quotes.
//!
//! ```text
//! <tool_call>get_weather
//! <arg_key>city</arg_key>
//! <arg_value>Oslo</arg_value>
//! </tool_call>
//! ```

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Text, Pattern, Tagging};
use super::super::reader::Form;
use super::super::tool_call_format::{Spec, StartMarker};
use super::super::xml_params::XmlParamsForm;

static FORM: Form = Form::XmlParams(XmlParamsForm {
    open: "<tool_call>",
    name_end: "\n",
    key: ("<arg_key>", "</arg_key>"),
    value: "<arg_value>",
    value_ends: &["</arg_value>"],
    close: "</tool_call>",
    ..XmlParamsForm::PLAIN
});

pub static SPEC: Spec = Spec {
    name: "glm45",
    template_markers: &[TemplateMarker::All(&["<arg_key>", "<arg_value>"]), TemplateMarker::All(&["<arg_key>"])],
    tokens: &["<arg_key>", "<arg_value>"],
    start_markers: &[StartMarker::strong("<tool_call>", &FORM)],
    inner: &["</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"],
    trigger: Some("<tool_call>"),
    patterns: &[(
        None,
        Pattern {
            lead: &[],
            before: &[Text("<tool_call>")],
            between: &[Text("\n")],
            arguments: Arguments::Tagged(Tagging {
                key: (&[Text("<arg_key>")], &[Text("</arg_key>"), Text("\n"), Text("<arg_value>")]),
                json: None,
                end: &[Text("</arg_value>")],
                gap: "\n",
            }),
            after: &[Text("</tool_call>")],
            separator: &[Text("\n")],
            tail: &[],
        },
    )],
    ..Spec::PLAIN
};
