// Writes of whole vectors into the cache, from the HEAD_DIM numbers of `qkv` that begin at `first`.
fn store(word: u32, first: u32) {
    if KV_TYPE == KV_F32 {
        for (var i = 0u; i < HEAD_DIM; i++) {
            kv_write(word + i, bitcast<u32>(qkv[first + i]));
        }
    } else if KV_TYPE == KV_F16 {
        for (var i = 0u; i < HEAD_DIM / 2u; i++) {
            kv_write(word + i, pack2x16float(vec2(qkv[first + 2u * i], qkv[first + 2u * i + 1u])));
        }
    } else {
        store_blocks(word, first);
    }
}

fn store_blocks(word: u32, first: u32) {
    let blocks = HEAD_DIM / KV_BLOCK;
    let per_word = select(8u, 4u, KV_TYPE == KV_Q8_0);
    var scales = vec2<f32>();
    for (var block = 0u; block < blocks; block++) {
        let begin = block * KV_BLOCK;
        let scale = scale_for(first + begin);
        let inverse = select(1.0 / scale, 0.0, scale == 0.0);
        for (var i = begin; i < begin + KV_BLOCK; i += per_word) {
            kv_write(word + i / per_word, quants(first + i, inverse, per_word));
        }
        scales = select(vec2(scales.x, scale), vec2(scale, 0.0), block % 2u == 0u);
        if block % 2u == 1u || block + 1u == blocks {
            kv_write(word + KV_NUMBER_WORDS + block / 2u, pack2x16float(scales));
        }
    }
}

// The scale of a block, rounded to the f16 that is stored, so that quants are chosen by what they will be multiplied with.
fn scale_for(first: u32) -> f32 {
    var peak = 0.0;
    for (var i = first; i < first + KV_BLOCK; i++) {
        peak = select(peak, qkv[i], abs(qkv[i]) > abs(peak));
    }
    let scale = select(peak / -8.0, abs(peak) / 127.0, KV_TYPE == KV_Q8_0);
    return unpack2x16float(pack2x16float(vec2(clamp(scale, -65504.0, 65504.0), 0.0))).x;
}

// `per_word` quants as a word, the first lowest.
fn quants(first: u32, inverse: f32, per_word: u32) -> u32 {
    var word = 0u;
    for (var j = 0u; j < per_word; j++) {
        let scaled = qkv[first + j] * inverse;
        if KV_TYPE == KV_Q8_0 {
            word |= (bitcast<u32>(i32(clamp(round(scaled), -127.0, 127.0))) & 255u) << (8u * j);
        } else {
            word |= u32(clamp(floor(scaled + 8.5), 0.0, 15.0)) << (4u * j);
        }
    }
    return word;
}
