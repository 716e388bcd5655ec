// A causal convolution of each channel over the LENGTH last positions of its sequence, which conv_store.wgsl has kept; what would come before
// the first is 0. An activation, and a gate, may follow.
//
// weights: [channels, LENGTH] f32, the last for the row's own position; out: [rows, channels] f32.
// Dispatch: x covers the channels in workgroups of 64, y is the row. Rows without a place in the cache are left alone.

override LENGTH: u32;
override ACTIVATES: bool;
override ACTIVATION: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let channel = id.x;
    if id.y >= batch.count || channel >= 2u * HEAD_DIM {
        return;
    }
    let row = batch.rows[id.y];
    if !has_place(row) {
        return;
    }
    var sum = bias_of(channel);
    for (var j = 0u; j < LENGTH; j++) {
        let back = LENGTH - 1u - j;
        if back <= row.position {
            let kept = bitcast<f32>(kv_read(channel_word(row.sequence, row.position - back, channel)));
            sum += weights[channel * LENGTH + j] * kept;
        }
    }
    if ACTIVATES {
        sum = activate(sum, ACTIVATION);
    }
    out[id.y * 2u * HEAD_DIM + channel] = sum * gate_of(id.y, channel);
}
