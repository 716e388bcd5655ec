//! The arguments of a call.

use super::super::TemplateError;
use super::provenance::Text;
use super::value::Value;

/// Values by place and by name.
#[derive(Clone, Default)]
pub struct Args {
    pub positional: Vec<Value>,
    pub named: Vec<(Text, Value)>,
}

impl Args {
    /// The values of parameters that may be given by place or by name, in the parameters' order.
    ///
    /// # Errors
    /// More values than parameters, a name that is none of theirs, or a parameter given twice.
    pub fn bind<const N: usize>(self, of: &str, parameters: [&str; N]) -> Result<[Option<Value>; N], TemplateError> {
        if self.positional.len() > N {
            return Err(TemplateError::failed(format!("{of} takes at most {N} arguments")));
        }
        let mut bound = [const { None }; N];
        for (slot, value) in bound.iter_mut().zip(self.positional) {
            *slot = Some(value);
        }
        for (name, value) in self.named {
            let at = parameters.iter().position(|parameter| **parameter == *name);
            match at.and_then(|at| bound.get_mut(at)) {
                Some(slot @ None) => *slot = Some(value),
                Some(_) => return Err(TemplateError::failed(format!("{of} got '{}' twice", &*name))),
                None => return Err(TemplateError::failed(format!("{of} takes no argument '{}'", &*name))),
            }
        }
        Ok(bound)
    }
}

/// A truth value that may be left out.
pub fn flag(value: Option<Value>) -> bool {
    value.is_some_and(|value| value.is_true())
}

/// A number that may be left out.
pub fn int(value: Option<Value>, default: i128) -> Result<i128, TemplateError> {
    match value {
        None => Ok(default),
        Some(value) => {
            let kind = value.kind();
            value.as_int().ok_or_else(|| TemplateError::failed(format!("a number is required, not {kind}")))
        }
    }
}

/// A text that must be given.
pub fn text(of: &str, value: Option<Value>) -> Result<Text, TemplateError> {
    match value {
        Some(Value::Str(text) | Value::Safe(text)) => Ok(text),
        Some(value) => Err(TemplateError::failed(format!("{of} requires a string, not {}", value.kind()))),
        None => Err(TemplateError::failed(format!("{of} lacks an argument"))),
    }
}

/// A value that must be given.
pub fn required(of: &str, value: Option<Value>) -> Result<Value, TemplateError> {
    value.ok_or_else(|| TemplateError::failed(format!("{of} lacks an argument")))
}
