//! The tensors of a synthetic model and their data: random bits with scales that keep activations near 1.

use inglenook::format::quant::{WeightType, quantise, random_blocks};

use super::shape::Shape;

/// Bytes made at a time.
const PIECE: usize = 4 << 20;

/// A tensor to be made.
pub struct Tensor {
    /// Its name in the file.
    pub name: String,
    /// GGUF's dimensions, the length of a row first.
    pub dims: Vec<u64>,
    /// Its type.
    pub ty: WeightType,
}

impl Tensor {
    fn vector(name: String, len: u32) -> Tensor {
        Tensor { name, dims: vec![len.into()], ty: WeightType::F32 }
    }

    fn matrix(name: String, columns: u32, rows: u32, ty: WeightType) -> Tensor {
        Tensor { name, dims: vec![columns.into(), rows.into()], ty }
    }

    /// Bytes of its data.
    pub fn bytes(&self) -> u64 {
        self.dims.iter().product::<u64>() / self.ty.block_len() as u64 * self.ty.block_bytes() as u64
    }

    /// Its data in pieces: ones for a norm's vector, else random blocks.
    pub fn pieces(&self, seed: u64) -> impl Iterator<Item = Vec<u8>> {
        let (ty, is_vector) = (self.ty, self.dims.len() == 1);
        let blocks = self.dims.iter().product::<u64>() as usize / ty.block_len();
        let a_piece = PIECE / ty.block_bytes();
        // Rows of this spread keep the size of what they are multiplied with.
        let rms = (self.dims[0] as f32).sqrt().recip();
        (0..blocks).step_by(a_piece).zip(0u64..).map(move |(start, piece)| {
            let blocks = a_piece.min(blocks - start);
            if is_vector { ones(blocks) } else { random_blocks(ty, mix(seed, piece), blocks, rms) }
        })
    }
}

fn ones(len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    quantise(WeightType::F32, &vec![1.0; len], &mut out).expect("F32 has blocks of one weight");
    out
}

/// Seeds of neighbouring pieces must not give overlapping numbers.
fn mix(seed: u64, piece: u64) -> u64 {
    (seed << 20 | piece).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// All tensors, in the order in which they are declared and written.
pub fn all(shape: &Shape) -> Vec<Tensor> {
    let embedding = Tensor::matrix("token_embd.weight".into(), shape.hidden, shape.vocab, shape.weights.embedding());
    let layers = (0..shape.layers).flat_map(|index| layer(shape, index));
    let norm = Tensor::vector("output_norm.weight".into(), shape.hidden);
    [embedding].into_iter().chain(layers).chain([norm]).collect()
}

fn layer(shape: &Shape, index: u32) -> Vec<Tensor> {
    let Shape { hidden, heads, kv_heads, head_dim, ffn, .. } = *shape;
    let name = |part: &str| format!("blk.{index}.{part}.weight");
    let vector = |part: &str, len| Tensor::vector(name(part), len);
    let matrix = |part: &str, columns, rows| {
        Tensor::matrix(name(part), columns, rows, shape.weights.matrix(part, index, shape.layers))
    };
    vec![
        vector("attn_norm", hidden),
        matrix("attn_q", hidden, heads * head_dim),
        matrix("attn_k", hidden, kv_heads * head_dim),
        matrix("attn_v", hidden, kv_heads * head_dim),
        vector("attn_q_norm", head_dim),
        vector("attn_k_norm", head_dim),
        matrix("attn_output", heads * head_dim, hidden),
        vector("ffn_norm", hidden),
        matrix("ffn_gate", hidden, ffn),
        matrix("ffn_up", hidden, ffn),
        matrix("ffn_down", ffn, hidden),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::shape::{FileType, Name, Shape};
    use super::*;

    fn bytes(name: Name) -> u64 {
        all(&name.shape()).iter().map(Tensor::bytes).sum()
    }

    #[test]
    fn sizes_are_what_the_names_say() {
        let weights: u64 = all(&Name::Small.shape()).iter().map(|tensor| tensor.dims.iter().product::<u64>()).sum();
        assert_eq!(weights / 100_000, 419);
        assert!((1_900_000_000..2_200_000_000).contains(&bytes(Name::Large)));
        let wide = all(&Name::Wide.shape());
        assert_eq!(wide[0].dims.iter().product::<u64>() * 2, 200 << 20);
        assert!((300_000_000..500_000_000).contains(&bytes(Name::Half)));
        assert!((2_300_000_000..2_600_000_000).contains(&bytes(Name::Four)));
        assert!((4_500_000_000..5_000_000_000).contains(&bytes(Name::Eight)));
    }

    #[test]
    fn file_type_changes_types_and_no_dims() {
        let own = Name::Small.shape();
        let mixed = all(&Shape { weights: FileType::Q4KM.weights(), ..own });
        assert!(all(&own).iter().zip(&mixed).all(|(own, mixed)| own.dims == mixed.dims));
        let type_of = |name: &str| mixed.iter().find(|tensor| tensor.name == name).map(|tensor| tensor.ty);
        assert_eq!(type_of("token_embd.weight"), Some(WeightType::Q6_K));
        assert_eq!(type_of("blk.1.attn_q.weight"), Some(WeightType::Q4_K));
        let eight = all(&Shape { weights: FileType::Q8.weights(), ..own });
        assert!(eight.iter().all(|tensor| matches!(tensor.ty, WeightType::Q8_0 | WeightType::F32)));
    }

    #[test]
    fn pieces_are_whole_seeded_and_different() {
        let tensor = Tensor::matrix("t".into(), 1024, 9000, WeightType::Q8_0);
        let pieces: Vec<Vec<u8>> = tensor.pieces(7).collect();
        assert_eq!(pieces.iter().map(Vec::len).sum::<usize>(), 1024 * 9000 / 32 * 34);
        assert!(pieces.iter().all(|piece| piece.len() <= PIECE));
        assert_ne!(pieces[0], pieces[1]);
        assert_eq!(tensor.pieces(7).next(), Some(pieces[0].clone()));
        assert_ne!(tensor.pieces(8).next(), Some(pieces[0].clone()));
    }
}
