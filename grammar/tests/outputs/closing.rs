//! Documents whose tokens run out: however they are sampled, they end as the schema has it.

use inglenook_grammar::{Compiler, Match, Spec, Token};
use serde_json::Value;

use crate::schemas::{folder, generated};
use crate::support::{compiler, tokens, walks};

/// How the tokens of a document are drawn.
#[derive(Clone, Copy, Debug)]
enum Sampler {
    /// All that may come are as likely: an endless temperature.
    Hot,
    /// What goes on with a text is likely, and what ends one is not.
    Wordy,
    /// What opens something is likely.
    Opening,
    /// As [`Sampler::Wordy`], but some tokens are drawn as if they were all as likely.
    Warm,
}

const SAMPLERS: [Sampler; 4] = [Sampler::Hot, Sampler::Wordy, Sampler::Opening, Sampler::Warm];

impl Sampler {
    fn likes(self, bytes: &[u8], random: &mut fastrand::Rng) -> bool {
        let opens = |byte: &u8| b"{[\",".contains(byte);
        let closes = |byte: &u8| b"}]\"".contains(byte);
        match self {
            Sampler::Hot => true,
            Sampler::Wordy => !bytes.iter().any(closes),
            Sampler::Opening => bytes.iter().any(opens) && !bytes.iter().any(|byte| b"}]".contains(byte)),
            Sampler::Warm => random.u8(..4) == 0 || !bytes.iter().any(closes),
        }
    }
}

/// A document of at most `limit` tokens, held to its end as an engine does; none if it has none.
fn document(
    (compiler, tokens): (&mut Compiler, &[Token]),
    spec: &Spec,
    sampler: Sampler,
    seed: u64,
    limit: usize,
) -> Option<String> {
    let mut matcher = compiler.compile(spec).unwrap_or_else(|error| panic!("{}: {error}", spec.to_json()));
    let mut random = fastrand::Rng::with_seed(seed);
    let mut mask = vec![0; tokens.len().div_ceil(32)];
    let (mut output, mut landing, mut lands) = (Vec::new(), usize::MAX, false);
    for left in (1..=limit).rev() {
        if matcher.must_stop() {
            break;
        }
        let chosen = match matcher.forced().unwrap().first() {
            Some(token) => *token,
            None => {
                matcher.mask(&mut mask).unwrap();
                let is_allowed = |token: &u32| mask[*token as usize / 32] >> (token % 32) & 1 == 1;
                let allowed: Vec<u32> = (0..tokens.len() as u32).filter(is_allowed).collect();
                let liked: Vec<u32> = allowed
                    .iter()
                    .copied()
                    .filter(|t| sampler.likes(&tokens[*t as usize].bytes, &mut random))
                    .collect();
                let from = if liked.is_empty() { &allowed } else { &liked };
                from[random.usize(..from.len())]
            }
        };
        if !lands && left <= landing {
            landing = matcher.landing(left);
            lands = landing >= left;
        }
        let taken = match lands {
            true => matcher.land(chosen, left).unwrap(),
            false => matcher.accept(chosen).map(|()| chosen).unwrap(),
        };
        if taken == 256 {
            break;
        }
        output.extend_from_slice(&tokens[taken as usize].bytes);
    }
    matcher.is_complete().then(|| String::from_utf8(output).expect("UTF-8"))
}

/// What completes a document in the fewest bytes may take so many tokens more than what does in the fewest tokens.
const SLACK: usize = 4;

/// Draws documents of a schema with about the fewest tokens that any of them ends in, and with a few and many more.
fn check(cases: &[(String, Value)]) {
    let tokens = tokens();
    let mut compiler = compiler(&tokens);
    let mut wrong = Vec::new();
    for (name, schema) in cases {
        let validator = jsonschema::options().should_validate_formats(true).build(schema).unwrap();
        let spec = Spec::JsonSchema { schema: schema.clone(), strict: false };
        let mut end = |sampler, seed, limit| document((&mut compiler, &tokens), &spec, sampler, seed, limit);
        let fewest = (0..14).map(|power| 1 << power).find(|limit| end(Sampler::Wordy, 0, *limit).is_some());
        let Some(fewest) = fewest else {
            wrong.push(format!("{name}: no document ends"));
            continue;
        };
        for (sampler, seed) in SAMPLERS.iter().flat_map(|sampler| (0..walks()).map(|seed| (*sampler, seed))) {
            let limit =
                [fewest + SLACK, fewest + 11, fewest + 60, 2 * fewest + 150][(seed as usize + sampler as usize) % 4];
            let Some(text) = end(sampler, seed, limit) else {
                wrong.push(format!("{name}: {sampler:?} {seed} {limit}: no end"));
                continue;
            };
            let document = serde_json::from_str::<Value>(&text).map_err(|error| error.to_string());
            if let Err(error) = document.and_then(|document| validator.validate(&document).map_err(|e| e.to_string())) {
                wrong.push(format!("{name}: {sampler:?} {seed} {limit}: {text}: {error}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Found where an invoice ended in the middle of a text, since no end of it was found from its beginning.
#[test]
fn documents_of_realistic_schemas_end_validly_however_they_are_sampled() {
    check(&folder("structured/realistic"));
}

#[test]
fn documents_of_schemas_of_each_kind_end_validly_however_they_are_sampled() {
    check(&folder("structured/kinds"));
}

#[test]
fn documents_of_schemas_that_libraries_write_end_validly_however_they_are_sampled() {
    check(&folder("structured/libraries"));
}

#[test]
fn documents_of_generated_schemas_end_validly_however_they_are_sampled() {
    let all = generated();
    let every = if walks() > 3 { 1 } else { 3 };
    check(&all.into_iter().step_by(every).collect::<Vec<_>>());
}
