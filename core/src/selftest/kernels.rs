//! Every variant of every kernel against its twin, on the device at hand.

use std::collections::HashSet;
use std::rc::Rc;

use futures_util::future::join_all;
use inglenook_format::quant::WeightType;

use crate::gpu::Gpu;
use crate::kernels::verify;

use super::{KernelTest, Outcome};

/// A case for each of the kernels' own cases: `kernel/NAME`, and `types/NAME` for further ones of weight types that differ from the usual in
/// how weights are unpacked alone. A browser's compiler takes half a second for each shader, so that only a full run has these there.
pub fn cases() -> Vec<KernelTest> {
    let mut seen = HashSet::new();
    let own = verify::all_cases().into_iter().map(Rc::new);
    own.map(|case| {
        let is_further = unusual_type(&case.name).is_some_and(|kernel_and_type| !seen.insert(kernel_and_type));
        let group = if is_further { "types" } else { "kernel" };
        KernelTest::new(format!("{group}/{}", case.name), move |gpu| every_variant(gpu, case.clone()))
    })
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

/// Types all of whose cases are the kernels'.
const USUAL: [WeightType; 6] =
    [WeightType::F32, WeightType::F16, WeightType::Q4_0, WeightType::Q8_0, WeightType::Q4_K, WeightType::Q6_K];

/// Of a case with weights of another type, its kernel and that.
fn unusual_type(name: &str) -> Option<(String, String)> {
    let mut words = name.split(' ');
    let (kernel, of_type) = (words.next()?, words.next()?);
    let is = |types: &[WeightType]| types.iter().any(|ty| ty.to_string() == of_type);
    (is(&WeightType::ALL) && !is(&USUAL)).then(|| (kernel.to_owned(), of_type.to_owned()))
}
