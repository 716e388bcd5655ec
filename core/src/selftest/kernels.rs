//! Every variant of every kernel against its twin, on the device at hand.

use std::rc::Rc;

use futures_util::future::join_all;

use crate::gpu::Gpu;
use crate::kernels::verify;

use super::{KernelTest, Outcome};

/// A case for each of the kernels' own cases: `kernel/NAME`.
pub fn cases() -> Vec<KernelTest> {
    let own = verify::all_cases().into_iter().map(Rc::new);
    own.map(|case| KernelTest::new(format!("kernel/{}", case.name), move |gpu| every_variant(gpu, case.clone())))
        .collect()
}

/// Side by side, since a browser compiles on several threads.
async fn every_variant(gpu: Gpu, case: Rc<verify::KernelTest>) -> Outcome {
    let launches = verify::launches(&case, gpu.facts());
    let checks = launches.iter().map(|(variant, launch)| verify::check_launch(&gpu, &case, *variant, launch));
    let outcomes = join_all(checks).await;
    let variants: Vec<_> = launches.iter().map(|(variant, _)| variant).collect();
    let wrong = variants.iter().zip(outcomes).filter_map(|(variant, outcome)| Some((variant, outcome.err()?)));
    let wrong: Vec<_> = wrong.map(|(variant, error)| format!("{variant:?}: {error}")).collect();
    if wrong.is_empty() { Ok(format!("{variants:?}")) } else { Err(wrong.join("; ")) }
}
