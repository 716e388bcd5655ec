//! Rearrangements of a tensor's elements in closed form: for each element of the result, which one of the stored tensor it is.
//!
//! Nothing here touches data, so a rearranged matrix costs no memory, and any range of it can be asked for.

/// One rearrangement, of units of so many elements that stay together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Elements of a unit: a row, or the part of a row that belongs to a head.
    pub unit: u64,
    pub map: Map,
}

/// How units are rearranged: unit `i` of the result is the unit named here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Map {
    /// Of each `of` units, the `take` from `from` on.
    Window { from: u64, take: u64, of: u64 },
    /// Each second unit.
    Every2 { from: u64 },
    /// In heads of so many units, halves become pairs: `2i + j` is `i + j * head / 2`. It undoes how Hugging Face lays out heads for RoPE.
    Pairs { head: u64 },
    /// Values' heads, `per` for each of `groups` keys' heads, in rounds: unit `[r, k]` is `[k, r]`.
    Rounds { groups: u64, per: u64 },
}

impl Map {
    fn apply(self, i: u64) -> u64 {
        match self {
            Map::Window { from, take, of } => i / take * of + from + i % take,
            Map::Every2 { from } => from + 2 * i,
            Map::Pairs { head } => {
                let (first, within) = (i - i % head, i % head);
                first + within / 2 + within % 2 * (head / 2)
            }
            Map::Rounds { groups, per } => {
                let (first, within) = (i - i % (groups * per), i % (groups * per));
                first + within % groups * per + within / groups
            }
        }
    }
}

/// Where element `at` of the result lies before these steps, and how many elements follow one another from there, up to `most`.
pub(super) fn locate(steps: &[Step], at: u64, most: u64) -> (u64, u64) {
    let (mut at, mut run) = (at, most);
    for Step { unit, map } in steps.iter().rev() {
        let (index, within) = (at / unit, at % unit);
        let together = match map {
            Map::Window { take, .. } => (take - index % take) * unit,
            _ => *unit,
        };
        run = run.min(together - within);
        at = map.apply(index) * unit + within;
    }
    (at, run)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(steps: &[Step], len: u64) -> Vec<u64> {
        let mut found = Vec::new();
        while (found.len() as u64) < len {
            let at = found.len() as u64;
            let (from, run) = locate(steps, at, len - at);
            found.extend(from..from + run);
        }
        found
    }

    #[test]
    fn elements_are_located_when_steps_rearrange_rows() {
        let pairs = Step { unit: 1, map: Map::Pairs { head: 4 } };
        assert_eq!(all(&[pairs], 8), [0, 2, 1, 3, 4, 6, 5, 7]);
        let rounds = Step { unit: 2, map: Map::Rounds { groups: 2, per: 3 } };
        assert_eq!(all(&[rounds], 12), [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]);
        let odd = Step { unit: 3, map: Map::Every2 { from: 1 } };
        assert_eq!(all(&[odd], 6), [3, 4, 5, 9, 10, 11]);
        let second = Step { unit: 1, map: Map::Window { from: 2, take: 2, of: 4 } };
        assert_eq!(all(&[second], 6), [2, 3, 6, 7, 10, 11]);
    }

    #[test]
    fn steps_apply_in_their_order() {
        let cut = Step { unit: 2, map: Map::Window { from: 1, take: 2, of: 3 } };
        let swap = Step { unit: 1, map: Map::Pairs { head: 4 } };
        assert_eq!(all(&[cut, swap], 4), [2, 4, 3, 5]);
    }

    #[test]
    fn windows_are_one_run_when_they_are_whole() {
        let cut = Step { unit: 10, map: Map::Window { from: 5, take: 100, of: 200 } };
        assert_eq!(locate(&[cut], 3, 5000), (53, 997));
    }
}
