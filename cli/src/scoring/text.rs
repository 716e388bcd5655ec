//! A text as chunks of tokens, cut as llama.cpp's `perplexity` cuts it, so that figures can be compared.

use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};
use inglenook::text::{Special, Tokenizer};

use super::TextArguments;
use crate::arguments;

/// What is read where no file is named.
const BUILT_IN: &str = include_str!("../../../tests/goldens/generator/corpus.txt");

/// A text, and what to call it.
#[derive(Debug)]
pub struct Text {
    pub name: String,
    content: String,
}

impl Text {
    /// The text in a file, on standard input, or the built-in one.
    ///
    /// # Errors
    /// When it cannot be read, or is no UTF-8.
    pub fn read(file: Option<&Path>) -> Result<Text> {
        match file {
            None => Ok(Text { name: "the built-in text".into(), content: BUILT_IN.into() }),
            Some(path) if path == Path::new("-") => {
                let content = io::read_to_string(io::stdin()).context("cannot read the text")?;
                Ok(Text { name: "standard input".into(), content })
            }
            Some(path) => Ok(Text { name: path.display().to_string(), content: arguments::text_file(path)? }),
        }
    }

    /// Its whole chunks of as many tokens as were asked for; the rest behind them is left out. Each begins with the begin-of-text token where the model's
    /// texts do: in place of a token, so that all chunks are as long.
    ///
    /// # Errors
    /// When the text has fewer tokens than one chunk.
    pub fn chunks(&self, tokenizer: &Tokenizer, arguments: &TextArguments) -> Result<Vec<Vec<u32>>> {
        let context = arguments.context;
        let tokens = tokenizer.encode(&self.content, Special::AsText, tokenizer.adds_bos());
        if tokens.len() < context as usize {
            let (name, found) = (&self.name, tokens.len());
            bail!(
                "{name} has {found} tokens, fewer than a chunk of {context}; give a longer text, or a --context of at most {found}"
            );
        }
        let most = arguments.chunks.map_or(usize::MAX, |most| most as usize);
        let mut chunks: Vec<Vec<u32>> = tokens.chunks_exact(context as usize).take(most).map(<[u32]>::to_vec).collect();
        if let (true, Some(bos)) = (tokenizer.adds_bos(), tokenizer.special_ids().bos) {
            chunks.iter_mut().for_each(|chunk| chunk[0] = bos);
        }
        Ok(chunks)
    }
}
