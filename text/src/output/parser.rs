//! The parser: text and control tokens in, deltas out.

use super::delta::{Delta, Deltas};
use super::ids::{IdForm, Ids};
use super::input::Input;
use super::messages::Messages;
use super::reasoning::ReasoningFormat;
use super::tagged::Tagged;
use super::tool_call_format::ToolCallFormat;
use super::tools::{ToolSpec, Tools};

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutputFormat {
    /// How calls are written; with `None` nothing is taken for a call.
    pub tool_call_format: Option<ToolCallFormat>,
    /// How thoughts are marked; with `None` only harmony's channels are told apart.
    pub reasoning: Option<ReasoningFormat>,
    /// From which the ids of calls are made that carry none. It has to differ from answer to answer of a conversation, since the
    /// results of calls are matched by their ids.
    pub id_seed: u64,
}

/// Takes an answer apart as it is generated.
///
/// ```
/// use inglenook_text::output::{Delta, OutputFormat, OutputParser, ToolCallFormat};
///
/// let format = OutputFormat { tool_call_format: Some(ToolCallFormat::Hermes), ..OutputFormat::default() };
/// let mut parser = OutputParser::new(&format, &[], false);
/// let mut deltas = Vec::new();
/// for text in ["Let me look.\n<tool", "_call>\n{\"name\": \"now\", \"argum", "ents\": {}}\n</tool_call>"] {
///     parser.push(text, &mut deltas);
/// }
/// parser.finish(&mut deltas);
/// assert_eq!(deltas[0], Delta::Text("Let me look.".into()));
/// assert!(matches!(&deltas[1], Delta::CallBegin { index: 0, name, .. } if name == "now"));
/// assert_eq!(deltas[2], Delta::CallArguments { index: 0, text: "{}".into() });
/// assert_eq!(deltas[3], Delta::CallEnd { index: 0 });
/// ```
#[derive(Debug)]
pub struct OutputParser {
    machine: Machine,
    input: Input,
    deltas: Deltas,
    /// The control tokens that mean something.
    controls: Vec<&'static str>,
}

#[derive(Debug)]
enum Machine {
    Tagged(Box<Tagged>),
    Messages(Messages),
}

impl OutputParser {
    /// A parser for one answer. `tools` are those that were offered; `starts_in_reasoning` is what
    /// [`super::starts_in_reasoning`] says of the prompt.
    pub fn new(format: &OutputFormat, tools: &[ToolSpec], starts_in_reasoning: bool) -> Self {
        let OutputFormat { tool_call_format, reasoning, id_seed } = *format;
        let form = tool_call_format.map_or(IdForm::Call, |format| format.spec().ids);
        let deltas = Deltas::new(Tools::new(tools), Ids::new(form, id_seed));
        let harmony = tool_call_format == Some(ToolCallFormat::Harmony)
            || (tool_call_format.is_none() && reasoning == Some(ReasoningFormat::Harmony));
        let tags = reasoning.and_then(ReasoningFormat::tags);
        let machine = match harmony {
            true => Machine::Messages(Messages::new(starts_in_reasoning)),
            false => Machine::Tagged(Box::new(Tagged::new(tool_call_format, tags, &deltas, starts_in_reasoning))),
        };
        let mut controls = Vec::new();
        if let Some(spec) =
            if harmony { Some(ToolCallFormat::Harmony) } else { tool_call_format }.map(ToolCallFormat::spec)
        {
            controls.extend(spec.start_markers.iter().map(|marker| marker.text));
            controls.extend(spec.ornaments.iter().map(|(text, _)| *text));
            controls.extend(spec.inner);
        }
        if let Some(tags) = tags {
            controls.extend([tags.open, tags.close]);
            controls.extend(tags.around_answer);
        }
        Self { machine, input: Input::default(), deltas, controls }
    }

    /// Takes more of the answer's text and appends what is sure to `out`.
    pub fn push(&mut self, text: &str, out: &mut Vec<Delta>) {
        self.input.push(text);
        self.read(out);
    }

    /// Takes more text, up to the first character behind which `ends` says so; how many bytes that were.
    pub fn push_until(&mut self, text: &str, ends: &mut dyn FnMut(&Self, char) -> bool, out: &mut Vec<Delta>) -> usize {
        let mut taken = 0;
        for c in text.chars() {
            self.input.push(c.encode_utf8(&mut [0; 4]));
            self.step();
            taken += c.len_utf8();
            if ends(self, c) {
                break;
            }
        }
        self.read(out);
        taken
    }

    /// Takes a control token by its name, as decoded text leaves it out. One that is no marker is dropped; one that is counts the
    /// same as its name written as text, and for sure where text may only look like a marker.
    pub fn push_control(&mut self, name: &str, out: &mut Vec<Delta>) {
        if !self.is_marker(name) {
            // Markers may consist of several tokens, such as a tag of Kimi K3: its brackets are tokens and its name is text.
            if self.controls.iter().any(|control| control.contains(name)) {
                self.push(name, out);
            }
            return;
        }
        if let Machine::Tagged(tagged) = &mut self.machine
            && tagged.closes_thought(name)
        {
            tagged.drop_draft(&mut self.input, &mut self.deltas);
        }
        self.input.push_token(name);
        self.read(out);
    }

    /// Whether a token of this text means something.
    pub fn is_marker(&self, name: &str) -> bool {
        // Vocabularies have the opening of Gemma's thought as one token and its word as another.
        self.controls.iter().any(|control| *control == name || control.strip_suffix("thought") == Some(name))
    }

    /// The answer is over: appends what was held back. Nothing may be pushed after that.
    pub fn finish(&mut self, out: &mut Vec<Delta>) {
        self.end(false, out);
    }

    /// The answer was cut off: appends what was held back. A call that the model had not closed is malformed then, where
    /// [`OutputParser::finish`] takes one that lacks nothing but that for whole.
    pub fn cut_off(&mut self, out: &mut Vec<Delta>) {
        self.end(true, out);
    }

    fn end(&mut self, is_cut: bool, out: &mut Vec<Delta>) {
        self.input.end(is_cut);
        self.read(out);
    }

    fn read(&mut self, out: &mut Vec<Delta>) {
        self.step();
        self.input.compact();
        self.deltas.drain_into(out);
    }

    fn step(&mut self) {
        match &mut self.machine {
            Machine::Tagged(tagged) => tagged.read(&mut self.input, &mut self.deltas),
            Machine::Messages(messages) => messages.read(&mut self.input, &mut self.deltas),
        }
    }

    /// Whether the answer proper has begun behind a thought: the thought is closed; in harmony, the channel `final` is open.
    pub fn answers(&self) -> bool {
        match &self.machine {
            Machine::Tagged(tagged) => tagged.answers(),
            Machine::Messages(messages) => messages.answers(),
        }
    }

    /// Whether the text so far ends inside a thought. A call in a thought is part of it until the answer is known to end behind it.
    pub fn in_reasoning(&self) -> bool {
        match &self.machine {
            Machine::Tagged(tagged) => tagged.in_reasoning(),
            Machine::Messages(messages) => messages.in_reasoning(),
        }
    }

    /// Whether the text so far ends inside a call.
    pub fn in_call(&self) -> bool {
        match &self.machine {
            Machine::Tagged(tagged) => tagged.in_call(),
            Machine::Messages(messages) => messages.in_call(),
        }
    }

    /// Bytes that are kept: held back or, inside a call, its text so far.
    pub fn held(&self) -> usize {
        self.input.held()
    }

    /// The most bytes that are ever held back outside a call.
    pub fn longest_hold(&self) -> usize {
        match &self.machine {
            Machine::Tagged(tagged) => tagged.longest_hold(),
            Machine::Messages(_) => Messages::LONGEST_HOLD,
        }
    }
}
