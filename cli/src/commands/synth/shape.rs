//! The shapes of synthetic models: all of them Qwen3's architecture, with the embedding as the head.

use inglenook::format::quant::WeightType;

/// A synthetic model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Name {
    /// 42 million weights, Q4_0: the shape other browser engines were measured on
    #[value(name = "42m")]
    Small,
    /// 0.3 billion weights, Q4_K_M
    #[value(name = "0.3b")]
    Third,
    /// Qwen3-0.6B's shape, Q4_K_M
    #[value(name = "0.5b")]
    Half,
    /// Qwen3-4B's shape, Q4_K_M
    #[value(name = "4b")]
    Four,
    /// Qwen3-8B's shape, Q4_K_M, but with the embedding as the head
    #[value(name = "8b")]
    Eight,
    /// 16 narrow layers, Q8_0: what a step costs beside its weights
    #[value(name = "16-layers")]
    Deep,
    /// About 2 GB in few large tensors, Q8_0: what loading needs
    #[value(name = "2gb")]
    Large,
    /// An embedding of 200 MiB, F16: more than one binding holds at default limits
    #[value(name = "wide-embedding")]
    Wide,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Name::Small => "42m",
            Name::Third => "0.3b",
            Name::Half => "0.5b",
            Name::Four => "4b",
            Name::Eight => "8b",
            Name::Deep => "16-layers",
            Name::Large => "2gb",
            Name::Wide => "wide-embedding",
        })
    }
}

/// Sizes of a model and the types of its weights.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Width of the residual stream.
    pub hidden: u32,
    /// Layers.
    pub layers: u32,
    /// Query heads.
    pub heads: u32,
    /// Key/value heads.
    pub kv_heads: u32,
    /// Width of a head.
    pub head_dim: u32,
    /// Width of the feed-forward layer.
    pub ffn: u32,
    /// Tokens of the vocabulary.
    pub vocab: u32,
    /// Tokens of context.
    pub context: u32,
    /// Types of the weights.
    pub weights: Weights,
}

/// Types of a model's matrices.
#[derive(Debug, Clone, Copy)]
pub enum Weights {
    /// One type throughout.
    All(WeightType),
    /// One type for the embedding, one for the layers.
    Embedding(WeightType, WeightType),
    /// llama.cpp's mix of that name: Q4_K, with Q6_K for the embedding, and for `attn_v` and `ffn_down` of half the layers.
    Q4KM,
}

/// The types of a whole file's matrices, by the names that model files have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FileType {
    /// Q4_0 throughout
    #[value(name = "q4_0")]
    Q4,
    /// llama.cpp's mix of Q4_K and Q6_K
    #[value(name = "q4_k_m")]
    Q4KM,
    /// Q8_0 throughout
    #[value(name = "q8_0")]
    Q8,
}

impl FileType {
    /// Which type each matrix has.
    pub const fn weights(self) -> Weights {
        match self {
            FileType::Q4 => Weights::All(WeightType::Q4_0),
            FileType::Q4KM => Weights::Q4KM,
            FileType::Q8 => Weights::All(WeightType::Q8_0),
        }
    }
}

impl Name {
    /// Its shape.
    pub const fn shape(self) -> Shape {
        match self {
            Name::Small => Shape {
                hidden: 512,
                layers: 8,
                heads: 8,
                kv_heads: 4,
                head_dim: 64,
                ffn: 1536,
                vocab: 32768,
                context: 16384,
                weights: Weights::All(WeightType::Q4_0),
            },
            Name::Third => Shape { layers: 16, vocab: 49152, ..Name::Half.shape() },
            Name::Half => Shape {
                hidden: 1024,
                layers: 28,
                heads: 16,
                kv_heads: 8,
                head_dim: 128,
                ffn: 3072,
                vocab: 151_936,
                context: 16384,
                weights: Weights::Q4KM,
            },
            Name::Four => Shape { hidden: 2560, layers: 36, heads: 32, ffn: 9728, ..Name::Half.shape() },
            Name::Eight => Shape { hidden: 4096, layers: 36, heads: 32, ffn: 12288, ..Name::Half.shape() },
            Name::Deep => Shape {
                hidden: 256,
                layers: 16,
                heads: 4,
                kv_heads: 2,
                head_dim: 64,
                ffn: 512,
                vocab: 2048,
                context: 2048,
                weights: Weights::All(WeightType::Q8_0),
            },
            Name::Large => Shape {
                hidden: 4096,
                layers: 9,
                heads: 32,
                kv_heads: 8,
                head_dim: 128,
                ffn: 14336,
                vocab: 4096,
                context: 512,
                weights: Weights::All(WeightType::Q8_0),
            },
            Name::Wide => Shape {
                hidden: 1024,
                layers: 2,
                heads: 8,
                kv_heads: 2,
                head_dim: 128,
                ffn: 1024,
                vocab: 102_400,
                context: 512,
                weights: Weights::Embedding(WeightType::F16, WeightType::Q8_0),
            },
        }
    }
}

impl Weights {
    /// The type of the embedding.
    pub fn embedding(self) -> WeightType {
        match self {
            Weights::All(ty) | Weights::Embedding(ty, _) => ty,
            Weights::Q4KM => WeightType::Q6_K,
        }
    }

    /// The type of the matrix `part` (such as `attn_v`) in one of `layers` layers.
    pub fn matrix(self, part: &str, layer: u32, layers: u32) -> WeightType {
        match self {
            Weights::All(ty) | Weights::Embedding(_, ty) => ty,
            Weights::Q4KM if matches!(part, "attn_v" | "ffn_down") && more_bits(layer, layers) => WeightType::Q6_K,
            Weights::Q4KM => WeightType::Q4_K,
        }
    }
}

/// The first and last eighth of the layers, and every third between.
fn more_bits(layer: u32, layers: u32) -> bool {
    let eighth = layers / 8;
    layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2
}
