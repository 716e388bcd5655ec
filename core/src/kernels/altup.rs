//! Alternating updates (Baykal et al., 2023), as Gemma 3n has them: four residual streams, of which a layer computes the first alone. What the
//! others become is predicted from all of them before the layer, and corrected by what it has changed behind it.

use super::verify::{KernelTest, Output, random_f32s};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

/// Streams.
pub const STREAMS: usize = 4;

const PREDICT: &str = wgsl!("altup/predict");
const CORRECT: &str = wgsl!("altup/correct");

/// With `c = learned · router[r]`: `stream b += Σ_a c[4b + a] · stream a`, or where there is what a layer has `made` of the first,
/// `stream b += (1 + c[b]) · (made − stream 0)`, and made becomes the corrected first stream, by columns of `learned`.
#[derive(Serialize, Deserialize)]
pub struct Altup {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// f32 `[rows, cols]` each, changed in place.
    pub streams: [TensorRef; STREAMS],
    /// f32 `[rows, 4]`.
    #[serde(skip)]
    pub router: TensorRef,
    /// f32 `[16, 4]`; where there is what a layer has made `[4, 4]`, then `[cols]`.
    #[serde(skip)]
    pub learned: TensorRef,
    /// f32 `[rows, cols]`, changed in place.
    pub made: Option<TensorRef>,
    /// Rows at most.
    pub rows: u32,
    /// Columns.
    pub cols: u32,
}

impl Kernel for Altup {
    fn name(&self) -> &'static str {
        "altup"
    }

    fn operands(&self) -> Vec<Operand> {
        let names = ["x0", "x1", "x2", "x3"];
        let mut operands = vec![Operand::read("batch", "Batch", &self.batch)];
        operands.extend(names.into_iter().zip(&self.streams).map(|(name, x)| Operand::write(name, "array<f32>", x)));
        operands.extend([
            Operand::read("router", "array<f32>", &self.router),
            Operand::read("learned", "array<f32>", &self.learned),
        ]);
        operands.extend(self.made.iter().map(|made| Operand::write("made", "array<f32>", made)));
        operands
    }

    fn class(&self) -> String {
        if self.made.is_some() { "correct".into() } else { "predict".into() }
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        LaunchConfig {
            text: [batch::WGSL, if self.made.is_some() { CORRECT } else { PREDICT }].concat(),
            constants: vec![("COLS", self.cols.into())],
            workgroups: [self.cols.div_ceil(64), self.rows, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        let used = batch::count(&arguments.u32s("batch")) * self.cols as usize;
        let mut streams = ["x0", "x1", "x2", "x3"].map(|name| arguments.f32s_mut(name));
        let streams = streams.each_mut().map(|stream| &mut stream[..used]);
        let (router, learned) = (arguments.f32s("router"), arguments.f32s("learned"));
        match &self.made {
            None => cpu::altup_predict(streams, &router, &learned, self.cols as usize),
            Some(_) => {
                let made = &mut arguments.f32s_mut("made")[..used];
                cpu::altup_correct(streams, &router, &learned, made, self.cols as usize);
            }
        }
    }

    fn guard(&self) -> KernelTest {
        case(3, 70, self.made.is_some())
    }
}

/// Cases of both at awkward shapes, one row skipped.
pub fn cases() -> Vec<KernelTest> {
    vec![case(3, 70, false), case(3, 70, true), case(1, 4, false), case(5, 260, true)]
}

fn case(rows: u32, cols: u32, corrects: bool) -> KernelTest {
    let valid: Vec<_> = (0..rows).map(|r| batch::Row::new(0, r, 0)).collect();
    let len = (rows + 1) * cols;
    let mut inputs = vec![batch::words(&valid)];
    inputs.extend((1..5).map(|seed| random_f32s(seed, len)));
    inputs.extend([random_f32s(5, (rows + 1) * 4), random_f32s(6, 64.max(16 + cols)), random_f32s(7, len)]);
    let outputs = (1..5).chain(corrects.then_some(7)).map(Output::f32).collect();
    KernelTest::new(format!("altup {rows}x{cols} corrects {corrects}"), inputs, outputs, move |places| {
        let [batch, x0, x1, x2, x3, router, learned, made] = places.try_into().expect("eight inputs");
        let made = corrects.then_some(made);
        Box::new(Altup { batch, streams: [x0, x1, x2, x3], router, learned, made, rows: rows + 1, cols })
    })
}
