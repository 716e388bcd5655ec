//! Copies the shaders to where `wgsl!` includes them from: natively as they are. For the web their comments and indentation are left out,
//! since they are a page's to download, and a browser's messages name a shader by its kernel; and those that `shaders/on_demand.txt` names,
//! files or folders, become a line that `gpu/web.js` puts the text in place of. The module of the CPU has no use for any.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Names of shaders without their ending, each on a line: what only some models need.
const ON_DEMAND: &str = "../shaders/on_demand.txt";

/// What becomes of a shader.
type Rewrite<'a> = &'a dyn Fn(&str, String) -> String;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=../shaders");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("shaders");
    let on_demand = fs::read_to_string(ON_DEMAND)?;
    let is_embedded = |name: &str| !on_demand.lines().any(|entry| Path::new(name).starts_with(entry));
    let has = |variable: &str| env::var_os(variable).is_some();
    let is_wasm = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32");
    let rewrite: Rewrite = match () {
        () if !is_wasm => &|_, text| text,
        () if !has("CARGO_FEATURE_WEB") => &|_, _| String::new(),
        // The checks of every kernel have no package to fetch from.
        () if has("CARGO_FEATURE_SELFTEST") => &|_, text| shortened(&text),
        () => &|name, text| if is_embedded(name) { shortened(&text) } else { format!("#import {name}\n") },
    };
    copy(Path::new("../shaders"), &out, "", rewrite)
}

/// Copies the shaders of a folder, whose name is `prefix` of theirs.
fn copy(from: &Path, to: &Path, prefix: &str, rewrite: Rewrite) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let file = path.file_name().and_then(|name| name.to_str()).expect("shaders have plain names");
        let name = format!("{prefix}{}", file.trim_end_matches(".wgsl"));
        if path.is_dir() {
            copy(&path, &to.join(file), &format!("{name}/"), rewrite)?;
        } else if file.ends_with(".wgsl") {
            fs::write(to.join(file), rewrite(&name, fs::read_to_string(&path)?))?;
        }
    }
    Ok(())
}

/// Without comments, which take whole ends of lines, and without indentation. Lines stay lines.
fn shortened(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).flat_map(|line| [line, "\n"]).collect()
}
