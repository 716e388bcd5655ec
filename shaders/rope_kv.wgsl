// Rotary position embedding of queries and keys, with the norm of each head before it where the model has one, and the
// write of keys and values into the cache.
//
// qkv: [rows, (HEADS + 2 KV_HEADS) HEAD_DIM] f32, queries, keys and values of a row side by side; queries are rotated in
// place. norms: [2, HEAD_DIM] f32, weights of the query norm and of the key norm (used where NORM). angles: (cos, sin)
// of [256 + coarse, ROPE_DIMS / 2] angles, see model/rope.rs. kv0 and further segments: see shared/kv.wgsl.
//
// Dispatch: one invocation for each head of each row, HEADS + 2 KV_HEADS of them along x in workgroups of 32, rows along
// y. Rows without a place in the cache are left alone. A head is at most a few hundred numbers and the whole kernel touches a few kilobytes a row, so that neither a
// finer split nor workgroup memory would pay.

override HEADS: u32;
override ROPE_DIMS: u32;
override INTERLEAVED: bool;
override NORM: bool;
override EPS: f32;

const FINE: u32 = 256u;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let head = id.x;
    let r = id.y;
    if r >= batch.count || head >= HEADS + 2u * KV_HEADS {
        return;
    }
    let row = batch.rows[r];
    if !has_place(row) {
        return;
    }
    let first = (r * (HEADS + 2u * KV_HEADS) + head) * HEAD_DIM;
    if head >= HEADS + KV_HEADS {
        store(value_word(kv_word(row.sequence, head - HEADS - KV_HEADS, row.position)), first);
        return;
    }
    let is_key = head >= HEADS;
    if NORM {
        normalise(first, select(0u, HEAD_DIM, is_key));
    }
    rotate(first, row.position);
    if is_key {
        store(kv_word(row.sequence, head - HEADS, row.position), first);
    }
}

fn normalise(first: u32, weight: u32) {
    var squares = 0.0;
    for (var i = 0u; i < HEAD_DIM; i++) {
        squares += qkv[first + i] * qkv[first + i];
    }
    let scale = inverseSqrt(squares / f32(HEAD_DIM) + EPS);
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
