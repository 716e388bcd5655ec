//! The functions that templates may call: those of jinja2 that make sense here, and transformers' own.

use std::cell::Cell;
use std::rc::Rc;

use super::super::TemplateError;
use super::super::time::strftime;
use super::arguments::{Args, text};
use super::eval::Vm;
use super::limits::Limits;
use super::print;
use super::provenance::Text;
use super::value::{Cycler, Namespace, Range, Value};

/// Most numbers in a `range`, as in jinja2's sandbox.
const MAX_RANGE: usize = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Range,
    Dict,
    Namespace,
    Cycler,
    Joiner,
    RaiseException,
    StrftimeNow,
}

impl Function {
    /// All, by the names that templates know them by.
    pub const ALL: [(&'static str, Self); 7] = [
        ("range", Self::Range),
        ("dict", Self::Dict),
        ("namespace", Self::Namespace),
        ("cycler", Self::Cycler),
        ("joiner", Self::Joiner),
        ("raise_exception", Self::RaiseException),
        ("strftime_now", Self::StrftimeNow),
    ];

    pub fn call(self, vm: &mut Vm, args: Args) -> Result<Value, TemplateError> {
        match self {
            Self::Range => range(args),
            Self::Dict => Ok(Value::Dict(Rc::new(dict(vm, args)?))),
            Self::Namespace => {
                let values = dict(vm, args)?;
                let namespace = Rc::new(Namespace::default());
                vm.keep_namespace(&namespace);
                for (name, value) in values.pairs {
                    let (Value::Str(name) | Value::Safe(name)) = name else {
                        return Err(TemplateError::unknown("a 'namespace' with names that are no strings"));
                    };
                    namespace.set(&mut vm.limits, &name, value)?;
                }
                Ok(Value::Namespace(namespace))
            }
            Self::Cycler if args.positional.is_empty() => Err(TemplateError::failed("a cycler needs items")),
            Self::Cycler => {
                let items = Rc::new(vm.limits.items(args.positional)?);
                Ok(Value::Cycler(Rc::new(Cycler { items, at: Cell::new(0) })))
            }
            Self::Joiner => {
                let [separator] = args.bind("joiner", ["sep"])?;
                let separator = separator.unwrap_or_else(|| Value::text(", "));
                super::limits::check_depth(separator.depth() + 1)?;
                Ok(Value::Joiner(Rc::new((Cell::new(false), separator))))
            }
            Self::RaiseException => {
                let [message] = args.bind("raise_exception", ["message"])?;
                let message = print::text(&mut vm.limits, &message.unwrap_or(Value::None))?;
                Err(TemplateError::Raised(message.to_string()))
            }
            Self::StrftimeNow => {
                let [format] = args.bind("strftime_now", ["format"])?;
                let format = text("strftime_now", format)?;
                vm.limits.build(format.len() * 16)?;
                let time = vm.local_time.ok_or(TemplateError::NoTime)?;
                Ok(Value::Str(format.derived(strftime(&format, time))))
            }
        }
    }
}

fn range(args: Args) -> Result<Value, TemplateError> {
    let wants_numbers = || TemplateError::failed("range takes one to three whole numbers");
    if args.positional.iter().filter_map(Value::as_int).any(|number| i64::try_from(number).is_err()) {
        return Err(TemplateError::unknown("numbers of more than 64 bits in a 'range'"));
    }
    let numbers: Option<Vec<i64>> = args.positional.iter().map(|number| i64::try_from(number.as_int()?).ok()).collect();
    let range = match numbers.ok_or_else(wants_numbers)?[..] {
        [stop] => Range { start: 0, stop, step: 1 },
        [start, stop] => Range { start, stop, step: 1 },
        [start, stop, step] if step != 0 => Range { start, stop, step },
        _ => return Err(wants_numbers()),
    };
    if range.len() > MAX_RANGE {
        return Err(TemplateError::failed(format!("range too big; at most {MAX_RANGE} numbers are allowed")));
    }
    Ok(Value::Range(range))
}

/// `dict(mapping or pairs, **more)`
fn dict(vm: &mut Vm, args: Args) -> Result<super::value::Dict, TemplateError> {
    let mut pairs = match args.positional.as_slice() {
        [] => Vec::new(),
        [Value::Dict(dict)] => dict.pairs.clone(),
        [Value::Undefined(missing)] => return Err(TemplateError::failed(missing.describe())),
        [items] => {
            let items = items.iterate(&mut vm.limits)?;
            let mut pairs = Vec::with_capacity(items.items.len());
            for pair in &items.items {
                match &pair.iterate(&mut vm.limits)?.items[..] {
                    [key, value] => pairs.push((key.clone(), value.clone())),
                    _ => return Err(TemplateError::failed("dict takes pairs")),
                }
            }
            pairs
        }
        _ => return Err(TemplateError::failed("dict takes one mapping")),
    };
    pairs.extend(args.named.into_iter().map(|(name, value)| (Value::Str(name), value)));
    vm.limits.dict(pairs)
}

impl Namespace {
    /// Sets a value.
    ///
    /// # Errors
    /// Names that begin with an underscore are refused, as transformers does.
    pub fn set(&self, limits: &mut Limits, name: &Text, value: Value) -> Result<(), TemplateError> {
        if name.starts_with('_') {
            return Err(TemplateError::failed(format!(
                "a namespace takes no name with an underscore first: '{}'",
                &**name
            )));
        }
        let mut values = self.values.borrow_mut();
        limits.step(1 + values.len() / 8)?;
        let old = match values.iter_mut().find(|(found, _)| **found == **name) {
            Some((_, slot)) => Some(std::mem::replace(slot, value)),
            None => {
                values.push((name.clone(), value));
                None
            }
        };
        // The old value may hold the namespace itself.
        drop(values);
        drop(old);
        Ok(())
    }
}
