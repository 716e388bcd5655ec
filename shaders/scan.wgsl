// A recurrence over the positions of a sequence; see core/src/kernels/scan.rs. Of each head and value, the state is a column of WIDTH numbers, one
// a key: it decays, takes in step * value (of the delta rule, what the value differs by from what the state says of the key) under the row's
// key, and is asked by its query.
//
// x: [rows, X_COLS] f32, queries from column QUERIES on, keys and values likewise; gates: [rows, 3, HEADS] f32: decay, step, skip;
// out: [rows, HEADS, VALUES] f32. State of a page: [HEADS, WIDTH + 1, VALUES] f32, in place of the last key the number of positions gone through.
// Dispatch: x covers HEADS * VALUES in workgroups of 64, y is the row at which a run begins (shared/run.wgsl); an invocation goes through a run
// and keeps its column in registers. Each reads and writes its own column alone, so nothing waits.

override HEADS: u32;
override VALUES: u32;
override KEY_HEADS: u32;
override TILED: bool;
override DELTA: bool;
override EPS: f32;
override X_COLS: u32;
override QUERIES: u32;
override KEYS: u32;
override VALUES_AT: u32;

// Word at which a column of the state in a page begins; the next number of it is VALUES further.
fn state_word(sequence: u32, page: u32, head: u32, value: u32) -> u32 {
    return kv_word(sequence, 0u, page * PAGE) + head * (WIDTH + 1u) * VALUES + value;
}

// What vectors at `at` of x are divided by: 1, or their length.
fn inverse_length(at: u32) -> f32 {
    if !DELTA {
        return 1.0;
    }
    var squares = 0.0;
    for (var i = 0u; i < WIDTH; i++) {
        squares += x[at + i] * x[at + i];
    }
    return inverseSqrt(squares + EPS);
}

// Whether the state behind a position is kept which ends a page, of rows at `first` to before `end`: not where that page lies between.
fn is_kept(page: u32, first: u32, end: u32) -> bool {
    return page * PAGE < first || (page + 2u) * PAGE > end;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let begin = id.y;
    if begin >= batch.count || id.x >= HEADS * VALUES || goes_on(begin) {
        return;
    }
    let row = batch.rows[begin];
    if !has_place(row) {
        return;
    }
    var end = begin + 1u;
    while end < batch.count && goes_on(end) {
        end++;
    }
    let first = row.position;
    let behind = first + end - begin;
    let head = id.x / VALUES;
    let value = id.x % VALUES;
    let key_head = select(head / (HEADS / KEY_HEADS), head % KEY_HEADS, TILED);

    var state: array<f32, WIDTH>;
    var is_seen = false;
    if first > 0u {
        let word = state_word(row.sequence, (first - 1u) / PAGE, head, value);
        for (var i = 0u; i < WIDTH; i++) {
            state[i] = bitcast<f32>(kv_read(word + i * VALUES));
        }
        is_seen = first % PAGE != 0u && kv_read(word + WIDTH * VALUES) == first + 1u;
    }
    for (var r = begin; r < end; r++) {
        let query = r * X_COLS + QUERIES + key_head * WIDTH;
        let key = r * X_COLS + KEYS + key_head * WIDTH;
        let v = x[r * X_COLS + VALUES_AT + id.x];
        let gate = r * 3u * HEADS + head;
        if r > begin || !is_seen {
            let decay = gates[gate];
            let of_key = inverse_length(key);
            var known = 0.0;
            if DELTA {
                for (var i = 0u; i < WIDTH; i++) {
                    known += state[i] * x[key + i];
                }
                known *= decay * of_key;
            }
            let taken = gates[gate + HEADS] * (v - known) * of_key;
            for (var i = 0u; i < WIDTH; i++) {
                state[i] = decay * state[i] + x[key + i] * taken;
            }
        }
        var answer = 0.0;
        for (var i = 0u; i < WIDTH; i++) {
            answer += state[i] * x[query + i];
        }
        if DELTA {
            answer *= inverse_length(query) * inverseSqrt(f32(WIDTH));
        }
        out[r * HEADS * VALUES + id.x] = answer + gates[gate + 2u * HEADS] * v;

        let position = first + r - begin;
        let page = position / PAGE;
        if r + 1u == end || (position % PAGE == PAGE - 1u && is_kept(page, first, behind)) {
            let word = state_word(row.sequence, page, head, value);
            for (var i = 0u; i < WIDTH; i++) {
                kv_write(word + i * VALUES, bitcast<u32>(state[i]));
            }
            kv_write(word + WIDTH * VALUES, position + 1u);
        }
    }
}
