//! Parts of a request that have a form of their own.

use inglenook_grammar::Spec;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
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

/// An adapter that a request chooses.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct AdapterChoice {
    /// The name that it was loaded by.
    pub name: String,
    /// The factor of what it adds; by default 1.
    #[serde(default = "whole")]
    pub scale: f32,
}

fn whole() -> f32 {
    1.0
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
    #[serde(alias = "any")]
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
#[derive(Debug, Clone, Default)]
pub struct ResponseFormat {
    /// The form.
    pub kind: FormatKind,
    /// The answer is free up to the end of this text, and has the form from there on.
    pub trigger: Option<String>,
}

impl<'de> Deserialize<'de> for ResponseFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ResponseFormat, D::Error> {
        let Value::Object(mut fields) = Value::deserialize(deserializer)? else {
            return Err(D::Error::custom("expected an object with a `type`"));
        };
        let trigger = fields.shift_remove("trigger").unwrap_or_default();
        let trigger =
            Option::deserialize(trigger).map_err(|error| D::Error::custom(format_args!("`trigger`: {error}")))?;
        // A member that another type has is named by its path, as one that no type has.
        let named = |error: serde_json::Error| {
            error.to_string().replacen("unknown field `", "unknown field `response_format.", 1)
        };
        let kind = FormatKind::deserialize(Value::Object(fields)).map_err(|error| D::Error::custom(named(error)))?;
        Ok(ResponseFormat { kind, trigger })
    }
}

impl ResponseFormat {
    /// The form as grammars know it; none for any text.
    pub fn spec(&self) -> Option<Spec> {
        Some(match &self.kind {
            FormatKind::Text {} => return None,
            FormatKind::JsonObject { schema: None } => Spec::JsonObject,
            FormatKind::JsonObject { schema: Some(schema) } => {
                Spec::JsonSchema { schema: schema.clone(), strict: false }
            }
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
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FormatKind {
    /// Any text.
    Text {},
    /// Any JSON object.
    JsonObject {
        /// The schema that it must fit; llama.cpp's server takes one here.
        #[serde(default)]
        schema: Option<Value>,
    },
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

impl Default for FormatKind {
    fn default() -> FormatKind {
        FormatKind::Text {}
    }
}

/// A schema. Its name and description are not shown to the model.
#[derive(Debug, Clone, Deserialize)]
pub struct NamedSchema {
    /// The JSON schema; without one, any JSON object.
    #[serde(default)]
    pub schema: Option<Value>,
    /// Whether the schema must keep OpenAI's rules for strict schemas.
    #[serde(default)]
    pub strict: Option<bool>,
}

/// How much the model may think.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, expecting = "an object with `enabled`, `effort` or `budget_tokens`")]
pub struct Reasoning {
    /// Whether it thinks before it answers; by default as its template has it.
    pub enabled: Option<bool>,
    /// How hard it thinks, where its template knows how to say so.
    pub effort: Option<Effort>,
    /// Tokens of thought at most; then the thought is closed, and the answer begins.
    pub budget_tokens: Option<u32>,
}

impl Reasoning {
    /// Whether it thinks, as far as the request says so.
    pub fn enabled(&self) -> Option<bool> {
        self.enabled.or(self.effort.map(|effort| effort != Effort::None))
    }

    /// Tokens of thought at most.
    pub fn budget(&self) -> Option<u32> {
        match self.enabled() {
            Some(false) => Some(0),
            _ => self.budget_tokens,
        }
    }
}

/// How hard a model is to think, in OpenAI's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// It does not think.
    None,
    /// As little as it can.
    Minimal,
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// Very much.
    Xhigh,
    /// As much as it can.
    Max,
}

impl Effort {
    /// Those of a model that thinks, in order.
    const LEVELS: [Effort; 6] =
        [Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh, Effort::Max];

    /// OpenAI's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Effort::None => "none",
            Effort::Minimal => "minimal",
            Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High => "high",
            Effort::Xhigh => "xhigh",
            Effort::Max => "max",
        }
    }

    /// The word that a template is told: the one for this effort or, where the template does not know it, for the next lower one that
    /// it knows, else the next higher. Templates know the words that they quote; one that quotes fewer than two is taken to know low,
    /// medium and high. None where the template is not to be told.
    pub(crate) fn word_for(self, template: &str) -> Option<&'static str> {
        let quotes = |effort: &Effort| {
            ['\'', '"'].iter().any(|quote| template.contains(&format!("{quote}{}{quote}", effort.word())))
        };
        if self == Effort::None {
            return quotes(&self).then_some(self.word());
        }
        let quoted: Vec<Effort> = Effort::LEVELS.into_iter().filter(|effort| quotes(effort)).collect();
        let known = if quoted.len() < 2 { vec![Effort::Low, Effort::Medium, Effort::High] } else { quoted };
        let lower = known.iter().rev().find(|effort| **effort as u8 <= self as u8);
        lower.or(known.first()).map(|effort| effort.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effort_is_told_in_a_word_that_the_template_knows() {
        let told = |effort: Effort, template: &str| effort.word_for(template);
        let harmony = r#"{% set reasoning_effort = reasoning_effort or "medium" %}"#;
        assert_eq!(told(Effort::Low, harmony), Some("low"));
        assert_eq!(told(Effort::Minimal, harmony), Some("low"));
        assert_eq!(told(Effort::Max, harmony), Some("high"));
        assert_eq!(told(Effort::None, harmony), None);
        let coarse = "{% if reasoning_effort not in ['none', 'high', 'max'] %}";
        assert_eq!(told(Effort::Low, coarse), Some("high"));
        assert_eq!(told(Effort::Xhigh, coarse), Some("high"));
        assert_eq!(told(Effort::Max, coarse), Some("max"));
        assert_eq!(told(Effort::None, coarse), Some("none"));
    }
}
