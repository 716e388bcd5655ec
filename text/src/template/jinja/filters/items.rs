//! Filters that take items apart or put them together.

use std::rc::Rc;

use super::super::super::TemplateError;
use super::super::arguments::{self, Args, flag};
use super::super::compare;
use super::super::eval::Vm;
use super::super::provenance::TextBuilder;
use super::super::value::{Missing, Value};
use super::attributes::fold_case;

pub fn list(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [] = args.bind("list", [])?;
    Ok(Value::List(value.iterate(&mut vm.limits)?))
}

pub fn length(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [] = args.bind("length", [])?;
    let len = value.len(&mut vm.limits)?;
    let len = len.ok_or_else(|| TemplateError::failed(format!("object of type '{}' has no len()", value.kind())))?;
    Ok(Value::Int(len as i128))
}

pub fn first(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [] = args.bind("first", [])?;
    if let Value::Generator(generator) = &value {
        let first = generator.items.borrow_mut().pop_front();
        return Ok(first.unwrap_or(Value::Undefined(Missing::Nothing)));
    }
    let items = value.iterate(&mut vm.limits)?;
    Ok(items.items.first().cloned().unwrap_or(Value::Undefined(Missing::Nothing)))
}

pub fn last(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [] = args.bind("last", [])?;
    if matches!(value, Value::Generator(_)) {
        return Err(TemplateError::failed("'generator' object is not reversible"));
    }
    let items = value.iterate(&mut vm.limits)?;
    Ok(items.items.last().cloned().unwrap_or(Value::Undefined(Missing::Nothing)))
}

pub fn reverse(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [] = args.bind("reverse", [])?;
    if let Value::Str(text) | Value::Safe(text) = &value {
        let mut out = TextBuilder::default();
        text.char_indices().rev().for_each(|(at, c)| out.push_part(text, &text[at..at + c.len_utf8()]));
        return out.built(&mut vm.limits).map(Value::Str);
    }
    let items = value.iterate(&mut vm.limits)?;
    let items = items.items.iter().rev().cloned().collect();
    // What cannot be gone through backwards becomes a list.
    if matches!(value, Value::Generator(_)) {
        Value::list(&mut vm.limits, items)
    } else {
        Value::generator(&mut vm.limits, items)
    }
}

/// `default(default_value='', boolean=false)`
pub fn default(_: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [default, boolean] = args.bind("default", ["default_value", "boolean"])?;
    let replaced = value.is_undefined() || (flag(boolean) && !value.is_true());
    Ok(if replaced { default.unwrap_or_else(|| Value::text("")) } else { value })
}

pub fn items(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [] = args.bind("items", [])?;
    let pairs = match &value {
        Value::Undefined(_) => Vec::new(),
        Value::Dict(dict) => {
            let view = Value::View(super::super::value::View::Items, dict.clone());
            view.iterate(&mut vm.limits)?.items.clone()
        }
        _ => return Err(TemplateError::failed("Can only get item pairs from a mapping.")),
    };
    Value::generator(&mut vm.limits, pairs)
}

/// `dictsort(case_sensitive=false, by='key', reverse=false)`
pub fn dictsort(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [case_sensitive, by, reverse] = args.bind("dictsort", ["case_sensitive", "by", "reverse"])?;
    let place = match by.as_ref().and_then(Value::as_str).unwrap_or("key") {
        "key" => 0,
        "value" => 1,
        _ => return Err(TemplateError::failed("You can only sort by either \"key\" or \"value\"")),
    };
    let Value::Dict(dict) = &value else { return Err(TemplateError::failed("dictsort wants a mapping")) };
    let case_sensitive = flag(case_sensitive);
    let mut keyed = Vec::with_capacity(dict.pairs.len());
    for (key, value) in &dict.pairs {
        let by = if place == 0 { key } else { value };
        let pair = Value::tuple(&mut vm.limits, vec![key.clone(), value.clone()])?;
        keyed.push((fold_case(vm, by.clone(), case_sensitive)?, pair));
    }
    let sorted = compare::sort(&mut vm.limits, keyed, flag(reverse), |(key, _)| key)?;
    Value::list(&mut vm.limits, sorted.into_iter().map(|(_, pair)| pair).collect())
}

/// `batch(linecount, fill_with=none)`: lists of so many items.
pub fn batch(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [count, fill] = args.bind("batch", ["linecount", "fill_with"])?;
    let count = size("batch", count)?;
    let items = value.iterate(&mut vm.limits)?;
    let mut batches = Vec::new();
    for chunk in items.items.chunks(count) {
        let mut batch = chunk.to_vec();
        if let Some(fill) = fill.as_ref().filter(|fill| !matches!(fill, Value::None)) {
            vm.limits.build((count - batch.len()).saturating_mul(size_of::<Value>()))?;
            batch.resize(count, fill.clone());
        }
        batches.push(Value::list(&mut vm.limits, batch)?);
    }
    Value::generator(&mut vm.limits, batches)
}

/// `slice(slices, fill_with=none)`: so many lists.
pub fn slice(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [count, fill] = args.bind("slice", ["slices", "fill_with"])?;
    let count = size("slice", count)?;
    vm.limits.build(count.saturating_mul(size_of::<Value>()))?;
    let items = value.iterate(&mut vm.limits)?;
    let (each, longer) = (items.items.len() / count, items.items.len() % count);
    let mut slices = Vec::new();
    let mut at = 0;
    for number in 0..count {
        let len = each + usize::from(number < longer);
        let mut slice = items.items[at..at + len].to_vec();
        at += len;
        if let Some(fill) = fill.as_ref().filter(|fill| number >= longer && !matches!(fill, Value::None)) {
            slice.push(fill.clone());
        }
        slices.push(Value::List(Rc::new(vm.limits.items(slice)?)));
    }
    Value::generator(&mut vm.limits, slices)
}

/// A number of items, at least one.
fn size(of: &str, value: Option<Value>) -> Result<usize, TemplateError> {
    let wanted = || TemplateError::failed(format!("{of} wants a number of at least 1"));
    usize::try_from(arguments::int(value, 0)?).ok().filter(|size| *size > 0).ok_or_else(wanted)
}
