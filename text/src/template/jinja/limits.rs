//! What a rendering may cost. Everything that takes time or memory in proportion to something is counted here before it is done,
//! so that no template, however it is written, runs or grows without end.

use super::super::TemplateError;
use super::value::{Dict, List, Value};

/// Steps that a rendering may take beside what its input earns it. A step is about what evaluating one name costs; a long template
/// takes about 300 for a message.
const STEPS: u64 = 1_000_000;

/// Steps that each byte of the input earns: a longer conversation has more to do.
const STEPS_PER_BYTE: u64 = 16;

/// Bytes that a rendering may build beside what its input earns it: every text and list that is put together counts, whether or not
/// it is kept.
const BYTES: u64 = 8 << 20;

/// Bytes that each byte of the input earns: a template may gather a conversation message by message.
const BYTES_PER_BYTE: u64 = 64;

/// Bytes that are read in the time of a step.
const SCANNED_A_STEP: usize = 16;

/// Deepest nesting of what is being evaluated: a macro that calls itself takes about 10 a call.
const MAX_DEPTH: u32 = 300;

/// Deepest nesting of a list or a mapping, since taking one apart takes stack.
pub const MAX_VALUE_DEPTH: u32 = 128;

/// What is left for a rendering.
#[derive(Debug)]
pub struct Limits {
    steps: u64,
    bytes: u64,
    depth: u32,
}

impl Limits {
    /// For an input of so many bytes, and with at most so many steps if that is given.
    pub fn new(input: usize, most_steps: Option<u64>) -> Self {
        let input = input as u64;
        let steps = STEPS.saturating_add(input.saturating_mul(STEPS_PER_BYTE));
        let bytes = BYTES.saturating_add(input.saturating_mul(BYTES_PER_BYTE));
        Self { steps: steps.min(most_steps.unwrap_or(u64::MAX)), bytes, depth: 0 }
    }

    pub fn step(&mut self, count: usize) -> Result<(), TemplateError> {
        self.steps = self.steps.checked_sub(count as u64).ok_or(TemplateError::TooManySteps)?;
        Ok(())
    }

    /// For what reads so many bytes and keeps none.
    pub fn scan(&mut self, bytes: usize) -> Result<(), TemplateError> {
        self.step(1 + bytes / SCANNED_A_STEP)
    }

    /// For what builds so many bytes.
    pub fn build(&mut self, bytes: usize) -> Result<(), TemplateError> {
        self.bytes = self.bytes.checked_sub(bytes as u64).ok_or(TemplateError::TooMuchText)?;
        self.scan(bytes)
    }

    /// Goes one level deeper; [`Self::leave`] comes back.
    pub fn enter(&mut self) -> Result<(), TemplateError> {
        if self.depth >= MAX_DEPTH {
            return Err(TemplateError::TooDeep);
        }
        self.depth += 1;
        self.step(1)
    }

    pub fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// A list or tuple's items, which may not nest too deeply.
    pub fn items(&mut self, items: Vec<Value>) -> Result<List, TemplateError> {
        self.build(items.len() * size_of::<Value>() + size_of::<List>())?;
        let depth = 1 + items.iter().map(Value::depth).max().unwrap_or(0);
        check_depth(depth)?;
        Ok(List { items, depth })
    }

    /// A mapping; of equal keys the last one's value counts.
    pub fn dict(&mut self, pairs: Vec<(Value, Value)>) -> Result<Dict, TemplateError> {
        self.build(pairs.len() * 2 * size_of::<Value>() + size_of::<Dict>())?;
        let dict = Dict::new(self, pairs)?;
        check_depth(dict.depth)?;
        Ok(dict)
    }
}

/// Refuses what nests too deeply.
pub fn check_depth(depth: u32) -> Result<(), TemplateError> {
    if depth > MAX_VALUE_DEPTH { Err(TemplateError::TooDeep) } else { Ok(()) }
}
