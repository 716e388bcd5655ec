// Q4_1: a block is 32 nibbles, an f16 scale and an f16 minimum (one word).
const OFFSET = true;

fn bytes(index: u32) -> Bytes {
    let q = weights_q[index];
    let s = unpack2x16float(weights_s[index]);
    return Bytes(low_nibbles(q), high_nibbles(q), s.xx, s.y);
}
