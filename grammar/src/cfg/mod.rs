//! Context-free grammars of characters, whatever their notation, and the lexemes by which the compiler holds exactly their language.
//!
//! Grammars speak of characters, while llguidance cuts an output into lexemes, each as long as it can be. [`join`] makes loops of lexemes where
//! the grammar has loops of characters, [`lexemes`] finds lexemes for which that never makes a difference, [`emit`] writes the grammar with them.

mod automaton;
mod emit;
mod grammar;
mod lexemes;
mod loops;
mod places;

pub use automaton::Bytes;
pub use emit::emit;
pub use grammar::{Atom, Grammar, Item, Opaque, Rule};
pub use lexemes::{Given, lexemes};
pub use loops::join;
