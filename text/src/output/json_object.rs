//! Calls as JSON objects that hold name and arguments: `{"name": "f", "arguments": {…}}`, alone, one after another, or in an array.

use super::delta::Deltas;
use super::input::Input;
use super::json::{self, JsonScanner, Progress};
use super::reader::{MAX_NAME, Step, closing};

/// The keys of the objects, and what stands around them.
#[derive(Debug)]
pub(super) struct JsonObjectForm {
    /// The key that holds the name. With `None`, an object's only key is the name and its value the arguments.
    pub name: Option<&'static str>,
    /// Keys that hold the arguments.
    pub arguments: &'static [&'static str],
    /// The key that holds the call's id. An id that comes after the arguments is too late to be announced and is not used.
    pub id: Option<&'static str>,
    /// What stands before the calls, for a call whose closing marker was forgotten.
    pub open: &'static str,
    /// What stands after the calls.
    pub close: Option<&'static str>,
    /// What may stand between calls outside an array, beside white space. With `None` there is one call, or an array.
    pub separator: Option<char>,
}

#[derive(Debug)]
enum State {
    /// An object or, if no array has been begun, an array.
    Item,
    FirstKey,
    NextKey,
    /// A key, as it comes.
    Key(Collector),
    Colon(Kind),
    Begin(Kind),
    /// A value, kept until it is whole.
    Value(Kind, Collector),
    /// Arguments, passed on as they come.
    Arguments(JsonScanner),
    AfterValue,
    AfterObject,
    Close,
}

/// What a key's value is to the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Name,
    Id,
    Arguments,
    Other,
}

/// What has come of an object.
#[derive(Debug, Default)]
struct Call {
    name: Option<String>,
    id: Option<String>,
    /// Arguments that came before the name.
    arguments: Option<String>,
    arguments_seen: bool,
    begun: bool,
}

/// Reads calls in the form of `form`.
#[derive(Debug)]
pub(super) struct JsonObjectReader {
    pub form: &'static JsonObjectForm,
    /// What is read may as well be JSON that is no call.
    weak: bool,
    in_array: bool,
    /// Whether anything but white space has been read.
    started: bool,
    /// Whether an object has been read whole.
    has_call: bool,
    state: State,
    call: Call,
}

impl JsonObjectReader {
    pub fn new(form: &'static JsonObjectForm, weak: bool) -> Self {
        let (state, call) = (State::Item, Call::default());
        Self { form, weak, in_array: false, started: false, has_call: false, state, call }
    }

    /// Reads as far as the text goes.
    pub fn read(&mut self, input: &mut Input, deltas: &mut Deltas) -> Step {
        loop {
            let went_on = match self.state {
                State::Key(_) => self.key(input),
                State::Value(..) => self.value(input, deltas),
                State::Arguments(_) => self.arguments(input, deltas),
                State::AfterObject => self.after_object(input, deltas),
                State::Close => Err(closing(input, deltas, self.form.close, self.form.open)),
                _ => self.structure(input, deltas),
            };
            if let Err(step) = went_on {
                return step;
            }
        }
    }

    fn fail(&self) -> Result<(), Step> {
        Err(if self.started { Step::Fail } else { Step::NotACall })
    }

    /// One character between keys and values.
    fn structure(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        input.skip_whitespace();
        let Some(c) = input.peek() else { return Err(Step::Wait) };
        let next = match (&self.state, c) {
            (State::Item, '[') if !self.in_array => {
                self.in_array = true;
                State::Item
            }
            (State::Item, ']') if self.has_call => State::Close,
            (State::Item, '{') => State::FirstKey,
            (State::FirstKey | State::NextKey, '"') => State::Key(Collector::new(MAX_NAME)),
            (State::Colon(kind), ':') => State::Begin(*kind),
            (State::Begin(kind), _) => self.begin_value(*kind, c, deltas)?,
            (State::AfterValue, ',') => State::NextKey,
            (State::FirstKey | State::AfterValue, '}') => {
                self.end_object(deltas)?;
                State::AfterObject
            }
            _ => return self.fail(),
        };
        if !matches!(next, State::Key(_) | State::Value(..) | State::Arguments(_)) {
            input.skip(c.len_utf8());
        }
        self.started = true;
        self.state = next;
        Ok(())
    }

    fn key(&mut self, input: &mut Input) -> Result<(), Step> {
        let State::Key(collector) = &mut self.state else { return Ok(()) };
        let Some(key) = collector.read(input)?.and_then(|text| unquoted(&text)) else { return Err(Step::Wait) };
        if self.form.name.is_none() {
            if self.call.name.is_some() || key.trim().is_empty() {
                return self.fail();
            }
            self.call.name = Some(key);
            self.state = State::Colon(Kind::Arguments);
            return Ok(());
        }
        let kind = match key.as_str() {
            key if self.form.name == Some(key) => Kind::Name,
            key if self.form.arguments.contains(&key) => Kind::Arguments,
            key if self.form.id == Some(key) => Kind::Id,
            _ => Kind::Other,
        };
        let again = match kind {
            Kind::Name => self.call.name.is_some(),
            Kind::Id => self.call.id.is_some(),
            Kind::Arguments => self.call.arguments_seen,
            Kind::Other => false,
        };
        // Ordinary JSON is told from a call as early as possible, so that it is not held back.
        let named = self.call.name.is_some() || matches!(kind, Kind::Name | Kind::Id) || key == "type";
        if again || (self.weak && !named) {
            return self.fail();
        }
        self.state = State::Colon(kind);
        Ok(())
    }

    /// The state in which a value of this kind is read.
    fn begin_value(&mut self, kind: Kind, first: char, deltas: &mut Deltas) -> Result<State, Step> {
        match (kind, first) {
            // A string may hold the object's text, as in OpenAI's form; `null` stands for no arguments.
            (Kind::Arguments, '{' | '"' | 'n') => {
                self.call.arguments_seen = true;
                self.announce(deltas);
                Ok(match self.call.begun && first == '{' {
                    true => State::Arguments(JsonScanner::new()),
                    false => State::Value(kind, Collector::new(usize::MAX)),
                })
            }
            (Kind::Name, '"') | (Kind::Id, _) => Ok(State::Value(kind, Collector::new(MAX_NAME))),
            (Kind::Other, _) => Ok(State::Value(kind, Collector::new(0))),
            _ => self.fail().map(|()| State::Close),
        }
    }

    /// Announces the call if its name is known.
    fn announce(&mut self, deltas: &mut Deltas) {
        if let (Some(name), false) = (&self.call.name, self.call.begun) {
            deltas.begin(name, self.call.id.take());
            self.call.begun = true;
        }
    }

    fn arguments(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let State::Arguments(scanner) = &mut self.state else { return Ok(()) };
        let progress = pass_on(scanner, input, deltas)?;
        if progress == Progress::More {
            return Err(Step::Wait);
        }
        self.state = State::AfterValue;
        Ok(())
    }

    fn value(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let State::Value(kind, collector) = &mut self.state else { return Ok(()) };
        let Some(text) = collector.read(input)? else { return Err(Step::Wait) };
        let kind = *kind;
        self.state = State::AfterValue;
        match kind {
            Kind::Name => {
                let Some(name) = unquoted(&text).filter(|name| !name.trim().is_empty()) else { return self.fail() };
                if self.weak && !deltas.tools.offers(&name) {
                    return self.fail();
                }
                self.call.name = Some(name);
                // Where an id may follow, it may still come before the arguments.
                if self.form.id.is_none() || self.call.id.is_some() {
                    self.announce(deltas);
                }
            }
            Kind::Id => self.call.id = Some(unquoted(&text).unwrap_or(text)).filter(|id| !id.is_empty()),
            Kind::Arguments => {
                let Some(object) = arguments_object(text) else { return self.fail() };
                match self.call.begun {
                    true => deltas.arguments(&object),
                    false => self.call.arguments = Some(object),
                }
            }
            Kind::Other => {}
        }
        Ok(())
    }

    fn end_object(&mut self, deltas: &mut Deltas) -> Result<(), Step> {
        if self.call.name.is_none() {
            return self.fail();
        }
        self.announce(deltas);
        match self.call.arguments.take() {
            Some(object) => deltas.arguments(&object),
            None if !self.call.arguments_seen => deltas.arguments("{}"),
            None => {}
        }
        self.call = Call::default();
        self.has_call = true;
        Ok(())
    }

    /// What follows an object: another one, or the end.
    fn after_object(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        if self.in_array {
            input.skip_whitespace();
            match input.peek() {
                Some(',') => self.next_call(input, deltas, 1, State::Item),
                Some(']') => {
                    input.skip(1);
                    self.state = State::Close;
                }
                Some(_) => return Err(Step::Fail),
                None => return Err(Step::Wait),
            }
            return Ok(());
        }
        if self.form.close.is_none() && self.form.separator.is_none() {
            self.state = State::Close;
            return Ok(());
        }
        let rest = input.rest();
        let next = rest.trim_start();
        let next = self.form.separator.and_then(|separator| next.strip_prefix(separator)).unwrap_or(next).trim_start();
        let gap = rest.len() - next.len();
        match next.chars().next() {
            Some('{') => self.next_call(input, deltas, gap, State::Item),
            None if !input.has_ended() => return Err(Step::Wait),
            _ => self.state = State::Close,
        }
        Ok(())
    }

    fn next_call(&mut self, input: &mut Input, deltas: &mut Deltas, gap: usize, state: State) {
        deltas.end();
        input.skip(gap);
        input.mark(0);
        self.state = state;
    }
}

/// A JSON value that is kept until it is whole.
#[derive(Debug)]
struct Collector {
    scanner: JsonScanner,
    text: String,
    /// Longer values are refused; with 0 the value may be of any length and is not kept.
    max: usize,
}

impl Collector {
    fn new(max: usize) -> Self {
        Self { scanner: JsonScanner::new(), text: String::new(), max }
    }

    /// The value's text, once it is whole. The cursor is behind it.
    fn read(&mut self, input: &mut Input) -> Result<Option<String>, Step> {
        while let Some(c) = input.peek() {
            let progress = self.scanner.push(c, &mut self.text).map_err(|_| Step::Fail)?;
            if progress != Progress::EndBefore {
                input.skip(c.len_utf8());
            }
            if progress != Progress::More {
                return Ok(Some(std::mem::take(&mut self.text)));
            }
            match self.max {
                0 => self.text.clear(),
                max if self.text.len() > max => return Err(Step::Fail),
                _ => {}
            }
        }
        Ok(None)
    }
}

/// Passes a JSON object on as the arguments of the call that is open.
pub(super) fn pass_on(scanner: &mut JsonScanner, input: &mut Input, deltas: &mut Deltas) -> Result<Progress, Step> {
    let mut text = String::new();
    let mut result = Ok(Progress::More);
    let mut read = 0;
    for c in input.rest().chars() {
        result = scanner.push(c, &mut text).map_err(|_| Step::Fail);
        if result.is_err() {
            break;
        }
        read += c.len_utf8();
        if result == Ok(Progress::End) {
            break;
        }
    }
    input.skip(read);
    deltas.arguments(&text);
    result
}

/// The string that a JSON text is; `None` if it is another value.
fn unquoted(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

/// The object that holds the arguments, from an object, from a string that has its text, or from `null`.
fn arguments_object(value: String) -> Option<String> {
    match value.as_bytes().first() {
        Some(b'"') => json::value(&unquoted(&value)?).filter(|inner| inner.starts_with('{')),
        Some(b'n') => Some("{}".to_owned()),
        _ => Some(value),
    }
}
