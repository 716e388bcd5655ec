//! Which tool-call format a model writes, found from its chat template and its vocabulary.
//!
//! A marker that is only mentioned proves nothing: comments do not count, nor do texts that a template looks for in messages, and a
//! marker that several families share counts only with the form of a call next to it. One that counts alone must be a part of
//! prompts, and no form of another family may be there.

use super::printed::Source;
use super::tool_call_format::{ALL, Spec, ToolCallFormat};

/// What proves a format in a template's source, with escapes in its texts taken for what they stand for.
#[derive(Debug)]
pub(super) enum TemplateMarker {
    /// All of these texts, wherever they stand.
    All(&'static [&'static str]),
    /// These texts in this order, with at most so many bytes between one and the next.
    Near(usize, &'static [&'static str]),
}

impl ToolCallFormat {
    /// The format that a chat template shows: in its source or, where it leaves the form of calls to the messages' content, by what
    /// the vocabulary proves. `None` if nothing is proven.
    ///
    /// `writes_calls`: the template writes the calls of a history itself. One that does so in no known form has a form of its own,
    /// whatever the vocabulary has.
    pub fn detect(template_source: &str, writes_calls: bool, has_token: &dyn Fn(&str) -> bool) -> Option<Self> {
        let source = Source::new(template_source);
        let shows = |weak: bool| {
            let template_markers = |spec: &Spec| {
                spec.template_markers.iter().any(|marker| marker.is_weak() == weak && marker.shows_in(&source))
            };
            ALL.iter().find(|(_, spec)| template_markers(spec))
        };
        let shown = shows(false).or_else(|| shows(true));
        let proven = || {
            let proves = |tokens: &[&str]| !tokens.is_empty() && tokens.iter().all(|token| has_token(token));
            ALL.iter().find(|(_, spec)| proves(spec.tokens)).filter(|_| !writes_calls && source.text.contains("tool"))
        };
        shown.or_else(proven).map(|(format, _)| *format)
    }
}

impl TemplateMarker {
    /// Whether it is one marker alone, which proves something only as a part of prompts. The others are forms of calls.
    fn is_weak(&self) -> bool {
        matches!(self, TemplateMarker::All([_]))
    }

    fn shows_in(&self, source: &Source) -> bool {
        match self {
            TemplateMarker::All([text]) => source.printed(text).next().is_some(),
            TemplateMarker::All(texts) => texts.iter().all(|text| source.places(text).next().is_some()),
            TemplateMarker::Near(most, texts) => texts.split_first().is_some_and(|(first, others)| {
                source.places(first).any(|at| {
                    let follows = |end: usize, text: &&str| {
                        let near = source.text.floor_char_boundary(end + most + text.len());
                        Some(end + source.text[end..near].find(text)? + text.len())
                    };
                    others.iter().try_fold(at + first.len(), follows).is_some()
                })
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str) -> Option<&'static str> {
        ToolCallFormat::detect(source, true, &|_| false).map(ToolCallFormat::name)
    }

    #[test]
    fn templates_show_their_tool_call_format() {
        for (source, format) in [
            (
                "<tool_call>\\n{\\\"name\\\": <function-name>, \\\"arguments\\\": <args-json-object>}\\n</tool_call>",
                "hermes",
            ),
            ("{{ '<tool_call>\\n' }}{{ message.tool_calls | tojson }}{{ '\\n</tool_call>' }}", "hermes"),
            ("<tool_call>\n{'arguments': <args-dict>, 'name': <function-name>}\n</tool_call>", "hermes"),
            ("<tool_call>\\n<function=example>\\n<parameter=p>", "qwen-coder"),
            ("<seed:tool_call>\\n<function=example>\\n<parameter=p>", "seed"),
            ("<seed:tool_call>\\n<function=f>\\n<parameter=p>v</parameter>\\n</function>\\n</seed:tool_call>", "seed"),
            (
                "{{ '<tool_call>' + name }}<arg_key>{{ k }}</arg_key><arg_value>{{ v | tojson }}</arg_value></tool_call>",
                "glm45",
            ),
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
            assert_eq!(shown(source), Some(format), "{source}");
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
            "{{ tools }}Never write [TOOL_CALLS] or <|python_tag|>.",
            "{{ 'Never write <seed:tool_call>, [TOOL_CALLS] or `<|python_tag|>`.' }}",
            "{{ 'You must not use [TOOL_CALLS]' }}{{ raise_exception('[TOOL_CALLS] is reserved') }}",
            "{{ m.content.split( '[TOOL_CALLS]' )[0] }}",
            "{{ m.content.removeprefix('[TOOL_CALLS]') | replace('<|python_tag|>', '') }}",
            "{% set mark='[TOOL_CALLS]' %}{% set text = m.content.split(mark)[0] %}{{ text }}",
            "{% if m.content == '[TOOL_CALLS]' or '<TOOLCALL>' == m.content %}{{ m.content }}{% endif %}",
            "{% if ('[TOOL_CALLS]') in m.content %}{{ tools }}{% endif %}",
            "{% for t in ['[TOOL_CALLS]', '<|python_tag|>'] %}{{ m.content.replace(t, '') }}{% endfor %}",
            "{% set marks = ['[TOOL_CALLS]'] %}{{ 'x' if m.content in ('<TOOLCALL>', '<|tool_call|>') else 'y' }}",
            "{% if m.content.startswith(('[TOOL_CALLS]', '<TOOLCALL>')) %}{% endif %}",
        ] {
            assert_eq!(shown(source), None, "{source}");
        }
    }

    #[test]
    fn a_form_of_calls_counts_before_a_marker_alone() {
        let hermes = "{{ '<tool_call>\\n{\"name\": ' }}{{ '</tool_call>' }}{{ tools }}";
        for marker in ["[TOOL_CALLS] [", "{{ '<|python_tag|>' }}", "<TOOLCALL>["] {
            assert_eq!(shown(&format!("{hermes}{marker}")), Some("hermes"));
            assert_eq!(shown(&format!("{marker}{hermes}")), Some("hermes"));
        }
    }

    #[test]
    fn a_marker_that_is_printed_in_any_way_proves_its_tool_call_format() {
        for source in [
            "[TOOL_CALLS] [{{ call }}]",
            "{{ '[TOOL_CALLS] [' + call + ']' }}",
            "{{- \"[TOOL_CALLS]\" ~ call.name -}}",
            "{% set mark = '[TOOL_CALLS]' %}{% if mark in m.content %}{% endif %}{{ mark + call }}",
            "{% set text = text + '[TOOL_CALLS]' %}{{ text }}",
            "{{ m.content.replace('x', '[TOOL_CALLS]') }}",
            "{{ '[TOOL_CALLS]' if calls else '' }}",
            "{{ ('[TOOL_CALLS]' + call) if m.role == 'assistant' }}",
            "{{ ['[TOOL_CALLS]', call] | join }}",
            "{{ '[TOOL_CALLS]",
        ] {
            assert_eq!(shown(source), Some("mistral"), "{source}");
        }
    }

    #[test]
    fn tokens_prove_a_tool_call_format_only_where_the_template_leaves_calls_to_the_content() {
        let has = |token: &str| token == "[TOOL_CALLS]";
        assert_eq!(ToolCallFormat::detect("{{ tools }}", false, &has), Some(ToolCallFormat::Mistral));
        assert_eq!(ToolCallFormat::detect("{{ tools }}{{ '<call>' + call.name }}", true, &has), None);
        assert_eq!(ToolCallFormat::detect("{{ messages }}", false, &has), None);
    }
}
