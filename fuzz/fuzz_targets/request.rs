//! A request as JSON: read, or refused with a message.
#![no_main]

use inglenook::Request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &str| {
    if let Err(error) = Request::from_json(json) {
        assert!(!error.to_string().is_empty());
    }
});
