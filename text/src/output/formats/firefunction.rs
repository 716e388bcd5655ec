//! firefunction v2: a JSON array behind a word.
//!
//! ```text
//!  functools[{"name": "get_weather", "arguments": {"city": "Oslo"}}]
//! ```
//!
//! The word is ordinary text unless an array follows that calls an offered tool.

use super::super::detect::Sign;
use super::super::envelope::EnvelopeForm;
use super::super::grammar::{Arguments, Part::Text, Pattern};
use super::super::ids::IdForm;
use super::super::reader::Form;
use super::super::tool_call_format::{Opener, Place, Spec};

static FORM: Form = Form::Envelope(EnvelopeForm {
    name: Some("name"),
    arguments: &["arguments", "parameters"],
    id: None,
    open: "functools",
    close: None,
    separator: None,
});

pub static SPEC: Spec = Spec {
    name: "firefunction",
    signs: &[Sign::All(&[" functools["])],
    tokens: &[],
    openers: &[Opener { text: "functools", form: &FORM, place: Place::Anywhere, weak: true, keep: false }],
    names: None,
    ornaments: &[],
    inner: &[],
    code: None,
    ids: IdForm::Call,
    trigger: Some("functools["),
    patterns: &[(
        None,
        Pattern {
            lead: &[Text(" "), Text("functools[")],
            before: &[Text("{\"name\": \"")],
            between: &[Text("\", \"arguments\": ")],
            arguments: Arguments::Json,
            after: &[Text("}")],
            separator: &[Text(", ")],
            tail: &[Text("]")],
        },
    )],
};
