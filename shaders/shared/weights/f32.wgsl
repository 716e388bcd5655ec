// F32: words are weights.
const OFFSET = false;
const SPREAD = vec4<f32>(1.0);

fn chunk(index: u32) -> Chunk {
    let at = index * 8u;
    return Chunk(array<vec4<f32>, 8>(
        bitcast<vec4<f32>>(weights_q[at]), bitcast<vec4<f32>>(weights_q[at + 1u]),
        bitcast<vec4<f32>>(weights_q[at + 2u]), bitcast<vec4<f32>>(weights_q[at + 3u]),
        bitcast<vec4<f32>>(weights_q[at + 4u]), bitcast<vec4<f32>>(weights_q[at + 5u]),
        bitcast<vec4<f32>>(weights_q[at + 6u]), bitcast<vec4<f32>>(weights_q[at + 7u]),
    ), vec2<f32>(1.0), 0.0);
}

// The dot product of a chunk with i.
fn dot_chunk(index: u32, i: Inputs) -> f32 {
    let at = index * 8u;
    var sum = dot(bitcast<vec4<f32>>(weights_q[at]), i.v[0]);
    sum += dot(bitcast<vec4<f32>>(weights_q[at + 1u]), i.v[1]);
    sum += dot(bitcast<vec4<f32>>(weights_q[at + 2u]), i.v[2]);
    sum += dot(bitcast<vec4<f32>>(weights_q[at + 3u]), i.v[3]);
    sum += dot(bitcast<vec4<f32>>(weights_q[at + 4u]), i.v[4]);
    sum += dot(bitcast<vec4<f32>>(weights_q[at + 5u]), i.v[5]);
    sum += dot(bitcast<vec4<f32>>(weights_q[at + 6u]), i.v[6]);
    sum += dot(bitcast<vec4<f32>>(weights_q[at + 7u]), i.v[7]);
    return sum;
}
