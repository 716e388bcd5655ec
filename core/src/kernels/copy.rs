//! Copies a tensor: so that a tap keeps what later operations overwrite, or to stand beside another.

use super::conv::Columns;
use super::verify::{KernelTest, Output, random_words};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, grid_2d};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("copy");

/// `copy[r, offset + c] = source[r, c]`, whatever the words mean.
#[derive(Serialize, Deserialize)]
pub struct Copy {
    /// Words to copy: `[rows, cols]`.
    #[serde(skip)]
    pub source: TensorRef,
    /// Where to: `[rows, to.stride]`.
    #[serde(skip)]
    pub copy: TensorRef,
    /// Rows.
    pub rows: u32,
    /// Words of a row.
    pub cols: u32,
    /// The columns that they become.
    pub to: Columns,
}

impl Copy {
    /// Of so many words, wherever they lie.
    pub fn whole(source: TensorRef, copy: TensorRef, words: u32) -> Copy {
        Copy { source, copy, rows: 1, cols: words, to: Columns { stride: words, offset: 0 } }
    }
}

impl Kernel for Copy {
    fn name(&self) -> &'static str {
        "copy"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![Operand::read("source", "array<u32>", &self.source), Operand::write("copy", "array<u32>", &self.copy)]
    }

    fn variants(&self, _: &AdapterInfo) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, facts: &AdapterInfo) -> LaunchConfig {
        let words = self.rows * self.cols;
        LaunchConfig {
            text: BODY.to_string(),
            constants: vec![
                ("WORDS", words.into()),
                ("COLS", self.cols.into()),
                ("STRIDE", self.to.stride.into()),
                ("OFFSET", self.to.offset.into()),
            ],
            workgroups: grid_2d(words.div_ceil(64), facts),
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        let (cols, stride, offset) = (self.cols as usize, self.to.stride as usize, self.to.offset as usize);
        let (source, mut copy) = (arguments.u32s("source"), arguments.u32s_mut("copy"));
        for row in 0..self.rows as usize {
            copy[row * stride + offset..][..cols].copy_from_slice(&source[row * cols..][..cols]);
        }
    }

    fn guard(&self) -> KernelTest {
        case(3, 70, Columns { stride: 200, offset: 9 })
    }
}

/// Cases below, at and above a workgroup, and of columns of wider rows.
pub fn cases() -> Vec<KernelTest> {
    let whole = [1, 64, 65, 1757].into_iter().map(|words| case(1, words, Columns { stride: words, offset: 0 }));
    let columns = [(3, 70, 200, 9), (5, 32, 64, 32)];
    let columns = columns.map(|(rows, cols, stride, offset)| case(rows, cols, Columns { stride, offset }));
    whole.chain(columns).collect()
}

fn case(rows: u32, cols: u32, to: Columns) -> KernelTest {
    let inputs = vec![random_words(3, rows * cols), vec![7; (rows * to.stride) as usize]];
    let name = format!("copy {rows}x{cols} into {}+{}", to.stride, to.offset);
    KernelTest::new(name, inputs, vec![Output::bits(1)], move |places| {
        let [source, copy] = places.try_into().expect("two inputs");
        Box::new(Copy { source, copy, rows, cols, to })
    })
}
