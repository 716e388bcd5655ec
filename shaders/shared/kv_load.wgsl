// Reads of four numbers from the cache: element 4i of the vector that begins at `word`.
fn key4(word: u32, i: u32) -> vec4<f32> {
    if KV_F16 {
        let at = word + 2u * i;
        return vec4(unpack2x16float(keys[at]), unpack2x16float(keys[at + 1u]));
    }
    let at = word + 4u * i;
    return bitcast<vec4<f32>>(vec4(keys[at], keys[at + 1u], keys[at + 2u], keys[at + 3u]));
}

fn value4(word: u32, i: u32) -> vec4<f32> {
    if KV_F16 {
        let at = word + 2u * i;
        return vec4(unpack2x16float(values[at]), unpack2x16float(values[at + 1u]));
    }
    let at = word + 4u * i;
    return bitcast<vec4<f32>>(vec4(values[at], values[at + 1u], values[at + 2u], values[at + 3u]));
}
