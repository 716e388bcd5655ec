//! Where activations live: each tensor gets a slot, and slots are used again once nobody needs what is in them.
//!
//! A slot is a buffer of its own. WebGPU forbids one buffer to be read-only in one binding and writable in another of the
//! same dispatch, so a single arena would force every binding to be writable and hide from compilers what is constant.

use crate::kernels::{Kernel, Tensor, TensorRef};

/// Slots and who lives where.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of each slot.
    pub slots: Vec<u64>,
    /// Slot of each tensor, by tensor id.
    pub slot_of: Vec<usize>,
}

/// First and last operation that touches a tensor.
#[derive(Debug, Clone, Copy)]
struct LiveRange {
    first: usize,
    last: usize,
}

/// Assigns slots greedily in order of birth, to the free slot whose size fits best. `kept` tensors stay alive to the end.
pub fn lay_out(ops: &[Box<dyn Kernel>], tensors: &[Tensor], kept: &[(String, Tensor)]) -> Layout {
    let ranges = ranges(ops, tensors, kept);
    let mut layout = Layout { slots: Vec::new(), slot_of: vec![0; tensors.len()] };
    let mut free: Vec<usize> = Vec::new();
    for index in 0..ops.len() {
        let born = tensors.iter().filter(|tensor| ranges[tensor.id].is_some_and(|range| range.first == index));
        for tensor in born {
            let slot = take_slot(&mut layout.slots, &mut free, bytes(tensor));
            layout.slot_of[tensor.id] = slot;
        }
        let dead = tensors.iter().filter(|tensor| ranges[tensor.id].is_some_and(|range| range.last == index));
        free.extend(dead.map(|tensor| layout.slot_of[tensor.id]));
    }
    if layout.slots.is_empty() && !tensors.is_empty() {
        layout.slots.push(4);
    }
    layout
}

fn bytes(tensor: &Tensor) -> u64 {
    u64::from(tensor.rows) * u64::from(tensor.cols) * 4
}

fn ranges(ops: &[Box<dyn Kernel>], tensors: &[Tensor], kept: &[(String, Tensor)]) -> Vec<Option<LiveRange>> {
    let mut ranges: Vec<Option<LiveRange>> = vec![None; tensors.len()];
    for (index, op) in ops.iter().enumerate() {
        for operand in op.operands() {
            if let TensorRef::Tensor(tensor) = operand.place {
                ranges[tensor.id].get_or_insert(LiveRange { first: index, last: index }).last = index;
            }
        }
    }
    for (_, tensor) in kept {
        if let Some(range) = &mut ranges[tensor.id] {
            range.last = usize::MAX;
        }
    }
    ranges
}

/// The smallest free slot that is large enough; else the largest free one, grown; else a new one.
fn take_slot(slots: &mut Vec<u64>, free: &mut Vec<usize>, bytes: u64) -> usize {
    let fitting = (0..free.len()).filter(|i| slots[free[*i]] >= bytes).min_by_key(|i| slots[free[*i]]);
    let largest = (0..free.len()).max_by_key(|i| slots[free[*i]]);
    match fitting.or(largest) {
        Some(index) => {
            let slot = free.swap_remove(index);
            slots[slot] = slots[slot].max(bytes);
            slot
        }
        None => {
            slots.push(bytes);
            slots.len() - 1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::copy::Copy;

    fn chain(sizes: &[u32]) -> (Vec<Box<dyn Kernel>>, Vec<Tensor>) {
        let tensors: Vec<_> = sizes.iter().enumerate().map(|(id, cols)| Tensor { id, rows: 1, cols: *cols }).collect();
        let ops = tensors.windows(2).map(|pair| {
            let copy = Copy::whole(pair[0].into(), pair[1].into(), 1);
            Box::new(copy) as Box<dyn Kernel>
        });
        (ops.collect(), tensors)
    }

    #[test]
    fn a_chain_needs_two_slots() {
        let (ops, tensors) = chain(&[8, 4, 16, 4, 8]);
        let layout = lay_out(&ops, &tensors, &[]);
        assert_eq!(layout.slots.len(), 2);
        for pair in layout.slot_of.windows(2) {
            assert_ne!(pair[0], pair[1], "an operation's input and output must not share a slot");
        }
        for tensor in &tensors {
            assert!(layout.slots[layout.slot_of[tensor.id]] >= bytes(tensor));
        }
    }

    #[test]
    fn a_kept_tensor_is_never_overwritten() {
        let (ops, tensors) = chain(&[4, 4, 4, 4, 4, 4]);
        let layout = lay_out(&ops, &tensors, &[("kept".into(), tensors[1])]);
        let others = layout.slot_of.iter().enumerate().filter(|(id, _)| *id != 1);
        assert!(others.into_iter().all(|(_, slot)| *slot != layout.slot_of[1]));
    }
}
