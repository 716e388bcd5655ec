//! What each layer of a model is, as data: from this follow the cache it needs and the group that it shares one with.

use crate::kernels::kv::KvType;
use crate::kernels::scan::ScanShape;
use crate::kv::groups::{CachePart, KvGroupSpec, Lifetime};

/// What mixes positions in a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LayerKind {
    /// Causal attention over cached keys and values.
    Attention(AttentionKind),
    /// A short causal convolution of each channel.
    Conv(ConvKind),
    /// A recurrence over the positions, behind a short convolution.
    Recurrent(RecurrentKind),
    /// Both attention and a recurrence, over the same.
    Parallel(AttentionKind, RecurrentKind),
    /// Nothing: the layer is a feed-forward layer alone.
    FeedForward,
}

/// The sizes of a recurrence, and of the convolution before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecurrentKind {
    /// Sizes of the recurrence, and what it does.
    pub scan: ScanShape,
    /// Sizes of the convolution.
    pub conv: ConvKind,
}

/// The sizes of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvKind {
    /// Channels; a multiple of 8.
    pub channels: u32,
    /// Positions that a channel sees, its own included.
    pub length: u32,
}

/// The sizes and constants of an attention layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionKind {
    /// Query heads.
    pub heads: u32,
    /// Key/value heads; divides `heads`.
    pub kv_heads: u32,
    /// Width of a head; a multiple of 8.
    pub head_dim: u32,
    /// Which positions a token sees.
    pub lifetime: Lifetime,
    /// Which of the model's ways to rotate queries and keys is this layer's; none where positions play no part.
    pub rope: Option<usize>,
    /// What scores are multiplied by.
    pub scale: f32,
    /// Within what they stay, if they are bounded.
    pub cap: Option<f32>,
    /// Whether value heads are normed, without weights.
    pub norms_values: bool,
    /// The layer whose keys and values it reads, if it has none of its own.
    pub cache_of: Option<u32>,
    /// The first position that tokens see.
    pub first: u32,
}

impl AttentionKind {
    /// Columns of the query projection.
    pub fn q_width(&self) -> u32 {
        self.heads * self.head_dim
    }

    /// Columns of the key projection, and of the value projection.
    pub fn kv_width(&self) -> u32 {
        self.kv_heads * self.head_dim
    }

    /// Columns of query, key and value side by side.
    pub fn qkv_width(&self) -> u32 {
        self.q_width() + 2 * self.kv_width()
    }
}

/// The groups of these layers, in the order of their first layers.
pub fn kv_groups(layers: &[LayerKind]) -> Vec<KvGroupSpec> {
    let mut groups: Vec<KvGroupSpec> = Vec::new();
    for (layer, kind) in (0..).zip(layers) {
        let specs = match kind {
            LayerKind::Attention(kind) => vec![kind.cache()],
            LayerKind::Conv(kind) => vec![Some(kind.cache())],
            LayerKind::Recurrent(kind) => vec![Some(kind.conv.cache()), Some(kind.scan.cache())],
            LayerKind::Parallel(attention, kind) => {
                vec![attention.cache(), Some(kind.conv.cache()), Some(kind.scan.cache())]
            }
            LayerKind::FeedForward => Vec::new(),
        };
        for mut spec in specs.into_iter().flatten() {
            let is_same = |group: &&mut KvGroupSpec| KvGroupSpec { layers: Vec::new(), ..(*group).clone() } == spec;
            match groups.iter_mut().find(is_same) {
                Some(group) => group.layers.push(layer),
                None => {
                    spec.layers.push(layer);
                    groups.push(spec);
                }
            }
        }
    }
    groups
}

impl AttentionKind {
    /// What a layer keeps, if it has keys of its own.
    fn cache(&self) -> Option<KvGroupSpec> {
        let AttentionKind { kv_heads, head_dim, lifetime, .. } = *self;
        let spec =
            KvGroupSpec { layers: Vec::new(), part: CachePart::Attention, kv_heads, head_dim, lifetime, ty: None };
        self.cache_of.is_none().then_some(spec)
    }
}

impl ConvKind {
    /// Half of the channels in place of a key, half of a value; see `kernels/conv.rs`.
    fn cache(&self) -> KvGroupSpec {
        KvGroupSpec {
            layers: Vec::new(),
            part: CachePart::Conv,
            kv_heads: 1,
            head_dim: self.channels / 2,
            lifetime: Lifetime { window: Some(self.length), ..Lifetime::default() },
            ty: Some(KvType::F32),
        }
    }
}

impl ScanShape {
    /// The state in place of a page's keys and values; see `kernels/scan.rs`.
    fn cache(&self) -> KvGroupSpec {
        KvGroupSpec {
            layers: Vec::new(),
            part: CachePart::State,
            kv_heads: 1,
            head_dim: self.head_dim(),
            lifetime: Lifetime::STATE,
            ty: Some(KvType::F32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kv_groups_join_layers_of_one_shape_and_lifetime() {
        let layer = |kv_heads, window| {
            let (heads, head_dim, rope, scale, cap) = (4, 64, Some(0), 0.125, None);
            let lifetime = Lifetime { window, ..Lifetime::default() };
            let (norms_values, cache_of, first) = (false, None, 0);
            LayerKind::Attention(AttentionKind {
                heads,
                kv_heads,
                head_dim,
                lifetime,
                rope,
                scale,
                cap,
                norms_values,
                cache_of,
                first,
            })
        };
        let layers = [layer(2, Some(37)), layer(2, None), layer(2, Some(37)), layer(1, None), layer(2, None)];
        let groups = kv_groups(&layers);
        let found: Vec<_> = groups.iter().map(|g| (g.layers.as_slice(), g.kv_heads, g.lifetime.window)).collect();
        let expected: [(&[u32], u32, Option<u32>); 3] = [(&[0, 2], 2, Some(37)), (&[1, 4], 2, None), (&[3], 1, None)];
        assert_eq!(found, expected);
        assert_eq!(kv_groups(&[]), []);
        // Whatever else differs.
        let LayerKind::Attention(other) = layers[1] else { unreachable!("all are attention") };
        let same = LayerKind::Attention(AttentionKind { rope: None, scale: 1.0, ..other });
        assert_eq!(kv_groups(&[layers[1], same]).len(), 1);
        // A layer that reads another's cache has none.
        let reader = LayerKind::Attention(AttentionKind { cache_of: Some(0), ..other });
        assert_eq!(kv_groups(&[layers[1], reader])[0].layers, [0]);
        // Convolutions keep their channels in f32, for as long as they are seen.
        let conv = LayerKind::Conv(ConvKind { channels: 96, length: 3 });
        let groups = kv_groups(&[conv, layers[1], conv]);
        assert_eq!(
            (groups[0].layers.as_slice(), groups[0].head_dim, groups[0].ty),
            (&[0, 2][..], 48, Some(KvType::F32))
        );
        assert_eq!(groups[0].lifetime.window, Some(3));
    }
}
