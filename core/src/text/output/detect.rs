//! Which dialect a model writes, found from its chat template and its vocabulary.
//!
//! A marker that is only mentioned proves nothing: comments do not count, nor do texts that a template looks for in messages, and a
//! marker that several families share counts only with the form of a call next to it.

use super::dialect::{ALL, Dialect};

/// What proves a dialect in a template's source, with escapes in its texts taken for what they stand for.
#[derive(Debug)]
pub(super) enum Sign {
    /// All of these texts, wherever they stand.
    All(&'static [&'static str]),
    /// These texts in this order, with at most so many bytes between one and the next.
    Near(usize, &'static [&'static str]),
}

impl Dialect {
    /// The dialect that a chat template shows: in its source or, where it leaves the form of calls to the messages' content, by what
    /// the vocabulary proves. `None` if nothing is proven.
    ///
    /// `writes_calls`: the template writes the calls of a history itself. One that does so in no known form has a form of its own,
    /// whatever the vocabulary has.
    pub fn detect(template_source: &str, writes_calls: bool, has_token: &dyn Fn(&str) -> bool) -> Option<Self> {
        let source = Source::new(template_source);
        let shown = ALL.iter().find(|(_, spec)| spec.signs.iter().any(|sign| source.shows(sign)));
        let proven = || {
            let proves = |tokens: &[&str]| !tokens.is_empty() && tokens.iter().all(|token| has_token(token));
            ALL.iter().find(|(_, spec)| proves(spec.tokens)).filter(|_| !writes_calls && source.0.contains("tool"))
        };
        shown.or_else(proven).map(|(dialect, _)| *dialect)
    }
}

/// A template's source without its comments, and with the escapes of its texts resolved.
struct Source(String);

impl Source {
    fn new(source: &str) -> Self {
        let mut plain = String::with_capacity(source.len());
        let mut rest = source;
        while let Some((before, comment)) = rest.split_once("{#") {
            plain.push_str(before);
            rest = comment.split_once("#}").map_or("", |(_, behind)| behind);
        }
        plain.push_str(rest);
        Self(plain.replace("\\n", "\n").replace("\\\"", "\"").replace("\\'", "'"))
    }

    fn shows(&self, sign: &Sign) -> bool {
        match sign {
            Sign::All(texts) => texts.iter().all(|text| self.places(text).next().is_some()),
            Sign::Near(most, texts) => texts.split_first().is_some_and(|(first, others)| {
                self.places(first).any(|at| {
                    let follows = |end: usize, text: &&str| {
                        let near = self.0.floor_char_boundary(end + most + text.len());
                        Some(end + self.0[end..near].find(text)? + text.len())
                    };
                    others.iter().try_fold(at + first.len(), follows).is_some()
                })
            }),
        }
    }

    /// Where `text` stands and is not what the template looks for in a message.
    fn places<'a>(&'a self, text: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.0.match_indices(text).map(|(at, _)| at).filter(|at| {
            let (before, behind) = (&self.0[..*at], &self.0[at + text.len()..]);
            !(is_argument_of_a_search(before) || is_left_of_in(behind))
        })
    }
}

/// Whether `before` ends with the beginning of a call such as `content.split('`.
fn is_argument_of_a_search(before: &str) -> bool {
    const SEARCHES: [&str; 7] = ["split", "replace", "startswith", "endswith", "find", "partition", "count"];
    let call = before.strip_suffix(['\'', '"']).and_then(|call| call.strip_suffix('('));
    call.is_some_and(|call| SEARCHES.iter().any(|name| call.ends_with(name)))
}

/// Whether `behind` begins with the end of a test such as `' in content`.
fn is_left_of_in(behind: &str) -> bool {
    let test = behind.strip_prefix(['\'', '"']).map(str::trim_start);
    test.is_some_and(|test| test.starts_with("in ") || test.starts_with("not in "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str) -> Option<&'static str> {
        Dialect::detect(source, true, &|_| false).map(Dialect::name)
    }

    #[test]
    fn templates_show_their_dialect() {
        for (source, dialect) in [
            (
                "<tool_call>\\n{\\\"name\\\": <function-name>, \\\"arguments\\\": <args-json-object>}\\n</tool_call>",
                "hermes",
            ),
            ("{{ '<tool_call>\\n' }}{{ message.tool_calls | tojson }}{{ '\\n</tool_call>' }}", "hermes"),
            ("<tool_call>\n{'arguments': <args-dict>, 'name': <function-name>}\n</tool_call>", "hermes"),
            ("<tool_call>\\n<function=example>\\n<parameter=p>", "qwen-coder"),
            ("<seed:tool_call>\\n<function=example>\\n<parameter=p>", "seed"),
            ("<minimax:tool_call>\\n<invoke name=\"t\">", "minimax"),
            ("<tool_calls>\\n{\\\"name\\\": \\\"f\\\", \\\"arguments\\\": {}}\\n</tool_calls>", "minimax-m1"),
            (
                "{% set ns = ']<]minimax[>[' %}{{ ns ~ '<tool_call>' ~ ns }}{{ call | tojson }}{{ '</tool_call>' }}",
                "minimax-m3",
            ),
            ("Environment: ipython {\"name\": function name, \"parameters\": dictionary}", "llama3"),
            ("<|python_tag|> builtin_tools", "llama3"),
            ("{{ '[TOOL_CALLS] [' }}", "mistral"),
            ("[gMASK]<sop> <|observation|>", "glm4"),
            ("[gMASK]<sop> <tool_call>{function-name}\\n<arg_key> <|observation|>", "glm45"),
            ("{{ '<tool_call' ~ s ~ '>' ~ name ~ '<tool_sep' ~ s ~ '>' }}{{ '<arg_key' ~ s }}", "hunyuan3"),
            ("<|start|>assistant<|channel|>commentary", "harmony"),
            ("```tool_code", "gemma"),
            ("{{ '<|tool_call>call:' + name + '{' }}", "gemma4"),
            ("{{ '<start_function_call>call:' + name + '{' }}", "function-gemma"),
            (">>>all\\n${content}", "functionary"),
            ("<function=example_function_name>{\"a\": 1}</function>", "functionary-v3.1"),
            ("<function name=\\\"f\\\"><param name=\\\"p\\\">v</param></function>", "minicpm5"),
            ("<｜tool▁call▁begin｜>function<｜tool▁sep｜>\\n```json", "deepseek"),
            ("<｜tool▁call▁begin｜>' + name + '<｜tool▁sep｜>", "deepseek-v3.1"),
            ("{% set dsml = '｜DSML｜' %}{% if message.tool_calls %}<{{ dsml }}function_calls>", "deepseek-v3.2"),
            ("<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"f\">", "deepseek-v4"),
            ("<|tool_list_start|>[", "lfm2"),
            ("Action: ```json [{\"tool_name\": title}]```", "command-r"),
            ("<|START_ACTION|>[", "command-r7b"),
            ("<|tool_calls_section_begin|>", "kimi-k2"),
            ("{{ '<|open|>call tool=' }}{{ '<|open|>argument' }}{{ '<|sep|>' }}{{ '<|close|>' + tag }}", "kimi-k3"),
            ("{{ '<|tool_call|>' }}", "granite"),
            ("'<|tool|>' + tools + '<|/tool|>'", "granite"),
            ("<TOOLCALL>[", "nemotron"),
            ("{{ '<|tools_prefix|>[' }}", "apertus"),
            (
                "within <tool_call></tool_call> XML tags:\n<tool_calls>[{\"name\": <name>, \"arguments\": <args>}]</tool_calls>",
                "apriel",
            ),
            ("{{ '<|tool_calls|>' }}{{ '<|tool_call:begin|>' + call.id }}", "solar-open"),
            ("{% set role_sep = '<|role_sep|>' %}{{ 'function call' + role_sep }}", "gigachat3"),
            ("{{ ' functools[' }}", "firefunction"),
        ] {
            assert_eq!(shown(source), Some(dialect), "{source}");
        }
        assert_eq!(shown("{% for m in messages %}{{ m.content }}{% endfor %}"), None);
    }

    #[test]
    fn a_marker_that_is_only_mentioned_proves_nothing() {
        for source in [
            "Tools: {{ tools | tojson }}. Never write <tool_call> or </tool_call>.",
            "{#- older models wrote <tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call> -#}{{ tools }}",
            "{{ tools }}{# [TOOL_CALLS] #}{#- <|python_tag|>",
            "{{ message.content.split('[TOOL_CALLS]')[0] }}{{ tools }}",
            "{{ message.content.replace(\"<|python_tag|>\", '') }}",
            "{% if '<TOOLCALL>' in message.content %}{% endif %}{% if \"<|START_ACTION|>\" not in text %}{% endif %}",
            "Answer with <tool_calls> or with <tool_call>, as you like.",
            "<tool_call>{{ call.name }}({{ call.arguments }})</tool_call>",
        ] {
            assert_eq!(shown(source), None, "{source}");
        }
    }

    #[test]
    fn tokens_prove_a_dialect_only_where_the_template_leaves_calls_to_the_content() {
        let has = |token: &str| token == "[TOOL_CALLS]";
        assert_eq!(Dialect::detect("{{ tools }}", false, &has), Some(Dialect::Mistral));
        assert_eq!(Dialect::detect("{{ tools }}{{ '<call>' + call.name }}", true, &has), None);
        assert_eq!(Dialect::detect("{{ messages }}", false, &has), None);
    }
}
