//! Functionary: 3.2 names who is spoken to behind `>>>`, 3.1 puts the arguments between tags.
//!
//! ```text
//! >>>all
//! Let me look.>>>get_weather
//! {"city": "Oslo"}
//! <function=get_weather>{"city": "Oslo"}</function>
//! ```
//!
//! In 3.2 the prompt ends with the first `>>>`, so that an answer begins with a name. `all` is the user; `python` takes code.

use super::super::code::CodeForm;
use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Text, Pattern};
use super::super::name_then_json::{NameThenJsonForm, whole};
use super::super::python::PythonForm;
use super::super::reader::Form;
use super::super::tool_call_format::{Place, Spec, StartMarker};

static RECIPIENT: Form = Form::NameThenJson(NameThenJsonForm {
    name_ends: &["\n"],
    split: whole,
    kind: None,
    open: ">>>",
    close: None,
    code: Some("python"),
    user: Some("all"),
});

static TAGGED: Form = Form::NameThenJson(NameThenJsonForm {
    name_ends: &[">"],
    split: whole,
    kind: None,
    open: "<function=",
    close: Some("</function>"),
    code: None,
    user: None,
});

/// Code and nothing else stands behind `<|python_tag|>`.
static CODE: Form =
    Form::Python(PythonForm { open: "<|python_tag|>", close: None, name: |name| name, code: Some("python") });

pub static SPEC: Spec = Spec {
    name: "functionary",
    template_markers: &[TemplateMarker::All(&[">>>all"]), TemplateMarker::All(&[">>>", "recipient"])],
    start_markers: &[StartMarker { text: ">>>", form: &RECIPIENT, place: Place::Anywhere, weak: true, keep: false }],
    names: Some((&RECIPIENT, Place::Start)),
    ornaments: &[("all\n", Place::Start)],
    code: Some(CodeForm { ends: &[">>>", "<|eot_id|>"] }),
    patterns: &[(
        None,
        Pattern {
            lead: &[],
            before: &[],
            between: &[Text("\n")],
            arguments: Arguments::Json,
            after: &[],
            separator: &[Text(">>>")],
            tail: &[],
        },
    )],
    ..Spec::PLAIN
};

pub static SPEC_V31: Spec = Spec {
    name: "functionary-v3.1",
    template_markers: &[TemplateMarker::All(&["<function=", "</function>"])],
    start_markers: &[StartMarker::strong("<function=", &TAGGED), StartMarker::strong("<|python_tag|>", &CODE)],
    ornaments: &[("<|eom_id|>", Place::Anywhere), ("<|eot_id|>", Place::Anywhere)],
    code: Some(CodeForm { ends: &["<|eom_id|>", "<|eot_id|>", "<function="] }),
    trigger: Some("<function="),
    patterns: &[(
        None,
        Pattern {
            lead: &[],
            before: &[Text("<function=")],
            between: &[Text(">")],
            arguments: Arguments::Json,
            after: &[Text("</function>")],
            separator: &[],
            tail: &[],
        },
    )],
    ..Spec::PLAIN
};
