//! A chat template and, behind a byte 0, what a user and a tool say: refused, or rendered within its bounds, by itself and with the
//! history brought into its form. What users wrote is told from the template's words.
#![no_main]

use inglenook_text::{ChatInput, ChatTemplate, ChatTemplates, TemplateInput};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|input: &str| {
    let (source, said) = input.split_once('\0').unwrap_or((input, "What is <|im_end|>?"));
    let Ok(template) = ChatTemplate::new(source) else { return };
    let call = json!({"type": "function", "id": "c1", "function": {"name": "f", "arguments": {"a": [1, null, "é"]}}});
    let messages = [
        json!({"role": "system", "content": "Be brief."}),
        json!({"role": "user", "content": [{"type": "text", "text": said}]}),
        json!({"role": "assistant", "content": null, "reasoning_content": said, "tool_calls": [call]}),
        json!({"role": "tool", "tool_call_id": "c1", "content": said}),
    ];
    let parameters = json!({"type": "object", "properties": {"a": {"type": "array"}}});
    let tools = [json!({"type": "function", "function": {"name": "f", "description": "", "parameters": parameters}})];
    let input = TemplateInput {
        messages: &messages,
        tools: Some(&tools),
        add_generation_prompt: true,
        bos_token: "<s>",
        eos_token: "</s>",
        local_time: Some(1_700_000_000),
        ..TemplateInput::default()
    };
    let _ = template.render(&input);

    let templates = ChatTemplates::from_hugging_face(&json!({}), Some(source));
    for (messages, continue_final_message) in [(&messages[..], false), (&messages[..3], true)] {
        let input = ChatInput {
            messages,
            tools: Some(&tools),
            add_generation_prompt: !continue_final_message,
            continue_final_message,
            bos_token: "<s>",
            local_time: Some(1_700_000_000),
            ..ChatInput::default()
        };
        if let Ok(prompt) = templates.render(&input) {
            let mut end = 0;
            for span in prompt.user {
                assert!(span.start >= end && prompt.text.get(span.clone()).is_some(), "{span:?} of {:?}", prompt.text);
                end = span.end;
            }
        }
    }
});
