//! The known name that somebody may have meant by one that is not known.

/// The name among `known` that is nearly `name`, if there is one: up to two letters apart, and at most one in three. Case, `_` and `-` do
/// not count.
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let letters = |name: &str| name.chars().filter(|c| *c != '_' && *c != '-').flat_map(char::to_lowercase).collect();
    let wanted: Vec<char> = letters(name);
    let near = known.into_iter().filter_map(|known| {
        let known_letters: Vec<char> = letters(known);
        // A longer name is not near, and is not worth the time.
        let most = wanted.len().min(known_letters.len()) / 3;
        let apart = (wanted.len().abs_diff(known_letters.len()) <= 2).then(|| distance(&wanted, &known_letters))?;
        (apart <= most.min(2)).then_some((apart, known))
    });
    near.min().map(|(_, known)| known)
}

/// What a message says of the nearest name: nothing where there is none.
pub fn told<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    nearest(name, known).map_or_else(String::new, |near| format!(" (the nearest name that is: \"{near}\")"))
}

/// How many letters must be put in, taken out or exchanged to turn one text into another (Levenshtein).
fn distance(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, known) in other.iter().enumerate() {
            let exchanged = diagonal + usize::from(letter != known);
            diagonal = row[column + 1];
            row[column + 1] = exchanged.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names_what_was_meant_and_nothing_far_away() {
        let known = ["qwen2", "llama-bpe", "deepseek-v3", "gpt-2"];
        for (name, near) in [
            ("qwen4", Some("qwen2")),
            ("Llama_BPE", Some("llama-bpe")),
            ("deepseekv4", Some("deepseek-v3")),
            ("gpt", Some("gpt-2")),
            ("superbpe", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), near, "{name}");
        }
        assert_eq!(told("qwen4", known), " (the nearest name that is: \"qwen2\")");
        assert_eq!(told("superbpe", known), "");
    }

    #[test]
    fn distance_counts_letters_put_in_taken_out_and_exchanged() {
        let apart = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|text| text.chars().collect::<Vec<_>>());
            distance(&one, &other)
        };
        assert_eq!((apart("kitten", "sitting"), apart("", "abc"), apart("abc", "abc")), (3, 3, 0));
    }
}
