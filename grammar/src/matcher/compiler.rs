//! From descriptions to matchers, with what was compiled before kept.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use llguidance::api::{ParserLimits, TopLevelGrammar};
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::{InferenceCapabilities, TokEnv};
use llguidance::{ParserFactory, TokenParser, panic_utils};

use super::guard::Guard;
use super::{Matcher, Vocabulary, failure};
use crate::{GrammarError, Grammars, Match, Spec, gbnf, lark, regex, schema};

/// How many compiled grammars are kept.
const CACHED: usize = 16;

/// A compiled grammar whose lexer has grown beyond this, in bytes, is compiled anew for the next request: a lexer learns states
/// while it is used and never forgets one.
const MAX_LEXER: usize = 16 << 20;

/// Most choices in a [`Spec::Choice`].
const MAX_CHOICES: usize = 10_000;

/// Compiles descriptions for one vocabulary.
pub struct Compiler {
    vocabulary: Arc<Vocabulary>,
    factory: ParserFactory,
    /// Compiled grammars by their descriptions; the one used last comes last.
    cache: Vec<(String, TokenParser)>,
}

impl Compiler {
    /// A compiler for these tokens. The tokens are sorted into tries here, once.
    ///
    /// # Errors
    /// When the vocabulary cannot be matched over.
    pub fn new(vocabulary: Arc<Vocabulary>) -> Result<Compiler, GrammarError> {
        let tokens: TokEnv = vocabulary.clone();
        let capabilities = InferenceCapabilities { ff_tokens: true, ..Default::default() };
        let mut factory = ParserFactory::new(&tokens, capabilities, &SlicedBiasComputer::json_slices())
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
        let parser = match self.take_cached(&key) {
            Some(parser) => parser,
            None => self.parse(spec)?,
        };
        let matcher = self.begin(&parser, spec);
        if self.cache.len() == CACHED {
            self.cache.remove(0);
        }
        self.cache.push((key, parser));
        Ok(matcher)
    }

    fn begin(&self, parser: &TokenParser, spec: &Spec) -> Matcher {
        let guard = writes_json(spec).then(Guard::new);
        Matcher::new(llguidance::Matcher::new(Ok(parser.clone())), self.vocabulary.clone(), guard)
    }

    fn take_cached(&mut self, key: &str) -> Option<TokenParser> {
        let at = self.cache.iter().position(|(cached, _)| cached == key)?;
        let (_, parser) = self.cache.remove(at);
        // Asking panics if an earlier use of the grammar did: then it is compiled anew, too.
        let size = panic_utils::catch_unwind(AssertUnwindSafe(|| Ok(parser.parser.lexer_stats().num_bytes)));
        size.is_ok_and(|bytes| bytes <= MAX_LEXER).then_some(parser)
    }

    fn parse(&self, spec: &Spec) -> Result<TokenParser, GrammarError> {
        let grammar = match spec {
            Spec::JsonSchema { schema, strict } => TopLevelGrammar::from_json_schema(schema::prepare(schema, *strict)?),
            Spec::JsonObject => TopLevelGrammar::from_json_schema(schema::any_object()),
            Spec::Regex { regex } => TopLevelGrammar::from_lark(regex::to_lark(regex)?),
            Spec::Lark { grammar } => {
                TopLevelGrammar::from_lark(lark::prepare(grammar, &|name| self.vocabulary.control(name))?)
            }
            Spec::Gbnf { grammar } => TopLevelGrammar::from_lark(gbnf::to_lark(grammar)?),
            Spec::Choice { choices } => TopLevelGrammar::from_lark(choice(choices)?),
        };
        let parser = self.factory.create_parser(grammar).map_err(|error| failure::to_compile(&error.to_string()))?;
        // What can't even begin is better refused now than at the first token.
        let mut first = self.begin(&parser, spec);
        for token in first.forced()? {
            first.accept(token)?;
        }
        first.mask(&mut [])?;
        Ok(parser)
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

fn choice(choices: &[String]) -> Result<String, GrammarError> {
    if choices.len() > MAX_CHOICES {
        return Err(GrammarError::TooLarge { what: format!("{} choices", choices.len()), limit: MAX_CHOICES });
    }
    if choices.is_empty() || choices.iter().any(String::is_empty) {
        return Err(GrammarError::Spec("`choices` must name at least one text, and no empty one".to_owned()));
    }
    let quoted: Vec<String> = choices.iter().map(|text| lark::quote(text)).collect();
    Ok(format!("start: CHOICE\nCHOICE: {}", quoted.join(" | ")))
}

/// What compiling and a step may cost. llguidance's own limits, apart from the number of lexer states: each takes 1 to 2 KB.
fn limits() -> ParserLimits {
    ParserLimits { max_lexer_states: 50_000, verbose_errors: false, ..ParserLimits::default() }
}
