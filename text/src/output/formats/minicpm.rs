//! MiniCPM5: XML with the names in attributes. A value with markup or line breaks stands in a CDATA section.
//!
//! ```text
//! <function name="get_weather"><param name="city">Oslo</param><param name="days">3</param></function>
//! <function name="run_sql"><param name="sql"><![CDATA[SELECT * FROM t WHERE a < 1]]></param></function>
//! ```

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Text, Pattern, Tagging};
use super::super::reader::Form;
use super::super::tool_call_format::{Place, Spec, StartMarker};
use super::super::xml_params::XmlParamsForm;

static FORM: Form = Form::XmlParams(XmlParamsForm {
    open: "<function name=\"",
    name_end: "\">",
    key: ("<param name=\"", "\">"),
    verbatim: Some(("<![CDATA[", "]]>")),
    value_ends: &["</param>"],
    close: "</function>",
    ..XmlParamsForm::PLAIN
});

pub static SPEC: Spec = Spec {
    name: "minicpm5",
    template_markers: &[TemplateMarker::All(&["<function name=\"", "<param name=\""])],
    start_markers: &[StartMarker::strong("<function name=\"", &FORM)],
    ornaments: &[("<tool_sep>", Place::Start)],
    inner: &["<function", "</function>", "<param", "</param>"],
    trigger: Some("<function name=\""),
    patterns: &[(
        None,
        Pattern {
            lead: &[],
            before: &[Text("<function name=\"")],
            between: &[Text("\">")],
            arguments: Arguments::Tagged(Tagging {
                key: (&[Text("<param name=\"")], &[Text("\">")]),
                json: None,
                end: &[Text("</param>")],
                gap: "",
            }),
            after: &[Text("</function>")],
            separator: &[Text("\n")],
            tail: &[],
        },
    )],
    ..Spec::PLAIN
};
