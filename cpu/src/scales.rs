//! The scales of a row: a weight is `number * scale + minimum`.

use half::f16;
use half::slice::HalfFloatSliceExt;
use inglenook_format::quant::WeightType;

/// Scales and minima of one row, kept from row to row for their memory.
#[derive(Debug, Default)]
pub struct RowScales {
    /// For each 32 weights one, for those of Q6_K two.
    pub scales: Vec<f32>,
    /// For each 32 weights, where the type has any.
    pub minima: Vec<f32>,
}

impl RowScales {
    /// Reads those of a row of `ty` from its bytes in the plane of scales.
    pub fn read(&mut self, ty: WeightType, bytes: &[u8]) {
        self.scales.clear();
        self.minima.clear();
        match ty {
            WeightType::Q8_0 => self.read_halves(bytes),
            WeightType::Q4_0 => self.read_around(bytes, -8.0),
            WeightType::Q5_0 => self.read_around(bytes, -16.0),
            WeightType::Q4_1 | WeightType::Q5_1 => {
                self.read_halves(bytes);
                let pairs = self.scales.as_chunks::<2>().0;
                self.minima.extend(pairs.iter().map(|[_, minimum]| minimum));
                let scales = self.minima.len();
                (0..scales).for_each(|i| self.scales[i] = self.scales[2 * i]);
                self.scales.truncate(scales);
            }
            WeightType::Q4_K | WeightType::Q5_K => {
                bytes.as_chunks::<16>().0.iter().for_each(|block| self.read_k(block))
            }
            WeightType::Q6_K => bytes.as_chunks::<20>().0.iter().for_each(|block| self.read_6(block)),
            WeightType::F32 | WeightType::F16 | WeightType::BF16 => {}
        }
    }

    fn read_halves(&mut self, bytes: &[u8]) {
        self.scales.resize(bytes.len() / 2, 0.0);
        match bytemuck::try_cast_slice::<u8, f16>(bytes) {
            // In one run, for the processor's own conversion.
            Ok(halves) => halves.convert_to_f32_slice(&mut self.scales),
            Err(_) => unreachable!("planes are of words, and rows of whole halves"),
        }
    }

    fn read_around(&mut self, bytes: &[u8], middle: f32) {
        self.read_halves(bytes);
        self.minima.extend(self.scales.iter().map(|scale| scale * middle));
    }

    /// Q4_K, Q5_K: eight groups with six-bit scales and minima.
    fn read_k(&mut self, block: &[u8; 16]) {
        let half = |i: usize| f16::from_le_bytes([block[i], block[i + 1]]).to_f32();
        let (scale, minimum, packed) = (half(0), half(2), &block[4..]);
        for group in 0..8 {
            let (s, m) = match group {
                0..4 => (packed[group] & 63, packed[group + 4] & 63),
                _ => (
                    packed[group + 4] & 15 | (packed[group - 4] >> 6) << 4,
                    packed[group + 4] >> 4 | (packed[group] >> 6) << 4,
                ),
            };
            self.scales.push(scale * f32::from(s));
            self.minima.push(-minimum * f32::from(m));
        }
    }

    /// Q6_K: sixteen groups with signed scales.
    fn read_6(&mut self, block: &[u8; 20]) {
        let scale = f16::from_le_bytes([block[16], block[17]]).to_f32();
        self.scales.extend(block[..16].iter().map(|s| scale * f32::from(*s as i8)));
    }
}
