//! The models that are compared on, and where their files are.

use std::fmt;
use std::path::PathBuf;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{smollm2, synthetic};

/// A model by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Name {
    /// 42 million random weights
    #[value(name = "42m")]
    Small,
    /// Qwen3-0.6B's shape, random weights
    #[value(name = "0.5b")]
    Half,
    /// The small model that comes with the repository
    Ember,
    /// SmolLM2-135M-Instruct
    Smollm2,
}

/// The type of a file's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Type {
    #[value(name = "q4_0")]
    Q4_0,
    /// SmolLM2's alone
    #[value(skip)]
    Q4_1,
    #[value(name = "q4_k_m")]
    Q4KM,
    #[value(name = "q8_0")]
    Q8_0,
}

/// A file to compare on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    pub name: Name,
    pub weights: Type,
}

const ALL: [Model; 8] = [
    Model { name: Name::Small, weights: Type::Q4_0 },
    Model { name: Name::Small, weights: Type::Q4KM },
    Model { name: Name::Small, weights: Type::Q8_0 },
    Model { name: Name::Half, weights: Type::Q4_0 },
    Model { name: Name::Half, weights: Type::Q4KM },
    Model { name: Name::Half, weights: Type::Q8_0 },
    Model { name: Name::Ember, weights: Type::Q8_0 },
    Model { name: Name::Smollm2, weights: Type::Q4_1 },
];

/// The models of these names, of synthetic ones those of these types; all where a list is empty.
pub fn all<'a>(names: &'a [Name], types: &'a [Type]) -> impl Iterator<Item = Model> + 'a {
    ALL.into_iter().filter(|model| {
        let typed = !model.is_synthetic() || types.is_empty() || types.contains(&model.weights);
        typed && (names.is_empty() || names.contains(&model.name))
    })
}

impl Model {
    fn is_synthetic(self) -> bool {
        matches!(self.name, Name::Small | Name::Half)
    }

    /// Its GGUF file, made or fetched where it is not there.
    ///
    /// # Errors
    /// What making or fetching says.
    pub fn file(self, workspace: &Workspace) -> Result<PathBuf> {
        let weights = self.weights.to_string().to_lowercase();
        match self.name {
            Name::Small | Name::Half => synthetic::model_of_type(workspace, &self.name.to_string(), Some(&weights)),
            Name::Ember => Ok(workspace.root.join("models/ember/ember-q8_0.gguf")),
            Name::Smollm2 => smollm2::model(workspace),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Name::Small => "42m",
            Name::Half => "0.5b",
            Name::Ember => "ember",
            Name::Smollm2 => "smollm2",
        })
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Q4_0 => "Q4_0",
            Type::Q4_1 => "Q4_1",
            Type::Q4KM => "Q4_K_M",
            Type::Q8_0 => "Q8_0",
        })
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_select_synthetic_models_alone() {
        let names =
            |names: &[Name], types: &[Type]| all(names, types).map(|model| model.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&[], &[Type::Q4KM]), ["42m Q4_K_M", "0.5b Q4_K_M", "ember Q8_0", "smollm2 Q4_1"]);
        assert_eq!(names(&[Name::Smollm2], &[]), ["smollm2 Q4_1"]);
        assert_eq!(all(&[], &[]).count(), ALL.len());
    }
}
