//! Which tool calls can be forced, and the grammar that forces them.

use serde_json::Value;

use super::grammar::{Arguments, Pattern, Property, Writer};
use super::python::is_identifier;
use super::reader::is_name;
use super::tool_call_format::ToolCallFormat;
use super::tools::ToolSpec;

/// Which calls a grammar forces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice<'a> {
    /// The model has begun a call by itself: the grammar goes on right behind [`ToolCallFormat::trigger`].
    Auto,
    /// The answer is a call of any tool.
    Required,
    /// The answer is a call of the tool with this name.
    Named(&'a str),
}

/// Why there is no grammar for these tools.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// Nothing to choose from.
    #[error("a tool call is required, but no tools are offered: give `tools`, or set `tool_choice` to \"auto\"")]
    NoTools,
    /// `tool_choice` names a tool that is not there.
    #[error("`tool_choice` names the tool {0:?}, which is not among `tools`")]
    UnknownTool(String),
    /// A name that the format cannot write.
    #[error("the tool name {0:?} has white space, quotes, brackets or more than 256 bytes: rename the tool")]
    UnwritableName(String),
    /// An argument's name that the format, which writes it without quotes, cannot write.
    #[error(
        "the tool {tool:?} has an argument named {key:?}, which this model's form of tool calls cannot write: rename the argument"
    )]
    UnwritableArgument {
        /// The tool.
        tool: String,
        /// The argument.
        key: String,
    },
    /// A schema within a schema, too many times.
    #[error("the parameters of the tool {tool:?} are nested deeper than {MAX_SCHEMA_DEPTH} levels: flatten the schema")]
    TooDeep {
        /// The tool.
        tool: String,
    },
    /// More arguments than the format's grammar can name.
    #[error("the tool {tool:?} has more than {MAX_ARGUMENTS} arguments: put some of them into an object")]
    TooManyArguments {
        /// The tool.
        tool: String,
    },
    /// More schema than is compiled.
    #[error(
        "the parameters of the tools up to {tool:?} make a grammar of more than {MAX_BYTES} bytes: offer fewer tools, or shorten their schemas"
    )]
    TooLarge {
        /// The tool that is too much.
        tool: String,
    },
}

/// The deepest nesting of a schema's JSON.
const MAX_SCHEMA_DEPTH: usize = 64;
/// The longest grammar, in bytes; nearly all of it is schemas.
const MAX_BYTES: usize = 256 * 1024;
/// The most arguments of a tool in a format that names each outside JSON.
const MAX_ARGUMENTS: usize = 64;

impl ToolCallFormat {
    /// The grammar, in llguidance's Lark, of an answer that calls `tools` as `choice` says, with arguments that are valid under
    /// their schemas; more than one call only if `parallel`. `None` where the model decides and the format has no
    /// [`ToolCallFormat::trigger`].
    ///
    /// `control` gives the id of the control token of a name: the vocabulary's markers are written as tokens where it has such,
    /// and as text where not. A thought before the call is not part of the grammar (but for harmony, where it is optional): it
    /// begins where the answer proper does.
    ///
    /// In the formats that write strings without quotes, a string is any text, or one of its `enum`; `pattern` and lengths of
    /// such strings are not forced.
    ///
    /// # Errors
    ///
    /// If no such tool is offered, or a name or a schema is not one that can be forced.
    pub fn constraint(
        self,
        tools: &[ToolSpec],
        choice: Choice<'_>,
        parallel: bool,
        control: &dyn Fn(&str) -> Option<u32>,
    ) -> Result<Option<String>, ConstraintError> {
        let tools: Vec<&ToolSpec> = match choice {
            Choice::Named(name) => tools.iter().filter(|tool| tool.name == name).take(1).collect(),
            Choice::Auto | Choice::Required => tools.iter().collect(),
        };
        match choice {
            Choice::Named(name) if tools.is_empty() => return Err(ConstraintError::UnknownTool(name.to_owned())),
            _ if tools.is_empty() => return Err(ConstraintError::NoTools),
            _ => check(&tools)?,
        }
        if choice == Choice::Auto && self.trigger().is_none() {
            return Ok(None);
        }
        let patterns = self.spec().patterns.iter();
        let fitting = |(token, _): &&(Option<&str>, Pattern)| token.is_none_or(|token| control(token).is_some());
        let Some((_, pattern)) = patterns.clone().find(fitting) else { return Ok(None) };
        for tool in &tools {
            check_arguments(tool, &pattern.arguments)?;
        }
        let mut writer = Writer::new(control);
        writer.start(pattern, if choice == Choice::Auto { self.trigger() } else { None }, parallel);
        writer.bodies(tools.len());
        for (index, tool) in tools.iter().enumerate() {
            writer.body(pattern, index, tool);
            if writer.len() > MAX_BYTES {
                return Err(ConstraintError::TooLarge { tool: tool.name.clone() });
            }
        }
        writer.string();
        Ok(Some(writer.finish()))
    }
}

/// Whether all tools can be forced.
fn check(tools: &[&ToolSpec]) -> Result<(), ConstraintError> {
    for tool in tools {
        let name = || tool.name.clone();
        if !is_name(&tool.name) || tool.name.contains('\\') {
            return Err(ConstraintError::UnwritableName(name()));
        }
        if is_deeper(&tool.parameters, MAX_SCHEMA_DEPTH) {
            return Err(ConstraintError::TooDeep { tool: name() });
        }
    }
    Ok(())
}

/// Whether the arguments of `tool` can be named one by one, where the form does that.
fn check_arguments(tool: &ToolSpec, form: &Arguments) -> Result<(), ConstraintError> {
    let can_write = |key: &str| match form {
        Arguments::Json => true,
        Arguments::Tagged(_) => is_name(key),
        Arguments::Braces(_) => is_name(key) && !key.contains([':', ',']),
        Arguments::Python => is_name(key) && is_identifier(key),
    };
    let tool_name = || tool.name.clone();
    let properties = Property::all(tool);
    if let Some(property) = properties.iter().find(|property| !can_write(property.key)) {
        return Err(ConstraintError::UnwritableArgument { tool: tool_name(), key: property.key.to_owned() });
    }
    match form {
        Arguments::Tagged(_) | Arguments::Braces(_) | Arguments::Python if properties.len() > MAX_ARGUMENTS => {
            Err(ConstraintError::TooManyArguments { tool: tool_name() })
        }
        _ => Ok(()),
    }
}

/// Whether arrays and objects lie more than `max` deep in one another. No recursion, whatever the depth.
fn is_deeper(value: &Value, max: usize) -> bool {
    let mut open = vec![(value, 0)];
    while let Some((value, depth)) = open.pop() {
        if depth > max {
            return true;
        }
        match value {
            Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(map) => open.extend(map.values().map(|item| (item, depth + 1))),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(name: &str, parameters: Value) -> ToolSpec {
        ToolSpec { name: name.to_owned(), parameters }
    }

    #[test]
    fn what_cannot_be_forced_is_an_error_that_names_the_tool() {
        let error =
            |tools: &[ToolSpec], choice| ToolCallFormat::Gemma.constraint(tools, choice, false, &|_| None).unwrap_err();
        let now = tool("now", Value::Null);
        assert_eq!(error(&[], Choice::Required), ConstraintError::NoTools);
        assert_eq!(error(&[now], Choice::Named("then")), ConstraintError::UnknownTool("then".into()));
        assert_eq!(error(&[tool("a b", Value::Null)], Choice::Auto), ConstraintError::UnwritableName("a b".into()));
        let mut deep = json!({});
        for _ in 0..100 {
            deep = json!({"properties": {"a": deep}});
        }
        assert_eq!(error(&[tool("f", deep)], Choice::Auto), ConstraintError::TooDeep { tool: "f".into() });
        let many: serde_json::Map<String, Value> = (0..65).map(|i| (format!("a{i}"), json!({}))).collect();
        let many = tool("f", json!({"properties": many}));
        assert_eq!(error(&[many], Choice::Auto), ConstraintError::TooManyArguments { tool: "f".into() });
        let strange = tool("f", json!({"properties": {"a b": {}}}));
        let key = "a b".to_owned();
        assert_eq!(error(&[strange], Choice::Auto), ConstraintError::UnwritableArgument { tool: "f".into(), key });
        let large = tool("f", json!({"properties": {"a": {"enum": [1, "x".repeat(1 << 19)]}}}));
        assert_eq!(error(&[large], Choice::Auto), ConstraintError::TooLarge { tool: "f".into() });
        assert_eq!(
            ToolCallFormat::Llama3.constraint(&[tool("now", Value::Null)], Choice::Auto, false, &|_| None),
            Ok(None)
        );
    }
}
