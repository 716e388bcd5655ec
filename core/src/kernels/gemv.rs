//! Matmul for one to eight rows of x: decoding.

use super::cpu::FastWay;
use super::matmul::{CaseBias, Epilogue, INPUTS, Matmul, PLAIN_TILES, QUAD_INPUTS, Shape, case};
use super::verify::KernelTest;
#[cfg(not(target_arch = "wasm32"))]
use super::weights::WeightInput;
use super::{Activation, Arguments, Kernel, LaunchConfig, Operand, Variant, grid_2d};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use inglenook_format::quant::WeightType;
use serde::{Deserialize, Serialize};

const PLAIN: &str = wgsl!("gemv/plain");
const ROWS_IN_LINE: &str = wgsl!("gemv/rows_in_line");
const ROWS_IN_LOOP: &str = wgsl!("gemv/rows_in_loop");
const LANES: &str = wgsl!("gemv/lanes");
const SHARED: &str = wgsl!("gemv/shared");
const SUBGROUPS: &str = wgsl!("gemv/subgroups");

/// Most rows of x that it is made for.
pub const MAX_ROWS: u32 = 8;

/// A [`Matmul`] for at most [`MAX_ROWS`] rows of x.
#[derive(Clone, Serialize, Deserialize)]
pub struct Gemv(pub Matmul);

impl Gemv {
    /// An invocation a row tile. With several rows of x it unpacks weights once for all of them.
    fn alone(&self, inputs: &str, needs: RequiredFeatures) -> LaunchConfig {
        if self.0.rows > 1 {
            return self.0.plain(inputs, needs);
        }
        let is_long = self.0.weights.high_bits.is_some() || self.0.weights.ty.has_chunks();
        let rows = if is_long { ROWS_IN_LOOP } else { ROWS_IN_LINE };
        let workgroups = [self.0.row_tiles().div_ceil(PLAIN_TILES), 1, 1];
        self.0.launch(&[inputs, rows, PLAIN], workgroups, needs)
    }

    /// A workgroup a row tile. Sums are kept in an array of a length that WGSL wants to know at once, hence the line in front.
    fn lanes(&self, meet: &str, needs: RequiredFeatures, facts: &AdapterInfo) -> LaunchConfig {
        let rows = format!("const M: u32 = {}u;\n", self.0.rows);
        self.0.launch(&[INPUTS, &rows, LANES, meet], grid_2d(self.0.row_tiles(), facts), needs)
    }
}

impl Kernel for Gemv {
    fn name(&self) -> &'static str {
        "gemv"
    }

    fn operands(&self) -> Vec<Operand> {
        self.0.operands()
    }

    fn variants(&self, facts: &AdapterInfo) -> Vec<Variant> {
        let mut variants = match facts.software {
            true => vec![Variant::Subgroups, Variant::Plain, Variant::Shared],
            false => vec![Variant::Subgroups, Variant::Shared, Variant::Plain],
        };
        variants.retain(|variant| variant.fits(facts));
        variants
    }

    fn class(&self) -> String {
        format!("{} {}", self.0.weights.ty, self.0.rows)
    }

    fn timed(&self) -> bool {
        true
    }

    fn guard(&self) -> KernelTest {
        // Columns for a second turn of the lanes' loops, and a grid of two rows, the second of them not full.
        let shape = Shape { m: self.0.rows, rows: self.0.rows, n: 33, k: 1280 };
        few(self.0.weights.ty, shape, Epilogue::Store, false).folded(5)
    }

    fn launch(&self, variant: Variant, facts: &AdapterInfo) -> LaunchConfig {
        let subgroups = RequiredFeatures { subgroups: true, f16: false };
        match variant {
            Variant::Subgroups if facts.software => self.alone(QUAD_INPUTS, subgroups),
            Variant::Subgroups => self.lanes(SUBGROUPS, subgroups, facts),
            Variant::Shared => self.lanes(SHARED, RequiredFeatures::default(), facts),
            _ => self.alone(INPUTS, RequiredFeatures::default()),
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
    let shape = |m, rows, n, k| Shape { m, rows, n, k };
    let one = WeightType::ALL.into_iter().map(|ty| few(ty, shape(1, 1, 33, 512), Epilogue::Store, false));
    let several = WeightType::ALL.into_iter().map(|ty| few(ty, shape(3, 4, 9, 256), Epilogue::Store, false));
    let pairs = WeightType::ALL.into_iter().map(|ty| few(ty, shape(2, 2, 13, 512), Epilogue::Add, true));
    let eights = WeightType::ALL.into_iter().map(|ty| few(ty, shape(5, 8, 7, 768), Epilogue::Store, false));
    let spare =
        [(1, 2), (3, 3), (1, 8)].map(|(m, rows)| few(WeightType::Q4_K, shape(m, rows, 33, 512), Epilogue::Store, true));
    let modes = [
        few(WeightType::Q4_0, shape(8, 8, 130, 1760), Epilogue::Add, true),
        few(WeightType::Q4_0, shape(7, 8, 66, 96), silu, false),
        few(WeightType::Q8_0, shape(1, 1, 1, 32), Epilogue::Add, false),
        few(WeightType::Q8_0, shape(0, 2, 5, 64), Epilogue::Store, false),
        few(WeightType::Q6_K, shape(3, 3, 2, 256), gelu, true),
        few(WeightType::F32, shape(2, 2, 35, 32), Epilogue::Store, true),
        few(WeightType::BF16, shape(1, 1, 70, 1760), silu, true),
        few(WeightType::Q8_0, shape(2, 2, 37, 64), Epilogue::Scale(0.3), true),
        few(WeightType::Q8_0, shape(1, 1, 37, 64), Epilogue::AddScaled(-1.7), true),
        few(WeightType::Q8_0, shape(3, 4, 5, 96), Epilogue::Cap(2.5), true),
        few(WeightType::Q8_0, shape(1, 1, 46, 96), Epilogue::Gated(Activation::ClampedSilu), true),
        few(WeightType::F16, shape(2, 2, 34, 64), Epilogue::Gated(Activation::ReluSquared), false),
        few(WeightType::F16, shape(1, 1, 33, 64), Epilogue::Activate(Activation::Gelu), true),
    ];
    let of_rows = [
        few(WeightType::Q4_0, shape(1, 1, 37, 96), Epilogue::Add, CaseBias::OfRows),
        few(WeightType::Q4_K, shape(3, 4, 66, 256), silu, CaseBias::OfRows),
        few(WeightType::Q8_0, shape(7, 8, 33, 64), Epilogue::Cap(2.5), CaseBias::OfRows),
    ];
    let folded = [
        few(WeightType::Q4_K, shape(1, 1, 33, 1280), Epilogue::Store, false).folded(5),
        few(WeightType::Q6_K, shape(4, 4, 30, 1536), silu, true).folded(1),
        few(WeightType::Q8_0, shape(2, 3, 401, 1056), Epilogue::Add, false).folded(7),
    ];
    one.chain(several).chain(pairs).chain(eights).chain(spare).chain(modes).chain(of_rows).chain(folded).collect()
}

fn few(ty: WeightType, shape: Shape, epilogue: Epilogue, bias: impl Into<CaseBias>) -> KernelTest {
    case("gemv", ty, shape, epilogue, bias.into(), |matmul| Box::new(Gemv(matmul)))
}
