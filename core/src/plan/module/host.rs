//! The other end of a plan: what a module of the CPU has, by number, and how it runs plans.

use std::cell::Ref;

use super::Step;
use super::sharing::{self, Exchange, Group, GroupWeights, Sharing};
use crate::device::module::ModuleRange;
use crate::device::{Device, Slice, Storage};
use crate::kernels::Arguments;
use crate::kernels::encode::decode;
use crate::plan::{CpuStep, KernelCache, KernelChoice};

/// The other end: buffers and plans by number, in the memory of this program.
#[derive(Debug)]
pub struct ModuleHost {
    kernels: KernelCache,
    buffers: Vec<Option<Storage>>,
    plans: Vec<Option<HostPlan>>,
    told: usize,
    sharing: Option<Sharing>,
    /// Weights of all groups, each once.
    weights: Vec<GroupWeights>,
    running: Option<Running>,
}

/// A plan that is ready to run.
#[derive(Debug)]
pub struct HostPlan {
    /// Its operations.
    pub(super) steps: Vec<CpuStep>,
    /// Those that can be shared, in order.
    pub(super) groups: Vec<Group>,
}

/// A plan that runs: its number, its next step, and the rows of x that this step has done with.
#[derive(Debug)]
struct Running {
    plan: usize,
    step: usize,
    first: usize,
    exchange: Option<Exchange>,
}

impl Default for ModuleHost {
    fn default() -> ModuleHost {
        let kernels = KernelCache::new(Device::Cpu);
        let (buffers, plans, weights) = (Vec::new(), Vec::new(), Vec::new());
        ModuleHost { kernels, buffers, plans, told: 0, sharing: None, weights, running: None }
    }
}

impl ModuleHost {
    /// What it computes with.
    pub fn instructions(&self) -> String {
        self.kernels.instructions(self.sharing.map_or(1, |sharing| sharing.modules))
    }

    /// Zero-filled memory; `None` where there is not so much.
    pub fn buffer(&mut self, bytes: u64) -> Option<u32> {
        let storage = Device::Cpu.buffer("module", bytes).ok()?;
        Some(put(&mut self.buffers, storage))
    }

    /// Gives a buffer back. Plans that use it keep it.
    pub fn release_buffer(&mut self, buffer: u32) {
        self.buffers[buffer as usize] = None;
    }

    /// A range of a buffer.
    ///
    /// # Panics
    /// Where there is no such buffer.
    pub fn slice(&self, ModuleRange { buffer, offset, bytes }: ModuleRange) -> Slice {
        let storage =
            self.buffers[buffer as usize].as_ref().unwrap_or_else(|| unreachable!("the engine owns its buffers"));
        storage.slice(offset, bytes)
    }

    /// Reads a plan and chooses instructions for its kernels, each checked before; the choices that are new.
    ///
    /// # Errors
    /// Steps of another build of the engine.
    pub fn plan(&mut self, text: &str) -> Result<(u32, String), serde_json::Error> {
        let (exact, written): (bool, Vec<Step<'_>>) = serde_json::from_str(text)?;
        self.kernels.set_exact_activations(exact);
        let (mut steps, mut places) = (Vec::with_capacity(written.len()), Vec::with_capacity(written.len()));
        for Step(name, fields, places_of) in written {
            let kernel = decode(name, fields.get())?;
            let mut operands = places_of.iter();
            let arguments = Arguments::new(kernel.operands(), |_| {
                let place = operands.next().unwrap_or_else(|| unreachable!("each operand has a place"));
                let &(buffer, offset, bytes) = place;
                self.slice(ModuleRange { buffer, offset, bytes })
            });
            let way = self.kernels.fast_way(kernel.as_ref());
            steps.push(CpuStep { kernel, arguments, way });
            places.push(places_of);
        }
        let groups = sharing::groups(&steps, &places, &mut self.weights);
        let new = self.kernels.choices()[self.told..].iter().map(line).collect();
        self.told = self.kernels.choices().len();
        Ok((put(&mut self.plans, HostPlan { steps, groups }), new))
    }

    /// Forgets a plan.
    pub fn release_plan(&mut self, plan: u32) {
        self.plans[plan as usize] = None;
    }

    /// From now on, matmuls of so many multiplications are shared.
    pub fn share(&mut self, sharing: Sharing) {
        self.sharing = Some(sharing);
    }

    /// Begins to run a plan: [`ModuleHost::go_on`] does it.
    pub fn start(&mut self, plan: u32) {
        self.running = Some(Running { plan: plan as usize, step: 0, first: 0, exchange: None });
    }

    /// Runs the plan to its end, or to the next matmuls that are shared: true, and their shares are to be computed before this is called again.
    pub fn go_on(&mut self) -> bool {
        let Some(Running { plan: number, mut step, mut first, exchange }) = self.running.take() else { return false };
        let Some(plan) = &self.plans[number] else { return false };
        (step, first) = match exchange.map(|exchange| exchange.finish(plan)) {
            Some(Ok(following)) => (following, 0),
            Some(Err(rows)) => (step, first + rows),
            None => (step, first),
        };
        while let Some(next) = plan.steps.get(step) {
            let group = plan.groups.binary_search_by_key(&step, |group| group.steps.start).ok();
            let shared = self.sharing.zip(group);
            let exchange = shared.and_then(|(sharing, group)| Exchange::begin(plan, group, first, sharing));
            if exchange.is_some() {
                self.running = Some(Running { plan: number, step, first, exchange });
                return true;
            }
            next.run();
            step += 1;
        }
        false
    }

    /// Of the matmuls that are shared now: the number of their weights, and x.
    pub fn exchange(&self) -> Option<(usize, Ref<'_, [f32]>)> {
        let Running { plan, exchange, .. } = self.running.as_ref()?;
        let (plan, exchange) = (self.plans[*plan].as_ref()?, exchange.as_ref()?);
        Some((exchange.weights, exchange.x(plan)))
    }

    /// Computes the share of a module.
    pub fn compute(&mut self, module: usize) {
        let (plans, running) = (&self.plans, &mut self.running);
        let Some(Running { plan, exchange: Some(exchange), .. }) = running else { return };
        plans[*plan].iter().for_each(|plan| exchange.compute(plan, module));
    }

    /// Takes the share of a module as it answered; false where it is none.
    pub fn take(&mut self, module: usize, answer: &[f32]) -> bool {
        let exchange = self.running.as_mut().and_then(|running| running.exchange.as_mut());
        exchange.is_some_and(|exchange| exchange.take(module, answer))
    }

    /// What a module has to learn of a group's weights: see [`Helper::learn`]. Empty where nothing is shared.
    ///
    /// [`Helper::learn`]: super::helper::Helper::learn
    pub fn share_of(&self, weights: usize, module: usize) -> String {
        let text = self.sharing.zip(self.weights.get(weights)).map(|(sharing, weights)| {
            serde_json::to_string(&weights.share(module, sharing.modules))
                .unwrap_or_else(|_| unreachable!("it has a form"))
        });
        text.unwrap_or_default()
    }
}

/// A choice as the line that [`choice`](super::choice) reads.
fn line(KernelChoice { kernel, class, variant, wrong, times: _ }: &KernelChoice) -> String {
    let fields = [kernel.as_ref(), class, variant].into_iter().chain(wrong.iter().map(String::as_str));
    fields.collect::<Vec<&str>>().join("\t") + "\n"
}

/// Puts `value` in the first free place, and tells its number.
fn put<T>(places: &mut Vec<Option<T>>, value: T) -> u32 {
    let free = places.iter().position(Option::is_none).unwrap_or_else(|| {
        places.push(None);
        places.len() - 1
    });
    places[free] = Some(value);
    free as u32
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::kernels::TensorRef;
    use crate::kernels::Variant;
    use crate::kernels::verify::{self, KernelTest};
    use crate::plan::module::sharing::SharedWeights;
    use crate::plan::module::{Helper, choice};

    impl ModuleHost {
        fn of_twins() -> ModuleHost {
            ModuleHost { kernels: KernelCache::new(Device::Cpu).force(Variant::Plain), ..ModuleHost::default() }
        }
    }

    /// Runs plans to their ends, alone.
    fn alone(host: &mut ModuleHost) {
        assert!(!host.go_on(), "nothing is shared");
    }

    /// The words of a case's inputs after a module has run its kernels, each to its end by `run`.
    fn run_in_module(case: &KernelTest, host: &mut ModuleHost, run: &mut dyn FnMut(&mut ModuleHost)) -> Vec<Vec<u32>> {
        let mut ranges = Vec::new();
        for words in case.inputs_on(&Device::Cpu) {
            let bytes = words.len() as u64 * 4;
            let range = ModuleRange { buffer: host.buffer(bytes).expect("memory"), offset: 0, bytes };
            host.slice(range).u32s_mut().copy_from_slice(&words);
            ranges.push(range);
        }
        let slices: Vec<Slice> = ranges.iter().map(|range| host.slice(*range)).collect();
        let number_of = |place: &TensorRef| match place {
            TensorRef::Fixed(slice) => slices.iter().position(|other| slice.is_same(other)).expect("an input"),
            TensorRef::Tensor(_) => unreachable!("a case has no plan"),
        };
        for build in std::iter::once(&case.build).chain(&case.followers) {
            let kernel = build(slices.iter().cloned().map(TensorRef::Fixed).collect());
            let operands = kernel.operands();
            let places = operands.iter().map(|operand| ranges[number_of(&operand.place)]);
            let places = places.map(|range| (range.buffer, range.offset, range.bytes)).collect();
            let step = Step(kernel.name(), Cow::Owned(kernel.encode().expect("JSON")), places);
            let text = serde_json::to_string(&(false, [step])).expect("JSON");
            let (plan, _) = host.plan(&text).expect("reads its own form");
            host.start(plan);
            run(host);
            host.release_plan(plan);
        }
        slices.iter().map(|slice| slice.u32s().to_vec()).collect()
    }

    /// Runs a plan to its end with `modules - 1` helpers. Those that are `lost` do not answer.
    fn together(host: &mut ModuleHost, modules: usize, lost: usize) -> usize {
        let (mut helpers, mut exchanges) = (Vec::new(), 0);
        helpers.resize_with(modules, Helper::default);
        while host.go_on() {
            exchanges += 1;
            let (weights, x) = host.exchange().map(|(weights, x)| (weights, x.to_vec())).expect("matmuls are due");
            host.compute(0);
            for (module, helper) in helpers.iter_mut().enumerate().skip(1) {
                if module == lost {
                    host.compute(module);
                    continue;
                }
                let text = host.share_of(weights, module);
                let (.., matmuls): (String, bool, Vec<SharedWeights>) = serde_json::from_str(&text).expect("JSON");
                let ranges = matmuls.iter().flat_map(|matmul| &matmul.planes);
                let planes = ranges.flat_map(|&(buffer, offset, bytes)| {
                    host.slice(ModuleRange { buffer, offset, bytes }).u32s().to_vec()
                });
                let planes: Vec<u32> = planes.collect();
                helper.learn(weights, &text).expect("its own form").expect("memory").copy_from_slice(&planes);
                helper.x(x.len()).copy_from_slice(&x);
                let products = helper.multiply(weights).to_vec();
                assert!(!host.take(module, &products[..products.len().saturating_sub(1)]) || products.is_empty());
                assert!(host.take(module, &products));
            }
        }
        exchanges
    }

    #[test]
    fn matmuls_that_are_shared_have_the_bits_of_those_that_are_not() {
        let cases = verify::all_cases().into_iter().filter(|case| case.name.starts_with("gem"));
        let mut exchanges = 0;
        for case in cases {
            let whole = run_in_module(&case, &mut ModuleHost::default(), &mut alone);
            for (modules, lost, room) in [(2, 9, 1 << 20), (3, 1, 1 << 20), (5, 9, 1 << 12)] {
                let mut host = ModuleHost::default();
                host.share(Sharing { modules, least: 0, room });
                let found = run_in_module(&case, &mut host, &mut |host| exchanges += together(host, modules, lost));
                assert!(found == whole, "{} on {modules}", case.name);
            }
        }
        assert!(exchanges > 100, "{exchanges}");
    }

    #[test]
    fn every_kernel_gives_in_a_module_what_its_twin_gives() {
        for case in verify::all_cases() {
            let found = run_in_module(&case, &mut ModuleHost::of_twins(), &mut alone);
            assert!(found == verify::run_twin(&case), "{}", case.name);
        }
    }

    #[test]
    fn choices_come_back_as_they_were_made() {
        let times = Vec::new;
        for wrong in [vec![], vec!["AVX2: binding 1 differs".to_string(), "portable: so does this".into()]] {
            let made = KernelChoice {
                kernel: "gemv".into(),
                class: "Q8_0 1".into(),
                variant: "x".into(),
                wrong,
                times: times(),
            };
            assert_eq!(choice(line(&made).trim_end_matches('\n')), made);
        }
    }

    #[test]
    fn plan_rejects_steps_of_another_build() {
        let mut host = ModuleHost::default();
        for text in
            ["", "[", "[]", r#"[true, [["no_such_kernel", {}, []]]]"#, r#"[false, [["copy", {"source": null}, []]]]"#]
        {
            assert!(host.plan(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_of_released_buffers_are_used_again() {
        let mut host = ModuleHost::default();
        let [a, b] = [4, 8].map(|bytes| host.buffer(bytes).expect("memory"));
        host.release_buffer(a);
        assert_eq!((host.buffer(12), host.buffer(4)), (Some(a), Some(b + 1)));
        assert_eq!(host.buffer(u64::MAX), None);
    }
}
