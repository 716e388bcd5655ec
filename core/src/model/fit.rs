//! Whether a model and its context fit a device, from the file's header alone: before any weight is read or downloaded.

use super::layer_kind::{AttentionKind, LayerKind, RecurrentKind, kv_groups};
use super::weights::LoadError;
use super::{Config, Model};
use crate::device::Device;
use crate::gpu::Limits;
use crate::kernels::kv::{KvShape, KvType, PAGE};
use crate::kv::groups::{KvGroupSpec, Lifetime};
use inglenook_format::gguf::Gguf;

/// How a model is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FitOptions {
    /// Tokens of context of a sequence.
    pub context: u32,
    /// Tokens that the cache has room for; no fewer than those of a context.
    pub cache_tokens: u32,
    /// Sequences at once, each of which may need a page more: the one it shares up to its middle.
    pub slots: u32,
    /// How keys and values are stored.
    pub kv: KvType,
    /// Rows of the largest plan: the tokens of a prefill step.
    pub rows: u32,
    /// Whether the layer that predicts a further token runs, too.
    pub mtp: bool,
}

/// Memory that a model needs, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryNeeds {
    /// Weights, and the table of rotation angles.
    pub weights: u64,
    /// Keys and values of a token, in the layers that see every token.
    pub kv_per_token: u64,
    /// Keys and values of the layers with a sliding window, whose pools do not grow with the context.
    pub kv_windows: u64,
    /// Activations of the largest plan, about.
    pub activations: u64,
}

/// Why a model does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// The weights leave no room for a context.
    #[error(
        "the model needs {} for its weights and a step, and there are {} of memory; use a smaller model or one with fewer bits a weight",
        size(*.needed), size(*.memory)
    )]
    Weights {
        /// Bytes needed without any context.
        needed: u64,
        /// Bytes there are.
        memory: u64,
    },
    /// Other models have the memory.
    #[error(
        "the model needs {}, {} of them for its weights, and of the {} there are for models {} are taken by such as are in use; \
         wait for their answers, unload one, or allow more",
        size(*.needed), size(*.weights), size(*.budget), size(*.taken)
    )]
    Budget {
        /// Bytes needed.
        needed: u64,
        /// Bytes of its weights.
        weights: u64,
        /// Bytes that models have which are not idle.
        taken: u64,
        /// Bytes that all models may have.
        budget: u64,
    },
    /// The context is too long.
    #[error(
        "{tokens} tokens of context need {} {what}, and there are {}; {}",
        size(*.needed), size(*.available), remedy(*.fits)
    )]
    Context {
        /// Tokens asked for: a context, or the cache's if it is to hold more.
        tokens: u32,
        /// What is too small, in words.
        what: &'static str,
        /// Bytes that the context needs of it.
        needed: u64,
        /// Bytes there are of it.
        available: u64,
        /// Tokens of context that would fit; 0 where none would.
        fits: u32,
    },
}

impl MemoryNeeds {
    pub(super) fn of(config: &Config, weights: u64, options: &FitOptions) -> MemoryNeeds {
        let pools: Vec<Pool> = pools(config, options).collect();
        let page = pools.iter().filter(|pool| pool.lifetime.window.is_none()).map(|pool| pool.page).sum::<u64>();
        let windows = pools.iter().filter(|pool| pool.lifetime.window.is_some());
        let kv_windows = windows.map(|pool| pool.bytes(options, options.tokens())).sum();
        // What lives at once in a layer: the residual stream and its norm, then either attention's tensors or the fused
        // feed-forward layer's. One row has logits.
        let widths = (0..config.layers).map(|layer| {
            let recurrent = |kind: &RecurrentKind| 2 * kind.conv.channels + 3 * kind.scan.width() + 4 * kind.scan.heads;
            let attention = |kind: &AttentionKind| kind.qkv_width() + kind.q_width();
            let mixer = match &config.layer_kinds[layer as usize] {
                LayerKind::Attention(kind) => attention(kind),
                LayerKind::Conv(kind) => 4 * kind.channels,
                LayerKind::Recurrent(kind) => recurrent(kind),
                LayerKind::Parallel(kind, beside) => attention(kind) + recurrent(beside),
                LayerKind::FeedForward => 0,
            };
            let pairs = config.experts.map_or(0, |experts| experts.routing.used * (experts.ffn + config.hidden));
            mixer.max(config.ffn(layer)).max(pairs)
        });
        let of_mtp = options.mtp.then_some(4 * config.hidden);
        let row = 2 * u64::from(config.hidden) + u64::from(widths.chain(of_mtp).max().unwrap_or(0));
        let activations = 4 * (row * u64::from(options.rows) + 3 * u64::from(config.vocab));
        MemoryNeeds { weights, kv_per_token: page / u64::from(PAGE), kv_windows, activations }
    }

    /// All of it for `tokens` tokens in the cache.
    pub fn total(&self, tokens: u64) -> u64 {
        let cache = self.kv_windows.saturating_add(self.kv_per_token.saturating_mul(tokens));
        self.without_cache().saturating_add(cache)
    }

    /// The same beside another model that takes so many bytes, which its weights stand for here.
    pub fn beside(self, bytes: u64) -> MemoryNeeds {
        MemoryNeeds { weights: self.weights.saturating_add(bytes), ..self }
    }

    /// All of it but keys and values.
    pub fn without_cache(&self) -> u64 {
        self.weights.saturating_add(self.activations)
    }
}

/// Refuses a model or a context that cannot fit `device`.
///
/// # Errors
/// [`FitError`] as [`LoadError::Fit`], and those of [`Model::memory_needed`].
pub fn check(gguf: &Gguf, device: &Device, options: &FitOptions) -> Result<MemoryNeeds, LoadError> {
    let limits = device.facts().limits;
    let needs = Model::memory_needed(gguf, &limits, options)?;
    check_needs(&Config::read(gguf)?, &needs, device, options)?;
    Ok(needs)
}

/// Refuses a model that needs so much, and a context, that cannot fit `device`.
///
/// # Errors
/// [`FitError`].
pub fn check_needs(
    config: &Config,
    needs: &MemoryNeeds,
    device: &Device,
    options: &FitOptions,
) -> Result<(), FitError> {
    check_bindings(config, &device.facts().limits, options)?;
    match device.memory() {
        Some(memory) => check_memory(config, needs, memory, options),
        None => Ok(()),
    }
}

/// The keys and values of a layer must fit its bindings.
fn check_bindings(config: &Config, limits: &Limits, options: &FitOptions) -> Result<(), FitError> {
    for pool in pools(config, options) {
        let available = pool.shape.most_pages(pool.shape.binding_pages(limits));
        let pages = |tokens| u64::from(pool.pages(options, tokens));
        options.check_tokens("for the keys and values of a layer", pool.shape.page_bytes(), &pages, available)?;
    }
    Ok(())
}

/// Everything together must fit the memory.
fn check_memory(config: &Config, needs: &MemoryNeeds, memory: u64, options: &FitOptions) -> Result<(), FitError> {
    let pools: Vec<Pool> = pools(config, options).collect();
    let available = memory.saturating_sub(needs.without_cache());
    if available < pools.iter().map(|pool| pool.page).sum::<u64>() {
        return Err(FitError::Weights { needed: needs.without_cache(), memory });
    }
    let bytes = |tokens| pools.iter().fold(0u64, |sum, pool| sum.saturating_add(pool.bytes(options, tokens)));
    options.check_tokens("of memory for keys and values", 1, &bytes, available)
}

impl FitOptions {
    /// Tokens that there must be room for.
    fn tokens(&self) -> u32 {
        self.cache_tokens.max(self.context)
    }

    /// Whether there is as much as the tokens need: `needed` units of `unit` bytes.
    fn check_tokens(
        &self,
        what: &'static str,
        unit: u64,
        needed: &dyn Fn(u32) -> u64,
        available: u64,
    ) -> Result<(), FitError> {
        let tokens = self.tokens();
        if needed(tokens) <= available {
            return Ok(());
        }
        // The most whole pages of tokens that fit: `fits` do, or are none, and `exceeds` do not.
        let (mut fits, mut exceeds) = (0, tokens.div_ceil(PAGE));
        while fits + 1 < exceeds {
            let middle = fits + (exceeds - fits) / 2;
            match needed(middle.saturating_mul(PAGE)) <= available {
                true => fits = middle,
                false => exceeds = middle,
            }
        }
        Err(FitError::Context {
            tokens,
            what,
            needed: needed(tokens).saturating_mul(unit),
            available: available.saturating_mul(unit),
            fits: fits * PAGE,
        })
    }
}

/// What the page pool of a group of layers takes.
struct Pool {
    lifetime: Lifetime,
    /// Of a layer.
    shape: KvShape,
    /// Bytes of a page of all its layers.
    page: u64,
}

impl Pool {
    fn pages(&self, options: &FitOptions, tokens: u32) -> u32 {
        self.lifetime.pool_pages(tokens, options.slots, options.rows)
    }

    fn bytes(&self, options: &FitOptions, tokens: u32) -> u64 {
        self.page.saturating_mul(self.pages(options, tokens).into())
    }
}

fn pools(config: &Config, options: &FitOptions) -> impl Iterator<Item = Pool> + use<> {
    let ty = options.kv;
    kv_groups(&config.running_kinds(options.mtp)).into_iter().map(move |group| {
        let KvGroupSpec { layers, kv_heads, head_dim, lifetime, ty: own, .. } = group;
        let ty = own.unwrap_or(ty);
        let shape = KvShape { kv_heads, head_dim, pages_per_sequence: 0, ty, segment_pages: 1 };
        Pool { lifetime, shape, page: shape.page_bytes() * layers.len() as u64 }
    })
}

fn remedy(fits: u32) -> String {
    match fits {
        0 => "ask for fewer sequences at once, or use a smaller model".to_string(),
        fits => format!("at most {fits} tokens work"),
    }
}

/// Bytes in words, to three digits.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let steps = UNITS.iter().scan(bytes as f64, |value, unit| {
        *value /= 1024.0;
        Some((*value, unit))
    });
    let chosen = steps.take_while(|(value, _)| *value >= 1.0).last();
    chosen.map_or_else(|| format!("{bytes} bytes"), |(value, unit)| format!("{value:.1} {unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use inglenook_format::gguf::write::GgufWriter;
    use inglenook_format::quant::WeightType;
    use inglenook_format::source::{LocalFuture, Source, SourceError};

    /// A file of which there is the header alone. Reading a weight fails.
    struct HeaderOnly(Vec<u8>);

    impl Source for HeaderOnly {
        fn len(&self) -> Option<u64> {
            None
        }

        fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> LocalFuture<'a, Result<(), SourceError>> {
            let left = self.0.get(offset as usize..).unwrap_or_else(|| panic!("a weight was read, at byte {offset}"));
            let have = left.len().min(buf.len());
            buf[..have].copy_from_slice(&left[..have]);
            let wanted = buf.len();
            let end = SourceError::UnexpectedEnd { offset, wanted, have };
            Box::pin(std::future::ready(if have == wanted { Ok(()) } else { Err(end) }))
        }
    }

    /// A Llama of 8 billion weights, Q4_0 and F32.
    fn eight_billion() -> Gguf {
        eight_billion_with(GgufWriter::new())
    }

    /// The same where of each two layers the first sees 1,024 tokens.
    fn windowed() -> Gguf {
        let mut file = GgufWriter::new();
        file.entry("llama.attention.sliding_window", 1024u32).entry("llama.attention.sliding_window_pattern", 2u32);
        eight_billion_with(file)
    }

    fn eight_billion_with(mut file: GgufWriter) -> Gguf {
        file.entry("general.architecture", "llama")
            .entry("llama.context_length", 131_072u32)
            .entry("llama.embedding_length", 4096u32)
            .entry("llama.block_count", 32u32)
            .entry("llama.feed_forward_length", 14_336u32)
            .entry("llama.attention.head_count", 32u32)
            .entry("llama.attention.head_count_kv", 8u32)
            .entry("llama.attention.layer_norm_rms_epsilon", 1e-5f32);
        let mut tensor = |name: &str, dims: &[u64], ty| {
            file.tensor(name, dims, ty).expect("whole blocks");
        };
        tensor("token_embd.weight", &[4096, 128_256], WeightType::Q4_0);
        for layer in 0..32 {
            let mut part = |part: &str, dims: &[u64], ty| tensor(&format!("blk.{layer}.{part}.weight"), dims, ty);
            part("attn_norm", &[4096], WeightType::F32);
            part("ffn_norm", &[4096], WeightType::F32);
            for (name, rows) in [("attn_q", 4096), ("attn_k", 1024), ("attn_v", 1024), ("attn_output", 4096)] {
                part(name, &[4096, rows], WeightType::Q4_0);
            }
            part("ffn_gate", &[4096, 14_336], WeightType::Q4_0);
            part("ffn_up", &[4096, 14_336], WeightType::Q4_0);
            part("ffn_down", &[14_336, 4096], WeightType::Q4_0);
        }
        tensor("output_norm.weight", &[4096], WeightType::F32);
        tensor("output.weight", &[4096, 128_256], WeightType::Q4_0);
        let mut header = Vec::new();
        file.start(&mut header).expect("memory takes every byte");
        pollster::block_on(Gguf::read(&HeaderOnly(header))).expect("a sound header")
    }

    const OPTIONS: FitOptions =
        FitOptions { context: 131_072, cache_tokens: 0, slots: 4, kv: KvType::F16, rows: 256, mtp: false };

    #[test]
    fn memory_needed_is_known_from_the_header() {
        let gguf = eight_billion();
        let needs = Model::memory_needed(&gguf, &Limits::DEFAULT, &OPTIONS).expect("sizes that fit");
        // 8.03 billion weights of 4.5 bits; 32 layers of 8 heads of 128, keys and values, two bytes each.
        assert!((4_500_000_000..4_600_000_000).contains(&needs.weights), "{}", needs.weights);
        assert_eq!(needs.kv_per_token, 32 * 8 * 128 * 2 * 2);
        assert!((22 << 20..25 << 20).contains(&needs.activations), "{}", needs.activations);
        assert_eq!(needs.total(1000), needs.weights + needs.activations + 1000 * needs.kv_per_token);
    }

    #[test]
    fn context_that_exceeds_a_binding_is_refused_from_the_header() {
        let config = Config::read(&eight_billion()).expect("sizes that fit");
        let error = check_bindings(&config, &Limits::DEFAULT, &OPTIONS).expect_err("too long");
        // Each of three segments of 128 MiB holds 1024 pages of 32 tokens of 4 KiB; four of them all are spare.
        assert!(matches!(error, FitError::Context { fits: 98_176, .. }), "{error}");
        assert!(error.to_string().ends_with("at most 98176 tokens work"), "{error}");
        let fits = |options: FitOptions| check_bindings(&config, &Limits::DEFAULT, &options);
        assert_eq!(fits(FitOptions { context: 98_176, ..OPTIONS }), Ok(()));
        assert!(fits(FitOptions { context: 98_177, ..OPTIONS }).is_err());
        let cache = fits(FitOptions { context: 4096, cache_tokens: 100_000, ..OPTIONS });
        assert!(matches!(cache, Err(FitError::Context { tokens: 100_000, fits: 98_176, .. })), "{cache:?}");
        let absurd = FitOptions { context: u32::MAX, cache_tokens: u32::MAX, slots: u32::MAX, ..OPTIONS };
        assert!(matches!(fits(absurd), Err(FitError::Context { fits: 0, .. })));
    }

    #[test]
    fn context_that_exceeds_the_memory_is_refused_with_the_one_that_fits() {
        let gguf = eight_billion();
        let needs = Model::memory_needed(&gguf, &Limits::DEFAULT, &OPTIONS).expect("sizes that fit");
        let config = Config::read(&gguf).expect("sizes that fit");
        let memory = needs.total(10_000);
        let check_memory = |memory, options: &FitOptions| check_memory(&config, &needs, memory, options);
        let error = check_memory(memory, &OPTIONS).expect_err("too long");
        assert!(matches!(error, FitError::Context { fits: 9856, .. }), "{error}");
        assert_eq!(check_memory(memory, &FitOptions { context: 9856, ..OPTIONS }), Ok(()));
        let error = check_memory(4 << 30, &OPTIONS).expect_err("the weights alone are more");
        assert!(error.to_string().contains("4.2 GiB") && error.to_string().contains("4.0 GiB"), "{error}");
    }

    #[test]
    fn windowed_layers_need_memory_for_their_windows_alone() {
        let gguf = windowed();
        let needs =
            |options: &FitOptions| Model::memory_needed(&gguf, &Limits::DEFAULT, options).expect("sizes that fit");
        let all = Model::memory_needed(&eight_billion(), &Limits::DEFAULT, &OPTIONS).expect("sizes that fit");
        let half = needs(&OPTIONS);
        assert_eq!(half.kv_per_token, all.kv_per_token / 2);
        // Of each sequence a window, a chunk of 256, and the pages that both cut; two times 16 layers of 2 KiB a token.
        assert_eq!(half.kv_windows, 4 * (1024 + 256 + 2 * 32) * all.kv_per_token / 2);
        assert_eq!(
            needs(&FitOptions { context: 65_536, ..OPTIONS }).kv_windows,
            half.kv_windows,
            "whatever the context"
        );
        assert_eq!(needs(&FitOptions { slots: 1, ..OPTIONS }).kv_windows, half.kv_windows / 4);
        let tokens = u64::from(OPTIONS.context);
        assert!(half.total(tokens) - half.weights < (all.total(tokens) - all.weights) * 55 / 100);
        // So a longer context fits the same memory.
        let config = Config::read(&gguf).expect("sizes that fit");
        let memory = all.total(10_000);
        let error = check_memory(&config, &half, memory, &OPTIONS).expect_err("too long");
        let FitError::Context { fits, .. } = error else { panic!("{error}") };
        assert!(fits > 14_000, "{fits}");
        let fitting = FitOptions { context: fits, ..OPTIONS };
        assert_eq!(check_memory(&config, &half, memory, &fitting), Ok(()));
        assert!(check_memory(&config, &half, memory, &FitOptions { context: fits + 1, ..OPTIONS }).is_err());
    }

    #[test]
    fn check_on_the_cpu_asks_for_no_more_than_the_header() {
        let gguf = eight_billion();
        let huge = FitOptions { cache_tokens: u32::MAX, slots: u32::MAX, ..OPTIONS };
        let error = check(&gguf, &Device::Cpu, &huge).expect_err("more than any machine has");
        assert!(matches!(error, LoadError::Fit(_)), "{error}");
        let small = FitOptions { context: 1, ..OPTIONS };
        let verdict = check(&gguf, &Device::Cpu, &small);
        assert!(matches!(verdict, Ok(_) | Err(LoadError::Fit(_))), "{verdict:?}");
    }
}
