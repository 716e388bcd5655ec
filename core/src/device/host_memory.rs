//! How much memory a program can have at most, where that is known without a library.

/// Bytes, swap included. `None` where the system does not say.
pub fn host_memory() -> Option<u64> {
    address_space().or_else(system)
}

/// What 32-bit pointers reach: less than a machine has.
fn address_space() -> Option<u64> {
    (usize::BITS < 64).then_some(1 << usize::BITS.min(63))
}

#[cfg(target_os = "linux")]
fn system() -> Option<u64> {
    let text = |path| std::fs::read_to_string(path).ok();
    let machine = total_of_meminfo(&text("/proc/meminfo")?)?;
    // A container may have less. The file says `max` where it has all.
    let container = text("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse().ok());
    Some(machine.min(container.unwrap_or(u64::MAX)))
}

#[cfg(not(target_os = "linux"))]
fn system() -> Option<u64> {
    None
}

/// Memory and swap of `/proc/meminfo`, whose numbers are KiB.
#[cfg(target_os = "linux")]
fn total_of_meminfo(text: &str) -> Option<u64> {
    let kib = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    kib("MemTotal:")?.saturating_add(kib("SwapTotal:").unwrap_or(0)).checked_mul(1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read_with_its_swap() {
        let text = "MemTotal:       16000000 kB\nMemFree:  1 kB\nSwapTotal:       1000 kB\n";
        assert_eq!(total_of_meminfo(text), Some(16_001_000 * 1024));
        assert_eq!(total_of_meminfo("MemTotal: 5 kB"), Some(5 * 1024));
        assert_eq!(total_of_meminfo(""), None);
        assert!(host_memory().is_some_and(|bytes| bytes > 64 << 20));
    }
}
