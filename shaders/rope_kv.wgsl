// Rotary position embedding of queries and keys, with the norm of each head before it where the model has one, and the
// write of keys and values into the cache. Some models norm after the rotation, norm values without weights, rotate nothing, or let queries
// grow with their position.
//
// qkv: [rows, (HEADS + 2 KV_HEADS) HEAD_DIM] f32, queries, keys and values of a row side by side; queries are rotated in
// place. norms: [2, HEAD_DIM] f32, weights of the query norm and of the key norm (used where NORM is not 0). angles: (cos, sin)
// of [256 + coarse, ROPE_DIMS / 2] angles, see model/rope.rs. kv0 and further segments: see shared/kv.wgsl.
//
// Under a quantised cache, queries and keys are then multiplied with a Hadamard matrix, a block at a time: scores stay what they are, and a
// channel that is larger than the others no longer takes the precision of its block.
//
// Dispatch: one invocation for each head of each row, HEADS + 2 KV_HEADS of them along x in workgroups of 32, rows along
// y. Rows without a place in the cache are left alone. A head is at most a few hundred numbers and the whole kernel touches a few kilobytes
// a row, so that neither a finer split nor workgroup memory would pay.

override HEADS: u32;
override ROPE_DIMS: u32;
override INTERLEAVED: bool;
override NORM: u32;         // of queries and keys: 0 none, 1 before they are rotated, 2 after
override HAS_KEYS: bool;     // else there are queries alone, and the layer reads the cache of another
override VALUE_NORM: bool;
override EPS: f32;
override TEMPERATURE: f32;  // see `Temperature` in kernels/rope.rs; 0 for none
override TEMPERATURE_LENGTH: u32;

const FINE: u32 = 256u;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let head = id.x;
    let r = id.y;
    let heads = HEADS + select(0u, 2u * KV_HEADS, HAS_KEYS);
    if r >= batch.count || head >= heads {
        return;
    }
    let row = batch.rows[r];
    if !has_place(row) {
        return;
    }
    let first = (r * heads + head) * HEAD_DIM;
    if head >= HEADS + KV_HEADS {
        if VALUE_NORM {
            scale_by(first, root_mean_square(first));
        }
        store(value_word(kv_word(row.sequence, head - HEADS - KV_HEADS, row.position)), first);
        return;
    }
    let is_key = head >= HEADS;
    if NORM == 1u {
        normalise(first, select(0u, HEAD_DIM, is_key));
    }
    rotate(first, row.position);
    if NORM == 2u {
        normalise(first, select(0u, HEAD_DIM, is_key));
    }
    if TEMPERATURE != 0.0 && !is_key {
        scale_by(first, 1.0 + TEMPERATURE * log(f32(1u + row.position / TEMPERATURE_LENGTH)));
    }
    if KV_TYPE >= KV_Q8_0 {
        mix(first, select(1.0 / f32(KV_BLOCK), 1.0, is_key));
    }
    if is_key {
        store(kv_word(row.sequence, head - HEADS, row.position), first);
    }
}

// What a norm multiplies a head by.
fn root_mean_square(first: u32) -> f32 {
    var squares = 0.0;
    for (var i = 0u; i < HEAD_DIM; i++) {
        squares += qkv[first + i] * qkv[first + i];
    }
    return inverseSqrt(squares / f32(HEAD_DIM) + EPS);
}

fn scale_by(first: u32, factor: f32) {
    for (var i = 0u; i < HEAD_DIM; i++) {
        qkv[first + i] *= factor;
    }
}

fn normalise(first: u32, weight: u32) {
    let scale = root_mean_square(first);
    for (var i = 0u; i < HEAD_DIM; i++) {
        qkv[first + i] *= scale * norms[weight + i];
    }
}

fn rotate(first: u32, position: u32) {
    let pairs = ROPE_DIMS / 2u;
    let fine = (position % FINE) * pairs;
    let coarse = (FINE + position / FINE) * pairs;
    for (var i = 0u; i < pairs; i++) {
        let a = angles[fine + i];
        let b = angles[coarse + i];
        let turn = vec2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
        var low = first + i;
        var high = low + pairs;
        if INTERLEAVED {
            low = first + 2u * i;
            high = low + 1u;
        }
        let v = vec2(qkv[low], qkv[high]);
        qkv[low] = v.x * turn.x - v.y * turn.y;
        qkv[high] = v.x * turn.y + v.y * turn.x;
    }
}

// Multiplies each block with the Hadamard matrix of its size, and with `scale`.
fn mix(first: u32, scale: f32) {
    let fours = KV_BLOCK / 4u;
    var block: array<vec4<f32>, 8>;
    for (var begin = first; begin < first + HEAD_DIM; begin += KV_BLOCK) {
        for (var i = 0u; i < fours; i++) {
            let at = begin + 4u * i;
            let two = vec4(qkv[at] + qkv[at + 1u], qkv[at] - qkv[at + 1u], qkv[at + 2u] + qkv[at + 3u], qkv[at + 2u] - qkv[at + 3u]);
            block[i] = vec4(two.xy + two.zw, two.xy - two.zw);
        }
        for (var apart = 1u; apart < fours; apart *= 2u) {
            for (var i = 0u; i < fours; i++) {
                if (i & apart) == 0u {
                    let low = block[i];
                    block[i] = low + block[i + apart];
                    block[i + apart] = low - block[i + apart];
                }
            }
        }
        for (var i = 0u; i < KV_BLOCK; i++) {
            qkv[begin + i] = block[i / 4u][i % 4u] * scale;
        }
    }
}
