//! Matmul for many rows of x: prefill.

use super::matmul::{Epilogue, Matmul, Shape, case};
use super::verify::Case;
use super::{Activation, Kernel, Launch, Operand, Variant};
use crate::device::Slice;
use crate::format::quant::WeightType;
use crate::gpu::{Facts, Needs};

const PLAIN: &str = include_str!("../../../shaders/matmul_many/plain.wgsl");

/// Units that a workgroup of the plain variant computes, and rows of x of each invocation.
const PLAIN_TILE: [u32; 2] = [32, 4];

/// A [`Matmul`] for a prefill chunk.
#[derive(Debug, Clone)]
pub struct MatmulMany(pub Matmul);

impl Kernel for MatmulMany {
    fn name(&self) -> &'static str {
        "matmul_many"
    }

    fn operands(&self) -> Vec<Operand> {
        self.0.operands()
    }

    fn variants(&self, _: &Facts) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn class(&self) -> String {
        self.0.weights.ty.to_string()
    }

    fn launch(&self, _: Variant, _: &Facts) -> Launch {
        let [units, rows] = PLAIN_TILE;
        Launch {
            text: self.0.text(PLAIN),
            constants: self.0.constants(),
            workgroups: [self.0.units().div_ceil(units), self.0.rows.div_ceil(rows), 1],
            needs: Needs::default(),
        }
    }

    fn timed(&self) -> bool {
        true
    }

    fn guard(&self) -> Case {
        many(self.0.weights.ty, 33, 65, 256, Epilogue::Store, false)
    }

    fn run(&self, operands: &[Slice]) {
        self.0.run(operands);
    }
}

/// Every weight type at awkward shapes, then every mode.
pub fn cases() -> Vec<Case> {
    let silu = Epilogue::Gated(Activation::Silu);
    let gelu = Epilogue::Gated(Activation::GeluTanh);
    let types = WeightType::ALL.into_iter().map(|ty| many(ty, 33, 65, 256, Epilogue::Store, false));
    let modes = [
        many(WeightType::Q4_0, 31, 130, 1760, Epilogue::Add, true),
        many(WeightType::Q4_0, 65, 66, 96, silu, false),
        many(WeightType::Q8_0, 1, 1, 32, Epilogue::Add, false),
        many(WeightType::Q6_K, 33, 2, 512, gelu, true),
        many(WeightType::F32, 70, 35, 32, Epilogue::Store, true),
    ];
    types.chain(modes).collect()
}

fn many(ty: WeightType, m: u32, n: u32, k: u32, epilogue: Epilogue, biased: bool) -> Case {
    case("matmul_many", ty, Shape { m, n, k }, epilogue, biased, |matmul| Box::new(MatmulMany(matmul)))
}
