//! Calls of macros.

use std::rc::Rc;

use super::super::TemplateError;
use super::arguments::Args;
use super::ast::{Expr, Post};
use super::eval::Vm;
use super::provenance::{Text, TextBuilder};
use super::scope::Scope;
use super::value::{MacroValue, Missing, Value};

impl Vm {
    pub(super) fn call_macro(&mut self, value: &Rc<MacroValue>, arguments: Args) -> Result<Value, TemplateError> {
        self.limits.enter()?;
        let scope = Scope::within(&value.scope);
        self.bind_parameters(value, arguments, &scope)?;
        let mut out = TextBuilder::default();
        self.block(&value.node.body, &scope, &mut out)?;
        self.limits.leave();
        Ok(Value::Str(out.finish()))
    }

    fn bind_parameters(&mut self, value: &MacroValue, arguments: Args, scope: &Rc<Scope>) -> Result<(), TemplateError> {
        let node = &value.node;
        let mut positional = arguments.positional.into_iter();
        let mut named = arguments.named;
        for (parameter, default) in &node.parameters {
            let by_name = named.iter().position(|(name, _)| **name == **parameter);
            let given = match (positional.next(), by_name) {
                (Some(_), Some(_)) => {
                    return Err(TemplateError::failed(format!("macro '{}' got '{parameter}' twice", node.name)));
                }
                (None, Some(at)) => Some(named.remove(at).1),
                (given, None) => given,
            };
            let given = match (given, default) {
                (Some(given), _) => given,
                (None, Some(default)) => self.eval(default, scope)?,
                (None, None) => Value::Undefined(Missing::Parameter(parameter.clone())),
            };
            scope.set(parameter, given);
        }
        let caller = named.iter().position(|(name, _)| &**name == "caller").map(|at| named.remove(at).1);
        if node.uses.caller {
            let none = || Value::Undefined(Missing::Variable("caller".into()));
            scope.set(&"caller".into(), caller.unwrap_or_else(none));
        } else if caller.is_some() {
            return Err(TemplateError::failed(format!("macro '{}' takes no keyword argument 'caller'", node.name)));
        }
        let rest: Vec<Value> = positional.collect();
        if node.uses.varargs {
            scope.set(&"varargs".into(), Value::tuple(&mut self.limits, rest)?);
        } else if !rest.is_empty() {
            let most = node.parameters.len();
            let message = format!("macro '{}' takes not more than {most} argument(s)", node.name);
            return Err(TemplateError::failed(message));
        }
        if node.uses.kwargs {
            let pairs = named.into_iter().map(|(name, value)| (Value::Str(name), value)).collect();
            scope.set(&"kwargs".into(), Value::Dict(Rc::new(self.limits.dict(pairs)?)));
        } else if let Some((name, _)) = named.first() {
            return Err(TemplateError::failed(format!(
                "macro '{}' takes no keyword argument '{}'",
                node.name, &**name
            )));
        }
        Ok(())
    }

    /// Evaluates the call of a `call` block, which hands over its block as `caller`.
    pub(super) fn call_with_caller(
        &mut self,
        call: &Expr,
        caller: Value,
        scope: &Rc<Scope>,
    ) -> Result<Value, TemplateError> {
        let Expr::Postfix(first, posts) = call else { return self.eval(call, scope) };
        let Some((Post::Call(arguments), before)) = posts.split_last() else { return self.eval(call, scope) };
        let callee = self.eval_posts(first, before, scope)?;
        let mut arguments = self.arguments(arguments, scope)?;
        arguments.named.push((Text::own("caller"), caller));
        self.call(&callee, arguments)
    }
}

impl MacroValue {
    /// What `macro.name` tells.
    pub(super) fn attribute(&self, name: &str) -> Option<Value> {
        let uses = self.node.uses;
        match name {
            "name" => Some(Value::text(self.node.name.clone())),
            "arguments" => {
                let names = self.node.parameters.iter().map(|(name, _)| Value::text(name.clone())).collect();
                Some(Value::Tuple(Rc::new(super::value::List { items: names, depth: 1 })))
            }
            "caller" => Some(Value::Bool(uses.caller)),
            "catch_kwargs" => Some(Value::Bool(uses.kwargs)),
            "catch_varargs" => Some(Value::Bool(uses.varargs)),
            _ => None,
        }
    }
}
