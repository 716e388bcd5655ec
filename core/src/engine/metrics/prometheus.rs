//! Figures in Prometheus's text format 0.0.4.
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::Write;

use litemap::LiteMap;

use super::{EngineMetrics, Histogram};

/// Where a family's samples come from.
enum Samples {
    Counter(fn(&EngineMetrics) -> u64),
    Gauge(fn(&EngineMetrics) -> u64),
    /// One sample a key, which is the value of a label.
    CounterBy(&'static str, fn(&EngineMetrics) -> &LiteMap<&'static str, u64>),
    GaugeBy(&'static str, fn(&EngineMetrics) -> &LiteMap<&'static str, u64>),
    /// In milliseconds; written in seconds.
    Times(fn(&EngineMetrics) -> &Histogram),
}

use Samples::{Counter, CounterBy, Gauge, GaugeBy, Times};

/// Name, help and samples of every family.
const FAMILIES: &[(&str, &str, Samples)] = &[
    ("requests_total", "Requests that have ended, by reason or error code.", CounterBy("reason", |of| &of.requests)),
    ("requests_queued", "Requests that wait.", Gauge(|of| of.queued)),
    ("requests_running", "Requests in the batch.", Gauge(|of| of.running)),
    ("preemptions_total", "Running requests that gave their pages up.", Counter(|of| of.preemptions)),
    ("queue_seconds", "Time in the queue.", Times(|of| &of.queue_ms)),
    ("prefill_seconds", "Time to compute the prompt.", Times(|of| &of.prefill_ms)),
    ("first_token_seconds", "Time from submission to the first token.", Times(|of| &of.first_token_ms)),
    ("token_seconds", "Time from a token to the next.", Times(|of| &of.token_ms)),
    ("prompt_tokens_total", "Tokens of prompts, those cached included.", Counter(|of| of.prompt_tokens)),
    ("cached_tokens_total", "Tokens of prompts that were not computed again.", Counter(|of| of.cached_tokens)),
    ("completion_tokens_total", "Tokens generated.", Counter(|of| of.completion_tokens)),
    ("drafted_tokens_total", "Tokens proposed by speculation.", Counter(|of| of.drafted_tokens)),
    ("accepted_tokens_total", "Proposed tokens that were accepted.", Counter(|of| of.accepted_tokens)),
    ("pages", "Pages of the key/value cache.", Gauge(|of| of.pages)),
    ("pages_used", "Pages in use.", Gauge(|of| of.pages_used)),
    ("pages_shared", "Pages in use more than once.", Gauge(|of| of.pages_shared)),
    ("pages_evicted_total", "Pages taken from the prefix index.", Counter(|of| of.pages_evicted)),
    ("pages_loaded_total", "Pages that came from the page store.", Counter(|of| of.page_store.loaded)),
    ("pages_stored_total", "Pages given to the page store.", Counter(|of| of.page_store.stored)),
    ("pages_damaged_total", "Entries of the page store not used.", Counter(|of| of.page_store.damaged)),
    ("page_store_failures_total", "Times that the page store failed.", Counter(|of| of.page_store.failed)),
    ("memory_bytes", "Device memory by purpose.", GaugeBy("purpose", |of| &of.memory_bytes)),
];

/// The figures of all engines, each named by its model, as a Prometheus server reads them.
pub fn to_prometheus(engines: &[(&str, &EngineMetrics)]) -> String {
    let mut text = String::new();
    for (name, help, samples) in FAMILIES {
        let kind = match samples {
            Counter(_) | CounterBy(..) => "counter",
            Gauge(_) | GaugeBy(..) => "gauge",
            Times(_) => "histogram",
        };
        let _ = write!(text, "# HELP inglenook_{name} {help}\n# TYPE inglenook_{name} {kind}\n");
        for (model, metrics) in engines {
            write_samples(&mut text, name, &escape(model), samples, metrics);
        }
    }
    text
}

fn write_samples(text: &mut String, name: &str, model: &str, samples: &Samples, metrics: &EngineMetrics) {
    let mut line = |suffix: &str, label: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(text, "inglenook_{name}{suffix}{{model=\"{model}\"{label}}} {value}");
    };
    match samples {
        Counter(value) | Gauge(value) => line("", "", &value(metrics)),
        CounterBy(label, values) | GaugeBy(label, values) => {
            for (key, value) in values(metrics) {
                line("", &format!(",{label}=\"{}\"", escape(key)), value);
            }
        }
        Times(times) => {
            let times = times(metrics);
            for (bound, count) in times.octaves() {
                line("_bucket", &format!(",le=\"{}\"", bound / 1000.0), &count);
            }
            line("_bucket", ",le=\"+Inf\"", &times.count());
            line("_sum", "", &(times.sum() / 1000.0));
            line("_count", "", &times.count());
        }
    }
}

fn escape(label: &str) -> String {
    label.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}
