// The dot products of a chunk of each of four rows in a loop, for types whose unpacking is long: code that outgrows the processor's cache
// of decoded instructions takes half as long again, and twice as long to compile.
fn four_dots(chunks: vec4<u32>, i: Inputs) -> vec4<f32> {
    var sums = vec4<f32>();
    for (var r = 0u; r < 4u; r++) {
        sums += in_place(r, dot_chunk(chunk(chunks[r]), i));
    }
    return sums;
}
