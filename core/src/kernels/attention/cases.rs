//! Known-answer cases of attention and of its reduce.

use super::{Attention, AttentionReduce, AttentionShape};
use crate::kernels::batch::{self, Row};
use crate::kernels::kv::{KvShape, KvType, PAGE};
use crate::kernels::verify::{KernelTest, Output, random_cache, random_f32s};

/// What a case of [`Attention`] varies. The cache holds two sequences and two key heads; its pages lie in reverse.
#[derive(Debug, Clone)]
struct Case {
    /// Query heads that share a key head.
    group: u32,
    head_dim: u32,
    ty: KvType,
    kv_splits: u32,
    is_prefill: bool,
    rows: Vec<Row>,
    /// Entries of a sequence's row in the page table.
    pages: u32,
}

impl Case {
    /// Two sequences decode, at positions `last` and `last / 2`.
    fn decode(group: u32, head_dim: u32, ty: KvType, last: u32) -> Case {
        let rows = vec![Row::new(0, last, 1), Row::new(0, last / 2, 0)];
        Case { group, head_dim, ty, kv_splits: 1, is_prefill: false, rows, pages: last / PAGE + 1 }
    }

    /// `count` rows of one sequence end at position `last`.
    fn prefill(group: u32, head_dim: u32, ty: KvType, last: u32, count: u32) -> Case {
        let rows = (last + 1 - count..=last).map(|position| Row::new(0, position, 1)).collect();
        Case { is_prefill: true, rows, ..Case::decode(group, head_dim, ty, last) }
    }

    /// Neighbours of one sequence, a row that is held, and rows that have no place in the cache.
    fn odd_rows(group: u32, head_dim: u32, ty: KvType) -> Case {
        let rows = vec![
            Row::new(0, 31, 1),
            Row::new(0, 32, 1),
            Row::new(0, 33, 1),
            Row::new(0, 9, 0).flagged(batch::FINISHED),
            Row::new(0, 40, 0).flagged(batch::HELD),
            Row::new(0, 2 * PAGE, 0),
            Row::new(0, 2 * PAGE + 7, 0).flagged(batch::FINISHED),
        ];
        Case { rows, ..Case::decode(group, head_dim, ty, 40) }
    }

    /// The same with its positions split; the answer is then what the reduce makes of the parts.
    fn split(self, kv_splits: u32) -> Case {
        Case { kv_splits, ..self }
    }

    fn shape(&self, kv: &KvShape) -> AttentionShape {
        let heads = self.group * kv.kv_heads;
        AttentionShape {
            heads,
            qkv_width: (heads + 2 * kv.kv_heads) * self.head_dim,
            scale: 1.7 / (self.head_dim as f32).sqrt(),
            kv_splits: self.kv_splits,
            is_prefill: self.is_prefill,
        }
    }

    fn name(&self) -> String {
        let Case { group, head_dim, ty, kv_splits, .. } = self;
        let phase = if self.is_prefill { "prefill" } else { "decode" };
        let positions: Vec<u32> = self.rows.iter().map(|row| row.position).collect();
        let at = match positions.as_slice() {
            [first, .., last] if self.is_prefill => format!("{first}..={last}"),
            several => format!("{several:?}"),
        };
        format!("attention {phase} {group}x{head_dim} {ty:?} kv_splits {kv_splits} at {at}")
    }

    fn test(self) -> KernelTest {
        let kv = KvShape { kv_heads: 2, head_dim: self.head_dim, pages_per_sequence: self.pages, ty: self.ty };
        let shape = self.shape(&kv);
        let AttentionShape { heads, kv_splits, .. } = shape;
        let rows = self.rows.len() as u32 + 1;
        let count = 2 * self.pages;
        let cache = |seed| random_cache(seed, &kv, count * kv.kv_heads * PAGE);
        let inputs = vec![
            batch::words(&self.rows),
            random_f32s(4, rows * shape.qkv_width),
            cache(5),
            cache(6),
            (0..count).rev().collect(),
            vec![0; (rows * shape.out_cols(&kv)) as usize],
            vec![0; (rows * heads * kv.head_dim) as usize],
        ];
        let answer = if kv_splits > 1 { 6 } else { 5 };
        let test = KernelTest::new(self.name(), inputs, vec![Output::f32(answer)], move |places| {
            let [batch, q, keys, values, pages, out, _] = places.try_into().expect("seven inputs");
            Box::new(Attention { batch, q, keys, values, pages, out, rows, shape, kv })
        });
        if kv_splits == 1 {
            return test;
        }
        test.then(move |places| {
            let [batch, _, _, _, _, parts, out] = places.try_into().expect("seven inputs");
            Box::new(AttentionReduce { batch, parts, out, rows, heads, head_dim: kv.head_dim, kv_splits })
        })
    }
}

/// The guard of `kernel`: every split sees several tiles of the longest row, and most see nothing of the shortest.
pub(super) fn guard(kernel: &Attention) -> KernelTest {
    let (group, head_dim, ty) = (kernel.group(), kernel.kv.head_dim, kernel.kv.ty);
    let kv_splits = kernel.shape.kv_splits;
    let last = 40 * kv_splits + 30;
    let mut case = match kernel.shape.is_prefill {
        true => Case::prefill(group, head_dim, ty, last, 7),
        false => Case::decode(group, head_dim, ty, last),
    };
    if !case.is_prefill {
        case.rows.extend([Row::new(0, 5, 0), Row::new(0, 6, 0).flagged(batch::FINISHED)]);
    }
    case.split(kv_splits).test()
}

/// Cases: all cache types, several group sizes and head widths, split and whole, decode and prefill, odd lengths.
pub fn cases() -> Vec<KernelTest> {
    // lavapipe ends an invocation's loops after 65,535 rounds without a word: a long context must not get there.
    let mut cases = vec![Case::decode(1, 64, KvType::F16, 2500)];
    for ty in KvType::ALL {
        cases.extend([
            Case::decode(1, 8, ty, 0),
            Case::decode(4, 64, ty, 33),
            Case::decode(7, 24, ty, 100),
            Case::prefill(2, 128, ty, 63, 31),
            Case::prefill(3, 80, ty, 64, 33),
            Case::prefill(1, 64, ty, 16, 17),
            Case::prefill(8, 64, ty, 94, 65),
            Case::odd_rows(2, 64, ty),
            Case::odd_rows(40, 8, ty),
        ]);
    }
    for kv_splits in [1, 4, 7, 32] {
        // Shorter than the splits, shorter than a tile for each, and beyond.
        for last in [0, 2, 31, 100, 700] {
            cases.push(Case::decode(3, 16, KvType::F16, last).split(kv_splits));
        }
        cases.push(Case::decode(1, 80, KvType::F32, 257).split(kv_splits));
        cases.push(Case::prefill(4, 24, KvType::F16, 140, 70).split(kv_splits));
    }
    let reduces = [reduce(1, 1, 8, 2), reduce(3, 5, 24, 7), reduce(2, 8, 128, 16), reduce(2, 3, 64, 32)];
    cases.into_iter().map(Case::test).chain(reduces).collect()
}

/// A case of [`AttentionReduce`] alone.
pub(super) fn reduce(rows: u32, heads: u32, head_dim: u32, kv_splits: u32) -> KernelTest {
    let valid: Vec<_> = (0..rows).map(|r| Row::new(0, r, 0)).collect();
    let part = head_dim + 4;
    let mut parts = random_f32s(8, rows * heads * kv_splits * part);
    // Totals are positive, and one split is empty as beyond a short sequence's end.
    for (index, part) in parts.chunks_exact_mut(part as usize).enumerate() {
        let total = f32::from_bits(part[head_dim as usize + 1]).abs() + 0.5;
        part[head_dim as usize + 1] = total.to_bits();
        if index as u32 % kv_splits == 1 {
            part.fill(0);
            part[head_dim as usize] = (-3.0e38f32).to_bits();
        }
    }
    let out = vec![0; (rows * heads * head_dim) as usize];
    KernelTest::new(
        format!("attention_reduce {rows} rows {heads}x{head_dim}, {kv_splits} kv_splits"),
        vec![batch::words(&valid), parts, out],
        vec![Output::f32(2)],
        move |places| {
            let [batch, parts, out] = places.try_into().expect("three inputs");
            Box::new(AttentionReduce { batch, parts, out, rows, heads, head_dim, kv_splits })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::verify::run_twin;

    /// What the twins make of a case, `[rows, heads * head_dim]` for its rows and one more.
    fn answer(case: &Case) -> Vec<f32> {
        let test = case.clone().test();
        let words = &run_twin(&test)[test.outputs[0].binding];
        words.iter().map(|word| f32::from_bits(*word)).collect()
    }

    fn row_of(case: &Case, row: usize) -> Vec<f32> {
        let width = (case.group * 2 * case.head_dim) as usize;
        answer(case)[row * width..][..width].to_vec()
    }

    #[test]
    fn attention_twin_gives_the_same_answer_however_positions_are_split() {
        for last in [0, 2, 31, 100, 700] {
            let whole = answer(&Case::decode(3, 16, KvType::F32, last));
            for kv_splits in [4, 7, 32] {
                let split = answer(&Case::decode(3, 16, KvType::F32, last).split(kv_splits));
                let near = whole.iter().zip(&split).all(|(a, b)| (a - b).abs() <= 1e-5);
                assert!(near, "{kv_splits} splits of {last}");
            }
        }
    }

    #[test]
    fn attention_of_rows_without_a_place_is_left_alone() {
        let case = Case::odd_rows(2, 64, KvType::F16);
        for row in 0..case.rows.len() {
            let written = row_of(&case, row).iter().any(|value| *value != 0.0);
            assert_eq!(written, matches!(row, 0 | 1 | 2 | 4), "row {row}");
        }
    }

    #[test]
    fn attention_of_several_rows_of_a_sequence_in_a_decode_batch_is_that_of_a_prefill() {
        let decode = Case { is_prefill: false, ..Case::prefill(2, 64, KvType::F16, 40, 12) };
        assert_eq!(answer(&decode), answer(&Case::prefill(2, 64, KvType::F16, 40, 12)));
        // Nor does a row's answer depend on the rows beside it.
        let first = Case { rows: decode.rows[..1].to_vec(), ..decode.clone() };
        assert_eq!(row_of(&first, 0), row_of(&decode, 0));
    }
}
