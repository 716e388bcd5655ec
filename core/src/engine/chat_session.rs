//! A conversation that can be forked, cut, edited and answered again. It holds messages alone: what is computed for each answer follows
//! from what the prefix cache has of the prompt, so that only what changed is computed.

use serde_json::Value;

use super::request::Request;
use super::{Answer, Engine};
use crate::error::Error;

/// A conversation with an engine. Clones are forks: they share what was computed up to where they part.
///
/// ```
/// use inglenook::{Device, Engine, EngineOptions, Event, Request, Session, source::ReadAt};
/// use serde_json::json;
///
/// # pollster::block_on(async {
/// let file = ReadAt::new(std::fs::File::open("../models/ember/ember-q8_0.gguf")?)?;
/// let engine = Engine::load(Device::Cpu, &file, &EngineOptions::default(), &mut |_| true).await?;
///
/// let settings = Request::from_json(r#"{"temperature": 0, "max_tokens": 8}"#)?;
/// let mut session = Session::new(engine, settings);
/// session.push(json!({"role": "user", "content": "What is the opposite of hot?"}));
/// let mut answer = session.answer()?;
/// let mut said = String::new();
/// while let Some(event) = answer.next().await? {
///     if let Event::Text { text } = event {
///         said += &text;
///     }
/// }
/// session.push(json!({"role": "assistant", "content": said}));
///
/// // Another question from the same point on; the first conversation stays as it is.
/// let mut other = session.clone();
/// other.edit(0, json!({"role": "user", "content": "What is the opposite of big?"}));
/// assert_eq!((session.messages().len(), other.messages().len()), (2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Session {
    engine: Engine,
    /// What each answer is asked for, with the messages so far.
    request: Request,
}

impl Session {
    /// A conversation whose answers are asked for with `settings`; the messages in it come first.
    pub fn new(engine: Engine, settings: Request) -> Session {
        Session { engine, request: settings }
    }

    /// The messages so far, in OpenAI's form.
    pub fn messages(&self) -> &[Value] {
        &self.request.messages
    }

    /// The request for the next answer: settings, which may be changed between answers, and messages.
    pub fn request_mut(&mut self) -> &mut Request {
        &mut self.request
    }

    /// Adds a message: what the user says, or what an answer was.
    pub fn push(&mut self, message: Value) {
        self.request.messages.push(message);
    }

    /// Keeps the first `len` messages.
    pub fn cut(&mut self, len: usize) {
        self.request.messages.truncate(len);
    }

    /// Puts a message in place of number `at`, and forgets those behind it, which answered another. The message that was there; none,
    /// and nothing is changed, where there are not so many.
    pub fn edit(&mut self, at: usize, message: Value) -> Option<Value> {
        let edited = std::mem::replace(self.request.messages.get_mut(at)?, message);
        self.cut(at + 1);
        Some(edited)
    }

    /// Begins the answer to the messages so far. They are as they were until the caller pushes what it said.
    ///
    /// # Errors
    /// As [`Engine::submit`].
    pub fn answer(&self) -> Result<Answer, Error> {
        self.engine.submit(self.request.clone())
    }

    /// Forgets the assistant's messages at the end, and begins another answer in their place.
    ///
    /// # Errors
    /// As [`Engine::submit`].
    pub fn regenerate(&mut self) -> Result<Answer, Error> {
        let kept = self.request.messages.iter().rposition(|message| message["role"] != "assistant");
        self.cut(kept.map_or(0, |last| last + 1));
        self.answer()
    }
}
