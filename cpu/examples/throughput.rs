//! Multiplications a second of each weight type on each instruction set: `cargo run --release -p inglenook-cpu --example throughput`; of some
//! types, numbers of rows of x, processors and columns with `-- Q4_0,Q4_K 1,8 AVX-512 1536`.
use std::time::Instant;

use inglenook_cpu::{Activations, Form, Precision, Processor, Weights, products};
use inglenook_format::quant::{Planes, WeightType, laid_out_for_cpu, random_blocks, repack};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (types, counts) = (arguments.next(), arguments.next());
    let name = arguments.next().unwrap_or_default();
    let (rows, cols) = (1536, arguments.next().map_or(1536, |cols| cols.parse().expect("columns")));
    let is_asked = |ty: WeightType| types.iter().all(|types| types.split(',').any(|name| name == ty.to_string()));
    let counts = counts.as_deref().unwrap_or("1,2,3,4,5,6,7,8,64,256");
    let counts: Vec<usize> = counts.split(',').map(|count| count.parse().expect("numbers of rows")).collect();
    println!("type,processor,rows of x,rounded,exact");
    for ty in WeightType::ALL.into_iter().filter(|ty| is_asked(*ty)) {
        let mut planes = Planes::default();
        repack(ty, &random_blocks(ty, 1, rows * cols / ty.block_len(), 0.5), 0, &mut planes).expect("whole blocks");
        let planes = laid_out_for_cpu(ty, cols / ty.block_len(), planes);
        let weights = Weights { ty, cols, planes: planes.as_ref() };
        for processor in Processor::all().into_iter().filter(|processor| processor.name().starts_with(&name)) {
            for m_count in counts.iter().copied() {
                let x: Vec<f32> = (0..m_count * cols).map(|i| (i as f32 * 0.7).sin()).collect();
                let rate = |work: &mut dyn FnMut(&mut [f32])| {
                    let mut sums = vec![0.0; rows * m_count];
                    let times = (0..7).map(|_| {
                        let start = Instant::now();
                        work(&mut sums);
                        start.elapsed().as_secs_f64()
                    });
                    (rows * cols * m_count) as f64 / times.fold(f64::MAX, f64::min) / 1e9
                };
                let [rounded, exact] = [Precision::Rounded, Precision::Exact].map(|precision| {
                    let form = Form::of(processor, precision, ty, m_count);
                    rate(&mut |sums| {
                        let x = filled(Activations::new(form, m_count, cols), processor, &x);
                        products(processor, weights, 0, &x, sums);
                    })
                });
                println!("{ty},{},{m_count},{rounded:.1},{exact:.1}", processor.name());
            }
        }
    }
}

fn filled(mut activations: Activations, processor: Processor, values: &[f32]) -> Activations {
    let rows = activations.rows();
    activations.parts(rows).into_iter().for_each(|part| part.fill(processor, values));
    activations
}
