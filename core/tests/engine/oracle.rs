//! What engines on golden models are held against: their own models' logits, where every page is kept and nothing is shared.

use std::path::PathBuf;

use inglenook::engine::event::{Event, Usage};
use inglenook::engine::request::Request;
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::engine::{Answer, Engine, EngineOptions};
use inglenook::format::gguf::Gguf;
use inglenook::lora::Lora;
use inglenook::model::Model;
use inglenook::plan::KernelCache;
use inglenook::source::Memory;
use inglenook::{Device, KvType};
use pollster::block_on;
use serde_json::json;

pub const CONTEXT: u32 = 400;

pub fn golden(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/goldens/models/{name}.gguf"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn options(slots: u32) -> EngineOptions {
    EngineOptions {
        context: Some(CONTEXT),
        max_sequences: Some(slots),
        kv_type: KvType::F32,
        exact_activations: true,
        host_cache_bytes: Some(0),
        ..EngineOptions::default()
    }
}

pub fn load(device: Device, model: &[u8], options: &EngineOptions) -> Engine {
    block_on(Engine::load(device, &Memory(model), options, &mut |_| true)).expect("a golden model loads")
}

/// A text of about `len` tokens that begins as all of this `seed` do.
pub fn text(seed: usize, len: usize) -> String {
    let words = ["answer", "gardener", "harbour", "print", "ember", "one"];
    (0..len).map(|at| words[(at * (seed + 3) + at / 5) % words.len()]).collect::<Vec<_>>().join(" ")
}

/// The same of at least so many tokens.
pub fn text_of(engine: &Engine, seed: usize, tokens: usize) -> String {
    let count = |text: &str| engine.prompt_tokens(&request(engine, text, 1)).expect("a short request").len();
    (1..).map(|len| text(seed, len)).find(|text| count(text) >= tokens).expect("texts grow")
}

pub fn request(engine: &Engine, prompt: &str, max_tokens: u32) -> Request {
    let never = engine.tokenizer().stop_ids().iter().map(|id| (id.to_string(), json!(-100)));
    let bias = serde_json::Map::from_iter(never);
    let fields = json!({"prompt": prompt, "temperature": 0, "max_tokens": max_tokens, "logit_bias": bias});
    Request::from_json(&fields.to_string()).expect("a request")
}

pub async fn read(mut answer: Answer) -> (Vec<u32>, Usage) {
    loop {
        if let Event::Done { usage, .. } = answer.next().await.expect("generates").expect("an end") {
            return (answer.tokens(0), usage);
        }
    }
}

pub fn answer(engine: &Engine, request: &Request) -> (Vec<u32>, Usage) {
    block_on(read(engine.submit(request.clone()).expect("a good request")))
}

/// What the model says greedily, where every page is kept and nothing is shared.
pub struct Oracle {
    scorer: LogitsEvaluator,
    /// Tokens that it does not choose.
    pub never: Vec<u32>,
}

impl Oracle {
    pub fn new(model: &[u8], engine: &Engine) -> Oracle {
        Oracle::with_adapters(model, engine, &[])
    }

    /// The same of a model with adapters.
    pub fn with_adapters(model: &[u8], engine: &Engine, adapters: &[(&Lora, f32)]) -> Oracle {
        let options = ScoreOptions { chunk: 64, context: CONTEXT, kv: KvType::F32 };
        let source = Memory(model);
        let gguf = block_on(Gguf::read(&source)).expect("a header");
        let loaded = block_on(Model::load(&gguf, &source, &Device::Cpu, CONTEXT, &mut |_, _| true));
        let loaded = loaded.expect("a golden model loads");
        let scorer = block_on(LogitsEvaluator::with_adapters(KernelCache::new(Device::Cpu), loaded, options, adapters));
        let never = engine.tokenizer().stop_ids().to_vec();
        Oracle { scorer: scorer.expect("a plan"), never }
    }

    pub fn answer(&self, engine: &Engine, request: &Request) -> Vec<u32> {
        let prompt = engine.prompt_tokens(request).expect("a good request");
        let mut logits = block_on(self.scorer.logits(&prompt)).expect("computes");
        let mut tokens = Vec::new();
        for position in prompt.len() as u32..prompt.len() as u32 + request.max_tokens.expect("a limit") {
            let last = &logits[logits.len() - self.scorer.model().config().vocab as usize..];
            let allowed = (0..last.len() as u32).filter(|id| !self.never.contains(id));
            let token = allowed.max_by(|a, b| last[*a as usize].total_cmp(&last[*b as usize])).expect("some");
            tokens.push(token);
            logits = block_on(self.scorer.extend(position, &[token])).expect("computes");
        }
        tokens
    }
}
