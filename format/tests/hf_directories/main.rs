//! Directories of models that are made in memory: quantised weights, tokenizers, and whatever can be wrong with a directory.

#![cfg(feature = "hf")]

mod files;
mod hostile;
mod large;
mod quantised;
mod rearranged;
mod tokenizer;
