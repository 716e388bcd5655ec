//! What each layer of a model is, as data: from this follow the cache it needs and the group that it shares one with.

/// What mixes positions in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LayerKind {
    /// Causal attention over cached keys and values.
    Attention(AttentionKind),
}

/// The sizes of an attention layer, as far as the cache knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttentionKind {
    /// Key/value heads.
    pub kv_heads: u32,
    /// Width of a head.
    pub head_dim: u32,
    /// Positions that a token sees, its own included, where it does not see all.
    pub window: Option<u32>,
}

/// Layers that share a page table: their keys and values have one shape, and one lifetime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvGroupSpec {
    /// Its layers, in order.
    pub layers: Vec<u32>,
    /// Key/value heads.
    pub kv_heads: u32,
    /// Width of a head.
    pub head_dim: u32,
    /// Positions that a token sees, its own included, where it does not see all: pages behind them may be freed.
    pub window: Option<u32>,
}

impl KvGroupSpec {
    /// The groups of these layers, in the order of their first layers.
    pub fn of(layers: &[LayerKind]) -> Vec<KvGroupSpec> {
        let mut groups: Vec<KvGroupSpec> = Vec::new();
        for (layer, LayerKind::Attention(kind)) in (0..).zip(layers) {
            match groups.iter_mut().find(|group| group.kind() == *kind) {
                Some(group) => group.layers.push(layer),
                None => groups.push(KvGroupSpec {
                    layers: vec![layer],
                    kv_heads: kind.kv_heads,
                    head_dim: kind.head_dim,
                    window: kind.window,
                }),
            }
        }
        groups
    }

    fn kind(&self) -> AttentionKind {
        AttentionKind { kv_heads: self.kv_heads, head_dim: self.head_dim, window: self.window }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kv_groups_join_layers_of_one_shape_and_lifetime() {
        let layer = |kv_heads, window| LayerKind::Attention(AttentionKind { kv_heads, head_dim: 64, window });
        let layers = [layer(2, Some(37)), layer(2, None), layer(2, Some(37)), layer(1, None), layer(2, None)];
        let groups = KvGroupSpec::of(&layers);
        let found: Vec<_> = groups.iter().map(|g| (g.layers.as_slice(), g.kv_heads, g.window)).collect();
        let expected: [(&[u32], u32, Option<u32>); 3] = [(&[0, 2], 2, Some(37)), (&[1, 4], 2, None), (&[3], 1, None)];
        assert_eq!(found, expected);
        assert_eq!(KvGroupSpec::of(&[]), []);
    }
}
