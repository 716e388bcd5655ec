//! The JavaScript face of inglenook: what the npm package calls, and nothing that thinks.
#![cfg(target_arch = "wasm32")]

#[cfg(feature = "selftest")]
mod selftest;
