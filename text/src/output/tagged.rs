//! Text with marked passages: most formats. Content passes on until a marker opens a call or a thought.
//!
//! White space: what stands right before a marker (8 bytes at most) and right after a call, a thought or a dropped marker only separates
//! them and is not content; white space that stands in text, or after text that turned out to be no call, is.
//!
//! Models forget to close a thought before they call. So a call in a thought whose marker is a token of its own is read as a *draft*: it
//! is kept back, is the call where the answer ends right behind it, and is part of the thought where anything else follows.

use super::code::{CodeForm, INTERPRETERS};
use super::delta::Deltas;
use super::input::{Input, Match};
use super::reader::{Form, Reader, Step};
use super::reasoning::Tags;
use super::tool_call_format::{Place, ToolCallFormat};

/// White space before a marker that is taken for part of it, in bytes.
pub(super) const MAX_GAP: usize = 8;

/// A text that means something in content.
#[derive(Debug)]
struct Marker {
    text: String,
    place: Place,
    what: What,
}

#[derive(Debug)]
enum What {
    /// Calls follow. `weak`: unless it is ordinary text. `keep`: the marker is the first character of a call. `name`: the marker
    /// was the name of this tool.
    Calls { form: &'static Form, weak: bool, keep: bool, name: Option<String> },
    /// A thought follows.
    Thought,
    /// Nothing: the marker stands between parts and is dropped.
    Nothing,
}

#[derive(Debug)]
enum Mode {
    Content,
    /// `start`: nothing of the thought has come yet.
    Thought {
        start: bool,
    },
    Calls(Box<Calls>),
    /// Inside a malformed call, up to the marker that closes it or opens another.
    Malformed {
        close: Option<&'static str>,
    },
}

/// The calls that are being read.
#[derive(Debug)]
struct Calls {
    reader: Reader,
    weak: bool,
    /// Bytes from the mark to the end of the marker.
    marker: usize,
    /// How many calls had been announced when the marker came.
    announced: u32,
}

/// Where content has been found to end, or may end.
struct Found {
    offset: usize,
    /// The marker, if one surely stands there.
    marker: Option<usize>,
}

/// Parses text with marked passages.
#[derive(Debug)]
pub(super) struct Tagged {
    markers: Vec<Marker>,
    /// The markers that begin with a byte.
    by_first: Vec<Vec<usize>>,
    tags: Option<Tags>,
    code: Option<&'static CodeForm>,
    interpreter: &'static str,
    mode: Mode,
    /// Whether only white space has come since the beginning, the last thought or the last call.
    fresh: bool,
    line_start: bool,
    /// Whether white space that comes next is to be dropped.
    trim: bool,
    /// Whether what is read stands in a thought, and is a call only if the answer ends behind it.
    is_draft: bool,
    /// Whether a thought has been closed.
    is_behind_thought: bool,
}

impl Tagged {
    pub fn new(
        tool_call_format: Option<ToolCallFormat>,
        tags: Option<Tags>,
        deltas: &Deltas,
        in_thought: bool,
    ) -> Self {
        let mut markers = Vec::new();
        let mut add = |text: &str, place, what| markers.push(Marker { text: text.to_owned(), place, what });
        if let Some(tags) = tags {
            add(tags.open, Place::Start, What::Thought);
            tags.around_answer.iter().for_each(|text| add(text, Place::Anywhere, What::Nothing));
        }
        let spec = tool_call_format.map(ToolCallFormat::spec);
        if let Some(spec) = spec {
            for marker in spec.start_markers {
                let (weak, keep) = (marker.weak, marker.keep);
                add(marker.text, marker.place, What::Calls { form: marker.form, weak, keep, name: None });
            }
            spec.ornaments.iter().for_each(|(text, place)| add(text, *place, What::Nothing));
            if let Some((form, place)) = spec.names {
                for name in deltas.tools.names() {
                    let what = What::Calls { form, weak: true, keep: false, name: Some(name.to_owned()) };
                    add(&format!("{name}\n"), place, what);
                }
            }
        }
        let mut by_first = vec![Vec::new(); 256];
        for (which, marker) in markers.iter().enumerate() {
            if let Some(first) = marker.text.bytes().next() {
                by_first[usize::from(first)].push(which);
            }
        }
        let offered = INTERPRETERS.into_iter().find(|name| deltas.tools.offers(name));
        Self {
            markers,
            by_first,
            tags,
            code: spec.and_then(|spec| spec.code.as_ref()),
            interpreter: offered.unwrap_or(INTERPRETERS[0]),
            mode: if in_thought && tags.is_some() { Mode::Thought { start: true } } else { Mode::Content },
            fresh: true,
            line_start: true,
            trim: false,
            is_draft: false,
            is_behind_thought: false,
        }
    }

    /// The longest text that may be held back while no call is open, in bytes.
    pub fn longest_hold(&self) -> usize {
        let markers = self.markers.iter().map(|marker| marker.text.len());
        let close = self.tags.map_or(0, |tags| tags.close.len());
        MAX_GAP + markers.max().unwrap_or(0).max(close)
    }

    /// Whether a thought is being read.
    pub fn in_reasoning(&self) -> bool {
        matches!(self.mode, Mode::Thought { .. }) || self.is_draft
    }

    /// Whether a thought has been closed, and none is being read.
    pub fn answers(&self) -> bool {
        self.is_behind_thought && !self.in_reasoning()
    }

    /// Whether a call is being read, so that its text is kept.
    pub fn in_call(&self) -> bool {
        matches!(self.mode, Mode::Calls(_) | Mode::Malformed { .. }) || self.is_draft
    }

    /// Reads as far as the text goes.
    pub fn read(&mut self, input: &mut Input, deltas: &mut Deltas) {
        while match self.mode {
            Mode::Content => self.content(input, deltas),
            Mode::Thought { start } => self.thought(start, input, deltas),
            Mode::Calls(_) => self.calls(input, deltas),
            Mode::Malformed { close } => self.malformed(close, input, deltas),
        } || self.draft_is_over(input, deltas)
        {}
    }

    /// At the end of the answer: whether what was read as a draft is thought after all, and has to be read again.
    fn draft_is_over(&mut self, input: &mut Input, deltas: &mut Deltas) -> bool {
        if !self.is_draft || !input.has_ended() {
            return false;
        }
        let is_call = matches!(self.mode, Mode::Content) && input.is_whole();
        if !is_call || !deltas.keep_draft() {
            self.drop_draft(input, deltas);
            return true;
        }
        input.end_draft();
        self.is_draft = false;
        false
    }

    /// Whether a token of this text closes thoughts.
    pub fn closes_thought(&self, text: &str) -> bool {
        self.tags.is_some_and(|tags| tags.close == text)
    }

    /// A draft is part of the thought: what was read of it is read again as that.
    pub fn drop_draft(&mut self, input: &mut Input, deltas: &mut Deltas) {
        if self.is_draft {
            deltas.drop_draft();
            input.rewind_draft();
            self.is_draft = false;
            self.mode = Mode::Thought { start: false };
        }
    }

    fn content(&mut self, input: &mut Input, deltas: &mut Deltas) -> bool {
        if self.trim {
            input.skip_whitespace();
            self.trim = input.rest().is_empty();
        }
        let found = self.find(input);
        let end = found.as_ref().map_or(input.rest().len(), |found| found.offset);
        let marker = found.and_then(|found| found.marker);
        let is_thought = marker.is_some_and(|marker| matches!(self.markers[marker].what, What::Thought));
        if self.is_draft && (is_thought || !input.rest()[..end].trim_start().is_empty()) {
            self.drop_draft(input, deltas);
            return true;
        }
        let gap = if marker.is_none() && input.has_ended() { 0 } else { gap(&input.rest()[..end]) };
        self.emit(&input.rest()[..end - gap], deltas);
        input.skip(end - gap);
        let Some(marker) = marker else { return false };
        let Marker { text, what, .. } = &self.markers[marker];
        match what {
            What::Nothing => {
                input.skip(gap + text.len());
                (self.line_start, self.trim) = (true, self.fresh);
            }
            What::Thought => {
                input.skip(gap + text.len());
                self.mode = Mode::Thought { start: true };
            }
            What::Calls { form, weak, keep, name } => {
                input.mark(0);
                let reader = Reader::new(form, text, *weak, name.clone());
                input.skip(gap + if *keep { 0 } else { text.len() });
                let calls = Calls { reader, weak: *weak, marker: gap + text.len(), announced: deltas.announced() };
                self.mode = Mode::Calls(Box::new(calls));
            }
        }
        true
    }

    /// The first place where a marker stands or may stand.
    fn find(&self, input: &Input) -> Option<Found> {
        let rest = input.rest();
        let first_ink = rest.len() - rest.trim_start().len();
        let bytes = rest.as_bytes();
        for (offset, byte) in bytes.iter().enumerate() {
            let mut maybe = false;
            for which in &self.by_first[usize::from(*byte)] {
                let Marker { text, place, .. } = &self.markers[*which];
                let fits = match place {
                    Place::Anywhere => true,
                    Place::Start => self.fresh && offset <= first_ink,
                    Place::Line if offset == 0 => self.line_start,
                    Place::Line => bytes[offset - 1] == b'\n',
                };
                if !fits {
                    continue;
                }
                match input.starts_at(offset, text) {
                    Match::Yes => return Some(Found { offset, marker: Some(*which) }),
                    Match::Maybe => maybe = true,
                    Match::No => {}
                }
            }
            if maybe {
                return Some(Found { offset, marker: None });
            }
        }
        None
    }

    fn emit(&mut self, text: &str, deltas: &mut Deltas) {
        deltas.text(text);
        if let Some(last) = text.bytes().last() {
            self.line_start = last == b'\n';
            self.fresh &= text.trim().is_empty();
        }
    }

    fn thought(&mut self, start: bool, input: &mut Input, deltas: &mut Deltas) -> bool {
        let Some(tags) = self.tags else {
            self.mode = Mode::Content;
            return true;
        };
        if start {
            input.skip_whitespace();
            match input.starts(tags.open) {
                _ if input.rest().is_empty() => return false,
                Match::Maybe => return false,
                // Where the prompt has opened the thought, models open it once more at times.
                Match::Yes => input.skip(tags.open.len()),
                Match::No => self.mode = Mode::Thought { start: false },
            }
            return true;
        }
        let found = input.find(&[tags.close]);
        let end = found.map_or(input.rest().len(), |(offset, _)| offset);
        let call = input.token().filter(|offset| *offset <= end && self.opens_calls(&input.rest()[*offset..]));
        if let Some(offset) = call {
            let gap = gap(&input.rest()[..offset]);
            deltas.reasoning(&input.rest()[..offset - gap]);
            input.skip(offset - gap);
            input.begin_draft();
            input.forget_token();
            deltas.begin_draft();
            self.go_on();
            self.is_draft = true;
            return true;
        }
        let closed = matches!(found, Some((_, Some(_))));
        let gap = if !closed && input.has_ended() { 0 } else { gap(&input.rest()[..end]) };
        deltas.reasoning(&input.rest()[..end - gap]);
        input.skip(end - gap);
        if closed {
            input.skip(gap + tags.close.len());
            self.go_on();
            self.is_behind_thought = true;
        }
        closed
    }

    /// Whether a marker of the format's begins `text`: calls follow it, or it stands around them.
    fn opens_calls(&self, text: &str) -> bool {
        let around = self.tags.map_or(&[][..], |tags| tags.around_answer);
        self.markers.iter().any(|marker| match marker.what {
            What::Calls { .. } => text.starts_with(&marker.text),
            What::Nothing => text.starts_with(&marker.text) && !around.contains(&marker.text.as_str()),
            What::Thought => false,
        })
    }

    /// To content, after a call or a thought.
    fn go_on(&mut self) {
        self.mode = Mode::Content;
        (self.fresh, self.line_start, self.trim) = (true, true, true);
    }

    fn calls(&mut self, input: &mut Input, deltas: &mut Deltas) -> bool {
        let Mode::Calls(calls) = &mut self.mode else { return true };
        match calls.reader.read(input, deltas) {
            Step::Wait if !input.has_ended() => return false,
            Step::Done => {
                input.unmark();
                self.go_on();
            }
            Step::Code { name, rewind } => match self.code {
                Some(form) => {
                    if rewind {
                        input.rewind(calls.marker);
                    }
                    let name = if rewind { self.interpreter } else { name };
                    calls.reader = Reader::code(form, name);
                }
                None if self.is_draft => self.drop_draft(input, deltas),
                None => self.no_call(input, deltas),
            },
            // The reader failed, or the text is over in the middle of a call.
            _ if self.is_draft => self.drop_draft(input, deltas),
            step => {
                let first = deltas.announced() == calls.announced;
                match calls.weak && !deltas.is_open() || first && step == Step::NotACall {
                    true => self.no_call(input, deltas),
                    false => self.mode = Mode::Malformed { close: calls.reader.close() },
                }
            }
        }
        true
    }

    /// What stands behind the marker is no call: the marker goes out, and what follows is read as content.
    fn no_call(&mut self, input: &mut Input, deltas: &mut Deltas) {
        let Mode::Calls(calls) = &self.mode else { return };
        let first = deltas.announced() == calls.announced;
        // Of a further call, its first character goes out.
        let whole = input.raw().len();
        let keep = if first { calls.marker } else { input.raw().chars().next().map_or(0, char::len_utf8) };
        input.rewind(keep.min(whole));
        match calls.weak {
            true => {
                let raw = input.raw().to_owned();
                self.emit(&raw, deltas);
            }
            false => {
                deltas.malformed(input.raw());
                (self.fresh, self.line_start) = (false, false);
            }
        }
        input.unmark();
        (self.mode, self.trim) = (Mode::Content, false);
    }

    fn malformed(&mut self, close: Option<&'static str>, input: &mut Input, deltas: &mut Deltas) -> bool {
        let opens = |marker: &&Marker| matches!(marker.what, What::Calls { .. }) && marker.place == Place::Anywhere;
        let mut ends: Vec<&str> = close.into_iter().collect();
        ends.extend(self.markers.iter().filter(opens).map(|marker| marker.text.as_str()));
        let found = input.find(&ends);
        let end = found.map_or(input.rest().len(), |(offset, _)| offset);
        input.skip(end);
        match found {
            Some((_, Some(0))) => input.skip(close.map_or(0, str::len)),
            Some((_, Some(_))) => {}
            _ if input.is_over() => {}
            _ => return false,
        }
        deltas.malformed(input.raw());
        input.unmark();
        self.mode = Mode::Content;
        (self.fresh, self.line_start, self.trim) = (false, false, false);
        true
    }
}

/// Bytes of white space at the end of `text` that are held, since a marker may follow.
fn gap(text: &str) -> usize {
    let white = text.len() - text.trim_end().len();
    let mut gap = white.min(MAX_GAP);
    while !text.is_char_boundary(text.len() - gap) {
        gap -= 1;
    }
    gap
}
