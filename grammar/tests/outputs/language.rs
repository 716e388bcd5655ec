//! Grammars accept exactly their language: random small ones, each prefix of each text put to a recogniser of the same grammar.

use std::sync::Arc;

use fastrand::Rng;
use inglenook_grammar::{Compiler, GrammarError, Match, Spec, Token, Vocabulary};

use crate::support::random::{ALPHABET, Random};
use crate::support::readers::gbnf::{Chart, Recogniser};
use crate::support::walks;

/// Texts beside the single characters, which cross the borders of what a grammar names.
const PIECES: [&str; 12] = ["aa", "ab", "ba", "bb", "x ", "x (", " (", "a (", "axb", "éa", "aé", "   "];

/// The id that ends an output.
const END: u32 = 0;

/// Most prefixes that are compared for each grammar in the order of their length, and walks through longer ones.
const SHORTEST: usize = 40;
const WALKS: usize = 4;
const LONGEST: usize = 24;

struct Vocabulary256 {
    texts: Vec<Vec<u8>>,
}

impl Vocabulary256 {
    /// All bytes behind the end, then the pieces.
    fn new() -> Vocabulary256 {
        let bytes = (0..=255u8).map(|byte| vec![byte]);
        let pieces = PIECES.iter().map(|piece| piece.as_bytes().to_vec());
        Vocabulary256 { texts: std::iter::once(b"<end>".to_vec()).chain(bytes).chain(pieces).collect() }
    }

    fn compiler(&self) -> Compiler {
        let token = |(id, bytes): (usize, &Vec<u8>)| Token { bytes: bytes.clone(), control: id == 0 };
        let tokens: Vec<Token> = self.texts.iter().enumerate().map(token).collect();
        let bytes = Box::new(|text: &[u8]| text.iter().map(|&byte| u32::from(byte) + 1).collect());
        Compiler::new(Arc::new(Vocabulary::new(&tokens, &[END], bytes).unwrap())).unwrap()
    }

    fn mask(&self, matcher: &mut impl Match) -> Vec<u32> {
        let mut mask = vec![0; self.texts.len().div_ceil(32)];
        matcher.mask(&mut mask).unwrap();
        mask
    }
}

/// What was compared.
#[derive(Debug, Default)]
struct Counts {
    grammars: usize,
    empty: usize,
    refused: usize,
    prefixes: usize,
    complete: usize,
}

/// Compare one grammar: what may come behind each prefix, and whether it is complete.
fn compare(
    vocabulary: &Vocabulary256,
    compiler: &mut Compiler,
    spec: &Spec,
    recogniser: &Recogniser,
    seed: u64,
    counts: &mut Counts,
) -> Result<(), String> {
    counts.grammars += 1;
    let matcher = match compiler.compile(spec) {
        Ok(_) if is_empty(recogniser) => return Err("a grammar without texts is held".to_owned()),
        Ok(matcher) => matcher,
        Err(
            error @ (GrammarError::Unsatisfiable(_) | GrammarError::Ambiguous { .. } | GrammarError::TooLarge { .. }),
        ) => {
            let is_right = matches!(error, GrammarError::Unsatisfiable(_)) == is_empty(recogniser);
            *(if is_empty(recogniser) { &mut counts.empty } else { &mut counts.refused }) += 1;
            return if is_right { Ok(()) } else { Err(error.to_string()) };
        }
        Err(error) => return Err(error.to_string()),
    };
    let mut step = |text: &str, chart: &Chart, matcher: &mut inglenook_grammar::Matcher| {
        counts.prefixes += 1;
        counts.complete += usize::from(recogniser.is_complete(chart));
        step(vocabulary, text, recogniser, chart, matcher)
    };
    let mut pending = std::collections::VecDeque::from([(String::new(), recogniser.begin(), matcher.clone())]);
    let mut left = SHORTEST;
    while let Some((text, chart, mut matcher)) = pending.pop_front() {
        step(&text, &chart, &mut matcher)?;
        left -= 1;
        if left == 0 {
            break;
        }
        for c in ALPHABET {
            let (mut chart, mut matcher) = (chart.clone(), matcher.clone());
            if recogniser.push(&mut chart, c) {
                push(&mut matcher, c).map_err(|error| format!("{text:?} and {c:?}: {error}"))?;
                pending.push_back((format!("{text}{c}"), chart, matcher));
            }
        }
    }
    let mut random = Rng::with_seed(seed);
    for _ in 0..WALKS {
        let (mut text, mut chart, mut matcher) = (String::new(), recogniser.begin(), matcher.clone());
        while text.len() < LONGEST {
            let viable: Vec<char> = ALPHABET.into_iter().filter(|&c| recogniser.push(&mut chart.clone(), c)).collect();
            if viable.is_empty() {
                break;
            }
            let c = viable[random.usize(..viable.len())];
            recogniser.push(&mut chart, c);
            push(&mut matcher, c).map_err(|error| format!("{text:?} and {c:?}: {error}"))?;
            text.push(c);
            step(&text, &chart, &mut matcher)?;
        }
    }
    Ok(())
}

/// Whether no text belongs to the grammar; each class has a character of the alphabet.
fn is_empty(recogniser: &Recogniser) -> bool {
    let chart = recogniser.begin();
    !recogniser.is_complete(&chart) && !ALPHABET.iter().any(|&c| recogniser.push(&mut chart.clone(), c))
}

fn push(matcher: &mut impl Match, c: char) -> Result<(), GrammarError> {
    c.to_string().bytes().try_for_each(|byte| matcher.accept(u32::from(byte) + 1))
}

/// Behind one prefix.
fn step(
    vocabulary: &Vocabulary256,
    text: &str,
    recogniser: &Recogniser,
    chart: &Chart,
    matcher: &mut impl Match,
) -> Result<(), String> {
    let mask = vocabulary.mask(matcher);
    let is_allowed = |id: usize| mask[id / 32] >> (id % 32) & 1 == 1;
    let complete = recogniser.is_complete(chart);
    if is_allowed(END as usize) != complete || matcher.is_complete() != complete {
        return Err(format!("{text:?} is complete: {complete}"));
    }
    // Where there is one way on, it is taken a byte at a time, and no other token is offered.
    let forced = !matcher.forced().map_err(|error| error.to_string())?.is_empty();
    let others = ['c', 'z', '"', '\n'];
    let characters = ALPHABET.iter().chain(&others).filter(|c| c.is_ascii()).map(|&c| (c as usize + 1, c.to_string()));
    let pieces = PIECES.iter().enumerate().map(|(place, piece)| (257 + place, (*piece).to_owned()));
    for (id, piece) in characters.chain(pieces.filter(|_| !forced)) {
        let mut chart = chart.clone();
        let viable = piece.chars().all(|c| recogniser.push(&mut chart, c));
        if is_allowed(id) != viable {
            return Err(format!("{text:?} may go on with {piece:?}: {viable}"));
        }
    }
    Ok(())
}

/// Three hundred grammars; two thousand with `INGLENOOK_FULL=1`.
fn compare_all(form: fn(&Random) -> Spec) {
    let count = if walks() > 3 { 2000 } else { 300 };
    let vocabulary = Vocabulary256::new();
    let mut compiler = vocabulary.compiler();
    let mut counts = Counts::default();
    let mut wrong = Vec::new();
    for seed in 0..count {
        let random = Random::new(seed);
        let spec = form(&random);
        let recogniser = Recogniser::new(&random.gbnf());
        if let Err(error) = compare(&vocabulary, &mut compiler, &spec, &recogniser, seed, &mut counts) {
            wrong.push(format!("{seed}: {error}\n{}", spec.to_json().replace("\\n", "\n")));
        }
    }
    println!("{counts:?}");
    assert!(
        wrong.is_empty(),
        "{} of {count} grammars are held wrongly:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n")
    );
}

#[test]
fn gbnf_accepts_exactly_its_language_whatever_the_grammar() {
    compare_all(|random| Spec::Gbnf { grammar: random.gbnf() });
}

#[test]
fn lark_accepts_exactly_its_language_whatever_the_grammar() {
    compare_all(|random| Spec::Lark { grammar: random.lark() });
}

/// Grammars that were held wrongly, each with texts of it and texts that are not.
#[test]
fn runs_that_can_be_cut_in_two_ways_are_held_exactly() {
    let arithmetic = "root ::= sum\nsum ::= product (\"+\" ws product)*\nproduct ::= term (\"*\" ws term)*\n\
                      term ::= [0-9]+ ws | \"(\" ws sum \")\" ws\nws ::= [ \\n]*";
    let lines =
        "root ::= (term \"=\" ws term \"\\n\")+\nterm ::= [a-z]+ ws | \"(\" ws term \")\" ws\nws ::= [ \\t\\n]*";
    for (grammar, good, bad) in [
        (
            "root ::= t \" +\"\nt ::= \"x\" | \"x (\" t \")\"",
            &["x +", "x (x) +", "x (x (x)) +"][..],
            &["x", "x (", "x (x +"][..],
        ),
        ("root ::= t \"b\"\nt ::= \"a\" | \"ab\" t \"c\"", &["ab", "abacb", "ababaccb"], &["a", "abab", "abac"]),
        (arithmetic, &["1", "1 + 2", "(1 + 2) * 3 \n", "((1))"], &["1 +", "(1", "1 2"]),
        (lines, &["a=b\n", "a = b \n", "a=b\n\n\n", "(a) = b\nc=d\n"], &["a=b", "a\n"]),
        (
            "root ::= \"if\" \" \"? e | e\ne ::= [a-z]+ | \"(\" root \")\"",
            &["if x", "ifx", "iffy", "(if(x))", "i"],
            &["if ", "(if"],
        ),
        (
            "root ::= s \"b\" | \"(\" root \")\"\ns ::= [^x]* \"a\"{2}",
            &["aab", "baaaab", "(aab)"],
            &["ab", "aa", "(aa)"],
        ),
        (
            "root ::= s (\"; \" s)*\ns ::= \"if\" \" \"? v \" then \" s | v\nv ::= [a-z]+ | \"(\" s \")\"",
            &["if", "if then then if", "ifif then iff", "if(if) then x; if if then if", "then"],
            &["if ", "if then ", "if x", "if; ", "(if"],
        ),
        (
            "root ::= \"<a>\" (root | \"<br/>\" | [a-z ])* \"</a>\"",
            &["<a></a>", "<a>a b<br/><br/>c<a> </a>d</a>"],
            &["<a>", "<a>x</a", "<a>x<br>"],
        ),
        (
            "root ::= \"{\" item+ \"a}\"\nitem ::= root | c\nc ::= [a-c]",
            &["{aa}", "{abaa}", "{{ba}a}"],
            &["{a}", "{ab}", "{}"],
        ),
        (
            "root ::= many many\nmany ::= (\"(\" root \")\" | [a-z])+",
            &["xx", "xyz", "x(xx)", "(xx)(xx)"],
            &["x", "(xx)", ""],
        ),
        ("root ::= \"(\" root \")\" | \"é\"* \"è\"", &["è", "éè", "(ééè)"], &["é", "(é)"]),
    ] {
        let recogniser = Recogniser::new(grammar);
        let vocabulary = Vocabulary256::new();
        let matcher = vocabulary.compiler().compile(&Spec::Gbnf { grammar: grammar.to_owned() }).unwrap();
        for (text, is_good) in good.iter().map(|text| (text, true)).chain(bad.iter().map(|text| (text, false))) {
            let mut matcher = matcher.clone();
            let taken = text.chars().all(|c| push(&mut matcher, c).is_ok());
            assert_eq!(taken && matcher.is_complete(), is_good, "{text:?} of {grammar}");
            assert_eq!(recogniser.accepts(text), is_good, "{text:?} of {grammar}");
        }
    }
}
