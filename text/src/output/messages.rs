//! Harmony's messages: a header that says who is spoken to and in which channel, then a body.
//!
//! The channel `analysis` is reasoning; `final`, and `commentary` that is addressed to no one, is content; a message with an
//! address is a call. An answer begins inside a header, since the prompt ends with `<|start|>assistant`.

use super::code::INTERPRETERS;
use super::delta::Deltas;
use super::input::Input;
use super::json::{JsonScanner, Progress};
use super::json_object::pass_on;
use super::reader::is_name;

const START: &str = "<|start|>";
const CHANNEL: &str = "<|channel|>";
const MESSAGE: &str = "<|message|>";
const CONSTRAIN: &str = "<|constrain|>";
/// What may end a body; the last two begin the next header.
const ENDS: [&str; 5] = ["<|end|>", "<|return|>", "<|call|>", START, CHANNEL];

/// The longest header, in bytes.
const MAX_HEADER: usize = 512;

#[derive(Debug)]
enum State {
    /// Between messages, and at the beginning.
    Between,
    /// Inside a header; the mark stands where it begins.
    Header,
    Reasoning,
    Text,
    /// Before the arguments of a call.
    BeforeArguments {
        name: String,
        code: bool,
    },
    Arguments(JsonScanner),
    AfterArguments,
    /// Code for an interpreter.
    Code,
    Malformed,
}

/// Parses a series of messages.
#[derive(Debug)]
pub(super) struct Messages {
    state: State,
    /// Whether a message of the channel `final` has begun.
    is_final: bool,
}

impl Messages {
    /// The most bytes that are held back outside calls: a header.
    pub const LONGEST_HOLD: usize = MAX_HEADER + MESSAGE.len();

    /// `in_reasoning`: the prompt has opened a message of the channel `analysis`.
    pub fn new(in_reasoning: bool) -> Self {
        Self { state: if in_reasoning { State::Reasoning } else { State::Between }, is_final: false }
    }

    /// Whether the answer proper has begun, with its channel.
    pub fn answers(&self) -> bool {
        self.is_final
    }

    pub fn in_reasoning(&self) -> bool {
        matches!(self.state, State::Reasoning)
    }

    pub fn in_call(&self) -> bool {
        !matches!(self.state, State::Between | State::Header | State::Reasoning | State::Text)
    }

    /// Reads as far as the text goes.
    pub fn read(&mut self, input: &mut Input, deltas: &mut Deltas) {
        while match &mut self.state {
            State::Between => self.between(input),
            State::Header => self.header(input),
            State::Reasoning => self.body(input, |text| deltas.reasoning(text)),
            State::Text => self.body(input, |text| deltas.text(text)),
            State::BeforeArguments { .. } => self.before_arguments(input, deltas),
            State::Arguments(_) => self.arguments(input, deltas),
            State::AfterArguments => self.after_arguments(input, deltas),
            State::Code => self.code(input, deltas),
            State::Malformed => self.malformed(input, deltas),
        } {}
    }

    /// A header, or text without one.
    fn between(&mut self, input: &mut Input) -> bool {
        // White space between messages is none of them.
        input.skip_whitespace();
        let rest = input.rest();
        if rest.is_empty() {
            return false;
        }
        // An answer goes on in the header that the prompt has begun, or begins one.
        let begins = [START, CHANNEL, "to="];
        let header = begins.iter().any(|begin| rest.starts_with(begin));
        let may_be = begins.iter().any(|begin| begin.starts_with(rest));
        if !header && may_be && !input.has_ended() {
            return false;
        }
        self.state = if header { State::Header } else { State::Text };
        if header {
            input.mark(0);
        }
        true
    }

    fn header(&mut self, input: &mut Input) -> bool {
        let ends = [MESSAGE, "<|end|>", "<|return|>", "<|call|>"];
        let found = input.find_within(MAX_HEADER + 1, &ends);
        let len = found.map_or(input.rest().len(), |(len, _)| len);
        match found {
            Some((_, Some(0))) if len <= MAX_HEADER => {
                let header = Header::of(&input.rest()[..len]);
                input.skip(len + MESSAGE.len());
                self.open(header, input);
                true
            }
            None | Some((_, None)) if len <= MAX_HEADER && !input.has_ended() => false,
            _ => {
                // The marker that begins the header would end the malformed message.
                input.skip(input.peek().map_or(0, char::len_utf8));
                self.state = State::Malformed;
                true
            }
        }
    }

    /// The state of a body behind `header`.
    fn open(&mut self, header: Header, input: &mut Input) {
        self.is_final |= header.recipient.is_none() && header.channel == Channel::Final;
        self.state = match header {
            Header { recipient: Some(name), .. } if !is_name(&name) => State::Malformed,
            Header { recipient: Some(name), json, .. } => {
                let code = !json && INTERPRETERS.contains(&name.as_str());
                State::BeforeArguments { name, code }
            }
            Header { channel: Channel::Analysis, .. } => State::Reasoning,
            Header { channel: Channel::Final | Channel::Other, .. } => State::Text,
        };
        if matches!(self.state, State::Reasoning | State::Text) {
            input.unmark();
        }
    }

    /// Passes a body on up to its end.
    fn body(&mut self, input: &mut Input, mut pass_on: impl FnMut(&str)) -> bool {
        let found = input.find(&ENDS);
        let len = found.map_or(input.rest().len(), |(len, _)| len);
        pass_on(&input.rest()[..len]);
        input.skip(len);
        self.end(found, input)
    }

    /// Reads what ends a body, if it was found.
    fn end(&mut self, found: Option<(usize, Option<usize>)>, input: &mut Input) -> bool {
        let Some((_, Some(which))) = found else { return false };
        let end = ENDS[which];
        if end != START && end != CHANNEL {
            input.skip(end.len());
        }
        self.state = State::Between;
        true
    }

    fn before_arguments(&mut self, input: &mut Input, deltas: &mut Deltas) -> bool {
        let State::BeforeArguments { name, code } = &self.state else { return true };
        input.skip_whitespace();
        let json = match input.peek() {
            None if !input.has_ended() => return false,
            first => first == Some('{'),
        };
        self.state = match (json, *code) {
            (true, _) => {
                deltas.announce(name.clone(), None);
                State::Arguments(JsonScanner::new())
            }
            (false, true) => {
                deltas.announce(name.clone(), None);
                deltas.arguments("{\"code\":\"");
                State::Code
            }
            (false, false) => State::Malformed,
        };
        true
    }

    fn arguments(&mut self, input: &mut Input, deltas: &mut Deltas) -> bool {
        let State::Arguments(scanner) = &mut self.state else { return true };
        match pass_on(scanner, input, deltas) {
            Ok(Progress::More) if !input.has_ended() => return false,
            Ok(Progress::End) => self.state = State::AfterArguments,
            _ => self.state = State::Malformed,
        }
        true
    }

    fn after_arguments(&mut self, input: &mut Input, deltas: &mut Deltas) -> bool {
        input.skip_whitespace();
        let found = input.find(&ENDS);
        match found {
            Some((0, Some(_))) => {}
            Some((0, None)) => return false,
            None if input.rest().is_empty() && !input.has_ended() => return false,
            None if input.is_whole() => {}
            _ => {
                self.state = State::Malformed;
                return true;
            }
        }
        deltas.end();
        input.unmark();
        self.end(found, input)
    }

    fn code(&mut self, input: &mut Input, deltas: &mut Deltas) -> bool {
        let found = input.find(&ENDS);
        let len = found.map_or(input.rest().len(), |(len, _)| len);
        let mut text = String::new();
        super::json::push_quoted(&input.rest()[..len], &mut text);
        deltas.arguments(&text);
        input.skip(len);
        let ended = matches!(found, Some((_, Some(_)))) || input.is_whole();
        if !ended && input.is_over() {
            self.state = State::Malformed;
            return true;
        }
        if !ended {
            return false;
        }
        deltas.arguments("\"}");
        deltas.end();
        input.unmark();
        self.end(found, input)
    }

    /// Up to the end of a message that is malformed.
    fn malformed(&mut self, input: &mut Input, deltas: &mut Deltas) -> bool {
        let found = input.find(&ENDS[..4]);
        let len = found.map_or(input.rest().len(), |(len, _)| len);
        input.skip(len);
        let over = matches!(found, Some((_, Some(_))));
        if !over && !input.is_over() {
            return false;
        }
        let went_on = self.end(found, input);
        deltas.malformed(input.raw());
        input.unmark();
        went_on
    }
}

/// The channels as far as they matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    Analysis,
    Final,
    Other,
}

/// What a header says.
#[derive(Debug)]
struct Header {
    channel: Channel,
    /// Who is spoken to, without the prefix `functions.`.
    recipient: Option<String>,
    /// Whether the body is constrained to JSON.
    json: bool,
}

impl Header {
    /// Reads `<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json`, whose parts stand in any order.
    fn of(text: &str) -> Self {
        let recipient = text.split_once("to=").map(|(_, rest)| rest.split(|c: char| c.is_whitespace() || c == '<'));
        let recipient = recipient.and_then(|mut words| words.next());
        let recipient = recipient.map(|name| name.strip_prefix("functions.").unwrap_or(name).to_owned());
        let channel = text.split(CHANNEL).nth(1).map_or("", str::trim_start);
        Self {
            channel: match channel {
                name if name.starts_with("analysis") => Channel::Analysis,
                name if name.starts_with("final") => Channel::Final,
                _ => Channel::Other,
            },
            recipient,
            json: text.contains(CONSTRAIN) || text.contains(" json"),
        }
    }
}
