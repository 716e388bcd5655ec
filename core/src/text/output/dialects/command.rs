//! Command: a JSON array of actions. Command R writes it into a fence, Command R7B and A between tokens.
//!
//! ````text
//! Action: ```json
//! [{"tool_name": "get_weather", "parameters": {"city": "Oslo"}}]```
//! <|START_ACTION|>[{"tool_call_id": "0", "tool_name": "get_weather", "parameters": {"city": "Oslo"}}]<|END_ACTION|>
//! ````

use super::super::dialect::{Opener, Place, Spec};
use super::super::envelope::EnvelopeForm;
use super::super::grammar::{Arguments, Part::Regex, Part::Text, Pattern};
use super::super::ids::IdForm;
use super::super::reader::Form;

static FENCED: Form = Form::Envelope(EnvelopeForm {
    name: "tool_name",
    arguments: &["parameters"],
    id: Some("tool_call_id"),
    open: "Action: ```json",
    close: Some("```"),
    separator: None,
});

static TOKENS: Form = Form::Envelope(EnvelopeForm {
    name: "tool_name",
    arguments: &["parameters"],
    id: Some("tool_call_id"),
    open: "<|START_ACTION|>",
    close: Some("<|END_ACTION|>"),
    separator: None,
});

pub static SPEC_R: Spec = Spec {
    name: "command-r",
    signs: &[&["Action:", "```json", "tool_name"]],
    tokens: &[],
    openers: &[Opener { text: "Action: ```json", form: &FENCED, place: Place::Line, weak: false, keep: false }],
    names: None,
    ornaments: &[],
    inner: &[],
    code: None,
    ids: IdForm::Call,
    trigger: Some("Action: ```json"),
    patterns: &[(
        None,
        Pattern {
            lead: &[Text("Action: ```json"), Text("\n[\n")],
            before: &[Text("    {\n        \"tool_name\": \"")],
            between: &[Text("\",\n        \"parameters\": ")],
            arguments: Arguments::Json,
            after: &[Text("\n    }")],
            separator: &[Text(",\n")],
            tail: &[Text("\n]```")],
        },
    )],
};

pub static SPEC_R7B: Spec = Spec {
    name: "command-r7b",
    signs: &[&["<|START_ACTION|>"]],
    tokens: &["<|START_ACTION|>"],
    openers: &[Opener::strong("<|START_ACTION|>", &TOKENS)],
    names: None,
    ornaments: &[
        ("<|START_RESPONSE|>", Place::Anywhere),
        ("<|END_RESPONSE|>", Place::Anywhere),
        ("<|START_TEXT|>", Place::Anywhere),
        ("<|END_TEXT|>", Place::Anywhere),
    ],
    inner: &["<|END_ACTION|>"],
    code: None,
    ids: IdForm::Call,
    trigger: Some("<|START_ACTION|>"),
    patterns: &[(
        None,
        Pattern {
            lead: &[Text("<|START_ACTION|>"), Text("[\n")],
            before: &[Text("    {\"tool_call_id\": \""), Regex("[0-9]{1,4}"), Text("\", \"tool_name\": \"")],
            between: &[Text("\", \"parameters\": ")],
            arguments: Arguments::Json,
            after: &[Text("}")],
            separator: &[Text(",\n")],
            tail: &[Text("\n]"), Text("<|END_ACTION|>")],
        },
    )],
};
