//! Copies a tensor, so that a tap keeps what later operations overwrite.

use super::verify::{KernelTest, Output, random_words};
use super::{Arguments, Kernel, LaunchConfig, Operand, TensorRef, Variant, grid_2d};
use crate::gpu::{AdapterInfo, RequiredFeatures};
use serde::{Deserialize, Serialize};

const BODY: &str = wgsl!("copy");

/// `copy = source`, whatever the words mean.
#[derive(Serialize, Deserialize)]
pub struct Copy {
    /// Words to copy.
    #[serde(skip)]
    pub source: TensorRef,
    /// Where to.
    #[serde(skip)]
    pub copy: TensorRef,
    /// How many.
    pub words: u32,
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
        LaunchConfig {
            text: BODY.to_string(),
            constants: vec![("WORDS", self.words.into())],
            workgroups: grid_2d(self.words.div_ceil(64), facts),
            needs: RequiredFeatures::default(),
        }
    }

    fn run(&self, arguments: &Arguments) {
        let words = self.words as usize;
        arguments.u32s_mut("copy")[..words].copy_from_slice(&arguments.u32s("source")[..words]);
    }

    fn guard(&self) -> KernelTest {
        case(200)
    }
}

/// Cases below, at and above a workgroup.
pub fn cases() -> Vec<KernelTest> {
    [1, 64, 65, 1757].into_iter().map(case).collect()
}

fn case(words: u32) -> KernelTest {
    let inputs = vec![random_words(3, words), vec![0; words as usize]];
    KernelTest::new(format!("copy {words}"), inputs, vec![Output::bits(1)], move |places| {
        let [source, copy] = places.try_into().expect("two inputs");
        Box::new(Copy { source, copy, words })
    })
}
