//! inglenook-wasm
