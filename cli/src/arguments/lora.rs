//! LoRA adapters on the command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

/// The adapters that answers are computed with.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Model and device")]
pub struct AdapterArguments {
    /// Answer with a LoRA adapter: a GGUF file, or a folder as PEFT saves it. Can be given several times
    ///
    /// What it changes is multiplied by SCALE, 1 if there is none. A request that has `lora` itself names adapters by PATH.
    #[arg(long, value_name = "PATH[=SCALE]")]
    pub lora: Vec<LoraArgument>,
}

/// An adapter and the factor of what it changes: `PATH` or `PATH=SCALE`.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraArgument {
    /// A GGUF file, or a folder as PEFT saves it.
    pub path: PathBuf,
    /// On top of the adapter's own scale; 1 is as it was trained.
    pub scale: f32,
}

impl FromStr for LoraArgument {
    type Err = String;

    /// What follows the last `=` is the scale if it is a number; a path that ends in `=2` is written with `=1` behind it.
    fn from_str(text: &str) -> Result<LoraArgument, String> {
        let number = text.rsplit_once('=').and_then(|(path, scale)| Some((path, scale.parse::<f32>().ok()?)));
        let (path, scale) = number.unwrap_or((text, 1.0));
        if path.is_empty() {
            return Err("no file or folder is named before the scale".into());
        }
        if !scale.is_finite() {
            return Err(format!("the scale {scale} is no finite number"));
        }
        Ok(LoraArgument { path: path.into(), scale })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_is_the_number_behind_the_last_equals_sign() {
        for (text, path, scale) in [
            ("a.gguf", "a.gguf", 1.0),
            ("a.gguf=0.5", "a.gguf", 0.5),
            ("a=-2e-1", "a", -0.2),
            ("lr=1e-4/adapter", "lr=1e-4/adapter", 1.0),
            ("lr=1e-4=1", "lr=1e-4", 1.0),
            ("a=b", "a=b", 1.0),
        ] {
            assert_eq!(text.parse(), Ok(LoraArgument { path: path.into(), scale }), "{text}");
        }
        for text in ["", "=1", "a=inf", "a=nan", "a=1e99"] {
            assert!(text.parse::<LoraArgument>().is_err(), "{text}");
        }
    }
}
