//! The readers of calls: one for each way in which formats write a call's name and arguments, and what they have in common.

use super::braces::{BracesForm, BracesReader};
use super::code::{CodeForm, CodeReader};
use super::delta::Deltas;
use super::elements::{ElementsForm, ElementsReader};
use super::input::{Input, Match};
use super::json_object::{JsonObjectForm, JsonObjectReader};
use super::name_then_json::{NameThenJsonForm, NameThenJsonReader};
use super::python::{PythonForm, PythonReader};
use super::xml_params::{XmlParamsForm, XmlParamsReader};

/// The longest name of a tool, key or id that is read, in bytes.
pub(super) const MAX_NAME: usize = 256;

/// The longest text that names a call or an argument, with an id and white space around, in bytes.
const MAX_HEAD: usize = 2 * MAX_NAME;

/// Where a reader stands after it has read what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It wants more text.
    Wait,
    /// The calls are over; the text goes on at the cursor.
    Done,
    /// What follows the marker is not what a call begins with, so the marker was only spoken of.
    NotACall,
    /// A call was begun and is malformed.
    Fail,
    /// What was read is not in this reader's form but code for a tool.
    Code {
        /// The tool's name.
        name: &'static str,
        /// Whether the code began right after the marker, and not at the cursor.
        rewind: bool,
    },
}

/// How the calls behind a marker are written.
#[derive(Debug)]
pub(super) enum Form {
    /// Name and arguments in one JSON object, or several in an array.
    JsonObject(JsonObjectForm),
    /// The name, then a JSON object with the arguments.
    NameThenJson(NameThenJsonForm),
    /// The name, then each argument between tags.
    XmlParams(XmlParamsForm),
    /// The name, then each argument in an element of its name.
    Elements(ElementsForm),
    /// The name, then an object with bare keys.
    Braces(BracesForm),
    /// Calls as Python writes them.
    Python(PythonForm),
    /// JSON if it begins like that, and otherwise the other form.
    JsonOr(JsonObjectForm, &'static Form),
}

/// Reads the calls behind one marker.
#[derive(Debug)]
pub(super) enum Reader {
    JsonObject(JsonObjectReader),
    NameThenJson(NameThenJsonReader),
    XmlParams(XmlParamsReader),
    Elements(ElementsReader),
    Braces(BracesReader),
    Python(PythonReader),
    Code(CodeReader),
    /// What comes first will tell.
    Undecided(&'static JsonObjectForm, &'static Form),
}

impl Reader {
    /// A reader of `form`, behind `marker`. `weak` says that what stands there may as well be ordinary text; `name` is the
    /// tool's, where the marker was its name.
    pub fn new(form: &'static Form, marker: &str, weak: bool, name: Option<String>) -> Self {
        match form {
            Form::JsonObject(form) => Self::JsonObject(JsonObjectReader::new(form, weak)),
            Form::NameThenJson(form) => Self::NameThenJson(NameThenJsonReader::new(form, name)),
            Form::XmlParams(form) => {
                Self::XmlParams(XmlParamsReader::new(form, form.wrapper.is_some_and(|(open, _)| open == marker)))
            }
            Form::Elements(form) => Self::Elements(ElementsReader::new(form)),
            Form::Braces(form) => Self::Braces(BracesReader::new(form)),
            Form::Python(form) => Self::Python(PythonReader::new(form)),
            Form::JsonOr(json, other) => Self::Undecided(json, other),
        }
    }

    /// A reader of code for the tool `name`.
    pub fn code(form: &'static CodeForm, name: &str) -> Self {
        Self::Code(CodeReader::new(form, name))
    }

    /// Reads as far as the text goes.
    pub fn read(&mut self, input: &mut Input, deltas: &mut Deltas) -> Step {
        if let Self::Undecided(json, other) = self {
            input.skip_whitespace();
            *self = match input.peek() {
                None => return Step::Wait,
                Some('{' | '[') => Self::JsonObject(JsonObjectReader::new(json, false)),
                Some(_) => Self::new(other, "", false, None),
            };
        }
        match self {
            Self::JsonObject(reader) => reader.read(input, deltas),
            Self::NameThenJson(reader) => reader.read(input, deltas),
            Self::XmlParams(reader) => reader.read(input, deltas),
            Self::Elements(reader) => reader.read(input, deltas),
            Self::Braces(reader) => reader.read(input, deltas),
            Self::Python(reader) => reader.read(input, deltas),
            Self::Code(reader) => reader.read(input, deltas),
            Self::Undecided(..) => Step::Wait,
        }
    }

    /// The marker after which the text of a malformed call is over; `None` if there is none.
    pub fn close(&self) -> Option<&'static str> {
        match self {
            Self::JsonObject(reader) => reader.form.close,
            Self::NameThenJson(reader) => reader.form.close,
            Self::XmlParams(reader) => Some(reader.form.last()),
            Self::Elements(reader) => Some(reader.form.wrapper.1),
            Self::Braces(reader) => Some(reader.form.close),
            Self::Python(reader) => reader.form.close,
            Self::Code(_) | Self::Undecided(..) => None,
        }
    }
}

/// Ends the last call where its closing marker `close` stands, behind white space, and moves the cursor behind that. The end of the
/// answer (but not of one that was cut off) and the next call's marker, `open`, close a call as well, since models forget; in a
/// format without such a marker nothing need stand there.
pub(super) fn closing(input: &mut Input, deltas: &mut Deltas, close: Option<&str>, open: &str) -> Step {
    if let Some(close) = close {
        input.skip_whitespace();
        match (input.starts(close), input.starts(open)) {
            _ if input.is_whole() => {}
            (Match::Yes, _) => input.skip(close.len()),
            (_, Match::Yes) if !open.is_empty() => {}
            (Match::Maybe, _) | (_, Match::Maybe) => return Step::Wait,
            _ => return Step::Fail,
        }
    }
    deltas.end();
    Step::Done
}

/// Goes on to the next call of `wrapper` where its marker, `open`, stands; else ends the calls.
pub(super) fn next_call(input: &mut Input, deltas: &mut Deltas, open: &str, wrapper: (&str, &str)) -> Result<(), Step> {
    input.skip_whitespace();
    match input.starts(open) {
        Match::Yes => {
            deltas.end();
            input.mark(0);
            Ok(())
        }
        Match::Maybe if !input.rest().is_empty() => Err(Step::Wait),
        _ => Err(closing(input, deltas, Some(wrapper.1), wrapper.0)),
    }
}

/// A short text up to one of several markers: a name, a key.
#[derive(Debug)]
pub(super) struct Head {
    /// The text without white space around it.
    pub text: String,
    /// The marker that ended it, as an index.
    pub end: usize,
    /// Bytes up to that marker.
    pub len: usize,
}

/// Reads up to the first of `ends` and moves no cursor. What is too long, or has white space inside where it must not, is
/// refused with `fail`, and the same whether the end has come yet or not.
pub(super) fn head(ends: &[&str], spaces: bool, input: &Input, fail: Step) -> Result<Head, Step> {
    let found = input.find_within(MAX_HEAD + 1, ends);
    let len = found.map_or(input.rest().len(), |(len, _)| len);
    if len > MAX_HEAD {
        return Err(fail);
    }
    let text = input.rest()[..len].trim();
    if !spaces && text.contains(char::is_whitespace) {
        return Err(fail);
    }
    let Some((_, Some(end))) = found else { return Err(Step::Wait) };
    Ok(Head { text: text.to_owned(), end, len })
}

/// Reads `marker`, which has to stand at the cursor; if it does not, that is `fail`.
pub(super) fn expect(marker: &str, input: &mut Input, fail: Step) -> Result<(), Step> {
    match input.starts(marker) {
        Match::Yes => {
            input.skip(marker.len());
            Ok(())
        }
        Match::Maybe => Err(Step::Wait),
        Match::No => Err(fail),
    }
}

/// Whether `name` can be a tool's: not empty, not too long, and without white space or the characters of markup and code.
pub(super) fn is_name(name: &str) -> bool {
    let strange = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '<'..='>' | '{' | '}' | '[' | ']' | '(' | ')' | '"' | '\'' | '`')
    };
    !name.is_empty() && name.len() <= MAX_NAME && !name.contains(strange)
}
