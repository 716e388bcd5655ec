//! What adapters add to a product: `scale · B · A · x`, by two thin matrices for each adapter. Those of all adapters lie one below the other; a
//! row meets those that its sequence has a scale for, and no others.

use super::cpu::FastWay;
use super::rms_norm::{SUM_ONE, SUM_SHARED};
use super::verify::{KernelTest, Output, random_f32s};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const DOWN: &str = wgsl!("lora_down");
const UP: &str = wgsl!("lora_up");
const BIAS: &str = wgsl!("shared/bias");
const NO_BIAS: &str = wgsl!("shared/no_bias");

/// `out[m, c] = scales[sequence of m, c] · (a[c] · x[m])`; 0 where the scale is.
#[derive(Serialize, Deserialize)]
pub struct LoraDown {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, cols]`.
    #[serde(skip)]
    pub x: TensorRef,
    /// f32 `[rank, cols]`.
    #[serde(skip)]
    pub a: TensorRef,
    /// f32 `[sequences, rank]`.
    #[serde(skip)]
    pub scales: TensorRef,
    /// f32 `[rows, rank]`.
    #[serde(skip)]
    pub out: TensorRef,
    /// Rows at most.
    pub rows: u32,
    /// Columns; a multiple of 4.
    pub cols: u32,
    /// Of all adapters together.
    pub rank: u32,
}

impl Kernel for LoraDown {
    fn name(&self) -> &'static str {
        "lora_down"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("x", "array<vec4<f32>>", &self.x),
            Operand::read("a", "array<vec4<f32>>", &self.a),
            Operand::read("scales", "array<f32>", &self.scales),
            Operand::write("out", "array<f32>", &self.out),
        ]
    }

    fn variants(&self, facts: &AdapterInfo) -> Vec<Variant> {
        Variant::with_barriers_or_without(facts)
    }

    fn launch(&self, variant: Variant, _: &AdapterInfo) -> LaunchConfig {
        let sum = if variant == Variant::Plain { SUM_ONE } else { SUM_SHARED };
        LaunchConfig {
            text: [batch::WGSL, sum, DOWN].concat(),
            constants: vec![("COLS", self.cols.into()), ("RANK", self.rank.into())],
            workgroups: [self.rank, self.rows, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        self.run_on(arguments, 1);
    }

    fn run_fast(&self, arguments: &Arguments, way: FastWay) -> bool {
        self.run_on(arguments, way.threads);
        true
    }

    fn guard(&self) -> KernelTest {
        down(3, 640, 6)
    }
}

impl LoraDown {
    fn run_on(&self, arguments: &Arguments, threads: usize) {
        let (cols, rank) = (self.cols as usize, self.rank as usize);
        let batch = arguments.u32s("batch");
        let (x, a, scales) = (arguments.f32s("x"), arguments.f32s("a"), arguments.f32s("scales"));
        let (x, a, scales) = (&x[..], &a[..], &scales[..]);
        let mut out = arguments.f32s_mut("out");
        let rows = batch::rows(&batch);
        let threads = cpu::threads_for(rows.len() * a.len(), threads);
        let rows = rows.iter().zip(x.chunks_exact(cols)).zip(out.chunks_exact_mut(rank));
        cpu::spread(threads, rows, |((row, x), out)| {
            cpu::lora_down(x, a, &scales[row.sequence as usize * rank..][..rank], out);
        });
    }
}

/// `out[m, offset + n] = bias + Σ x[m, c] · b[c, first + n]` for `count` columns of `b`.
#[derive(Serialize, Deserialize)]
pub struct LoraUp {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, rank]`.
    #[serde(skip)]
    pub x: TensorRef,
    /// f32 `[rank, outputs]`.
    #[serde(skip)]
    pub b: TensorRef,
    /// f32 `[stride]`.
    pub bias: Option<TensorRef>,
    /// f32 `[rows, stride]`.
    #[serde(skip)]
    pub out: TensorRef,
    /// Rows at most.
    pub rows: u32,
    /// Of all adapters together.
    pub rank: u32,
    /// Columns of `b`.
    pub outputs: u32,
    /// The first of them that is computed.
    pub first: u32,
    /// How many are.
    pub count: u32,
    /// Values of a row of `out`.
    pub stride: u32,
    /// Values of a row of `out` before these.
    pub offset: u32,
}

impl Kernel for LoraUp {
    fn name(&self) -> &'static str {
        "lora_up"
    }

    fn operands(&self) -> Vec<Operand> {
        let mut operands = vec![
            Operand::read("batch", "Batch", &self.batch),
            Operand::read("x", "array<f32>", &self.x),
            Operand::read("b", "array<f32>", &self.b),
            Operand::write("out", "array<f32>", &self.out),
        ];
        operands.extend(self.bias.iter().map(|bias| Operand::read("bias", "array<f32>", bias)));
        operands
    }

    fn class(&self) -> String {
        if self.bias.is_some() { "biased".into() } else { String::new() }
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        let bias = if self.bias.is_some() { BIAS } else { NO_BIAS };
        LaunchConfig {
            text: [batch::WGSL, bias, UP].concat(),
            constants: vec![
                ("RANK", self.rank.into()),
                ("OUTPUTS", self.outputs.into()),
                ("FIRST", self.first.into()),
                ("COUNT", self.count.into()),
                ("OUT_STRIDE", self.stride.into()),
                ("OUT_OFFSET", self.offset.into()),
            ],
            workgroups: [self.count.div_ceil(64), self.rows, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        self.run_on(arguments, 1);
    }

    fn run_fast(&self, arguments: &Arguments, way: FastWay) -> bool {
        self.run_on(arguments, way.threads);
        true
    }

    fn guard(&self) -> KernelTest {
        up(3, 6, 70, self.bias.is_some())
    }
}

impl LoraUp {
    fn run_on(&self, arguments: &Arguments, threads: usize) {
        let [rank, outputs, first, count, stride, offset] =
            [self.rank, self.outputs, self.first, self.count, self.stride, self.offset].map(|size| size as usize);
        let used = batch::count(&arguments.u32s("batch"));
        let (x, b) = (arguments.f32s("x"), arguments.f32s("b"));
        let bias = self.bias.is_some().then(|| arguments.f32s("bias"));
        let (b, bias) = (&b[..], bias.as_deref());
        let mut out = arguments.f32s_mut("out");
        let threads = cpu::threads_for(used * rank * count, threads);
        let rows = x.chunks_exact(rank).zip(out.chunks_exact_mut(stride)).take(used);
        cpu::spread(threads, rows, |(x, out)| {
            let out = &mut out[offset..][..count];
            match bias {
                Some(bias) => out.copy_from_slice(&bias[offset..][..count]),
                None => out.fill(0.0),
            }
            cpu::lora_up(x, b.chunks_exact(outputs).map(|b| &b[first..][..count]), out);
        });
    }
}

/// Cases at awkward shapes, one row skipped.
pub fn cases() -> Vec<KernelTest> {
    let downs = [(1, 4, 1), (3, 60, 7), (9, 1028, 33)].map(|(rows, cols, rank)| down(rows, cols, rank));
    let ups = [(1, 1, 1, false), (3, 7, 65, true), (9, 33, 130, false)];
    downs.into_iter().chain(ups.map(|(rows, rank, outputs, is_biased)| up(rows, rank, outputs, is_biased))).collect()
}

/// Rows of two sequences, of which each has some of the adapters.
fn down(rows: u32, cols: u32, rank: u32) -> KernelTest {
    let valid: Vec<_> = (0..rows).map(|r| batch::Row::new(0, r, r % 2)).collect();
    let mut scales = random_f32s(3, 2 * rank);
    scales.iter_mut().skip(1).step_by(3).for_each(|scale| *scale = 0);
    let inputs = vec![
        batch::words(&valid),
        random_f32s(1, (rows + 1) * cols),
        random_f32s(2, rank * cols),
        scales,
        vec![0; ((rows + 1) * rank) as usize],
    ];
    KernelTest::new(format!("lora_down {rows}x{cols}x{rank}"), inputs, vec![Output::f32(4)], move |places| {
        let [batch, x, a, scales, out] = places.try_into().expect("five inputs");
        Box::new(LoraDown { batch, x, a, scales, out, rows: rows + 1, cols, rank })
    })
}

/// The middle of rows of `b`, into wider rows.
fn up(rows: u32, rank: u32, outputs: u32, is_biased: bool) -> KernelTest {
    let valid: Vec<_> = (0..rows).map(|r| batch::Row::new(0, r, 0)).collect();
    let (stride, offset, first) = (outputs + 9, 5, outputs / 3);
    let count = outputs - first;
    let mut x = random_f32s(1, (rows + 1) * rank);
    x.iter_mut().skip(1).step_by(2).for_each(|x| *x = 0);
    let mut inputs = vec![batch::words(&valid), x, random_f32s(2, rank * outputs), random_f32s(3, (rows + 1) * stride)];
    if is_biased {
        inputs.push(random_f32s(4, stride));
    }
    let name = format!("lora_up {rows}x{rank}x{outputs}{}", if is_biased { " biased" } else { "" });
    KernelTest::new(name, inputs, vec![Output::f32(3)], move |mut places| {
        let bias = is_biased.then(|| places.pop().expect("a bias"));
        let [batch, x, b, out] = places.try_into().expect("four inputs");
        Box::new(LoraUp { batch, x, b, bias, out, rows: rows + 1, rank, outputs, first, count, stride, offset })
    })
}
