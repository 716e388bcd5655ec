// scaled.wgsl in f16. Weights' numbers are whole and at most 128 in size, x at most 1: sixteen products stay far below 65504.
alias Packed = vec4<f16>;
alias Sum = f16;
const RANGE = 1.0;

fn pack_low(word: Word) -> Packed {
    return vec4<f16>(low_numbers(word) * LOW_SPREAD);
}

fn pack_high(word: Word) -> Packed {
    return vec4<f16>(high_numbers(word) * HIGH_SPREAD);
}

fn pack_inputs(v: vec4<f32>) -> Packed {
    return vec4<f16>(v);
}

fn sum_of(packed: Packed) -> f32 {
    return dot(vec4<f32>(packed), vec4<f32>(1.0));
}

fn product(w: Packed, i: Packed) -> Sum {
    return dot(w, i);
}
