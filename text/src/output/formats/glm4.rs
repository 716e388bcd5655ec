//! GLM-4: plain text, the tool's name on one line and its arguments on the next.
//!
//! ```text
//! get_weather
//! {"city": "Oslo"}
//! ```
//!
//! Only a line that is the name of an offered tool, with an object behind it, is a call.

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Text, Pattern};
use super::super::name_then_json::{NameThenJsonForm, whole};
use super::super::reader::Form;
use super::super::tool_call_format::{Place, Spec};

static FORM: Form = Form::NameThenJson(NameThenJsonForm {
    name_ends: &["\n"],
    split: whole,
    kind: None,
    open: "",
    close: None,
    code: None,
    user: None,
});

pub static SPEC: Spec = Spec {
    name: "glm4",
    template_markers: &[TemplateMarker::All(&["<|observation|>"])],
    tokens: &["[gMASK]", "<sop>", "<|observation|>"],
    start_markers: &[],
    names: Some((&FORM, Place::Line)),
    ornaments: &[("<|assistant|>", Place::Anywhere), ("<|observation|>", Place::Anywhere)],
    patterns: &[(
        None,
        Pattern {
            lead: &[],
            before: &[],
            between: &[Text("\n")],
            arguments: Arguments::Json,
            after: &[],
            separator: &[Text("<|assistant|>")],
            tail: &[],
        },
    )],
    ..Spec::PLAIN
};
