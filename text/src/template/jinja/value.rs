//! The values that a template computes with: Python's, as far as templates see them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use super::super::TemplateError;
use super::ast;
use super::compare;
use super::functions::Function;
use super::limits::Limits;
use super::provenance::Text;
use super::scope::Scope;

#[derive(Clone)]
pub enum Value {
    Undefined(Missing),
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Text),
    /// Text that counts as escaped (Python's `Markup`).
    Safe(Text),
    List(Rc<List>),
    Tuple(Rc<List>),
    /// A pair that `groupby` gives, with the names `grouper` and `list`.
    Group(Rc<List>),
    Dict(Rc<Dict>),
    /// What `keys()`, `values()` and `items()` give.
    View(View, Rc<Dict>),
    Range(Range),
    /// What is read once, as most filters give it.
    Generator(Rc<Generator>),
    Namespace(Rc<Namespace>),
    Loop(Rc<Loop>),
    Cycler(Rc<Cycler>),
    /// Whether it was called before, and what it gives from then on.
    Joiner(Rc<(Cell<bool>, Value)>),
    Method(Rc<Method>),
    Function(Function),
    Macro(Rc<MacroValue>),
}

/// Why there is no value, for messages.
#[derive(Clone, Debug)]
pub enum Missing {
    /// A condition without `else`, or the first of nothing.
    Nothing,
    Variable(Arc<str>),
    /// A parameter that was not given.
    Parameter(Arc<str>),
    /// An attribute or key, and the kind of value that lacks it.
    Attribute(&'static str, Arc<str>),
    /// An item, and the kind of value that lacks it.
    Item(&'static str),
    /// A method that would change its value, or an inner attribute.
    Unsafe(Arc<str>),
}

/// Items that do not change.
pub struct List {
    pub items: Vec<Value>,
    pub depth: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum View {
    Keys,
    Values,
    Items,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub start: i64,
    pub stop: i64,
    pub step: i64,
}

pub struct Generator {
    pub items: RefCell<VecDeque<Value>>,
    pub depth: u32,
}

/// The only values that a template can change.
#[derive(Default)]
pub struct Namespace {
    pub values: RefCell<Vec<(Text, Value)>>,
}

/// `loop` within a loop.
pub struct Loop {
    pub node: Arc<ast::For>,
    /// Where it runs, for a recursive one to run again.
    pub scope: Option<Rc<Scope>>,
    pub items: Rc<List>,
    pub index: Cell<usize>,
    pub level: usize,
    pub changed: RefCell<Option<Rc<List>>>,
}

pub struct Cycler {
    pub items: Rc<List>,
    pub at: Cell<usize>,
}

pub struct Method {
    pub of: Value,
    pub name: Arc<str>,
    pub depth: u32,
}

pub struct MacroValue {
    pub node: Arc<ast::Macro>,
    /// Where it was defined.
    pub scope: Rc<Scope>,
}

/// Keys and values in the order of their first setting.
pub struct Dict {
    pub pairs: Vec<(Value, Value)>,
    pub depth: u32,
    /// Where each text key is; only for mappings that are long.
    index: Option<HashMap<Arc<str>, usize>>,
}

/// Longest mapping that is searched from its beginning.
const SHORT: usize = 16;

impl Dict {
    pub fn new(limits: &mut Limits, pairs: Vec<(Value, Value)>) -> Result<Self, TemplateError> {
        let mut dict = Self { pairs: Vec::with_capacity(pairs.len()), depth: 1, index: None };
        if pairs.len() > SHORT {
            dict.index = Some(HashMap::with_capacity(pairs.len()));
        }
        for (key, value) in pairs {
            dict.depth = dict.depth.max(1 + key.depth().max(value.depth()));
            match dict.find(limits, &key)? {
                Some(at) => dict.pairs[at].1 = value,
                None => {
                    if let (Some(index), Value::Str(text)) = (&mut dict.index, &key) {
                        index.insert(text.shared().clone(), dict.pairs.len());
                    }
                    dict.pairs.push((key, value));
                }
            }
        }
        Ok(dict)
    }

    /// The place of a key.
    ///
    /// # Errors
    /// The key is of a kind that cannot be one.
    fn find(&self, limits: &mut Limits, key: &Value) -> Result<Option<usize>, TemplateError> {
        if let Value::Str(text) | Value::Safe(text) = key {
            limits.scan(text.len())?;
            return Ok(self.find_text(text));
        }
        compare::check_hashable(limits, key)?;
        for (at, (found, _)) in self.pairs.iter().enumerate() {
            if compare::equal(limits, found, key)? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn find_text(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(key).copied(),
            None => self.pairs.iter().position(|(found, _)| found.as_str() == Some(key)),
        }
    }

    pub fn get(&self, limits: &mut Limits, key: &Value) -> Result<Option<&Value>, TemplateError> {
        Ok(self.find(limits, key)?.map(|at| &self.pairs[at].1))
    }

    pub fn get_text(&self, key: &str) -> Option<&Value> {
        self.find_text(key).map(|at| &self.pairs[at].1)
    }
}

impl Range {
    pub fn len(self) -> usize {
        let (low, high) = if self.step > 0 { (self.start, self.stop) } else { (self.stop, self.start) };
        let span = i128::from(high) - i128::from(low);
        let step = i128::from(self.step).abs().max(1);
        usize::try_from((span + step - 1) / step).unwrap_or(0)
    }

    pub fn get(self, at: usize) -> Value {
        Value::Int(i128::from(self.start) + i128::from(self.step) * at as i128)
    }
}

impl Value {
    /// A text of the template's own.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Str(Text::own(text))
    }

    /// Of a text, its characters.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) | Self::Safe(text) => Some(text),
            _ => None,
        }
    }

    pub fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined(_))
    }

    /// How deeply it nests; what holds no other value does not.
    pub fn depth(&self) -> u32 {
        match self {
            Self::List(list) | Self::Tuple(list) | Self::Group(list) => list.depth,
            Self::Dict(dict) | Self::View(_, dict) => dict.depth,
            Self::Generator(generator) => generator.depth,
            Self::Loop(looping) => looping.items.depth + 1,
            Self::Cycler(cycler) => cycler.items.depth + 1,
            Self::Joiner(joiner) => joiner.1.depth() + 1,
            Self::Method(method) => method.depth,
            _ => 0,
        }
    }

    /// Python's truth of a value.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Undefined(_) | Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Str(text) | Self::Safe(text) => !text.is_empty(),
            Self::List(list) | Self::Tuple(list) | Self::Group(list) => !list.items.is_empty(),
            Self::Dict(dict) | Self::View(_, dict) => !dict.pairs.is_empty(),
            Self::Range(range) => range.len() > 0,
            _ => true,
        }
    }

    /// What Python calls its type.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "Undefined",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::Safe(_) => "Markup",
            Self::List(_) => "list",
            Self::Tuple(_) | Self::Group(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::View(View::Keys, _) => "dict_keys",
            Self::View(View::Values, _) => "dict_values",
            Self::View(View::Items, _) => "dict_items",
            Self::Range(_) => "range",
            Self::Generator(_) => "generator",
            Self::Namespace(_) => "Namespace",
            Self::Loop(_) => "LoopContext",
            Self::Cycler(_) => "Cycler",
            Self::Joiner(_) => "Joiner",
            Self::Method(_) => "builtin_function_or_method",
            Self::Function(_) => "function",
            Self::Macro(_) => "Macro",
        }
    }

    /// The number that it counts as in arithmetic.
    pub fn as_int(&self) -> Option<i128> {
        match self {
            Self::Bool(value) => Some((*value).into()),
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            _ => self.as_int().map(|number| number as f64),
        }
    }

    /// Number of items, of characters in a text.
    pub fn len(&self, limits: &mut Limits) -> Result<Option<usize>, TemplateError> {
        Ok(match self {
            Self::Undefined(_) => Some(0),
            Self::Str(text) | Self::Safe(text) => {
                limits.scan(text.len())?;
                Some(text.chars().count())
            }
            Self::List(list) | Self::Tuple(list) | Self::Group(list) => Some(list.items.len()),
            Self::Dict(dict) | Self::View(_, dict) => Some(dict.pairs.len()),
            Self::Range(range) => Some(range.len()),
            Self::Loop(looping) => Some(looping.items.items.len()),
            _ => None,
        })
    }

    /// Its items, if it has any to go through; a generator is empty from then on.
    pub fn iterate(&self, limits: &mut Limits) -> Result<Rc<List>, TemplateError> {
        let items = match self {
            Self::List(list) | Self::Tuple(list) | Self::Group(list) => {
                limits.step(list.items.len() / 8)?;
                return Ok(list.clone());
            }
            Self::Undefined(_) => Vec::new(),
            Self::Str(text) | Self::Safe(text) => {
                limits.build(text.len() * 8)?;
                let ends = text.char_indices().map(|(at, c)| (at, at + c.len_utf8()));
                ends.map(|(at, end)| Self::Str(text.part(&text[at..end]))).collect()
            }
            Self::Dict(dict) | Self::View(View::Keys, dict) => dict.pairs.iter().map(|(key, _)| key.clone()).collect(),
            Self::View(View::Values, dict) => dict.pairs.iter().map(|(_, value)| value.clone()).collect(),
            Self::View(View::Items, dict) => {
                let pair = |(key, value): &(Self, Self)| limits.items(vec![key.clone(), value.clone()]);
                let pairs: Result<Vec<List>, TemplateError> = dict.pairs.iter().map(pair).collect();
                pairs?.into_iter().map(|pair| Self::Tuple(Rc::new(pair))).collect()
            }
            Self::Range(range) => {
                limits.step(range.len())?;
                (0..range.len()).map(|at| range.get(at)).collect()
            }
            Self::Generator(generator) => generator.items.take().into(),
            _ => return Err(TemplateError::failed(format!("'{}' object is not iterable", self.kind()))),
        };
        limits.items(items).map(Rc::new)
    }

    /// Whether [`Self::iterate`] gives items.
    pub fn is_iterable(&self) -> bool {
        matches!(
            self,
            Self::Undefined(_)
                | Self::Str(_)
                | Self::Safe(_)
                | Self::List(_)
                | Self::Tuple(_)
                | Self::Group(_)
                | Self::Dict(_)
                | Self::View(..)
                | Self::Range(_)
                | Self::Generator(_)
                | Self::Loop(_)
        )
    }

    /// What is read once.
    pub fn generator(limits: &mut Limits, items: Vec<Self>) -> Result<Self, TemplateError> {
        let List { items, depth } = limits.items(items)?;
        Ok(Self::Generator(Rc::new(Generator { items: RefCell::new(items.into()), depth })))
    }

    pub fn list(limits: &mut Limits, items: Vec<Self>) -> Result<Self, TemplateError> {
        Ok(Self::List(Rc::new(limits.items(items)?)))
    }

    pub fn tuple(limits: &mut Limits, items: Vec<Self>) -> Result<Self, TemplateError> {
        Ok(Self::Tuple(Rc::new(limits.items(items)?)))
    }

    /// What `groupby` gives for a group: a pair whose parts have names, too.
    pub fn group(limits: &mut Limits, grouper: Self, list: Self) -> Result<Self, TemplateError> {
        let pair = Rc::new(limits.items(vec![grouper, list])?);
        Ok(Self::Group(pair))
    }

    /// A text that has just been built.
    pub fn built(limits: &mut Limits, text: Text) -> Result<Self, TemplateError> {
        limits.build(text.cost())?;
        Ok(Self::Str(text))
    }
}

impl Missing {
    /// What Python says when such a value is used.
    pub fn describe(&self) -> String {
        match self {
            Self::Nothing => "a value is undefined".into(),
            Self::Variable(name) => format!("'{name}' is undefined"),
            Self::Parameter(name) => format!("parameter '{name}' was not provided"),
            Self::Attribute(kind, name) => format!("'{kind} object' has no attribute '{name}'"),
            Self::Item(kind) => format!("'{kind} object' has no such item"),
            Self::Unsafe(name) => format!("access to attribute '{name}' is unsafe"),
        }
    }
}
