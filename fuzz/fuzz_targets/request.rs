//! A request as JSON: refused with a message, or queued for ember, which is never computed.
#![no_main]

use std::cell::OnceCell;

use inglenook::source::Memory;
use inglenook::{Device, Engine, EngineOptions, Request};
use libfuzzer_sys::fuzz_target;

static EMBER: &[u8] = include_bytes!("../../models/ember/ember-q4_k_m.gguf");

thread_local! {
    static ENGINE: OnceCell<Engine> = const { OnceCell::new() };
}

fn engine() -> Engine {
    pollster::block_on(Engine::load(Device::Cpu, &Memory(EMBER), &EngineOptions::default(), &mut |_| true))
        .expect("ember loads")
}

fuzz_target!(|json: &str| {
    let answer = Request::from_json(json).map_err(|error| error.to_string()).and_then(|request| {
        ENGINE.with(|cell| cell.get_or_init(engine).submit(request).map_err(|error| error.to_string()))
    });
    if let Err(message) = answer {
        assert!(!message.is_empty());
    }
});
