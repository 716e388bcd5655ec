//! Known-answer checks: a kernel's variants on a GPU against its twin on the CPU.
//!
//! The same cases serve the tests (natively and in browsers) and the guard at load: a variant that fails on this
//! machine's GPU is never used.

use std::fmt;

use super::cpu::FastWay;
use super::kv::{KvShape, KvType};
use super::weights::CaseWeights;
use super::{Arguments, Kernel, LaunchConfig, TensorRef, Variant, cpu, shader};
use crate::device::{Device, Slice, Storage};
use crate::gpu::{AdapterInfo, Binding, Dispatch, Gpu, GpuError, Shader};

/// Builds a kernel over the case's inputs. Those of a case of one kernel are in binding order.
pub type Build = Box<dyn Fn(Vec<TensorRef>) -> Box<dyn Kernel>>;

/// A kernel with inputs for which its twin knows the answer.
pub struct KernelTest {
    /// What is checked, for messages.
    pub name: String,
    /// Initial words of each input; those of weights as a GPU reads them.
    pub inputs: Vec<Vec<u32>>,
    /// Which of them are weights.
    pub weights: Option<CaseWeights>,
    /// What is compared afterwards.
    pub outputs: Vec<Output>,
    /// Builds the kernel under test.
    pub build: Build,
    /// Kernels that run behind it, each in its first variant, where the answer takes more than one.
    pub followers: Vec<Build>,
    /// Workgroups that the adapter is said to take in a dimension, so that a small case folds its grid.
    pub grid_limit: Option<u32>,
}

/// One input that is compared.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Index of the input; of a case of one kernel, its binding.
    pub binding: usize,
    /// How its words are read.
    pub kind: Kind,
}

/// How words are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// f32 values, by normalised mean square error at most this.
    F32(f64),
    /// Vectors of a key/value cache, by normalised mean square error at most what its type allows.
    Cache(KvShape),
    /// Equal bit for bit.
    Bits,
    /// Pairs of a word, equal bit for bit, and an f32 value, by normalised mean square error at most this.
    Pairs(f64),
    /// Rows of so many experts, equal, and as many f32 weights that are near.
    Choices(u32),
}

impl Output {
    /// f32 values with the usual tolerance: NMSE 1e-6, which f32 sums in another order meet easily.
    pub fn f32(binding: usize) -> Output {
        Output { binding, kind: Kind::F32(1e-6) }
    }

    /// The same with the tolerance of `variant`: rounding activations to 8 bits, or products to f16, costs up to 5e-4.
    fn of(self, variant: Variant) -> Output {
        match (self.kind, variant) {
            (Kind::F32(limit), Variant::Dot4 | Variant::F16) => Output { kind: Kind::F32(limit.max(5e-4)), ..self },
            _ => self,
        }
    }

    /// Choices of so many experts a row: equal experts, and weights that are near.
    pub fn choices(binding: usize, used: u32) -> Output {
        Output { binding, kind: Kind::Choices(used) }
    }

    /// Words and f32 values by turns; the values sharp to about 1e-5 of their size.
    pub fn pairs(binding: usize) -> Output {
        Output { binding, kind: Kind::Pairs(1e-10) }
    }

    /// Equal words.
    pub fn bits(binding: usize) -> Output {
        Output { binding, kind: Kind::Bits }
    }
}

impl KernelTest {
    /// A case from its parts.
    pub fn new(
        name: String,
        inputs: Vec<Vec<u32>>,
        outputs: Vec<Output>,
        build: impl Fn(Vec<TensorRef>) -> Box<dyn Kernel> + 'static,
    ) -> KernelTest {
        let (weights, build, followers) = (None, Box::new(build), Vec::new());
        KernelTest { name, inputs, weights, outputs, build, followers, grid_limit: None }
    }

    /// The same with planes of weights among its inputs.
    pub fn weighted(self, weights: CaseWeights) -> KernelTest {
        KernelTest { weights: Some(weights), ..self }
    }

    /// The inputs, weights as `device` reads them.
    pub(crate) fn inputs_on(&self, device: &Device) -> Vec<Vec<u32>> {
        match self.weights {
            Some(weights) => weights.laid_out(device, &self.inputs),
            None => self.inputs.clone(),
        }
    }

    /// The same with another kernel behind it, over the same inputs.
    pub fn then(mut self, build: impl Fn(Vec<TensorRef>) -> Box<dyn Kernel> + 'static) -> KernelTest {
        self.followers.push(Box::new(build));
        self
    }

    /// The same on an adapter that takes `limit` workgroups in a dimension.
    pub fn folded(self, limit: u32) -> KernelTest {
        KernelTest { name: format!("{} folded at {limit}", self.name), grid_limit: Some(limit), ..self }
    }

    /// What the kernels are told of the adapter.
    fn facts(&self, facts: &AdapterInfo) -> AdapterInfo {
        let mut facts = facts.clone();
        facts.limits.workgroups = self.grid_limit.unwrap_or(facts.limits.workgroups);
        facts
    }

    /// The kernel under test, then those behind it.
    fn kernels(&self, slices: &[Slice]) -> Vec<Box<dyn Kernel>> {
        let places = || slices.iter().cloned().map(TensorRef::Fixed).collect();
        std::iter::once(&self.build).chain(&self.followers).map(|build| build(places())).collect()
    }
}

/// A wrong answer, or none at all.
#[derive(Debug, Clone, PartialEq)]
pub enum Wrong {
    /// The GPU failed before it could answer.
    Gpu(GpuError),
    /// The answer differs.
    Differs {
        /// The binding.
        binding: usize,
        /// Normalised mean square error, or the share of differing words.
        error: f64,
        /// First differing element: index, expected, found.
        first: (usize, f64, f64),
    },
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::Gpu(error) => write!(f, "{error}"),
            Wrong::Differs { binding, error, first: (index, expected, found) } => {
                write!(f, "binding {binding} differs by {error:.3e}; element {index} is {found}, expected {expected}")
            }
        }
    }
}

/// Runs one variant of a case on `gpu` and compares with the twin.
pub async fn check(gpu: &Gpu, case: &KernelTest, variant: Variant) -> Result<(), Wrong> {
    check_launch(gpu, case, variant, &kernel(case).launch(variant, &case.facts(gpu.facts()))).await
}

/// Runs the fast way of a case's kernel on the CPU, if it has any, and compares with the twin.
pub fn check_fast(case: &KernelTest, way: FastWay) -> Option<Result<(), Wrong>> {
    let slices = upload(&Device::Cpu, case).expect("host memory has no limit that a case meets");
    for (number, kernel) in case.kernels(&slices).into_iter().enumerate() {
        let arguments = arguments(kernel.as_ref());
        match number {
            0 if !kernel.run_fast(&arguments, way) => return None,
            0 => {}
            _ => kernel.run(&arguments),
        }
    }
    let expected = run_twin(case);
    let mut outputs = case.outputs.iter();
    Some(outputs.try_for_each(|output| compare(output, &expected[output.binding], &slices[output.binding].u32s())))
}

/// Runs all cases on the CPU that have a fast way so, and compares with the twins: their names.
///
/// # Errors
/// The name of the first that differs, and by what.
pub fn check_fast_ways(way: FastWay) -> Result<Vec<String>, (String, Wrong)> {
    let fast = all_cases().into_iter().filter_map(|case| Some((check_fast(&case, way)?, case.name)));
    fast.map(|(found, name)| found.map(|()| name.clone()).map_err(|error| (name, error))).collect()
}

/// Runs one way to write a case's kernel on `gpu` and compares with the twin.
pub async fn check_launch(gpu: &Gpu, case: &KernelTest, variant: Variant, launch: &LaunchConfig) -> Result<(), Wrong> {
    let expected = run_twin(case);
    let found = run_gpu(gpu, case, launch).await.map_err(Wrong::Gpu)?;
    let outputs = case.outputs.iter().zip(&found);
    outputs.into_iter().try_for_each(|(output, found)| compare(&output.of(variant), &expected[output.binding], found))
}

/// All the ways to write a case's kernel that an adapter with these features can run, those included which are meant for
/// software adapters alone, or for all others.
pub fn launches(case: &KernelTest, facts: &AdapterInfo) -> Vec<(Variant, LaunchConfig)> {
    let kernel = kernel(case);
    let mut launches: Vec<(Variant, LaunchConfig)> = Vec::new();
    for software in [facts.software, !facts.software] {
        let facts = AdapterInfo { software, ..case.facts(facts) };
        for variant in kernel.variants(&facts) {
            let launch = kernel.launch(variant, &facts);
            if !launches.iter().any(|(_, seen)| *seen == launch) {
                launches.push((variant, launch));
            }
        }
    }
    launches
}

/// The shaders of [`launches`]; for looking at them without an adapter.
pub fn shaders(case: &KernelTest, facts: &AdapterInfo) -> Vec<(Variant, Shader)> {
    let kernel = kernel(case);
    launches(case, facts).iter().map(|(variant, launch)| (*variant, shader(kernel.as_ref(), launch))).collect()
}

fn kernel(case: &KernelTest) -> Box<dyn Kernel> {
    let slices = upload(&Device::Cpu, case).expect("host memory has no limit that a case meets");
    case.kernels(&slices).remove(0)
}

fn upload(device: &Device, case: &KernelTest) -> Result<Vec<Slice>, GpuError> {
    case.inputs_on(device).iter().map(|words| Ok(device.upload(&case.name, words)?.all())).collect()
}

/// The words of every input after the case's twins have run.
pub(crate) fn run_twin(case: &KernelTest) -> Vec<Vec<u32>> {
    let slices = upload(&Device::Cpu, case).expect("host memory has no limit that a case meets");
    for kernel in case.kernels(&slices) {
        kernel.run(&arguments(kernel.as_ref()));
    }
    slices.iter().map(|slice| slice.u32s().to_vec()).collect()
}

/// The words of the compared inputs after the kernels have run, the one under test as `launch` says.
async fn run_gpu(gpu: &Gpu, case: &KernelTest, launch: &LaunchConfig) -> Result<Vec<Vec<u32>>, GpuError> {
    let device = Device::Gpu(gpu.clone());
    let slices = upload(&device, case)?;
    let mut dispatches = Vec::new();
    for (number, kernel) in case.kernels(&slices).into_iter().enumerate() {
        let launch = match number {
            0 => launch.clone(),
            _ => kernel.launch(kernel.variants(gpu.facts())[0], gpu.facts()),
        };
        let compiled = gpu.pipelines(&[shader(kernel.as_ref(), &launch)]).await?.remove(0);
        let bindings = bindings(&arguments(kernel.as_ref()));
        dispatches.push(Dispatch { kernel: compiled, bindings, workgroups: launch.workgroups });
    }
    gpu.submit(&[&gpu.pass(&dispatches)]);
    gpu.wait_idle().await?;
    let mut found = Vec::new();
    for output in &case.outputs {
        found.push(bytemuck::pod_collect_to_vec(&device.read(&slices[output.binding]).await?));
    }
    Ok(found)
}

/// The operands of a case's kernel.
fn arguments(kernel: &dyn Kernel) -> Arguments {
    Arguments::new(kernel.operands(), |place| match place {
        TensorRef::Fixed(slice) => slice.clone(),
        TensorRef::Tensor(_) => unreachable!("a case has no plan"),
    })
}

/// Operands in GPU memory as bindings.
pub(crate) fn bindings(arguments: &Arguments) -> Vec<Binding> {
    let binding = |slice: &Slice| match &slice.storage {
        Storage::Gpu(buffer) => Binding { buffer: buffer.clone(), offset: slice.offset, bytes: slice.bytes },
        _ => unreachable!("GPU plans hold GPU storage"),
    };
    arguments.slices().map(binding).collect()
}

fn compare(output: &Output, expected: &[u32], found: &[u32]) -> Result<(), Wrong> {
    let binding = output.binding;
    match output.kind {
        Kind::Bits => compare_bits(binding, expected, found),
        Kind::F32(limit) => compare_floats(binding, limit, &f32s(expected), &f32s(found)),
        Kind::Cache(kv) => compare_floats(binding, cache_limit(kv.ty), &vectors(&kv, expected), &vectors(&kv, found)),
        Kind::Choices(used) => {
            let half = |words: &[u32], skip: bool| {
                let rows = words.chunks_exact(2 * used as usize);
                rows.flat_map(|row| row[if skip { used as usize } else { 0 }..][..used as usize].to_vec())
                    .collect::<Vec<u32>>()
            };
            compare_bits(binding, &half(expected, false), &half(found, false))?;
            compare_floats(binding, 1e-8, &f32s(&half(expected, true)), &f32s(&half(found, true)))
        }
        Kind::Pairs(limit) => {
            let every_second =
                |words: &[u32], start| words.iter().skip(start).step_by(2).copied().collect::<Vec<u32>>();
            compare_bits(binding, &every_second(expected, 0), &every_second(found, 0))?;
            compare_floats(binding, limit, &f32s(&every_second(expected, 1)), &f32s(&every_second(found, 1)))
        }
    }
}

fn compare_bits(binding: usize, expected: &[u32], found: &[u32]) -> Result<(), Wrong> {
    let wrong = expected.iter().zip(found).filter(|(e, f)| e != f).count();
    match expected.iter().zip(found).position(|(e, f)| e != f) {
        None => Ok(()),
        Some(index) => {
            let first = (index, f64::from(expected[index]), f64::from(found[index]));
            Err(Wrong::Differs { binding, error: wrong as f64 / expected.len() as f64, first })
        }
    }
}

fn compare_floats(binding: usize, limit: f64, expected: &[f64], found: &[f64]) -> Result<(), Wrong> {
    let squared: f64 = expected.iter().zip(found).map(|(e, f)| (e - f) * (e - f)).sum();
    let power: f64 = expected.iter().map(|e| e * e).sum();
    let error = squared / power.max(f64::MIN_POSITIVE);
    // Written so that a NaN on either side is wrong, too.
    if squared == 0.0 || error <= limit {
        return Ok(());
    }
    let near = |(e, f): (&f64, &f64)| (e - f).abs() <= 1e-3 * e.abs().max(1e-3);
    let index = expected.iter().zip(found).position(|pair| !near(pair)).unwrap_or(0);
    Err(Wrong::Differs { binding, error, first: (index, expected[index], found[index]) })
}

fn f32s(words: &[u32]) -> Vec<f64> {
    words.iter().map(|word| f64::from(f32::from_bits(*word))).collect()
}

/// Quantised numbers may fall on the other side of a rounding border: one quant of a few dozen.
fn cache_limit(ty: KvType) -> f64 {
    match ty {
        KvType::F16 | KvType::F32 => 1e-6,
        KvType::Q8_0 => 1e-5,
        KvType::Q4_0 => 1e-3,
    }
}

/// The numbers of a whole cache.
fn vectors(kv: &KvShape, words: &[u32]) -> Vec<f64> {
    let mut vector = vec![0.0; kv.head_dim as usize];
    let starts = (0..words.len()).step_by(kv.position_words() as usize);
    let read = |start| {
        cpu::kv::load(words, kv, start, &mut vector);
        vector.iter().copied().map(f64::from).collect::<Vec<_>>()
    };
    starts.flat_map(read).collect()
}

/// A cache of `positions` positions of a head in all, each a vector of random numbers in [-1, 1).
pub(super) fn random_cache(seed: u64, kv: &KvShape, positions: u32) -> Vec<u32> {
    let numbers: Vec<f32> = random_f32s(seed, positions * kv.head_dim).into_iter().map(f32::from_bits).collect();
    let mut words = vec![0; (positions * kv.position_words()) as usize];
    for (position, vector) in numbers.chunks_exact(kv.head_dim as usize).enumerate() {
        cpu::kv::store(&mut words, kv, position * kv.position_words() as usize, vector);
    }
    words
}

/// `len` f32 values in [-1, 1) as words, from a small generator: the same on every platform.
pub fn random_f32s(seed: u64, len: u32) -> Vec<u32> {
    random_words(seed, len).into_iter().map(|word| ((word >> 8) as f32 / (1 << 23) as f32 - 1.0).to_bits()).collect()
}

/// `len` random words (splitmix64).
pub fn random_words(seed: u64, len: u32) -> Vec<u32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..len)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z >> 32) as u32
        })
        .collect()
}

/// Every case of every kernel.
pub fn all_cases() -> Vec<KernelTest> {
    [
        super::copy::cases(),
        super::rms_norm::cases(),
        super::layer_norm::cases(),
        super::rope::cases(),
        super::attention::cases(),
        super::embed::cases(),
        super::gated_activation::cases(),
        super::gemv::cases(),
        super::gemm::cases(),
        super::chunk_argmax::cases(),
        super::filter_draw::cases(),
        super::anchor_rows::cases(),
        super::draft_rows::cases(),
        super::dry::cases(),
        super::logprobs::cases(),
        super::commit::cases(),
        super::lora::cases(),
        super::pool::cases(),
        super::scale::cases(),
        super::scan::cases(),
        super::scan_gates::cases(),
        super::altup::cases(),
        super::blend::cases(),
        super::row_scale::cases(),
        super::conv::cases(),
        super::experts::route::cases(),
        super::experts::sort::cases(),
        super::experts::matmul::cases(),
        super::experts::sum::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::cpu::{ALL_THREADS, Precision, Processor};
    use inglenook_format::quant::WeightType;

    #[test]
    fn fast_ways_of_the_cpu_give_what_the_twins_give() {
        let precisions = [Precision::Rounded, Precision::Exact];
        let ways = Processor::all()
            .into_iter()
            .flat_map(|processor| precisions.map(|precision| FastWay { processor, threads: ALL_THREADS, precision }));
        for way in ways {
            let names = check_fast_ways(way).unwrap();
            assert!(names.iter().filter(|name| name.starts_with("attention")).count() > 8, "{names:?}");
            for matmul in WeightType::ALL.into_iter().flat_map(|ty| [format!("gemv {ty} "), format!("gemm {ty} ")]) {
                assert!(names.iter().any(|name| name.starts_with(&matmul)), "{matmul}: {names:?}");
            }
        }
    }

    #[test]
    fn a_nan_is_a_wrong_answer() {
        assert!(compare_floats(0, 1e-6, &[1.0], &[f64::NAN]).is_err());
        assert!(compare_floats(0, 1e-6, &[0.0, 2.0], &[0.0, 2.1]).is_err());
        assert!(compare_floats(0, 1e-6, &[0.0, 2.0], &[0.0, 2.0001]).is_ok());
    }
}
