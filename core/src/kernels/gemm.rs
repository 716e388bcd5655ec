//! Matmul for many rows of x: prefill.

use super::cpu::FastWay;
use super::matmul::{CaseBias, Epilogue, INPUTS, Matmul, QUAD_INPUTS, Shape, case};
use super::verify::KernelTest;
#[cfg(not(target_arch = "wasm32"))]
use super::weights::WeightInput;
use super::{Activation, Arguments, Kernel, LaunchConfig, Operand, Variant};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use inglenook_format::quant::WeightType;
use serde::{Deserialize, Serialize};

const TILE: &str = wgsl!("gemm/tile");
pub(super) const FLOATS: &str = wgsl!("gemm/floats");
pub(super) const SCALED: &str = wgsl!("gemm/scaled");
pub(super) const DOT4: &str = wgsl!("gemm/dot4");
pub(super) const F16: &str = wgsl!("gemm/f16");

/// Row tiles and rows of x that a workgroup computes where its invocations share memory.
const TILE_SIZE: [u32; 2] = [16, 64];

/// A [`Matmul`] for a prefill chunk.
#[derive(Clone, Serialize, Deserialize)]
pub struct Gemm(pub Matmul);

impl Gemm {
    fn tiles(&self, body: &[&str], needs: RequiredFeatures) -> LaunchConfig {
        let workgroups = [self.0.row_tiles().div_ceil(TILE_SIZE[0]), self.0.rows.div_ceil(TILE_SIZE[1]), 1];
        self.0.launch(body, workgroups, needs)
    }
}

impl Kernel for Gemm {
    fn name(&self) -> &'static str {
        "gemm"
    }

    fn operands(&self) -> Vec<Operand> {
        self.0.operands()
    }

    fn variants(&self, facts: &AdapterInfo) -> Vec<Variant> {
        let mut variants = match facts.software {
            true => vec![Variant::Subgroups, Variant::Plain, Variant::Dot4, Variant::F16, Variant::Shared],
            false => vec![Variant::Dot4, Variant::F16, Variant::Shared, Variant::Plain],
        };
        let quantised = self.0.weights.ty.block_len() > 1;
        let small = |variant: &Variant| matches!(variant, Variant::Dot4 | Variant::F16);
        variants.retain(|variant| variant.fits(facts) && (quantised || !small(variant)));
        variants
    }

    fn class(&self) -> String {
        self.0.weights.ty.to_string()
    }

    fn timed(&self) -> bool {
        true
    }

    fn guard(&self) -> KernelTest {
        many(self.0.weights.ty, Shape { m: 33, rows: 35, n: 65, k: 256 }, Epilogue::Store, false)
    }

    fn launch(&self, variant: Variant, _: &AdapterInfo) -> LaunchConfig {
        match variant {
            Variant::Subgroups => self.0.plain(QUAD_INPUTS, RequiredFeatures { subgroups: true, f16: false }),
            Variant::Dot4 => self.tiles(&[DOT4, SCALED, TILE], RequiredFeatures::default()),
            Variant::F16 => self.tiles(&[F16, SCALED, TILE], RequiredFeatures { f16: true, subgroups: false }),
            Variant::Shared => self.tiles(&[FLOATS, TILE], RequiredFeatures::default()),
            _ => self.0.plain(INPUTS, RequiredFeatures::default()),
        }
    }

    fn run(&self, arguments: &Arguments) {
        self.0.run(arguments);
    }

    fn run_fast(&self, arguments: &Arguments, way: FastWay) -> bool {
        self.0.run_fast(arguments, way);
        true
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn weight_inputs(&self, arguments: &Arguments, see: &mut dyn FnMut(WeightInput<'_>)) {
        self.0.weight_inputs(arguments, see);
    }

    fn as_matmul(&self) -> Option<&Matmul> {
        Some(&self.0)
    }
}

/// Every weight type at awkward shapes, then every mode.
pub fn cases() -> Vec<KernelTest> {
    let silu = Epilogue::Gated(Activation::Silu);
    let gelu = Epilogue::Gated(Activation::GeluTanh);
    let shape = |m, n, k| Shape { m, rows: m + 2, n, k };
    let types = WeightType::ALL.into_iter().map(|ty| many(ty, shape(33, 65, 256), Epilogue::Store, false));
    let modes = [
        many(WeightType::Q4_0, shape(31, 130, 1760), Epilogue::Add, true),
        many(WeightType::Q4_0, shape(65, 66, 96), silu, false),
        many(WeightType::Q8_0, shape(1, 1, 32), Epilogue::Add, false),
        many(WeightType::Q6_K, shape(33, 2, 512), gelu, true),
        many(WeightType::F32, shape(70, 35, 32), Epilogue::Store, true),
        many(WeightType::Q4_0, shape(35, 66, 96), silu, CaseBias::OfRows),
        many(WeightType::Q6_K, shape(67, 37, 256), Epilogue::AddScaled(0.3), CaseBias::OfRows),
    ];
    types.chain(modes).collect()
}

fn many(ty: WeightType, shape: Shape, epilogue: Epilogue, bias: impl Into<CaseBias>) -> KernelTest {
    case("gemm", ty, shape, epilogue, bias.into(), |matmul| Box::new(Gemm(matmul)))
}
