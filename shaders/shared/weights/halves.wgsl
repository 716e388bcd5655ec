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

// The dot product of a chunk with i.
fn dot_chunk(index: u32, i: Inputs) -> f32 {
    let a = weights_q[index * 4u];
    let b = weights_q[index * 4u + 1u];
    let c = weights_q[index * 4u + 2u];
    let d = weights_q[index * 4u + 3u];
    var sum = dot(halves(a.x, a.y), i.v[0]);
    sum += dot(halves(a.z, a.w), i.v[1]);
    sum += dot(halves(b.x, b.y), i.v[2]);
    sum += dot(halves(b.z, b.w), i.v[3]);
    sum += dot(halves(c.x, c.y), i.v[4]);
    sum += dot(halves(c.z, c.w), i.v[5]);
    sum += dot(halves(d.x, d.y), i.v[6]);
    sum += dot(halves(d.z, d.w), i.v[7]);
    return sum;
}
