//! Filters that look at an attribute of each item, or test each.

use super::super::super::TemplateError;
use super::super::arguments::{Args, flag, int, required, text};
use super::super::ast::Arithmetic;
use super::super::eval::Vm;
use super::super::provenance::{Text, TextBuilder};
use super::super::value::{Missing, Value};
use super::super::{access, compare, operators, print};

/// The value at a path such as `a.b.0`, or at a number.
fn at_path(vm: &mut Vm, item: &Value, path: &Value, default: Option<&Value>) -> Result<Value, TemplateError> {
    if matches!(path, Value::None) {
        return Ok(item.clone());
    }
    let Some(path) = path.as_str() else {
        return access::item(&mut vm.limits, item, path);
    };
    let mut value = item.clone();
    for part in path.split('.') {
        let key = match part.parse::<u32>() {
            Ok(number) => Value::Int(number.into()),
            Err(_) => Value::text(part),
        };
        value = access::item(&mut vm.limits, &value, &key)?;
        if let (Value::Undefined(_), Some(default)) = (&value, default) {
            value = default.clone();
        }
    }
    Ok(value)
}

/// Texts in small letters, where large and small are the same.
pub fn fold_case(vm: &mut Vm, value: Value, case_sensitive: bool) -> Result<Value, TemplateError> {
    match &value {
        Value::Str(text) | Value::Safe(text) if !case_sensitive => {
            Value::built(&mut vm.limits, text.derived(text.to_lowercase()))
        }
        _ => Ok(value),
    }
}

/// Each item with the value that it is compared by.
fn keyed(
    vm: &mut Vm,
    value: &Value,
    attribute: Option<Value>,
    case_sensitive: bool,
) -> Result<Vec<(Value, Value)>, TemplateError> {
    let items = value.iterate(&mut vm.limits)?;
    let attribute = attribute.filter(|attribute| !matches!(attribute, Value::None));
    let mut keyed = Vec::with_capacity(items.items.len());
    for item in &items.items {
        let key = match &attribute {
            Some(path) => at_path(vm, item, path, None)?,
            None => item.clone(),
        };
        keyed.push((fold_case(vm, key, case_sensitive)?, item.clone()));
    }
    Ok(keyed)
}

/// `attr(name)`: an attribute, and never an item.
pub fn attr(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [name] = args.bind("attr", ["name"])?;
    let name = text("attr", name)?.shared().clone();
    match &value {
        // A mapping's keys are no attributes; its methods are.
        Value::Dict(_) if !super::super::methods::exists(&value, &name) => {
            Ok(Value::Undefined(Missing::Attribute(value.kind(), name)))
        }
        _ => access::attribute(&mut vm.limits, &value, &name),
    }
}

/// `map(attribute=…, default=…)`, or `map(filter, …)`.
pub fn map(vm: &mut Vm, value: Value, mut args: Args) -> Result<Value, TemplateError> {
    if !value.is_true() {
        // Nothing, as in jinja2, whatever the value and the arguments are.
        return Value::generator(&mut vm.limits, Vec::new());
    }
    let items = value.iterate(&mut vm.limits)?;
    let mut mapped = Vec::with_capacity(items.items.len());
    if args.positional.is_empty() {
        let [attribute, default] = args.bind("map", ["attribute", "default"])?;
        let attribute = required("map", attribute)?;
        for item in &items.items {
            mapped.push(at_path(vm, item, &attribute, default.as_ref())?);
        }
    } else {
        let name = text("map", Some(args.positional.remove(0)))?;
        for item in &items.items {
            vm.limits.step(args.positional.len())?;
            mapped.push(vm.apply(&name, item.clone(), args.clone())?);
        }
    }
    Value::generator(&mut vm.limits, mapped)
}

/// `select`, `reject`, `selectattr` and `rejectattr`.
pub fn choose(
    vm: &mut Vm,
    value: Value,
    mut args: Args,
    by_attribute: bool,
    wanted: bool,
) -> Result<Value, TemplateError> {
    if !value.is_true() {
        // As for `map`.
        return Value::generator(&mut vm.limits, Vec::new());
    }
    let items = value.iterate(&mut vm.limits)?;
    let mut first = |of: &str| {
        if args.positional.is_empty() { Err(TemplateError::failed(of)) } else { Ok(args.positional.remove(0)) }
    };
    let attribute = if by_attribute { Some(first("Missing parameter for attribute name")?) } else { None };
    let test = first("no test").ok().map(|name| text("select", Some(name))).transpose()?;
    let mut chosen = Vec::new();
    for item in &items.items {
        let tested = match &attribute {
            Some(path) => at_path(vm, item, path, None)?,
            None => item.clone(),
        };
        let passed = match &test {
            Some(name) => vm.test(name, &tested, args.clone())?,
            None => tested.is_true(),
        };
        if passed == wanted {
            chosen.push(item.clone());
        }
    }
    Value::generator(&mut vm.limits, chosen)
}

/// `join(d='', attribute=none)`
pub fn join(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [separator, attribute] = args.bind("join", ["d", "attribute"])?;
    let separator = separator.map_or(Ok(Text::own("")), |separator| print::text(&mut vm.limits, &separator))?;
    let items = value.iterate(&mut vm.limits)?;
    let mut out = TextBuilder::default();
    for (at, item) in items.items.iter().enumerate() {
        if at > 0 {
            vm.limits.build(separator.cost())?;
            out.push_text(&separator);
        }
        match attribute.as_ref().filter(|attribute| !matches!(attribute, Value::None)) {
            Some(path) => {
                let item = at_path(vm, item, path, None)?;
                print::write(&mut vm.limits, &item, &mut out)?;
            }
            None => print::write(&mut vm.limits, item, &mut out)?,
        }
    }
    Ok(Value::Str(out.finish()))
}

/// `sort(reverse=false, case_sensitive=false, attribute=none)`; several attributes are divided by commas.
pub fn sort(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [reverse, case_sensitive, attribute] = args.bind("sort", ["reverse", "case_sensitive", "attribute"])?;
    let case_sensitive = flag(case_sensitive);
    let paths: Vec<Value> = match attribute.as_ref().and_then(Value::as_str) {
        Some(paths) => paths.split(',').map(Value::text).collect(),
        None => Vec::new(),
    };
    // Keys are lists, in which what is equal is not compared any further.
    let keyed = if paths.len() < 2 {
        let keyed = keyed(vm, &value, attribute, case_sensitive)?.into_iter();
        keyed
            .map(|(key, item)| Ok((Value::list(&mut vm.limits, vec![key])?, item)))
            .collect::<Result<Vec<_>, TemplateError>>()?
    } else {
        let items = value.iterate(&mut vm.limits)?;
        let mut keyed = Vec::with_capacity(items.items.len());
        for item in &items.items {
            let mut keys = Vec::with_capacity(paths.len());
            for path in &paths {
                let key = at_path(vm, item, path, None)?;
                keys.push(fold_case(vm, key, case_sensitive)?);
            }
            keyed.push((Value::list(&mut vm.limits, keys)?, item.clone()));
        }
        keyed
    };
    let reverse = int(reverse, 0)? != 0;
    let sorted = compare::sort(&mut vm.limits, keyed, reverse, |(key, _)| key)?;
    Value::list(&mut vm.limits, sorted.into_iter().map(|(_, item)| item).collect())
}

/// `min` and `max` `(case_sensitive=false, attribute=none)`
pub fn extreme(vm: &mut Vm, value: Value, args: Args, largest: bool) -> Result<Value, TemplateError> {
    let [case_sensitive, attribute] = args.bind("min", ["case_sensitive", "attribute"])?;
    let mut best: Option<(Value, Value)> = None;
    for (key, item) in keyed(vm, &value, attribute, flag(case_sensitive))? {
        let better = match &best {
            Some((best, _)) if largest => compare::order(&mut vm.limits, ">", &key, best)?.is_some_and(|o| o.is_gt()),
            Some((best, _)) => compare::order(&mut vm.limits, "<", &key, best)?.is_some_and(|o| o.is_lt()),
            None => true,
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or(Value::Undefined(Missing::Nothing), |(_, item)| item))
}

/// `unique(case_sensitive=false, attribute=none)`
pub fn unique(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [case_sensitive, attribute] = args.bind("unique", ["case_sensitive", "attribute"])?;
    let mut seen: Vec<Value> = Vec::new();
    let mut found = Vec::new();
    for (key, item) in keyed(vm, &value, attribute, flag(case_sensitive))? {
        compare::check_hashable(&mut vm.limits, &key)?;
        let mut known = false;
        for other in &seen {
            if compare::equal(&mut vm.limits, other, &key)? {
                known = true;
                break;
            }
        }
        if !known {
            seen.push(key);
            found.push(item);
        }
    }
    Value::generator(&mut vm.limits, found)
}

/// `groupby(attribute, default=none, case_sensitive=false)`: pairs of a value and the items that have it.
pub fn group_by(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [attribute, default, case_sensitive] = args.bind("groupby", ["attribute", "default", "case_sensitive"])?;
    let attribute = required("groupby", attribute)?;
    let case_sensitive = flag(case_sensitive);
    let items = value.iterate(&mut vm.limits)?;
    let mut keyed = Vec::with_capacity(items.items.len());
    for item in &items.items {
        let own = at_path(vm, item, &attribute, default.as_ref())?;
        keyed.push((fold_case(vm, own.clone(), case_sensitive)?, (own, item.clone())));
    }
    let sorted = compare::sort(&mut vm.limits, keyed, false, |(key, _)| key)?;
    let mut groups: Vec<(Value, Value, Vec<Value>)> = Vec::new();
    for (key, (own, item)) in sorted {
        match groups.last_mut() {
            Some((last, _, items)) if compare::equal(&mut vm.limits, last, &key)? => items.push(item),
            _ => groups.push((key, own, vec![item])),
        }
    }
    let mut pairs = Vec::with_capacity(groups.len());
    for (_, own, items) in groups {
        let items = Value::list(&mut vm.limits, items)?;
        pairs.push(Value::group(&mut vm.limits, own, items)?);
    }
    Value::list(&mut vm.limits, pairs)
}

/// `sum(attribute=none, start=0)`
pub fn sum(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [attribute, start] = args.bind("sum", ["attribute", "start"])?;
    let mut sum = start.unwrap_or(Value::Int(0));
    if sum.as_str().is_some() {
        return Err(TemplateError::failed("sum() can't sum strings"));
    }
    for (_, item) in keyed(vm, &value, None, true)? {
        let item = match attribute.as_ref().filter(|attribute| !matches!(attribute, Value::None)) {
            Some(path) => at_path(vm, &item, path, None)?,
            None => item,
        };
        sum = operators::arithmetic(&mut vm.limits, Arithmetic::Add, &sum, &item)?;
    }
    Ok(sum)
}
