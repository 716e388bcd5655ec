//! Calls that put each argument between tags: `<function=f><parameter=key>value</parameter></function>` and its kin.
//!
//! Values stand there without JSON's quotes, so that the tool's schema has to say what they are. A string is passed on as it
//! comes; any other value when it is whole.

use super::input::{Input, Match};
use super::json::{push_quoted, quoted};
use super::piece::Pieces;
use super::reader::{MAX_NAME, Step, closing, expect, head, is_name};
use super::tools::Types;

/// The tags.
#[derive(Debug)]
pub(super) struct ParamsForm {
    /// What stands around the calls, where something does.
    pub wrapper: Option<(&'static str, &'static str)>,
    /// What stands before a name.
    pub open: &'static str,
    /// What may end the name and belongs to it. Without it the first argument or the end of the call does.
    pub name_end: &'static str,
    /// What stands around the key of an argument.
    pub key: (&'static str, &'static str),
    /// What stands before a value; may be empty.
    pub value: &'static str,
    /// What may stand after a value.
    pub value_ends: &'static [&'static str],
    /// Whether a line break before a value is none of it.
    pub lines: bool,
    /// What ends a call.
    pub close: &'static str,
}

impl ParamsForm {
    /// What is last of all.
    pub fn last(&self) -> &'static str {
        self.wrapper.map_or(self.close, |(_, close)| close)
    }
}

#[derive(Debug)]
enum State {
    /// Before `open`, within the wrapper.
    Lead,
    Name,
    /// Between arguments.
    Next,
    Key,
    BeforeValue(String),
    /// Where a line break may be left out.
    FirstLine(Types),
    /// A string, passed on as it comes.
    Text,
    /// A value that is kept until it is whole.
    Kept(Types, String),
    /// Between calls within the wrapper, or at the end.
    Close,
}

/// Reads calls in the form of `form`.
#[derive(Debug)]
pub(super) struct ParamsReader {
    pub form: &'static ParamsForm,
    state: State,
    name: String,
    /// Whether the marker that led here has been followed by what a call begins with.
    begun: bool,
    /// Whether the call has an argument.
    filled: bool,
}

impl ParamsReader {
    /// `wrapped` says that the marker that led here was the wrapper's and not a call's own.
    pub fn new(form: &'static ParamsForm, wrapped: bool) -> Self {
        let state = if wrapped { State::Lead } else { State::Name };
        Self { form, state, name: String::new(), begun: false, filled: false }
    }

    /// Reads as far as the text goes.
    pub fn read(&mut self, input: &mut Input, pieces: &mut Pieces) -> Step {
        loop {
            let went_on = match &mut self.state {
                State::Lead => self.lead(input),
                State::Name => self.name(input, pieces),
                State::Next => self.next(input, pieces),
                State::Key => self.key(input, pieces),
                State::BeforeValue(_) => self.before_value(input, pieces),
                State::FirstLine(_) => self.first_line(input, pieces),
                State::Text => self.text(input, pieces),
                State::Kept(..) => self.kept(input, pieces),
                State::Close => self.closing(input, pieces),
            };
            if let Err(step) = went_on {
                return step;
            }
        }
    }

    fn fail(&self) -> Step {
        if self.begun { Step::Fail } else { Step::NotACall }
    }

    fn lead(&mut self, input: &mut Input) -> Result<(), Step> {
        input.skip_whitespace();
        expect(self.form.open, input, self.fail())?;
        self.begun = true;
        self.state = State::Name;
        Ok(())
    }

    fn name(&mut self, input: &mut Input, pieces: &mut Pieces) -> Result<(), Step> {
        let form = self.form;
        let head = head(&[form.name_end, form.key.0, form.close], false, input, self.fail())?;
        if !is_name(&head.text) {
            return Err(self.fail());
        }
        input.skip(head.len + if head.end == 0 { form.name_end.len() } else { 0 });
        pieces.begin(&head.text, None);
        self.name = head.text;
        (self.begun, self.filled) = (true, false);
        self.state = State::Next;
        Ok(())
    }

    fn next(&mut self, input: &mut Input, pieces: &mut Pieces) -> Result<(), Step> {
        input.skip_whitespace();
        let (key, close) = (self.form.key.0, self.form.close);
        match (input.starts(key), input.starts(close)) {
            (Match::Yes, _) => {
                input.skip(key.len());
                self.state = State::Key;
            }
            (_, Match::Yes) => {
                input.skip(close.len());
                pieces.arguments(if self.filled { "}" } else { "{}" });
                self.state = State::Close;
            }
            (Match::No, Match::No) => return Err(Step::Fail),
            _ => return Err(Step::Wait),
        }
        Ok(())
    }

    fn key(&mut self, input: &mut Input, pieces: &mut Pieces) -> Result<(), Step> {
        let end = self.form.key.1;
        let key = head(&[end], true, input, Step::Fail)?;
        if key.text.is_empty() || key.text.len() > MAX_NAME {
            return Err(Step::Fail);
        }
        input.skip(key.len + end.len());
        pieces.arguments(if self.filled { "," } else { "{" });
        pieces.arguments(&quoted(&key.text));
        pieces.arguments(":");
        self.filled = true;
        self.state = State::BeforeValue(key.text);
        Ok(())
    }

    fn before_value(&mut self, input: &mut Input, pieces: &mut Pieces) -> Result<(), Step> {
        let State::BeforeValue(key) = &self.state else { return Ok(()) };
        if !self.form.value.is_empty() {
            input.skip_whitespace();
            expect(self.form.value, input, Step::Fail)?;
        }
        self.state = State::FirstLine(pieces.tools.types(&self.name, key));
        Ok(())
    }

    fn first_line(&mut self, input: &mut Input, pieces: &mut Pieces) -> Result<(), Step> {
        let State::FirstLine(types) = self.state else { return Ok(()) };
        match input.peek() {
            None => return Err(Step::Wait),
            Some('\n') if self.form.lines => input.skip(1),
            Some(_) => {}
        }
        self.state = match types.only_string() {
            true => {
                pieces.arguments("\"");
                State::Text
            }
            false => State::Kept(types, String::new()),
        };
        Ok(())
    }

    fn text(&mut self, input: &mut Input, pieces: &mut Pieces) -> Result<(), Step> {
        let mut text = String::new();
        let over = self.value_text(input, |part| push_quoted(part, &mut text));
        pieces.arguments(&text);
        if !over {
            return Err(Step::Wait);
        }
        pieces.arguments("\"");
        self.state = State::Next;
        Ok(())
    }

    fn kept(&mut self, input: &mut Input, pieces: &mut Pieces) -> Result<(), Step> {
        let State::Kept(types, text) = &mut self.state else { return Ok(()) };
        let (types, mut text) = (*types, std::mem::take(text));
        if !self.value_text(input, |part| text.push_str(part)) {
            self.state = State::Kept(types, text);
            return Err(Step::Wait);
        }
        pieces.arguments(&types.value(&text));
        self.state = State::Next;
        Ok(())
    }

    /// Gives what has come of a value to `take`; whether that was the end of it.
    fn value_text(&self, input: &mut Input, take: impl FnOnce(&str)) -> bool {
        let found = input.find(self.form.value_ends);
        let len = found.map_or(input.rest().len(), |(len, _)| len);
        take(&input.rest()[..len]);
        let end = found.and_then(|(_, which)| self.form.value_ends.get(which?));
        input.skip(len + end.map_or(0, |end| end.len()));
        end.is_some()
    }

    fn closing(&mut self, input: &mut Input, pieces: &mut Pieces) -> Result<(), Step> {
        let Some((open, close)) = self.form.wrapper else {
            return Err(closing(input, pieces, None, ""));
        };
        input.skip_whitespace();
        match input.starts(self.form.open) {
            Match::Yes => {
                pieces.end();
                input.mark(0);
                self.state = State::Lead;
                return Ok(());
            }
            Match::Maybe if !input.rest().is_empty() => return Err(Step::Wait),
            _ => {}
        }
        Err(closing(input, pieces, Some(close), open))
    }
}
