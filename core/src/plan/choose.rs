//! Which variant of a kernel runs: those that fit the adapter are checked against a known answer, the right ones of
//! heavy kernels are timed, and the fastest is kept for all operations of the same name and class.

use std::borrow::Cow;

use crate::clock::{Duration, Instant};
use futures_util::future::join_all;
use litemap::LiteMap;

use super::PlanError;
use crate::device::Device;
use crate::gpu::{Dispatch, Gpu, GpuError, Pipeline, Shader};
use crate::kernels::cpu::{ALL_THREADS, FastWay, Precision, Processor, threads_there};
use crate::kernels::{Arguments, Kernel, Variant, shader, verify};

/// Runs of a timing; the fastest counts.
const RUNS: u32 = 3;
/// Dispatches in a run, so that the cost of a submission does not drown the kernel's.
const REPEATS: usize = 4;

/// A dispatch this slow tells enough when it runs once; more would be felt at load.
const SLOW: Duration = Duration::from_millis(10);

/// A choice that was made, for `inglenook devices` and bug reports.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct KernelChoice {
    /// Kernel name.
    pub kernel: Cow<'static, str>,
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
    compiled: Vec<(Shader, Pipeline)>,
    chosen: LiteMap<Key, Variant>,
    choices: Vec<KernelChoice>,
    fast: LiteMap<(Key, Precision), Option<Processor>>,
    threads: usize,
    precision: Precision,
    forced: Option<Variant>,
}

impl KernelCache {
    /// A cache for `device` that holds nothing yet.
    pub fn new(device: Device) -> KernelCache {
        KernelCache {
            device,
            compiled: Vec::new(),
            chosen: LiteMap::new_vec(),
            choices: Vec::new(),
            fast: LiteMap::new_vec(),
            threads: ALL_THREADS,
            precision: Precision::default(),
            forced: None,
        }
    }

    /// Uses `variant` wherever a kernel offers it, untimed; for tests that want each variant inside a whole model. On the CPU
    /// [`Variant::Plain`] are the twins.
    pub fn force(mut self, variant: Variant) -> KernelCache {
        self.forced = Some(variant);
        self
    }

    /// On the CPU, computes on so many threads at most: of 0, and of more than there are, as many as there are.
    pub fn with_threads(mut self, threads: usize) -> KernelCache {
        self.threads = if threads == 0 { ALL_THREADS } else { threads };
        self
    }

    /// On the CPU, leaves activations f32, or rounds them.
    pub fn set_exact_activations(&mut self, exact: bool) {
        self.precision = if exact { Precision::Exact } else { Precision::Rounded };
    }

    /// Whether they stay f32.
    pub fn exact_activations(&self) -> bool {
        self.precision == Precision::Exact
    }

    /// What the CPU computes with, for people: instructions and threads, in so many programs.
    pub fn instructions(&self, programs: usize) -> String {
        let threads = self.threads.min(threads_there()) * programs;
        let best = Processor::all().last().map_or("plain code", |processor| processor.name());
        format!("{best}, {threads} thread{}", if threads == 1 { "" } else { "s" })
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The choices made so far.
    pub fn choices(&self) -> &[KernelChoice] {
        &self.choices
    }

    /// Notes choices that a module of the CPU has made.
    pub(super) fn note(&mut self, choices: Vec<KernelChoice>) {
        self.choices.extend(choices);
    }

    /// The variant chosen for operations like `kernel`.
    pub(super) fn variant(&self, kernel: &dyn Kernel) -> Variant {
        self.chosen[&key(kernel)]
    }

    /// The instructions by which operations like `op` run on the CPU: the best that the processor has and that give the right answer; none
    /// where the twin runs.
    pub(super) fn fast_way(&mut self, op: &dyn Kernel) -> Option<FastWay> {
        let KernelCache { threads, precision, .. } = *self;
        Some(FastWay { processor: self.processor(op)?, threads, precision })
    }

    fn processor(&mut self, op: &dyn Kernel) -> Option<Processor> {
        let all = Processor::all();
        if all.is_empty() || self.forced == Some(Variant::Plain) {
            return None;
        }
        let key = (key(op), self.precision);
        if let Some(known) = self.fast.get(&key) {
            return *known;
        }
        let (mut processor, mut wrong) = (None, Vec::new());
        for candidate in all.into_iter().rev() {
            let way = FastWay { processor: candidate, threads: ALL_THREADS, precision: self.precision };
            match verify::check_fast(&op.guard(), way) {
                Some(Ok(())) => processor = Some(candidate),
                Some(Err(error)) => wrong.push(format!("{}: {error}", candidate.name())),
                None => {}
            }
            if processor.is_some() {
                break;
            }
        }
        if processor.is_some() || !wrong.is_empty() {
            let variant = processor.map_or("twin", Processor::name).to_string();
            self.choices.push(KernelChoice {
                kernel: op.name().into(),
                class: op.class(),
                variant,
                wrong,
                times: Vec::new(),
            });
        }
        self.fast.insert(key, processor);
        processor
    }

    fn pipeline(&self, shader: &Shader) -> Option<&Pipeline> {
        self.compiled.iter().find(|(compiled, _)| compiled == shader).map(|(_, pipeline)| pipeline)
    }

    /// Compiles what is not compiled yet, all of it together; the result has the order of `shaders`.
    pub(super) async fn compile(&mut self, gpu: &Gpu, shaders: &[Shader]) -> Result<Vec<Pipeline>, GpuError> {
        let mut missing: Vec<Shader> = Vec::new();
        for shader in shaders {
            if self.pipeline(shader).is_none() && !missing.contains(shader) {
                missing.push(shader.clone());
            }
        }
        let kernels = gpu.pipelines(&missing).await?;
        self.compiled.extend(missing.into_iter().zip(kernels));
        Ok(shaders.iter().filter_map(|shader| self.pipeline(shader).cloned()).collect())
    }

    /// Makes sure that a variant is chosen for every operation. The checks run side by side, and so do the compilations, since a
    /// browser compiles on several threads; timings run alone.
    pub(super) async fn choose(
        &mut self,
        gpu: &Gpu,
        ops: &[Box<dyn Kernel>],
        arguments: &[Arguments],
    ) -> Result<(), PlanError> {
        let mut known: Vec<Key> = self.chosen.keys().cloned().collect();
        let mut is_new = |op: &dyn Kernel| {
            let key = key(op);
            let is_new = !known.contains(&key);
            known.extend(is_new.then_some(key));
            is_new
        };
        let (new, arguments): (Vec<&dyn Kernel>, Vec<&Arguments>) =
            ops.iter().map(Box::as_ref).zip(arguments).filter(|(op, _)| is_new(*op)).unzip();
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
            kernel: op.name().into(),
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
        let run = async |dispatches: usize| {
            let pass = gpu.pass(&vec![dispatch.clone(); dispatches]);
            let start = Instant::now();
            gpu.submit(&[&pass]);
            gpu.wait_idle().await?;
            Ok(start.elapsed())
        };
        Ok(dispatch_time(run, limit).await?)
    }
}

/// Time of a dispatch in the fastest of some runs; `run` is told how many dispatches to time together. A variant that is much slower
/// than `limit` runs no further.
async fn dispatch_time(
    run: impl AsyncFn(usize) -> Result<Duration, GpuError>,
    limit: Duration,
) -> Result<Duration, GpuError> {
    let is_slow = |time: Duration| time > limit.saturating_mul(3) || time > SLOW;
    // Drivers compile a shader when it first runs: a slow first run says nothing of the kernel.
    if is_slow(run(1).await?) {
        let warm = run(1).await?;
        if is_slow(warm) {
            return Ok(warm);
        }
    }
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        best = best.min(run(REPEATS).await?);
    }
    Ok(best / REPEATS as u32)
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// What `dispatch_time` finds where the first runs take these milliseconds, and all others 1; and how many ran.
    fn found(first: &[u64], limit: u64) -> (Duration, usize) {
        let runs = RefCell::new(0);
        let run = async |dispatches: usize| {
            let number = runs.replace_with(|runs| *runs + 1);
            let each = first.get(number).copied().unwrap_or(1);
            Ok(Duration::from_millis(each) * dispatches as u32)
        };
        let time = pollster::block_on(dispatch_time(run, Duration::from_millis(limit))).expect("runs do not fail");
        (time, runs.into_inner())
    }

    #[test]
    fn dispatch_time_leaves_out_a_first_run_that_compiles() {
        let whole = 1 + RUNS as usize;
        assert_eq!(found(&[2], 100), (Duration::from_millis(1), whole));
        assert_eq!(found(&[500], 100), (Duration::from_millis(1), whole + 1));
        assert_eq!(found(&[9], 2), (Duration::from_millis(1), whole + 1), "slower than another variant");
    }

    #[test]
    fn dispatch_time_gives_up_where_a_dispatch_stays_slow() {
        assert_eq!(found(&[500, 40], 100), (Duration::from_millis(40), 2));
        assert_eq!(found(&[7, 7], 2), (Duration::from_millis(7), 2));
    }
}
