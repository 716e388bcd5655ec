//! Answers on standard output, thoughts on standard error: at once, and unable to steer a terminal.

use std::io::{self, IsTerminal, Write};

use crate::answer::Part;
use crate::show;

const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// Shows an answer as it comes.
pub struct Printer {
    out: Stream<io::Stdout>,
    thoughts: Stream<io::Stderr>,
    thinking: bool,
}

impl Printer {
    /// On the standard streams.
    pub fn new() -> Printer {
        let (out, err) = (io::stdout(), io::stderr());
        Printer {
            out: Stream { terminal: out.is_terminal(), to: out, at_line_start: true },
            thoughts: Stream { terminal: err.is_terminal(), to: err, at_line_start: true },
            thinking: false,
        }
    }

    /// Shows a part of an answer. A call takes a line.
    ///
    /// # Errors
    /// What the stream says.
    pub fn show(&mut self, part: Part<'_>) -> io::Result<()> {
        match part {
            Part::Thought(text) => {
                self.begin_thought()?;
                self.thoughts.print(text)
            }
            Part::Text(text) => {
                self.end_thought()?;
                self.out.print(text)
            }
            Part::Call(call) => {
                self.end_line()?;
                self.out.print(&format!("{call}\n"))
            }
            Part::Malformed(text) => {
                self.end_line()?;
                writeln!(self.thoughts.to, "(a tool call that cannot be read)")?;
                self.out.print(text)
            }
        }
    }

    /// Ends the lines that were begun.
    ///
    /// # Errors
    /// What the streams say.
    pub fn end_line(&mut self) -> io::Result<()> {
        self.end_thought()?;
        self.out.end_line()
    }

    fn begin_thought(&mut self) -> io::Result<()> {
        if self.thinking {
            return Ok(());
        }
        self.thinking = true;
        self.out.end_line()?;
        if self.thoughts.terminal { self.thoughts.to.write_all(DIM.as_bytes()) } else { Ok(()) }
    }

    fn end_thought(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.thinking) {
            return Ok(());
        }
        if self.thoughts.terminal {
            self.thoughts.to.write_all(PLAIN.as_bytes())?;
        }
        self.thoughts.end_line()
    }
}

/// One of the standard streams.
struct Stream<W> {
    to: W,
    terminal: bool,
    /// Whether the last character was a line end, or nothing was printed yet.
    at_line_start: bool,
}

impl<W: Write> Stream<W> {
    fn print(&mut self, text: &str) -> io::Result<()> {
        let shown = if self.terminal { show::harmless(text) } else { text.into() };
        self.to.write_all(shown.as_bytes())?;
        if let Some(last) = text.bytes().last() {
            self.at_line_start = last == b'\n';
        }
        self.to.flush()
    }

    fn end_line(&mut self) -> io::Result<()> {
        if self.at_line_start { Ok(()) } else { self.print("\n") }
    }
}
