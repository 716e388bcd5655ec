//! Finding things by name with four bytes a name, where a hash map would cost more than the file itself.

use crate::order::sort_indices;

/// Positions of named things, sorted by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct NameIndex(Vec<u32>);

impl NameIndex {
    /// Sorts; when a name occurs twice, fails with the position of the second.
    pub fn new<T>(things: &[T], name: impl Fn(&T) -> &String) -> Result<Self, usize> {
        let mut order: Vec<u32> = (0..things.len() as u32).collect();
        sort_indices(&mut order, &mut |a, b| name(&things[a as usize]).cmp(name(&things[b as usize])));
        for pair in order.windows(2) {
            if name(&things[pair[0] as usize]) == name(&things[pair[1] as usize]) {
                return Err(pair[1] as usize);
            }
        }
        Ok(NameIndex(order))
    }

    /// The position of `wanted` among the same things.
    pub fn find<T>(&self, things: &[T], wanted: &str, name: impl Fn(&T) -> &String) -> Option<usize> {
        let found = self.0.binary_search_by(|&at| name(&things[at as usize]).as_str().cmp(wanted)).ok()?;
        Some(self.0[found] as usize)
    }
}
