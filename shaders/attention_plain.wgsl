// Attention without workgroup memory: softmax(q · keys * SCALE) · values, each invocation one query head.
//
// Dispatch: (row, head, split) by (x, y, z); heads in workgroups of 4 along y. An invocation walks its share of the
// visible positions in tiles of 8 with a running maximum (online softmax), so that the sum is rescaled once a tile. There is no
// barrier, which is what software adapters need; on a GPU the shared variant reads keys once for all heads of a group.

const TILE: u32 = 8u;

@compute @workgroup_size(1, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    let head = id.y;
    if row >= batch.count || head >= HEADS {
        return;
    }
    let sequence = batch.rows[row].sequence;
    let start = window_start(batch.rows[row].position);
    // A row without a place sees nothing and stores nothing. A second return, or fields of one copy of the row throughout, would
    // cost lavapipe a tenth in the loops below.
    let this_row = batch.rows[row];
    let length = select(0u, visible(start, visible_end(this_row)), has_place(this_row));
    let share = ((length + TILE - 1u) / TILE + SPLITS - 1u) / SPLITS * TILE;
    let first = id.z * share;
    let end = min(first + share, length);
    // VECS, as something that compilers cannot see: they unroll loops over arrays, and with wide heads take minutes to.
    let vecs = min(VECS, length * VECS);

    var query: array<vec4<f32>, VECS>;
    var sum: array<vec4<f32>, VECS>;
    for (var i = 0u; i < vecs; i++) {
        query[i] = query4(row, head, i);
    }
    var highest = first_highest(head, id.z);
    var total = first_total(id.z);
    for (var tile = first; tile < end; tile += TILE) {
        var words: array<u32, TILE>;
        var weights: array<f32, TILE>;
        var tile_highest = highest;
        for (var j = 0u; j < TILE; j++) {
            let position = position_of(min(tile + j, end - 1u), start);
            words[j] = kv_word(sequence, head / GROUP, position);
            var score = vec4<f32>();
            for (var i = 0u; i < vecs; i++) {
                score += query[i] * key4(words[j], i);
            }
            let bounded = biased(capped(dot(score, vec4(1.0))), head, position, this_row.position);
            weights[j] = select(LOWEST, bounded, tile + j < end);
            tile_highest = max(tile_highest, weights[j]);
        }
        let fade = exp(highest - tile_highest);
        highest = tile_highest;
        total *= fade;
        for (var j = 0u; j < TILE; j++) {
            weights[j] = exp(weights[j] - highest);
            total += weights[j];
        }
        for (var i = 0u; i < vecs; i++) {
            var s = sum[i] * fade;
            for (var j = 0u; j < TILE; j++) {
                s += weights[j] * value4(words[j], i);
            }
            sum[i] = s;
        }
    }
    let word = out_word(row, head, id.z);
    let scale = final_scale(total);
    for (var i = 0u; i < vecs; i++) {
        store4(word, i, sum[i] * scale);
    }
    store_weights(word, highest, total);
}
