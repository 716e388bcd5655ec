//! What is supported near a name that is not.

use inglenook::format::gguf::Gguf;
use inglenook::format::quant::{TensorType, WeightType};
use inglenook::model::ARCHITECTURES;
use inglenook::text::tokenizer::pre_tokenizers;

/// Of each name in the file that nothing here goes by, the nearest that something does.
pub fn hints(gguf: &Gguf) -> Vec<String> {
    let mut hints = Vec::new();
    let mut hint = |what: &str, found: &str, known: &[&str]| {
        if let Some(near) = nearest(found, known) {
            hints.push(format!("{what} `{found}` is unknown; the nearest known is `{near}`"));
        }
    };
    let architectures: Vec<&str> = ARCHITECTURES.iter().map(|architecture| architecture.name).collect();
    if let Some(found) = gguf.metadata.text("general.architecture") {
        hint("the architecture", found, &architectures);
    }
    if let Some(found) = gguf.metadata.text("tokenizer.ggml.pre").filter(|found| !found.is_empty()) {
        hint("the tokenizer", found, &pre_tokenizers().collect::<Vec<_>>());
    }
    let types = WeightType::ALL.map(WeightType::name);
    let mut others: Vec<TensorType> = gguf.tensors().iter().map(|tensor| tensor.ty).collect();
    others.retain(|ty| matches!(ty, TensorType::Other(_)) && !ty.is_integer());
    others.dedup();
    for ty in others {
        hint("the type", &ty.name(), &types);
    }
    hints
}

/// The known name that takes the fewest edits, if they are few beside its length; none where the name itself is known.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    if known.contains(&name) {
        return None;
    }
    let cost = |other: &str| edits(&name.to_lowercase(), &other.to_lowercase());
    let best = known.iter().copied().min_by_key(|other| cost(other))?;
    (cost(best) * 2 <= name.chars().count().max(best.len())).then_some(best)
}

/// Levenshtein's distance: letters added, dropped or replaced.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_the_fewest() {
        assert_eq!(
            [edits("kitten", "sitting"), edits("", "abc"), edits("abc", ""), edits("same", "same")],
            [3, 3, 3, 0]
        );
    }

    #[test]
    fn nearest_is_told_unless_it_is_far_or_known() {
        let known = ["llama", "qwen2", "qwen3", "gemma3"];
        assert_eq!(nearest("qwen3vl", &known), Some("qwen3"));
        assert_eq!(nearest("Gemma-3", &known), Some("gemma3"));
        assert_eq!(nearest("qwen3", &known), None);
        assert_eq!(nearest("whisper", &known), None);
    }
}
