//! Every variant of every kernel against its twin, on the device at hand.

use std::collections::HashSet;
use std::rc::Rc;

use futures_util::future::join_all;
use inglenook_format::quant::WeightType;

use crate::gpu::Gpu;
use crate::kernels::verify;

use super::{KernelTest, Outcome};

/// A case for each of the kernels' own cases: `kernel/NAME` for those that show something no earlier one has, `further/NAME` for the others,
/// which differ in their sizes or put together what is there by itself. A browser's compiler takes half a second for each shader, so that
/// only a full run has the further ones there; natively all run.
pub fn cases() -> Vec<KernelTest> {
    let mut seen = HashSet::new();
    let own = verify::all_cases().into_iter().map(Rc::new);
    own.map(|case| {
        let group = if shows_more(&case.name, &mut seen) { "kernel" } else { "further" };
        KernelTest::new(format!("{group}/{}", case.name), move |gpu| every_variant(gpu, case.clone()))
    })
    .collect()
}

/// Whether a case's name has a word that none before it had with the same kernel. Numbers are no words.
fn shows_more(name: &str, seen: &mut HashSet<(String, String)>) -> bool {
    let (kernel, rest) = name.split_once(' ').unwrap_or((name, ""));
    // How weights of a type are unpacked is much the same in all kernels: of most types the smallest stand for all.
    if !matches!(kernel, "gemv" | "embed") && rest.split(' ').any(is_unusual_type) {
        return false;
    }
    let words = std::iter::once("").chain(rest.split(' '));
    let as_word =
        |word: &str| if is_type(word) { word.to_owned() } else { word.replace(|c: char| c.is_ascii_digit(), "") };
    words.filter(|word| seen.insert((kernel.to_owned(), as_word(word)))).count() > 0
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

/// Types that each kernel is shown with.
const USUAL: [WeightType; 6] =
    [WeightType::F32, WeightType::F16, WeightType::Q4_0, WeightType::Q8_0, WeightType::Q4_K, WeightType::Q6_K];

fn is_type(word: &str) -> bool {
    WeightType::ALL.iter().any(|ty| ty.to_string() == word)
}

fn is_unusual_type(word: &str) -> bool {
    is_type(word) && USUAL.iter().all(|ty| ty.to_string() != word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_that_differs_in_its_sizes_alone_shows_no_more() {
        let mut seen = HashSet::new();
        let names =
            ["gemm Q4_0 33x65 Store", "gemm Q4_0 31x130 Store", "gemm Q4_0 31x130 Add", "gemm Q8_0 1x1 Add", "copy"];
        let more = names.map(|name| shows_more(name, &mut seen));
        assert_eq!(more, [true, false, true, true, true]);
    }

    #[test]
    fn of_most_types_the_smallest_kernel_stands_for_all() {
        let mut seen = HashSet::new();
        let names =
            ["gemm IQ1_S 33x65 Store", "gemv IQ1_S 1x33 Store", "gemv IQ1_S 2x34 Store", "gemv IQ1_M 1x33 Store"];
        assert_eq!(names.map(|name| shows_more(name, &mut seen)), [false, true, false, true]);
    }

    #[test]
    fn every_kernel_is_shown() {
        let kernels = |group: &str| -> HashSet<String> {
            let own = cases()
                .into_iter()
                .filter_map(|case| Some(case.name.strip_prefix(group)?.split(' ').next()?.to_owned()));
            own.collect()
        };
        assert_eq!(&kernels("kernel/") | &kernels("further/"), kernels("kernel/"));
    }
}
