//! The rows of a draft, at the one position from which some models draft.

use super::verify::{KernelTest, Output};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, batch};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("anchor_rows");

/// Each row of `anchored` is that of the batch at the last position whose keys and values are in the cache: before the row with which the draft
/// began, as many steps ago as the batch has gone.
#[derive(Serialize, Deserialize)]
pub struct AnchorRows {
    /// The batch.
    #[serde(skip)]
    pub batch: TensorRef,
    /// Another.
    #[serde(skip)]
    pub anchored: TensorRef,
    /// Rows at most.
    pub rows: u32,
}

impl Kernel for AnchorRows {
    fn name(&self) -> &'static str {
        "anchor_rows"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![Operand::read("batch", "Batch", &self.batch), Operand::write("anchored", "Batch", &self.anchored)]
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, _: &AdapterInfo) -> LaunchConfig {
        LaunchConfig {
            text: [batch::WGSL, BODY].concat(),
            constants: Vec::new(),
            workgroups: [self.rows.div_ceil(64).max(1), 1, 1],
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        let (words, mut anchored) = (arguments.u32s("batch"), arguments.u32s_mut("anchored"));
        let step = batch::step(&words);
        anchored[..2].copy_from_slice(&words[..2]);
        let moved: Vec<batch::Row> = batch::rows(&words).iter().map(|row| row.before(step + 1)).collect();
        let moved: &[u32] = bytemuck::cast_slice(&moved);
        anchored[batch::HEADER_WORDS..][..moved.len()].copy_from_slice(moved);
    }

    fn guard(&self) -> KernelTest {
        case(70, 1)
    }
}

/// Cases with no row, one and several, at the first step and at later ones.
pub fn cases() -> Vec<KernelTest> {
    [(0, 0), (1, 0), (1, 5), (8, 3), (70, 1)].into_iter().map(|(rows, step)| case(rows, step)).collect()
}

fn case(rows: u32, step: u32) -> KernelTest {
    let mut words = batch::words(&(0..rows).map(|r| batch::Row::new(900 + r, 2 + 3 * r, r)).collect::<Vec<_>>());
    batch::set_step(&mut words, step);
    words.extend([9; 4]);
    let inputs = vec![words.clone(), vec![9; words.len()]];
    KernelTest::new(format!("anchor_rows {rows} at step {step}"), inputs, vec![Output::bits(1)], move |places| {
        let [batch, anchored] = places.try_into().expect("two inputs");
        Box::new(AnchorRows { batch, anchored, rows })
    })
}
