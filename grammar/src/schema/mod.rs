//! JSON schemas before they are compiled: checked, bounded, and rewritten into what the compiler enforces exactly.
//!
//! A document that the compiled schema lets through must be one that any validator accepts. So every keyword is either enforced, or an
//! annotation, or refused by name with its place; nothing that constrains is dropped. Where the compiler (llguidance) allows more
//! than the schema does, the schema is rewritten: formats become exact patterns, regular expressions what all their dialects
//! agree on, `oneOf` an `anyOf` of alternatives that are proven to exclude each other, references short names, and whatever no finite
//! document satisfies becomes `false`.

mod arrays;
mod depth;
mod disjoint;
mod finite;
mod formats;
mod objects;
mod path;
mod rewrite;
mod scalars;
mod strict;

use serde_json::{Value, json};

use crate::GrammarError;
use path::Path;

/// A schema that is ready to be compiled.
///
/// # Errors
/// When it is wrong, asks for what cannot be enforced, is too large, or (if `strict`) breaks a rule of OpenAI's strict mode.
pub fn prepare(schema: &Value, strict: bool) -> Result<Value, GrammarError> {
    if strict {
        strict::check(schema)?;
    }
    let mut ready = rewrite::rewrite(schema)?;
    depth::check(&ready)?;
    finite::prune(&mut ready)?;
    ready["x-guidance"] = layout();
    Ok(ready)
}

/// The schema of any JSON object.
pub fn any_object() -> Value {
    json!({"type": "object", "x-guidance": layout()})
}

/// How documents are laid out: on one line, with at most one space after a comma or a colon, so that no model can write white space for ever;
/// and with one way to write each string, so that a property's name cannot come back in another spelling.
fn layout() -> Value {
    json!({
        "whitespace_flexible": false,
        "item_separator": ",\\x20?",
        "key_separator": ":\\x20?",
        "json_allowed_escapes": "nrbtf\"\\",
    })
}
