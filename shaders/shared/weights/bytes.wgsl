// What a quantised type is: 32 numbers of at most 8 bits, one in each byte of eight words, in order (low byte first).
// Weight i is  number i * scale[i / 16] + offset.  Integer dot products take the bytes as they are.
struct Bytes {
    low: vec4<u32>,   // numbers 0..16
    high: vec4<u32>,  // numbers 16..32
    scale: vec2<f32>,
    offset: f32,
}
