//! Answers from a module of the CPU beside the engine.

use inglenook::engine::{Engine, EngineOptions};
use inglenook::source::Memory;
use inglenook::{Device, Error, KvType};
use pollster::block_on;
use serde_json::{Value, json};

use crate::EMBER;
use crate::support::module::InProcess;
use crate::support::{read, request};

fn asked() -> Value {
    json!({"messages": [{"role": "user", "content": "What is 17 + 25?"}], "max_tokens": 24, "seed": 7})
}

async fn engine(device: Device, kv_type: KvType) -> Engine {
    let options = EngineOptions { kv_type, free_drafts: true, ..EngineOptions::default() };
    Engine::load(device, &Memory(EMBER), &options, &mut |_| true).await.expect("loads")
}

#[test]
fn answers_of_a_module_are_those_of_the_cpu() {
    block_on(async {
        for kv_type in [KvType::F16, KvType::Q8_0] {
            let (module, device) = InProcess::device();
            let (there, here) = (engine(device, kv_type).await, engine(Device::Cpu, kv_type).await);
            for fields in [json!({}), json!({"temperature": 0.0}), json!({"n": 3}), json!({"logprobs": true})] {
                let mut told = Vec::new();
                for engine in [&there, &here] {
                    let mut answer = engine.submit(request(asked(), fields.clone())).expect("a request");
                    told.push(read(&mut answer).await.tokens);
                }
                assert_eq!(told[0], told[1], "{fields}");
            }
            assert!(module.runs.get() > 0);
            let info = there.info();
            assert_eq!((info.adapter.name.as_str(), info.adapter.backend.as_str()), ("CPU", "cpu"));
            assert!(!info.adapter.driver.is_empty(), "says what it computes with");
            assert_eq!(info.kernels, here.info().kernels);
            assert_eq!(info.memory.total(), here.info().memory.total());
        }
    });
}

#[test]
fn module_that_stops_ends_answers_with_an_error() {
    block_on(async {
        let (module, device) = InProcess::device();
        let engine = engine(device, KvType::F16).await;
        let mut answer = engine.submit(request(asked(), json!({"max_tokens": 200}))).expect("a request");
        answer.next().await.expect("computes");
        module.has_failed.set(true);
        let error = loop {
            match answer.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ended as if nothing had happened"),
                Err(error) => break error,
            }
        };
        assert!(matches!(&error, Error::Gpu(error) if error.to_string().contains("stopped (a test)")), "{error:?}");
    });
}
