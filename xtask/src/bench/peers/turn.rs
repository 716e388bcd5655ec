//! A turn: one engine in a process (and, on the web, a browser) of its own loads a file, warms up, and answers once from an empty cache.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use super::Lengths;
use super::models::{Model, Name, Type};
use crate::bench::rows_of;
use crate::workspace::Workspace;

/// Where both sides run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Native,
    Chromium,
}

/// An engine to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    NodeLlamaCpp,
    Wllama,
    /// It reads no GGUF: benches/peers/onnx writes the same weights as a graph.
    OnnxruntimeWeb,
    /// The same with weights that were unpacked to floats, which take eight times the memory, and less time in WebAssembly.
    OnnxruntimeWebFloats,
    /// inglenook itself on one thread, when its threads share memory.
    OneThread,
    /// The same, when they exchange messages.
    OneThreadMessages,
}

/// A peer, and how both sides run.
#[derive(Debug, Clone, Copy)]
pub struct Contest {
    pub place: Place,
    pub peer: Peer,
    /// Threads that both sides may have.
    pub threads: u32,
}

/// All contests.
pub const CONTESTS: [Contest; 8] = [
    Contest { place: Place::Native, peer: Peer::NodeLlamaCpp, threads: 1 },
    Contest { place: Place::Native, peer: Peer::NodeLlamaCpp, threads: 2 },
    Contest { place: Place::Chromium, peer: Peer::Wllama, threads: 1 },
    Contest { place: Place::Chromium, peer: Peer::Wllama, threads: 2 },
    Contest { place: Place::Chromium, peer: Peer::OneThread, threads: 2 },
    Contest { place: Place::Chromium, peer: Peer::OneThreadMessages, threads: 2 },
    Contest { place: Place::Chromium, peer: Peer::OnnxruntimeWeb, threads: 1 },
    Contest { place: Place::Chromium, peer: Peer::OnnxruntimeWebFloats, threads: 1 },
];

/// What takes the turns of one contest on one file.
pub struct Turns<'a> {
    pub workspace: &'a Workspace,
    /// The folder node_modules of the peers.
    pub packages: &'a Path,
    pub file: &'a Path,
    pub contest: Contest,
    pub lengths: Lengths,
}

/// The figures of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub prompt_tokens: u32,
    /// The first generated token included.
    pub prefill_tok_s: f64,
    pub decode_tokens: u32,
    /// From the second token on.
    pub decode_tok_s: f64,
    /// Up to the end of a first short answer, since some engines read the weights only then; none where it was not taken so.
    pub load_ms: Option<f64>,
    /// Of the engine and what it runs in.
    pub version: String,
}

impl Turns<'_> {
    /// A turn of the peer.
    ///
    /// # Errors
    /// When it fails, or gives no figures.
    pub fn theirs(&self) -> Result<Turn> {
        let threads = self.contest.threads;
        let mut command = match self.contest.peer {
            Peer::NodeLlamaCpp => self.script("node-llama-cpp.mjs", threads),
            Peer::Wllama => self.in_chromium("wllama", threads),
            Peer::OnnxruntimeWeb | Peer::OnnxruntimeWebFloats => self.in_chromium("onnxruntime-web", threads),
            Peer::OneThread | Peer::OneThreadMessages => self.in_chromium("inglenook", 1),
        };
        if self.contest.peer == Peer::OnnxruntimeWebFloats {
            command.arg("--floats");
        }
        turn(&mut command)
    }

    /// A turn of inglenook, with a prompt as long as that of the peer.
    ///
    /// # Errors
    /// As [`Turns::theirs`].
    pub fn ours(&self, theirs: &Turn) -> Result<Turn> {
        match self.contest.place {
            Place::Native => {
                let mut command = Command::new(self.workspace.target.join("release/inglenook"));
                command.args(["bench", "--json", "--device", "cpu", "--runs", "1", "--model"]).arg(self.file);
                command.args(["--prompt-tokens", &theirs.prompt_tokens.to_string()]);
                command.args(["--tokens", &self.lengths.tokens.to_string()]);
                // The time to load is another one here: without a first answer.
                Ok(Turn { load_ms: None, ..turn(with_threads(&mut command, self.contest.threads))? })
            }
            Place::Chromium => {
                let mut command = self.in_chromium("inglenook", self.contest.threads);
                if self.contest.peer == Peer::OneThreadMessages {
                    command.arg("--messages");
                }
                turn(&mut command)
            }
        }
    }

    fn in_chromium(&self, runner: &str, threads: u32) -> Command {
        let mut command = self.script("chromium.mjs", threads);
        command.args(["--runner", runner]);
        command
    }

    fn script(&self, name: &str, threads: u32) -> Command {
        let mut command = Command::new("node");
        command.current_dir(self.workspace.root.join("benches/peers")).arg(name);
        command.arg("--packages").arg(self.packages).arg("--model").arg(self.file);
        let Lengths { prompt_tokens, tokens } = self.lengths;
        for (flag, number) in [("--threads", threads), ("--prompt-tokens", prompt_tokens), ("--tokens", tokens)] {
            command.args([flag, &number.to_string()]);
        }
        command
    }
}

/// The program `inglenook` with so many threads.
fn with_threads(command: &mut Command, threads: u32) -> &mut Command {
    command.arg("--threads").arg(threads.to_string())
}

fn turn(command: &mut Command) -> Result<Turn> {
    let rows = rows_of(command)?;
    let [row] = &rows[..] else { bail!("a turn has {} rows", rows.len()) };
    Turn::read(row)
}

impl Turn {
    fn read(row: &Map<String, Value>) -> Result<Turn> {
        let number = |name: &str| row.get(name).and_then(Value::as_f64).filter(|number| *number > 0.0);
        let needed = |name: &str| number(name).with_context(|| format!("a turn's `{name}` is no number above 0"));
        Ok(Turn {
            prompt_tokens: needed("prompt_tokens")? as u32,
            prefill_tok_s: needed("prefill_tok_s")?,
            decode_tokens: needed("decode_tokens")? as u32,
            decode_tok_s: needed("decode_tok_s")?,
            load_ms: number("load_ms"),
            version: row.get("version").and_then(Value::as_str).unwrap_or_default().to_owned(),
        })
    }
}

impl Place {
    /// The place of this name.
    ///
    /// # Errors
    /// For a place where nothing is compared.
    pub fn named(name: &str) -> Result<Place> {
        match name {
            "native" => Ok(Place::Native),
            "chromium" => Ok(Place::Chromium),
            _ => bail!("peers are not compared in `{name}`, only in native and chromium"),
        }
    }

    /// As the CSV file has it.
    pub fn name(self) -> &'static str {
        match self {
            Place::Native => "native",
            Place::Chromium => "chromium",
        }
    }
}

impl Peer {
    /// The package's name, without its owner, and what is special about its weights.
    pub fn name(self) -> &'static str {
        match self {
            Peer::NodeLlamaCpp => "node-llama-cpp",
            Peer::Wllama => "wllama",
            Peer::OnnxruntimeWeb => "onnxruntime-web",
            Peer::OnnxruntimeWebFloats => "onnxruntime-web-f32",
            Peer::OneThread => "one-thread",
            Peer::OneThreadMessages => "one-thread-messages",
        }
    }

    /// Whether it can run the model.
    pub fn runs(self, model: Model) -> bool {
        let reads_gguf = !matches!(self, Peer::OnnxruntimeWeb | Peer::OnnxruntimeWebFloats);
        reads_gguf || model == Model { name: Name::Small, weights: Type::Q4_0 }
    }
}

impl fmt::Display for Contest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = if self.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", self.threads) };
        let place = if self.place == Place::Native { "natively" } else { "in Chromium" };
        write!(f, "{place}, {threads}, {}", self.peer.name())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<Turn> {
        Turn::read(value.as_object().unwrap())
    }

    #[test]
    fn turn_reads_its_figures_and_ignores_others() {
        let row = json!({
            "model": "ember", "load_ms": 9, "prompt_tokens": 256, "prefill_tok_s": 3501.6, "decode_tokens": 64, "decode_tok_s": 2049.4
        });
        let turn = read(&row).unwrap();
        assert_eq!((turn.prompt_tokens, turn.decode_tok_s, turn.load_ms), (256, 2049.4, Some(9.0)));
    }

    #[test]
    fn turn_without_a_rate_is_refused_by_name() {
        let row = json!({"prompt_tokens": 256, "prefill_tok_s": null, "decode_tokens": 64, "decode_tok_s": 2.0});
        assert!(read(&row).unwrap_err().to_string().contains("prefill_tok_s"));
    }

    #[test]
    fn firefox_is_no_place_for_peers() {
        assert!(Place::named("firefox").unwrap_err().to_string().contains("firefox"));
    }
}
