//! MiniMax M3: XML with a mark before every tag, and each argument in an element of its name.
//!
//! ```text
//! ]<]minimax[>[<tool_call>
//! ]<]minimax[>[<invoke name="search">]<]minimax[>[<query>fjords]<]minimax[>[</query>]<]minimax[>[<tags>]<]minimax[>[<item>a]<]minimax[>[</item>]<]minimax[>[</tags>]<]minimax[>[</invoke>
//! ]<]minimax[>[</tool_call>
//! ```

use super::super::detect::TemplateMarker;
use super::super::elements::ElementsForm;
use super::super::grammar::{Arguments, Part::Key, Part::Text, Pattern, Tagging};
use super::super::reader::Form;
use super::super::tool_call_format::{Spec, StartMarker};

const MARK: &str = "]<]minimax[>[";

static FORM: Form = Form::Elements(ElementsForm {
    wrapper: ("]<]minimax[>[<tool_call>", "]<]minimax[>[</tool_call>"),
    open: "]<]minimax[>[<invoke name=\"",
    name_end: "\">",
    mark: MARK,
    close: "</invoke>",
});

pub static SPEC: Spec = Spec {
    name: "minimax-m3",
    template_markers: &[TemplateMarker::All(&[MARK, "tool_call"])],
    start_markers: &[StartMarker::strong("]<]minimax[>[<tool_call>", &FORM)],
    inner: &["</tool_call>"],
    trigger: Some(MARK),
    patterns: &[(
        None,
        Pattern {
            lead: &[Text(MARK), Text("<tool_call>"), Text("\n")],
            before: &[Text(MARK), Text("<invoke name=\"")],
            between: &[Text("\">")],
            // Arrays and objects as JSON, which the reader takes where the schema asks for them.
            arguments: Arguments::Tagged(Tagging {
                key: (&[Text(MARK), Text("<")], &[Text(">")]),
                json: None,
                end: &[Text(MARK), Text("</"), Key, Text(">")],
                gap: "",
            }),
            after: &[Text(MARK), Text("</invoke>\n")],
            separator: &[],
            tail: &[Text(MARK), Text("</tool_call>")],
        },
    )],
    ..Spec::PLAIN
};
