// Q2_K: a superblock is 8 groups of 32 two-bit numbers. Sixteen numbers share a byte, their scale in its low nibble and their minimum in the
// high one; these are in the plane of high bits. A word of scales has d and dmin.
const OFFSET = true;

fn chunk(index: u32) -> Chunk {
    let bytes = weight_high_bits[index >> 3u][(index >> 1u) & 3u] >> (16u * (index & 1u));
    let d = unpack2x16float(weight_scales[index >> 3u]);
    let scales = vec2<f32>(f32(bytes & 15u), f32((bytes >> 8u) & 15u));
    let minima = vec2<f32>(f32((bytes >> 4u) & 15u), f32((bytes >> 12u) & 15u));
    return chunk_of(first_two_bits(index), last_two_bits(index), d.x * scales, -d.y * minima);
}
