//! The GPU facade's promises, checked with kernels of a few lines.

use crate::gpu::{
    Access, Binding, Buffer, Copy, Dispatch, Gpu, GpuError, GpuOptions, Limits, Pass, Pipeline, RequiredFeatures,
    Shader, Without,
};

use super::{KernelTest, Outcome, expect, told};

/// Elements of most buffers: no multiple of a workgroup, so that the last one is partly idle.
const COUNT: usize = 1757;
const WORKGROUP: u32 = 64;

/// `y[i] = y[i] * FACTOR + x[i]`, so that the order of two runs shows.
const SCALE_ADD: &str = "
override FACTOR: u32;
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (id.x < arrayLength(&y)) { y[id.x] = y[id.x] * FACTOR + x[id.x]; }
}";

/// The facade's cases.
pub fn cases() -> Vec<KernelTest> {
    vec![
        KernelTest::new("facade/write_and_read_back", write_and_read_back),
        KernelTest::new("facade/passes_run_in_order", passes_run_in_order),
        KernelTest::new("facade/bindings_are_ranges", bindings_are_ranges),
        KernelTest::new("facade/eight_bindings", eight_bindings),
        KernelTest::new("facade/override_constants", override_constants),
        KernelTest::new("facade/optional_features_compute", optional_features_compute),
        KernelTest::new("facade/too_large_a_buffer", too_large_a_buffer),
        KernelTest::new("facade/compile_error", compile_error),
        KernelTest::new("facade/counters_are_exact", counters_are_exact),
        KernelTest::new("facade/replay_creates_nothing", replay_creates_nothing),
        KernelTest::new("facade/long_passes", long_passes),
        KernelTest::new("facade/dropped_reads_leave_nothing", dropped_reads_leave_nothing),
        KernelTest::new("facade/many_reads_in_flight", many_reads_in_flight),
        KernelTest::new("facade/copies_are_exact_within_and_between_buffers", copies_are_exact),
        KernelTest::new("facade/default_limits", default_limits),
        KernelTest::new("facade/features_can_be_left_out", features_can_be_left_out),
        KernelTest::new("facade/a_fault_is_noticed", a_fault_is_noticed),
        KernelTest::new("facade/closed_means_lost", closed_means_lost),
    ]
}

async fn write_and_read_back(gpu: Gpu) -> Outcome {
    let buffer = gpu.buffer("values", 4 * COUNT as u64).map_err(told)?;
    let fresh = words(&gpu.read(&buffer, 0..buffer.bytes()).await.map_err(told)?);
    expect("a new buffer", &fresh, &vec![0; COUNT])?;
    let values = ramp(COUNT, 7);
    gpu.write(&buffer, 0, bytemuck::cast_slice(&values));
    gpu.write(&buffer, 400, bytemuck::cast_slice(&[u32::MAX, 5]));
    let read = words(&gpu.read(&buffer, 396..412).await.map_err(told)?);
    expect("the middle", &read, &vec![values[99], u32::MAX, 5, values[102]])?;
    let last = words(&gpu.read(&buffer, buffer.bytes() - 4..buffer.bytes()).await.map_err(told)?);
    expect("the end", &last, &vec![values[COUNT - 1]])?;
    gpu.wait_idle().await.map_err(told)?;
    Ok(serde_json::to_string(gpu.facts()).unwrap_or_default())
}

async fn passes_run_in_order(gpu: Gpu) -> Outcome {
    let [x, y] = [filled(&gpu, &ramp(COUNT, 3))?, filled(&gpu, &ramp(COUNT, 1))?];
    let (double, triple) = (scale_add(&gpu, 2).await?, scale_add(&gpu, 3).await?);
    let first = gpu.pass(&[dispatch(&double, &[&x, &y]), dispatch(&double, &[&x, &y])]);
    let second = gpu.pass(&[dispatch(&triple, &[&x, &y])]);
    let read = gpu.submit_and_read(&[&first, &second, &first], &y, 0..y.bytes());
    let mut wanted = ramp(COUNT, 1);
    for factor in [2, 2, 3, 2, 2] {
        for (value, add) in wanted.iter_mut().zip(ramp(COUNT, 3)) {
            *value = value.wrapping_mul(factor).wrapping_add(add);
        }
    }
    expect("values", &words(&read.await.map_err(told)?), &wanted)?;
    Ok(String::new())
}

async fn bindings_are_ranges(gpu: Gpu) -> Outcome {
    let [x, y] = [filled(&gpu, &ramp(COUNT, 1))?, filled(&gpu, &[0; COUNT])?];
    let part = |buffer: &Buffer, offset| Binding { buffer: buffer.clone(), offset, bytes: 4 * 33 };
    let kernel = scale_add(&gpu, 1).await?;
    let pass = gpu.pass(&[Dispatch { kernel, bindings: vec![part(&x, 512), part(&y, 256)], workgroups: [1, 1, 1] }]);
    let result = words(&gpu.submit_and_read(&[&pass], &y, 0..y.bytes()).await.map_err(told)?);
    let mut wanted = vec![0; COUNT];
    wanted[64..97].copy_from_slice(&ramp(COUNT, 1)[128..161]);
    expect("values", &result, &wanted)?;
    Ok(String::new())
}

async fn eight_bindings(gpu: Gpu) -> Outcome {
    let declared: String =
        (0..7).map(|i| format!("@group(0) @binding({i}) var<storage, read> b{i}: array<u32>;\n")).collect();
    let text = format!(
        "{declared}@group(0) @binding(7) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3u) {{
            let i = id.x;
            if (i >= arrayLength(&y)) {{ return; }}
            y[i] = b0[i] + 2u * b1[i] + 4u * b2[i] + 8u * b3[i] + 16u * b4[i] + 32u * b5[i] + 64u * b6[i];
        }}"
    );
    let mut accesses = vec![Access::Read; 7];
    accesses.push(Access::Write);
    let kernel = compile(&gpu, Shader::new("eight_bindings", text, &[], accesses, RequiredFeatures::default())).await?;
    let inputs: Result<Vec<Buffer>, String> = (0..7).map(|i| filled(&gpu, &ramp(COUNT, i + 1))).collect();
    let inputs = inputs?;
    let y = filled(&gpu, &[0; COUNT])?;
    let bound: Vec<&Buffer> = inputs.iter().chain([&y]).collect();
    let pass = gpu.pass(&[dispatch(&kernel, &bound)]);
    let result = words(&gpu.submit_and_read(&[&pass], &y, 0..y.bytes()).await.map_err(told)?);
    let weight: u32 = (0..7).map(|i| (i + 1) << i).sum();
    expect("values", &result, &ramp(COUNT, weight))?;
    Ok(String::new())
}

async fn override_constants(gpu: Gpu) -> Outcome {
    let text = "
    override WHOLE: u32; override NEGATIVE: i32; override REAL: f32; override SWITCH: bool; override KEPT: u32 = 11;
    @group(0) @binding(0) var<storage, read_write> y: array<f32>;
    var<workgroup> shared_values: array<f32, WHOLE>;
    @compute @workgroup_size(WHOLE)
    fn main(@builtin(local_invocation_index) i: u32) {
        shared_values[i] = REAL * f32(i) + f32(NEGATIVE) + select(0.0, 0.5, SWITCH) + f32(KEPT);
        workgroupBarrier();
        y[i] = shared_values[WHOLE - 1u - i];
    }";
    let constants = [("WHOLE", 24.0), ("NEGATIVE", -3.0), ("REAL", 0.125), ("SWITCH", 1.0)];
    let shader = Shader::new("overrides", text.into(), &constants, vec![Access::Write], RequiredFeatures::default());
    let kernel = compile(&gpu, shader).await?;
    let y = filled(&gpu, &[0; 24])?;
    let pass = gpu.pass(&[Dispatch { kernel, bindings: vec![whole(&y)], workgroups: [1, 1, 1] }]);
    let read = gpu.submit_and_read(&[&pass], &y, 0..y.bytes()).await.map_err(told)?;
    let wanted: Vec<f32> = (0..24).rev().map(|i| 0.125 * i as f32 - 3.0 + 0.5 + 11.0).collect();
    let read: Vec<f32> = words(&read).into_iter().map(f32::from_bits).collect();
    expect("values", &read, &wanted)?;
    Ok(String::new())
}

/// What the facts promise must also compile and compute.
async fn optional_features_compute(gpu: Gpu) -> Outcome {
    let features = gpu.facts().features;
    let mut found = Vec::new();
    if features.dot4 {
        // (1, -2, 3, -4) · (5, 6, -7, 8)
        let product = "bitcast<u32>(dot4I8Packed(0xfc03fe01u, 0x08f90605u))";
        expect(
            "dot4I8Packed",
            &(one_value(&gpu, product, RequiredFeatures::default()).await? as i32),
            &(5 - 12 - 21 - 32),
        )?;
        found.push("dot4");
    }
    if features.f16 {
        let needs = RequiredFeatures { f16: true, ..RequiredFeatures::default() };
        // 2048 + 1 is 2048 in f16; in f32 it is not.
        expect("f16", &one_value(&gpu, "u32(f16(2048.0 + f32(i)) + f16(1.0))", needs).await?, &2048)?;
        found.push("f16");
    }
    if let Some((smallest, largest)) = features.subgroups {
        let needs = RequiredFeatures { subgroups: true, ..RequiredFeatures::default() };
        let size = one_value(&gpu, "subgroupAdd(1u)", needs).await?;
        if !(smallest..=largest).contains(&size) {
            return Err(format!("a subgroup of {size}, outside {smallest} to {largest}"));
        }
        found.push("subgroups");
    }
    Ok(found.join(", "))
}

async fn too_large_a_buffer(gpu: Gpu) -> Outcome {
    let limit = gpu.facts().limits.buffer;
    for wanted in [limit + 1, u64::MAX] {
        match gpu.buffer("huge", wanted) {
            Err(GpuError::TooSmall { what: "buffers", limit: told_limit, wanted: told_bytes }) => {
                expect("the limit", &told_limit, &limit)?;
                expect("the bytes are told", &(told_bytes >= wanted), &true)?;
            }
            other => return Err(format!("{other:?}")),
        }
    }
    Ok(String::new())
}

async fn compile_error(gpu: Gpu) -> Outcome {
    let good = scale_add_shader(2);
    let text = good.text.replace("x[id.x]", "nonexistent[id.x]");
    let bad = Shader::new("bad_kernel", text, &[("FACTOR", 2.0)], good.bindings.clone(), RequiredFeatures::default());
    match gpu.pipelines(&[good.clone(), bad]).await {
        Err(GpuError::Compile { kernel, message }) => {
            expect("the kernel's name", &kernel.as_str(), &"bad_kernel")?;
            if !message.contains("nonexistent") {
                return Err(format!("the message does not name what is wrong: {message}"));
            }
        }
        other => return Err(format!("{other:?}")),
    }
    let missing =
        Shader::new("no_constant", good.text.clone(), &[], good.bindings.clone(), RequiredFeatures::default());
    match gpu.pipelines(&[missing]).await {
        Err(GpuError::Compile { kernel, .. }) => expect("the kernel's name", &kernel.as_str(), &"no_constant")?,
        other => return Err(format!("{other:?}")),
    }
    expect("a fault", &gpu.fault(), &None)?;
    gpu.pipelines(&[good]).await.map_err(told)?;
    gpu.wait_idle().await.map_err(told)?;
    Ok(String::new())
}

async fn counters_are_exact(gpu: Gpu) -> Outcome {
    let start = gpu.counters();
    let [x, y] = [filled(&gpu, &ramp(COUNT, 1))?, filled(&gpu, &ramp(COUNT, 1))?];
    let kernel = scale_add(&gpu, 2).await?;
    let pass = gpu.pass(&[dispatch(&kernel, &[&x, &y]), dispatch(&kernel, &[&y, &x])]);
    gpu.submit(&[&pass, &pass]);
    // Of a size that no other case reads, so that the pool cannot hold one.
    gpu.submit_and_read(&[&pass], &y, 0..4 * 1001).await.map_err(told)?;
    let done = gpu.counters().since(&start);
    expect("buffers", &done.buffers, &3)?;
    expect("live bytes", &(done.live_bytes - start.live_bytes), &(8 * COUNT as u64))?;
    expect("kernels", &done.kernels, &1)?;
    expect("bind groups", &done.bind_groups, &2)?;
    expect("submits", &done.submits, &2)?;
    expect("passes", &done.passes, &2)?;
    expect("dispatches", &done.dispatches, &6)?;
    expect("reads", &done.reads, &1)?;
    expect("written bytes", &done.written_bytes, &(8 * COUNT as u64))?;
    drop((pass, x, y));
    expect("live bytes afterwards", &gpu.counters().live_bytes, &start.live_bytes)?;
    Ok(String::new())
}

async fn replay_creates_nothing(gpu: Gpu) -> Outcome {
    let (pass, y) = growing(&gpu).await?;
    gpu.submit_and_read(&[&pass], &y, 0..16).await.map_err(told)?;
    let start = gpu.counters();
    for step in 2..=20u32 {
        let read = words(&gpu.submit_and_read(&[&pass], &y, 0..16).await.map_err(told)?);
        expect("the step's values", &read, &ramp(4, step))?;
    }
    let done = gpu.counters().since(&start);
    expect("objects created", &done.objects(), &0)?;
    expect("submits", &done.submits, &19)?;
    Ok(String::new())
}

/// As long as a step of a model of 16 layers; tells what the host pays for one.
async fn long_passes(gpu: Gpu) -> Outcome {
    const DISPATCHES: usize = 144;
    const STEPS: u32 = 20;
    let [x, y] = [filled(&gpu, &ramp(33, 1))?, filled(&gpu, &[0; 33])?];
    let one = dispatch(&scale_add(&gpu, 1).await?, &[&x, &y]);
    let pass = gpu.pass(&vec![Dispatch { workgroups: [1, 1, 1], ..one }; DISPATCHES]);
    gpu.submit(&[&pass]);
    let mut encoding = 0.0;
    for _ in 1..STEPS {
        let started = crate::clock::Instant::now();
        gpu.submit(&[&pass]);
        encoding += started.elapsed().as_secs_f64();
        gpu.wait_idle().await.map_err(told)?;
    }
    let result = words(&gpu.read(&y, 0..y.bytes()).await.map_err(told)?);
    expect("values", &result, &ramp(33, DISPATCHES as u32 * STEPS))?;
    Ok(format!("{:.3} ms to submit {DISPATCHES} dispatches", encoding / f64::from(STEPS - 1) * 1e3))
}

async fn dropped_reads_leave_nothing(gpu: Gpu) -> Outcome {
    let (pass, y) = growing(&gpu).await?;
    gpu.submit_and_read(&[&pass], &y, 0..24).await.map_err(told)?;
    let start = gpu.counters();
    for _ in 0..9 {
        // Dropped while the copy is on its way.
        drop(gpu.submit_and_read(&[&pass], &y, 0..24));
    }
    let waited = gpu.submit_and_read(&[&pass], &y, 0..24);
    gpu.wait_idle().await.map_err(told)?;
    // Dropped when it has arrived.
    drop(waited);
    let read = words(&gpu.submit_and_read(&[&pass], &y, 0..24).await.map_err(told)?);
    expect("values after twelve steps", &read, &ramp(6, 12))?;
    expect("objects created", &gpu.counters().since(&start).objects(), &0)?;
    expect("a fault", &gpu.fault(), &None)?;
    Ok(String::new())
}

async fn many_reads_in_flight(gpu: Gpu) -> Outcome {
    let (pass, y) = growing(&gpu).await?;
    let reads: Vec<_> = (0..6).map(|_| gpu.submit_and_read(&[&pass], &y, 4 * 100..4 * 108)).collect();
    // The last first: their order of arrival must not matter.
    for (step, read) in reads.into_iter().enumerate().rev() {
        let wanted: Vec<u32> = ramp(COUNT, step as u32 + 1)[100..108].to_vec();
        expect("a step's values", &words(&read.await.map_err(told)?), &wanted)?;
    }
    Ok(String::new())
}

async fn copies_are_exact(gpu: Gpu) -> Outcome {
    // More than the scratch buffer holds, so that a range is cut and the scratch is used again.
    const PAGE: usize = 150_001;
    let [pool, other] = [filled(&gpu, &ramp(4 * PAGE, 1))?, filled(&gpu, &ramp(COUNT, 5))?];
    let range = |from, from_word: usize, to, to_word: usize, words: usize| Copy {
        from,
        from_offset: 4 * from_word as u64,
        to,
        to_offset: 4 * to_word as u64,
        bytes: 4 * words as u64,
    };
    let copies = [
        range(&pool, 0, &pool, 2 * PAGE, PAGE),
        range(&other, 31, &pool, PAGE, 33),
        range(&pool, PAGE + 33, &pool, 3 * PAGE, PAGE - 33),
        range(&pool, 7, &other, 0, 1),
        range(&pool, 0, &pool, 4 * PAGE - 33, 0),
    ];
    gpu.copy(&copies);
    let before = gpu.counters();
    gpu.copy(&copies);
    let done = gpu.counters().since(&before);
    let mut wanted = ramp(4 * PAGE, 1);
    wanted.copy_within(0..PAGE, 2 * PAGE);
    wanted.copy_within(PAGE + 33..2 * PAGE, 3 * PAGE);
    wanted[PAGE..PAGE + 33].copy_from_slice(&ramp(COUNT, 5)[31..64]);
    expect("the pool", &(words(&gpu.read(&pool, 0..pool.bytes()).await.map_err(told)?) == wanted), &true)?;
    expect("the other", &words(&gpu.read(&other, 0..8).await.map_err(told)?), &vec![7, 5])?;
    expect("objects, submits and copies", &(done.objects(), done.submits, done.copies), &(0, 1, 5))?;
    gpu.wait_idle().await.map_err(told)?;
    Ok(String::new())
}

async fn default_limits(_: Gpu) -> Outcome {
    let options = GpuOptions { default_limits: true, ..GpuOptions::default() };
    let gpu = Gpu::request(&options).await.map_err(told)?;
    expect("limits", &gpu.facts().limits, &Limits::DEFAULT)?;
    expect("257 MiB", &gpu.buffer("huge", 257 << 20).is_err(), &true)?;
    Ok(String::new())
}

async fn features_can_be_left_out(_: Gpu) -> Outcome {
    let without = Without { f16: true, subgroups: true, dot4: true, timestamps: true };
    let gpu = Gpu::request(&GpuOptions { without, ..GpuOptions::default() }).await.map_err(told)?;
    let features = gpu.facts().features;
    expect("features", &(features.f16, features.subgroups, features.dot4), &(false, None, false))?;
    scale_add(&gpu, 2).await.map(|_| String::new())
}

async fn a_fault_is_noticed(gpu: Gpu) -> Outcome {
    let gpu = gpu.client();
    let kernel = scale_add(&gpu, 2).await?;
    let y = filled(&gpu, &ramp(COUNT, 1))?;
    let pass = crooked(&gpu, &kernel, &y);
    match gpu.submit_and_read(&[&pass], &y, 0..4).await {
        Err(GpuError::Fault(_)) => {}
        other => return Err(format!("a read after a fault gave {other:?}")),
    }
    expect("settling fails", &matches!(gpu.wait_idle().await, Err(GpuError::Fault(_))), &true)?;
    Ok(String::new())
}

/// Storage bindings start at multiples of 256 (or the adapter's smaller alignment, never 4 less than that).
pub(super) fn crooked(gpu: &Gpu, kernel: &Pipeline, y: &Buffer) -> Pass {
    let crooked = Binding { buffer: y.clone(), offset: 4, bytes: 64 };
    gpu.pass(&[Dispatch { kernel: kernel.clone(), bindings: vec![crooked, whole(y)], workgroups: [1, 1, 1] }])
}

async fn closed_means_lost(gpu: Gpu) -> Outcome {
    let gpu = gpu.client();
    let (pass, y) = growing(&gpu).await?;
    let before = gpu.submit_and_read(&[&pass], &y, 0..4);
    gpu.close();
    let lost = |error: &GpuError| matches!(error, GpuError::Lost(_));
    expect("a read under way is lost", &before.await.as_ref().is_err_and(lost), &true)?;
    gpu.write(&y, 0, &[0; 4]);
    gpu.submit(&[&pass]);
    expect("a read is lost", &gpu.submit_and_read(&[&pass], &y, 0..4).await.as_ref().is_err_and(lost), &true)?;
    expect("compiling is refused", &gpu.pipelines(&[scale_add_shader(2)]).await.is_err(), &true)?;
    expect("a new buffer is refused", &gpu.buffer("late", 64).as_ref().is_err_and(lost), &true)?;
    drop(gpu.pass(&[]));
    expect("settling fails", &gpu.wait_idle().await.as_ref().is_err_and(lost), &true)?;
    gpu.close();
    drop((pass, y));
    expect("live bytes", &gpu.counters().live_bytes, &0)?;
    Ok(String::new())
}

fn scale_add_shader(factor: u32) -> Shader {
    let constants = [("FACTOR", f64::from(factor))];
    Shader::new(
        "scale_add",
        SCALE_ADD.into(),
        &constants,
        vec![Access::Read, Access::Write],
        RequiredFeatures::default(),
    )
}

pub(super) async fn scale_add(gpu: &Gpu, factor: u32) -> Result<Pipeline, String> {
    compile(gpu, scale_add_shader(factor)).await
}

async fn compile(gpu: &Gpu, shader: Shader) -> Result<Pipeline, String> {
    gpu.pipelines(&[shader]).await.map_err(told)?.pop().ok_or_else(|| "no kernel came".into())
}

/// A pass of one dispatch that adds `[0, 1, 2, …]` to the buffer with it, which starts as zeros.
pub(super) async fn growing(gpu: &Gpu) -> Result<(Pass, Buffer), String> {
    let [x, y] = [filled(gpu, &ramp(COUNT, 1))?, filled(gpu, &[0; COUNT])?];
    // From here on the pass alone keeps `x` and the kernel.
    Ok((gpu.pass(&[dispatch(&scale_add(gpu, 1).await?, &[&x, &y])]), y))
}

/// What `expression` of one invocation (`i` = 0) of a workgroup of 64 gives.
async fn one_value(gpu: &Gpu, expression: &str, needs: RequiredFeatures) -> Result<u32, String> {
    let text = format!(
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(local_invocation_index) i: u32) {{
            let value = {expression};
            if (i == 0u) {{ y[0] = value; }}
        }}"
    );
    let kernel = compile(gpu, Shader::new("one_value", text, &[], vec![Access::Write], needs)).await?;
    let y = filled(gpu, &[0])?;
    let pass = gpu.pass(&[Dispatch { kernel, bindings: vec![whole(&y)], workgroups: [1, 1, 1] }]);
    Ok(words(&gpu.submit_and_read(&[&pass], &y, 0..4).await.map_err(told)?)[0])
}

fn dispatch(kernel: &Pipeline, buffers: &[&Buffer]) -> Dispatch {
    let bindings = buffers.iter().map(|buffer| whole(buffer)).collect();
    Dispatch { kernel: kernel.clone(), bindings, workgroups: [(COUNT as u32).div_ceil(WORKGROUP), 1, 1] }
}

fn whole(buffer: &Buffer) -> Binding {
    Binding { buffer: buffer.clone(), offset: 0, bytes: buffer.bytes() }
}

pub(super) fn filled(gpu: &Gpu, values: &[u32]) -> Result<Buffer, String> {
    let buffer = gpu.buffer("values", 4 * values.len() as u64).map_err(told)?;
    gpu.write(&buffer, 0, bytemuck::cast_slice(values));
    Ok(buffer)
}

pub(super) fn ramp(count: usize, step: u32) -> Vec<u32> {
    (0..count as u32).map(|i| i * step).collect()
}

pub(super) fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}
