//! The templates of a model, and which of them a conversation takes.

use std::ops::Range;
use std::sync::OnceLock;

use serde_json::{Map, Value as Json};

use super::{ChatTemplate, TemplateError, TemplateInput, builtin, dropped_messages, history, merge, origin};
use crate::output::ToolCallFormat;
use inglenook_format::gguf::{Metadata, Value};

/// The name of the template that is taken where nothing speaks for another.
const DEFAULT: &str = "default";

/// The one that is taken where there are tools.
const TOOL_USE: &str = "tool_use";

/// Most templates that a file may have.
const MAX_TEMPLATES: usize = 64;

/// Prefix of the GGUF keys that hold templates.
const GGUF_KEY: &str = "tokenizer.chat_template";

/// A model's templates.
#[derive(Debug, Default)]
pub struct ChatTemplates {
    /// By name. One that is no template is an error only where it is chosen.
    own: Vec<(String, Result<ChatTemplate, TemplateError>)>,
    /// The name of the built-in one that the vocabulary proves.
    proven: Option<&'static str>,
    /// Built-in ones that were used.
    builtin: [OnceLock<ChatTemplate>; builtin::COUNT],
}

/// A request for a prompt, in OpenAI's terms. Fields are as in [`TemplateInput`].
#[derive(Clone, Debug, Default)]
pub struct ChatInput<'a> {
    /// The conversation as OpenAI's API has it.
    pub messages: &'a [Json],
    /// The tools on offer.
    pub tools: Option<&'a [Json]>,
    /// Documents to answer from.
    pub documents: Option<&'a [Json]>,
    /// Whether the prompt ends with the beginning of the assistant's turn.
    pub add_generation_prompt: bool,
    /// Whether the prompt ends within the last message.
    pub continue_final_message: bool,
    /// The name of the template to take: one of the model's own, or a built-in one.
    pub template: Option<&'a str>,
    /// Further variables.
    pub extra: Option<&'a Map<String, Json>>,
    /// The text of the begin-of-text token.
    pub bos_token: &'a str,
    /// The text of the end-of-text token.
    pub eos_token: &'a str,
    /// The caller's local time.
    pub local_time: Option<i64>,
    /// How the model writes calls; without it, as the template's source shows ([`ChatTemplate::tool_call_format`]).
    pub tool_call_format: Option<ToolCallFormat>,
}

/// A rendered prompt.
#[derive(Debug)]
pub struct Prompt<'t> {
    /// Its text.
    pub text: String,
    /// What the conversation brought in of it, and not the template: bytes, in order.
    pub user: Vec<Range<usize>>,
    /// The template that made it.
    pub template: &'t ChatTemplate,
}

impl ChatTemplates {
    /// The templates of a GGUF file: `tokenizer.chat_template`, and `tokenizer.chat_template.NAME` for named ones. A value that
    /// is no string counts as absent.
    pub fn from_gguf(metadata: &Metadata) -> Self {
        let templates = metadata.iter().filter_map(|(key, value)| {
            let Value::String(source) = value else { return None };
            // An empty text is no template.
            source.chars().any(|c| !c.is_whitespace()).then_some(())?;
            let name = match key.strip_prefix(GGUF_KEY)? {
                "" => DEFAULT,
                named => named.strip_prefix('.')?,
            };
            Some((name, source.as_str()))
        });
        Self::new(templates)
    }

    /// The templates of a folder as Hugging Face keeps them: the member `chat_template` of `tokenizer_config.json` (a text, or a list
    /// of `name` and `template`), and `chat_template.jinja`, which is the default where it exists.
    pub fn from_hugging_face(tokenizer_config: &Json, chat_template: Option<&str>) -> Self {
        let listed = match &tokenizer_config["chat_template"] {
            Json::String(source) => vec![(DEFAULT, source.as_str())],
            Json::Array(templates) => templates
                .iter()
                .filter_map(|template| Some((template["name"].as_str()?, template["template"].as_str()?)))
                .collect(),
            _ => Vec::new(),
        };
        let file = chat_template.map(|source| (DEFAULT, source));
        Self::new(file.into_iter().chain(listed))
    }

    /// Templates by name; of several with the same name, the first.
    fn new<'a>(templates: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut own: Vec<(String, Result<ChatTemplate, TemplateError>)> = Vec::new();
        for (name, source) in templates {
            if own.len() < MAX_TEMPLATES && own.iter().all(|(known, _)| known != name) {
                own.push((name.to_owned(), ChatTemplate::new(source)));
            }
        }
        Self { own, ..Self::default() }
    }

    /// The same templates, and where the model has none, the built-in one that its vocabulary proves ([`builtin::prove`]).
    pub fn with_proof(mut self, is_control: &dyn Fn(&str) -> bool) -> Self {
        self.proven = builtin::prove(is_control);
        self
    }

    /// The names that a caller may choose among: the model's own, then the built-in ones.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.own.iter().map(|(name, _)| name.as_str()).chain(builtin::names().map(|name| -> &str { name }))
    }

    /// The template for a conversation: the one that is named; else, where there are tools, the one for tools, as transformers
    /// chooses; else the default; else the built-in one that the vocabulary proves.
    ///
    /// # Errors
    /// [`TemplateError::NoTemplate`], [`TemplateError::NoSuchTemplate`], or what is wrong with the template chosen.
    pub fn choose(&self, name: Option<&str>, has_tools: bool) -> Result<&ChatTemplate, TemplateError> {
        if let Some(name) = name {
            return match self.find(name) {
                Some(template) => template,
                None => self.builtin(name).unwrap_or_else(|| {
                    let known = self.names().collect::<Vec<_>>().join(", ");
                    Err(TemplateError::NoSuchTemplate { name: name.to_owned(), known })
                }),
            };
        }
        let for_tools = if has_tools { self.find(TOOL_USE) } else { None };
        let found = for_tools.or_else(|| self.find(DEFAULT));
        let found = found.or_else(|| self.builtin(self.proven.filter(|_| self.own.is_empty())?));
        found.unwrap_or(Err(TemplateError::NoTemplate))
    }

    fn find(&self, name: &str) -> Option<Result<&ChatTemplate, TemplateError>> {
        let (_, template) = self.own.iter().find(|(known, _)| known == name)?;
        Some(template.as_ref().map_err(Clone::clone))
    }

    fn builtin(&self, name: &str) -> Option<Result<&ChatTemplate, TemplateError>> {
        let at = builtin::names().position(|known| known == name)?;
        let slot = self.builtin.get(at)?;
        if let Some(template) = slot.get() {
            return Some(Ok(template));
        }
        Some(ChatTemplate::new(builtin::source(name)?).map(|template| slot.get_or_init(|| template)))
    }

    /// The prompt for a conversation, with the history brought into the form that the template takes ([`history`]).
    ///
    /// # Errors
    /// Those of [`Self::choose`] and of [`ChatTemplate::render`], and those of a history that the template has no place for.
    pub fn render(&self, input: &ChatInput<'_>) -> Result<Prompt<'_>, TemplateError> {
        let tools = input.tools.filter(|tools| !tools.is_empty());
        let template = self.choose(input.template, tools.is_some())?;
        let own = if template.capabilities().calls { None } else { origin::own_mark(input.messages) };
        let tool_call_format = input.tool_call_format.or_else(|| template.tool_call_format(&|_| false));
        let mut messages = history::normalise(input.messages, tools.is_some(), template, tool_call_format)?;
        loop {
            let normal = TemplateInput {
                messages: &messages,
                tools,
                documents: input.documents,
                add_generation_prompt: input.add_generation_prompt,
                continue_final_message: input.continue_final_message,
                bos_token: input.bos_token,
                eos_token: input.eos_token,
                extra: input.extra,
                local_time: input.local_time,
            };
            let (text, user) = template.compose(&normal, None, own)?;
            match dropped_messages::first(template, &normal) {
                None => return Ok(Prompt { text, user, template }),
                // Some show it only where the last message is a user's, and not a tool's result.
                Some(0) if messages[0]["role"] == "system" => merge::merge_system(&mut messages),
                Some(at) => {
                    return Err(TemplateError::DroppedMessage(dropped_messages::given_place(
                        at,
                        &messages,
                        input.messages,
                    )));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn gguf(entries: &[(&str, &str)]) -> ChatTemplates {
        let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
        ChatTemplates::from_gguf(&Metadata::new(entries).unwrap())
    }

    fn chosen(templates: &ChatTemplates, name: Option<&str>, has_tools: bool) -> String {
        match templates.choose(name, has_tools) {
            Ok(template) => template.source().chars().take(9).collect(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn tools_take_their_template_and_a_name_wins() {
        let key = "tokenizer.chat_template";
        let templates = gguf(&[(key, "plain"), (&format!("{key}.tool_use"), "tools"), (&format!("{key}.rag"), "rag")]);
        assert_eq!(chosen(&templates, None, false), "plain");
        assert_eq!(chosen(&templates, None, true), "tools");
        assert_eq!(chosen(&templates, Some("rag"), true), "rag");
        assert_eq!(chosen(&templates, Some("chatml"), false), "{#- bos= ");
        let none = chosen(&templates, Some("x"), false);
        assert!(none.contains("\"x\"") && none.contains("default, tool_use, rag, alpaca, chatml"), "{none}");
    }

    #[test]
    fn hugging_face_keeps_templates_in_three_ways() {
        let one = ChatTemplates::from_hugging_face(&json!({"chat_template": "a"}), None);
        assert_eq!(chosen(&one, None, true), "a");
        let listed =
            json!({"chat_template": [{"name": "default", "template": "a"}, {"name": "tool_use", "template": "b"}, {}]});
        let listed = ChatTemplates::from_hugging_face(&listed, None);
        assert_eq!((chosen(&listed, None, false), chosen(&listed, None, true)), ("a".into(), "b".into()));
        let file = ChatTemplates::from_hugging_face(&json!({"chat_template": "a"}), Some("c"));
        assert_eq!(chosen(&file, None, false), "c");
    }

    /// Found with Mistral's templates, which put a system message into the last message where that is a user's.
    #[test]
    fn a_system_message_that_goes_with_the_last_question_is_kept_where_a_result_is_last() {
        let source = "{% for m in messages %}{% if m.role == 'user' %}[{{ messages[0].content ~ ' ' if loop.last and messages[0].role == 'system' }}\
                      {{ m.content }}]{% elif m.role != 'system' %}{{ m.tool_calls or m.content }}{% endif %}{% endfor %}";
        let templates = gguf(&[("tokenizer.chat_template", source)]);
        let call = json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let mut messages = vec![json!({"role": "system", "content": "s"}), json!({"role": "user", "content": "u"})];
        let render =
            |messages: &[Json]| templates.render(&ChatInput { messages, ..ChatInput::default() }).unwrap().text;
        assert_eq!(render(&messages), "[s u]");
        messages.push(json!({"role": "assistant", "tool_calls": [call]}));
        messages.push(json!({"role": "tool", "tool_call_id": "1", "content": "r"}));
        let text = render(&messages);
        assert!(text.starts_with("[s\n\nu]") && text.ends_with('r'), "{text}");
    }

    #[test]
    fn a_built_in_template_stands_in_only_where_there_is_none_and_no_doubt() {
        let is_chatml = |token: &str| token.starts_with("<|im_") && token != "<|im_sep|>" && token != "<|im_middle|>";
        let none = || ChatTemplates::default();
        assert!(matches!(none().choose(None, false), Err(TemplateError::NoTemplate)));
        assert!(none().with_proof(&is_chatml).choose(None, false).is_ok());
        assert!(matches!(none().with_proof(&|_| true).choose(None, false), Err(TemplateError::NoTemplate)));
        // A template that is broken is not silently replaced.
        let broken = gguf(&[("tokenizer.chat_template", "{{")]).with_proof(&is_chatml);
        assert!(matches!(broken.choose(None, false), Err(TemplateError::Syntax { .. })));
    }
}
