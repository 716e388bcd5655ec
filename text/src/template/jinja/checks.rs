//! jinja2's tests, which follow `is`.

use super::super::TemplateError;
use super::ast::Comparison;
use super::eval::{Vm, compare_one};
use super::filters;
use super::print;
use super::text::is_cased;
use super::value::Value;
use super::{compare, operators};

type Check = fn(&mut Vm, &Value, &Value) -> Result<bool, TemplateError>;

/// Filters that jinja2 has and inglenook does not.
const OTHER_FILTERS: [&str; 6] = ["filesizeformat", "pprint", "random", "urlize", "wordwrap", "xmlattr"];

/// The test of that name, and the name of its parameter if it takes one: empty where it can only be given by place.
pub fn find(name: &str) -> Option<(Check, Option<&'static str>)> {
    plain(name).map(|check| (check, None)).or_else(|| compared(name).map(|(check, parameter)| (check, Some(parameter))))
}

/// Tests of a value alone.
fn plain(name: &str) -> Option<Check> {
    Some(match name {
        "defined" => |_, value, _| Ok(!value.is_undefined()),
        "undefined" => |_, value, _| Ok(value.is_undefined()),
        "none" => |_, value, _| Ok(matches!(value, Value::None)),
        "boolean" => |_, value, _| Ok(matches!(value, Value::Bool(_))),
        "true" => |_, value, _| Ok(matches!(value, Value::Bool(true))),
        "false" => |_, value, _| Ok(matches!(value, Value::Bool(false))),
        "integer" => |_, value, _| Ok(matches!(value, Value::Int(_))),
        "float" => |_, value, _| Ok(matches!(value, Value::Float(_))),
        "number" => |_, value, _| Ok(value.as_float().is_some()),
        "string" => |_, value, _| Ok(value.as_str().is_some()),
        "mapping" => |_, value, _| Ok(matches!(value, Value::Dict(_))),
        "sequence" => |_, value, _| Ok(is_sequence(value)),
        "iterable" => |_, value, _| Ok(value.is_iterable()),
        "callable" => |_, value, _| Ok(is_callable(value)),
        "escaped" => |_, value, _| Ok(matches!(value, Value::Safe(_))),
        "odd" => |vm, value, _| is_rest(vm, value, &Value::Int(2), 1),
        "even" => |vm, value, _| is_rest(vm, value, &Value::Int(2), 0),
        "lower" => |vm, value, _| has_case(vm, value, char::is_lowercase),
        "upper" => |vm, value, _| has_case(vm, value, char::is_uppercase),
        "filter" => {
            |vm, value, _| is_name(vm, value, |name| filters::find(name).is_some() || OTHER_FILTERS.contains(&name))
        }
        "test" => |vm, value, _| is_name(vm, value, |name| find(name).is_some()),
        _ => return None,
    })
}

/// Tests of a value and another, with the other's name.
fn compared(name: &str) -> Option<(Check, &'static str)> {
    let (check, parameter): (Check, _) = match name {
        "sameas" => (|_, value, other| Ok(compare::is_same(value, other)), "other"),
        "divisibleby" => (|vm, value, other| is_rest(vm, value, other, 0), "num"),
        "in" => (|vm, value, other| compare_one(&mut vm.limits, Comparison::In, value, other), "seq"),
        "==" | "eq" | "equalto" => (|vm, value, other| compare::equal(&mut vm.limits, value, other), ""),
        "!=" | "ne" => (|vm, value, other| compare_one(&mut vm.limits, Comparison::Ne, value, other), ""),
        "<" | "lt" | "lessthan" => (|vm, value, other| compare_one(&mut vm.limits, Comparison::Lt, value, other), ""),
        "<=" | "le" => (|vm, value, other| compare_one(&mut vm.limits, Comparison::Le, value, other), ""),
        ">" | "gt" | "greaterthan" => {
            (|vm, value, other| compare_one(&mut vm.limits, Comparison::Gt, value, other), "")
        }
        ">=" | "ge" => (|vm, value, other| compare_one(&mut vm.limits, Comparison::Ge, value, other), ""),
        _ => return None,
    };
    Some((check, parameter))
}

/// Whether a value is a name among others.
fn is_name(vm: &mut Vm, value: &Value, among: impl Fn(&str) -> bool) -> Result<bool, TemplateError> {
    compare::check_hashable(&mut vm.limits, value)?;
    Ok(value.as_str().is_some_and(among))
}

/// What has a length and items: to jinja2 also texts, mappings and what is undefined.
fn is_sequence(value: &Value) -> bool {
    matches!(
        value,
        Value::Undefined(_)
            | Value::Str(_)
            | Value::Safe(_)
            | Value::List(_)
            | Value::Tuple(_)
            | Value::Dict(_)
            | Value::Range(_)
    )
}

fn is_callable(value: &Value) -> bool {
    // An undefined value's class can be called, which raises its error.
    matches!(
        value,
        Value::Undefined(_)
            | Value::Function(_)
            | Value::Method(_)
            | Value::Macro(_)
            | Value::Joiner(_)
            | Value::Loop(_)
    )
}

/// Whether a division leaves that rest. Of a text, `%` makes a text, which is no rest.
fn is_rest(vm: &mut Vm, value: &Value, divisor: &Value, rest: i128) -> Result<bool, TemplateError> {
    let found = operators::arithmetic(&mut vm.limits, super::ast::Arithmetic::Rem, value, divisor)?;
    compare::equal(&mut vm.limits, &found, &Value::Int(rest))
}

/// Whether all letters that come in two cases are of one.
fn has_case(vm: &mut Vm, value: &Value, case: fn(char) -> bool) -> Result<bool, TemplateError> {
    let text = print::text(&mut vm.limits, value)?;
    Ok(text.chars().any(case) && text.chars().all(|c| case(c) || !is_cased(c)))
}
