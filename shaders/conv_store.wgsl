// Keeps the channels of each row in the cache, for conv.wgsl: columns OFFSET.. of x, by those from TIMES on where it MULTIPLIES.
//
// x: [rows, STRIDE] f32. kv0 and further segments, pages: see shared/kv.wgsl and shared/channels.wgsl. Rows without a place are left alone.
// Dispatch: x covers the channels in workgroups of 64, y is the row.

override STRIDE: u32;
override OFFSET: u32;
override MULTIPLIES: bool;
override TIMES: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y >= batch.count || id.x >= 2u * HEAD_DIM {
        return;
    }
    let row = batch.rows[id.y];
    if !has_place(row) {
        return;
    }
    var value = x[id.y * STRIDE + OFFSET + id.x];
    if MULTIPLIES {
        value *= x[id.y * STRIDE + TIMES + id.x];
    }
    kv_write(channel_word(row.sequence, row.position, id.x), bitcast<u32>(value));
}
