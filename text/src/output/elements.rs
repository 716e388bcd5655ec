//! Calls that put each argument into an element of its name, all tags behind a mark: `‹mark›<city>Oslo‹mark›</city>`. Elements
//! within elements are objects, elements named `item` the values of an array.

use super::delta::Deltas;
use super::input::{Input, Match};
use super::json::{MAX_DEPTH, push_quoted, quoted};
use super::reader::{MAX_NAME, Step, expect, head, is_name, next_call};

/// The markers of the form.
#[derive(Debug)]
pub(super) struct ElementsForm {
    /// What stands around the calls.
    pub wrapper: (&'static str, &'static str),
    /// What stands before a name.
    pub open: &'static str,
    /// What ends the name.
    pub name_end: &'static str,
    /// What stands before every tag.
    pub mark: &'static str,
    /// What ends a call, behind the mark.
    pub close: &'static str,
}

/// The name of elements that are the values of an array.
const ITEM: &str = "item";

#[derive(Debug)]
enum State {
    /// Before `open`, within the wrapper.
    Lead,
    Name,
    /// Between elements.
    Next,
    /// A tag, behind its mark; in `kept` what stands before it, if that may be a value.
    Tag,
    /// The name of an element.
    Key,
    /// A string, passed on as it comes.
    Text,
    /// A value, or white space before elements.
    Kept,
    /// Between calls within the wrapper, or at the end.
    Close,
}

/// Reads calls in the form of `form`.
#[derive(Debug)]
pub(super) struct ElementsReader {
    pub form: &'static ElementsForm,
    state: State,
    name: String,
    /// The elements that are open.
    keys: Vec<String>,
    /// For the call and each element that is open: what closes it in JSON, once it holds elements.
    closers: Vec<Option<&'static str>>,
    /// Whether an element has come on this level.
    filled: bool,
    /// What has come of a value.
    kept: Option<String>,
    begun: bool,
}

impl ElementsReader {
    pub fn new(form: &'static ElementsForm) -> Self {
        let (name, keys, closers) = (String::new(), Vec::new(), Vec::new());
        Self { form, state: State::Lead, name, keys, closers, filled: false, kept: None, begun: false }
    }

    /// Reads as far as the text goes.
    pub fn read(&mut self, input: &mut Input, deltas: &mut Deltas) -> Step {
        loop {
            let went_on = match self.state {
                State::Lead => self.lead(input),
                State::Name => self.name(input, deltas),
                State::Next => self.next(input),
                State::Tag => self.tag(input, deltas),
                State::Key => self.key(input, deltas),
                State::Text => self.text(input, deltas),
                State::Kept => self.kept(input),
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
        let head = head(&[self.form.name_end], false, input, Step::Fail)?;
        if !is_name(&head.text) {
            return Err(Step::Fail);
        }
        input.skip(head.len + self.form.name_end.len());
        deltas.begin(&head.text, None);
        deltas.arguments("{");
        self.name = head.text;
        (self.closers, self.filled) = (vec![Some("}")], false);
        self.state = State::Next;
        Ok(())
    }

    fn next(&mut self, input: &mut Input) -> Result<(), Step> {
        input.skip_whitespace();
        expect(self.form.mark, input, Step::Fail)?;
        self.state = State::Tag;
        Ok(())
    }

    fn tag(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let end = match self.keys.last() {
            Some(key) => format!("</{key}>"),
            None => self.form.close.to_owned(),
        };
        match (input.starts(&end), input.starts("<")) {
            (Match::Yes, _) => {
                input.skip(end.len());
                self.end_element(deltas);
                Ok(())
            }
            (Match::Maybe, _) | (_, Match::Maybe) => Err(Step::Wait),
            (_, Match::Yes) if self.kept.take().is_none_or(|text| text.trim().is_empty()) => {
                input.skip(1);
                self.state = State::Key;
                Ok(())
            }
            _ => Err(Step::Fail),
        }
    }

    /// The end of the innermost element, or of the call.
    fn end_element(&mut self, deltas: &mut Deltas) {
        let types = deltas.tools.types_at(&self.name, &self.keys);
        match (self.closers.pop().flatten(), self.kept.take()) {
            (Some(closer), _) => deltas.arguments(closer),
            (None, Some(text)) if text.trim().is_empty() && types.object => deltas.arguments("{}"),
            (None, Some(text)) if text.trim().is_empty() && types.array => deltas.arguments("[]"),
            (None, text) => deltas.arguments(&types.value(&text.unwrap_or_default())),
        }
        self.filled = true;
        self.state = if self.keys.pop().is_some() { State::Next } else { State::Close };
    }

    fn key(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let key = head(&[">"], true, input, Step::Fail)?;
        if key.text.is_empty() || key.text.len() > MAX_NAME || key.text.starts_with('/') {
            return Err(Step::Fail);
        }
        if self.keys.len() as u32 == MAX_DEPTH {
            return Err(Step::Fail);
        }
        input.skip(key.len + 1);
        let array = key.text == ITEM && !deltas.tools.types_at(&self.name, &self.keys).object;
        if let Some(closer) = self.closers.last_mut().filter(|closer| closer.is_none()) {
            *closer = Some(if array { "]" } else { "}" });
            deltas.arguments(if array { "[" } else { "{" });
            self.filled = false;
        }
        if self.filled {
            deltas.arguments(",");
        }
        if self.closers.last() == Some(&Some("}")) {
            deltas.arguments(&quoted(&key.text));
            deltas.arguments(":");
        } else if key.text != ITEM {
            return Err(Step::Fail);
        }
        self.keys.push(key.text);
        self.closers.push(None);
        let text = deltas.tools.types_at(&self.name, &self.keys).only_string();
        if text {
            deltas.arguments("\"");
        }
        self.kept = Some(String::new());
        self.state = if text { State::Text } else { State::Kept };
        Ok(())
    }

    fn text(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        let end = format!("{}</{}>", self.form.mark, self.keys.last().map_or("", String::as_str));
        let found = input.find(&[&end]);
        let len = found.map_or(input.rest().len(), |(len, _)| len);
        let mut text = String::new();
        push_quoted(&input.rest()[..len], &mut text);
        deltas.arguments(&text);
        input.skip(len);
        let Some((_, Some(_))) = found else { return Err(Step::Wait) };
        input.skip(end.len());
        deltas.arguments("\"");
        (self.kept, self.filled) = (None, true);
        self.keys.pop();
        self.closers.pop();
        self.state = State::Next;
        Ok(())
    }

    fn kept(&mut self, input: &mut Input) -> Result<(), Step> {
        let found = input.find(&[self.form.mark]);
        let len = found.map_or(input.rest().len(), |(len, _)| len);
        self.kept.get_or_insert_default().push_str(&input.rest()[..len]);
        input.skip(len);
        let Some((_, Some(_))) = found else { return Err(Step::Wait) };
        input.skip(self.form.mark.len());
        self.state = State::Tag;
        Ok(())
    }

    fn closing(&mut self, input: &mut Input, deltas: &mut Deltas) -> Result<(), Step> {
        next_call(input, deltas, self.form.open, self.form.wrapper)?;
        self.state = State::Lead;
        Ok(())
    }
}
