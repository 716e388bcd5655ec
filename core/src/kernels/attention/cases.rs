//! Known-answer cases of attention and of its reduce.

use super::{Attention, AttentionReduce, AttentionShape};
use crate::kernels::batch::{self, Row};
use crate::kernels::kv::{self, KvShape, KvType, PAGE};
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
    window: Option<u32>,
    keep: u32,
    first: u32,
    sinks: bool,
    cap: Option<f32>,
    max_bias: Option<f32>,
    rows: Vec<Row>,
    /// Entries of a sequence's row in the page table.
    pages: u32,
    /// Segments of the cache.
    segments: u32,
}

impl Case {
    /// Two sequences decode, at positions `last` and `last / 2`.
    fn decode(group: u32, head_dim: u32, ty: KvType, last: u32) -> Case {
        let rows = vec![Row::new(0, last, 1), Row::new(0, last / 2, 0)];
        Case {
            group,
            head_dim,
            ty,
            kv_splits: 1,
            is_prefill: false,
            window: None,
            keep: 0,
            first: 0,
            sinks: false,
            cap: None,
            max_bias: None,
            rows,
            pages: last / PAGE + 1,
            segments: 1,
        }
    }

    /// Rows of two sequences by turns decode at these positions.
    fn decode_at(group: u32, head_dim: u32, ty: KvType, positions: &[u32]) -> Case {
        let rows = positions.iter().zip([1, 0].into_iter().cycle()).map(|(p, sequence)| Row::new(0, *p, sequence));
        let last = positions.iter().copied().max().unwrap_or(0);
        Case { rows: rows.collect(), ..Case::decode(group, head_dim, ty, last) }
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

    /// Rows of two sequences, one behind the other, that see all of theirs.
    fn encoder(group: u32, head_dim: u32, ty: KvType, lengths: [u32; 2]) -> Case {
        let rows = |sequence: u32| {
            let length = lengths[sequence as usize];
            (0..length).map(move |position| Row::new(0, position, sequence).seeing(length - 1 - position))
        };
        let last = lengths[0].max(lengths[1]) - 1;
        Case {
            is_prefill: true,
            rows: [1, 0].into_iter().flat_map(rows).collect(),
            ..Case::decode(group, head_dim, ty, last)
        }
    }

    /// The same with its positions split; the answer is then what the reduce makes of the parts.
    fn split(self, kv_splits: u32) -> Case {
        Case { kv_splits, ..self }
    }

    /// The same where rows see the last `window` positions and the first `keep`.
    fn windowed(self, window: u32, keep: u32) -> Case {
        Case { window: Some(window), keep, ..self }
    }

    /// The same with a cache of several segments.
    fn segmented(self, segments: u32) -> Case {
        Case { segments, ..self }
    }

    /// The same with a sink for each head.
    fn with_sinks(self) -> Case {
        Case { sinks: true, ..self }
    }

    /// The same where no row sees the first position.
    fn without_the_first(self) -> Case {
        Case { first: 1, ..self }
    }

    /// The same with scores within ±1.5.
    fn capped(self) -> Case {
        Case { cap: Some(1.5), ..self }
    }

    /// The same with ALiBi.
    fn biased(self) -> Case {
        Case { max_bias: Some(8.0), ..self }
    }

    /// The page table. What no row sees has entries that lead nowhere: such pages may be gone.
    fn table(&self, shape: &AttentionShape) -> Vec<u32> {
        let count = 2 * self.pages;
        let mut table = vec![u32::MAX; count as usize];
        for row in self.rows.iter().filter(|row| !row.is_finished() && row.position / PAGE < self.pages) {
            for position in shape.visible(row) {
                let entry = row.sequence * self.pages + position / PAGE;
                table[entry as usize] = count - 1 - entry;
            }
        }
        table
    }

    fn shape(&self, kv: &KvShape) -> AttentionShape {
        let heads = self.group * kv.kv_heads;
        AttentionShape {
            heads,
            qkv_width: (heads + 2 * kv.kv_heads) * self.head_dim,
            scale: 1.7 / (self.head_dim as f32).sqrt(),
            cap: self.cap,
            max_bias: self.max_bias,
            kv_splits: self.kv_splits,
            is_prefill: self.is_prefill,
            window: self.window,
            keep: self.keep,
            first: self.first,
        }
    }

    fn name(&self) -> String {
        let Case { group, head_dim, ty, kv_splits, .. } = self;
        let phase = if self.is_prefill { "prefill" } else { "decode" };
        let positions: Vec<u32> = self.rows.iter().map(|row| row.position).collect();
        let at = match positions.as_slice() {
            [first, .., last] if self.is_prefill => format!("{first}..={last} ({})", positions.len()),
            several => format!("{several:?}"),
        };
        let window = self.window.map_or(String::new(), |window| format!(" window {window} keep {}", self.keep));
        let sinks = if self.sinks { " sinks" } else { "" };
        let sinks = if self.cap.is_some() { format!("{sinks} capped") } else { sinks.to_string() };
        let sinks = if self.max_bias.is_some() { format!("{sinks} alibi") } else { sinks };
        let sinks = if self.first > 0 { format!("{sinks} from 1") } else { sinks };
        let segments = kv::class(self.segments as usize);
        format!("attention {phase} {group}x{head_dim} {ty:?} kv_splits {kv_splits}{window}{sinks}{segments} at {at}")
    }

    fn kv(&self) -> KvShape {
        let segment_pages = (2 * self.pages).div_ceil(self.segments);
        KvShape { kv_heads: 2, head_dim: self.head_dim, pages_per_sequence: self.pages, ty: self.ty, segment_pages }
    }

    fn test(self) -> KernelTest {
        let kv = self.kv();
        let shape = self.shape(&kv);
        let AttentionShape { heads, kv_splits, .. } = shape;
        let rows = self.rows.len() as u32 + 1;
        let count = 2 * self.pages;
        let cache = random_cache(5, &kv, count * 2 * kv.kv_heads * PAGE);
        let segments: Vec<Vec<u32>> = cache.chunks(kv.segment_words()).map(<[u32]>::to_vec).collect();
        assert_eq!(segments.len(), self.segments as usize, "{}", self.name());
        let mut inputs = vec![batch::words(&self.rows), random_f32s(4, rows * shape.qkv_width)];
        inputs.extend(segments);
        inputs.extend([
            self.table(&shape),
            vec![0; (rows * shape.out_cols(&kv)) as usize],
            random_f32s(7, heads),
            vec![0; (rows * heads * kv.head_dim) as usize],
        ]);
        let behind = 2 + self.segments as usize;
        let answer = behind + if kv_splits > 1 { 3 } else { 1 };
        let test = KernelTest::new(self.name(), inputs, vec![Output::f32(answer)], move |mut places| {
            let [pages, out, sinks, _] = places.split_off(behind).try_into().expect("four inputs behind the cache");
            let cache = places.split_off(2);
            let [batch, q] = places.try_into().expect("two inputs before the cache");
            let sinks = self.sinks.then_some(sinks);
            Box::new(Attention { batch, q, cache, pages, out, sinks, rows, shape, kv })
        });
        if kv_splits == 1 {
            return test;
        }
        test.then(move |mut places| {
            let [_, parts, _, out] = places.split_off(behind).try_into().expect("four inputs behind the cache");
            let batch = places.swap_remove(0);
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
    case.window = kernel.shape.window.map(|_| last / 2);
    case.keep = if kernel.shape.keep > 0 { 19 } else { 0 };
    case.first = kernel.shape.first;
    case.sinks = kernel.sinks.is_some();
    case.cap = kernel.shape.cap.map(|_| 1.5);
    case.max_bias = kernel.shape.max_bias;
    case.segments = kernel.cache.len() as u32;
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
        cases.push(Case::decode_at(3, 16, KvType::F16, &[0, 2, 31, 100, 257, 700]).split(kv_splits));
        cases.push(Case::prefill(4, 24, KvType::F32, 140, 70).split(kv_splits));
    }
    for lengths in [[1, 1], [5, 31], [33, 70], [100, 1]] {
        cases.push(Case::encoder(1, 32, KvType::F32, lengths));
        cases.push(Case::encoder(3, 64, KvType::F16, lengths).windowed(9, 0));
        cases.push(Case { is_prefill: false, ..Case::encoder(2, 24, KvType::F32, lengths) });
        cases.push(Case::encoder(3, 32, KvType::F32, lengths).biased());
    }
    cases.extend([
        Case::decode_at(2, 32, KvType::F16, &[1, 2, 33, 64, 300]).without_the_first(),
        Case::decode_at(2, 32, KvType::F16, &[1, 2, 33, 64, 300]).without_the_first().split(4),
        Case::prefill(3, 32, KvType::F32, 40, 40).without_the_first(),
    ]);
    cases.extend(window_cases());
    cases.extend(segment_cases());
    let reduces = [reduce(1, 1, 8, 2), reduce(3, 5, 24, 7), reduce(2, 8, 128, 16), reduce(2, 3, 64, 32)];
    cases.into_iter().map(Case::test).chain(reduces).collect()
}

/// Windows at the edges of rows, tiles and pages, with kept positions that lie apart from the window and that touch it.
fn window_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (window, keep) in [(1, 0), (17, 3), (64, 40)] {
        let edges = [0, window - 1, window, window + 1, window + keep, 15, 31, 32, 100];
        cases.push(Case::decode_at(3, 16, KvType::F16, &edges).windowed(window, keep));
        cases.push(Case::decode_at(2, 24, KvType::Q8_0, &edges).windowed(window, keep).split(4));
        cases.push(Case::prefill(2, 16, KvType::F16, 100, 101).windowed(window, keep));
    }
    cases.extend([
        Case::decode(4, 64, KvType::F32, 70).with_sinks(),
        Case::decode(4, 64, KvType::F16, 70).with_sinks().split(7),
        Case::decode(4, 64, KvType::Q4_0, 300).with_sinks().windowed(128, 4).split(32),
        Case::decode(4, 64, KvType::F16, 1).with_sinks().windowed(128, 0),
        Case::prefill(8, 64, KvType::F16, 200, 33).with_sinks().windowed(128, 0),
        Case::prefill(8, 64, KvType::Q8_0, 90, 91).with_sinks().windowed(30, 5).split(4),
        Case::odd_rows(2, 64, KvType::F16).windowed(20, 2),
        Case::decode(4, 64, KvType::F16, 70).capped(),
        Case::decode(5, 16, KvType::Q8_0, 90).biased().split(4),
        Case::decode(1, 256, KvType::F16, 90).capped().windowed(40, 0).split(4),
        Case::prefill(4, 256, KvType::F32, 60, 33).capped().with_sinks(),
        Case::prefill(2, 512, KvType::F16, 40, 9),
        Case::decode(8, 512, KvType::Q8_0, 40).split(4),
    ]);
    cases
}

/// Caches of two and three segments, of which the last is shorter, for each type and phase.
fn segment_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for segments in [2, 3] {
        for ty in KvType::ALL {
            cases.push(Case::decode(7, 24, ty, 100).segmented(segments));
            cases.push(Case::prefill(3, 80, ty, 70, 33).segmented(segments));
        }
        cases.extend([
            Case::decode_at(3, 16, KvType::F16, &[0, 31, 100, 257]).split(4).segmented(segments),
            Case::decode(4, 64, KvType::F16, 200).with_sinks().windowed(70, 4).split(7).segmented(segments),
            Case::prefill(8, 64, KvType::F16, 200, 33).with_sinks().windowed(128, 0).segmented(segments),
        ]);
    }
    cases.push(Case::odd_rows(2, 64, KvType::Q8_0).segmented(2));
    cases
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
    fn attention_twin_gives_the_same_answer_in_however_many_segments() {
        let whole = Case::decode(3, 16, KvType::Q8_0, 100).with_sinks();
        for segments in [2, 3] {
            assert_eq!(answer(&whole.clone().segmented(segments)), answer(&whole));
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

    /// The definition, in f64: one row, one head, f32 cache whose pages are where `Case::table` says.
    fn by_definition(case: &Case, row: usize, head: usize) -> Vec<f64> {
        let inputs = case.clone().test().inputs;
        let floats =
            |input: usize| -> Vec<f64> { inputs[input].iter().map(|word| f64::from(f32::from_bits(*word))).collect() };
        let (q, cache, sinks) = (floats(1), floats(2), floats(5));
        let (dim, heads) = (case.head_dim as usize, 2 * case.group as usize);
        let Row { position, sequence, .. } = case.rows[row];
        let slot = |position: u32| {
            let page = inputs[3][(sequence * case.pages + position / PAGE) as usize] as usize;
            ((page * 4 + head / case.group as usize) * PAGE as usize + (position % PAGE) as usize) * dim
        };
        let values = &cache[2 * PAGE as usize * dim..];
        let query = &q[row * (heads + 4) * dim + head * dim..][..dim];
        let (at, last) = (i64::from(position), position + case.rows[row].ahead());
        let near = |p: u32| case.window.is_none_or(|w| (i64::from(p) - at).abs() < i64::from(w));
        let seen: Vec<u32> = (0..=last).filter(|p| near(*p) || *p < case.keep).collect();
        let score = |p: &u32| query.iter().zip(&cache[slot(*p)..]).map(|(a, b)| a * b).sum::<f64>();
        let capped = |score: f64| case.cap.map(f64::from).map_or(score, |cap| cap * (score / cap).tanh());
        let slope = f64::from(case.shape(&case.kv()).slope(head as u32));
        let biased = |p: &u32| slope * (i64::from(*p) - at).abs() as f64;
        let weights: Vec<f64> =
            seen.iter().map(|p| (capped(score(p) * 1.7 / (dim as f64).sqrt()) - biased(p)).exp()).collect();
        let total = weights.iter().sum::<f64>() + if case.sinks { sinks[head].exp() } else { 0.0 };
        let sum = |d: usize| seen.iter().zip(&weights).map(|(p, weight)| weight * values[slot(*p) + d]).sum::<f64>();
        (0..dim).map(|d| sum(d) / total).collect()
    }

    #[test]
    fn slopes_of_alibi_are_those_of_its_paper() {
        let of = |heads: u32| {
            let case = Case::encoder(heads / 2, 8, KvType::F32, [1, 1]).biased();
            let shape = case.shape(&case.kv());
            (0..heads).map(|head| shape.slope(head)).collect::<Vec<_>>()
        };
        assert_eq!(of(8), [1, 2, 3, 4, 5, 6, 7, 8].map(|power| 1.0 / (1 << power) as f32));
        // Of twelve heads eight have the slopes of eight, and four every second one of those of sixteen.
        let between = [0.5f32, 1.5, 2.5, 3.5].map(|power| (-power).exp2());
        assert_eq!(of(12)[8..], between);
    }

    #[test]
    fn attention_twin_follows_the_definition_of_rows_that_see_what_follows() {
        for window in [None, Some(1), Some(9), Some(40)] {
            let case = Case { window, max_bias: window.map(|_| 8.0), ..Case::encoder(2, 8, KvType::F32, [33, 20]) };
            for (row, head) in [(0, 0), (19, 3), (20, 1), (36, 2), (52, 0)] {
                let found = &row_of(&case, row)[head * 8..][..8];
                let wanted = by_definition(&case, row, head);
                let near = found.iter().zip(&wanted).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5);
                assert!(near, "{} row {row} head {head}: {found:?} instead of {wanted:?}", case.name());
            }
        }
    }

    #[test]
    fn attention_twin_follows_the_definition_of_windows_kept_positions_sinks_and_caps() {
        let case = Case::decode(2, 8, KvType::F32, 90);
        for (window, keep) in [(None, 0), (Some(1), 0), (Some(45), 3), (Some(90), 1), (Some(91), 0), (Some(50), 70)] {
            for (sinks, cap, kv_splits) in [(false, None, 1), (true, None, 1), (true, Some(1.5), 7)] {
                let case = Case { window, keep, sinks, cap, kv_splits, ..case.clone() };
                for (row, head) in [(0, 0), (0, 3), (1, 2)] {
                    let found = &row_of(&case, row)[head * 8..][..8];
                    let wanted = by_definition(&case, row, head);
                    let near = found.iter().zip(&wanted).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5);
                    assert!(near, "{} row {row} head {head}: {found:?} instead of {wanted:?}", case.name());
                }
            }
        }
    }
}
