//! Adds what adapters change to weights, a piece at a time.

use inglenook::format::lora::LowRank;

use super::pieces::Piece;

/// What is added to one weight by each adapter that changes it, and the factor that the user gave the adapter.
pub type Changes<'a> = Vec<(&'a LowRank, f32)>;

/// Adds `scale · B · A` of each to the weights of a piece, in f32. They are as large as the matrix.
pub fn add(changes: &[(&LowRank, f32)], piece: &Piece, weights: &mut [f32]) {
    let (row, column, columns) = (piece.row as usize, piece.column as usize, piece.columns as usize);
    let mut product = vec![0f32; columns];
    for (low_rank, scale) in changes {
        let scale = scale * low_rank.scale;
        let rows_of_b = low_rank.b[row * low_rank.rank..].chunks_exact(low_rank.rank);
        for (weights, b) in weights.chunks_exact_mut(columns).zip(rows_of_b) {
            product.fill(0.0);
            for (b, a) in b.iter().zip(low_rank.a.chunks_exact(low_rank.inputs())) {
                product.iter_mut().zip(&a[column..]).for_each(|(sum, a)| *sum += b * a);
            }
            weights.iter_mut().zip(&product).for_each(|(weight, product)| *weight += scale * product);
        }
    }
}

#[cfg(test)]
mod tests {
    use inglenook::format::lora::Lora;
    use inglenook::format::quant::mix::Mix;
    use inglenook::format::quant::{WeightType, dequantise, quantise_rows};

    use super::super::tests::{data, file, floats, header, merged, some};
    use super::*;

    /// An adapter of one weight.
    fn lora(name: &str, inputs: usize, outputs: usize, rank: usize) -> Lora {
        let (a, b) = (some(rank * inputs), some(outputs * rank + 7)[7..].to_vec());
        Lora {
            architecture: None,
            weights: [(name.to_owned(), LowRank { rank, a, b, scale: 3.0 })].into_iter().collect(),
        }
    }

    /// What two adapters add, in f64.
    fn delta(adapters: &[(Lora, f32)], name: &str, row: usize, column: usize) -> f64 {
        let of = |(lora, scale): &(Lora, f32)| {
            let low_rank = &lora.weights[&name.to_owned()];
            let product = |k: usize| {
                let (a, b) = (low_rank.a[k * low_rank.inputs() + column], low_rank.b[row * low_rank.rank + k]);
                f64::from(a) * f64::from(b)
            };
            f64::from(*scale) * f64::from(low_rank.scale) * (0..low_rank.rank).map(product).sum::<f64>()
        };
        adapters.iter().map(of).sum()
    }

    #[test]
    fn adapters_are_added_to_rows_of_all_lengths() {
        let name = "blk.0.ffn_up.weight";
        for (columns, rows) in [(96, 1), (512, 300), (131_328, 2)] {
            let weights = some(columns * rows);
            let dims = [columns as u64, rows as u64];
            let input = file(&[(name, &dims, WeightType::F32, floats(weights.clone()))]);
            let adapters = [(lora(name, columns, rows, 5), 0.5), (lora(name, columns, rows, 3), -1.0)];
            let output = merged(&input, Mix::by_name("f32"), None, &adapters).unwrap();
            let found = data(&output, &header(&output), name).as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x));
            for (at, (found, weight)) in found.zip(&weights).enumerate() {
                let wanted = f64::from(*weight) + delta(&adapters, name, at / columns, at % columns);
                assert!((f64::from(found) - wanted).abs() < 1e-6, "{columns} {at}: {found} {wanted}");
            }
        }
    }

    #[test]
    fn merged_weights_keep_their_type_where_none_is_chosen() {
        let (changed, other) = ("blk.0.attn_q.weight", "blk.0.attn_k.weight");
        let mut blocks = Vec::new();
        quantise_rows(WeightType::Q8_0, &some(64 * 40), 64, None, &mut blocks).unwrap();
        let tensors = [changed, other].map(|name| (name, &[64, 40][..], WeightType::Q8_0, blocks.clone()));
        let adapters = [(lora(changed, 64, 40, 4), 1.0)];
        let output = merged(&file(&tensors), None, None, &adapters).unwrap();
        let mut weights = vec![0.0; 64 * 40];
        dequantise(WeightType::Q8_0, &blocks, &mut weights).unwrap();
        add(
            &[(&adapters[0].0.weights[&changed.to_owned()], 1.0)],
            &Piece { row: 0, column: 0, rows: 40, columns: 64 },
            &mut weights,
        );
        let mut wanted = Vec::new();
        quantise_rows(WeightType::Q8_0, &weights, 64, None, &mut wanted).unwrap();
        let gguf = header(&output);
        assert_eq!(data(&output, &gguf, changed), wanted);
        assert_eq!(data(&output, &gguf, other), blocks);
        assert_eq!(gguf.metadata.opt_u32("general.file_type"), Ok(Some(32)));
    }

    #[test]
    fn types_that_are_not_made_are_refused_before_anything_is_written() {
        let name = "blk.0.attn_q.weight";
        let blocks = vec![0; WeightType::IQ2_XXS.block_bytes() * 2];
        let input = file(&[(name, &[256, 2], WeightType::IQ2_XXS, blocks)]);
        let adapters = [(lora(name, 256, 2, 4), 1.0)];
        let error = format!("{:#}", merged(&input, None, None, &adapters).unwrap_err());
        assert!(error.contains("pass --type") && error.contains("IQ2_XXS"), "{error}");
        assert!(merged(&input, Mix::by_name("q4_0"), None, &adapters).is_ok());
    }
}
