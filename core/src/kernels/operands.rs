//! What a kernel reads and writes, declared once: the shader's bindings, their layout and the twin's arguments come from
//! [`Kernel::operands`](super::Kernel::operands).

use std::cell::{Ref, RefMut};

use super::Tensor;
use crate::device::Slice;
use crate::gpu::Access;

/// Where an operand's memory is.
#[derive(Debug, Clone)]
pub enum TensorRef {
    /// An activation: the plan decides.
    Tensor(Tensor),
    /// Memory that outlives the plan: weights, cache, state.
    Fixed(Slice),
}

impl From<Tensor> for TensorRef {
    fn from(tensor: Tensor) -> TensorRef {
        TensorRef::Tensor(tensor)
    }
}

impl From<Slice> for TensorRef {
    fn from(slice: Slice) -> TensorRef {
        TensorRef::Fixed(slice)
    }
}

/// One operand of a kernel: a storage binding of its shader, and an argument of its twin.
#[derive(Debug, Clone)]
pub struct Operand {
    /// Its name in the shader and for the twin.
    pub name: &'static str,
    /// Its type in the shader.
    pub wgsl_type: &'static str,
    /// Read, or written (an operand that is both counts as written).
    pub access: Access,
    /// Where it is.
    pub place: TensorRef,
}

impl Operand {
    /// An operand that is only read.
    pub fn read(name: &'static str, wgsl_type: &'static str, place: &TensorRef) -> Operand {
        Operand { name, wgsl_type, access: Access::Read, place: place.clone() }
    }

    /// An operand that is written, and perhaps read before.
    pub fn write(name: &'static str, wgsl_type: &'static str, place: &TensorRef) -> Operand {
        Operand { name, wgsl_type, access: Access::Write, place: place.clone() }
    }
}

/// WGSL that declares the bindings of `operands`, numbered in their order.
pub(super) fn declarations(operands: &[Operand]) -> String {
    let mut text = String::new();
    for (binding, Operand { name, wgsl_type, access, .. }) in operands.iter().enumerate() {
        let access = if *access == Access::Read { "read" } else { "read_write" };
        text += &format!("@group(0) @binding({binding}) var<storage, {access}> {name}: {wgsl_type};\n");
    }
    text
}

/// The operands of a kernel with their memory: its bindings, and what its twin asks for by name.
#[derive(Debug)]
pub struct Arguments(Vec<Argument>);

#[derive(Debug)]
struct Argument {
    name: &'static str,
    access: Access,
    slice: Slice,
}

impl Arguments {
    /// Those of `operands`, whose memory is where `place` says.
    pub fn new(operands: Vec<Operand>, mut place: impl FnMut(&TensorRef) -> Slice) -> Arguments {
        let argument = |operand: Operand| {
            let Operand { name, access, place: at, .. } = operand;
            Argument { name, access, slice: place(&at) }
        };
        Arguments(operands.into_iter().map(argument).collect())
    }

    /// Their memory, in the order of the bindings.
    pub fn slices(&self) -> impl Iterator<Item = &Slice> {
        self.0.iter().map(|argument| &argument.slice)
    }

    fn slice(&self, name: &str, writes: bool) -> &Slice {
        let mut fitting = self.0.iter().filter(|argument| !writes || argument.access == Access::Write);
        let argument = fitting.find(|argument| argument.name == name);
        argument.map_or_else(|| unreachable!("its kernel does not declare `{name}` so"), |argument| &argument.slice)
    }

    /// The words of an operand.
    pub fn u32s(&self, name: &str) -> Ref<'_, [u32]> {
        self.slice(name, false).u32s()
    }

    /// The words of an operand, to be written.
    pub fn u32s_mut(&self, name: &str) -> RefMut<'_, [u32]> {
        self.slice(name, true).u32s_mut()
    }

    /// An operand as f32.
    pub fn f32s(&self, name: &str) -> Ref<'_, [f32]> {
        self.slice(name, false).f32s()
    }

    /// An operand as f32, to be written.
    pub fn f32s_mut(&self, name: &str) -> RefMut<'_, [f32]> {
        self.slice(name, true).f32s_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;

    fn operands() -> [Operand; 2] {
        let words = |words: &[u32]| Device::Cpu.upload("words", words).expect("memory").all().into();
        [Operand::read("x", "array<vec4<f32>>", &words(&[1, 2])), Operand::write("out", "array<u32>", &words(&[3]))]
    }

    fn arguments() -> Arguments {
        Arguments::new(operands().into(), |place| match place {
            TensorRef::Fixed(slice) => slice.clone(),
            TensorRef::Tensor(_) => unreachable!("all are fixed"),
        })
    }

    #[test]
    fn operands_declare_their_bindings_in_order() {
        let expected = "@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;\n\
                        @group(0) @binding(1) var<storage, read_write> out: array<u32>;\n";
        assert_eq!(declarations(&operands()), expected);
    }

    #[test]
    fn arguments_are_found_by_name() {
        let arguments = arguments();
        arguments.u32s_mut("out")[0] += arguments.u32s("x")[1];
        assert_eq!((&*arguments.u32s("x"), &*arguments.u32s("out")), (&[1, 2][..], &[5][..]));
        assert_eq!(arguments.slices().map(|slice| slice.bytes).collect::<Vec<_>>(), [8, 4]);
    }

    #[test]
    #[should_panic(expected = "`x`")]
    fn arguments_that_are_read_cannot_be_written() {
        arguments().u32s_mut("x");
    }

    #[test]
    #[should_panic(expected = "`y`")]
    fn arguments_that_are_not_declared_are_not_found() {
        arguments().f32s("y");
    }
}
