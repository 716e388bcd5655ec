//! The JavaScript face of inglenook: what the npm package calls, and nothing that thinks.
#![cfg(all(target_arch = "wasm32", feature = "selftest"))]

mod errors;
mod host;
mod selftest;
mod source;
