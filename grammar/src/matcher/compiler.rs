//! From descriptions to matchers, with what was compiled before kept.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use llguidance::api::{ParserLimits, TopLevelGrammar};
use llguidance::toktrie::{InferenceCapabilities, TokEnv};
use llguidance::{ParserFactory, TokenParser, panic_utils};

use super::guard::Guard;
use super::rules::Rules;
use super::{Matcher, Vocabulary, failure};
use crate::prepare::{Ready, prepare};
use crate::{GrammarError, Grammars, Match, Spec};

/// How many compiled grammars are kept.
const CACHED: usize = 16;

/// A compiled grammar whose lexer has grown beyond this, in bytes, is compiled anew for the next request: a lexer learns states
/// while it is used and never forgets one.
const MAX_LEXER: usize = 16 << 20;

/// Compiles descriptions for one vocabulary.
pub struct Compiler {
    vocabulary: Arc<Vocabulary>,
    factory: ParserFactory,
    /// Compiled grammars by their descriptions; the one used last comes last.
    cache: Vec<(String, Arc<Compiled>)>,
}

/// A compiled grammar.
pub(super) struct Compiled {
    /// At the beginning.
    parser: TokenParser,
    rules: OnceLock<Option<Rules>>,
}

impl Compiled {
    /// Its rules, for whoever looks for completions; none where they cannot be had.
    pub fn rules(&self, vocabulary: &Vocabulary) -> Option<&Rules> {
        self.rules.get_or_init(|| Rules::of(&self.parser.parser, vocabulary)).as_ref()
    }
}

impl Compiler {
    /// A compiler for these tokens. They are sorted into several tries here, which takes about a second for 150,000: one compiler serves a
    /// model for good.
    ///
    /// # Errors
    /// When the vocabulary cannot be matched over.
    pub fn new(vocabulary: Arc<Vocabulary>) -> Result<Compiler, GrammarError> {
        let tokens: TokEnv = vocabulary.clone();
        let capabilities = InferenceCapabilities { ff_tokens: true, ..Default::default() };
        let mut factory = ParserFactory::new(&tokens, capabilities, &slices())
            .map_err(|error| GrammarError::Vocabulary(error.to_string()))?;
        factory.quiet();
        *factory.limits_mut() = limits();
        Ok(Compiler { vocabulary, factory, cache: Vec::new() })
    }

    /// A matcher at the beginning of what `spec` describes.
    ///
    /// # Errors
    /// When the description is wrong, unsupported or too large.
    pub fn compile(&mut self, spec: &Spec) -> Result<Matcher, GrammarError> {
        let key = spec.to_json();
        let compiled = match self.take_cached(&key) {
            Some(compiled) => compiled,
            None => self.parse(spec)?,
        };
        let matcher = self.begin(&compiled, spec);
        if self.cache.len() == CACHED {
            self.cache.remove(0);
        }
        self.cache.push((key, compiled));
        Ok(matcher)
    }

    fn begin(&self, compiled: &Arc<Compiled>, spec: &Spec) -> Matcher {
        let guard = writes_json(spec).then(Guard::new);
        let inner = llguidance::Matcher::new(Ok(compiled.parser.clone()));
        Matcher::new(inner, self.vocabulary.clone(), guard, compiled.clone())
    }

    fn take_cached(&mut self, key: &str) -> Option<Arc<Compiled>> {
        let at = self.cache.iter().position(|(cached, _)| cached == key)?;
        let (_, compiled) = self.cache.remove(at);
        // Asking panics if an earlier use of the grammar did: then it is compiled anew, too.
        let size = panic_utils::catch_unwind(AssertUnwindSafe(|| Ok(compiled.parser.parser.lexer_stats().num_bytes)));
        size.is_ok_and(|bytes| bytes <= MAX_LEXER).then_some(compiled)
    }

    fn parse(&self, spec: &Spec) -> Result<Arc<Compiled>, GrammarError> {
        let grammar = match prepare(spec, &|name| self.vocabulary.control(name))? {
            Ready::Schema(schema) => TopLevelGrammar::from_json_schema(schema),
            Ready::Lark(grammar) => TopLevelGrammar::from_lark(grammar),
        };
        let parser = self.factory.create_parser(grammar).map_err(|error| failure::to_compile(&error.to_string()))?;
        let compiled = Arc::new(Compiled { parser, rules: OnceLock::new() });
        // What can't even begin is better refused now than at the first token.
        let mut first = self.begin(&compiled, spec);
        for token in first.forced()? {
            first.accept(token)?;
        }
        first.mask(&mut [])?;
        Ok(compiled)
    }
}

impl Grammars for Compiler {
    fn compile(&mut self, spec_json: &str) -> Result<Box<dyn Match>, GrammarError> {
        Ok(Box::new(Compiler::compile(self, &Spec::from_json(spec_json)?)?))
    }
}

/// Whether an output is JSON, or has some in it.
fn writes_json(spec: &Spec) -> bool {
    match spec {
        Spec::JsonSchema { .. } | Spec::JsonObject => true,
        Spec::Lark { grammar } => grammar.contains("%json"),
        Spec::Regex { .. } | Spec::Gbnf { .. } | Spec::Choice { .. } => false,
    }
}

/// Sets of tokens, as expressions, that a step allows as a whole where it can: blanks, and what a text may go on with. Each holds the
/// one before it, and costs a trie of its own. Where the end of a text's room is near, the tokens between two of them are gone through one
/// by one: these lengths make the most of that the least (`benches/masks.rs`).
fn slices() -> Vec<String> {
    let texts = ["{1,4}", "{1,7}", "{1,12}", "+"].map(|length| format!(r#"[^"\\\x00-\x1F\x7F]{length}"#));
    [r"[\x20\x0A\x0D\x09]+".to_owned()].into_iter().chain(texts).collect()
}

/// What compiling and a step may cost. llguidance's own limits, apart from the number of lexer states, of which each takes 1 to 2 KB, of
/// items, of which an object of a thousand optional properties needs four a property, and of what a step constructs, which is much where
/// numbers must be multiples of another.
pub(super) fn limits() -> ParserLimits {
    ParserLimits {
        max_lexer_states: 50_000,
        max_items_in_row: 6_000,
        step_lexer_fuel: 1_000_000,
        verbose_errors: false,
        ..ParserLimits::default()
    }
}
