//! One answer from an engine, piece by piece, until it ends or ctrl-C stops it.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use inglenook::engine::Engine;
use inglenook::engine::event::{Event, Finish, Timings, Usage};
use inglenook::engine::request::Request;

use crate::{interrupt, show};

/// An answer that has ended.
#[derive(Debug, serde::Serialize)]
pub struct Answer {
    /// All of its text.
    pub text: String,
    /// The ids of its tokens.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub reason: Finish,
    /// Tokens used.
    pub usage: Usage,
    /// How long it took.
    pub timings: Timings,
}

impl Answer {
    /// Tokens and rates, for people.
    pub fn summary(&self) -> String {
        let Answer { usage, timings, .. } = self;
        let computed = usage.prompt_tokens - usage.cached_tokens;
        format!(
            "prompt: {} tokens ({} cached), {:.1} tok/s; answer: {} tokens, {:.1} tok/s",
            usage.prompt_tokens,
            usage.cached_tokens,
            show::per_second(computed.into(), timings.prefill_ms),
            usage.completion_tokens,
            // The first token belongs to the prompt's time.
            show::per_second(usage.completion_tokens.saturating_sub(1).into(), timings.decode_ms),
        )
    }
}

/// Answers `request`; `on_text` gets the text as it comes. After ctrl-C the answer ends with [`Finish::Aborted`].
///
/// # Errors
/// What the engine says of the request or the device, and what `on_text` says.
pub fn answer(
    engine: &mut Engine,
    request: Request,
    mut on_text: impl FnMut(&str) -> io::Result<()>,
) -> Result<Answer> {
    let mut generation = engine.generate(request)?;
    let mut text = String::new();
    while let Some(event) = pollster::block_on(engine.next(&mut generation))? {
        match event {
            Event::Text { text: piece } => {
                if let Err(error) = on_text(&piece) {
                    engine.abandon(&mut generation);
                    return Err(error.into());
                }
                text += &piece;
            }
            Event::Done { reason, usage, timings } => {
                return Ok(Answer { text, tokens: generation.tokens().to_vec(), reason, usage, timings });
            }
        }
        if interrupt::pressed() {
            generation.cancel();
        }
    }
    unreachable!("a generation's last event is Done")
}

/// Standard output for answers: at once, and unable to steer a terminal.
pub struct Printer {
    out: io::Stdout,
    terminal: bool,
    /// Whether the last character was a line end, or nothing was printed yet.
    at_line_start: bool,
}

impl Printer {
    /// On standard output.
    pub fn new() -> Printer {
        Printer { out: io::stdout(), terminal: io::stdout().is_terminal(), at_line_start: true }
    }

    /// Prints a piece of an answer.
    ///
    /// # Errors
    /// What standard output says.
    pub fn print(&mut self, text: &str) -> io::Result<()> {
        let shown = if self.terminal { show::harmless(text) } else { text.into() };
        self.out.write_all(shown.as_bytes())?;
        if let Some(last) = text.bytes().last() {
            self.at_line_start = last == b'\n';
        }
        self.out.flush()
    }

    /// Ends the line, if one was begun.
    ///
    /// # Errors
    /// What standard output says.
    pub fn end_line(&mut self) -> io::Result<()> {
        if self.at_line_start { Ok(()) } else { self.print("\n") }
    }
}
