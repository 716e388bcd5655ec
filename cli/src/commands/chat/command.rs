//! What a line that the user typed asks for: an answer, or something of the program itself.

/// What `/help` prints.
pub const HELP: &str = "\
/new            begin a new conversation
/system TEXT    begin a new conversation with this system message; without TEXT, show it
/stats          what is loaded, how fast the last answer was, how full the context is
/save           write the conversation to the file of --session now; /exit does, too
/exit           leave (ctrl-D does, too)
Ctrl-C stops an answer. A question that begins with a slash is written with two: //";

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Nothing: the line is empty.
    Nothing,
    /// An answer to this.
    Ask(String),
    /// List the commands.
    Help,
    /// Begin anew.
    New,
    /// Show the system message.
    ShowSystem,
    /// Begin anew with a system message.
    System(String),
    /// AdapterInfo and figures.
    Stats,
    /// Write the session.
    Save,
    /// Leave.
    Exit,
    /// None of these.
    Unknown(String),
}

impl Command {
    /// What `line` asks for.
    pub fn parse(line: &str) -> Command {
        let line = line.trim();
        let Some(rest) = line.strip_prefix('/') else {
            return if line.is_empty() { Command::Nothing } else { Command::Ask(line.to_string()) };
        };
        if rest.starts_with('/') {
            return Command::Ask(rest.to_string());
        }
        let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        match (name, argument.trim()) {
            ("help" | "?", _) => Command::Help,
            ("new", _) => Command::New,
            ("system", "") => Command::ShowSystem,
            ("system", text) => Command::System(text.to_string()),
            ("stats", _) => Command::Stats,
            ("save", _) => Command::Save,
            ("exit" | "quit", _) => Command::Exit,
            (name, _) => Command::Unknown(name.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_questions() {
        assert_eq!(Command::parse(" \t"), Command::Nothing);
        assert_eq!(Command::parse(" what is /new? "), Command::Ask("what is /new?".into()));
        assert_eq!(Command::parse("//new"), Command::Ask("/new".into()));
        assert_eq!(Command::parse(" /new "), Command::New);
        assert_eq!(Command::parse("/save"), Command::Save);
        assert_eq!(Command::parse("/system  Be  brief. "), Command::System("Be  brief.".into()));
        assert_eq!(Command::parse("/system"), Command::ShowSystem);
        assert_eq!(Command::parse("/exits"), Command::Unknown("exits".into()));
    }
}
