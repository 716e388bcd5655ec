// Four neighbouring invocations (a quad) that want the same inputs load a quarter each and hand it to the others. All of a quad must come
// here together. On a software adapter an invocation is a lane of a vector register: a load costs a branch a lane, whatever it
// loads, and handing a value over costs next to nothing.
fn inputs(chunk_of_x: u32, lane: u32) -> Inputs {
    let low = x[chunk_of_x * 8u + lane % 4u];
    let high = x[chunk_of_x * 8u + 4u + lane % 4u];
    var sums = Offset();
    if OFFSET {
        sums = input_sums(low, high);
        sums += quadSwapX(sums);
        sums += quadSwapY(sums);
    }
    let spread_low = low * LOW_SPREAD;
    let spread_high = high * HIGH_SPREAD;
    return Inputs(array<vec4<f32>, 8>(
        quadBroadcast(spread_low, 0u), quadBroadcast(spread_low, 1u),
        quadBroadcast(spread_low, 2u), quadBroadcast(spread_low, 3u),
        quadBroadcast(spread_high, 0u), quadBroadcast(spread_high, 1u),
        quadBroadcast(spread_high, 2u), quadBroadcast(spread_high, 3u),
    ), sums);
}
