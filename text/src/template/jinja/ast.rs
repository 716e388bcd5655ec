//! What the parser makes of a template. Chains (of operators, of `elif`, of what follows a value) are lists and not trees, so that
//! only what a writer really nested is nested here.

use std::sync::Arc;

/// A statement and the line it begins on.
#[derive(Debug)]
pub struct Stmt {
    pub line: usize,
    pub kind: StmtKind,
}

pub type Block = Vec<Stmt>;

#[derive(Debug)]
pub enum StmtKind {
    Text(Arc<str>),
    Print(Expr),
    /// The branches with their conditions, and `else`.
    If(Vec<(Expr, Block)>, Block),
    For(Arc<For>),
    Set(Target, Expr),
    SetBlock(Target, Vec<Filter>, Block),
    With(Vec<(Target, Expr)>, Block),
    Macro(Arc<Macro>),
    /// The call, and the block that it may ask for as `caller`.
    Call(Expr, Arc<Macro>),
    FilterBlock(Vec<Filter>, Block),
    /// transformers' `generation`: renders its block in a scope of its own.
    Generation(Block),
    Break,
    Continue,
}

#[derive(Debug)]
pub struct For {
    pub target: Target,
    pub iter: Expr,
    pub condition: Option<Expr>,
    pub recursive: bool,
    pub body: Block,
    pub otherwise: Block,
}

/// A name, and its default if it has one.
pub type Parameter = (Arc<str>, Option<Expr>);

#[derive(Debug)]
pub struct Macro {
    pub name: Arc<str>,
    pub parameters: Vec<Parameter>,
    pub body: Block,
    /// Whether the body names `varargs`, `kwargs` or `caller`; only then may they be given.
    pub uses: Special,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Special {
    pub varargs: bool,
    pub kwargs: bool,
    pub caller: bool,
}

/// What an assignment fills.
#[derive(Debug)]
pub enum Target {
    Name(Arc<str>),
    /// An attribute of a namespace.
    Attribute(Arc<str>, Arc<str>),
    Tuple(Vec<Target>),
}

#[derive(Debug)]
pub enum Expr {
    Literal(Literal),
    Name(Arc<str>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    /// A value and what follows it, from left to right.
    Postfix(Box<Expr>, Vec<Post>),
    /// Operators of one precedence, from left to right.
    Arithmetic(Box<Expr>, Vec<(Arithmetic, Expr)>),
    Concat(Vec<Expr>),
    /// A chain of comparisons; all must hold.
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    /// The value, the condition, and the value otherwise.
    If(Box<(Expr, Expr, Option<Expr>)>),
}

#[derive(Clone, Debug)]
pub enum Literal {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Arc<str>),
}

/// What may follow a value.
#[derive(Debug)]
pub enum Post {
    Attribute(Arc<str>),
    Item(Expr),
    Slice(Box<[Option<Expr>; 3]>),
    Call(Arguments),
    Filter(Filter),
    Test { name: Arc<str>, arguments: Arguments, negated: bool },
}

#[derive(Debug)]
pub struct Filter {
    pub name: Arc<str>,
    pub arguments: Arguments,
}

#[derive(Debug, Default)]
pub struct Arguments {
    pub positional: Vec<Expr>,
    pub named: Vec<(Arc<str>, Expr)>,
    /// `*args`
    pub unpacked: Option<Box<Expr>>,
    /// `**kwargs`
    pub unpacked_named: Option<Box<Expr>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Rem,
    Pow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}
