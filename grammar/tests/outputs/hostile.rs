//! Descriptions from strangers: each ends in a typed error, or in outputs as bounded as any other's.

use std::time::{Duration, Instant};

use inglenook_grammar::{GrammarError, Match, Spec};

use crate::generated;
use crate::support::{compiler, corpus, tokens};

/// What a description may take, from its text to the end of a short walk. In a development build on a busy machine; the slowest
/// take a tenth of it.
const TIME: Duration = Duration::from_secs(5);

/// Steps of a walk.
const STEPS: usize = 40;

/// Names and descriptions: files, and what is too long for one.
fn descriptions() -> Vec<(String, String)> {
    let files = std::fs::read_dir(corpus("malformed/grammars")).unwrap().map(|file| {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(&path).unwrap())
    });
    let generated = generated::descriptions().into_iter().map(|(name, text)| (name.to_owned(), text));
    let mut all: Vec<_> = files.chain(generated).collect();
    all.sort();
    all
}

#[test]
fn every_description_ends_in_a_typed_error_or_in_a_bounded_output() {
    let tokens = tokens();
    let mut compiler = compiler(&tokens);
    let mut wrong = Vec::new();
    for (name, text) in descriptions() {
        let begun = Instant::now();
        let outcome = Spec::from_json(&text)
            .and_then(|spec| compiler.compile(&spec))
            .and_then(|matcher| walk(matcher, tokens.len()));
        if std::env::var_os("INGLENOOK_FULL").is_some() {
            println!(
                "{name}: {:?}: {}",
                begun.elapsed(),
                outcome.as_ref().map_or_else(ToString::to_string, |steps| format!("{steps} steps"))
            );
        }
        if begun.elapsed() > TIME {
            wrong.push(format!("{name} takes {:?}", begun.elapsed()));
        }
        if let Err(error @ (GrammarError::Internal(_) | GrammarError::Refused { .. } | GrammarError::Vocabulary(_))) =
            outcome
        {
            wrong.push(format!("{name}: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A walk of some steps; how many there were. A matcher that fails on the way is at its end.
fn walk(mut matcher: impl Match, tokens: usize) -> Result<usize, GrammarError> {
    let walked = steps(&mut matcher, tokens);
    if walked.is_err() {
        let mut mask = vec![0; tokens.div_ceil(32)];
        assert!(matcher.mask(&mut mask).is_err() && matcher.forced().is_err());
        assert!((0..tokens as u32).all(|token| matcher.accept(token).is_err() && matcher.land(token, 9).is_err()));
        assert!(!matcher.is_complete() && !matcher.must_stop());
    }
    walked
}

fn steps(matcher: &mut impl Match, tokens: usize) -> Result<usize, GrammarError> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut mask = vec![0; tokens.div_ceil(32)];
    for step in 0..STEPS {
        for token in matcher.forced()? {
            matcher.accept(token)?;
        }
        if matcher.must_stop() {
            return Ok(step);
        }
        matcher.mask(&mut mask)?;
        let allowed: Vec<u32> = (0..tokens as u32).filter(|id| mask[*id as usize / 32] >> (id % 32) & 1 == 1).collect();
        matcher.accept(allowed[random.usize(..allowed.len())])?;
    }
    if matcher.must_stop() {
        return Ok(STEPS);
    }
    let token = any(matcher, &mut mask)?;
    matcher.land(token, 20).map(|_| STEPS)
}

/// Any token that is allowed now, or the end.
fn any(matcher: &mut impl Match, mask: &mut [u32]) -> Result<u32, GrammarError> {
    matcher.mask(mask)?;
    let word = mask.iter().position(|word| *word != 0).unwrap_or_default();
    Ok(word as u32 * 32 + mask[word].trailing_zeros())
}
