//! Lines from a terminal, with editing and a history, or from whatever else standard input is.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use rustyline::error::ReadlineError;
use rustyline::{Config, DefaultEditor};

const REMEMBERED: usize = 1000;

/// What the user entered.
pub enum Line {
    /// A line, without its end.
    Text(String),
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D, or the end of the file.
    End,
}

/// The editor and its history, which is kept when the conversation ends.
pub struct Lines {
    editor: DefaultEditor,
    history: Option<PathBuf>,
}

impl Lines {
    /// On standard input; `keep` a history from one conversation to the next.
    ///
    /// # Errors
    /// When the terminal cannot be used.
    pub fn open(keep: bool) -> Result<Lines> {
        let config = Config::builder().auto_add_history(true).max_history_size(REMEMBERED)?.build();
        let mut editor = DefaultEditor::with_config(config).context("cannot use the terminal")?;
        let history = if keep { history_file() } else { None };
        if let Some(file) = &history {
            // The first conversation finds none.
            let _ = editor.load_history(file);
        }
        Ok(Lines { editor, history })
    }

    /// The next line.
    ///
    /// # Errors
    /// What the terminal says.
    pub fn next(&mut self) -> Result<Line> {
        match self.editor.readline("> ") {
            Ok(line) => Ok(Line::Text(line)),
            Err(ReadlineError::Interrupted) => Ok(Line::Interrupted),
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(error) => Err(error).context("cannot read a line"),
        }
    }
}

/// A conversation must not fail because its history cannot be written.
impl Drop for Lines {
    fn drop(&mut self) {
        let Some(file) = &self.history else { return };
        if let Some(folder) = file.parent() {
            let _ = fs::create_dir_all(folder);
        }
        let _ = self.editor.save_history(file);
    }
}

fn history_file() -> Option<PathBuf> {
    let folder = dirs::state_dir().or_else(dirs::data_local_dir)?;
    Some(folder.join("inglenook").join("history"))
}
