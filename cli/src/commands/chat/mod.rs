//! `inglenook chat`: a conversation in the terminal.

mod command;
mod conversation;
mod lines;
mod session;

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use inglenook::engine::Engine;
use inglenook::engine::event::FinishReason;
use inglenook::engine::request::Request;
use inglenook::error::Error;

use self::command::Command;
use self::conversation::Conversation;
use self::lines::{Line, Lines};
use crate::answer::{Answer, answer};
use crate::arguments::{AdapterArguments, AnswerArguments, ModelArguments};
use crate::interrupt::{self, Interrupted};
use crate::printer::Printer;
use crate::{adapter, load, show};

const EXAMPLES: &str = "\
Examples:
  inglenook chat
  inglenook chat --model qwen3-0.6b-q4_k_m.gguf --system \"Answer in one sentence.\"
  inglenook chat --device cpu --temperature 0 < questions.txt
  inglenook chat --session holiday.inglenook
  inglenook chat --tools tools.json --rule 'mask:/[0-9]{4}/'

Where the model calls a tool, the next line that you enter is what the tool gives.

Ctrl-C stops an answer, ctrl-D or /exit leaves, /help lists the other commands.";

/// Talk with a model
///
/// Where standard input is no terminal, each of its lines is a question.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The system message
    #[arg(short, long, value_name = "TEXT")]
    system: Option<String>,
    /// Keep the conversation in this file, and go on with it where the file is there
    ///
    /// Written on leaving and by /save, with the keys and values that were computed, so that the next answer begins at once. It
    /// belongs to the model and the --kv-type with which it was written.
    #[arg(long, value_name = "FILE")]
    session: Option<PathBuf>,
    /// Neither read nor write the history of what was typed
    #[arg(long)]
    no_history: bool,
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    adapters: AdapterArguments,
    #[command(flatten)]
    answer: AnswerArguments,
}

/// Loads the model and talks until the user leaves.
///
/// # Errors
/// What is wrong with file or device; [`Interrupted`] after ctrl-C where nobody sits at a terminal.
pub fn run(options: &Options) -> Result<()> {
    let mut request = options.answer.request()?;
    let engine = load::engine(&options.model)?;
    request.lora = adapter::load(&engine, options.model.model.as_deref(), &options.adapters.lora)?;
    let mut chat = Chat {
        engine,
        conversation: Conversation::new(options.system.clone()),
        request,
        options,
        printer: Printer::new(),
        last: None,
        tokens: Vec::new(),
        interactive: io::stdin().is_terminal(),
    };
    chat.resume()?;
    let mut lines = Lines::open(chat.interactive && !options.no_history)?;
    chat.greet();
    let talked = chat.talk(&mut lines);
    let saved = chat.save();
    talked.and(saved)
}

struct Chat<'a> {
    engine: Engine,
    conversation: Conversation,
    /// What each answer is asked for, but for the messages.
    request: Request,
    options: &'a Options,
    printer: Printer,
    last: Option<Answer>,
    /// Those of the last prompt and its answer, which is what the engine's cache has.
    tokens: Vec<u32>,
    interactive: bool,
}

impl Chat<'_> {
    /// Goes on with the session's conversation, if there is one.
    fn resume(&mut self) -> Result<()> {
        let Some(path) = &self.options.session else { return Ok(()) };
        let Some((conversation, tokens)) = session::open(&self.engine, path)? else { return Ok(()) };
        if self.options.system.is_some() && conversation.system() != self.options.system.as_deref() {
            bail!(
                "{} has a conversation with another system message; leave --system out, or name another file",
                path.display()
            );
        }
        eprintln!("(going on with {}: {} messages)", path.display(), conversation.turns());
        (self.conversation, self.tokens) = (conversation, tokens);
        Ok(())
    }

    /// Writes the session, if one is kept.
    fn save(&self) -> Result<()> {
        match &self.options.session {
            Some(path) => session::write(&self.engine, path, &self.conversation, &self.tokens, &self.request.lora),
            None => Ok(()),
        }
    }

    /// Takes lines until the user leaves.
    fn talk(&mut self, lines: &mut Lines) -> Result<()> {
        loop {
            let line = match lines.next()? {
                Line::Text(line) => line,
                Line::Interrupted => {
                    eprintln!("(ctrl-D or /exit leaves)");
                    continue;
                }
                Line::End => return Ok(()),
            };
            match Command::parse(&line) {
                Command::Exit => return Ok(()),
                command => self.obey(command)?,
            }
        }
    }

    fn greet(&self) {
        if self.interactive {
            let info = self.engine.info();
            let model = if info.model.name.is_empty() { "the model" } else { &info.model.name };
            eprintln!("{model} on {}. Ctrl-C stops an answer, ctrl-D leaves, /help helps.", info.adapter.name);
        }
    }

    /// Takes a question, or what a tool gives. A request that the engine refuses is told and forgotten; the conversation goes on.
    fn say(&mut self, text: &str) -> Result<()> {
        if let Some(messages) = self.conversation.say(text) {
            self.ask(Request { messages, ..self.request.clone() })?;
        }
        if let Some(call) = self.conversation.next_call() {
            eprintln!("(what does {} give? the next line is its result)", show::harmless(&call.to_string()));
        }
        Ok(())
    }

    /// One answer.
    fn ask(&mut self, request: Request) -> Result<()> {
        interrupt::forget();
        let prompt = self.engine.prompt_tokens(&request);
        let answered = answer(&mut self.engine, request, |part| self.printer.show(part));
        self.printer.end_line()?;
        let answer = match answered {
            Ok(answer) => answer,
            Err(error) => {
                self.conversation.forget();
                return tell(error);
            }
        };
        self.tokens = prompt.into_iter().flatten().chain(answer.tokens.iter().copied()).collect();
        self.conversation.add(&answer);
        load::store_pages(&self.engine);
        let stopped = answer.reason == FinishReason::Aborted;
        if stopped && !self.interactive {
            return Err(Interrupted.into());
        }
        if stopped {
            eprintln!("(stopped)");
        }
        if answer.usage.truncated_tokens > 0 {
            eprintln!("(the context is full: {} of the oldest tokens were left out)", answer.usage.truncated_tokens);
        } else if answer.reason == FinishReason::Length && self.request.max_tokens.is_none() {
            eprintln!(
                "(the context is full: /new begins a new conversation, --context gives more room, --truncation auto leaves out old turns)"
            );
        }
        if answer.reason == FinishReason::ContentFilter {
            eprintln!("(ended by a content rule)");
        }
        if self.options.model.verbose {
            eprintln!("{}", answer.summary());
        }
        self.last = Some(answer);
        Ok(())
    }

    fn obey(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Nothing | Command::Exit => {}
            Command::Ask(text) => self.say(&text)?,
            Command::Help => eprintln!("{}", command::HELP),
            Command::New => {
                self.conversation.clear();
                self.tokens.clear();
                eprintln!("(a new conversation)");
            }
            Command::ShowSystem => eprintln!("{}", self.conversation.system().unwrap_or("(no system message)")),
            Command::System(text) => {
                self.conversation = Conversation::new(Some(text));
                self.tokens.clear();
                eprintln!("(a new conversation, with this system message)");
            }
            Command::Save if self.options.session.is_none() => {
                eprintln!("there is no file to write to: begin with --session FILE");
            }
            Command::Save => match self.save() {
                Ok(()) => eprintln!("(saved)"),
                Err(error) => eprintln!("{error:#}"),
            },
            Command::Stats => self.stats(),
            Command::Unknown(name) => eprintln!("there is no /{name}; /help lists what there is"),
        }
        Ok(())
    }

    fn stats(&self) {
        load::describe(self.engine.info());
        if let Some(answer) = &self.last {
            let used = answer.usage.prompt_tokens + answer.usage.completion_tokens;
            eprintln!("{}", answer.summary());
            eprintln!("context: {used} of {} tokens used", self.engine.info().model.context_length);
        }
    }
}

/// Says what was wrong with a request; passes on what is wrong with the device.
fn tell(error: anyhow::Error) -> Result<()> {
    match error.downcast_ref::<Error>() {
        Some(Error::Request(_) | Error::Template(_)) => {
            eprintln!("{error:#}");
            Ok(())
        }
        _ => Err(error),
    }
}
