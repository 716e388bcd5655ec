//! Bounds what a rendering may build. The engine's fuel bounds the steps; one step may double a text, so text is counted too.

use std::borrow::Cow;
use std::fmt::{self, Write};

use minijinja::machinery::{Instruction, Instructions};
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, State};

use super::TemplateError;
use super::error::Own;

/// Bytes that a rendering may build beside what its input earns it: every text that is put together or written counts, whether
/// or not it is kept.
const BASE: usize = 16 << 20;

/// Bytes that a rendering may build for each byte of its input: a template may gather a conversation message by message.
const PER_INPUT_BYTE: usize = 64;

/// What a list or a mapping counts for, beside its length. Bounds how deeply a template can nest them, since taking a nested
/// value apart takes stack.
const CONTAINER: usize = 8 << 10;

/// The name under which templates call [`count`]; no template can spell it.
pub(super) const COUNT: &str = "count what was built";

/// The global of the environment that holds a rendering's budget. It is read past the template's variables, which a caller may name at
/// will and a macro may not see.
const BUDGET: &str = "bytes to build";

/// Sets the budget of a rendering in `env` whose input holds `input` bytes of text.
pub(super) fn grant(env: &mut Environment<'_>, input: usize) {
    env.add_global(BUDGET, Value::from(input.saturating_mul(PER_INPUT_BYTE).saturating_add(BASE)));
}

/// What is left, kept by the engine for one rendering.
struct Left(usize);

/// Takes `bytes` from the budget.
pub(super) fn charge(state: &mut State<'_, '_>, bytes: usize) -> Result<(), Error> {
    let rest = left(state).checked_sub(bytes).ok_or_else(|| Own::into_engine(TemplateError::TooMuchText))?;
    state.get_or_insert_extension(Left(rest)).0 = rest;
    Ok(())
}

/// Bytes that are left.
pub(super) fn left(state: &mut State<'_, '_>) -> usize {
    if let Some(Left(rest)) = state.get_extension() {
        return *rest;
    }
    let granted = state.env().globals().find(|(name, _)| *name == BUDGET);
    let budget = granted.and_then(|(_, budget)| usize::try_from(budget).ok()).unwrap_or(BASE);
    state.get_or_insert_extension(Left(budget)).0
}

/// Charges for a value that has just been built, and gives it back.
pub(super) fn count(state: &mut State<'_, '_>, value: Value) -> Result<Value, Error> {
    let bytes = match (value.as_str(), value.kind()) {
        (Some(text), _) => text.len(),
        (None, ValueKind::Seq | ValueKind::Map | ValueKind::Iterable) => {
            value.len().unwrap_or(0).saturating_mul(size_of::<Value>()).saturating_add(CONTAINER)
        }
        _ => 0,
    };
    charge(state, bytes)?;
    Ok(value)
}

/// A value's text, as Python's `str` gives it, no longer than the budget allows.
pub(super) fn text_of<'v>(state: &mut State<'_, '_>, value: &'v Value) -> Result<Cow<'v, str>, Error> {
    if let Some(text) = value.as_str() {
        return Ok(Cow::Borrowed(text));
    }
    let mut text = Bounded { text: String::new(), room: left(state) };
    let written = match super::functions::float_of(value) {
        Some(number) => text.write_str(&super::json::float(number)),
        None => write!(text, "{value}"),
    };
    written.map_err(|_| Own::into_engine(TemplateError::TooMuchText))?;
    Ok(Cow::Owned(text.text))
}

/// Takes text until there is no room left.
struct Bounded {
    text: String,
    room: usize,
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.room = self.room.checked_sub(text.len()).ok_or(fmt::Error)?;
        self.text.push_str(text);
        Ok(())
    }
}

/// Rewrites a compiled template so that everything that builds text is counted.
///
/// Operators become calls of [`super::operators`]. What yields a value makes a detour behind the end of the program, where
/// the value is counted. Literal text is written there as any other value, so that it passes the formatter, which counts.
pub(super) fn instrument<'source>(instructions: &mut Instructions<'source>) {
    let mut end = 0;
    let mut detours = Vec::new();
    while let Some(instruction) = instructions.get_mut(end) {
        match instruction {
            Instruction::Mul => *instruction = Instruction::CallFunction("*", Some(2)),
            Instruction::Rem => *instruction = Instruction::CallFunction("%", Some(2)),
            Instruction::StringConcat => *instruction = Instruction::CallFunction("~", Some(2)),
            Instruction::EmitRaw(_)
            | Instruction::Add
            | Instruction::Slice
            | Instruction::BuildList(_)
            | Instruction::BuildTuple(_)
            | Instruction::BuildMap(_)
            | Instruction::BuildKwargs(_)
            | Instruction::ApplyFilter(..)
            | Instruction::CallMethod(..) => detours.push((end, instruction.clone())),
            _ => {}
        }
        end += 1;
    }
    // Where the program ended, it still ends.
    instructions.add(Instruction::Return);
    for (at, instruction) in detours {
        let detour = detour(instructions, instruction);
        instructions.add(Instruction::Jump(at + 1));
        if let Some(original) = instructions.get_mut(at) {
            *original = Instruction::Jump(detour);
        }
    }
}

/// Appends what stands for `instruction`, and gives its place.
fn detour<'source>(instructions: &mut Instructions<'source>, instruction: Instruction<'source>) -> u32 {
    match instruction {
        Instruction::EmitRaw(text) => {
            let at = instructions.add(Instruction::LoadConst(Value::from(text)));
            instructions.add(Instruction::Emit);
            at
        }
        // Named arguments are of a kind of their own, which passes through no function.
        Instruction::BuildKwargs(_) => {
            let at = instructions.add(Instruction::LoadConst(Value::from(Vec::<Value>::new())));
            instructions.add(Instruction::CallFunction(COUNT, Some(1)));
            instructions.add(Instruction::DiscardTop);
            instructions.add(instruction);
            at
        }
        _ => {
            let at = instructions.add(instruction);
            instructions.add(Instruction::CallFunction(COUNT, Some(1)));
            at
        }
    }
}
