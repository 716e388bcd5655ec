//! A name for what a page holds: the tokens in it and all before it.

use sha2::{Digest, Sha256};

use super::prefix::Namespace;
use crate::kernels::kv::PAGE;

/// Names a page's content by a hash over its namespace and every token up to the page's last.
///
/// Keys chain from page to page, so that a page's key costs one hash of its own tokens. The hash is SHA-256, since a collision would
/// hand one conversation's keys and values to another: no one who chooses tokens can make two paths with one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathKey([u8; 32]);

impl PathKey {
    /// The path of no tokens.
    pub fn root(namespace: Namespace) -> PathKey {
        PathKey(Sha256::digest(namespace.0.to_le_bytes()).into())
    }

    /// The path that goes on with the tokens of one more page.
    #[must_use]
    pub fn child(&self, tokens: &[u32]) -> PathKey {
        let mut hash = Sha256::new_with_prefix(self.0);
        tokens.iter().for_each(|token| hash.update(token.to_le_bytes()));
        PathKey(hash.finalize().into())
    }

    /// The keys of a sequence's full pages, first to last.
    pub fn pages(namespace: Namespace, tokens: &[u32]) -> impl Iterator<Item = PathKey> {
        tokens.chunks_exact(PAGE as usize).scan(PathKey::root(namespace), |path, page| {
            *path = path.child(page);
            Some(*path)
        })
    }

    /// The name of the page that a group of layers has for this path; of the first group, that of the path itself.
    #[must_use]
    pub fn of_group(&self, group: usize) -> PathKey {
        // No token has this id, so that it is no path's.
        if group == 0 { *self } else { self.child(&[u32::MAX, group as u32]) }
    }

    /// The key as bytes, for a store outside.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_gives_the_same_keys_as_a_chain_of_children() {
        let tokens: Vec<u32> = (0..3 * PAGE + 5).collect();
        let mut path = PathKey::root(Namespace(7));
        let chain: Vec<_> = tokens
            .chunks_exact(PAGE as usize)
            .map(|page| {
                path = path.child(page);
                path
            })
            .collect();
        assert_eq!(PathKey::pages(Namespace(7), &tokens).collect::<Vec<_>>(), chain);
        assert_eq!(chain.len(), 3);
    }

    #[test]
    fn keys_differ_with_namespace_place_and_length() {
        let (root, other) = (PathKey::root(Namespace(0)), PathKey::root(Namespace(1)));
        let keys = [
            root,
            other,
            root.child(&[1]),
            other.child(&[1]),
            root.child(&[1, 0]),
            root.child(&[0, 1]),
            root.child(&[1]).child(&[1]),
            root.child(&[1, 1]),
            root.of_group(1),
            root.of_group(2),
            root.child(&[1]).of_group(1),
        ];
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }
}
