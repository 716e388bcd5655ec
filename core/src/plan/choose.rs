//! Which variant of a kernel runs: those that fit the adapter are checked against a known answer, the right ones of
//! heavy kernels are timed, and the fastest is kept for all operations of the same name and class.

use std::collections::{HashMap, HashSet};

use futures_util::future::join_all;
use web_time::{Duration, Instant};

use super::PlanError;
use crate::device::Device;
use crate::gpu::{Dispatch, Gpu, GpuError, Pipeline, Shader};
use crate::kernels::{Arguments, Kernel, Variant, shader, verify};

/// Runs of a timing; the fastest counts.
const RUNS: u32 = 3;
/// Dispatches in a run, so that the cost of a submission does not drown the kernel's.
const REPEATS: usize = 4;

/// A dispatch this slow tells enough at its first run; more would be felt at load.
const SLOW: Duration = Duration::from_millis(10);

/// A choice that was made, for `inglenook devices` and bug reports.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct KernelChoice {
    /// Kernel name.
    pub kernel: &'static str,
    /// Class within the kernel.
    pub class: String,
    /// The chosen variant, in words.
    pub variant: String,
    /// Variants that gave a wrong answer on this GPU.
    pub wrong: Vec<String>,
    /// Time of a dispatch of each variant that was timed; empty where there was nothing to choose.
    #[serde(skip)]
    pub times: Vec<(Variant, Duration)>,
}

/// What operations have in common that run the same variant: kernel name and class.
type Key = (&'static str, String);

fn key(op: &dyn Kernel) -> Key {
    (op.name(), op.class())
}

/// A device with its compiled kernels and the variants chosen so far.
#[derive(Debug)]
pub struct KernelCache {
    device: Device,
    compiled: HashMap<Shader, Pipeline>,
    chosen: HashMap<Key, Variant>,
    choices: Vec<KernelChoice>,
    forced: Option<Variant>,
}

impl KernelCache {
    /// An empty kernels on `device`.
    pub fn new(device: Device) -> KernelCache {
        KernelCache { device, compiled: HashMap::new(), chosen: HashMap::new(), choices: Vec::new(), forced: None }
    }

    /// Uses `variant` wherever a kernel offers it, untimed; for tests that want each variant inside a whole model.
    pub fn force(mut self, variant: Variant) -> KernelCache {
        self.forced = Some(variant);
        self
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The choices made so far.
    pub fn choices(&self) -> &[KernelChoice] {
        &self.choices
    }

    /// The variant chosen for operations like `kernel`.
    pub(super) fn variant(&self, kernel: &dyn Kernel) -> Variant {
        self.chosen[&key(kernel)]
    }

    /// Compiles what is not compiled yet, all of it together; the result has the order of `shaders`.
    pub(super) async fn compile(&mut self, gpu: &Gpu, shaders: &[Shader]) -> Result<Vec<Pipeline>, GpuError> {
        let mut missing: Vec<Shader> = Vec::new();
        for shader in shaders {
            if !self.compiled.contains_key(shader) && !missing.contains(shader) {
                missing.push(shader.clone());
            }
        }
        let kernels = gpu.pipelines(&missing).await?;
        self.compiled.extend(missing.into_iter().zip(kernels));
        Ok(shaders.iter().map(|shader| self.compiled[shader].clone()).collect())
    }

    /// Makes sure that a variant is chosen for every operation. The checks run side by side, and so do the compilations, since a
    /// browser compiles on several threads; timings run alone.
    pub(super) async fn choose(
        &mut self,
        gpu: &Gpu,
        ops: &[Box<dyn Kernel>],
        arguments: &[Arguments],
    ) -> Result<(), PlanError> {
        let mut known: HashSet<Key> = self.chosen.keys().cloned().collect();
        let (new, arguments): (Vec<&dyn Kernel>, Vec<&Arguments>) =
            ops.iter().map(Box::as_ref).zip(arguments).filter(|(op, _)| known.insert(key(*op))).unzip();
        let candidates: Vec<_> = new.iter().map(|op| self.candidates(gpu, *op)).collect();
        // On a software adapter the kernels' own order holds, and each variant tried would be felt as time at load.
        let is_timed = |op: &dyn Kernel| op.timed() && !gpu.facts().software;
        let checks = new.iter().zip(&candidates).map(|(op, candidates)| check(gpu, *op, candidates, is_timed(*op)));
        let verdicts = join_all(checks).await;
        let contenders = new.iter().zip(&verdicts).filter(|(_, (right, _))| right.len() > 1);
        let shaders: Vec<_> = contenders
            .flat_map(|(op, (right, _))| right.iter().map(|variant| shader(*op, &op.launch(*variant, gpu.facts()))))
            .collect();
        self.compile(gpu, &shaders).await?;
        for ((op, arguments), (right, wrong)) in new.into_iter().zip(arguments).zip(verdicts) {
            let variant = self.pick(gpu, op, arguments, right, wrong).await?;
            self.chosen.insert(key(op), variant);
        }
        Ok(())
    }

    fn candidates(&self, gpu: &Gpu, op: &dyn Kernel) -> Vec<Variant> {
        let candidates = op.variants(gpu.facts());
        match self.forced.filter(|forced| candidates.contains(forced)) {
            Some(forced) => vec![forced],
            None => candidates,
        }
    }

    async fn pick(
        &mut self,
        gpu: &Gpu,
        op: &dyn Kernel,
        arguments: &Arguments,
        right: Vec<Variant>,
        mut wrong: Vec<(Variant, verify::Wrong)>,
    ) -> Result<Variant, PlanError> {
        let mut times = Vec::new();
        let variant = match right.as_slice() {
            [] => {
                let (_, error) = wrong.pop().expect("a kernel has at least one variant");
                return Err((op, error).into());
            }
            [only] => *only,
            several => {
                times = self.time_all(gpu, op, arguments, several).await?;
                let fastest = times.iter().min_by_key(|(_, time)| *time);
                fastest.map_or(several[0], |(variant, _)| *variant)
            }
        };
        self.choices.push(KernelChoice {
            kernel: op.name(),
            class: op.class(),
            variant: format!("{variant:?}"),
            wrong: wrong.iter().map(|(variant, error)| format!("{variant:?}: {error}")).collect(),
            times,
        });
        Ok(variant)
    }

    async fn time_all(
        &mut self,
        gpu: &Gpu,
        op: &dyn Kernel,
        arguments: &Arguments,
        variants: &[Variant],
    ) -> Result<Vec<(Variant, Duration)>, PlanError> {
        let mut times: Vec<(Variant, Duration)> = Vec::new();
        for variant in variants {
            let limit = times.iter().map(|(_, time)| *time).min().unwrap_or(Duration::MAX);
            times.push((*variant, self.time(gpu, op, arguments, *variant, limit).await?));
        }
        Ok(times)
    }

    /// Time of a dispatch in the fastest run. Gives up after the first dispatch if it is much slower than `limit`.
    async fn time(
        &mut self,
        gpu: &Gpu,
        op: &dyn Kernel,
        arguments: &Arguments,
        variant: Variant,
        limit: Duration,
    ) -> Result<Duration, PlanError> {
        let launch = op.launch(variant, gpu.facts());
        let kernel = self.compile(gpu, &[shader(op, &launch)]).await?.remove(0);
        let dispatch = Dispatch { kernel, bindings: verify::bindings(arguments), workgroups: launch.workgroups };
        let once = gpu.pass(std::slice::from_ref(&dispatch));
        let pass = gpu.pass(&vec![dispatch; REPEATS]);
        let first = timed(gpu, &once).await?;
        if first > limit.saturating_mul(3) || first > SLOW {
            return Ok(first);
        }
        let mut best = Duration::MAX;
        for _ in 0..RUNS {
            best = best.min(timed(gpu, &pass).await?);
        }
        Ok(best / REPEATS as u32)
    }
}

async fn timed(gpu: &Gpu, pass: &crate::gpu::Pass) -> Result<Duration, GpuError> {
    let start = Instant::now();
    gpu.submit(&[pass]);
    gpu.wait_idle().await?;
    Ok(start.elapsed())
}

type Verdicts = (Vec<Variant>, Vec<(Variant, verify::Wrong)>);

/// Sorts candidates into right and wrong ones. Unless `all` are wanted, stops at the first right one.
async fn check(gpu: &Gpu, op: &dyn Kernel, candidates: &[Variant], all: bool) -> Verdicts {
    let case = op.guard();
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    for variant in candidates {
        match verify::check(gpu, &case, *variant).await {
            Ok(()) => right.push(*variant),
            Err(error) => wrong.push((*variant, error)),
        }
        if !all && !right.is_empty() {
            break;
        }
    }
    (right, wrong)
}
