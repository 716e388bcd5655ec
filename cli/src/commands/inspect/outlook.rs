//! How a model would run here, from its header alone, as it is shown: the memory it needs, the contexts that fit, and how fast it could be.

use std::fmt::Write;

use anyhow::Result;
use inglenook::format::gguf::Gguf;
use inglenook::gpu::GpuOptions;
use inglenook::kernels::kv::KvType;
use inglenook::model::outlook::{ContextMemory, KvMemory, Outlook as Needs};
use inglenook::placement::Placement;
use serde_json::{Value, json};

use crate::arguments::DeviceArguments;
use crate::commands::bench::bandwidth;
use crate::show;

/// What is to be expected.
#[derive(Debug)]
pub struct Outlook {
    /// Which device, and why that one.
    place: String,
    /// Its memory, where that is known.
    memory: Option<u64>,
    needs: Needs,
    /// Bytes that the device moves in a second.
    bandwidth: f64,
}

impl Outlook {
    /// Of a model that can be run, for one conversation on the device that is asked for.
    ///
    /// # Errors
    /// When the device cannot be had, or its speed not be measured.
    pub fn new(gguf: &Gguf, arguments: &DeviceArguments) -> Result<Outlook> {
        let gpu = GpuOptions { default_limits: arguments.default_limits, ..GpuOptions::default() };
        let Placement { device, reason, .. } = pollster::block_on(Placement::choose(&arguments.device, &gpu))?;
        Ok(Outlook {
            place: format!("{} ({reason})", device.facts().name),
            memory: device.memory(),
            needs: Needs::new(gguf, &device, None, KvType::F16)?,
            bandwidth: bandwidth::copy(&device)?,
        })
    }

    fn rate(&self, context: u64) -> f64 {
        self.needs.rate(self.bandwidth, context)
    }

    /// Why nothing fits, and what would.
    fn problem(&self) -> Option<String> {
        self.needs.problem.as_ref().map(ToString::to_string)
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let cell = |cell: &KvMemory| (cell.kv_type.name(), json!({ "bytes": cell.bytes, "fits": cell.fits }));
        let context = |row: &ContextMemory| {
            let cells = row.memory.iter().map(cell).collect::<std::collections::BTreeMap<_, _>>();
            json!({ "tokens": row.tokens, "memory": cells })
        };
        let needs = &self.needs.needs;
        json!({
            "device": self.place,
            "device_memory": self.memory,
            "weights": needs.weights,
            "activations": needs.activations,
            "kv_per_token": needs.kv_per_token,
            "kv_windows": needs.kv_windows,
            "contexts": self.needs.contexts.iter().map(context).collect::<Vec<_>>(),
            "read_per_token": self.needs.read_per_token,
            "bandwidth": self.bandwidth.round(),
            "tokens_per_second": (self.rate(0) * 10.0).round() / 10.0,
            "problem": self.problem(),
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let memory =
            self.memory.map_or("of unknown memory".to_string(), |bytes| format!("with {}", show::bytes(bytes)));
        let mut out = match self.problem() {
            None => format!("runs here, on {}, {memory}\n\nmemory with a context of\n", self.place),
            Some(problem) => format!("does not fit {}, {memory}: {problem}\n\nmemory with a context of\n", self.place),
        };
        let mut header = format!("{:>16}", "tokens");
        let types = self.needs.contexts.first().map_or(&[][..], |row| &row.memory);
        types.iter().for_each(|cell| header += &format!("{:>13}", cell.kv_type.name()));
        out += &header;
        let mut exceeds = false;
        for ContextMemory { tokens, memory } in &self.needs.contexts {
            let _ = write!(out, "\n{tokens:>16}");
            for KvMemory { bytes, fits, .. } in memory {
                let mark = if *fits { " " } else { "*" };
                exceeds |= !fits;
                let _ = write!(out, "{:>12}{mark}", show::bytes(*bytes));
            }
        }
        if exceeds {
            out += "\n* more than there is, or than the device can bind";
        }
        let _ = write!(
            out,
            "\n\nat most about {:.1} tokens a second, since {} of weights are read for each, at {:.1} GB/s",
            self.rate(0),
            show::bytes(self.needs.read_per_token),
            self.bandwidth / 1e9,
        );
        let longest = self.needs.contexts.last().map_or(0, |row| row.tokens);
        let _ = write!(out, "; {:.1} behind {longest} tokens", self.rate(longest.into()));
        out
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use inglenook::placement::DeviceChoice;
    use inglenook::source::Memory;

    use super::*;

    #[test]
    fn outlook_of_a_small_model_is_shown_with_figures_of_the_device() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/ember/ember-q8_0.gguf");
        let gguf = pollster::block_on(Gguf::read(&Memory(fs::read(path).expect("ember")))).expect("a header");
        let cpu = DeviceArguments { device: DeviceChoice::Cpu, default_limits: false };
        let outlook = Outlook::new(&gguf, &cpu).expect("the CPU is there");
        assert_eq!(outlook.problem(), None);
        assert!(outlook.bandwidth > 1e6 && outlook.rate(0) > outlook.rate(4096));
        assert!(outlook.text().contains("runs here, on CPU"), "{}", outlook.text());
        assert_eq!(outlook.json()["weights"], outlook.needs.needs.weights);
    }
}
