//! Embedding rows of a step's tokens.

use super::verify::{KernelTest, Output};
use super::weights::{CHUNK, WeightShard, random_planes};
use super::{Kernel, LaunchConfig, Operand, TensorRef, Variant, batch, cpu};
use crate::device::Slice;
use crate::gpu::{AdapterInfo, RequiredFeatures};
use inglenook_format::quant::WeightType;

const BODY: &str = include_str!("../../../shaders/embed.wgsl");

/// `out[r] = table[token of row r] * scale`, for the tokens that lie in this shard of the table.
#[derive(Debug)]
pub struct Embed {
    /// The batch.
    pub batch: TensorRef,
    /// A shard of the table: a row a token.
    pub table: WeightShard,
    /// Token of the shard's first row. Rows whose token lies in another shard are left as they are.
    pub first_row: u32,
    /// f32 `[rows, cols]`.
    pub out: TensorRef,
    /// Rows at most.
    pub rows: u32,
    /// Multiplied into every value; 1 in most models.
    pub scale: f32,
}

impl Kernel for Embed {
    fn name(&self) -> &'static str {
        "embed"
    }

    fn operands(&self) -> Vec<Operand> {
        let mut operands = vec![Operand::read(&self.batch), Operand::write(&self.out)];
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
            text: [batch::WGSL, &self.table.wgsl(2), BODY].concat(),
            constants: vec![
                ("COLS", self.table.cols.into()),
                ("FIRST", self.first_row.into()),
                ("ROWS", self.table.rows.into()),
                ("SCALE", self.scale.into()),
            ],
            workgroups: [self.table.chunks().div_ceil(CHUNK), self.rows, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn guard(&self) -> KernelTest {
        case(self.table.ty, 512)
    }

    fn run(&self, operands: &[Slice]) {
        let [batch, out, planes @ ..] = operands else { unreachable!("operands() has three or more") };
        let (planes, _) = cpu::HostPlanes::split(self.table.ty, planes);
        let table = planes.rows(self.table.ty, self.table.cols as usize);
        let tokens = self.first_row..self.first_row + self.table.rows;
        cpu::embed(batch::rows(&batch.u32s()), table, tokens, self.scale, &mut out.f32s_mut());
    }
}

/// A shard of 130 tokens from the 40th on, for each weight type: tokens at its edges and outside of it.
pub fn cases() -> Vec<KernelTest> {
    WeightType::ALL.into_iter().map(|ty| case(ty, if ty.block_len() == 256 { 512 } else { 1760 })).collect()
}

fn case(ty: WeightType, cols: u32) -> KernelTest {
    let tokens = [40, 39, 0, 169, 170, u32::MAX, 101];
    let mut valid: Vec<_> = tokens.iter().zip(0..).map(|(token, r)| batch::Row::new(*token, r, 0)).collect();
    valid.push(batch::Row::new(41, 7, 0).flagged(batch::FINISHED));
    valid.push(batch::Row::new(42, 8, 0).flagged(batch::HELD));
    let rows = valid.len() as u32 + 1;
    let mut inputs = vec![batch::words(&valid), vec![1f32.to_bits(); (rows * cols) as usize]];
    inputs.extend(random_planes(ty, 3, 130, cols));
    KernelTest::new(format!("embed {ty} {cols}"), inputs, vec![Output::f32(1)], move |places| {
        let table = WeightShard::over(ty, 130, cols, &places[2..]);
        let (batch, out) = (places[0].clone(), places[1].clone());
        Box::new(Embed { batch, table, first_row: 40, out, rows, scale: 1.5 })
    })
}
