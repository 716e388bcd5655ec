//! Calls that put each argument between tags: `<function=f><parameter=key>value</parameter></function>` and its kin.
//!
//! Values stand there without JSON's quotes, so that the tool's schema has to say what they are. A string is passed on as it
//! comes; any other value when it is whole.

use super::delta::Deltas;
use super::input::{Input, Match};
use super::json::{JsonScanner, Progress, push_quoted, quoted};
use super::json_object::pass_on;
use super::reader::{MAX_NAME, Step, closing, expect, head, is_name, next_call};
use super::tools::Types;

/// The tags.
#[derive(Debug)]
pub(super) struct XmlParamsForm {
    /// What stands around the calls, where something does.
    pub wrapper: Option<(&'static str, &'static str)>,
    /// What stands before a name.
    pub open: &'static str,
    /// What may end the name and belongs to it. Without it the first argument or the end of the call does.
    pub name_end: &'static str,
    /// Whether a quote ends name and key, and attributes may stand behind it.
    pub attributes: bool,
    /// Attributes of a key that say whether its value is a string.
    pub typed: &'static [(&'static str, bool)],
    /// What may stand around all arguments as one JSON object.
    pub json: Option<(&'static str, &'static str)>,
    /// What stands around the key of an argument.
    pub key: (&'static str, &'static str),
    /// What stands before a value; may be empty.
    pub value: &'static str,
    /// What may stand around the text of a value, so that it can hold what would end it.
    pub verbatim: Option<(&'static str, &'static str)>,
    /// What may stand after a value.
    pub value_ends: &'static [&'static str],
    /// Whether a line break before a value is none of it.
    pub lines: bool,
    /// What ends a call.
    pub close: &'static str,
}

impl XmlParamsForm {
    /// Tags around name, key and value, and nothing special: a base for the forms that have more.
    pub const PLAIN: Self = Self {
        wrapper: None,
        open: "",
        name_end: "",
        attributes: false,
        typed: &[],
        json: None,
        key: ("", ""),
        value: "",
        verbatim: None,
        value_ends: &[],
        lines: false,
        close: "",
    };

    /// A name or key and the attributes behind it.
    fn attributes<'t>(&self, head: &'t str) -> (String, &'t str) {
        match head.split_once('"').filter(|_| self.attributes) {
            Some((name, attributes)) => (name.replace("&quot;", "\"").replace("&amp;", "&"), attributes),
            None => (head.to_owned(), ""),
        }
    }

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
    /// All arguments as one JSON object.
    Json(JsonScanner),
    AfterJson,
    EndOfCall,
    Key,
    BeforeValue(Types),
    /// Where a line break may be left out, and a value may be marked as verbatim.
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
pub(super) struct XmlParamsReader {
    pub form: &'static XmlParamsForm,
    state: State,
    name: String,
    /// Whether the marker that led here has been followed by what a call begins with.
    begun: bool,
    /// Whether the call has an argument.
    filled: bool,
    /// Whether the value under way is marked as verbatim.
    verbatim: bool,
}

impl XmlParamsReader {
    /// `wrapped` says that the marker that led here was the wrapper's and not a call's own.
    pub fn new(form: &'static XmlParamsForm, wrapped: bool) -> Self {
        let state = if wrapped { State::Lead } else { State::Name };
        Self { form, state, name: String::new(), begun: false, filled: false, verbatim: false }
    }

    /// Reads as far as the text goes.
    pub fn read(&mut self, input: &mut Input, deltas: &mut Deltas) -> Step {
        loop {
            let went_on = match &mut self.state {
                State::Lead => self.lead(input),
                State::Name => self.name(input, deltas),
                State::Next => self.next(input, deltas),
                State::Json(_) => self.json(input, deltas),
                State::AfterJson => self.after_json(input),
                State::EndOfCall => self.end_of_call(input),
                State::Key => self.key(input, deltas),
                State::BeforeValue(_) => self.before_value(input),
                State::FirstLine(_) => self.first_line(input, deltas),
                State::Text => self.text(input, deltas),
                State::Kept(..) => self.kept(input, deltas),
                State::Close => self.closing(input, deltas),
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

    fn name(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let form = self.form;
        let head = head(&[form.name_end, form.key.0, form.close], form.attributes, input, self.fail())?;
        let (name, _) = form.attributes(&head.text);
        if !is_name(&name) {
            return Err(self.fail());
        }
        input.skip(head.len + if head.end == 0 { form.name_end.len() } else { 0 });
        deltas.begin(&name, None);
        self.name = name;
        (self.begun, self.filled) = (true, false);
        self.state = State::Next;
        Ok(())
    }

    fn next(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        input.skip_whitespace();
        let (key, close) = (self.form.key.0, self.form.close);
        match (input.starts(key), input.starts(close)) {
            (Match::Yes, _) => {
                input.skip(key.len());
                self.state = State::Key;
            }
            (_, Match::Yes) => {
                input.skip(close.len());
                deltas.arguments(if self.filled { "}" } else { "{}" });
                self.state = State::Close;
            }
            (Match::No, Match::No) => {
                let (open, _) = self.form.json.filter(|_| !self.filled).ok_or(Step::Fail)?;
                expect(open, input, Step::Fail)?;
                self.state = State::Json(JsonScanner::new());
            }
            _ => return Err(Step::Wait),
        }
        Ok(())
    }

    fn json(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let State::Json(scanner) = &mut self.state else { return Ok(()) };
        if !self.filled {
            input.skip_whitespace();
            match input.peek() {
                None => return Err(Step::Wait),
                Some('{') => self.filled = true,
                Some(_) => return Err(Step::Fail),
            }
        }
        if pass_on(scanner, input, deltas)? == Progress::More {
            return Err(Step::Wait);
        }
        self.state = State::AfterJson;
        Ok(())
    }

    fn after_json(&mut self, input: &mut Input) -> Result<(), Step> {
        input.skip_whitespace();
        expect(self.form.json.map_or("", |(_, close)| close), input, Step::Fail)?;
        self.state = State::EndOfCall;
        Ok(())
    }

    fn end_of_call(&mut self, input: &mut Input) -> Result<(), Step> {
        input.skip_whitespace();
        expect(self.form.close, input, Step::Fail)?;
        self.state = State::Close;
        Ok(())
    }

    fn key(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let end = self.form.key.1;
        let key = head(&[end], true, input, Step::Fail)?;
        if key.text.is_empty() || key.text.len() > MAX_NAME {
            return Err(Step::Fail);
        }
        input.skip(key.len + end.len());
        let (key, attributes) = self.form.attributes(&key.text);
        deltas.arguments(if self.filled { "," } else { "{" });
        deltas.arguments(&quoted(&key));
        deltas.arguments(":");
        self.filled = true;
        let told = self.form.typed.iter().find(|(attribute, _)| attributes.contains(attribute));
        self.state = State::BeforeValue(deltas.tools.types(&self.name, &key).told(told.map(|(_, string)| *string)));
        Ok(())
    }

    fn before_value(&mut self, input: &mut Input) -> Result<(), Step> {
        let State::BeforeValue(types) = self.state else { return Ok(()) };
        if !self.form.value.is_empty() {
            input.skip_whitespace();
            expect(self.form.value, input, Step::Fail)?;
        }
        self.state = State::FirstLine(types);
        Ok(())
    }

    fn first_line(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let State::FirstLine(types) = self.state else { return Ok(()) };
        let verbatim = self.form.verbatim.map_or("", |(open, _)| open);
        self.verbatim = match input.starts(verbatim) {
            Match::Maybe => return Err(Step::Wait),
            found => found == Match::Yes && !verbatim.is_empty(),
        };
        match input.peek() {
            None => return Err(Step::Wait),
            Some(_) if self.verbatim => input.skip(verbatim.len()),
            Some('\n') if self.form.lines => input.skip(1),
            Some(_) => {}
        }
        self.state = match types.only_string() {
            true => {
                deltas.arguments("\"");
                State::Text
            }
            false => State::Kept(types, String::new()),
        };
        Ok(())
    }

    fn text(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let mut text = String::new();
        let over = self.value_text(input, |part| push_quoted(part, &mut text));
        deltas.arguments(&text);
        if !over {
            return Err(Step::Wait);
        }
        deltas.arguments("\"");
        self.state = State::Next;
        Ok(())
    }

    fn kept(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let State::Kept(types, text) = &mut self.state else { return Ok(()) };
        let (types, mut text) = (*types, std::mem::take(text));
        if !self.value_text(input, |part| text.push_str(part)) {
            self.state = State::Kept(types, text);
            return Err(Step::Wait);
        }
        deltas.arguments(&types.value(&text));
        self.state = State::Next;
        Ok(())
    }

    /// Gives what has come of a value to `take`; whether that was the end of it.
    fn value_text(&self, input: &mut Input, take: impl FnOnce(&str)) -> bool {
        if let Some((_, close)) = self.form.verbatim.filter(|_| self.verbatim) {
            return self.verbatim_text(close, input, take);
        }
        let found = input.find(self.form.value_ends);
        let len = found.map_or(input.rest().len(), |(len, _)| len);
        take(&input.rest()[..len]);
        let end = found.and_then(|(_, which)| self.form.value_ends.get(which?));
        input.skip(len + end.map_or(0, |end| end.len()));
        end.is_some()
    }

    /// The same of a value that is marked as verbatim: its own end, and then the value's.
    fn verbatim_text(&self, close: &str, input: &mut Input, take: impl FnOnce(&str)) -> bool {
        let ends: Vec<String> = self.form.value_ends.iter().map(|end| format!("{close}{end}")).collect();
        let found = input.find(&ends.iter().map(String::as_str).collect::<Vec<_>>());
        let len = found.map_or(input.rest().len(), |(len, _)| len);
        take(&input.rest()[..len]);
        let end = found.and_then(|(_, which)| ends.get(which?));
        input.skip(len + end.map_or(0, String::len));
        end.is_some()
    }

    fn closing(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let Some(wrapper) = self.form.wrapper else {
            return Err(closing(input, deltas, None, ""));
        };
        next_call(input, deltas, self.form.open, wrapper)?;
        self.state = State::Lead;
        Ok(())
    }
}
