// Types of 16 bits: two weights a word. `halves(a, b)` gives the four weights of two words.
const OFFSET = false;
const SPREAD = vec4<f32>(1.0);

fn chunk(index: u32) -> Chunk {
    let a = weights_q[index * 4u];
    let b = weights_q[index * 4u + 1u];
    let c = weights_q[index * 4u + 2u];
    let d = weights_q[index * 4u + 3u];
    return Chunk(array<vec4<f32>, 8>(
        halves(a.x, a.y), halves(a.z, a.w), halves(b.x, b.y), halves(b.z, b.w),
        halves(c.x, c.y), halves(c.z, c.w), halves(d.x, d.y), halves(d.z, d.w),
    ), vec2<f32>(1.0), 0.0);
}
