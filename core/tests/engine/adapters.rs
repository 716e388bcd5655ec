//! LoRA adapters in the engine: each answer is what the model with its adapters says alone, whoever else is in the batch.

use inglenook::engine::request::{AdapterChoice, Request};
use inglenook::engine::{Engine, EngineOptions};
use inglenook::lora::{Lora, LowRank};
use inglenook::{Device, Error};
use pollster::block_on;

use crate::gpu;
use crate::oracle::{Oracle, answer, golden, load, options, read, request, text_of};

/// An adapter of random numbers on the matrices whose name ends so.
pub fn adapter(engine: &Engine, seed: u64, rank: usize, matrices: &[&str]) -> Lora {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut values = |len: usize| -> Vec<f32> { (0..len).map(|_| random.f32() - 0.5).collect() };
    let wanted = |name: &str| matrices.iter().any(|end| name.ends_with(&format!("{end}.weight")));
    let sizes = engine.model().matrices().sizes.iter().filter(|(name, _)| wanted(name));
    let weights = sizes.map(|(name, [inputs, outputs])| {
        let (a, b) = (values(rank * *inputs as usize), values(rank * *outputs as usize));
        (name.clone(), LowRank { rank, a, b, scale: 0.5 })
    });
    let lora = Lora { architecture: None, weights: weights.collect() };
    assert!(!lora.weights.is_empty());
    lora
}

pub fn with(request: &Request, chosen: &[(&str, f32)]) -> Request {
    let lora = chosen.iter().map(|(name, scale)| AdapterChoice { name: (*name).into(), scale: *scale }).collect();
    Request { lora, ..request.clone() }
}

/// What a request chooses, and which adapters these are.
type Case<'a> = (&'a [(&'a str, f32)], Vec<(&'a Lora, f32)>);

fn answers_of_a_batch_equal_those_alone(name: &str, device: Device) {
    let model = golden(name);
    let engine = load(device, &model, &options(4));
    // As two files have: attention alone, and of different ranks.
    let adapters = [
        adapter(&engine, 1, 4, &["attn_q", "attn_v", "attn_qkv"]),
        adapter(&engine, 2, 9, &["attn_q", "attn_k", "attn_output", "ffn_gate", "ffn_up", "ffn_down", "attn_qkv"]),
        adapter(&engine, 3, 17, &["attn_output", "ffn_down", "ssm_out", "output"]),
    ];
    for (name, adapter) in ["a", "b", "c"].iter().zip(&adapters) {
        block_on(engine.load_adapter(name, adapter)).expect("an adapter of this model");
    }
    let [a, b, c] = &adapters;
    let prompt = text_of(&engine, 1, 80);
    let plain = request(&engine, &prompt, 24);
    let cases: [Case<'_>; 5] = [
        (&[("a", 1.0)], vec![(a, 1.0)]),
        (&[("b", 0.5)], vec![(b, 0.5)]),
        (&[("c", 1.0), ("a", -0.7)], vec![(c, 1.0), (a, -0.7)]),
        (&[], vec![]),
        (&[("b", 0.0)], vec![]),
    ];
    let expected = cases.iter().map(|(_, adapters)| Oracle::with_adapters(&model, &engine, adapters));
    let expected: Vec<Vec<u32>> = expected.map(|oracle| oracle.answer(&engine, &plain)).collect();
    assert_ne!(expected[0], expected[3], "{name}: adapters change the answer");
    // The same prompt: nothing of it is shared but by those that have the same adapters.
    for _ in 0..2 {
        let answers = cases.iter().map(|(chosen, _)| read(engine.submit(with(&plain, chosen)).expect("good")));
        let found = block_on(futures_util::future::join_all(answers));
        for (((tokens, _), expected), (chosen, _)) in found.iter().zip(&expected).zip(&cases) {
            assert_eq!(tokens, expected, "{name} {chosen:?}");
        }
    }
    let (tokens, usage) = answer(&engine, &with(&plain, &[("b", 0.5)]));
    assert_eq!((&tokens, usage.cached_tokens >= 64), (&expected[1], true), "{name}: {usage:?}");
}

#[test]
fn a_session_goes_on_with_the_adapters_that_it_had() {
    let model = golden("llama");
    let open = || {
        let engine = load(Device::Cpu, &model, &options(2));
        let lora = adapter(&engine, 1, 4, &["attn_q", "attn_v", "ffn_down"]);
        block_on(engine.load_adapter("a", &lora)).expect("an adapter of this model");
        engine
    };
    let engine = open();
    let plain = request(&engine, &text_of(&engine, 1, 100), 8);
    let adapted = with(&plain, &[("a", 0.5)]);
    let expected = [&plain, &adapted].map(|request| answer(&engine, request).0);
    let tokens = engine.prompt_tokens(&plain).expect("a prompt");
    let mut session = engine.save_with_adapters(&tokens, &adapted.lora, b"state").expect("it is loaded");
    let mut file = Vec::new();
    while let Some(bytes) = block_on(session.next()).expect("reads") {
        file.extend(bytes);
    }
    let other = engine.save_with_adapters(&tokens, &with(&plain, &[("b", 1.0)]).lora, b"").map(|_| ());
    assert!(matches!(other, Err(Error::Request(_))), "{other:?}");
    engine.close();

    let engine = open();
    let restored = engine.restore(&file).expect("its own file");
    assert_eq!((&restored.state[..], &restored.tokens[..]), (&b"state"[..], &tokens[..restored.tokens.len()]));
    let (found, usage) = answer(&engine, &adapted);
    assert!(found == expected[1] && usage.cached_tokens >= 96, "{usage:?}");
    let (found, usage) = answer(&engine, &plain);
    assert_eq!((&found, usage.cached_tokens), (&expected[0], 0), "nothing of it is the model's alone");
}

#[test]
fn answers_with_adapters_in_a_batch_equal_those_alone_on_the_cpu() {
    for name in ["llama", "qwen2", "phi3", "gemma3", "qwen35", "glm4", "gpt-oss", "granitehybrid"] {
        answers_of_a_batch_equal_those_alone(name, Device::Cpu);
    }
}

#[test]
fn answers_with_adapters_in_a_batch_equal_those_alone_on_the_gpu() {
    for name in ["llama", "gemma3", "qwen35"] {
        answers_of_a_batch_equal_those_alone(name, gpu());
    }
}

/// The one takes the columns of the other, and with another rank.
#[test]
fn adapters_are_exchanged_while_an_answer_goes_on() {
    let model = golden("llama");
    let engine = load(Device::Cpu, &model, &options(2));
    let [first, second, third] =
        [(1, 16), (2, 8), (3, 40)].map(|(seed, rank)| adapter(&engine, seed, rank, &["attn_q", "ffn_up"]));
    let plain = request(&engine, &text_of(&engine, 1, 40), 60);
    let expected = |adapter: &Lora| Oracle::with_adapters(&model, &engine, &[(adapter, 1.0)]).answer(&engine, &plain);
    block_on(async {
        engine.load_adapter("one", &first).await.expect("loads");
        let mut under_way = engine.submit(with(&plain, &[("one", 1.0)])).expect("good");
        under_way.next().await.expect("generates");
        engine.unload_adapter("one").expect("is loaded");
        assert!(engine.submit(with(&plain, &[("one", 1.0)])).is_err());
        // Beside it, since the answer still has its columns; then larger stacks.
        for (name, adapter) in [("one", &second), ("three", &third)] {
            engine.load_adapter(name, adapter).await.expect("loads");
            let (tokens, _) = read(engine.submit(with(&plain, &[(name, 1.0)])).expect("good")).await;
            assert_eq!(tokens, expected(adapter), "{name}");
        }
        assert_eq!(read(under_way).await.0, expected(&first));
        assert_eq!(engine.adapters(), ["one", "three"]);
        let grown = engine.metrics().memory_bytes[&"weights"];
        engine.unload_adapter("three").expect("is loaded");
        engine.load_adapter("four", &first).await.expect("loads");
        assert_eq!(engine.metrics().memory_bytes[&"weights"], grown, "columns that are free are used again");
        let (tokens, _) = read(engine.submit(with(&plain, &[("four", 1.0)])).expect("good")).await;
        assert_eq!(tokens, expected(&first));
    });
}

/// Counted, not timed: nothing is made, and a row of a table is written.
#[test]
fn another_adapter_costs_no_object_of_the_gpu() {
    let engine = load(gpu(), &golden("llama"), &EngineOptions { no_speculation: true, ..options(1) });
    for (seed, name) in [(1, "a"), (2, "b")] {
        let adapter = adapter(&engine, seed, 8, &["attn_q", "ffn_up"]);
        block_on(engine.load_adapter(name, &adapter)).expect("loads");
    }
    let plain = request(&engine, &text_of(&engine, 1, 20), 8);
    answer(&engine, &with(&plain, &[("a", 1.0)]));
    let before = engine.counters();
    for name in ["b", "a", "b"] {
        answer(&engine, &with(&plain, &[(name, 1.0)]));
    }
    let after = engine.counters();
    assert_eq!((after.buffers, after.kernels, after.bind_groups), (before.buffers, before.kernels, before.bind_groups));
}

#[test]
fn what_cannot_be_had_of_adapters_is_told() {
    let engine = load(Device::Cpu, &golden("llama"), &options(1));
    let plain = request(&engine, "ember", 2);
    let told = |request: Request| engine.submit(request).expect_err("refused").to_string();
    assert!(told(with(&plain, &[("x", 1.0)])).contains("none is loaded"));
    let fitting = adapter(&engine, 1, 4, &["attn_q"]);
    block_on(engine.load_adapter("formal", &fitting)).expect("loads");
    let message = told(with(&plain, &[("frmal", 1.0)]));
    assert!(message.contains("\"frmal\"") && message.contains("formal"), "{message}");
    assert!(told(with(&plain, &[("formal", f32::NAN)])).contains("finite"));
    let fails = |name: &str, adapter: &Lora| block_on(engine.load_adapter(name, adapter)).expect_err("refused");
    assert!(matches!(fails("formal", &fitting), Error::Adapter(_)));
    let other = load(Device::Cpu, &golden("gemma3"), &options(1));
    let wrong = adapter(&other, 1, 4, &["attn_q"]);
    let error = fails("other", &wrong);
    assert!(error.to_string().contains("choose one for this model"), "{error}");
    assert!(engine.unload_adapter("other").expect_err("none").to_string().contains("formal"));
    let json = |lora: &str| Request::from_json(&format!(r#"{{"prompt": "x", "lora": {lora}}}"#));
    assert_eq!(
        json(r#"[{"name": "formal"}]"#).expect("good").lora,
        [AdapterChoice { name: "formal".into(), scale: 1.0 }]
    );
    for (lora, wanted) in [
        (r#"[{"id": 0}]"#, "by its `name`"),
        (r#"[{"nme": "a"}]"#, "did you mean `lora[0].name`"),
        (r#"["a"]"#, "lora"),
        (r#"[{"name": "a", "scale": "b"}]"#, "lora"),
    ] {
        let message = json(lora).expect_err("refused").to_string();
        assert!(message.contains(wanted), "{lora}: {message}");
    }
}
