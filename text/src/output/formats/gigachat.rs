//! GigaChat 3: a message of the role `function call`, behind the answer's own.
//!
//! ```text
//! Let me look.<|message_sep|>
//!
//! function call<|role_sep|>
//! {"name": "get_weather", "arguments": {"city": "Oslo"}}<|message_sep|>
//! ```
//!
//! Later models write `<|function_call|>` in place of the role.

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
    open: "function call<|role_sep|>",
    close: None,
    separator: None,
});

pub static SPEC: Spec = Spec {
    name: "gigachat3",
    signs: &[Sign::All(&["function call", "<|role_sep|>"])],
    tokens: &[],
    openers: &[Opener::strong("function call<|role_sep|>", &FORM), Opener::strong("<|function_call|>", &FORM)],
    names: None,
    ornaments: &[("<|message_sep|>", Place::Anywhere)],
    inner: &[],
    code: None,
    ids: IdForm::Call,
    trigger: Some("<|role_sep|>"),
    patterns: &[(
        None,
        Pattern {
            lead: &[],
            before: &[
                Text("<|message_sep|>"),
                Text("\n\nfunction call"),
                Text("<|role_sep|>"),
                Text("\n{\"name\": \""),
            ],
            between: &[Text("\", \"arguments\": ")],
            arguments: Arguments::Json,
            after: &[Text("}")],
            separator: &[],
            tail: &[],
        },
    )],
};
