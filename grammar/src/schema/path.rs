//! Where in a schema something stands.

use std::fmt;

use crate::GrammarError;

/// A place in a schema, as a JSON pointer with a leading `#`.
#[derive(Clone, Copy)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    /// A place from which others are named: `#`, or where a reference leads.
    pub fn root(pointer: &'a str) -> Path<'a> {
        Path { parent: None, step: Step::Name(pointer) }
    }

    /// The member of this name.
    pub fn name(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Name(name) }
    }

    /// The element at this index.
    pub fn index(&'a self, index: usize) -> Path<'a> {
        Path { parent: Some(self), step: Step::Index(index) }
    }

    /// An error for what is wrong here.
    pub fn wrong(&self, reason: impl Into<String>) -> GrammarError {
        GrammarError::Schema { path: self.to_string(), reason: reason.into() }
    }

    /// An error for what cannot be enforced here.
    pub fn unsupported(&self, feature: impl Into<String>) -> GrammarError {
        GrammarError::Unsupported { path: self.to_string(), feature: feature.into() }
    }

    /// An error for what strict mode forbids here.
    pub fn forbidden(&self, reason: impl Into<String>) -> GrammarError {
        GrammarError::Strict { path: self.to_string(), reason: reason.into() }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else {
            return match self.step {
                Step::Name(pointer) => f.write_str(pointer),
                Step::Index(index) => write!(f, "{index}"),
            };
        };
        write!(f, "{parent}/")?;
        match self.step {
            Step::Name(name) => f.write_str(&name.replace('~', "~0").replace('/', "~1")),
            Step::Index(index) => write!(f, "{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_json_pointer() {
        let root = Path::root("#/$defs/a");
        let properties = root.name("properties");
        assert_eq!(properties.name("b/~").index(2).to_string(), "#/$defs/a/properties/b~1~0/2");
    }
}
