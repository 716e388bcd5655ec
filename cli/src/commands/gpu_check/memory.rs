//! How much memory there is for a model, as far as it can be known before it is loaded.

/// Of what a model is loaded from, so much more is needed: cache, activations, staging.
const BESIDE_WEIGHTS: f64 = 1.3;

/// Why a model of so many bytes is not tried on an adapter whose memory is the machine's. A GPU's own memory is not known: it refuses.
pub fn lack(bytes: u64) -> Option<String> {
    let free = free()?;
    let needed = (bytes as f64 * BESIDE_WEIGHTS) as u64;
    (needed > free).then(|| format!("it needs {needed} bytes of memory, and {free} are free"))
}

/// Bytes of host memory that are free, where the system says so.
fn free() -> Option<u64> {
    let table = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = table.lines().find(|line| line.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(1024)
}
