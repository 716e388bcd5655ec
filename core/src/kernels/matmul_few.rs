//! Matmul for one to eight rows of x: decoding.

use super::matmul::{Epilogue, Matmul, Shape, case};
use super::verify::Case;
use super::{Activation, Kernel, Launch, Operand, Variant};
use crate::device::Slice;
use crate::format::quant::WeightType;
use crate::gpu::{Facts, Needs};

const PLAIN: &str = include_str!("../../../shaders/matmul_few/plain.wgsl");

/// Units that a workgroup of the plain variant computes.
const PLAIN_UNITS: u32 = 32;

/// Most rows of x that it is made for.
pub const MAX_ROWS: u32 = 8;

/// A [`Matmul`] for at most [`MAX_ROWS`] rows of x.
#[derive(Debug, Clone)]
pub struct MatmulFew(pub Matmul);

impl Kernel for MatmulFew {
    fn name(&self) -> &'static str {
        "matmul_few"
    }

    fn operands(&self) -> Vec<Operand> {
        self.0.operands()
    }

    fn variants(&self, _: &Facts) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn class(&self) -> String {
        format!("{} {}", self.0.weights.ty, self.0.rows)
    }

    fn launch(&self, _: Variant, _: &Facts) -> Launch {
        Launch {
            text: self.0.text(PLAIN),
            constants: self.0.constants(),
            workgroups: [self.0.units().div_ceil(PLAIN_UNITS), self.0.rows, 1],
            needs: Needs::default(),
        }
    }

    fn timed(&self) -> bool {
        true
    }

    fn guard(&self) -> Case {
        few(self.0.weights.ty, self.0.rows, 33, 512, Epilogue::Store, false)
    }

    fn run(&self, operands: &[Slice]) {
        self.0.run(operands);
    }
}

/// Every weight type at awkward shapes, then every mode.
pub fn cases() -> Vec<Case> {
    let silu = Epilogue::Gated(Activation::Silu);
    let gelu = Epilogue::Gated(Activation::GeluTanh);
    let types = WeightType::ALL.into_iter().map(|ty| few(ty, 1, 33, 512, Epilogue::Store, false));
    let modes = [
        few(WeightType::Q4_0, 3, 130, 1760, Epilogue::Add, true),
        few(WeightType::Q4_0, 7, 66, 96, silu, false),
        few(WeightType::Q8_0, 1, 1, 32, Epilogue::Add, false),
        few(WeightType::Q6_K, 3, 2, 256, gelu, true),
        few(WeightType::F32, 2, 35, 32, Epilogue::Store, true),
    ];
    types.chain(modes).collect()
}

fn few(ty: WeightType, m: u32, n: u32, k: u32, epilogue: Epilogue, biased: bool) -> Case {
    case("matmul_few", ty, Shape { m, n, k }, epilogue, biased, |matmul| Box::new(MatmulFew(matmul)))
}
