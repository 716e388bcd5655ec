// Attention with key and value tiles in workgroup memory: softmax(q · keys * SCALE) · values (flash attention).
//
// Dispatch: (tile of TILE_ROWS rows, key head, split) by (x, y, z), workgroups of 128. A workgroup answers up to 32
// queries: the GROUP heads that share a key head, for each of its rows. So keys and values are read once for all of them,
// in prefill (TILE_ROWS = 32 / GROUP rows, positions rising) as in decode (TILE_ROWS = 1, and the positions split over z to
// fill the GPU). Rows of a tile that are of several sequences, as where encoders take many short texts, meet the keys of one after
// the other: a query then waits while others meet theirs. Four lanes serve a query: each scores 4 of a tile's 16 positions, then sums a
// quarter of the values' dimensions. A tile of 16 positions of 128 dimensions takes 8 KiB, which leaves two workgroups
// a core at the 16 KiB that every device has.

const QUERIES: u32 = 32u;
const POSITIONS: u32 = 16u;
const LANES: u32 = 128u;
// Vectors of four dimensions that one of a query's four lanes sums.
const PART: u32 = (VECS + 3u) / 4u;

override TILE_ROWS: u32;

var<workgroup> tile: array<vec4<f32>, POSITIONS * VECS>;
var<workgroup> scores: array<f32, QUERIES * POSITIONS>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first_row = group.x * TILE_ROWS;
    if first_row >= batch.count {
        return;
    }
    let last_row = min(first_row + TILE_ROWS, batch.count) - 1u;
    let query = lane / 4u;
    let quarter = lane % 4u;
    let row = min(first_row + query / GROUP, last_row);
    let answers = query < TILE_ROWS * GROUP && first_row + query / GROUP <= last_row && has_place(batch.rows[row]);
    let head = group.y * GROUP + query % GROUP;

    var sum: array<vec4<f32>, PART>;
    var highest = first_highest(head, group.z);
    var total = first_total(group.z);
    var run_first = first_row;
    while run_first <= last_row {
        let sequence = batch.rows[run_first].sequence;
        var run_last = run_first;
        while run_last < last_row && batch.rows[min(run_last + 1u, last_row)].sequence == sequence {
            run_last += 1u;
        }
        // The window of these rows: it begins with the first one's and ends with the last one's. Positions rise: where the first has no
        // place, the others have none.
        let begin = window_start(batch.rows[run_first].position);
        let length = select(
            0u,
            visible(begin, min(visible_end(batch.rows[run_last]), PAGES_PER_SEQUENCE * PAGE)),
            has_place(batch.rows[run_first]),
        );
        let share = ((length + POSITIONS - 1u) / POSITIONS + SPLITS - 1u) / SPLITS * POSITIONS;
        let first = group.z * share;
        let end = min(first + share, length);
        let valid = answers && row >= run_first && row <= run_last;
        for (var start = first; start < end; start += POSITIONS) {
            for (var i = lane; i < POSITIONS * VECS; i += LANES) {
                let position = position_of(min(start + i / VECS, end - 1u), begin);
                tile[i] = key4(kv_word(sequence, group.y, position), i % VECS);
            }
            workgroupBarrier();
            if valid {
                score(row, head, query, quarter, start, end, begin);
            }
            workgroupBarrier();
            for (var i = lane; i < POSITIONS * VECS; i += LANES) {
                let position = position_of(min(start + i / VECS, end - 1u), begin);
                tile[i] = value4(kv_word(sequence, group.y, position), i % VECS);
            }
            workgroupBarrier();
            if valid {
                var tile_highest = highest;
                for (var j = 0u; j < POSITIONS; j++) {
                    tile_highest = max(tile_highest, scores[query * POSITIONS + j]);
                }
                let fade = exp(highest - tile_highest);
                highest = tile_highest;
                total *= fade;
                for (var i = 0u; i < PART; i++) {
                    sum[i] *= fade;
                }
                for (var j = 0u; j < POSITIONS; j++) {
                    let score = scores[query * POSITIONS + j];
                    let weight = select(exp(score - highest), 0.0, score <= LOWEST);
                    total += weight;
                    for (var i = 0u; i < PART; i++) {
                        let at = quarter + 4u * i;
                        if at < VECS {
                            sum[i] += weight * tile[j * VECS + at];
                        }
                    }
                }
            }
            workgroupBarrier();
        }
        run_first = run_last + 1u;
    }
    if !answers {
        return;
    }
    let word = out_word(row, head, group.z);
    let scale = final_scale(total);
    for (var i = 0u; i < PART; i++) {
        let at = quarter + 4u * i;
        if at < VECS {
            store4(word, at, sum[i] * scale);
        }
    }
    if quarter == 0u {
        store_weights(word, highest, total);
    }
}

// Scores of one query against four positions of the tile; those that its row does not see count for nothing.
fn score(row: u32, head: u32, query: u32, quarter: u32, start: u32, end: u32, begin: u32) {
    var sums = array<vec4<f32>, 4>();
    for (var i = 0u; i < VECS; i++) {
        let v = query4(row, head, i);
        for (var j = 0u; j < 4u; j++) {
            sums[j] += v * tile[(4u * quarter + j) * VECS + i];
        }
    }
    let behind = visible_end(batch.rows[row]);
    let own = window_start(batch.rows[row].position);
    for (var j = 0u; j < 4u; j++) {
        let number = start + 4u * quarter + j;
        let position = position_of(number, begin);
        let seen = number < end && position < behind && (position >= own || position < KEEP);
        let bounded = biased(capped(dot(sums[j], vec4(1.0))), head, position, batch.rows[row].position);
        scores[query * POSITIONS + 4u * quarter + j] = select(LOWEST, bounded, seen);
    }
}
