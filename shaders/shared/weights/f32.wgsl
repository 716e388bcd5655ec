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
