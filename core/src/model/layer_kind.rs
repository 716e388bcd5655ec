//! What each layer of a model is, as data: from this follow the cache it needs and the group that it shares one with.

use crate::kv::groups::{KvGroupSpec, Lifetime};

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
    /// Which positions a token sees.
    pub lifetime: Lifetime,
}

/// The groups of these layers, in the order of their first layers.
pub fn kv_groups(layers: &[LayerKind]) -> Vec<KvGroupSpec> {
    let mut groups: Vec<KvGroupSpec> = Vec::new();
    for (layer, LayerKind::Attention(AttentionKind { kv_heads, head_dim, lifetime })) in
        (0..).zip(layers.iter().copied())
    {
        let is_same = |group: &&mut KvGroupSpec| {
            (group.kv_heads, group.head_dim, group.lifetime) == (kv_heads, head_dim, lifetime)
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => group.layers.push(layer),
            None => groups.push(KvGroupSpec { layers: vec![layer], kv_heads, head_dim, lifetime }),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kv_groups_join_layers_of_one_shape_and_lifetime() {
        let layer = |kv_heads, window| {
            LayerKind::Attention(AttentionKind { kv_heads, head_dim: 64, lifetime: Lifetime { window, keep: 0 } })
        };
        let layers = [layer(2, Some(37)), layer(2, None), layer(2, Some(37)), layer(1, None), layer(2, None)];
        let groups = kv_groups(&layers);
        let found: Vec<_> = groups.iter().map(|g| (g.layers.as_slice(), g.kv_heads, g.lifetime.window)).collect();
        let expected: [(&[u32], u32, Option<u32>); 3] = [(&[0, 2], 2, Some(37)), (&[1, 4], 2, None), (&[3], 1, None)];
        assert_eq!(found, expected);
        assert_eq!(kv_groups(&[]), []);
    }
}
