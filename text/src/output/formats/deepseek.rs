//! DeepSeek: a section of calls between tokens with full-width bars. V3 and R1 put the arguments in a fence, V3.1 does not.
//!
//! ````text
//! <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather
//! ```json
//! {"city": "Oslo"}
//! ```<｜tool▁call▁end｜><｜tool▁calls▁end｜>
//! <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Oslo"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>
//! ````
//!
//! Both are read in either format; they differ in what the grammar forces.

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Text, Pattern};
use super::super::name_then_json::{NameThenJsonForm, whole};
use super::super::reader::Form;
use super::super::tool_call_format::{Place, Spec, StartMarker};

const CALLS_BEGIN: &str = "<｜tool▁calls▁begin｜>";
const CALLS_END: &str = "<｜tool▁calls▁end｜>";
const BEGIN: &str = "<｜tool▁call▁begin｜>";
const SEP: &str = "<｜tool▁sep｜>";
const END: &str = "<｜tool▁call▁end｜>";

static FORM: Form = Form::NameThenJson(NameThenJsonForm {
    name_ends: &[SEP],
    split: whole,
    kind: Some("function"),
    open: BEGIN,
    close: Some(END),
    code: None,
    user: None,
});

static START_MARKERS: [StartMarker; 1] = [StartMarker::strong(BEGIN, &FORM)];

static FENCED: [(Option<&str>, Pattern); 1] = [(
    None,
    Pattern {
        lead: &[Text(CALLS_BEGIN)],
        before: &[Text(BEGIN), Text("function"), Text(SEP)],
        between: &[Text("\n```json\n")],
        arguments: Arguments::Json,
        after: &[Text("\n```"), Text(END)],
        separator: &[Text("\n")],
        tail: &[Text(CALLS_END)],
    },
)];

static PLAIN: [(Option<&str>, Pattern); 1] = [(
    None,
    Pattern {
        lead: &[Text(CALLS_BEGIN)],
        before: &[Text(BEGIN)],
        between: &[Text(SEP)],
        arguments: Arguments::Json,
        after: &[Text(END)],
        separator: &[],
        tail: &[Text(CALLS_END)],
    },
)];

pub static SPEC: Spec = spec("deepseek", &[TemplateMarker::All(&[BEGIN, "```json"])], &FENCED);
pub static SPEC_V31: Spec = spec("deepseek-v3.1", &[TemplateMarker::All(&[BEGIN])], &PLAIN);

const fn spec(
    name: &'static str,
    template_markers: &'static [TemplateMarker],
    patterns: &'static [(Option<&'static str>, Pattern)],
) -> Spec {
    Spec {
        name,
        template_markers,
        start_markers: &START_MARKERS,
        ornaments: &[(CALLS_BEGIN, Place::Anywhere), (CALLS_END, Place::Anywhere)],
        inner: &[SEP, END],
        trigger: Some(CALLS_BEGIN),
        patterns,
        ..Spec::PLAIN
    }
}
