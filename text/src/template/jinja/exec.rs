//! Executes statements, with jinja2's scopes: loops, macros and the blocks of `with`, `call`, `filter` and `set` have variables of
//! their own; an `if` has none.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::super::TemplateError;
use super::arguments::Args;
use super::ast::{For, Stmt, StmtKind, Target};
use super::eval::Vm;
use super::print;
use super::provenance::{Text, TextBuilder};
use super::scope::Scope;
use super::value::{Loop, MacroValue, Missing, Value};

/// Where a block ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

impl Vm {
    pub(super) fn block(
        &mut self,
        block: &[Stmt],
        scope: &Rc<Scope>,
        out: &mut TextBuilder,
    ) -> Result<Flow, TemplateError> {
        self.limits.enter()?;
        for stmt in block {
            self.limits.step(1)?;
            let flow = self.statement(&stmt.kind, scope, out).map_err(|error| error.at(stmt.line))?;
            if flow != Flow::Next {
                self.limits.leave();
                return Ok(flow);
            }
        }
        self.limits.leave();
        Ok(Flow::Next)
    }

    fn statement(&mut self, kind: &StmtKind, scope: &Rc<Scope>, out: &mut TextBuilder) -> Result<Flow, TemplateError> {
        match kind {
            StmtKind::Text(text) => {
                self.limits.build(text.len())?;
                out.push_str(text);
            }
            StmtKind::Print(value) => {
                let value = self.eval(value, scope)?;
                print::write(&mut self.limits, &value, out)?;
            }
            StmtKind::If(branches, otherwise) => {
                for (condition, block) in branches {
                    if self.eval(condition, scope)?.is_true() {
                        return self.block(block, scope, out);
                    }
                }
                return self.block(otherwise, scope, out);
            }
            StmtKind::For(node) => {
                let items = self.eval(&node.iter, scope)?;
                self.run_loop(node, &items, scope, 0, out)?;
            }
            StmtKind::Break => return Ok(Flow::Break),
            StmtKind::Continue => return Ok(Flow::Continue),
            StmtKind::Generation(block) => return self.block(block, &Scope::within(scope), out),
            StmtKind::With(values, block) => {
                let inner = Scope::within(scope);
                for (target, value) in values {
                    let value = self.eval(value, scope)?;
                    self.assign(target, value, &inner)?;
                }
                return self.block(block, &inner, out);
            }
            StmtKind::FilterBlock(filters, block) => {
                let inner = Scope::within(scope);
                let mut text = TextBuilder::default();
                let flow = self.block(block, &inner, &mut text)?;
                let mut value = Value::Str(text.finish());
                for filter in filters {
                    value = self.filter(filter, value, &inner)?;
                }
                print::write(&mut self.limits, &value, out)?;
                return Ok(flow);
            }
            _ => return self.definition(kind, scope, out),
        }
        Ok(Flow::Next)
    }

    /// Statements that set a name, and `call`.
    fn definition(&mut self, kind: &StmtKind, scope: &Rc<Scope>, out: &mut TextBuilder) -> Result<Flow, TemplateError> {
        match kind {
            StmtKind::Set(target, value) => {
                let value = self.eval(value, scope)?;
                self.assign(target, value, scope)?;
            }
            StmtKind::SetBlock(target, filters, block) => {
                let inner = Scope::within(scope);
                let mut text = TextBuilder::default();
                let flow = self.block(block, &inner, &mut text)?;
                let mut value = Value::Str(text.finish());
                for filter in filters {
                    value = self.filter(filter, value, &inner)?;
                }
                self.assign(target, value, scope)?;
                return Ok(flow);
            }
            StmtKind::Macro(node) => {
                self.keep_scope(scope);
                scope.set(&node.name, Value::Macro(Rc::new(MacroValue { node: node.clone(), scope: scope.clone() })));
            }
            StmtKind::Call(call, node) => {
                let caller = Value::Macro(Rc::new(MacroValue { node: node.clone(), scope: scope.clone() }));
                self.keep_scope(scope);
                let value = self.call_with_caller(call, caller, scope)?;
                print::write(&mut self.limits, &value, out)?;
            }
            _ => {}
        }
        Ok(Flow::Next)
    }

    fn assign(&mut self, target: &Target, value: Value, scope: &Rc<Scope>) -> Result<(), TemplateError> {
        match target {
            Target::Name(name) => {
                self.limits.step(1 + scope.len() / 8)?;
                scope.set(name, value);
                Ok(())
            }
            Target::Attribute(name, attribute) => {
                let Some(Value::Namespace(namespace)) = scope.get(name) else {
                    return Err(TemplateError::failed("cannot assign attribute on non-namespace object"));
                };
                namespace.set(&mut self.limits, &Text::own(attribute.clone()), value)
            }
            Target::Tuple(targets) => {
                let items = value.iterate(&mut self.limits)?;
                if items.items.len() != targets.len() {
                    let (wanted, given) = (targets.len(), items.items.len());
                    return Err(TemplateError::failed(format!("cannot unpack {given} values into {wanted}")));
                }
                targets.iter().zip(&items.items).try_for_each(|(target, item)| self.assign(target, item.clone(), scope))
            }
        }
    }

    fn run_loop(
        &mut self,
        node: &Arc<For>,
        items: &Value,
        scope: &Rc<Scope>,
        level: usize,
        out: &mut TextBuilder,
    ) -> Result<(), TemplateError> {
        let items = items.iterate(&mut self.limits)?;
        let items = match &node.condition {
            None => items,
            Some(condition) => {
                let mut passed = Vec::new();
                for item in &items.items {
                    let inner = Scope::within(scope);
                    self.assign(&node.target, item.clone(), &inner)?;
                    if self.eval(condition, &inner)?.is_true() {
                        passed.push(item.clone());
                    }
                }
                Rc::new(self.limits.items(passed)?)
            }
        };
        if items.items.is_empty() {
            self.block(&node.otherwise, &Scope::within(scope), out)?;
            return Ok(());
        }
        if node.recursive {
            self.keep_scope(scope);
        }
        let looping = Rc::new(Loop {
            node: node.clone(),
            scope: node.recursive.then(|| scope.clone()),
            items: items.clone(),
            index: Cell::new(0),
            level,
            changed: RefCell::default(),
        });
        let mut ends = false;
        for (index, item) in items.items.iter().enumerate() {
            looping.index.set(index);
            let inner = Scope::within(scope);
            inner.set(&self.loop_name, Value::Loop(looping.clone()));
            self.assign(&node.target, item.clone(), &inner)?;
            match self.block(&node.body, &inner, out)? {
                Flow::Break => break,
                Flow::Continue => {}
                Flow::Next => ends = true,
            }
        }
        // As in jinja2, `else` also follows a loop whose body never came to its end.
        if !ends {
            self.block(&node.otherwise, &Scope::within(scope), out)?;
        }
        Ok(())
    }

    /// `loop(items)` within a recursive loop.
    pub(super) fn recurse(&mut self, looping: &Rc<Loop>, arguments: Args) -> Result<Value, TemplateError> {
        let scope =
            looping.scope.clone().ok_or_else(|| TemplateError::failed("the loop is not marked as recursive"))?;
        let [items] = arguments.bind("loop", ["items"])?;
        let items = items.unwrap_or(Value::Undefined(Missing::Nothing));
        let mut out = TextBuilder::default();
        self.limits.enter()?;
        self.run_loop(&looping.node.clone(), &items, &scope, looping.level + 1, &mut out)?;
        self.limits.leave();
        Ok(Value::Str(out.finish()))
    }
}

impl Loop {
    /// What `loop.name` tells.
    pub(super) fn attribute(&self, name: &str) -> Option<Value> {
        let number = |number: usize| Some(Value::Int(number as i128));
        let (index, len) = (self.index.get(), self.items.items.len());
        let item = |at: Option<usize>| {
            let item = at.and_then(|at| self.items.items.get(at)).cloned();
            Some(item.unwrap_or(Value::Undefined(Missing::Nothing)))
        };
        match name {
            "index" => number(index + 1),
            "index0" => number(index),
            "revindex" => number(len - index),
            "revindex0" => number(len - index - 1),
            "length" => number(len),
            "depth" => number(self.level + 1),
            "depth0" => number(self.level),
            "first" => Some(Value::Bool(index == 0)),
            "last" => Some(Value::Bool(index + 1 == len)),
            "previtem" => item(index.checked_sub(1)),
            "nextitem" => item(index.checked_add(1)),
            _ => None,
        }
    }
}
