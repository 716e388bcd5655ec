//! Plain Rust.

use half::f16;

use super::{Isa, Task};

/// No instructions but those that every target has.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

impl Isa for Portable {
    type Bytes = [u8; 32];
    type Wide = [f32; 32];
    type Lanes = [f32; 8];
    type Ints = [i32; 8];
    type Pairs = [u32; 8];

    const LANES: usize = 8;

    #[inline(never)]
    fn apart<T: Task>(self, task: T) -> T::Output {
        task.run(self)
    }

    #[inline(always)]
    fn load(self, bytes: &[u8; 32]) -> [u8; 32] {
        *bytes
    }

    #[inline(always)]
    fn load_nibbles(self, bytes: &[u8; 16]) -> [u8; 32] {
        std::array::from_fn(|i| if i < 16 { bytes[i] & 15 } else { bytes[i - 16] >> 4 })
    }

    #[inline(always)]
    fn load_pairs(self, bytes: &[u8; 16]) -> [u8; 32] {
        std::array::from_fn(|i| (bytes[i / 2] >> (4 * (i % 2))) & 15)
    }

    #[inline(always)]
    fn sixteens(self, bits: u32) -> [u8; 32] {
        std::array::from_fn(|i| ((bits >> i) & 1) as u8 * 16)
    }

    #[inline(always)]
    fn bits(self, bytes: [u8; 32], shift: u32, mask: u8) -> [u8; 32] {
        bytes.map(|byte| (byte >> shift) & mask)
    }

    #[inline(always)]
    fn times_16(self, bytes: [u8; 32]) -> [u8; 32] {
        bytes.map(|byte| byte << 4)
    }

    #[inline(always)]
    fn minus(self, bytes: [u8; 32], amount: u8) -> [u8; 32] {
        bytes.map(|byte| byte.wrapping_sub(amount))
    }

    #[inline(always)]
    fn or(self, a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
        std::array::from_fn(|i| a[i] | b[i])
    }

    #[inline(always)]
    fn widen(self, bytes: [u8; 32]) -> [f32; 32] {
        bytes.map(|byte| f32::from(byte as i8))
    }

    #[inline(always)]
    fn load_floats(self, floats: &[u8; 128]) -> [f32; 32] {
        bytemuck::pod_read_unaligned(floats)
    }

    #[inline(always)]
    fn widen_f16(self, halves: &[u8; 64]) -> [f32; 32] {
        std::array::from_fn(|i| self.half([halves[2 * i], halves[2 * i + 1]]))
    }

    #[inline(always)]
    fn widen_bf16(self, halves: &[u8; 64]) -> [f32; 32] {
        std::array::from_fn(|i| f32::from_le_bytes([0, 0, halves[2 * i], halves[2 * i + 1]]))
    }

    #[inline(always)]
    fn half(self, bytes: [u8; 2]) -> f32 {
        f16::from_le_bytes(bytes).to_f32()
    }

    #[inline(always)]
    fn store(self, floats: [f32; 32], to: &mut [f32; 32]) {
        *to = floats;
    }

    #[inline(always)]
    fn times(self, a: [f32; 32], scales: [f32; 2]) -> [f32; 32] {
        std::array::from_fn(|i| a[i] * scales[i / 16])
    }

    #[inline(always)]
    fn plus(self, a: [f32; 32], amounts: [f32; 2]) -> [f32; 32] {
        std::array::from_fn(|i| a[i] + amounts[i / 16])
    }

    #[inline(always)]
    fn part(self, floats: [f32; 32], number: usize) -> [f32; 8] {
        floats.as_chunks().0[number]
    }

    #[inline(always)]
    fn transpose(self, rows: &[u32], stride: usize, to: &mut [u32]) {
        for (column, to) in to.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            *to = std::array::from_fn(|lane| rows[lane * stride + column]);
        }
    }

    #[inline(always)]
    fn pairs(self, pairs: &[u32]) -> [u32; 8] {
        *pairs.first_chunk().expect("a pair for each lane")
    }

    #[inline(always)]
    fn store_pairs(self, pairs: [u32; 8], to: &mut [u32]) {
        to[..8].copy_from_slice(&pairs);
    }

    #[inline(always)]
    fn shift_right(self, pairs: [u32; 8], by: u32) -> [u32; 8] {
        pairs.map(|pair| pair >> by)
    }

    #[inline(always)]
    fn shift_left(self, pairs: [u32; 8], by: u32) -> [u32; 8] {
        pairs.map(|pair| pair << by)
    }

    #[inline(always)]
    fn mask(self, pairs: [u32; 8], mask: u32) -> [u32; 8] {
        pairs.map(|pair| pair & mask)
    }

    #[inline(always)]
    fn either(self, a: [u32; 8], b: [u32; 8]) -> [u32; 8] {
        std::array::from_fn(|i| a[i] | b[i])
    }

    #[inline(always)]
    fn looked_up(self, values: &[i8; 16], fours: [u32; 8]) -> [u32; 8] {
        let bytes = bytemuck::cast::<_, [u8; 32]>(fours);
        bytemuck::cast(bytes.map(|byte| values[usize::from(byte & 15)]))
    }

    #[inline(always)]
    fn low_bytes(self, pairs: [u32; 8]) -> [u32; 8] {
        pairs.map(|pair| bytemuck::cast(bytemuck::cast::<u32, [i16; 2]>(pair).map(|number| number << 8 >> 8)))
    }

    #[inline(always)]
    fn high_bytes(self, pairs: [u32; 8]) -> [u32; 8] {
        pairs.map(|pair| bytemuck::cast(bytemuck::cast::<u32, [i16; 2]>(pair).map(|number| number >> 8)))
    }

    #[inline(always)]
    fn ints(self, pairs: [u32; 8]) -> [i32; 8] {
        pairs.map(|word| word as i32)
    }

    #[inline(always)]
    fn signed_bytes(self, pairs: [u32; 8], number: u32) -> [i32; 8] {
        pairs.map(|word| (word << (24 - 8 * number)) as i32 >> 24)
    }

    #[inline(always)]
    fn add_pairs(self, sums: [i32; 8], weights: [u32; 8], x: u32) -> [i32; 8] {
        let [a, b] = bytemuck::cast::<u32, [i16; 2]>(x).map(i32::from);
        std::array::from_fn(|i| {
            let [first, second] = bytemuck::cast::<u32, [i16; 2]>(weights[i]).map(i32::from);
            sums[i] + first * a + second * b
        })
    }

    #[inline(always)]
    fn no_ints(self) -> [i32; 8] {
        [0; 8]
    }

    #[inline(always)]
    fn all_ints(self, int: i32) -> [i32; 8] {
        [int; 8]
    }

    #[inline(always)]
    fn joined(self, high: [i32; 8], low: [i32; 8]) -> [i32; 8] {
        std::array::from_fn(|i| (high[i] << 8) + low[i])
    }

    #[inline(always)]
    fn zero(self) -> [f32; 8] {
        [0.0; 8]
    }

    #[inline(always)]
    fn lanes(self, floats: &[f32]) -> [f32; 8] {
        *floats.first_chunk().expect("a float for each lane")
    }

    #[inline(always)]
    fn all(self, float: f32) -> [f32; 8] {
        [float; 8]
    }

    #[inline(always)]
    fn floats(self, ints: [i32; 8]) -> [f32; 8] {
        ints.map(|int| int as f32)
    }

    #[inline(always)]
    fn add(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn multiply(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] * b[i])
    }

    #[inline(always)]
    fn multiply_add(self, a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }

    #[inline(always)]
    fn total(self, lanes: [f32; 8]) -> f32 {
        let [a, b, c, d]: [f32; 4] = std::array::from_fn(|i| lanes[i] + lanes[i + 4]);
        (a + c) + (b + d)
    }

    #[inline(always)]
    fn store_lanes(self, lanes: [f32; 8], to: &mut [f32]) {
        to[..8].copy_from_slice(&lanes);
    }
}
