// Scale and offset of group `j` (of 8) of a Q4_K or Q5_K superblock. The first word of `s` holds d and dmin; twelve bytes hold
// sixteen numbers of six bits, the upper bits of the last groups being tucked into the top of the first bytes. The group's bytes are
// moved to the top of their words, where they are 2^24 times too large.
fn group_scale(s: vec4<u32>, j: u32) -> vec2<f32> {
    let up = 0x1000000u >> (8u * (j & 3u));
    let a = s.y * up;
    let b = s.z * up;
    let c = s.w * up;
    var scale = top_bits(a & 0x3f000000u);
    var min = top_bits(b & 0x3f000000u);
    if j >= 4u {
        scale = top_bits(c & 0x0f000000u) + top_bits(a & 0xc0000000u) * 0.25;
        min = top_bits(c & 0xf0000000u) * 0.0625 + top_bits(b & 0xc0000000u) * 0.25;
    }
    let d = unpack2x16float(s.x) * 0x1p-24;
    return vec2<f32>(d.x * scale, -d.y * min);
}
