//! Sorting that is compiled once: the standard library's is compiled anew for each type and each comparison, 4 KB of code of which a page
//! would download twenty. For what is sorted while a file loads or a request comes; what is sorted for each token may take the other.
//! Collecting into a `LiteMap` sorts, too; inserting does not.

use std::cmp::Ordering;

/// Sorts as `slice::sort_by` does: equal items stay in order.
pub fn sort_by<T>(items: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    let mut order: Vec<u32> = (0..items.len() as u32).collect();
    sort_indices(&mut order, &mut |a, b| compare(&items[a as usize], &items[b as usize]));
    // Cycle by cycle; an index that is its own is done.
    for start in 0..order.len() {
        let mut at = start;
        loop {
            let from = std::mem::replace(&mut order[at], at as u32) as usize;
            if from == start {
                break;
            }
            items.swap(at, from);
            at = from;
        }
    }
}

/// Sorts the indices of things by how the things compare.
pub fn sort_indices(order: &mut [u32], compare: &mut dyn FnMut(u32, u32) -> Ordering) {
    order.sort_by(|a, b| compare(*a, *b));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sort_by_gives_what_the_standard_library_gives() {
        let mut random = fastrand::Rng::with_seed(3);
        for len in [0, 1, 2, 3, 31, 1000] {
            let items: Vec<(u8, usize)> = (0..len).map(|at| (random.u8(..20), at)).collect();
            let (mut found, mut expected) = (items.clone(), items);
            sort_by(&mut found, |a, b| b.0.cmp(&a.0));
            expected.sort_by_key(|pair| std::cmp::Reverse(pair.0));
            assert_eq!(found, expected, "{len} items, of which equal ones stay in order");
        }
    }
}
