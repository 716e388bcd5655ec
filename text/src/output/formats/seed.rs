//! Seed-OSS: the form of Qwen3-Coder within tags of its own, `<seed:tool_call>…</seed:tool_call>`, and values without line breaks around.

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Text, Pattern, Tagging};
use super::super::reader::Form;
use super::super::tool_call_format::{Spec, StartMarker};
use super::qwen_coder;

static FORM: Form = qwen_coder::form(Some(("<seed:tool_call>", "</seed:tool_call>")), false);

pub static SPEC: Spec = Spec {
    name: "seed",
    // The template builds the tags from a prefix.
    template_markers: &[
        TemplateMarker::All(&["seed:tool_call", "<function="]),
        TemplateMarker::All(&["seed:tool_call"]),
    ],
    tokens: &["<seed:tool_call>"],
    start_markers: &[StartMarker::strong("<seed:tool_call>", &FORM)],
    inner: &["</seed:tool_call>"],
    trigger: Some("<seed:tool_call>"),
    patterns: &[(
        None,
        Pattern {
            lead: &[],
            before: &[Text("<seed:tool_call>"), Text("\n<function=")],
            between: &[Text(">\n")],
            arguments: Arguments::Tagged(Tagging {
                key: (&[Text("<parameter=")], &[Text(">")]),
                json: None,
                end: &[Text("</parameter>")],
                gap: "\n",
            }),
            after: &[Text("</function>\n"), Text("</seed:tool_call>")],
            separator: &[Text("\n")],
            tail: &[],
        },
    )],
    ..Spec::PLAIN
};
