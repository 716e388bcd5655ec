//! Evaluates expressions.

use std::rc::Rc;
use std::sync::Arc;

use super::super::TemplateError;
use super::arguments::{Args, required};
use super::ast::{Arguments, Comparison, Expr, Filter, Literal, Post};
use super::limits::Limits;
use super::provenance::{Text, TextBuilder};
use super::scope::Scope;
use super::value::{Missing, Namespace, Value};
use super::{access, checks, compare, filters, methods, operators, print};

/// One rendering under way.
pub struct Vm {
    pub limits: Limits,
    /// The caller's local time, for `strftime_now`.
    pub local_time: Option<i64>,
    /// `loop`
    pub(super) loop_name: Arc<str>,
    /// What may hold values that hold it in turn, and is emptied in the end.
    kept: Vec<Kept>,
}

enum Kept {
    Scope(Rc<Scope>),
    Namespace(Rc<Namespace>),
}

impl Drop for Vm {
    fn drop(&mut self) {
        for kept in &self.kept {
            match kept {
                Kept::Scope(scope) => scope.clear(),
                Kept::Namespace(namespace) => drop(namespace.values.take()),
            }
        }
    }
}

impl Vm {
    pub fn new(limits: Limits, local_time: Option<i64>) -> Self {
        Self { limits, local_time, loop_name: "loop".into(), kept: Vec::new() }
    }

    /// Remembers a scope that a macro was defined in.
    pub(super) fn keep_scope(&mut self, scope: &Rc<Scope>) {
        if !matches!(self.kept.last(), Some(Kept::Scope(last)) if Rc::ptr_eq(last, scope)) {
            self.kept.push(Kept::Scope(scope.clone()));
        }
    }

    pub(super) fn keep_namespace(&mut self, namespace: &Rc<Namespace>) {
        self.kept.push(Kept::Namespace(namespace.clone()));
    }

    pub(super) fn eval(&mut self, expr: &Expr, scope: &Rc<Scope>) -> Result<Value, TemplateError> {
        match expr {
            Expr::Literal(literal) => {
                self.limits.step(1)?;
                Ok(literal_value(literal))
            }
            Expr::Name(name) => {
                self.limits.step(1)?;
                match scope.get(name) {
                    None if &**name == "self" => Err(TemplateError::unknown("'self', which stands for blocks")),
                    found => Ok(found.unwrap_or_else(|| Value::Undefined(Missing::Variable(name.clone())))),
                }
            }
            _ => {
                self.limits.enter()?;
                let value = self.compound(expr, scope);
                self.limits.leave();
                value
            }
        }
    }

    fn compound(&mut self, expr: &Expr, scope: &Rc<Scope>) -> Result<Value, TemplateError> {
        match expr {
            Expr::Postfix(first, posts) => self.eval_posts(first, posts, scope),
            Expr::Compare(first, rest) => self.compare(first, rest, scope),
            Expr::Arithmetic(first, rest) => {
                let mut value = self.eval(first, scope)?;
                for (operator, right) in rest {
                    let right = self.eval(right, scope)?;
                    value = operators::arithmetic(&mut self.limits, *operator, &value, &right)?;
                }
                Ok(value)
            }
            Expr::Concat(terms) => {
                let mut text = TextBuilder::default();
                for term in terms {
                    let value = self.eval(term, scope)?;
                    print::write(&mut self.limits, &value, &mut text)?;
                }
                Ok(Value::Str(text.finish()))
            }
            Expr::And(terms) => self.first_that(terms, false, scope),
            Expr::Or(terms) => self.first_that(terms, true, scope),
            Expr::Not(value) => Ok(Value::Bool(!self.eval(value, scope)?.is_true())),
            Expr::Negative(value) => operators::signed(&self.eval(value, scope)?, true),
            Expr::Positive(value) => operators::signed(&self.eval(value, scope)?, false),
            Expr::If(parts) => {
                let (value, condition, otherwise) = &**parts;
                match (self.eval(condition, scope)?.is_true(), otherwise) {
                    (true, _) => self.eval(value, scope),
                    (false, Some(otherwise)) => self.eval(otherwise, scope),
                    (false, None) => Ok(Value::Undefined(Missing::Nothing)),
                }
            }
            Expr::List(items) => {
                let items = self.all(items, scope)?;
                Value::list(&mut self.limits, items)
            }
            Expr::Tuple(items) => {
                let items = self.all(items, scope)?;
                Value::tuple(&mut self.limits, items)
            }
            Expr::Dict(pairs) => {
                let mut values = Vec::with_capacity(pairs.len());
                for (key, value) in pairs {
                    values.push((self.eval(key, scope)?, self.eval(value, scope)?));
                }
                Ok(Value::Dict(Rc::new(self.limits.dict(values)?)))
            }
            Expr::Literal(literal) => Ok(literal_value(literal)),
            Expr::Name(_) => self.eval(expr, scope),
        }
    }

    fn all(&mut self, exprs: &[Expr], scope: &Rc<Scope>) -> Result<Vec<Value>, TemplateError> {
        exprs.iter().map(|expr| self.eval(expr, scope)).collect()
    }

    /// The first value with that truth, or the last.
    fn first_that(&mut self, terms: &[Expr], truth: bool, scope: &Rc<Scope>) -> Result<Value, TemplateError> {
        let mut value = Value::None;
        for term in terms {
            value = self.eval(term, scope)?;
            if value.is_true() == truth {
                break;
            }
        }
        Ok(value)
    }

    fn compare(
        &mut self,
        first: &Expr,
        rest: &[(Comparison, Expr)],
        scope: &Rc<Scope>,
    ) -> Result<Value, TemplateError> {
        let mut left = self.eval(first, scope)?;
        for (comparison, right) in rest {
            let right = self.eval(right, scope)?;
            if !compare_one(&mut self.limits, *comparison, &left, &right)? {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    pub(super) fn eval_posts(
        &mut self,
        first: &Expr,
        posts: &[Post],
        scope: &Rc<Scope>,
    ) -> Result<Value, TemplateError> {
        let mut value = self.eval(first, scope)?;
        let mut posts = posts.iter().peekable();
        while let Some(post) = posts.next() {
            self.limits.step(1)?;
            value = match post {
                Post::Attribute(name) => match posts.next_if(|next| matches!(next, Post::Call(_))) {
                    Some(Post::Call(arguments)) => {
                        let arguments = self.arguments(arguments, scope)?;
                        self.call_method(&value, name, arguments)?
                    }
                    _ => access::attribute(&mut self.limits, &value, name)?,
                },
                Post::Item(key) => {
                    let key = self.eval(key, scope)?;
                    access::item(&mut self.limits, &value, &key)?
                }
                Post::Slice(bounds) => {
                    let mut bound = |at: usize| match &bounds[at] {
                        Some(bound) => self.eval(bound, scope),
                        None => Ok(Value::None),
                    };
                    let bounds = [bound(0)?, bound(1)?, bound(2)?];
                    match access::slice(&mut self.limits, &value, bounds) {
                        // Of a constant, jinja2 makes the slice itself, and forgives.
                        Err(_) if matches!(first, Expr::Literal(_) | Expr::Dict(_)) => {
                            Value::Undefined(Missing::Item(value.kind()))
                        }
                        sliced => sliced?,
                    }
                }
                Post::Call(arguments) => {
                    let arguments = self.arguments(arguments, scope)?;
                    self.call(&value, arguments)?
                }
                Post::Filter(filter) => self.filter(filter, value, scope)?,
                Post::Test { name, arguments, negated } => {
                    let arguments = self.arguments(arguments, scope)?;
                    Value::Bool(self.test(name, &value, arguments)? != *negated)
                }
            };
        }
        Ok(value)
    }

    pub(super) fn filter(&mut self, filter: &Filter, value: Value, scope: &Rc<Scope>) -> Result<Value, TemplateError> {
        let arguments = self.arguments(&filter.arguments, scope)?;
        self.apply(&filter.name, value, arguments)
    }

    /// Applies the filter of that name.
    pub(super) fn apply(&mut self, name: &str, value: Value, arguments: Args) -> Result<Value, TemplateError> {
        let filter = filters::find(name).ok_or_else(|| TemplateError::unknown(format!("the filter '{name}'")))?;
        self.limits.enter()?;
        let result = filter(self, value, arguments);
        self.limits.leave();
        result
    }

    /// Whether a value passes the test of that name.
    pub(super) fn test(&mut self, name: &str, value: &Value, arguments: Args) -> Result<bool, TemplateError> {
        let (test, parameter) =
            checks::find(name).ok_or_else(|| TemplateError::unknown(format!("the test '{name}'")))?;
        self.limits.step(1)?;
        let other = match parameter {
            Some(parameter) => {
                let [other] = arguments.bind(name, [parameter])?;
                required(name, other)?
            }
            None => {
                let [] = arguments.bind(name, [])?;
                Value::None
            }
        };
        test(self, value, &other)
    }

    pub(super) fn arguments(&mut self, arguments: &Arguments, scope: &Rc<Scope>) -> Result<Args, TemplateError> {
        let mut args = Args { positional: self.all(&arguments.positional, scope)?, named: Vec::new() };
        for (name, value) in &arguments.named {
            args.named.push((Text::own(name.clone()), self.eval(value, scope)?));
        }
        if let Some(unpacked) = &arguments.unpacked {
            let items = self.eval(unpacked, scope)?.iterate(&mut self.limits)?;
            self.limits.build(items.items.len() * size_of::<Value>())?;
            args.positional.extend(items.items.iter().cloned());
        }
        if let Some(unpacked) = &arguments.unpacked_named {
            let Value::Dict(dict) = self.eval(unpacked, scope)? else {
                return Err(TemplateError::failed("** wants a mapping"));
            };
            for (key, value) in &dict.pairs {
                let Value::Str(name) = key else { return Err(TemplateError::failed("keywords must be strings")) };
                self.limits.step(1)?;
                args.named.push((name.clone(), value.clone()));
            }
        }
        Ok(args)
    }

    pub(super) fn call_method(
        &mut self,
        value: &Value,
        name: &Arc<str>,
        arguments: Args,
    ) -> Result<Value, TemplateError> {
        if methods::exists(value, name) {
            return methods::call(self, value, name, arguments);
        }
        let method = access::attribute(&mut self.limits, value, name)?;
        self.call(&method, arguments)
    }

    pub(super) fn call(&mut self, callee: &Value, arguments: Args) -> Result<Value, TemplateError> {
        match callee {
            Value::Function(function) => function.call(self, arguments),
            Value::Method(method) => methods::call(self, &method.of, &method.name, arguments),
            Value::Macro(value) => self.call_macro(value, arguments),
            Value::Loop(looping) => self.recurse(looping, arguments),
            Value::Joiner(joiner) => {
                let was_called = joiner.0.replace(true);
                Ok(if was_called { joiner.1.clone() } else { Value::text("") })
            }
            Value::Undefined(missing @ (Missing::Variable(_) | Missing::Attribute(..))) => {
                Err(TemplateError::unknown(missing.describe()))
            }
            Value::Undefined(missing) => Err(TemplateError::failed(missing.describe())),
            _ => Err(TemplateError::failed(format!("'{}' object is not callable", callee.kind()))),
        }
    }
}

fn literal_value(literal: &Literal) -> Value {
    match literal {
        Literal::None => Value::None,
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Int(number) => Value::Int(*number),
        Literal::Float(number) => Value::Float(*number),
        Literal::Text(text) => Value::text(text.clone()),
    }
}

pub(super) fn compare_one(
    limits: &mut Limits,
    comparison: Comparison,
    left: &Value,
    right: &Value,
) -> Result<bool, TemplateError> {
    let mut order = |symbol| compare::order(limits, symbol, left, right);
    match comparison {
        Comparison::Lt => Ok(order("<")?.is_some_and(|order| order.is_lt())),
        Comparison::Le => Ok(order("<=")?.is_some_and(|order| order.is_le())),
        Comparison::Gt => Ok(order(">")?.is_some_and(|order| order.is_gt())),
        Comparison::Ge => Ok(order(">=")?.is_some_and(|order| order.is_ge())),
        Comparison::Eq => compare::equal(limits, left, right),
        Comparison::Ne => Ok(!compare::equal(limits, left, right)?),
        Comparison::In => compare::contains(limits, right, left),
        Comparison::NotIn => Ok(!compare::contains(limits, right, left)?),
    }
}
