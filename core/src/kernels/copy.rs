//! Copies a tensor, so that a tap keeps what later operations overwrite.

use super::verify::{Case, Output, random_words};
use super::{Kernel, Launch, Operand, Place, Variant, fold};
use crate::device::Slice;
use crate::gpu::{Facts, Needs};

const BODY: &str = include_str!("../../../shaders/copy.wgsl");

/// `to = from`, whatever the words mean.
#[derive(Debug)]
pub struct Copy {
    /// Words to copy.
    pub from: Place,
    /// Where to.
    pub to: Place,
    /// How many.
    pub words: u32,
}

impl Kernel for Copy {
    fn name(&self) -> &'static str {
        "copy"
    }

    fn operands(&self) -> Vec<Operand> {
        vec![Operand::read(&self.from), Operand::write(&self.to)]
    }

    fn variants(&self, _: &Facts) -> Vec<Variant> {
        vec![Variant::Plain]
    }

    fn launch(&self, _: Variant, facts: &Facts) -> Launch {
        Launch {
            text: BODY.to_string(),
            constants: vec![("WORDS", self.words.into())],
            workgroups: fold(self.words.div_ceil(64), facts),
            needs: Needs::default(),
        }
    }

    fn run(&self, operands: &[Slice]) {
        let [from, to] = operands else { unreachable!("operands() has two") };
        let words = self.words as usize;
        to.u32s_mut()[..words].copy_from_slice(&from.u32s()[..words]);
    }

    fn guard(&self) -> Case {
        case(200)
    }
}

/// Cases below, at and above a workgroup.
pub fn cases() -> Vec<Case> {
    [1, 64, 65, 1757].into_iter().map(case).collect()
}

fn case(words: u32) -> Case {
    let inputs = vec![random_words(3, words), vec![0; words as usize]];
    Case::new(format!("copy {words}"), inputs, vec![Output::bits(1)], move |places| {
        let [from, to] = places.try_into().expect("two inputs");
        Box::new(Copy { from, to, words })
    })
}
