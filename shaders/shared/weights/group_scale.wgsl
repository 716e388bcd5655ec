// Scale and offset of group `j` (of 8) of a Q4_K or Q5_K superblock. The first word of `s` holds d and dmin; twelve bytes hold
// sixteen numbers of six bits, the upper bits of the last groups being tucked into the top of the first bytes.
fn group_scale(s: vec4<u32>, j: u32) -> vec2<f32> {
    let shift = 8u * (j % 4u);
    let a = s.y >> shift;
    let b = s.z >> shift;
    let c = s.w >> shift;
    let scale = select(a & 63u, (c & 15u) | ((a >> 2u) & 48u), j >= 4u);
    let min = select(b & 63u, ((c >> 4u) & 15u) | ((b >> 2u) & 48u), j >= 4u);
    let d = unpack2x16float(s.x);
    return vec2<f32>(d.x * f32(scale), -d.y * f32(min));
}
