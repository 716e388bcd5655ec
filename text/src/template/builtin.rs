//! Templates for files that carry none: written for inglenook, in the forms that models of these names were trained on. One is only
//! taken if the caller names it, or if the vocabulary's own control tokens leave no doubt.
//!
//! Those of families with SentencePiece know `tokenizer_adds_space`: whether the tokenizer puts a space of its own behind a special token,
//! so that the template must not write it, too.

/// How many there are.
pub(super) const COUNT: usize = 18;

/// All, with their names.
const ALL: [(&str, &str); COUNT] = [
    ("alpaca", include_str!("builtin/alpaca.jinja")),
    ("chatml", include_str!("builtin/chatml.jinja")),
    ("command-r", include_str!("builtin/command-r.jinja")),
    ("deepseek", include_str!("builtin/deepseek.jinja")),
    ("gemma", include_str!("builtin/gemma.jinja")),
    ("glm4", include_str!("builtin/glm4.jinja")),
    ("harmony", include_str!("builtin/harmony.jinja")),
    ("llama2", include_str!("builtin/llama2.jinja")),
    ("llama3", include_str!("builtin/llama3.jinja")),
    ("mistral-v1", include_str!("builtin/mistral-v1.jinja")),
    ("mistral-v3", include_str!("builtin/mistral-v3.jinja")),
    ("mistral-v3-tekken", include_str!("builtin/mistral-v3-tekken.jinja")),
    ("mistral-v7", include_str!("builtin/mistral-v7.jinja")),
    ("mistral-v7-tekken", include_str!("builtin/mistral-v7-tekken.jinja")),
    ("phi3", include_str!("builtin/phi3.jinja")),
    ("phi4", include_str!("builtin/phi4.jinja")),
    ("vicuna", include_str!("builtin/vicuna.jinja")),
    ("zephyr", include_str!("builtin/zephyr.jinja")),
];

/// A template, the control tokens that it writes, and those that tell a sibling with another form. What is not listed leaves room for
/// doubt: Mistral's forms share their tokens, and Llama 2, Zephyr, Vicuna and Alpaca write plain text.
const PROOFS: [(&str, &[&str], &[&str]); 8] = [
    ("chatml", &["<|im_start|>", "<|im_end|>"], &["<|im_sep|>", "<|im_middle|>"]),
    ("phi4", &["<|im_start|>", "<|im_sep|>", "<|im_end|>"], &[]),
    ("llama3", &["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], &[]),
    ("gemma", &["<start_of_turn>", "<end_of_turn>"], &[]),
    ("phi3", &["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"], &["<|tool|>", "[gMASK]"]),
    ("glm4", &["[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|observation|>"], &["<think>", "<arg_key>"]),
    ("deepseek", &["<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"], &[]),
    ("command-r", &["<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|CHATBOT_TOKEN|>"], &["<|START_RESPONSE|>"]),
];

/// Their names.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}

/// The source of the template of that name.
pub fn source(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(found, _)| *found == name).map(|(_, source)| *source)
}

/// The template that the vocabulary proves, where exactly one fits. `is_control` says whether the vocabulary has a control token
/// of that text.
pub fn prove(is_control: &dyn Fn(&str) -> bool) -> Option<&'static str> {
    let fits = |needs: &[&str], lacks: &[&str]| {
        needs.iter().all(|token| is_control(token)) && !lacks.iter().any(|token| is_control(token))
    };
    let mut proven = PROOFS.iter().filter(|(_, needs, lacks)| fits(needs, lacks)).map(|(name, ..)| *name);
    let first = proven.next()?;
    if proven.next().is_none() { Some(first) } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::ChatTemplate;
    use super::*;

    #[test]
    fn all_are_valid_and_have_a_file() {
        for name in names() {
            ChatTemplate::new(source(name).unwrap()).unwrap();
        }
        let folder = std::path::Path::new(file!()).with_extension("");
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.ancestors().map(|root| root.join(&folder)).find(|folder| folder.exists()).unwrap();
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), ALL.len());
    }

    #[test]
    fn tokens_prove_a_template_only_where_one_fits() {
        let prove = |tokens: &[&str]| prove(&|token| tokens.contains(&token));
        assert_eq!(prove(&["<|im_start|>", "<|im_end|>", "<|endoftext|>"]), Some("chatml"));
        assert_eq!(prove(&["<|im_start|>", "<|im_sep|>", "<|im_end|>"]), Some("phi4"));
        assert_eq!(prove(&["<start_of_turn>", "<end_of_turn>"]), Some("gemma"));
        assert_eq!(prove(&["<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>"]), None);
        assert_eq!(prove(&["[INST]", "[/INST]"]), None);
        assert_eq!(prove(&["<|im_start|>"]), None);
        assert_eq!(prove(&[]), None);
    }
}
