//! Kimi K3: XML with tokens for brackets, and the type of each argument in an attribute.
//!
//! ```text
//! <|open|>tools<|sep|><|open|>call tool="get_weather" index="1"<|sep|><|open|>argument key="city" type="string"<|sep|>Oslo<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>
//! ```
//!
//! Calls stand behind the answer, which is an element of its own: `<|open|>response<|sep|>…<|close|>response<|sep|>`.

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Optional, Part::Regex, Part::Text, Pattern, Tagging};
use super::super::reader::Form;
use super::super::tool_call_format::{Place, Spec, StartMarker};
use super::super::xml_params::XmlParamsForm;

static FORM: Form = Form::XmlParams(XmlParamsForm {
    wrapper: Some(("<|open|>tools<|sep|>", "<|close|>tools<|sep|>")),
    open: "<|open|>call tool=\"",
    name_end: "<|sep|>",
    attributes: true,
    typed: &[
        ("type=\"string\"", true),
        ("type=\"number\"", false),
        ("type=\"boolean\"", false),
        ("type=\"null\"", false),
        ("type=\"object\"", false),
        ("type=\"array\"", false),
    ],
    json: Some(("<|open|>json type=\"object\"<|sep|>", "<|close|>json<|sep|>")),
    key: ("<|open|>argument key=\"", "<|sep|>"),
    value_ends: &["<|close|>argument<|sep|>"],
    close: "<|close|>call<|sep|>",
    ..XmlParamsForm::PLAIN
});

pub static SPEC: Spec = Spec {
    name: "kimi-k3",
    template_markers: &[TemplateMarker::All(&["<|open|>", "<|close|>", "<|sep|>", "call", "argument"])],
    start_markers: &[StartMarker::strong("<|open|>tools<|sep|>", &FORM)],
    ornaments: &[
        ("<|open|>response<|sep|>", Place::Anywhere),
        ("<|close|>response<|sep|>", Place::Anywhere),
        ("<|close|>message<|sep|>", Place::Anywhere),
    ],
    patterns: &[(
        None,
        Pattern {
            lead: &[
                Optional(&[Text("<|open|>"), Text("response"), Text("<|sep|>")]),
                Text("<|close|>"),
                Text("response"),
                Text("<|sep|>"),
                Text("<|open|>"),
                Text("tools"),
                Text("<|sep|>"),
            ],
            before: &[Text("<|open|>"), Text("call tool=\"")],
            between: &[Text("\" index=\""), Regex("[0-9]{1,4}"), Text("\""), Text("<|sep|>")],
            arguments: Arguments::Tagged(Tagging {
                key: (&[Text("<|open|>"), Text("argument key=\"")], &[Text("\" type=\"string\""), Text("<|sep|>")]),
                json: Some(&[
                    Text("\" type=\""),
                    Regex("(number|boolean|null|object|array)"),
                    Text("\""),
                    Text("<|sep|>"),
                ]),
                end: &[Text("<|close|>"), Text("argument"), Text("<|sep|>")],
                gap: "",
            }),
            after: &[Text("<|close|>"), Text("call"), Text("<|sep|>")],
            separator: &[],
            tail: &[Text("<|close|>"), Text("tools"), Text("<|sep|>")],
        },
    )],
    ..Spec::PLAIN
};
