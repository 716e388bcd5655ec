//! What several targets ask of what they read.

use std::sync::Arc;

use inglenook_text::{Special, StreamDecoder, Tokenizer};

/// Texts that every tokenizer is asked for.
const TEXTS: [&str; 4] = [
    "",
    "Hello  world 12345 <s>é</s>\n\n",
    "😀👩\u{200d}👧 \u{301}\0字 don't",
    " \u{3000}\u{2581}a\u{2581}  ＡｂＣ ﬁ\u{1100}\u{1161}\u{11a8}\u{fffd} ##a <0x41>\r\n\t aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

/// Whether a tokenizer holds together: for some fixed texts, for `text`, and for what its own tokens say.
///
/// # Panics
/// If it does not.
pub fn check_tokenizer(tokenizer: Tokenizer, text: &str) {
    let tokenizer = Arc::new(tokenizer);
    let all: Vec<u32> = (0..tokenizer.vocab_size().min(100) as u32).collect();
    for text in TEXTS.into_iter().chain([text, &tokenizer.decode(&all)]) {
        check_text(&tokenizer, text);
    }
    assert!(tokenizer.choosable() <= tokenizer.vocab_size());
    tokenizer.adds_space();
}

fn check_text(tokenizer: &Arc<Tokenizer>, text: &str) {
    let ids = tokenizer.encode(text, Special::Parse, false);
    for id in tokenizer.encode_whole(text, Special::Parse).iter().chain(&ids) {
        assert!((*id as usize) < tokenizer.vocab_size(), "{id} is no token");
    }
    assert_eq!(tokenizer.count_tokens(text), tokenizer.encode(text, Special::AsText, false).len());
    for special in [Special::Parse, Special::AsText] {
        let tracked = tokenizer.encode_with_offsets(text, special);
        assert!(tracked.iter().map(|(id, _)| *id).eq(tokenizer.encode(text, special, false)), "offsets change the ids");
        for (id, range) in tracked {
            assert!(text.get(range.clone()).is_some(), "token {id} is {range:?} of {text:?}");
        }
    }
    tokenizer.encode_with_utf16_offsets(text, Special::Parse);

    assert_eq!(tokenizer.encode_prompt(text, &[], false), ids);
    let middle = text.floor_char_boundary(text.len() / 2);
    tokenizer.encode_prompt(text, std::slice::from_ref(&(0..middle)), true);

    let mut stream = StreamDecoder::new(Arc::clone(tokenizer));
    let streamed: String = ids.iter().map(|id| stream.push(*id)).collect();
    assert_eq!(streamed + &stream.flush(), tokenizer.decode(&ids));
}
