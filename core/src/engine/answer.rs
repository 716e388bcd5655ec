//! An answer as its caller holds it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Poll;

use super::audit::AuditRecord;
use super::driver::Shared;
use super::event::Event;
use super::scheduler::SeqId;
use crate::error::Error;

/// A stream of events, of one choice or several. Whoever awaits the next event of any answer moves the engine on, and with it all
/// answers that are under way. An answer that is dropped is cancelled.
///
/// ```
/// use inglenook::{Device, Engine, EngineOptions, Event, FinishReason, Request, source::ReadAt};
///
/// # pollster::block_on(async {
/// let file = ReadAt::new(std::fs::File::open("../models/ember/ember-q8_0.gguf")?)?;
/// let engine = Engine::load(Device::Cpu, &file, &EngineOptions::default(), &mut |_| true).await?;
/// let mut answer = engine.submit(Request::from_json(r#"{"prompt": "Once upon a", "max_tokens": 4}"#)?)?;
/// while let Some(event) = answer.next().await? {
///     if let Event::Done { reason, usage, .. } = event {
///         assert_eq!((reason, usage.completion_tokens), (FinishReason::Length, 4));
///     }
/// }
/// assert_eq!(answer.tokens(0).len(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Answer {
    shared: Rc<Shared>,
    mailbox: Rc<RefCell<Mailbox>>,
    choices: Vec<SeqId>,
    prompt_tokens: usize,
}

/// What an engine has for an answer that was not fetched yet.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    /// With the choice that each is of.
    pub events: VecDeque<(u32, Event)>,
    /// Why the answer failed; nothing follows.
    pub error: Option<Error>,
    /// Choices that are under way.
    pub open: u32,
    /// Tokens generated so far, of each choice.
    pub generated: Vec<Vec<u32>>,
    /// What the audit hook is to be told, where there is one.
    pub audit: Option<AuditRecord>,
}

impl Mailbox {
    /// Of an answer of so many choices.
    pub fn new(choices: u32) -> Mailbox {
        Mailbox { open: choices, generated: vec![Vec::new(); choices as usize], ..Mailbox::default() }
    }

    /// Adds events of a choice.
    pub fn push(&mut self, choice: u32, events: impl Iterator<Item = Event>) {
        for event in events {
            if let Some(answer) = self.audit.as_mut().and_then(|audit| audit.answers.get_mut(choice as usize)) {
                answer.take(&event);
            }
            self.events.push_back((choice, event));
        }
    }

    /// The record of an answer whose last choice has ended, once.
    pub fn take_audit(&mut self) -> Option<AuditRecord> {
        let audit = self.audit.take_if(|_| self.open == 0)?;
        Some(audit.end(&self.generated, self.error.as_ref()))
    }

    /// Ends it with an error. What came before stays.
    pub fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
        self.open = 0;
    }
}

impl Answer {
    pub(super) fn new(
        shared: Rc<Shared>,
        mailbox: Rc<RefCell<Mailbox>>,
        choices: Vec<SeqId>,
        prompt_tokens: usize,
    ) -> Answer {
        Answer { shared, mailbox, choices, prompt_tokens }
    }

    /// The next event, of whichever choice; none behind the last choice's [`Event::Done`].
    ///
    /// # Errors
    /// Failures of the device, of a grammar, and [`FaultError`](super::FaultError); nothing follows an error.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        Ok(self.next_of_all().await?.map(|(_, event)| event))
    }

    /// The next event, with the index of the choice that it is of.
    ///
    /// # Errors
    /// As [`Answer::next`].
    pub async fn next_of_all(&mut self) -> Result<Option<(u32, Event)>, Error> {
        std::future::poll_fn(|context| {
            loop {
                if let Some(ready) = self.ready() {
                    return Poll::Ready(ready);
                }
                if self.shared.drive(context).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// What is there without waiting: the next event, the end (`Ok(None)`) or an error; none where the engine has to be moved on first,
    /// by [`Engine::advance`](super::Engine::advance).
    pub fn ready(&mut self) -> Option<Result<Option<(u32, Event)>, Error>> {
        let mut mailbox = self.mailbox.borrow_mut();
        if let Some(event) = mailbox.events.pop_front() {
            return Some(Ok(Some(event)));
        }
        match mailbox.error.take() {
            Some(error) => Some(Err(error)),
            None => (mailbox.open == 0).then_some(Ok(None)),
        }
    }

    /// Ends the answer: its pages and slots are free at once, and its last events say `aborted`.
    pub fn cancel(&mut self) {
        self.shared.cancel(&self.choices);
    }

    /// Ids of the tokens that a choice has generated so far.
    pub fn tokens(&self, choice: usize) -> Vec<u32> {
        self.mailbox.borrow().generated.get(choice).cloned().unwrap_or_default()
    }

    /// Number of tokens of the prompt.
    pub fn prompt_tokens(&self) -> usize {
        self.prompt_tokens
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.shared.cancel(&self.choices);
    }
}
