//! Harmony, of gpt-oss: messages with headers, in channels. The reader is [`super::super::messages`].
//!
//! ```text
//! <|channel|>analysis<|message|>They ask for the weather.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city": "Oslo"}<|call|>
//! ```

use super::super::detect::TemplateMarker;
use super::super::grammar::{Arguments, Part::Optional, Part::Regex, Part::Text, Pattern};
use super::super::tool_call_format::Spec;

pub static SPEC: Spec = Spec {
    name: "harmony",
    template_markers: &[TemplateMarker::All(&["<|channel|>", "commentary"])],
    tokens: &["<|start|>", "<|channel|>", "<|message|>", "<|constrain|>"],
    start_markers: &[],
    inner: &["<|start|>", "<|channel|>", "<|message|>", "<|constrain|>", "<|end|>", "<|return|>", "<|call|>"],
    trigger: Some(" to=functions."),
    patterns: &[(
        None,
        Pattern {
            lead: &[Optional(&[
                Text("<|channel|>"),
                Text("analysis"),
                Text("<|message|>"),
                Regex("(.|\\n)*"),
                Text("<|end|>"),
                Text("<|start|>"),
                Text("assistant"),
            ])],
            before: &[Text("<|channel|>"), Text("commentary"), Text(" to=functions.")],
            between: &[Text(" "), Text("<|constrain|>"), Text("json"), Text("<|message|>")],
            arguments: Arguments::Json,
            after: &[Text("<|call|>")],
            separator: &[Text("<|start|>"), Text("assistant")],
            tail: &[],
        },
    )],
    ..Spec::PLAIN
};
