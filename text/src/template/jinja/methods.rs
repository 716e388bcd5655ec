//! Python's methods of texts, lists and mappings. None changes its value: jinja2's sandbox allows none that would.

use std::rc::Rc;

use super::super::TemplateError;
use super::arguments::{Args, required};
use super::eval::Vm;
use super::limits::Limits;
use super::value::{Value, View};
use super::{compare, strings};

/// Whether a value has a method of that name.
pub fn exists(value: &Value, name: &str) -> bool {
    match value {
        Value::Str(_) | Value::Safe(_) => strings::METHODS.contains(&name),
        Value::List(_) => matches!(name, "count" | "index" | "copy"),
        Value::Tuple(_) | Value::Range(_) => matches!(name, "count" | "index"),
        Value::Dict(_) => matches!(name, "get" | "items" | "keys" | "values" | "copy" | "fromkeys"),
        Value::Float(_) => name == "is_integer",
        Value::Int(_) | Value::Bool(_) => matches!(name, "bit_length" | "bit_count"),
        Value::Loop(_) => matches!(name, "cycle" | "changed"),
        Value::Cycler(_) => matches!(name, "next" | "reset"),
        _ => false,
    }
}

/// Whether Python's method of that name would change the value.
pub fn changes(value: &Value, name: &str) -> bool {
    match value {
        Value::List(_) => {
            matches!(name, "append" | "clear" | "extend" | "insert" | "pop" | "remove" | "reverse" | "sort")
        }
        Value::Dict(_) => matches!(name, "clear" | "pop" | "popitem" | "setdefault" | "update"),
        _ => false,
    }
}

pub fn call(vm: &mut Vm, value: &Value, name: &str, args: Args) -> Result<Value, TemplateError> {
    vm.limits.step(1)?;
    match value {
        Value::Str(text) => strings::call(vm, text, name, args),
        // Their arguments would have to be escaped.
        Value::Safe(_) if matches!(name, "join" | "replace" | "format" | "center" | "ljust" | "rjust") => {
            Err(unknown(value, name))
        }
        Value::Safe(text) => {
            let made = strings::call(vm, text, name, args)?;
            safe(&mut vm.limits, made)
        }
        Value::List(_) | Value::Tuple(_) | Value::Range(_) => sequence(vm, value, name, args),
        Value::Dict(dict) => match name {
            "get" => {
                let [key, default] = positional("get", args)?;
                let found = dict.get(&mut vm.limits, &required("get", key)?)?.cloned();
                Ok(found.or(default).unwrap_or(Value::None))
            }
            "fromkeys" => {
                let [keys, default] = args.bind("fromkeys", ["iterable", "value"])?;
                let keys = required("fromkeys", keys)?.iterate(&mut vm.limits)?;
                let default = default.unwrap_or(Value::None);
                let pairs = keys.items.iter().map(|key| (key.clone(), default.clone())).collect();
                Ok(Value::Dict(Rc::new(vm.limits.dict(pairs)?)))
            }
            _ => {
                let [] = args.bind(name, [])?;
                Ok(match name {
                    "keys" => Value::View(View::Keys, dict.clone()),
                    "values" => Value::View(View::Values, dict.clone()),
                    "items" => Value::View(View::Items, dict.clone()),
                    _ => value.clone(),
                })
            }
        },
        Value::Float(number) if name == "is_integer" => {
            let [] = args.bind(name, [])?;
            Ok(Value::Bool(number.fract() == 0.0))
        }
        Value::Int(_) | Value::Bool(_) => {
            let [] = args.bind(name, [])?;
            let size = value.as_int().unwrap_or(0).unsigned_abs();
            let bits = if name == "bit_count" { size.count_ones() } else { u128::BITS - size.leading_zeros() };
            Ok(Value::Int(bits.into()))
        }
        Value::Loop(looping) if name == "cycle" => {
            let count = args.positional.len();
            let chosen = looping.index.get().checked_rem(count).and_then(|at| args.positional.get(at));
            chosen.cloned().ok_or_else(|| TemplateError::failed("no items for cycling given"))
        }
        Value::Loop(looping) => {
            let now = Rc::new(vm.limits.items(args.positional)?);
            let before = looping.changed.replace(Some(now.clone()));
            let same = match before {
                Some(before) => compare::equal(&mut vm.limits, &Value::Tuple(before), &Value::Tuple(now))?,
                None => false,
            };
            Ok(Value::Bool(!same))
        }
        Value::Cycler(cycler) if name == "next" => {
            let at = cycler.at.get();
            cycler.at.set((at + 1) % cycler.items.items.len().max(1));
            Ok(cycler.items.items.get(at).cloned().unwrap_or(Value::None))
        }
        Value::Cycler(cycler) => {
            cycler.at.set(0);
            Ok(Value::None)
        }
        _ => Err(unknown(value, name)),
    }
}

/// The same, its texts being escaped.
fn safe(limits: &mut Limits, value: Value) -> Result<Value, TemplateError> {
    let all = |limits: &mut Limits, items: &[Value]| -> Result<Vec<Value>, TemplateError> {
        items.iter().map(|item| safe(limits, item.clone())).collect()
    };
    Ok(match value {
        Value::Str(text) => Value::Safe(text),
        Value::List(list) => {
            let items = all(limits, &list.items)?;
            Value::list(limits, items)?
        }
        Value::Tuple(list) => {
            let items = all(limits, &list.items)?;
            Value::tuple(limits, items)?
        }
        other => other,
    })
}

/// Python's attributes that are not to be had here.
pub fn is_foreign(value: &Value, name: &str) -> bool {
    match value {
        Value::Bool(_) | Value::Int(_) => matches!(
            name,
            "real"
                | "imag"
                | "numerator"
                | "denominator"
                | "conjugate"
                | "as_integer_ratio"
                | "to_bytes"
                | "from_bytes"
        ),
        Value::Float(_) => matches!(name, "real" | "imag" | "conjugate" | "as_integer_ratio" | "hex" | "fromhex"),
        Value::Safe(_) => matches!(name, "escape" | "unescape" | "striptags"),
        Value::View(..) => matches!(name, "mapping" | "isdisjoint"),
        Value::Range(_) => matches!(name, "start" | "stop" | "step"),
        _ => false,
    }
}

pub fn unknown(value: &Value, name: &str) -> TemplateError {
    TemplateError::unknown(format!("the method '{name}' of '{}'", value.kind()))
}

fn sequence(vm: &mut Vm, value: &Value, name: &str, args: Args) -> Result<Value, TemplateError> {
    if name == "copy" {
        let [] = args.bind(name, [])?;
        return Ok(value.clone());
    }
    let [wanted] = args.bind(name, ["value"])?;
    let wanted = required(name, wanted)?;
    let items = value.iterate(&mut vm.limits)?;
    let mut count = 0;
    for (at, item) in items.items.iter().enumerate() {
        if compare::equal(&mut vm.limits, item, &wanted)? {
            if name == "index" {
                return Ok(Value::Int(at as i128));
            }
            count += 1;
        }
    }
    if name == "index" {
        return Err(TemplateError::failed(format!("the value is not in the {}", value.kind())));
    }
    Ok(Value::Int(count))
}

/// The names of arguments that may only be given by place.
pub fn positional<const N: usize>(name: &str, args: Args) -> Result<[Option<Value>; N], TemplateError> {
    if let Some((keyword, _)) = args.named.first() {
        return Err(TemplateError::failed(format!("{name} takes no keyword argument '{}'", &**keyword)));
    }
    args.bind(name, [""; N])
}
