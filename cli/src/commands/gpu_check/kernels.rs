//! Every variant of every kernel against its twin on the CPU.

use std::collections::HashSet;
use std::time::Instant;

use anyhow::Result;
use inglenook::gpu::Gpu;
use inglenook::kernels::verify::{self, KernelTest};

use super::report::{Report, Row, Verdict};

/// Checks all cases, or the first of each kernel; a row for each variant of each case.
///
/// # Errors
/// When a row cannot be written.
pub fn check(report: &mut Report, gpu: &Gpu, quick: bool) -> Result<()> {
    let mut cases = verify::all_cases();
    if quick {
        let mut seen = HashSet::new();
        cases.retain(|case| seen.insert(kernel(case).to_string()));
    }
    report.stage(&format!("{} cases of kernels", cases.len()));
    let mut last = "";
    for (index, case) in cases.iter().enumerate() {
        if kernel(case) != last {
            last = kernel(case);
            report.stage(last);
        }
        if report.left() == 0.0 {
            let rest = format!("{} cases from {} on", cases.len() - index, case.name);
            return report.skip("kernels", &rest, "the budget is spent");
        }
        check_case(report, gpu, case)?;
    }
    Ok(())
}

fn check_case(report: &mut Report, gpu: &Gpu, case: &KernelTest) -> Result<()> {
    for (variant, launch) in verify::launches(case, gpu.facts()) {
        // Of its own, so that a fault does not end the others.
        let client = gpu.client();
        let started = Instant::now();
        let checked = pollster::block_on(verify::check_launch(&client, case, variant, &launch));
        report.add(Row {
            stage: "kernels",
            case: format!("{} {variant:?}", case.name),
            verdict: if checked.is_ok() { Verdict::Ok } else { Verdict::Wrong },
            seconds: Some(started.elapsed().as_secs_f64()),
            detail: checked.err().map(|wrong| wrong.to_string()).unwrap_or_default(),
            ..Row::default()
        })?;
    }
    Ok(())
}

/// The kernel's name, which its cases' names begin with.
fn kernel(case: &KernelTest) -> &str {
    case.name.split([' ', ',']).next().unwrap_or(&case.name)
}
