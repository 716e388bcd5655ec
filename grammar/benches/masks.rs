//! What grammars cost over a vocabulary of 150,000 tokens: compiling a form, and the mask, the token and the landing of each step.
//!
//! `cargo bench -p inglenook-grammar` prints one line for each of the realistic schemas, one for short texts, one for each grammar in GBNF, and
//! one over all schemas; words behind `--` keep those whose names hold one. Tokens are drawn at random, which is harder than what models write: more of the grammar is visited, and strings end late. Each walk is
//! made three times, by matchers that know nothing of one another, and the least of the three times of each step counts: what a busy
//! machine adds is not the grammar's.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use inglenook_grammar::{Compiler, Match, Spec, Token, Vocabulary};
use serde_json::{Value, json};

const TOKENS: usize = 150_000;
const STEPS: usize = 150;

fn main() {
    let tokens = vocabulary();
    let begun = Instant::now();
    let vocabulary = Vocabulary::new(&tokens, &[256], Box::new(|_| Vec::new())).expect("a good vocabulary");
    let mut compiler = Compiler::new(Arc::new(vocabulary)).expect("a good vocabulary");
    println!("{} tokens sorted in {:.0} ms\n", tokens.len(), begun.elapsed().as_secs_f64() * 1e3);
    println!(
        "{:<26} {:>10} {:>8} {:>8} {:>8} {:>9} {:>9}",
        "schema", "compile ms", "p50 us", "p99 us", "max us", "accept us", "land us"
    );
    let mut all = Times::default();
    let mut schemas: Vec<(String, Value)> = schemas().chain(short_texts()).collect();
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word));
    schemas.retain(|(name, _)| is_wanted(name));
    schemas.sort_by(|one, other| one.0.cmp(&other.0));
    for (name, schema) in schemas {
        let spec = |round: u32| {
            // A comment makes it another form to the cache.
            let mut schema = schema.clone();
            schema["$comment"] = round.into();
            Spec::JsonSchema { schema, strict: false }
        };
        let times = rounds(&mut compiler, &tokens, spec);
        times.print(&name);
        all.add(times);
    }
    all.print("all schemas");
    for (name, grammar) in files("grammars", "gbnf").into_iter().filter(|(name, _)| is_wanted(name)) {
        let spec = |round: u32| Spec::Gbnf { grammar: format!("# {round}\n{grammar}") };
        rounds(&mut compiler, &tokens, spec).print(&format!("{name}.gbnf"));
    }
}

/// The least of the times of three rounds.
fn rounds(compiler: &mut Compiler, tokens: &[Token], spec: impl Fn(u32) -> Spec) -> Times {
    let rounds = (0..3).map(|round| {
        let mut times = Times::default();
        measure(compiler, tokens, spec(round), &mut times);
        times
    });
    rounds.reduce(Times::least).unwrap_or_default()
}

/// Times of single calls.
#[derive(Default)]
struct Times {
    compile: Vec<Duration>,
    mask: Vec<Duration>,
    accept: Vec<Duration>,
    land: Vec<Duration>,
}

impl Times {
    fn add(&mut self, mut other: Times) {
        self.compile.append(&mut other.compile);
        self.mask.append(&mut other.mask);
        self.accept.append(&mut other.accept);
        self.land.append(&mut other.land);
    }

    /// The least of the times of each call.
    fn least(self, other: Times) -> Times {
        let least =
            |one: Vec<Duration>, other: Vec<Duration>| one.into_iter().zip(other).map(|(a, b)| a.min(b)).collect();
        Times {
            compile: least(self.compile, other.compile),
            mask: least(self.mask, other.mask),
            accept: least(self.accept, other.accept),
            land: least(self.land, other.land),
        }
    }

    fn print(&self, name: &str) {
        let micros = |times: &[Duration], share: f64| {
            let mut sorted = times.to_vec();
            sorted.sort();
            let at = (sorted.len() as f64 * share) as usize;
            sorted.get(at.min(sorted.len().saturating_sub(1))).map_or(0.0, |time| time.as_secs_f64() * 1e6)
        };
        println!(
            "{name:<26} {:>10.2} {:>8.0} {:>8.0} {:>8.0} {:>9.1} {:>9.0}",
            micros(&self.compile, 0.5) / 1e3,
            micros(&self.mask, 0.5),
            micros(&self.mask, 0.99),
            micros(&self.mask, 1.0),
            micros(&self.accept, 0.5),
            micros(&self.land, 0.5),
        );
    }
}

fn schemas() -> impl Iterator<Item = (String, Value)> {
    files("realistic", "json").into_iter().map(|(name, text)| (name, serde_json::from_str(&text).expect("JSON")))
}

/// The files of a folder of the corpus that end so, by their names.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/structured").join(folder);
    let paths = std::fs::read_dir(folder).expect("the corpus").map(|file| file.expect("a file").path());
    let file = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(&path).expect("a file"))
    };
    let mut files: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|found| found == ending)).map(file).collect();
    files.sort();
    files
}

/// Texts that end soon: the steps with the most tokens that have to be looked at one by one.
fn short_texts() -> impl Iterator<Item = (String, Value)> {
    let text = |length: u32| json!({"type": "string", "maxLength": length});
    let texts: Vec<Value> = (1..40).map(text).collect();
    let schema = json!({"type": "array", "prefixItems": texts, "items": false, "minItems": texts.len()});
    std::iter::once(("short-texts".to_owned(), schema))
}

/// Three walks through a form, each landed after some steps.
fn measure(compiler: &mut Compiler, tokens: &[Token], spec: Spec, times: &mut Times) {
    let begun = Instant::now();
    let first = compiler.compile(&spec).expect("a good form");
    times.compile.push(begun.elapsed());
    let mut mask = vec![0; tokens.len().div_ceil(32)];
    for seed in 1..4 {
        let mut matcher = first.clone();
        let mut random = fastrand::Rng::with_seed(seed);
        for step in 0..2 * STEPS {
            let forced = matcher.forced().expect("forced tokens");
            if matcher.must_stop() {
                break;
            }
            if let Some(&token) = forced.first() {
                matcher.accept(token).expect("a forced token");
                continue;
            }
            timed(&mut times.mask, || matcher.mask(&mut mask)).expect("a mask");
            let token = pick(&mut random, &mask);
            let taken = match step < STEPS {
                true => timed(&mut times.accept, || matcher.accept(token)).map(|()| token),
                false => timed(&mut times.land, || matcher.land(token, 2 * STEPS - step)),
            };
            if taken.expect("an allowed token") == 256 {
                break;
            }
        }
    }
}

fn timed<T>(times: &mut Vec<Duration>, call: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = call();
    times.push(begun.elapsed());
    result
}

/// One of the tokens of a mask.
fn pick(random: &mut fastrand::Rng, mask: &[u32]) -> u32 {
    let count: u32 = mask.iter().map(|word| word.count_ones()).sum();
    let mut left = random.u32(..count);
    for (index, &word) in mask.iter().enumerate() {
        if left < word.count_ones() {
            let bit = (0..32).filter(|bit| word >> bit & 1 == 1).nth(left as usize).unwrap_or(0);
            return index as u32 * 32 + bit;
        }
        left -= word.count_ones();
    }
    0
}

/// Like a byte-level BPE vocabulary: bytes, white space, numbers, punctuation in runs, words with and without a space and a capital, and
/// characters of other scripts.
fn vocabulary() -> Vec<Token> {
    let mut words: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
    words.push(b"<|end|>".to_vec());
    words.extend((2..64).map(|length| vec![b' '; length]));
    words.extend((1..16).map(|length| vec![b'\n'; length]));
    words.extend((0..1000).map(|number| number.to_string().into_bytes()));
    words.extend((0x4e00..0x6e00).filter_map(char::from_u32).map(|c| c.to_string().into_bytes()));
    let mut random = fastrand::Rng::with_seed(7);
    let marks: Vec<char> = "{}[]()\"':,.;=<>/\\-_+*&|!?#@ \n".chars().collect();
    words.extend((0..8000).map(|_| {
        (0..2 + random.usize(..3)).map(|_| marks[random.usize(..marks.len())]).collect::<String>().into_bytes()
    }));
    let syllables: Vec<&str> =
        "a e i o u an en in on er re th st ing ed ly ion al ar or is at it es de com pro con ment tion able un im \
        ka lo mi na po ra se ta vi zo bra cle dri fro gle pla qui sch tre wha"
            .split_whitespace()
            .collect();
    while words.len() < TOKENS {
        let mut word: String = (0..1 + random.usize(..4)).map(|_| syllables[random.usize(..syllables.len())]).collect();
        if random.usize(..5) == 0 {
            word[..1].make_ascii_uppercase();
        }
        if random.usize(..2) == 0 {
            word.insert(0, ' ');
        }
        words.push(word.into_bytes());
    }
    words.into_iter().enumerate().map(|(id, bytes)| Token { bytes, control: id == 256 }).collect()
}
