// Embedding rows: out[r] = table[token of row r] * SCALE. By another LOOKUP than 0 the row's position (1) or 0 (2) stands for its token,
// and what is found is added to what is there.
//
// The table's weights are of any type and may lie in several parts; this dispatch serves the tokens FIRST..FIRST+ROWS of one part
// and leaves the rows of other tokens as they are. Only the part that begins the table, whose dispatch is the first, writes zeros
// for them: so a token that no part has gives zeros. out: [rows, COLS] f32. COLS is a multiple of 32.
// Dispatch: x covers COLS / 32 chunks in workgroups of 32, y is the row. A chunk is what a weight type unpacks at once.

override COLS: u32;
override FIRST: u32;
override ROWS: u32;
override SCALE: f32;
override LOOKUP: u32;

fn put(at: u32, value: vec4<f32>) {
    if LOOKUP == 0u {
        out[at] = value * SCALE;
    } else {
        out[at] += value * SCALE;
    }
}

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y >= batch.count || id.x >= COLS / 32u {
        return;
    }
    let row = batch.rows[id.y];
    if is_finished(row) {
        return;
    }
    let token = select(select(0u, row.position, LOOKUP == 1u), row.token, LOOKUP == 0u);
    let at = (id.y * (COLS / 32u) + id.x) * 8u;
    if token < FIRST || token - FIRST >= ROWS {
        if FIRST == 0u && LOOKUP == 0u {
            for (var i = 0u; i < 8u; i++) {
                out[at + i] = vec4<f32>();
            }
        }
        return;
    }
    let w = chunk((token - FIRST) * (COLS / 32u) + id.x);
    let low = LOW_SPREAD * w.scale.x;
    let high = HIGH_SPREAD * w.scale.y;
    put(at, low_numbers(w.words[0]) * low + low_offset(w.offset));
    put(at + 1u, low_numbers(w.words[1]) * low + low_offset(w.offset));
    put(at + 2u, low_numbers(w.words[2]) * low + low_offset(w.offset));
    put(at + 3u, low_numbers(w.words[3]) * low + low_offset(w.offset));
    put(at + 4u, high_numbers(w.words[4]) * high + high_offset(w.offset));
    put(at + 5u, high_numbers(w.words[5]) * high + high_offset(w.offset));
    put(at + 6u, high_numbers(w.words[6]) * high + high_offset(w.offset));
    put(at + 7u, high_numbers(w.words[7]) * high + high_offset(w.offset));
}
