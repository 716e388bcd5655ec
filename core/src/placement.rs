//! Which device a model runs on, and why it is that one.

mod rate;

use std::convert::Infallible;
use std::str::FromStr;

use crate::device::Device;
use crate::gpu::{AdapterInfo, Gpu, GpuError, GpuOptions};
use inglenook_format::quant::WeightType;

/// What a caller asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// The best GPU, or the CPU where that is faster or there is none. Never a software adapter, which computes on the CPU as well, and
    /// slower than our own kernels do.
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
    /// What was measured to choose it; `None` where nothing was.
    pub measured: Option<Measured>,
}

/// Weights that devices multiply in a second as they decode, where `auto` measured it.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Measured {
    /// On the GPU.
    pub gpu: f64,
    /// On the CPU; `None` where the GPU is faster than any, or the CPU could not be measured.
    pub cpu: Option<f64>,
}

/// A GPU this fast is not compared: CPUs multiply some 10 to 60 thousand million weights a second, by their memory and by their cores.
const FASTER_THAN_CPUS: f64 = 100e9;

/// The CPU must be this much faster: the GPU has the advantage in reading prompts, and leaves the CPU to others.
const CLEARLY_SLOWER: f64 = 0.8;

impl From<Device> for Placement {
    fn from(device: Device) -> Placement {
        Placement::new(device, "the program chose it")
    }
}

impl Placement {
    fn new(device: Device, reason: impl Into<String>) -> Placement {
        Placement { device, reason: reason.into(), measured: None }
    }

    /// Bytes of weights that the device reads in a second as it decodes, where that was measured.
    pub fn bandwidth(&self) -> Option<f64> {
        let measured = self.measured?;
        let weights = if self.device.is_cpu() { measured.cpu? } else { measured.gpu };
        Some(weights * WeightType::Q4_0.block_bytes() as f64 / WeightType::Q4_0.block_len() as f64)
    }

    /// Opens the device that `choice` comes to; of `options`, limits and features are used. `auto` measures a GPU, and the CPU where that
    /// may be faster; it opens no software adapter.
    ///
    /// # Errors
    /// What is wrong with the GPU, where one was asked for.
    pub async fn choose(choice: &DeviceChoice, options: &GpuOptions) -> Result<Placement, GpuError> {
        Placement::choose_with(choice, options, async || Ok(Device::Cpu)).await
    }

    /// The same where the CPU computes in a module, which `open_cpu` loads once it is measured or chosen. Where that fails, with a sentence
    /// that says why, the CPU computes in this program.
    ///
    /// # Errors
    /// As [`Placement::choose`].
    pub async fn choose_with(
        choice: &DeviceChoice,
        options: &GpuOptions,
        open_cpu: impl AsyncFnOnce() -> Result<Device, String>,
    ) -> Result<Placement, GpuError> {
        let (adapter, hardware_only) = match choice {
            DeviceChoice::Cpu => return Ok(on_cpu(open_cpu().await, "the CPU was asked for".into())),
            DeviceChoice::Auto => (None, true),
            DeviceChoice::Gpu => (None, false),
            DeviceChoice::Named(name) => (Some(name.clone()), false),
        };
        match Gpu::request(&GpuOptions { adapter, hardware_only, ..options.clone() }).await {
            Ok(gpu) if *choice == DeviceChoice::Auto => Ok(faster(gpu, open_cpu).await),
            Ok(gpu) => Ok(Placement::new(Device::Gpu(gpu.clone()), why_gpu(choice, gpu.facts()))),
            Err(error) if *choice == DeviceChoice::Auto => Ok(on_cpu(open_cpu().await, why_cpu(&error))),
            Err(error) => Err(error),
        }
    }
}

/// The GPU, or the CPU where that is clearly faster or the GPU does not compute.
async fn faster(gpu: Gpu, open_cpu: impl AsyncFnOnce() -> Result<Device, String>) -> Placement {
    let device = Device::Gpu(gpu);
    // A client, so that a fault of the trial is not one of the engine.
    let on_gpu = match rate::decode_rate(&device.client()).await {
        Ok(rate) => rate,
        Err(error) => return on_cpu(open_cpu().await, format!("no GPU: {error}")),
    };
    let mut measured = Measured { gpu: on_gpu, cpu: None };
    if on_gpu < FASTER_THAN_CPUS
        && let Ok(cpu) = open_cpu().await
        && let Ok(on_cpu) = rate::decode_rate(&cpu).await
    {
        measured.cpu = Some(on_cpu);
        if !is_gpu_better(on_gpu, on_cpu) {
            return Placement { device: cpu, reason: measured.in_words(), measured: Some(measured) };
        }
    }
    Placement { device, reason: measured.in_words(), measured: Some(measured) }
}

/// Which to take by what they multiply in a second.
fn is_gpu_better(gpu: f64, cpu: f64) -> bool {
    gpu >= CLEARLY_SLOWER * cpu
}

impl Measured {
    fn in_words(&self) -> String {
        let thousand_million =
            |rate: f64| if rate < 9.95e9 { format!("{:.1}", rate / 1e9) } else { format!("{:.0}", rate / 1e9) };
        let gpu = format!("the GPU computes {} thousand million weights a second", thousand_million(self.gpu));
        match self.cpu {
            Some(cpu) => format!("{gpu}, the CPU {}", thousand_million(cpu)),
            None => format!("it is the best GPU here: {gpu}"),
        }
    }
}

/// The CPU as it was opened, or else in this program.
fn on_cpu(opened: Result<Device, String>, reason: String) -> Placement {
    match opened {
        Ok(device) => Placement::new(device, reason),
        Err(error) => {
            let slowly = format!("{reason}; slowly, since the module for it could not be loaded: {error}");
            Placement::new(Device::Cpu, slowly)
        }
    }
}

fn why_gpu(choice: &DeviceChoice, facts: &AdapterInfo) -> String {
    match choice {
        DeviceChoice::Named(name) => format!("`{name}` was asked for"),
        DeviceChoice::Gpu if facts.software => "a GPU was asked for, and there is only this software adapter".into(),
        _ => "a GPU was asked for".into(),
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
    fn bandwidth_is_that_of_the_device_that_was_chosen() {
        let measured = Some(Measured { gpu: 64e9, cpu: Some(32e9) });
        let cpu = Placement { device: Device::Cpu, reason: String::new(), measured };
        assert_eq!(cpu.bandwidth(), Some(18e9));
        assert_eq!(Placement { measured: None, ..cpu }.bandwidth(), None);
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
            Device::Cpu if placement.measured.is_some() => assert!(!hardware.is_empty()),
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
    fn auto_measures_a_gpu_and_takes_the_cpu_when_that_is_faster() {
        let Some(adapter) = adapters().into_iter().next() else { return };
        let options = GpuOptions { as_hardware: true, ..GpuOptions::default() };
        let placement = pollster::block_on(Placement::choose(&DeviceChoice::Auto, &options)).expect("a device");
        let measured = placement.measured.expect("a GPU is measured");
        let cpu = measured.cpu.unwrap_or(f64::INFINITY);
        assert!(measured.gpu > 1e6 && cpu > 1e6, "{measured:?}");
        if adapter.software {
            assert!(placement.device.is_cpu() && measured.cpu.is_some(), "{placement:?}");
            assert!(
                placement.reason.starts_with("the GPU computes ") && placement.reason.contains(", the CPU "),
                "{placement:?}"
            );
        }
        for choice in [DeviceChoice::Gpu, DeviceChoice::Cpu] {
            let asked = pollster::block_on(Placement::choose(&choice, &options)).expect("it opens");
            assert_eq!(asked.measured, None, "{choice:?}");
        }
    }

    #[test]
    fn auto_takes_the_cpu_only_when_the_gpu_is_clearly_slower() {
        assert!(is_gpu_better(50e9, 10e9) && is_gpu_better(10e9, 10e9) && is_gpu_better(8e9, 10e9));
        assert!(!is_gpu_better(7.9e9, 10e9) && !is_gpu_better(1e9, 60e9));
        // What is not compared must not have lost.
        assert!(is_gpu_better(FASTER_THAN_CPUS, 60e9));
    }

    #[test]
    fn measured_says_figures_and_what_was_compared() {
        let both = Measured { gpu: 3.04e9, cpu: Some(16.4e9) };
        assert_eq!(both.in_words(), "the GPU computes 3.0 thousand million weights a second, the CPU 16");
        let one = Measured { gpu: 400e9, cpu: None };
        assert_eq!(one.in_words(), "it is the best GPU here: the GPU computes 400 thousand million weights a second");
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
