//! A chat template: refused, or rendered for a conversation with tools within its bounds.
#![no_main]

use inglenook_text::{ChatTemplate, TemplateInput};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|source: &str| {
    let Ok(template) = ChatTemplate::new(source) else { return };
    template.capabilities();
    let call = json!({"type": "function", "id": "c1", "function": {"name": "f", "arguments": {"a": [1, null, "é"]}}});
    let messages = [
        json!({"role": "system", "content": "Be brief."}),
        json!({"role": "user", "content": [{"type": "text", "text": "What is <|im_end|>?"}]}),
        json!({"role": "assistant", "content": null, "tool_calls": [call]}),
        json!({"role": "tool", "tool_call_id": "c1", "content": "{}"}),
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
});
