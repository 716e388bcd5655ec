//! Embedding rows of a step's tokens, and of their positions.

use super::verify::{KernelTest, Output};
use super::weights::{CHUNK, CaseWeights, WeightShard, random_planes};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use inglenook_format::quant::WeightType;
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("embed");

/// Which row of its table each row of a step takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lookup {
    /// That of its token.
    Token,
    /// That of its position, added to what is there.
    Position,
    /// The table's first, added to what is there.
    First,
}

/// `out[r] = table[token of row r] * scale`, for the tokens that lie in this part of the table; by another [`Lookup`], `+=`.
#[derive(Serialize, Deserialize)]
pub struct Embed {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// A part of the table: a row a token.
    pub table: WeightShard,
    /// Token of the part's first row. Rows whose token lies in another part are left as they are, or become zeros where
    /// this part is the table's first: a token that no part has never leaves what was there before.
    pub first_row: u32,
    /// f32 `[rows, cols]`.
    #[serde(skip)]
    pub out: TensorRef,
    /// Rows at most.
    pub rows: u32,
    /// Multiplied into every value; 1 in most models.
    pub scale: f32,
    /// Which row of the table.
    pub by: Lookup,
}

impl Kernel for Embed {
    fn name(&self) -> &'static str {
        "embed"
    }

    fn operands(&self) -> Vec<Operand> {
        let mut operands =
            vec![Operand::read("batch", "Batch", &self.batch), Operand::write("out", "array<vec4<f32>>", &self.out)];
        operands.extend(self.table.operands());
        operands
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn class(&self) -> String {
        self.table.ty.to_string()
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        LaunchConfig {
            text: [batch::WGSL, &self.table.wgsl(), BODY].concat(),
            constants: vec![
                ("COLS", self.table.cols.into()),
                ("FIRST", self.first_row.into()),
                ("ROWS", self.table.rows.into()),
                ("SCALE", self.scale.into()),
                ("LOOKUP", f64::from(self.by as u8)),
            ],
            workgroups: [self.table.chunks().div_ceil(CHUNK), self.rows, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn guard(&self) -> KernelTest {
        case(self.table.ty, 512, 0, self.by)
    }

    fn run(&self, arguments: &Arguments) {
        let planes = cpu::HostPlanes::of(self.table.ty, arguments);
        let table = planes.rows(self.table.ty, self.table.cols as usize);
        let tokens = self.first_row..self.first_row + self.table.rows;
        let batch = arguments.u32s("batch");
        cpu::embed(batch::rows(&batch), table, tokens, (self.scale, self.by), &mut arguments.f32s_mut("out"));
    }
}

/// A part of 130 tokens from the 40th on, for each weight type, and such a part as the first: tokens at its edges and
/// outside of it. Positions are looked up the same way.
pub fn cases() -> Vec<KernelTest> {
    let later =
        WeightType::ALL.into_iter().map(|ty| case(ty, if ty.block_len() > 32 { 512 } else { 1760 }, 40, Lookup::Token));
    let first = [(WeightType::Q4_0, 96, Lookup::Token), (WeightType::F32, 1056, Lookup::Token)].into_iter();
    let added = [(WeightType::F32, 96, Lookup::Position), (WeightType::Q8_0, 160, Lookup::First)];
    later.chain(first.chain(added).map(|(ty, cols, by)| case(ty, cols, 0, by))).collect()
}

fn case(ty: WeightType, cols: u32, first: u32, by: Lookup) -> KernelTest {
    let tokens = [first, first.wrapping_sub(1), 0, first + 129, first + 130, u32::MAX, first + 61];
    let mut valid: Vec<_> = tokens.iter().zip(0..).map(|(token, r)| batch::Row::new(*token, 30 * r, 0)).collect();
    valid.push(batch::Row::new(first + 1, 7, 0).flagged(batch::FINISHED));
    valid.push(batch::Row::new(first + 2, 8, 0).flagged(batch::HELD));
    let rows = valid.len() as u32 + 1;
    let mut inputs = vec![batch::words(&valid), vec![1f32.to_bits(); (rows * cols) as usize]];
    inputs.extend(random_planes(ty, 3, 130, cols));
    let name = format!("embed {ty} {cols} from {first} by {by:?}");
    let case = KernelTest::new(name, inputs, vec![Output::f32(1)], move |places| {
        let table = WeightShard::over(ty, 130, cols, &places[2..]);
        let (batch, out) = (places[0].clone(), places[1].clone());
        Box::new(Embed { batch, table, first_row: first, out, rows, scale: 1.5, by })
    });
    case.weighted(CaseWeights { first: 2, ty, cols })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::verify::run_twin;

    #[test]
    fn embed_gives_zeros_for_a_token_beyond_the_table() {
        let out = &run_twin(&case(WeightType::F32, 32, 0, Lookup::Token))[1];
        let row = |r: usize| out[r * 32..][..32].to_vec();
        // Tokens at the table's end and far beyond it.
        for r in 0..7 {
            assert_eq!(row(r) == vec![0; 32], [1, 4, 5].contains(&r), "row {r}");
        }
    }
}
