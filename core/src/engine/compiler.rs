//! Grammars compiled in this process, by a thread of the engine's own; in the browser a second module does it.

use std::sync::Arc;

use inglenook_grammar::{Compiler, GrammarError, GrammarThread, Grammars, Match, Vocabulary, unpack};

use crate::kernels::sampling::mask_words;
use inglenook_text::{Tokenizer, vocabulary};

/// A thread that compiles grammars for a model's tokens.
pub(super) fn thread(tokenizer: &Arc<Tokenizer>) -> GrammarThread {
    let (words, tokenizer) = (mask_words(tokenizer.vocab_size() as u32) as usize, tokenizer.clone());
    GrammarThread::new(words, move || Box::new(LazyCompiler { tokenizer: tokenizer.clone(), compiler: None }))
}

/// A compiler that is made when the first request needs it: its tables take a moment, and memory.
struct LazyCompiler {
    tokenizer: Arc<Tokenizer>,
    compiler: Option<Compiler>,
}

impl LazyCompiler {
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
