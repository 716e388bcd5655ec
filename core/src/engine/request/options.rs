//! Parts of a request that have a form of their own.

use inglenook_grammar::Spec;
use serde::Deserialize;
use serde_json::Value;

/// One stop string or several.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(untagged, expecting = "expected a string or a list of strings")]
pub enum Stop {
    /// None.
    #[default]
    None,
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Stop {
    /// The stop strings that are not empty.
    pub fn strings(&self) -> Vec<&str> {
        let all: Vec<&str> = match self {
            Stop::None => Vec::new(),
            Stop::One(stop) => vec![stop],
            Stop::Many(stops) => stops.iter().map(String::as_str).collect(),
        };
        all.into_iter().filter(|stop| !stop.is_empty()).collect()
    }
}

/// Whether tools may, must or must not be called.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "ToolChoiceForm")]
pub enum ToolChoice {
    /// As the model likes.
    #[default]
    Auto,
    /// Not at all: tools are not shown to the model.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"auto\", \"none\", \"required\", or an object with a `function` that has a `name`"
)]
enum ToolChoiceForm {
    Word(ToolChoiceWord),
    Function { function: FunctionName },
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ToolChoiceWord {
    Auto,
    None,
    Required,
}

#[derive(Deserialize)]
struct FunctionName {
    name: String,
}

impl From<ToolChoiceForm> for ToolChoice {
    fn from(form: ToolChoiceForm) -> ToolChoice {
        match form {
            ToolChoiceForm::Word(ToolChoiceWord::Auto) => ToolChoice::Auto,
            ToolChoiceForm::Word(ToolChoiceWord::None) => ToolChoice::None,
            ToolChoiceForm::Word(ToolChoiceWord::Required) => ToolChoice::Required,
            ToolChoiceForm::Function { function } => ToolChoice::Named(function.name),
        }
    }
}

/// The form that the answer must have: OpenAI's, and what local engines can do beside it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(expecting = "an object with a `type`")]
pub struct ResponseFormat {
    /// The form.
    #[serde(flatten)]
    pub kind: FormatKind,
    /// The answer is free up to the end of this text, and has the form from there on.
    #[serde(default)]
    pub trigger: Option<String>,
}

impl ResponseFormat {
    /// The form as grammars know it; none for any text.
    pub fn spec(&self) -> Option<Spec> {
        Some(match &self.kind {
            FormatKind::Text => return None,
            FormatKind::JsonObject => Spec::JsonObject,
            FormatKind::JsonSchema { json_schema } => match &json_schema.schema {
                Some(schema) => {
                    Spec::JsonSchema { schema: schema.clone(), strict: json_schema.strict.unwrap_or(false) }
                }
                None => Spec::JsonObject,
            },
            FormatKind::Regex { regex } => Spec::Regex { regex: regex.clone() },
            FormatKind::Lark { grammar } => Spec::Lark { grammar: grammar.clone() },
            FormatKind::Gbnf { grammar } => Spec::Gbnf { grammar: grammar.clone() },
            FormatKind::Choice { choices } => Spec::Choice { choices: choices.clone() },
        })
    }
}

/// Kinds of forms.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FormatKind {
    /// Any text.
    #[default]
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON of a schema.
    JsonSchema {
        /// The schema and how strictly it is meant.
        json_schema: NamedSchema,
    },
    /// What a regular expression matches whole.
    Regex {
        /// The expression.
        regex: String,
    },
    /// What a Lark grammar derives from `start`.
    Lark {
        /// The grammar.
        grammar: String,
    },
    /// What a grammar of llama.cpp's form derives from `root`.
    Gbnf {
        /// The grammar.
        grammar: String,
    },
    /// One of these texts.
    Choice {
        /// The texts.
        choices: Vec<String>,
    },
}

/// A schema with a name.
#[derive(Debug, Clone, Deserialize)]
pub struct NamedSchema {
    /// What the schema is called; the model does not see it.
    #[serde(default)]
    pub name: String,
    /// The JSON schema; without one, any JSON object.
    #[serde(default)]
    pub schema: Option<Value>,
    /// Whether the schema must keep OpenAI's rules for strict schemas.
    #[serde(default)]
    pub strict: Option<bool>,
}

/// How much the model may think.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, expecting = "an object with `enabled` or `budget_tokens`")]
pub struct Reasoning {
    /// Whether it thinks before it answers; by default as its template has it.
    pub enabled: Option<bool>,
    /// Tokens of thought at most; then the thought is closed, and the answer begins.
    pub budget_tokens: Option<u32>,
}

impl Reasoning {
    /// Tokens of thought at most.
    pub fn budget(&self) -> Option<u32> {
        match self.enabled {
            Some(false) => Some(0),
            _ => self.budget_tokens,
        }
    }
}
