//! llama.cpp's logits, from `benches/peers/logits.mjs`. They come by a pipe as they are computed, since those of a text would be a file of
//! hundreds of megabytes.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::available_parallelism;

pub struct LlamaCpp {
    program: Child,
    output: BufReader<ChildStdout>,
    /// Of it and of the package that it is in.
    pub version: String,
}

impl LlamaCpp {
    /// Begins to compute the logits after each of `tokens`.
    pub fn start(model: &Path, tokens: &[u32]) -> LlamaCpp {
        let packages = std::env::var_os("INGLENOOK_PEERS").expect("INGLENOOK_PEERS: run `cargo xtask smollm2`");
        let threads = available_parallelism().map_or(1, usize::from);
        let mut program = Command::new("node")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/peers/logits.mjs"))
            .arg("--packages")
            .arg(packages)
            .arg("--model")
            .arg(model)
            .args(["--threads", &threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node starts");
        serde_json::to_writer(program.stdin.take().expect("a pipe"), tokens).expect("it takes the tokens");
        let mut output = BufReader::new(program.stdout.take().expect("a pipe"));
        let mut version = String::new();
        output.read_line(&mut version).expect("its version");
        LlamaCpp { program, output, version: version.trim().to_owned() }
    }

    /// The next `count` logits.
    pub fn logits(&mut self, count: usize) -> Vec<f32> {
        let mut logits = vec![0.0; count];
        self.output.read_exact(bytemuck::cast_slice_mut(&mut logits)).expect("its logits");
        logits
    }
}

impl Drop for LlamaCpp {
    fn drop(&mut self) {
        // Where it has not ended by itself, since a chunk was never asked for.
        self.program.kill().ok();
        self.program.wait().ok();
    }
}
