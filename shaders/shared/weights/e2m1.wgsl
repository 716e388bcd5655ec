// Floats of four bits, doubled: 0, 1, 2, 3, 4, 6, 8, 12, and the same below 0.
fn values_of(nibbles: vec4<u32>) -> vec4<u32> {
    let ones = vec4<u32>(ONES);
    let exponent = (nibbles >> vec4<u32>(1u)) & ones;
    let is_large = ((nibbles >> vec4<u32>(2u)) & ones) * 255u;
    let is_largest = is_large & (exponent * 255u);
    let is_below = ((nibbles >> vec4<u32>(3u)) & ones) * 255u;
    // 0 to 3, or 2 and 3 times two or four.
    let mantissa = (nibbles & ones) | ((ones * 2u) & is_large) | ((exponent * 2u) & ~is_large);
    let doubled = mantissa + (mantissa & is_large);
    let size = doubled + (doubled & is_largest);
    // From 128 up or down, so that no byte borrows from the next; then its top bit is turned into a sign.
    return ((vec4<u32>(HIGHEST) + (size & ~is_below)) - (size & is_below)) ^ vec4<u32>(HIGHEST);
}
