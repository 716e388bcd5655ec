//! Grammars compiled in this process; in the browser a second module does it.

use std::sync::Arc;

use inglenook_grammar::{Compiler, GrammarError, Grammars, Match, Vocabulary, unpack};

use inglenook_text::{Tokenizer, vocabulary};

/// A compiler that is made when the first request needs it: its tables take a moment, and memory.
pub(super) struct LazyCompiler {
    tokenizer: Arc<Tokenizer>,
    compiler: Option<Compiler>,
}

impl LazyCompiler {
    /// For a model's tokens.
    pub fn new(tokenizer: Arc<Tokenizer>) -> LazyCompiler {
        LazyCompiler { tokenizer, compiler: None }
    }

    fn make(&self) -> Result<Compiler, GrammarError> {
        let tokens = unpack(&vocabulary::packed(&self.tokenizer))?;
        let tokenizer = self.tokenizer.clone();
        let tokenize = Box::new(move |bytes: &[u8]| vocabulary::encode(&tokenizer, bytes));
        Compiler::new(Arc::new(Vocabulary::new(&tokens, self.tokenizer.stop_ids(), tokenize)?))
    }
}

impl Grammars for LazyCompiler {
    fn compile(&mut self, spec_json: &str) -> Result<Box<dyn Match>, GrammarError> {
        let mut compiler = match self.compiler.take() {
            Some(compiler) => compiler,
            None => self.make()?,
        };
        let matcher = Grammars::compile(&mut compiler, spec_json);
        self.compiler = Some(compiler);
        matcher
    }
}
