//! Drafted tokens become the rows that verify them, without the CPU's looking at them.

use super::sampling::RING;
use super::verify::{KernelTest, Output, random_words};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("draft_rows");

/// Each row of the batch behind the first takes the next token of its sequence's ring, from the ring's beginning on. At most 64 rows.
#[derive(Serialize, Deserialize)]
pub struct DraftRows {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// u32 `[sequences, RING]`.
    #[serde(skip)]
    pub ring: TensorRef,
}

impl Kernel for DraftRows {
    fn name(&self) -> &'static str {
        "draft_rows"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![Operand::write("batch", "Batch", &self.batch), Operand::read("ring", "array<u32>", &self.ring)]
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        LaunchConfig {
            text: [batch::WGSL, BODY].concat(),
            constants: vec![("RING", RING.into())],
            workgroups: [1, 1, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        let (mut words, ring) = (arguments.u32s_mut("batch"), arguments.u32s("ring"));
        let count = batch::count(&words);
        let rows: &mut [batch::Row] = bytemuck::cast_slice_mut(&mut words[batch::HEADER_WORDS..][..4 * count]);
        for (row, at) in rows.iter_mut().skip(1).zip(0..) {
            row.token = ring[(row.sequence * RING + at) as usize];
        }
    }

    fn guard(&self) -> KernelTest {
        case(4)
    }
}

/// Cases with no row, one, and several.
pub fn cases() -> Vec<KernelTest> {
    [0, 1, 2, 8].into_iter().map(case).collect()
}

fn case(rows: u32) -> KernelTest {
    let mut words = batch::words(&(0..rows).map(|r| batch::Row::new(900 + r, 7 + r, 2)).collect::<Vec<_>>());
    words.extend([9; 4]);
    let inputs = vec![words, random_words(3, 3 * RING)];
    KernelTest::new(format!("draft_rows {rows}"), inputs, vec![Output::bits(0)], move |places| {
        let [batch, ring] = places.try_into().expect("two inputs");
        Box::new(DraftRows { batch, ring })
    })
}
