// Reads of four numbers from the cache: 4i and those after it, of the key that begins at `word`, or of its value.
fn key4(word: u32, i: u32) -> vec4<f32> {
    return load4(word, i);
}

fn value4(word: u32, i: u32) -> vec4<f32> {
    return load4(value_word(word), i);
}

fn load4(word: u32, i: u32) -> vec4<f32> {
    if KV_TYPE == KV_F16 {
        let at = word + 2u * i;
        return vec4(unpack2x16float(kv_read(at)), unpack2x16float(kv_read(at + 1u)));
    }
    if KV_TYPE == KV_F32 {
        let at = word + 4u * i;
        return bitcast<vec4<f32>>(vec4(kv_read(at), kv_read(at + 1u), kv_read(at + 2u), kv_read(at + 3u)));
    }
    return quants4(kv_read(quants_word(word, i)), i) * scale_of(kv_read(scale_word(word, i)), i);
}

fn quants_word(word: u32, i: u32) -> u32 {
    return word + select(i / 2u, i, KV_TYPE == KV_Q8_0);
}

fn scale_word(word: u32, i: u32) -> u32 {
    return word + KV_NUMBER_WORDS + 4u * i / KV_BLOCK / 2u;
}

fn quants4(word: u32, i: u32) -> vec4<f32> {
    if KV_TYPE == KV_Q8_0 {
        return vec4<f32>(bitcast<vec4<i32>>(vec4(word << 24u, word << 16u, word << 8u, word)) >> vec4(24u));
    }
    let nibbles = word >> (i % 2u * 16u);
    return vec4<f32>(vec4(nibbles, nibbles >> 4u, nibbles >> 8u, nibbles >> 12u) & vec4(15u)) - 8.0;
}

fn scale_of(word: u32, i: u32) -> f32 {
    let scales = unpack2x16float(word);
    return select(scales.x, scales.y, 4u * i / KV_BLOCK % 2u == 1u);
}
