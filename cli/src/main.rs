//! inglenook-cli

fn main() {}
