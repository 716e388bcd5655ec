//! Copies the shaders to where `wgsl!` includes them from. For the web their comments and indentation are left out: they are a page's to
//! download, and a browser's messages name a shader by its kernel.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=../shaders");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("shaders");
    let is_web = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32");
    copy(Path::new("../shaders"), &out, is_web)
}

fn copy(from: &Path, to: &Path, is_web: bool) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (from, to) = (entry?.path(), to);
        let to = to.join(from.file_name().expect("an entry has a name"));
        if from.is_dir() {
            copy(&from, &to, is_web)?;
        } else {
            let text = fs::read_to_string(&from)?;
            fs::write(to, if is_web { shortened(&text) } else { text })?;
        }
    }
    Ok(())
}

/// Without comments, which take whole ends of lines, and without indentation. Lines stay lines.
fn shortened(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).flat_map(|line| [line, "\n"]).collect()
}
