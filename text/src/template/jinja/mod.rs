//! jinja2's template language, as far as chat templates use it, exactly as jinja2 answers it: its scopes, its white space, its
//! undefined values, Python's texts, numbers and methods.
//!
//! A template comes from a stranger. Whatever it does is counted ([`limits`]) before it is done: steps, bytes, and how deeply things
//! nest. It reads nothing but its variables and changes nothing outside of itself. What it asks for that does not exist is an
//! error that names it.

mod access;
mod arguments;
mod ast;
mod checks;
mod compare;
mod decimal;
mod escape;
mod eval;
mod exec;
mod expressions;
mod filters;
mod format;
mod functions;
mod lexer;
pub(super) mod limits;
mod macros;
mod methods;
mod operators;
mod parser;
mod print;
mod provenance;
mod scope;
mod spec;
mod strings;
mod text;
pub(super) mod value;

use std::rc::Rc;

use super::TemplateError;
pub(super) use compare::sort;
use eval::Vm;
use functions::Function;
pub(super) use limits::Limits;
pub(super) use provenance::{Span, Text, TextBuilder};
use scope::Scope;
pub(super) use text::is_space;
pub(super) use value::Value;

/// A parsed template.
#[derive(Debug)]
pub(super) struct Program(ast::Block);

impl Program {
    /// Parses a template.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        parser::parse(source).map(Self)
    }

    /// Renders it with these variables, which win over the functions of the same names. Gives the text, and what users wrote of it.
    pub fn render(
        &self,
        limits: Limits,
        variables: Vec<(&str, Value)>,
        local_time: Option<i64>,
    ) -> Result<(String, Vec<Span>), TemplateError> {
        let globals = Rc::new(Scope::default());
        for (name, function) in Function::ALL {
            globals.set(&name.into(), Value::Function(function));
        }
        for (name, value) in variables {
            globals.set(&name.into(), value);
        }
        let mut vm = Vm::new(limits, local_time);
        let mut text = TextBuilder::default();
        vm.block(&self.0, &Scope::within(&globals), &mut text)?;
        Ok(text.into_parts())
    }
}
