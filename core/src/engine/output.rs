//! From tokens to events: whole characters, then thoughts, calls and content apart, then what may be shown of them.
//!
//! Stop strings and content rules watch what the caller will show, not the model's markup: a stop string in a call's arguments
//! ends nothing. Content rules watch thoughts, too.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::{Event, FinishReason};
use super::request::{Request, RequestError};
use inglenook_text::output::{Delta, OutputFormat, OutputParser, ToolSpec};
use inglenook_text::rules::{ContentRules, Ended, Segmenter};
use inglenook_text::tokenizer::TokenKind;
use inglenook_text::{StreamDecoder, Tokenizer};

/// The way of an answer's tokens to its caller.
#[derive(Debug)]
pub(super) struct OutputPipeline {
    tokenizer: Arc<Tokenizer>,
    decoder: StreamDecoder,
    parser: OutputParser,
    content: ContentFilter,
    thoughts: ContentFilter,
    /// Whether a tool was called, and the call was whole.
    called: bool,
    deltas: Vec<Delta>,
}

/// A text that is shown as it grows.
#[derive(Debug)]
struct ContentFilter {
    rules: ContentRules,
    segments: Option<Segmenter>,
}

impl ContentFilter {
    /// What of `text` may be shown now, segment by segment, and whether a rule ends the answer.
    fn push(&mut self, text: &str) -> (Vec<String>, Option<FinishReason>) {
        let passed = self.rules.push(text);
        let ended = passed.ended.map(|ended| match ended {
            Ended::Stop => FinishReason::Stop,
            Ended::Rule => FinishReason::ContentFilter,
        });
        (self.cut(passed.text), ended)
    }

    /// What was held back, now that the text is at its end. Another may begin then.
    fn flush(&mut self) -> Vec<String> {
        let text = self.rules.flush();
        let mut texts = self.cut(text);
        texts.extend(self.segments.as_mut().map(Segmenter::flush));
        texts
    }

    fn cut(&mut self, text: String) -> Vec<String> {
        match &mut self.segments {
            Some(segments) => segments.push(&text),
            None => vec![text],
        }
    }
}

impl OutputPipeline {
    /// For an answer to `request` of a model that writes in `format`.
    ///
    /// # Errors
    /// [`RequestError::Rule`].
    pub fn new(
        tokenizer: Arc<Tokenizer>,
        request: &Request,
        format: &OutputFormat,
        tools: &[ToolSpec],
        starts_in_reasoning: bool,
    ) -> Result<OutputPipeline, RequestError> {
        let shown = |stops: &[&str]| -> Result<ContentFilter, RequestError> {
            let rules = ContentRules::new(stops, &request.content_rules)?;
            Ok(ContentFilter { rules, segments: request.segment.map(Segmenter::new) })
        };
        Ok(OutputPipeline {
            decoder: StreamDecoder::new(tokenizer.clone()),
            tokenizer,
            parser: OutputParser::new(format, tools, starts_in_reasoning),
            content: shown(&request.stop.strings())?,
            thoughts: shown(&[])?,
            called: false,
            deltas: Vec::new(),
        })
    }

    /// Takes the next token; the reason to end, if what it says is one.
    pub fn take(&mut self, token: u32, events: &mut VecDeque<Event>) -> Option<FinishReason> {
        self.take_until(token, &mut |_, _| false, events).1
    }

    /// Takes the next token, up to the first character behind which `ends` says so, if there is one: then how many bytes of the token
    /// come behind that. And the reason to end, if what was taken is one.
    pub fn take_until(
        &mut self,
        token: u32,
        ends: &mut dyn FnMut(&OutputParser, char) -> bool,
        events: &mut VecDeque<Event>,
    ) -> (Option<usize>, Option<FinishReason>) {
        let mut deltas = std::mem::take(&mut self.deltas);
        // A token that ends the answer is no text, whatever type the file gives it.
        let is_control = self.tokenizer.is_control(token) || self.tokenizer.is_stop(token);
        let text = match is_control {
            true => String::from_utf8_lossy(self.tokenizer.token_bytes(token)).into_owned(),
            false => self.decoder.push(token),
        };
        let rest = if is_control || self.is_marker(token, &text) {
            self.parser.push_control(&text, &mut deltas);
            // There is nothing behind a part of a token that steers the model.
            text.chars().any(|c| ends(&self.parser, c)).then_some(0)
        } else {
            let mut has_ended = false;
            let mut ends = |parser: &OutputParser, c| {
                has_ended = ends(parser, c);
                has_ended
            };
            let taken = self.parser.push_until(&text, &mut ends, &mut deltas);
            has_ended.then(|| text.len() - taken + self.decoder.discard())
        };
        let ended = deltas.drain(..).find_map(|delta| self.show(delta, events));
        self.deltas = deltas;
        (rest, ended)
    }

    /// Whether a token that is text to the tokenizer stands for a marker as a whole, as control tokens do. Many files have the markers
    /// of calls and thoughts as such.
    fn is_marker(&self, token: u32, text: &str) -> bool {
        self.tokenizer.token_kind(token) == Some(TokenKind::UserDefined) && self.parser.is_marker(text)
    }

    /// The end of the tokens: what was held back. `is_cut`: the model would have said more. The reason to have ended before, if there is
    /// one in it.
    pub fn finish(&mut self, is_cut: bool, events: &mut VecDeque<Event>) -> Option<FinishReason> {
        let mut deltas = Vec::new();
        self.parser.push(&self.decoder.flush(), &mut deltas);
        match is_cut {
            true => self.parser.cut_off(&mut deltas),
            false => self.parser.finish(&mut deltas),
        }
        let ended = deltas.into_iter().find_map(|delta| self.show(delta, events));
        self.release(events);
        ended
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Whether the model is thinking.
    pub fn in_reasoning(&self) -> bool {
        self.parser.in_reasoning()
    }

    /// Whether a call is under way.
    pub fn in_call(&self) -> bool {
        self.parser.in_call()
    }

    /// Whether a tool was called.
    pub fn called(&self) -> bool {
        self.called
    }

    fn show(&mut self, delta: Delta, events: &mut VecDeque<Event>) -> Option<FinishReason> {
        match delta {
            Delta::Text(text) => {
                let (texts, ended) = self.content.push(&text);
                tell(events, texts, |text| Event::Text { text });
                return ended;
            }
            Delta::Reasoning(text) => {
                let (texts, ended) = self.thoughts.push(&text);
                tell(events, texts, |text| Event::Reasoning { text });
                return ended;
            }
            _ => {}
        }
        // Nothing that is shown spans a call.
        self.release(events);
        match delta {
            Delta::CallBegin { index, id, name } => events.push_back(Event::ToolCall { index, id, name }),
            Delta::CallArguments { index, text } => events.push_back(Event::ToolArguments { index, text }),
            Delta::CallEnd { .. } => self.called = true,
            Delta::Malformed { index, text } => {
                // It will be shown, and so is held to the rules.
                let (texts, ended) = self.content.push(&text);
                let text = texts.into_iter().chain(self.content.flush()).collect();
                events.push_back(Event::MalformedCall { index, text });
                return ended;
            }
            Delta::Text(_) | Delta::Reasoning(_) => {}
        }
        None
    }

    /// Shows what is held back of thoughts and content.
    fn release(&mut self, events: &mut VecDeque<Event>) {
        tell(events, self.thoughts.flush(), |text| Event::Reasoning { text });
        tell(events, self.content.flush(), |text| Event::Text { text });
    }
}

fn tell(events: &mut VecDeque<Event>, texts: Vec<String>, event: impl Fn(String) -> Event) {
    events.extend(texts.into_iter().filter(|text| !text.is_empty()).map(event));
}
