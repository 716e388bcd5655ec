//! Calls as Python writes them: `f(a="x", n=1)`, alone, one after another, or in a list.

use super::delta::Deltas;
use super::input::Input;
use super::json::{Progress, quoted};
use super::literal::LiteralScanner;
use super::reader::{MAX_NAME, Step, closing, is_name};

/// What stands around the calls.
#[derive(Debug)]
pub(super) struct PythonForm {
    /// What stands before the calls.
    pub open: &'static str,
    /// What stands after the calls.
    pub close: Option<&'static str>,
    /// Takes away what stands before or after a tool's name and is no part of it.
    pub name: fn(&str) -> &str,
    /// The tool that takes text that is no call, as code.
    pub code: Option<&'static str>,
}

#[derive(Debug)]
enum State {
    /// A call or, if no list has been begun, a list.
    Item,
    /// A name, in `word`.
    Name,
    /// An argument or the closing parenthesis.
    Argument,
    /// A word that is a key or a value, in `word`.
    Word,
    /// After such a word and white space.
    AfterWord,
    Value(LiteralScanner),
    AfterArgument,
    /// After a call within `print(…)`.
    AfterWrapped,
    AfterCall,
    Close,
}

/// Reads calls in the form of `form`.
#[derive(Debug)]
pub(super) struct PythonReader {
    pub form: &'static PythonForm,
    state: State,
    word: String,
    /// The tool's name.
    name: String,
    in_list: bool,
    /// Whether the call stands within `print(…)`.
    wrapped: bool,
    /// Whether a call has been announced.
    begun: bool,
    /// Arguments so far.
    count: usize,
}

impl PythonReader {
    pub fn new(form: &'static PythonForm) -> Self {
        let (word, name) = (String::new(), String::new());
        Self { form, state: State::Item, word, name, in_list: false, wrapped: false, begun: false, count: 0 }
    }

    /// Reads as far as the text goes.
    pub fn read(&mut self, input: &mut Input, deltas: &mut Deltas) -> Step {
        loop {
            let went_on = match self.state {
                State::AfterCall => self.after_call(input, deltas),
                State::Close => Err(closing(input, deltas, self.form.close, self.form.open)),
                _ => self.character(input, deltas),
            };
            if let Err(step) = went_on {
                return step;
            }
        }
    }

    fn fail(&self) -> Step {
        match self.form.code {
            _ if self.begun => Step::Fail,
            Some(name) => Step::Code { name, rewind: true },
            None => Step::NotACall,
        }
    }

    /// One character; the states that need to see more than that have methods of their own.
    fn character(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let Some(c) = input.peek() else { return Err(Step::Wait) };
        if let State::Value(_) = self.state {
            return self.value(c, input, deltas);
        }
        if c.is_whitespace() && !matches!(self.state, State::Name | State::Word) {
            input.skip(c.len_utf8());
            return Ok(());
        }
        match (&self.state, c) {
            (State::Item, '[') if !self.in_list => self.in_list = true,
            (State::Item, ']') if self.in_list && self.begun => self.state = State::Close,
            (State::Item, _) if is_word(c) => {
                self.word = c.to_string();
                self.state = State::Name;
            }
            (State::Name, '(') => self.open(deltas)?,
            (State::Name | State::Word, _) if is_word(c) && self.word.len() < MAX_NAME => self.word.push(c),
            (State::Argument, ')') => {
                input.skip(1);
                return self.end_call(deltas);
            }
            (State::Argument, _) if c.is_alphabetic() || c == '_' => {
                self.word = c.to_string();
                self.state = State::Word;
            }
            (State::Argument, _) => return self.positional(deltas),
            (State::Word, _) => {
                self.state = State::AfterWord;
                return Ok(());
            }
            (State::AfterWord, '=') => {
                let key = std::mem::take(&mut self.word);
                self.key(&key, deltas);
            }
            (State::AfterWord, _) => return self.word_value(c, deltas),
            (State::AfterArgument, ',') => self.state = State::Argument,
            (State::AfterArgument, ')') => {
                input.skip(1);
                return self.end_call(deltas);
            }
            (State::AfterWrapped, ')') => self.state = State::AfterCall,
            _ => return Err(self.fail()),
        }
        input.skip(c.len_utf8());
        Ok(())
    }

    /// The parenthesis after a name.
    fn open(&mut self, deltas: &mut Deltas) -> Result<(), Step> {
        if self.word == "print" && !self.wrapped && !deltas.tools.offers("print") {
            self.wrapped = true;
            self.state = State::Item;
            return Ok(());
        }
        let name = (self.form.name)(&self.word).to_owned();
        if !is_name(&name) {
            return Err(self.fail());
        }
        deltas.begin(&name, None);
        self.name = name;
        (self.begun, self.count) = (true, 0);
        self.state = State::Argument;
        Ok(())
    }

    /// The key of the argument that follows.
    fn key(&mut self, key: &str, deltas: &mut Deltas) {
        deltas.arguments(if self.count == 0 { "{" } else { "," });
        deltas.arguments(&quoted(key));
        deltas.arguments(":");
        self.count += 1;
        self.state = State::Value(LiteralScanner::new());
    }

    /// An argument without a key gets it from the order in the tool's schema.
    fn positional(&mut self, deltas: &mut Deltas) -> Result<(), Step> {
        let key = deltas.tools.positional(&self.name, self.count).map(str::to_owned).ok_or(Step::Fail)?;
        self.key(&key, deltas);
        Ok(())
    }

    /// The word that has been read is no key but a value, such as `True`.
    fn word_value(&mut self, next: char, deltas: &mut Deltas) -> Result<(), Step> {
        if !matches!(next, ',' | ')') {
            return Err(Step::Fail);
        }
        let value = super::literal::value(&self.word).ok_or(Step::Fail)?;
        self.positional(deltas)?;
        deltas.arguments(&value);
        self.state = State::AfterArgument;
        Ok(())
    }

    fn value(&mut self, c: char, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let State::Value(scanner) = &mut self.state else { return Ok(()) };
        let mut text = String::new();
        let progress = scanner.push(c, &mut text).map_err(|_| Step::Fail)?;
        deltas.arguments(&text);
        if progress != Progress::EndBefore {
            input.skip(c.len_utf8());
        }
        if progress != Progress::More {
            self.state = State::AfterArgument;
        }
        Ok(())
    }

    fn end_call(&mut self, deltas: &mut Deltas) -> Result<(), Step> {
        deltas.arguments(if self.count == 0 { "{}" } else { "}" });
        self.state = if self.wrapped { State::AfterWrapped } else { State::AfterCall };
        Ok(())
    }

    /// What follows a call: another one, or the end.
    fn after_call(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        input.skip_whitespace();
        match input.peek() {
            // A list is closed by its bracket, so that one that breaks off is malformed.
            None if !input.has_ended() || self.in_list => Err(Step::Wait),
            Some(']') if self.in_list => {
                input.skip(1);
                self.state = State::Close;
                Ok(())
            }
            Some(',') if self.in_list => self.next_call(1, input, deltas),
            Some(c) if !self.in_list && is_word(c) => self.next_call(0, input, deltas),
            Some(_) if self.in_list => Err(Step::Fail),
            _ => {
                self.state = State::Close;
                Ok(())
            }
        }
    }

    fn next_call(&mut self, skip: usize, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        deltas.end();
        input.skip(skip);
        input.mark(0);
        self.wrapped = false;
        self.state = State::Item;
        Ok(())
    }
}

/// Whether an argument of this name can be written with its name.
pub(super) fn is_identifier(key: &str) -> bool {
    key.starts_with(|c: char| c.is_alphabetic() || c == '_') && key.chars().all(is_word)
}

/// Whether `c` may stand in a name, of a tool or of an argument.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-')
}
