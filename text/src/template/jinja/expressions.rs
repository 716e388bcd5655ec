//! From tokens to expressions, with jinja2's precedences: `or`, `and`, `not`, comparisons, `+ -`, `~`, `* / // %`, `**`, signs,
//! and then what follows a value.

use std::sync::Arc;

use super::super::TemplateError;
use super::ast::{Arguments, Arithmetic, Comparison, Expr, Filter, Literal, Post};
use super::lexer::{Token, syntax};
use super::parser::Parser;

impl Parser {
    /// A whole expression.
    pub(super) fn expression(&mut self) -> Result<Expr, TemplateError> {
        self.nested(|parser| {
            let value = parser.or()?;
            parser.conditional(value)
        })
    }

    /// The value, with the conditions that follow it.
    fn conditional(&mut self, value: Expr) -> Result<Expr, TemplateError> {
        if !self.skip_name("if") {
            return Ok(value);
        }
        let condition = self.or()?;
        let otherwise = if self.skip_name("else") { Some(self.expression()?) } else { None };
        let value = Expr::If(Box::new((value, condition, otherwise)));
        self.nested(|parser| parser.conditional(value))
    }

    /// An expression, or several divided by commas: a tuple without brackets. Where an `if` may follow that belongs to the
    /// statement, `conditional` is false.
    pub(super) fn tuple_or_expression(&mut self, conditional: bool) -> Result<Expr, TemplateError> {
        let mut items = Vec::new();
        let mut is_tuple = false;
        while !matches!(self.peek(), Token::PrintEnd | Token::BlockEnd | Token::Op(")")) && !self.is_name("recursive") {
            items.push(if conditional { self.expression()? } else { self.nested(Self::or)? });
            if !self.skip_op(",") {
                break;
            }
            is_tuple = true;
        }
        match items.pop() {
            Some(only) if !is_tuple => Ok(only),
            Some(last) => {
                items.push(last);
                Ok(Expr::Tuple(items))
            }
            None => Err(self.unexpected("an expression")),
        }
    }

    fn or(&mut self) -> Result<Expr, TemplateError> {
        let mut terms = vec![self.and()?];
        while self.skip_name("or") {
            terms.push(self.and()?);
        }
        Ok(only_or(terms, Expr::Or))
    }

    fn and(&mut self) -> Result<Expr, TemplateError> {
        let mut terms = vec![self.not()?];
        while self.skip_name("and") {
            terms.push(self.not()?);
        }
        Ok(only_or(terms, Expr::And))
    }

    fn not(&mut self) -> Result<Expr, TemplateError> {
        if self.skip_name("not") {
            return self.nested(|parser| Ok(Expr::Not(Box::new(parser.not()?))));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expr, TemplateError> {
        let first = self.sum()?;
        let mut rest = Vec::new();
        while let Some(comparison) = self.comparison_operator() {
            rest.push((comparison, self.sum()?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Compare(Box::new(first), rest) })
    }

    fn comparison_operator(&mut self) -> Option<Comparison> {
        const OPERATORS: [(&str, Comparison); 6] = [
            ("==", Comparison::Eq),
            ("!=", Comparison::Ne),
            ("<", Comparison::Lt),
            ("<=", Comparison::Le),
            (">", Comparison::Gt),
            (">=", Comparison::Ge),
        ];
        if let Some((_, comparison)) = OPERATORS.into_iter().find(|(op, _)| self.skip_op(op)) {
            return Some(comparison);
        }
        if self.skip_name("in") {
            return Some(Comparison::In);
        }
        if self.is_name("not") && matches!(self.peek_second(), Token::Name(name) if &**name == "in") {
            self.next();
            self.next();
            return Some(Comparison::NotIn);
        }
        None
    }

    fn sum(&mut self) -> Result<Expr, TemplateError> {
        self.chain(&[("+", Arithmetic::Add), ("-", Arithmetic::Sub)], Self::concat)
    }

    fn concat(&mut self) -> Result<Expr, TemplateError> {
        let mut terms = vec![self.product()?];
        while self.skip_op("~") {
            terms.push(self.product()?);
        }
        Ok(only_or(terms, Expr::Concat))
    }

    fn product(&mut self) -> Result<Expr, TemplateError> {
        const OPERATORS: [(&str, Arithmetic); 4] =
            [("*", Arithmetic::Mul), ("/", Arithmetic::Div), ("//", Arithmetic::FloorDiv), ("%", Arithmetic::Rem)];
        self.chain(&OPERATORS, |parser| {
            let power = parser.chain(&[("**", Arithmetic::Pow)], |parser| parser.signed(true))?;
            Ok(sign_outside(power))
        })
    }

    /// Operands of one precedence, from left to right.
    fn chain(
        &mut self,
        operators: &[(&str, Arithmetic)],
        operand: impl Fn(&mut Self) -> Result<Expr, TemplateError>,
    ) -> Result<Expr, TemplateError> {
        let first = operand(self)?;
        let mut rest = Vec::new();
        while let Some((_, operator)) = operators.iter().find(|(op, _)| self.skip_op(op)) {
            rest.push((*operator, operand(self)?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Arithmetic(Box::new(first), rest) })
    }

    /// A value with a sign. Filters belong to the signed value, attributes and calls to the value.
    fn signed(&mut self, with_filters: bool) -> Result<Expr, TemplateError> {
        let value = if self.skip_op("-") {
            Expr::Negative(Box::new(self.nested(|parser| parser.signed(false))?))
        } else if self.skip_op("+") {
            Expr::Positive(Box::new(self.nested(|parser| parser.signed(false))?))
        } else {
            let value = self.primary()?;
            let posts = self.postfix()?;
            with_posts(value, posts)
        };
        let posts = if with_filters { self.filters_and_tests()? } else { Vec::new() };
        Ok(with_posts(value, posts))
    }

    fn primary(&mut self) -> Result<Expr, TemplateError> {
        let literal = match self.next() {
            Token::Name(name) => match &*name {
                "true" | "True" => Literal::Bool(true),
                "false" | "False" => Literal::Bool(false),
                "none" | "None" => Literal::None,
                _ => return Ok(self.name_expression(&name)),
            },
            Token::Int(number) => Literal::Int(number),
            Token::Float(number) => Literal::Float(number),
            Token::String(mut text) => {
                while let Token::String(more) = self.peek() {
                    text.push_str(more);
                    self.next();
                }
                Literal::Text(text.into())
            }
            Token::Op("(") => return self.nested(Self::in_round_brackets),
            Token::Op("[") => return Ok(Expr::List(self.nested(|parser| parser.items("]"))?)),
            Token::Op("{") => return self.nested(Self::dict),
            _ => {
                self.step_back();
                return Err(self.unexpected("an expression"));
            }
        };
        Ok(Expr::Literal(literal))
    }

    /// A variable; macros take note of the special ones they use.
    fn name_expression(&mut self, name: &str) -> Expr {
        for special in &mut self.specials {
            special.varargs |= name == "varargs";
            special.kwargs |= name == "kwargs";
            special.caller |= name == "caller";
        }
        Expr::Name(self.intern(name))
    }

    fn in_round_brackets(&mut self) -> Result<Expr, TemplateError> {
        if self.skip_op(")") {
            return Ok(Expr::Tuple(Vec::new()));
        }
        let value = self.tuple_or_expression(true)?;
        self.expect_op(")")?;
        Ok(value)
    }

    /// Expressions divided by commas, up to `end`.
    fn items(&mut self, end: &str) -> Result<Vec<Expr>, TemplateError> {
        let mut items = Vec::new();
        while !self.skip_op(end) {
            if !items.is_empty() {
                self.expect_op(",")?;
                if self.skip_op(end) {
                    break;
                }
            }
            items.push(self.expression()?);
        }
        Ok(items)
    }

    fn dict(&mut self) -> Result<Expr, TemplateError> {
        let mut pairs = Vec::new();
        while !self.skip_op("}") {
            if !pairs.is_empty() {
                self.expect_op(",")?;
                if self.skip_op("}") {
                    break;
                }
            }
            let key = self.expression()?;
            self.expect_op(":")?;
            pairs.push((key, self.expression()?));
        }
        Ok(Expr::Dict(pairs))
    }

    /// Attributes, items and calls.
    fn postfix(&mut self) -> Result<Vec<Post>, TemplateError> {
        let mut posts = Vec::new();
        loop {
            if self.skip_op(".") {
                posts.push(match self.next() {
                    Token::Name(name) => Post::Attribute(self.intern(&name)),
                    Token::Int(index) => Post::Item(Expr::Literal(Literal::Int(index))),
                    _ => {
                        self.step_back();
                        return Err(self.unexpected("a name or a number"));
                    }
                });
            } else if self.skip_op("[") {
                posts.push(self.nested(Self::subscript)?);
            } else if self.is_op("(") {
                posts.push(Post::Call(self.arguments()?));
            } else {
                return Ok(posts);
            }
        }
    }

    fn subscript(&mut self) -> Result<Post, TemplateError> {
        let mut bounds = [None, None, None];
        let mut colons = 0;
        while !self.skip_op("]") {
            if colons < 2 && self.skip_op(":") {
                colons += 1;
                continue;
            }
            if bounds[colons].is_some() {
                return Err(self.unexpected("']'"));
            }
            bounds[colons] = Some(self.expression()?);
            if colons == 0 && self.is_op(",") {
                let first = bounds[0].take().into_iter().collect();
                return self.tuple_subscript(first);
            }
        }
        match bounds {
            [Some(item), None, None] if colons == 0 => Ok(Post::Item(item)),
            // jinja2 reads nothing as a tuple of nothing.
            _ if colons == 0 => Ok(Post::Item(Expr::Tuple(Vec::new()))),
            _ => Ok(Post::Slice(Box::new(bounds))),
        }
    }

    fn tuple_subscript(&mut self, mut items: Vec<Expr>) -> Result<Post, TemplateError> {
        while self.skip_op(",") {
            items.push(self.expression()?);
        }
        self.expect_op("]")?;
        Ok(Post::Item(Expr::Tuple(items)))
    }

    /// Filters and tests, which may be called again.
    fn filters_and_tests(&mut self) -> Result<Vec<Post>, TemplateError> {
        let mut posts = Vec::new();
        loop {
            if self.skip_op("|") {
                posts.push(Post::Filter(self.filter()?));
            } else if self.skip_name("is") {
                posts.push(self.test()?);
            } else if self.is_op("(") {
                posts.push(Post::Call(self.arguments()?));
            } else {
                return Ok(posts);
            }
        }
    }

    pub(super) fn filter(&mut self) -> Result<Filter, TemplateError> {
        let name = self.dotted_name()?;
        let arguments = if self.is_op("(") { self.arguments()? } else { Arguments::default() };
        Ok(Filter { name, arguments })
    }

    fn test(&mut self) -> Result<Post, TemplateError> {
        let negated = self.skip_name("not");
        let name = self.dotted_name()?;
        let takes_value = match self.peek() {
            Token::Name(name) => !matches!(&**name, "else" | "or" | "and"),
            Token::String(_) | Token::Int(_) | Token::Float(_) | Token::Op("[" | "{") => true,
            _ => false,
        };
        let arguments = if self.is_op("(") {
            self.arguments()?
        } else if takes_value {
            if self.is_name("is") {
                return Err(syntax("tests with 'is' cannot be chained", self.line()));
            }
            let value = self.primary()?;
            let posts = self.postfix()?;
            Arguments { positional: vec![with_posts(value, posts)], ..Arguments::default() }
        } else {
            Arguments::default()
        };
        Ok(Post::Test { name, arguments, negated })
    }

    fn dotted_name(&mut self) -> Result<Arc<str>, TemplateError> {
        let name = self.name()?;
        if !self.is_op(".") {
            return Ok(name);
        }
        let mut dotted = name.to_string();
        while self.skip_op(".") {
            dotted.push('.');
            dotted.push_str(&self.name()?);
        }
        Ok(dotted.into())
    }

    fn arguments(&mut self) -> Result<Arguments, TemplateError> {
        self.nested(|parser| {
            parser.expect_op("(")?;
            let mut arguments = Arguments::default();
            let mut first = true;
            while !parser.skip_op(")") {
                if !first {
                    parser.expect_op(",")?;
                    if parser.skip_op(")") {
                        break;
                    }
                }
                first = false;
                parser.argument(&mut arguments)?;
            }
            Ok(arguments)
        })
    }

    fn argument(&mut self, arguments: &mut Arguments) -> Result<(), TemplateError> {
        let is_misplaced = if self.skip_op("*") {
            let misplaced = arguments.unpacked.is_some() || arguments.unpacked_named.is_some();
            arguments.unpacked = Some(Box::new(self.expression()?));
            misplaced
        } else if self.skip_op("**") {
            let misplaced = arguments.unpacked_named.is_some();
            arguments.unpacked_named = Some(Box::new(self.expression()?));
            misplaced
        } else if matches!((self.peek(), self.peek_second()), (Token::Name(_), Token::Op("="))) {
            let name = self.name()?;
            self.expect_op("=")?;
            arguments.named.push((name, self.expression()?));
            arguments.unpacked_named.is_some()
        } else {
            arguments.positional.push(self.expression()?);
            !arguments.named.is_empty() || arguments.unpacked.is_some() || arguments.unpacked_named.is_some()
        };
        if is_misplaced { Err(syntax("a call's arguments are in the wrong order", self.line())) } else { Ok(()) }
    }
}

/// Whether jinja2 computes it before it runs the template.
fn is_constant(value: &Expr) -> bool {
    match value {
        Expr::Literal(_) => true,
        Expr::Negative(value) | Expr::Positive(value) => is_constant(value),
        Expr::Arithmetic(first, rest) => is_constant(first) && rest.iter().all(|(_, right)| is_constant(right)),
        _ => false,
    }
}

/// `-3 ** x` as jinja2 has it: it writes the number into a Python program, where the power binds more tightly than the sign. (A power
/// of constants it computes itself, sign first.)
fn sign_outside(power: Expr) -> Expr {
    let (first, mut rest) = match power {
        Expr::Arithmetic(first, rest) => (first, rest),
        other => return other,
    };
    match *first {
        Expr::Negative(number)
            if is_constant(&number) && !rest.first().is_some_and(|(_, right)| is_constant(right)) =>
        {
            let behind = rest.split_off(1);
            let signed = Expr::Negative(Box::new(Expr::Arithmetic(number, rest)));
            if behind.is_empty() { signed } else { Expr::Arithmetic(Box::new(signed), behind) }
        }
        first => Expr::Arithmetic(Box::new(first), rest),
    }
}

/// The term itself if it is the only one.
fn only_or(mut terms: Vec<Expr>, chain: impl FnOnce(Vec<Expr>) -> Expr) -> Expr {
    match terms.pop() {
        Some(only) if terms.is_empty() => only,
        last => {
            terms.extend(last);
            chain(terms)
        }
    }
}

fn with_posts(value: Expr, posts: Vec<Post>) -> Expr {
    if posts.is_empty() { value } else { Expr::Postfix(Box::new(value), posts) }
}
