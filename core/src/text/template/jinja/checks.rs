//! jinja2's tests, which follow `is`.

use super::super::TemplateError;
use super::ast::Comparison;
use super::eval::{Vm, compare_one};
use super::filters;
use super::print;
use super::text::is_cased;
use super::value::Value;
use super::{compare, operators};

type Check = fn(&mut Vm, &Value, &[Value]) -> Result<bool, TemplateError>;

/// The test of that name.
pub fn find(name: &str) -> Option<Check> {
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
        "sameas" => |_, value, arguments| Ok(compare::is_same(value, first(arguments)?)),
        "odd" => |vm, value, _| Ok(remainder(vm, value, &Value::Int(2))? == 1.0),
        "even" => |vm, value, _| Ok(remainder(vm, value, &Value::Int(2))? == 0.0),
        "divisibleby" => |vm, value, arguments| Ok(remainder(vm, value, first(arguments)?)? == 0.0),
        "lower" => |vm, value, _| has_case(vm, value, char::is_lowercase),
        "upper" => |vm, value, _| has_case(vm, value, char::is_uppercase),
        "filter" => |_, value, _| Ok(value.as_str().is_some_and(|name| filters::find(name).is_some())),
        "test" => |_, value, _| Ok(value.as_str().is_some_and(|name| find(name).is_some())),
        "in" => |vm, value, arguments| compare_one(&mut vm.meter, Comparison::In, value, first(arguments)?),
        "==" | "eq" | "equalto" => |vm, value, arguments| compare::equal(&mut vm.meter, value, first(arguments)?),
        "!=" | "ne" => |vm, value, arguments| compare_one(&mut vm.meter, Comparison::Ne, value, first(arguments)?),
        "<" | "lt" | "lessthan" => {
            |vm, value, arguments| compare_one(&mut vm.meter, Comparison::Lt, value, first(arguments)?)
        }
        "<=" | "le" => |vm, value, arguments| compare_one(&mut vm.meter, Comparison::Le, value, first(arguments)?),
        ">" | "gt" | "greaterthan" => {
            |vm, value, arguments| compare_one(&mut vm.meter, Comparison::Gt, value, first(arguments)?)
        }
        ">=" | "ge" => |vm, value, arguments| compare_one(&mut vm.meter, Comparison::Ge, value, first(arguments)?),
        _ => return None,
    })
}

fn first(arguments: &[Value]) -> Result<&Value, TemplateError> {
    arguments.first().ok_or_else(|| TemplateError::failed("a test lacks its argument"))
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

fn remainder(vm: &mut Vm, value: &Value, divisor: &Value) -> Result<f64, TemplateError> {
    let rest = operators::arithmetic(&mut vm.meter, super::ast::Arithmetic::Rem, value, divisor)?;
    rest.as_float().ok_or_else(|| TemplateError::failed("the test wants a number"))
}

/// Whether all letters that come in two cases are of one.
fn has_case(vm: &mut Vm, value: &Value, case: fn(char) -> bool) -> Result<bool, TemplateError> {
    let text = print::text(&mut vm.meter, value)?;
    Ok(text.chars().any(case) && text.chars().all(|c| case(c) || !is_cased(c)))
}
