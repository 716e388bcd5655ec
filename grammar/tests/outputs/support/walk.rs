//! Walks at random through what a matcher allows.

use inglenook_grammar::{Compiler, Match, Spec, Token};

/// One output: tokens are drawn from the mask, each as likely as any other, for `free` tokens; then the output is landed.
///
/// Checked on the way: forced tokens are what the mask allows, and an end is allowed exactly where the output is complete. `None` if the
/// output is not complete after `budget` more tokens than the free ones.
pub fn walk(
    compiler: &mut Compiler,
    tokens: &[Token],
    spec: &Spec,
    seed: u64,
    free: usize,
    budget: usize,
) -> Option<String> {
    let mut matcher = compiler.compile(spec).unwrap_or_else(|error| panic!("{}: {error}", spec.to_json()));
    let mut random = fastrand::Rng::with_seed(seed);
    let mut output = Vec::new();
    let mut taken = 0;
    while !matcher.must_stop() && taken < free + budget {
        let forced = matcher.forced().unwrap();
        let chosen = match forced.first() {
            Some(&token) => {
                assert!(allowed(&mut matcher, tokens).contains(&token), "a forced token is not allowed");
                matcher.accept(token).unwrap();
                token
            }
            None => {
                let allowed = allowed(&mut matcher, tokens);
                let token = allowed[random.usize(..allowed.len())];
                let left = free + budget - taken;
                if taken < free { matcher.accept(token).map(|()| token) } else { matcher.land(token, left) }.unwrap()
            }
        };
        taken += 1;
        if chosen == 256 {
            break;
        }
        output.extend_from_slice(&tokens[chosen as usize].bytes);
    }
    if !matcher.is_complete() {
        return None;
    }
    Some(String::from_utf8(output).unwrap_or_else(|error| panic!("an output that is no UTF-8: {error}")))
}

/// The tokens of the mask.
fn allowed(matcher: &mut impl Match, tokens: &[Token]) -> Vec<u32> {
    // Two words more than needed: what is no token must not be allowed.
    let mut mask = vec![u32::MAX; tokens.len().div_ceil(32) + 2];
    matcher.mask(&mut mask).unwrap();
    let allowed: Vec<u32> =
        (0..mask.len() as u32 * 32).filter(|id| mask[*id as usize / 32] >> (id % 32) & 1 == 1).collect();
    assert!(allowed.iter().all(|&id| (id as usize) < tokens.len()), "a token outside of the vocabulary is allowed");
    assert_eq!(
        allowed.contains(&256),
        matcher.is_complete(),
        "the end is allowed exactly where the output is complete"
    );
    allowed
}
