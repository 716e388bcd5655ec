// TQ1_0: a superblock is 256 of -1, 0 and 1, and an f16 scale; two scales a word. A byte is a fraction of 256 parts whose digits in base 3 are
// numbers: 32 bytes have five digits each, of the first five groups of 32; 16 bytes have five digits each, of sixteen weights each; 4 bytes have
// four digits each, of the last sixteen weights.
const OFFSET = false;

// The digit behind those that `power`, of 3, has moved away, less 1. Two bytes at a time, with room for their products.
fn digits(bytes: vec4<u32>, power: vec4<u32>) -> vec4<u32> {
    let pairs = vec4<u32>(0x00ff00ffu);
    let even = ((bytes & pairs) * power) & pairs;
    let odd = (((bytes >> vec4<u32>(8u)) & pairs) * power) & pairs;
    return less((((even * 3u) >> vec4<u32>(8u)) & pairs) | ((odd * 3u) & ~pairs), 1u);
}

fn four_words(at: u32) -> vec4<u32> {
    return vec4<u32>(weight_quants[at], weight_quants[at + 1u], weight_quants[at + 2u], weight_quants[at + 3u]);
}

// 3 to the power of `n`, 4 at most.
fn power_of_3(n: u32) -> u32 {
    return select(1u, 3u, (n & 1u) == 1u) * select(1u, 9u, (n & 2u) == 2u) * select(1u, 81u, n == 4u);
}

fn chunk(index: u32) -> Chunk {
    let at = (index >> 3u) * 13u;
    let group = index & 7u;
    let d = vec2<f32>(half_of(weight_scales[index >> 4u], (index >> 3u) & 1u));
    if group < 5u {
        let power = vec4<u32>(power_of_3(group));
        return chunk_of(digits(four_words(at), power), digits(four_words(at + 4u), power), d, 0.0);
    }
    let words = four_words(at + 8u);
    let power = vec4<u32>(power_of_3(2u * (group - 5u)));
    if group < 7u {
        return chunk_of(digits(words, power), digits(words, power * 3u), d, 0.0);
    }
    return chunk_of(digits(words, power), digits(vec4<u32>(weight_quants[at + 12u]), vec4<u32>(1u, 3u, 9u, 27u)), d, 0.0);
}
