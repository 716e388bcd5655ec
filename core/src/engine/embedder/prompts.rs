//! What a model is asked that ranks texts by its answer, yes or no.

use std::ops::Range;

use crate::engine::Model;
use inglenook_text::Special;

/// What is asked of a document where the request does not say it.
const INSTRUCTION: &str = "Given a web search query, retrieve relevant passages that answer the query";

/// The prompt of Qwen3's rerankers, in front of the query and its document, and behind them.
const BEFORE: &str = "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. \
                      Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n";
const BEHIND: &str = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";

/// The tokens of `yes` and `no`, where the model has them.
pub(super) fn answers(model: &Model) -> Option<[u32; 2]> {
    let token = |word| match model.tokenizer().encode(word, Special::AsText, false)[..] {
        [token] => Some(token),
        _ => None,
    };
    Some([token("yes")?, token("no")?])
}

/// The prompt, and which of its bytes were given by the request.
pub(super) fn question(instruction: Option<&str>, query: &str, document: &str) -> (String, Vec<Range<usize>>) {
    let mut text = BEFORE.to_string();
    let mut given = Vec::new();
    let parts =
        [("<Instruct>: ", instruction.unwrap_or(INSTRUCTION)), ("\n<Query>: ", query), ("\n<Document>: ", document)];
    for (name, part) in parts {
        text += name;
        given.push(text.len()..text.len() + part.len());
        text += part;
    }
    (text + BEHIND, given)
}
