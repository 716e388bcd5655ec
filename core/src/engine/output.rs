//! From tokens to events: whole characters, then thoughts, calls and content apart, then what may be shown of them.
//!
//! Stop strings and content rules watch what the caller will show, not the model's markup: a stop string in a call's arguments
//! ends nothing. Content rules watch thoughts, too.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::{Event, Finish};
use super::request::{Request, RequestError};
use crate::text::output::{OutputFormat, OutputParser, Piece, ToolSpec};
use crate::text::rules::{ContentRules, Ended, Segmenter};
use crate::text::{StreamDecoder, Tokenizer};

/// The way of an answer's tokens to its caller.
#[derive(Debug)]
pub(super) struct Output {
    tokenizer: Arc<Tokenizer>,
    decoder: StreamDecoder,
    parser: OutputParser,
    content: Shown,
    thoughts: Shown,
    /// Whether a tool was called, and the call was whole.
    called: bool,
    pieces: Vec<Piece>,
}

/// A text that is shown as it grows.
#[derive(Debug)]
struct Shown {
    rules: ContentRules,
    segments: Option<Segmenter>,
}

impl Shown {
    /// What of `text` may be shown now, segment by segment, and whether a rule ends the answer.
    fn push(&mut self, text: &str) -> (Vec<String>, Option<Finish>) {
        let passed = self.rules.push(text);
        let ended = passed.ended.map(|ended| match ended {
            Ended::Stop => Finish::Stop,
            Ended::Rule => Finish::ContentFilter,
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

impl Output {
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
    ) -> Result<Output, RequestError> {
        let shown = |stops: &[&str]| -> Result<Shown, RequestError> {
            let rules = ContentRules::new(stops, &request.content_rules)?;
            Ok(Shown { rules, segments: request.segment.map(Segmenter::new) })
        };
        Ok(Output {
            decoder: StreamDecoder::new(tokenizer.clone()),
            tokenizer,
            parser: OutputParser::new(format, tools, starts_in_reasoning),
            content: shown(&request.stop.strings())?,
            thoughts: shown(&[])?,
            called: false,
            pieces: Vec::new(),
        })
    }

    /// Takes the next token; the reason to end, if what it says is one.
    pub fn take(&mut self, token: u32, events: &mut VecDeque<Event>) -> Option<Finish> {
        let mut pieces = std::mem::take(&mut self.pieces);
        if self.tokenizer.is_control(token) {
            let name = String::from_utf8_lossy(self.tokenizer.token_bytes(token));
            self.parser.push_control(&name, &mut pieces);
        } else {
            self.parser.push(&self.decoder.push(token), &mut pieces);
        }
        let ended = pieces.drain(..).find_map(|piece| self.show(piece, events));
        self.pieces = pieces;
        ended
    }

    /// The end of the tokens: what was held back. The reason to have ended before, if there is one in it.
    pub fn finish(&mut self, events: &mut VecDeque<Event>) -> Option<Finish> {
        let mut pieces = Vec::new();
        self.parser.push(&self.decoder.flush(), &mut pieces);
        self.parser.finish(&mut pieces);
        let ended = pieces.into_iter().find_map(|piece| self.show(piece, events));
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

    /// Whether a tool was called.
    pub fn called(&self) -> bool {
        self.called
    }

    fn show(&mut self, piece: Piece, events: &mut VecDeque<Event>) -> Option<Finish> {
        match piece {
            Piece::Text(text) => {
                let (texts, ended) = self.content.push(&text);
                tell(events, texts, |text| Event::Text { text });
                return ended;
            }
            Piece::Reasoning(text) => {
                let (texts, ended) = self.thoughts.push(&text);
                tell(events, texts, |text| Event::Reasoning { text });
                return ended;
            }
            _ => {}
        }
        // Nothing that is shown spans a call.
        self.release(events);
        match piece {
            Piece::CallBegin { index, id, name } => events.push_back(Event::ToolCall { index, id, name }),
            Piece::CallArguments { index, text } => events.push_back(Event::ToolArguments { index, text }),
            Piece::CallEnd { .. } => self.called = true,
            Piece::Malformed { index, text } => {
                // It will be shown, and so is held to the rules.
                let (texts, ended) = self.content.push(&text);
                let text = texts.into_iter().chain(self.content.flush()).collect();
                events.push_back(Event::MalformedCall { index, text });
                return ended;
            }
            Piece::Text(_) | Piece::Reasoning(_) => {}
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
