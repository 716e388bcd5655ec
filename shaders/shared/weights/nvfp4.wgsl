// NVFP4: a block is 64 floats of four bits, and a float of eight bits without a sign as scale of each 16; these are low nibbles of eight bytes,
// then high ones. Numbers are doubled, so scales are halved.
const OFFSET = false;

// Four bits of exponent, three of mantissa; 0x7f is no number, and taken for 0.
fn half_scale(byte: u32) -> f32 {
    let exponent = (byte >> 3u) & 15u;
    let mantissa = byte & 7u;
    let normal = bitcast<f32>(((exponent + 119u) << 23u) | (mantissa << 20u));
    return select(select(normal, f32(mantissa) * 0x1p-10, exponent == 0u), 0.0, byte == 0x7fu);
}

fn chunk(index: u32) -> Chunk {
    let q = weight_quants[index];
    let low = q & vec4<u32>(0x0f0f0f0fu);
    let high = (q >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu);
    let scales = weight_scales[index >> 1u] >> (16u * (index & 1u));
    return chunk_of(
        values_of(vec4<u32>(low.xy, high.xy)), values_of(vec4<u32>(low.zw, high.zw)),
        vec2<f32>(half_scale(scales & 0xffu), half_scale((scales >> 8u) & 0xffu)), 0.0,
    );
}
