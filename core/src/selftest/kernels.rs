//! Every variant of every kernel against its twin, on the device at hand.

use std::rc::Rc;

use crate::gpu::Gpu;
use crate::kernels::verify;

use super::{Case, Outcome};

/// A case for each of the kernels' own cases: `kernel/NAME`.
pub fn cases() -> Vec<Case> {
    let own = verify::all_cases().into_iter().map(Rc::new);
    own.map(|case| Case::new(format!("kernel/{}", case.name), move |gpu| every_variant(gpu, case.clone()))).collect()
}

async fn every_variant(gpu: Gpu, case: Rc<verify::Case>) -> Outcome {
    let launches = verify::launches(&case, gpu.facts());
    let mut wrong = Vec::new();
    for (variant, launch) in &launches {
        if let Err(error) = verify::check_launch(&gpu, &case, *variant, launch).await {
            wrong.push(format!("{variant:?}: {error}"));
        }
    }
    let variants: Vec<_> = launches.iter().map(|(variant, _)| variant).collect();
    if wrong.is_empty() { Ok(format!("{variants:?}")) } else { Err(wrong.join("; ")) }
}
