// The values of IQ4_NL and IQ4_XS: -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113.
//
// They are chosen bit by bit, four nibbles at a time: a list that is indexed is memory of each invocation to some compilers.
fn choose(is_second: vec4<u32>, first: vec4<u32>, second: vec4<u32>) -> vec4<u32> {
    return first ^ (is_second & (first ^ second));
}

fn one_of(is_second: vec4<u32>, first: u32, second: u32) -> vec4<u32> {
    return choose(is_second, vec4<u32>(first * ONES), vec4<u32>(second * ONES));
}

fn values_of(nibbles: vec4<u32>) -> vec4<u32> {
    let ones = vec4<u32>(ONES);
    let a = (nibbles & ones) * 255u;
    let b = ((nibbles >> vec4<u32>(1u)) & ones) * 255u;
    let c = ((nibbles >> vec4<u32>(2u)) & ones) * 255u;
    let d = ((nibbles >> vec4<u32>(3u)) & ones) * 255u;
    let first = choose(b, one_of(a, 0x81u, 0x98u), one_of(a, 0xadu, 0xbfu));
    let second = choose(b, one_of(a, 0xcfu, 0xddu), one_of(a, 0xeau, 0xf6u));
    let third = choose(b, one_of(a, 0x01u, 0x0du), one_of(a, 0x19u, 0x26u));
    let fourth = choose(b, one_of(a, 0x35u, 0x45u), one_of(a, 0x59u, 0x71u));
    return choose(d, choose(c, first, second), choose(c, third, fourth));
}
