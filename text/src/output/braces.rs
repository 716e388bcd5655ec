//! Calls as Gemma writes them: a name and an object whose keys stand bare and whose strings stand between tokens,
//! `call:f{city:<|"|>Oslo<|"|>,days:3}`.

use super::delta::Deltas;
use super::input::{Input, Match};
use super::json::{JsonScanner, MAX_DEPTH, Progress, push_quoted, quoted};
use super::reader::{MAX_NAME, Step, closing, expect, head, is_name};

/// The markers of the form.
#[derive(Debug)]
pub(super) struct BracesForm {
    /// What stands before a call.
    pub open: &'static str,
    /// What stands before the name.
    pub call: &'static str,
    /// What stands on both sides of a string.
    pub quote: &'static str,
    /// What stands after a call.
    pub close: &'static str,
}

#[derive(Debug)]
enum State {
    Call,
    Name,
    /// A key, an element, or the end of the level.
    ElementOrEnd,
    /// Behind the quote of a key.
    QuotedKey,
    Colon,
    Value,
    /// A string, passed on as it comes.
    Text,
    /// A string in JSON's own quotes, which models write at times.
    Json(JsonScanner),
    /// A number, or a word such as `true`.
    Word,
    AfterValue,
    Close,
}

/// Reads calls in the form of `form`.
#[derive(Debug)]
pub(super) struct BracesReader {
    pub form: &'static BracesForm,
    state: State,
    /// What closes each level that is open.
    closers: Vec<char>,
    /// Whether an element of the innermost level has come.
    filled: bool,
}

impl BracesReader {
    pub fn new(form: &'static BracesForm) -> Self {
        Self { form, state: State::Call, closers: Vec::new(), filled: false }
    }

    /// Reads as far as the text goes.
    pub fn read(&mut self, input: &mut Input, deltas: &mut Deltas) -> Step {
        loop {
            let went_on = match self.state {
                State::Call => self.call(input),
                State::Name => self.name(input, deltas),
                State::ElementOrEnd => self.element(input, deltas),
                State::QuotedKey => self.key(self.form.quote, input, deltas),
                State::Colon => self.colon(input),
                State::Value => self.value(input, deltas),
                State::Text => self.text(input, deltas),
                State::Json(_) => self.json(input, deltas),
                State::Word => self.word(input, deltas),
                State::AfterValue => self.after_value(input, deltas),
                State::Close => Err(closing(input, deltas, Some(self.form.close), self.form.open)),
            };
            if let Err(step) = went_on {
                return step;
            }
        }
    }

    fn call(&mut self, input: &mut Input) -> Result<(), Step> {
        input.skip_whitespace();
        expect(self.form.call, input, Step::NotACall)?;
        self.state = State::Name;
        Ok(())
    }

    fn name(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let head = head(&["{"], false, input, Step::NotACall)?;
        if !is_name(&head.text) {
            return Err(Step::NotACall);
        }
        input.skip(head.len);
        deltas.begin(&head.text, None);
        self.open('{', '}', input, deltas)
    }

    fn open(&mut self, opener: char, closer: char, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        if self.closers.len() as u32 == MAX_DEPTH {
            return Err(Step::Fail);
        }
        input.skip(opener.len_utf8());
        deltas.arguments(opener.encode_utf8(&mut [0; 4]));
        self.closers.push(closer);
        self.filled = false;
        self.state = State::ElementOrEnd;
        Ok(())
    }

    fn element(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        input.skip_whitespace();
        let first = input.peek().ok_or(Step::Wait)?;
        if self.closers.last() == Some(&first) {
            return self.end_level(input, deltas);
        }
        if self.closers.last() == Some(&']') {
            self.comma(deltas);
            self.state = State::Value;
            return Ok(());
        }
        match input.starts(self.form.quote) {
            Match::Yes => {
                input.skip(self.form.quote.len());
                self.state = State::QuotedKey;
                Ok(())
            }
            Match::Maybe => Err(Step::Wait),
            Match::No => self.key(":", input, deltas),
        }
    }

    /// A key up to `end`. The colon behind a bare one stays.
    fn key(&mut self, end: &str, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let key = head(&[end], true, input, Step::Fail)?;
        if key.text.is_empty() || key.text.len() > MAX_NAME {
            return Err(Step::Fail);
        }
        input.skip(key.len + if end == ":" { 0 } else { end.len() });
        self.comma(deltas);
        deltas.arguments(&quoted(key.text.trim_matches('"')));
        deltas.arguments(":");
        self.state = State::Colon;
        Ok(())
    }

    fn comma(&mut self, deltas: &mut Deltas) {
        if self.filled {
            deltas.arguments(",");
        }
    }

    fn colon(&mut self, input: &mut Input) -> Result<(), Step> {
        input.skip_whitespace();
        expect(":", input, Step::Fail)?;
        self.state = State::Value;
        Ok(())
    }

    fn value(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        input.skip_whitespace();
        let first = input.peek().ok_or(Step::Wait)?;
        match (input.starts(self.form.quote), first) {
            (Match::Yes, _) => {
                input.skip(self.form.quote.len());
                deltas.arguments("\"");
                self.state = State::Text;
            }
            (Match::Maybe, _) => return Err(Step::Wait),
            (_, '{') => return self.open('{', '}', input, deltas),
            (_, '[') => return self.open('[', ']', input, deltas),
            (_, '"') => self.state = State::Json(JsonScanner::new()),
            _ => self.state = State::Word,
        }
        Ok(())
    }

    fn text(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let found = input.find(&[self.form.quote]);
        let len = found.map_or(input.rest().len(), |(len, _)| len);
        let mut text = String::new();
        push_quoted(&input.rest()[..len], &mut text);
        deltas.arguments(&text);
        input.skip(len);
        let Some((_, Some(_))) = found else { return Err(Step::Wait) };
        input.skip(self.form.quote.len());
        deltas.arguments("\"");
        self.end_value();
        Ok(())
    }

    fn json(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let State::Json(scanner) = &mut self.state else { return Ok(()) };
        if super::json_object::pass_on(scanner, input, deltas)? == Progress::More {
            return Err(Step::Wait);
        }
        self.end_value();
        Ok(())
    }

    fn word(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let word = head(&[",", "}", "]"], true, input, Step::Fail)?;
        // Every other string has its quotes.
        let value = super::literal::value(&word.text).filter(|value| !value.starts_with('"')).ok_or(Step::Fail)?;
        input.skip(word.len);
        deltas.arguments(&value);
        self.end_value();
        Ok(())
    }

    fn end_value(&mut self) {
        self.filled = true;
        self.state = State::AfterValue;
    }

    fn after_value(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        input.skip_whitespace();
        let next = input.peek().ok_or(Step::Wait)?;
        match next {
            ',' => {
                input.skip(1);
                self.state = State::ElementOrEnd;
                Ok(())
            }
            _ if self.closers.last() == Some(&next) => self.end_level(input, deltas),
            _ => Err(Step::Fail),
        }
    }

    fn end_level(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let closer = self.closers.pop().ok_or(Step::Fail)?;
        input.skip(closer.len_utf8());
        deltas.arguments(closer.encode_utf8(&mut [0; 4]));
        self.end_value();
        if self.closers.is_empty() {
            self.state = State::Close;
        }
        Ok(())
    }
}
