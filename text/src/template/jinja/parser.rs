//! From tokens to statements, as jinja2's parser reads them. Expressions are in [`super::expressions`].

use std::collections::HashMap;
use std::sync::Arc;

use super::super::TemplateError;
use super::ast::{Block, Expr, Filter, For, Macro, Parameter, Post, Special, Stmt, StmtKind, Target};
use super::lexer::{Token, syntax, tokenize};

/// Deepest nesting of blocks and brackets. Public templates stay below 20.
const MAX_NESTING: usize = 64;

/// Parses a template.
pub fn parse(source: &str) -> Result<Block, TemplateError> {
    let tokens = tokenize(source)?;
    let mut parser = Parser { tokens, at: 0, nesting: 0, loops: 0, specials: Vec::new(), names: HashMap::new() };
    let (block, _) = parser.block(&[])?;
    Ok(block)
}

pub struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    nesting: usize,
    /// Loops that are open in the current macro.
    loops: usize,
    /// What the bodies of the open macros use.
    pub(super) specials: Vec<Special>,
    /// Every name is kept once.
    names: HashMap<String, Arc<str>>,
}

impl Parser {
    pub(super) fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    pub(super) fn peek_second(&self) -> &Token {
        self.tokens.get(self.at + 1).map_or(&Token::End, |(token, _)| token)
    }

    pub(super) fn line(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(0, |(_, line)| *line)
    }

    pub(super) fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    /// Takes the last token back, so that an error names it.
    pub(super) fn step_back(&mut self) {
        self.at = self.at.saturating_sub(1);
    }

    pub(super) fn is_op(&self, op: &str) -> bool {
        matches!(self.peek(), Token::Op(found) if *found == op)
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Token::Name(found) if &**found == name)
    }

    pub(super) fn skip_op(&mut self, op: &str) -> bool {
        let found = self.is_op(op);
        self.at += usize::from(found);
        found
    }

    pub(super) fn skip_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_op(&mut self, op: &str) -> Result<(), TemplateError> {
        if self.skip_op(op) { Ok(()) } else { Err(self.unexpected(&format!("'{op}'"))) }
    }

    pub(super) fn unexpected(&self, expected: &str) -> TemplateError {
        syntax(format!("unexpected {}, expected {expected}", self.peek().describe()), self.line())
    }

    fn expect(&mut self, token: &Token) -> Result<(), TemplateError> {
        if self.peek() != token {
            return Err(self.unexpected(&token.describe()));
        }
        self.at += 1;
        Ok(())
    }

    pub(super) fn name(&mut self) -> Result<Arc<str>, TemplateError> {
        match self.next() {
            Token::Name(name) => Ok(self.intern(&name)),
            _ => {
                self.step_back();
                Err(self.unexpected("a name"))
            }
        }
    }

    /// The one copy of a name.
    pub(super) fn intern(&mut self, name: &str) -> Arc<str> {
        if let Some(kept) = self.names.get(name) {
            return kept.clone();
        }
        let kept: Arc<str> = name.into();
        self.names.insert(name.to_owned(), kept.clone());
        kept
    }

    /// Runs `parse` one level deeper.
    pub(super) fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(TemplateError::TooComplex(self.line()));
        }
        let parsed = parse(self);
        self.nesting -= 1;
        parsed
    }

    /// Statements up to one of the tags `ends`, which is passed and given back; with none, up to the template's end.
    fn block(&mut self, ends: &[&'static str]) -> Result<(Block, &'static str), TemplateError> {
        self.nested(|parser| {
            let mut block = Vec::new();
            loop {
                let line = parser.line();
                let kind = match parser.next() {
                    Token::Text(text) => StmtKind::Text(text),
                    Token::PrintBegin => {
                        let value = parser.tuple_or_expression(true)?;
                        parser.expect(&Token::PrintEnd)?;
                        StmtKind::Print(value)
                    }
                    Token::BlockBegin => {
                        let tag = parser.name()?;
                        if let Some(end) = ends.iter().find(|end| **end == &*tag) {
                            return Ok((block, *end));
                        }
                        parser.statement(&tag, line)?
                    }
                    _ if ends.is_empty() => return Ok((block, "")),
                    _ => return Err(syntax(format!("the template ends, expected '{}'", ends.join("' or '")), line)),
                };
                block.push(Stmt { line, kind });
            }
        })
    }

    /// A block after the end of the tag that begins it; the tag that ends it is passed whole.
    fn body(&mut self, end: &'static str) -> Result<Block, TemplateError> {
        self.expect(&Token::BlockEnd)?;
        let (block, _) = self.block(&[end])?;
        if end == "endmacro" && matches!(self.peek(), Token::Name(_)) {
            self.at += 1;
        }
        self.expect(&Token::BlockEnd)?;
        Ok(block)
    }

    fn statement(&mut self, tag: &str, line: usize) -> Result<StmtKind, TemplateError> {
        match tag {
            "if" => self.if_statement(),
            "for" => self.for_statement(),
            "set" => self.set_statement(),
            "with" => self.with_statement(),
            "macro" => {
                let name = self.name()?;
                Ok(StmtKind::Macro(Arc::new(self.macro_definition(name, "endmacro")?)))
            }
            "call" => self.call_statement(),
            "filter" => {
                let filters = self.filter_chain()?;
                Ok(StmtKind::FilterBlock(filters, self.body("endfilter")?))
            }
            "generation" => Ok(StmtKind::Generation(self.body("endgeneration")?)),
            "break" | "continue" => {
                if self.loops == 0 {
                    return Err(syntax(format!("'{tag}' stands outside of a loop"), line));
                }
                self.expect(&Token::BlockEnd)?;
                Ok(if tag == "break" { StmtKind::Break } else { StmtKind::Continue })
            }
            _ if tag.starts_with("end") || matches!(tag, "else" | "elif") => {
                Err(syntax(format!("'{tag}' has nothing to end"), line))
            }
            _ => Err(TemplateError::Unknown { message: format!("the tag '{tag}'"), line }),
        }
    }

    fn if_statement(&mut self) -> Result<StmtKind, TemplateError> {
        let mut branches = Vec::new();
        loop {
            let condition = self.tuple_or_expression(false)?;
            self.expect(&Token::BlockEnd)?;
            let (block, end) = self.block(&["elif", "else", "endif"])?;
            branches.push((condition, block));
            match end {
                "elif" => {}
                "else" => return Ok(StmtKind::If(branches, self.body("endif")?)),
                _ => {
                    self.expect(&Token::BlockEnd)?;
                    return Ok(StmtKind::If(branches, Vec::new()));
                }
            }
        }
    }

    fn for_statement(&mut self) -> Result<StmtKind, TemplateError> {
        let target = self.target(false)?;
        if !self.skip_name("in") {
            return Err(self.unexpected("'in'"));
        }
        let iter = self.tuple_or_expression(false)?;
        let condition = if self.skip_name("if") { Some(self.expression()?) } else { None };
        let recursive = self.skip_name("recursive");
        self.expect(&Token::BlockEnd)?;
        self.loops += 1;
        let body = self.block(&["else", "endfor"]);
        self.loops -= 1;
        let (body, end) = body?;
        let otherwise = if end == "else" {
            self.body("endfor")?
        } else {
            self.expect(&Token::BlockEnd)?;
            Vec::new()
        };
        Ok(StmtKind::For(Arc::new(For { target, iter, condition, recursive, body, otherwise })))
    }

    fn set_statement(&mut self) -> Result<StmtKind, TemplateError> {
        let target = self.target(true)?;
        if self.skip_op("=") {
            let value = self.tuple_or_expression(true)?;
            self.expect(&Token::BlockEnd)?;
            return Ok(StmtKind::Set(target, value));
        }
        let filters = if self.skip_op("|") { self.filter_chain()? } else { Vec::new() };
        Ok(StmtKind::SetBlock(target, filters, self.body("endset")?))
    }

    fn with_statement(&mut self) -> Result<StmtKind, TemplateError> {
        let mut values = Vec::new();
        while *self.peek() != Token::BlockEnd {
            if !values.is_empty() {
                self.expect_op(",")?;
            }
            let target = self.target(false)?;
            self.expect_op("=")?;
            values.push((target, self.expression()?));
        }
        Ok(StmtKind::With(values, self.body("endwith")?))
    }

    fn call_statement(&mut self) -> Result<StmtKind, TemplateError> {
        let line = self.line();
        // The block's own parameters come first; the call itself is read after them.
        let parameters = if self.is_op("(") { self.parameters()? } else { Vec::new() };
        let call = self.expression()?;
        if !matches!(&call, Expr::Postfix(_, posts) if matches!(posts.last(), Some(Post::Call(_)))) {
            return Err(syntax("'call' needs a call", line));
        }
        let name = self.intern("caller");
        let block = self.macro_body(name, parameters, "endcall")?;
        Ok(StmtKind::Call(call, Arc::new(block)))
    }

    fn macro_definition(&mut self, name: Arc<str>, end: &'static str) -> Result<Macro, TemplateError> {
        let parameters = self.parameters()?;
        self.macro_body(name, parameters, end)
    }

    fn macro_body(
        &mut self,
        name: Arc<str>,
        parameters: Vec<Parameter>,
        end: &'static str,
    ) -> Result<Macro, TemplateError> {
        let loops = std::mem::take(&mut self.loops);
        self.specials.push(Special::default());
        let body = self.body(end);
        let uses = self.specials.pop().unwrap_or_default();
        self.loops = loops;
        Ok(Macro { name, parameters, body: body?, uses })
    }

    fn parameters(&mut self) -> Result<Vec<Parameter>, TemplateError> {
        let mut parameters: Vec<Parameter> = Vec::new();
        self.expect_op("(")?;
        while !self.skip_op(")") {
            if !parameters.is_empty() {
                self.expect_op(",")?;
                if self.skip_op(")") {
                    break;
                }
            }
            let name = self.name()?;
            let default = if self.skip_op("=") { Some(self.expression()?) } else { None };
            if default.is_none() && parameters.last().is_some_and(|(_, default)| default.is_some()) {
                return Err(syntax("a parameter without a default follows one that has one", self.line()));
            }
            parameters.push((name, default));
        }
        Ok(parameters)
    }

    /// Filters divided by `|`, as `filter` and `set` have them.
    fn filter_chain(&mut self) -> Result<Vec<Filter>, TemplateError> {
        let mut filters = vec![self.filter()?];
        while self.skip_op("|") {
            filters.push(self.filter()?);
        }
        Ok(filters)
    }

    /// What an assignment fills: a name, a tuple of them, or (where `attributes` may be set) an attribute of a namespace.
    fn target(&mut self, attributes: bool) -> Result<Target, TemplateError> {
        let first = self.target_item(attributes)?;
        if !self.is_op(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.skip_op(",") {
            if self.is_op("=") || self.is_name("in") || *self.peek() == Token::BlockEnd {
                break;
            }
            items.push(self.target_item(attributes)?);
        }
        Ok(Target::Tuple(items))
    }

    fn target_item(&mut self, attributes: bool) -> Result<Target, TemplateError> {
        if self.skip_op("(") {
            return self.nested(|parser| {
                let mut items = Vec::new();
                while !parser.skip_op(")") {
                    if !items.is_empty() {
                        parser.expect_op(",")?;
                    }
                    if !parser.is_op(")") {
                        items.push(parser.target_item(attributes)?);
                    }
                }
                Ok(Target::Tuple(items))
            });
        }
        let line = self.line();
        let name = self.name()?;
        if attributes && self.skip_op(".") {
            return Ok(Target::Attribute(name, self.name()?));
        }
        if matches!(&*name, "true" | "false" | "none" | "True" | "False" | "None") {
            return Err(syntax(format!("'{name}' cannot be set"), line));
        }
        Ok(Target::Name(name))
    }
}
