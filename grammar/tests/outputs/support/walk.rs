//! Walks at random through what a matcher allows.

use inglenook_grammar::{Compiler, Match, Spec, Token};

/// A generator of numbers that look random (a 64-bit linear congruential one), the same for the same seed.
pub struct Chance(u64);

impl Chance {
    /// Different seeds give different walks.
    pub fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// Below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % bound as u64) as usize
    }
}

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
    let mut chance = Chance::new(seed);
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
                let token = allowed[chance.below(allowed.len())];
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
