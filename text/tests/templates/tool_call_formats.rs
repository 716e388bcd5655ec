//! Which format each template shows, and what becomes of calls where a template leaves them to the content.

use inglenook_format::gguf::Metadata;
use inglenook_text::output::ToolCallFormat;
use inglenook_text::{ChatInput, ChatTemplate, ChatTemplates, TemplateError};
use serde_json::{Value, json};

use super::{files, template};

/// The templates that show a format by themselves, whatever the vocabulary. All others show none.
const SHOWN: [(&str, &str); 31] = [
    ("chatml", "hermes"),
    ("cogito", "hermes"),
    ("command-a", "command-r7b"),
    ("command-r-tool_use", "command-r"),
    ("deepseek-v3", "deepseek"),
    ("deepseek-v31", "deepseek-v3.1"),
    ("falcon3", "hermes"),
    ("functionary", "functionary"),
    ("glm4", "glm4"),
    ("glm4-0414", "glm4"),
    ("glm45", "glm45"),
    ("gpt-oss", "harmony"),
    ("granite33", "granite"),
    ("harmony", "harmony"),
    ("hermes2-pro-tool_use", "hermes"),
    ("jamba", "apriel"),
    ("kimi-k2", "kimi-k2"),
    ("lfm2", "lfm2"),
    ("llama31", "llama3"),
    ("llama32", "llama3"),
    ("llama4", "llama3"),
    ("minimax", "minimax"),
    ("mistral-small3", "mistral"),
    ("mistral-v3-instruct", "mistral"),
    ("mistral-v3", "mistral"),
    ("mistral-v3-tekken", "mistral"),
    ("mistral-v3-tekken-instruct", "mistral"),
    ("mistral-v7", "mistral"),
    ("mistral-v7-tekken", "mistral"),
    ("nemotron", "nemotron"),
    ("phi4-mini", "granite"),
];

/// More of them, which write calls as Hermes does or in Qwen3-Coder's form.
const QWEN: [(&str, &str); 6] = [
    ("qwen25", "hermes"),
    ("qwen3", "hermes"),
    ("qwen3-coder", "qwen-coder"),
    ("qwen3-thinking", "hermes"),
    ("qwq", "hermes"),
    ("smollm3", "hermes"),
];

#[test]
fn every_template_shows_its_tool_call_format_or_none() {
    let mut wrong = Vec::new();
    for (name, _) in files("goldens/templates", "json") {
        let shown = ChatTemplate::new(&template(&name)).unwrap().tool_call_format(&|_| false).map(ToolCallFormat::name);
        let expected =
            SHOWN.iter().chain(&QWEN).find(|(known, _)| *known == name).map(|(_, tool_call_format)| *tool_call_format);
        if shown != expected {
            wrong.push(format!("{name}: {shown:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A template that describes tools and prints contents, and leaves the form of calls to them.
const LEFT_TO_CONTENT: &str = "{%- if tools %}{{ 'Tools: ' + (tools | tojson) }}{% endif %}\
    {%- for m in messages %}{{ '[' + m.role + ']' + (m.content if m.content is string else '') }}{% endfor %}";

fn call(name: &str) -> Value {
    json!({"id": "1", "type": "function", "function": {"name": name, "arguments": "{\"city\": \"Oslo\"}"}})
}

fn rendered(source: &str, tool_call_format: Option<ToolCallFormat>) -> Result<String, TemplateError> {
    let metadata = Metadata::new(vec![("tokenizer.chat_template".to_owned(), source.into())]).unwrap();
    let templates = ChatTemplates::from_gguf(&metadata);
    let tools = [json!({"type": "function", "function": {"name": "get_weather", "parameters": {}}})];
    let messages = [
        json!({"role": "user", "content": "Weather?"}),
        json!({"role": "assistant", "content": null, "tool_calls": [call("get_weather")]}),
        json!({"role": "tool", "tool_call_id": "1", "content": "4"}),
    ];
    let input = ChatInput { messages: &messages, tools: Some(&tools), tool_call_format, ..ChatInput::default() };
    templates.render(&input).map(|prompt| prompt.text)
}

/// Found where answers were read in the format that the vocabulary proved, and the calls of the history were refused.
#[test]
fn calls_of_a_history_are_written_in_the_tool_call_format_that_the_vocabulary_proves() {
    for (tokens, written) in [
        (&["<|tool_call_start|>", "<|tool_call_end|>"][..], "<|tool_call_start|>[get_weather(city=\"Oslo\")]"),
        (
            &["<tool_call>", "</tool_call>"],
            "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}",
        ),
        (&["<|tools_prefix|>", "<|tools_suffix|>"], "<|tools_prefix|>[{\"get_weather\": {\"city\": \"Oslo\"}}]"),
        (&["<|tool_call>", "<tool_call|>"], "<|tool_call>call:get_weather{city:<|\"|>Oslo<|\"|>}<tool_call|>"),
        (&["[TOOL_CALLS]"], "[TOOL_CALLS] [{\"name\": \"get_weather\""),
    ] {
        let template = ChatTemplate::new(LEFT_TO_CONTENT).unwrap();
        let tool_call_format = template.tool_call_format(&|token| tokens.contains(&token));
        assert!(tool_call_format.is_some(), "{tokens:?}");
        let text = rendered(LEFT_TO_CONTENT, tool_call_format).unwrap();
        assert!(text.contains(&format!("[assistant]{written}")), "{text}");
    }
    assert_eq!(rendered(LEFT_TO_CONTENT, None), Err(TemplateError::Unsupported("tool calls")));
}

#[test]
fn the_vocabulary_proves_nothing_where_the_template_writes_calls_in_a_form_of_its_own() {
    let own = LEFT_TO_CONTENT.replace(
        "{% endfor %}",
        "{% for c in m.tool_calls or [] %}{{ '<call>' + c.function.name + (c.function.arguments | tojson) }}{% endfor %}{% endfor %}",
    );
    let has = |token: &str| matches!(token, "<tool_call>" | "</tool_call>");
    assert_eq!(ChatTemplate::new(&own).unwrap().tool_call_format(&has), None);
    assert_eq!(ChatTemplate::new(LEFT_TO_CONTENT).unwrap().tool_call_format(&has), Some(ToolCallFormat::Hermes));
    assert!(rendered(&own, None).unwrap().contains("<call>get_weather{"));
}

/// The signs of templates that the goldens do not have, in words of our own.
#[test]
fn templates_that_write_calls_show_their_tool_call_format_and_write_what_it_reads() {
    let each = |call: &str| {
        format!(
            "{{{{ tools | tojson if tools else '' }}}}{{%- for m in messages %}}{{{{ '[' + m.role + ']' + (m.content or '') }}}}\
             {{%- for c in m.tool_calls or [] %}}{call}{{% endfor %}}{{% endfor %}}"
        )
    };
    let pairs = |pair: &str| format!("{{%- for k, v in c.function.arguments | items %}}{pair}{{% endfor %}}");
    for (format, call) in [
        (
            "gemma4",
            "{{ '<|tool_call>call:' + c.function.name + '{' }}".to_owned()
                + &pairs("{{ k + ':<|\"|>' + v + '<|\"|>' }}")
                + "{{ '}<tool_call|>' }}",
        ),
        (
            "deepseek-v3.2",
            "{%- set mark = '｜DSML｜' %}<{{ mark }}function_calls>\n<{{ mark }}invoke name=\"{{ c.function.name }}\">\n".to_owned()
                + &pairs("<{{ mark }}parameter name=\"{{ k }}\" string=\"true\">{{ v }}</{{ mark }}parameter>")
                + "\n</{{ mark }}invoke>\n</{{ mark }}function_calls>",
        ),
        (
            "apertus",
            "{{ '<|tools_prefix|>[{\"' + c.function.name + '\": ' + (c.function.arguments | tojson) + '}]<|tools_suffix|>' }}"
                .to_owned(),
        ),
        (
            "apriel",
            "{{ '<tool_calls>[{\"name\": \"' + c.function.name + '\", \"arguments\": ' + (c.function.arguments | tojson) + '}]</tool_calls>' }}"
                .to_owned(),
        ),
        (
            "gigachat3",
            "{{ '<|message_sep|>\n\nfunction call' + '<|role_sep|>\n' }}\
             {{ '{\"name\": \"' ~ c.function.name ~ '\", \"arguments\": ' ~ (c.function.arguments | tojson) ~ '}' }}"
                .to_owned(),
        ),
        (
            "kimi-k3",
            "{% set sep = '<|sep|>' %}{{ '<|open|>tools' + sep + '<|open|>call tool=\"' + c.function.name + '\" index=\"1\"' + sep }}".to_owned()
                + &pairs("{{ '<|open|>argument key=\"' + k + '\" type=\"string\"' + sep + v + '<|close|>argument' + sep }}")
                + "{{ '<|close|>call' + sep + '<|close|>tools' + sep }}",
        ),
        (
            "hunyuan3",
            "{%- set s = ':opensource' %}{{ '<tool_calls' + s + '>\n<tool_call' + s + '>' + c.function.name + '<tool_sep' + s + '>\n' }}".to_owned()
                + &pairs("{{ '<arg_key' + s + '>' + k + '</arg_key' + s + '>\n<arg_value' + s + '>' + v + '</arg_value' + s + '>\n' }}")
                + "{{ '</tool_call' + s + '>\n</tool_calls' + s + '>' }}",
        ),
        (
            "solar-open",
            "{{ '<|tool_calls|><|tool_call:begin|>' + c.id + '<|tool_call:name|>' + c.function.name }}\
             {{ '<|tool_call:args|>' + (c.function.arguments | tojson) + '<|tool_call:end|><|calls|>' }}"
                .to_owned(),
        ),
        (
            "minicpm5",
            "{{ '<function name=\"' + c.function.name + '\">' }}".to_owned()
                + &pairs("{{ '<param name=\"' + k + '\">' + v + '</param>' }}")
                + "{{ '</function>' }}",
        ),
        (
            "minimax-m3",
            "{% set ns = ']<]minimax[>[' %}{{ ns + '<tool_call>\n' + ns + '<invoke name=\"' + c.function.name + '\">' }}".to_owned()
                + &pairs("{{ ns + '<' + k + '>' + v + ns + '</' + k + '>' }}")
                + "{{ ns + '</invoke>\n' + ns + '</tool_call>' }}",
        ),
        (
            "minimax-m1",
            "{{ '<tool_calls>\n{\"name\": \"' + c.function.name + '\", \"arguments\": ' + (c.function.arguments | tojson) + '}\n</tool_calls>' }}"
                .to_owned(),
        ),
        (
            "firefunction",
            "{{ ' functools[{\"name\": \"' + c.function.name + '\", \"arguments\": ' + (c.function.arguments | tojson) + '}]' }}"
                .to_owned(),
        ),
    ] {
        let source = each(&call);
        // Tokens of another family in the vocabulary change nothing.
        let shown = ChatTemplate::new(&source).unwrap().tool_call_format(&|token| token.contains("tool_call>"));
        assert_eq!(shown.map(ToolCallFormat::name), Some(format), "{source}");
        let text = rendered(&source, None).unwrap_or_else(|error| panic!("{format}: {error}"));
        let (_, written) = text.split_once("[assistant]").unwrap();
        let (written, _) = written.split_once("[tool]").unwrap();
        assert_eq!(read(shown, written), [("get_weather".to_owned(), json!({"city": "Oslo"}))], "{format}: {written}");
    }
}

/// The calls that an answer's text holds.
fn read(tool_call_format: Option<ToolCallFormat>, text: &str) -> Vec<(String, Value)> {
    use inglenook_text::output::{Delta, OutputFormat, OutputParser, ToolSpec};
    let tools = [ToolSpec { name: "get_weather".into(), parameters: Value::Null }];
    let format = OutputFormat { tool_call_format, ..OutputFormat::default() };
    let (mut parser, mut deltas) = (OutputParser::new(&format, &tools, false), Vec::new());
    parser.push(text, &mut deltas);
    parser.finish(&mut deltas);
    let mut calls: Vec<(String, String)> = Vec::new();
    for delta in deltas {
        match delta {
            Delta::CallBegin { name, .. } => calls.push((name, String::new())),
            Delta::CallArguments { text, .. } => calls.last_mut().unwrap().1 += &text,
            Delta::CallEnd { .. } => {}
            other => panic!("{other:?} in {text}"),
        }
    }
    calls.into_iter().map(|(name, arguments)| (name, serde_json::from_str(&arguments).unwrap())).collect()
}
