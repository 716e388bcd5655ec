//! The engine on ember and the golden models, natively on both devices. One program, since each one links the whole engine:
//! `cargo test -p inglenook --test engine sessions` runs a module of it.

mod activations;
mod adapter_goldens;
mod adapters;
mod answers;
mod architectures;
mod assistant;
mod chat_session;
mod clients;
mod cpu_module;
mod cuts;
mod early_ends;
mod encoders;
mod kv_types;
mod metrics;
mod model_goldens;
mod mtp;
mod oracle;
mod page_store;
mod permutations;
mod reasoning;
mod recurrent;
mod sessions;
mod slow_grammars;
#[path = "../support/mod.rs"]
mod support;
mod tool_call_formats;
mod tools;
mod windows;

use support::{EMBER, gpu, gpu_as_hardware};
