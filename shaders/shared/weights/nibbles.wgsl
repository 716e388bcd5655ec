// Blocks of 32 nibbles with further bits elsewhere: low nibbles belong to the first sixteen numbers, high nibbles to the last.
const LOW_NIBBLES = vec4<u32>(0x0f0f0f0fu);

fn low_nibbles(q: vec4<u32>) -> vec4<u32> {
    return q & LOW_NIBBLES;
}

fn high_nibbles(q: vec4<u32>) -> vec4<u32> {
    return (q >> vec4<u32>(4u)) & LOW_NIBBLES;
}
