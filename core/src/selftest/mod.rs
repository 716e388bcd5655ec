//! Checks that need a device, written once and run on each: natively by `cargo test`, in Chromium, Firefox and Node
//! through the `selftest` feature of the crate `inglenook-wasm`. Not part of what users get.

mod clients;
mod engine;
mod facade;
mod kernels;
pub mod synthetic;
pub mod tokenizers;

use std::pin::Pin;

use futures_util::future::try_join_all;
use serde::Serialize;

use crate::gpu::{Gpu, GpuError, GpuOptions};

/// What a check found worth telling (may be empty), or what was wrong.
pub type Outcome = Result<String, String>;

type Check = Box<dyn Fn(Gpu) -> Pin<Box<dyn Future<Output = Outcome>>>>;

/// One check.
pub struct KernelTest {
    /// `group/what_holds`.
    pub name: String,
    check: Check,
}

impl KernelTest {
    /// A case from an async function of an opened GPU. Each case has a client of its own, which it must leave without a fault.
    pub fn new<F, T>(name: impl Into<String>, check: F) -> KernelTest
    where
        F: Fn(Gpu) -> T + 'static,
        T: Future<Output = Outcome> + 'static,
    {
        KernelTest { name: name.into(), check: Box::new(move |gpu| Box::pin(check(gpu))) }
    }
}

/// What came of a case.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The case's name.
    pub name: String,
    /// True when everything held.
    pub passed: bool,
    /// What the check told, or what was wrong.
    pub message: String,
    /// Wall-clock time.
    pub milliseconds: f64,
}

/// Every case, in the order of running.
pub fn cases() -> Vec<KernelTest> {
    facade::cases().into_iter().chain(clients::cases()).chain(kernels::cases()).chain(engine::cases()).collect()
}

/// Shares of the cases that are under way side by side: one waits for the GPU's compiler while a twin of the other's computes.
const SHARES: usize = 2;

/// Runs the cases whose name starts with `prefix`, each share of them on a GPU opened with `options`.
///
/// # Errors
/// When no GPU opens.
pub async fn run(prefix: &str, options: &GpuOptions) -> Result<Vec<Report>, GpuError> {
    let reports = try_join_all((0..SHARES).map(|share| run_share(prefix, share, options))).await?;
    Ok(reports.into_iter().flatten().collect())
}

async fn run_share(prefix: &str, share: usize, options: &GpuOptions) -> Result<Vec<Report>, GpuError> {
    let chosen = cases().into_iter().filter(|case| case.name.starts_with(prefix));
    let mut mine = chosen.skip(share).step_by(SHARES).peekable();
    let mut reports = Vec::new();
    // A share of nothing opens no GPU.
    if mine.peek().is_none() {
        return Ok(reports);
    }
    let mut gpu = Gpu::request(options).await?;
    for case in mine {
        let started = crate::clock::Instant::now();
        let client = gpu.client();
        let mut outcome = (case.check)(client.clone()).await;
        if let Some(fault) = client.fault() {
            outcome = Err(format!("left a fault: {fault}; {outcome:?}"));
        }
        if gpu.fault().is_some() {
            gpu = Gpu::request(options).await?;
        }
        let passed = outcome.is_ok();
        let message = outcome.unwrap_or_else(|wrong| wrong);
        reports.push(Report { name: case.name, passed, message, milliseconds: started.elapsed().as_secs_f64() * 1e3 });
    }
    Ok(reports)
}

/// `Err` with both values unless they are equal.
pub(crate) fn expect<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, wanted: &T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("{what}: {got:?} instead of {wanted:?}")) }
}

/// The error as the message of an [`Outcome`].
pub(crate) fn told(error: GpuError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each share in a thread of its own: a software adapter compiles on the thread that asks.
    #[test]
    fn every_case_holds_on_this_machines_gpu() {
        let run = |share| pollster::block_on(run_share("", share, &GpuOptions::default()));
        let threads: Vec<_> = (0..SHARES).map(|share| std::thread::spawn(move || run(share))).collect();
        let reports: Vec<Report> = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("checks report what is wrong").expect("a GPU, or lavapipe"))
            .collect();
        assert_eq!(reports.len(), cases().len());
        let failed: Vec<&Report> = reports.iter().filter(|report| !report.passed).collect();
        assert!(failed.is_empty(), "{failed:#?}");
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<String> = cases().into_iter().map(|case| case.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
