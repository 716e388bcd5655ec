//! Whole outputs: what grammars let through, put to other readers. The cases are in `tests/structured` and `tests/malformed/grammars`.

mod closing;
mod generated;
mod grammars;
mod hostile;
mod language;
mod numbers;
mod schemas;
mod support;
