//! The tokens at which a model stops.

use std::collections::HashSet;

use inglenook_format::order::sort_by;

use super::added::MAX_BYTES;
use super::gguf::Parts;
use super::trie::Trie;
use super::vocab::{TokenKind, Vocab};

/// The special tokens that a file names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpecialIds {
    /// Begin of text (`[CLS]` where a vocabulary has that instead).
    pub bos: Option<u32>,
    /// End of text.
    pub eos: Option<u32>,
    /// End of a turn.
    pub eot: Option<u32>,
    /// End of a message after which the turn goes on.
    pub eom: Option<u32>,
    /// Stands for text that the vocabulary cannot spell.
    pub unknown: Option<u32>,
    /// Ends a text for models that embed (`[SEP]`).
    pub separator: Option<u32>,
}

/// Names of tokens with which families end a turn. Files often name only one of several.
const TURN_ENDS: &[&str] = &[
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|end_of_turn|>",
    "<end_of_turn>",
    "<turn|>",
    "<|eot|>",
    "<|eom|>",
    "<EOT>",
    "_<EOT>",
    "▁<EOT>",
    "[EOT]",
    "[EOS]",
    "</s>",
    "<eos>",
    "<end_of_utterance>",
    "<|END_OF_TURN_TOKEN|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
];
/// What a family of vocabularies has besides.
struct Family {
    /// Tokens that only this family has all of.
    markers: &'static [&'static str],
    /// Further names that end a turn.
    ends: &'static [&'static str],
    /// Names of [`TURN_ENDS`] behind which its turns go on.
    goes_on: &'static [&'static str],
}

const FAMILIES: &[Family] = &[
    // GLM-4: the model hands over to the next speaker.
    Family { markers: &["[gMASK]"], ends: &["<|user|>", "<|observation|>"], goes_on: &[] },
    // gpt-oss (harmony): `<|end|>` only ends a channel's message there.
    Family { markers: &["<|channel|>", "<|return|>"], ends: &["<|return|>", "<|call|>"], goes_on: &["<|end|>"] },
    // Solar Open: `<|end|>` only ends a thought or a part of the message.
    Family { markers: &["<|flush|>", "<|calls|>"], ends: &["<|flush|>", "<|calls|>"], goes_on: &["<|end|>"] },
];

/// Makes control tokens of those that steer a model whatever type the file gives them, since many converters have typed them as
/// text: turn ends by their name, the begin and end tokens that the file names where they look like markers, what is spelled
/// `<|name|>` (of tokens typed as ones for users' texts, those that the file's own template has), and markers that this template writes. A token that is made by merges is text that the vocabulary has learned.
pub(super) fn mark_control(parts: &Parts<'_>, kinds: &mut [TokenKind]) {
    let Parts { tokens, merges, ids, template, .. } = parts;
    let in_template = markers_in(template, tokens);
    let learned: HashSet<String> =
        merges.iter().filter(|merge| merge.ends_with(['>', ']'])).map(|merge| merge.replacen(' ', "", 1)).collect();
    let named: Vec<usize> = [ids.bos, ids.eos, ids.eot, ids.eom].into_iter().flatten().map(|id| id as usize).collect();
    let families: Vec<&str> = FAMILIES
        .iter()
        .filter(|family| family.markers.iter().all(|marker| tokens.contains(marker)))
        .flat_map(|family| family.ends.iter().copied())
        .collect();
    for (id, (text, kind)) in tokens.iter().zip(kinds).enumerate() {
        let steers = match kind {
            TokenKind::Control | TokenKind::Unknown | TokenKind::Byte => false,
            _ if named.contains(&id) => is_marker(text) || *kind == TokenKind::UserDefined,
            TokenKind::Normal if learned.contains(*text) => false,
            _ if TURN_ENDS.contains(text) || families.contains(text) => true,
            TokenKind::Normal | TokenKind::Unused => is_barred(text) || in_template.contains(*text),
            // Some vocabularies have such tokens for their users' texts.
            TokenKind::UserDefined => is_barred(text) && in_template.contains(*text),
        };
        if steers {
            *kind = TokenKind::Control;
        }
    }
}

/// The tokens that are markers and that a template writes. All are looked for in one walk, since a file may have millions of them.
fn markers_in(template: &str, tokens: &[&str]) -> HashSet<String> {
    let markers = (0u32..).zip(tokens).filter(|(_, text)| is_marker(text) && text.len() <= MAX_BYTES);
    let trie = Trie::new(markers.map(|(id, text)| (text.as_bytes(), id)));
    let mut found = HashSet::new();
    for at in 0..template.len() {
        trie.prefixes(&template.as_bytes()[at..], |_, id| {
            found.insert(tokens[id as usize].to_owned());
        });
    }
    found
}

/// `<name>` or `[name]`.
fn is_marker(text: &str) -> bool {
    let inner = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    let inner = inner.or_else(|| text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')));
    inner.is_some_and(|inner| !inner.is_empty())
}

/// `<|name|>`, or with DeepSeek's bars.
fn is_barred(text: &str) -> bool {
    let between = |open, close| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let name = between("<|", "|>").or_else(|| between("<｜", "｜>"));
    name.is_some_and(|name| {
        name.chars().any(char::is_alphanumeric) && !name.contains(|c: char| c.is_whitespace() || "<>|｜".contains(c))
    })
}

/// The tokens at which generation ends, sorted.
pub(super) fn stop_ids(vocab: &Vocab, ids: &SpecialIds) -> Vec<u32> {
    let mut named: Vec<(&[u8], u32)> = vocab
        .kinds()
        .filter(|&(_, kind)| matches!(kind, TokenKind::Control | TokenKind::UserDefined))
        .map(|(id, _)| (vocab.bytes(id), id))
        .collect();
    sort_by(&mut named, Ord::cmp);
    let find = |name: &str| {
        let at = named.binary_search_by_key(&name.as_bytes(), |&(bytes, _)| bytes).ok()?;
        Some(named[at].1)
    };
    let mut stops: Vec<u32> = [ids.eos, ids.eot, ids.eom].into_iter().flatten().collect();
    let mut names = TURN_ENDS.to_vec();
    for Family { markers, ends, goes_on } in FAMILIES {
        if markers.iter().all(|marker| find(marker).is_some()) {
            names.retain(|name| !goes_on.contains(name));
            names.extend(*ends);
        }
    }
    stops.extend(names.into_iter().filter_map(find));
    sort_by(&mut stops, Ord::cmp);
    stops.dedup();
    stops
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops(names: &[&'static str]) -> Vec<&'static str> {
        let mut vocab = Vocab::with_capacity(names.len(), 0);
        names.iter().for_each(|name| vocab.push(name.bytes(), TokenKind::Control));
        stop_ids(&vocab, &SpecialIds::default()).into_iter().map(|id| names[id as usize]).collect()
    }

    #[test]
    fn message_end_stops_only_families_whose_turns_it_ends() {
        assert_eq!(stops(&["<|end|>", "<|user|>"]), ["<|end|>"]);
        assert_eq!(stops(&["<|end|>", "<|channel|>"]), ["<|end|>"]);
        assert_eq!(stops(&["<|end|>", "<|channel|>", "<|return|>", "<|call|>"]), ["<|return|>", "<|call|>"]);
        assert_eq!(stops(&["<|end|>", "<|think|>", "<|flush|>", "<|calls|>"]), ["<|flush|>", "<|calls|>"]);
        assert_eq!(stops(&["[gMASK]", "<|user|>", "<|observation|>"]), ["<|user|>", "<|observation|>"]);
    }
}
