//! Which device a model runs on, and why it is that one.

use std::convert::Infallible;
use std::str::FromStr;

use crate::device::Device;
use crate::gpu::{AdapterInfo, Gpu, GpuError, GpuOptions};

/// What a caller asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// The best GPU, else the CPU. Never a software adapter, which computes on the CPU as well, and slower than our own kernels do.
    #[default]
    Auto,
    /// The best GPU or nothing; a software adapter where there is no other.
    Gpu,
    /// The CPU.
    Cpu,
    /// An adapter whose name contains this, software or not. Only natively: a browser offers one.
    #[serde(skip)]
    Named(String),
}

impl FromStr for DeviceChoice {
    type Err = Infallible;

    /// `auto`, `gpu` or `cpu`; anything else is a part of a name.
    fn from_str(text: &str) -> Result<DeviceChoice, Infallible> {
        Ok(match text.to_lowercase().as_str() {
            "auto" => DeviceChoice::Auto,
            "gpu" => DeviceChoice::Gpu,
            "cpu" => DeviceChoice::Cpu,
            _ => DeviceChoice::Named(text.to_string()),
        })
    }
}

/// A device, and why it is this one.
#[derive(Debug, Clone)]
pub struct Placement {
    /// The device.
    pub device: Device,
    /// The reason, as a part of a sentence for people.
    pub reason: String,
}

impl From<Device> for Placement {
    fn from(device: Device) -> Placement {
        Placement { device, reason: "the program chose it".into() }
    }
}

impl Placement {
    /// Opens the device that `choice` comes to; of `options`, limits and features are used. Where `auto` comes to the CPU, no GPU
    /// device is opened.
    ///
    /// # Errors
    /// What is wrong with the GPU, where one was asked for.
    pub async fn choose(choice: &DeviceChoice, options: &GpuOptions) -> Result<Placement, GpuError> {
        let (adapter, hardware_only) = match choice {
            DeviceChoice::Cpu => return Ok(Placement { device: Device::Cpu, reason: "the CPU was asked for".into() }),
            DeviceChoice::Auto => (None, true),
            DeviceChoice::Gpu => (None, false),
            DeviceChoice::Named(name) => (Some(name.clone()), false),
        };
        match Gpu::request(&GpuOptions { adapter, hardware_only, ..options.clone() }).await {
            Ok(gpu) => Ok(Placement { reason: why_gpu(choice, gpu.facts()), device: Device::Gpu(gpu) }),
            Err(error) if *choice == DeviceChoice::Auto => {
                Ok(Placement { device: Device::Cpu, reason: why_cpu(&error) })
            }
            Err(error) => Err(error),
        }
    }
}

fn why_gpu(choice: &DeviceChoice, facts: &AdapterInfo) -> String {
    match choice {
        DeviceChoice::Named(name) => format!("`{name}` was asked for"),
        DeviceChoice::Gpu if facts.software => "a GPU was asked for, and there is only this software adapter".into(),
        DeviceChoice::Gpu => "a GPU was asked for".into(),
        DeviceChoice::Auto | DeviceChoice::Cpu => "it is the best GPU here".into(),
    }
}

fn why_cpu(error: &GpuError) -> String {
    match error {
        GpuError::SoftwareOnly(name) => {
            format!("no GPU: only a software adapter was found, {name}; the CPU answers sooner")
        }
        GpuError::NoAdapter(seen) => format!("no GPU: no adapter was found ({seen})"),
        error => format!("no GPU: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(choice: DeviceChoice) -> Result<Placement, GpuError> {
        pollster::block_on(Placement::choose(&choice, &GpuOptions::default()))
    }

    fn adapters() -> Vec<AdapterInfo> {
        pollster::block_on(Gpu::list())
    }

    #[test]
    fn choice_is_a_name_unless_it_is_one_of_the_three_words() {
        let parse = |text: &str| text.parse::<DeviceChoice>().unwrap();
        assert_eq!(
            [parse("GPU"), parse("cpu"), parse("auto")],
            [DeviceChoice::Gpu, DeviceChoice::Cpu, DeviceChoice::Auto]
        );
        assert_eq!(parse("GeForce"), DeviceChoice::Named("GeForce".into()));
    }

    #[test]
    fn auto_takes_the_cpu_and_says_why_when_adapters_are_software() {
        let placement = choose(DeviceChoice::Auto).expect("auto always finds a device");
        let (hardware, software): (Vec<_>, Vec<_>) = adapters().into_iter().partition(|adapter| !adapter.software);
        match placement.device {
            Device::Gpu(gpu) => assert!(hardware.contains(gpu.facts()), "{:?}", gpu.facts()),
            Device::Cpu if software.is_empty() => {
                assert!(placement.reason.starts_with("no GPU: "), "{}", placement.reason)
            }
            _ => {
                let named = software.iter().any(|adapter| placement.reason.contains(&adapter.name));
                assert!(named && placement.reason.contains("the CPU answers sooner"), "{}", placement.reason);
            }
        }
    }

    #[test]
    fn gpu_and_its_name_open_software_adapters_when_there_is_no_other() {
        let Some(software) = adapters().into_iter().find(|adapter| adapter.software) else { return };
        let named = choose(DeviceChoice::Named(software.name[..4].to_uppercase())).expect("it opens");
        assert!(matches!(named.device, Device::Gpu(gpu) if gpu.facts().name == software.name));
        let gpu = choose(DeviceChoice::Gpu).expect("it opens");
        assert!(matches!(gpu.device, Device::Gpu(_)), "{}", gpu.reason);
    }

    #[test]
    fn named_choice_fails_and_lists_adapters_when_none_has_the_name() {
        let error = choose(DeviceChoice::Named("no such adapter".into())).expect_err("there is none");
        assert!(matches!(error, GpuError::NoAdapter(_)), "{error}");
    }
}
