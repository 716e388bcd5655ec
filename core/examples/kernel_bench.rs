//! Times the matmul kernels, every variant, on one adapter, and prints CSV.
//!
//! `cargo run --release -p inglenook --example kernel_bench -- [ADAPTER] [TYPE ...]`, where ADAPTER is part of an adapter's name
//! (`llvmpipe`, `swiftshader`, `nvidia`) and TYPEs are such as `Q4_0`. The fastest of several runs counts, so that other
//! programs disturb little.

use std::time::{Duration, Instant};

use inglenook::device::Device;
use inglenook::format::quant::{Planes, WeightType, random_blocks, repack};
use inglenook::gpu::{Binding, Dispatch, Gpu, GpuError, GpuOptions};
use inglenook::kernels::gemm::Gemm;
use inglenook::kernels::gemv::Gemv;
use inglenook::kernels::matmul::{Epilogue, Matmul};
use inglenook::kernels::weights::{WeightShard, grid_words};
use inglenook::kernels::{Kernel, Operand, TensorRef, Variant, batch, shader};

/// Rows of x, weight rows, columns: decoding and prefill of a small model and of a large one.
const SHAPES: [[u32; 3]; 5] = [[1, 1024, 512], [1, 32768, 512], [1, 8192, 4096], [4, 4096, 4096], [128, 2048, 2048]];

/// How long each variant is repeated.
const TIME: Duration = Duration::from_millis(500);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let adapter = arguments.next();
    let wanted: Vec<String> = arguments.collect();
    let types =
        WeightType::ALL.into_iter().filter(|ty| wanted.is_empty() || wanted.iter().any(|name| name == ty.name()));
    if let Err(error) = pollster::block_on(bench(adapter, types.collect())) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

async fn bench(adapter: Option<String>, types: Vec<WeightType>) -> Result<(), GpuError> {
    let gpu = Gpu::request(&GpuOptions { adapter, ..GpuOptions::default() }).await?;
    println!("adapter,kernel,type,rows_of_x,weight_rows,columns,variant,ms,weights_gb_per_s,gflop_per_s");
    for ty in types {
        for [m, n, k] in SHAPES {
            let (kernel, bytes) = kernel(&gpu, ty, [m, n, k])?;
            for variant in kernel.variants(gpu.facts()) {
                let seconds = time(&gpu, kernel.as_ref(), variant).await?.as_secs_f64();
                let gigabytes = bytes as f64 / seconds / 1e9;
                let gflops = 2.0 * f64::from(m) * f64::from(n) * f64::from(k) / seconds / 1e9;
                let (name, ms) = (kernel.name(), seconds * 1e3);
                let adapter = gpu.facts().name.replace(',', ";");
                println!("{adapter},{name},{ty},{m},{n},{k},{variant:?},{ms:.4},{gigabytes:.2},{gflops:.1}");
            }
        }
    }
    Ok(())
}

/// A matmul over random weights, and the bytes of these.
fn kernel(gpu: &Gpu, ty: WeightType, [m, n, k]: [u32; 3]) -> Result<(Box<dyn Kernel>, u64), GpuError> {
    let device = Device::Gpu(gpu.clone());
    let mut planes = Planes::default();
    let blocks = (n * k) as usize / ty.block_len();
    repack(ty, &random_blocks(ty, 1, blocks, 0.05), 0, &mut planes).expect("whole blocks from the first on");
    let plane = |words: &[u32]| (!words.is_empty()).then(|| device.upload("plane", words).map(|s| s.all())).transpose();
    let quants = plane(&planes.quants)?.expect("every type has numbers");
    let weights = WeightShard {
        ty,
        rows: n,
        cols: k,
        quants,
        high_bits: plane(&planes.high_bits)?,
        scales: plane(&planes.scales)?,
        grid: plane(&grid_words(ty).unwrap_or_default())?,
    };
    let rows: Vec<_> = (0..m).map(|r| batch::Row::new(0, r, 0)).collect();
    let x: Vec<u32> = (0..m * k).map(|i| ((i % 97) as f32 / 48.0 - 1.0).to_bits()).collect();
    let matmul = Matmul {
        batch: device.upload("batch", &batch::words(&rows))?.all().into(),
        x: device.upload("x", &x)?.all().into(),
        weights,
        bias: None,
        out: device.buffer("out", u64::from(m * n) * 4)?.all().into(),
        rows: m,
        out_stride: n,
        out_offset: 0,
        epilogue: Epilogue::Store,
    };
    let kernel: Box<dyn Kernel> = if m <= 8 { Box::new(Gemv(matmul)) } else { Box::new(Gemm(matmul)) };
    Ok((kernel, (blocks * ty.block_bytes()) as u64))
}

async fn time(gpu: &Gpu, kernel: &dyn Kernel, variant: Variant) -> Result<Duration, GpuError> {
    let launch = kernel.launch(variant, gpu.facts());
    let compiled = gpu.pipelines(&[shader(kernel, &launch)]).await?.remove(0);
    let bindings = kernel.operands().iter().map(binding).collect();
    let dispatch = Dispatch { kernel: compiled, bindings, workgroups: launch.workgroups };
    let once = run(gpu, &dispatch, 1).await?.max(run(gpu, &dispatch, 1).await?);
    // Enough dispatches a submission that its own cost does not count, and enough submissions that one is undisturbed.
    let repeats = (Duration::from_millis(20).as_secs_f64() / once.as_secs_f64()).clamp(1.0, 200.0) as usize;
    let mut best = Duration::MAX;
    let begun = Instant::now();
    while begun.elapsed() < TIME {
        best = best.min(run(gpu, &dispatch, repeats).await?);
    }
    Ok(best)
}

/// Time of one of `repeats` dispatches in one pass.
async fn run(gpu: &Gpu, dispatch: &Dispatch, repeats: usize) -> Result<Duration, GpuError> {
    let pass = gpu.pass(&vec![dispatch.clone(); repeats]);
    let start = Instant::now();
    gpu.submit(&[&pass]);
    gpu.wait_idle().await?;
    Ok(start.elapsed() / repeats as u32)
}

fn binding(operand: &Operand) -> Binding {
    match &operand.place {
        TensorRef::Fixed(slice) => match &slice.storage {
            inglenook::device::Storage::Gpu(buffer) => {
                Binding { buffer: buffer.clone(), offset: slice.offset, bytes: slice.bytes }
            }
            _ => unreachable!("this bench runs on a GPU"),
        },
        TensorRef::Tensor(_) => unreachable!("this bench has no plan"),
    }
}
