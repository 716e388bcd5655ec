//! Which device answers: the best GPU, a named one, or the CPU.

use std::convert::Infallible;
use std::str::FromStr;

use anyhow::Result;
use inglenook::device::Device;
use inglenook::gpu::{Gpu, GpuError, GpuOptions};

/// What `--device` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The best GPU, and the CPU where there is none.
    Auto,
    /// The best GPU or nothing.
    Gpu,
    /// The CPU.
    Cpu,
    /// A GPU whose name contains this.
    Named(String),
}

impl FromStr for Choice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Choice, Infallible> {
        Ok(match text.to_lowercase().as_str() {
            "auto" => Choice::Auto,
            "gpu" => Choice::Gpu,
            "cpu" => Choice::Cpu,
            _ => Choice::Named(text.to_string()),
        })
    }
}

/// Opens the device. `default_limits` asks a GPU for no more than every WebGPU device gives.
///
/// # Errors
/// [`GpuError`], where a GPU was asked for.
pub fn open(choice: &Choice, default_limits: bool) -> Result<Device> {
    let adapter = match choice {
        Choice::Cpu => return Ok(Device::Cpu),
        Choice::Named(name) => Some(name.clone()),
        Choice::Auto | Choice::Gpu => None,
    };
    let options = GpuOptions { default_limits, adapter, ..GpuOptions::default() };
    match pollster::block_on(Gpu::request(&options)) {
        Ok(gpu) => Ok(Device::Gpu(gpu)),
        Err(error @ (GpuError::NoAdapter(_) | GpuError::Device(_))) if *choice == Choice::Auto => {
            eprintln!("inglenook: {error}. Answering on the CPU.");
            Ok(Device::Cpu)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_but_the_three_words_is_a_name() {
        let parse = |text: &str| text.parse::<Choice>().unwrap();
        assert_eq!([parse("GPU"), parse("cpu"), parse("auto")], [Choice::Gpu, Choice::Cpu, Choice::Auto]);
        assert_eq!(parse("GeForce"), Choice::Named("GeForce".into()));
    }
}
