//! The form of an answer, as a request describes it: a JSON schema, a regex, a choice, Lark or GBNF. It is refused, or every token that may
//! come is one that the matcher takes, and a budget in which the form can be completed is enough to complete it.
#![no_main]

use std::cell::RefCell;
use std::sync::Arc;

use inglenook_grammar::{Compiler, Match, Spec, Token, Vocabulary};
use libfuzzer_sys::fuzz_target;

/// All bytes, and an end.
const END: u32 = 256;

/// Tokens in which the form is to be completed.
const BUDGET: usize = 60;

thread_local! {
    static COMPILER: RefCell<Compiler> = RefCell::new(compiler());
}

fn compiler() -> Compiler {
    let bytes = (0..=255u8).map(|byte| Token { bytes: vec![byte], control: false });
    let tokens: Vec<Token> = bytes.chain([Token { bytes: b"<|end|>".to_vec(), control: true }]).collect();
    let tokenize = |text: &[u8]| text.iter().map(|byte| u32::from(*byte)).collect();
    let vocabulary = Vocabulary::new(&tokens, &[END], Box::new(tokenize)).expect("a vocabulary of bytes");
    Compiler::new(Arc::new(vocabulary)).expect("a compiler")
}

fuzz_target!(|json: &str| {
    let Ok(spec) = Spec::from_json(json) else { return };
    let Ok(mut matcher) = COMPILER.with_borrow_mut(|compiler| compiler.compile(&spec)) else { return };
    let landing = matcher.landing(BUDGET);
    let mut mask = vec![0; (END as usize + 1).div_ceil(32)];
    for left in (1..=BUDGET).rev() {
        if matcher.must_stop() {
            return;
        }
        // What cannot be followed any further is an error, and the end.
        let Ok(forced) = matcher.forced() else { return };
        let mut ahead = matcher.fork();
        forced.iter().for_each(|token| ahead.accept(*token).expect("a token that must come"));
        let Ok(()) = matcher.mask(&mut mask) else { return };
        let allowed: Vec<u32> = (0..=END).filter(|id| mask[*id as usize / 32] >> (id % 32) & 1 == 1).collect();
        let Some(token) = allowed.get(left * 7919 % allowed.len().max(1)) else { return };
        if left > landing {
            matcher.accept(*token).expect("a token that the mask allows");
        } else {
            matcher.land(*token, left).expect("a token that the mask allows");
        }
    }
    assert!(landing == BUDGET || matcher.is_complete(), "it could have been completed");
});
