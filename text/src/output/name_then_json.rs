//! Calls as a name and a JSON object of arguments with a marker between: `name[ARGS]{…}`, `<function=name>{…}</function>`,
//! `name\n{…}` and their kin.

use super::delta::Deltas;
use super::input::{Input, Match};
use super::json::{JsonScanner, Progress};
use super::json_object::pass_on;
use super::reader::{Step, closing, head, is_name};

/// The markers around name and arguments.
#[derive(Debug)]
pub(super) struct NameThenJsonForm {
    /// What ends the name. `{` is the arguments' own and stays.
    pub name_ends: &'static [&'static str],
    /// Takes the text before the arguments apart: name and id.
    pub split: fn(&str) -> (&str, Option<&str>),
    /// A word that may stand in the name's place, with the name on a line of its own behind the marker.
    pub kind: Option<&'static str>,
    /// What stands before a call, for a call whose closing marker was forgotten.
    pub open: &'static str,
    /// What stands after the arguments.
    pub close: Option<&'static str>,
    /// The name of a tool that takes code in place of JSON.
    pub code: Option<&'static str>,
    /// The name that stands for the user: content follows.
    pub user: Option<&'static str>,
}

/// The whole text is the name.
pub(super) fn whole(head: &str) -> (&str, Option<&str>) {
    (head, None)
}

const FENCE: &str = "```json";
const FENCE_END: &str = "```";

#[derive(Debug)]
enum State {
    Head,
    /// After a `kind`: the name, or already the arguments.
    AfterKind,
    /// The name, up to the end of the line.
    Line,
    Begin,
    Arguments(JsonScanner),
    AfterFence,
    Close,
}

/// Reads calls in the form of `form`.
#[derive(Debug)]
pub(super) struct NameThenJsonReader {
    pub form: &'static NameThenJsonForm,
    state: State,
    name: String,
    id: Option<String>,
    fenced: bool,
    /// Whether the name is known to be one.
    named: bool,
}

impl NameThenJsonReader {
    /// `name` is the tool's where the marker gave it.
    pub fn new(form: &'static NameThenJsonForm, name: Option<String>) -> Self {
        let state = if name.is_some() { State::Begin } else { State::Head };
        Self { form, state, name: name.unwrap_or_default(), id: None, fenced: false, named: false }
    }

    /// Reads as far as the text goes.
    pub fn read(&mut self, input: &mut Input, deltas: &mut Deltas) -> Step {
        loop {
            let went_on = match self.state {
                State::Head => self.head(input),
                State::AfterKind => self.after_kind(input),
                State::Line => self.line(input),
                State::Begin => self.begin(input, deltas),
                State::Arguments(_) => self.arguments(input, deltas),
                State::AfterFence => self.after_fence(input),
                State::Close => Err(closing(input, deltas, self.form.close, self.form.open)),
            };
            if let Err(step) = went_on {
                return step;
            }
        }
    }

    fn fail(&self) -> Step {
        if self.named { Step::Fail } else { Step::NotACall }
    }

    fn head(&mut self, input: &mut Input) -> Result<(), Step> {
        let head = head(self.form.name_ends, false, input, self.fail())?;
        let (name, id) = (self.form.split)(&head.text);
        if !is_name(name) {
            return Err(self.fail());
        }
        let end = self.form.name_ends.get(head.end).filter(|end| **end != "{").map_or(0, |end| end.len());
        let read = head.len + end;
        self.name = name.to_owned();
        self.id = id.filter(|id| !id.is_empty()).map(str::to_owned);
        self.named = true;
        if self.form.user == Some(name) {
            input.skip(read);
            return Err(Step::Done);
        }
        self.state = if self.form.kind == Some(name) { State::AfterKind } else { State::Begin };
        input.skip(read);
        Ok(())
    }

    fn after_kind(&mut self, input: &mut Input) -> Result<(), Step> {
        input.skip_whitespace();
        self.state = match input.peek() {
            None => return Err(Step::Wait),
            // A tool that is called as the kind is.
            Some('{') => State::Begin,
            Some(_) => State::Line,
        };
        Ok(())
    }

    fn line(&mut self, input: &mut Input) -> Result<(), Step> {
        let line = head(&["\n"], false, input, self.fail())?;
        if !is_name(&line.text) {
            return Err(self.fail());
        }
        self.name = line.text;
        self.state = State::Begin;
        input.skip(line.len);
        Ok(())
    }

    fn begin(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        input.skip_whitespace();
        if !self.fenced {
            match input.starts(FENCE) {
                Match::Yes => {
                    self.fenced = true;
                    input.skip(FENCE.len());
                    return Ok(());
                }
                Match::Maybe => return Err(Step::Wait),
                Match::No => {}
            }
        }
        match input.peek() {
            None => Err(Step::Wait),
            Some('{') => {
                deltas.begin(&self.name, self.id.take());
                self.state = State::Arguments(JsonScanner::new());
                Ok(())
            }
            Some(_) => match self.form.code {
                Some(name) if name == self.name => Err(Step::Code { name, rewind: false }),
                _ => Err(self.fail()),
            },
        }
    }

    fn arguments(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let State::Arguments(scanner) = &mut self.state else { return Ok(()) };
        if pass_on(scanner, input, deltas)? == Progress::More {
            return Err(Step::Wait);
        }
        self.state = if self.fenced { State::AfterFence } else { State::Close };
        Ok(())
    }

    fn after_fence(&mut self, input: &mut Input) -> Result<(), Step> {
        input.skip_whitespace();
        match input.starts(FENCE_END) {
            Match::Yes => {
                input.skip(FENCE_END.len());
                self.state = State::Close;
                Ok(())
            }
            Match::Maybe => Err(Step::Wait),
            Match::No if input.is_whole() => {
                self.state = State::Close;
                Ok(())
            }
            Match::No => Err(Step::Fail),
        }
    }
}
