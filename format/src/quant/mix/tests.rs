use super::*;
use WeightType::*;

fn tensor(name: &str, dims: &[u64], ty: WeightType) -> TensorInfo {
    TensorInfo { name: name.into(), dims: dims.into(), ty: ty.into(), offset: 0, bytes: 0 }
}

/// A model of `layers` layers, with as many values as queries, or fewer.
fn dense(layers: u32, values: u64) -> Vec<TensorInfo> {
    let mut tensors =
        vec![tensor("token_embd.weight", &[1024, 500], BF16), tensor("output_norm.weight", &[1024], BF16)];
    for layer in 0..layers {
        let mut add = |name: &str, dims: &[u64]| tensors.push(tensor(&format!("blk.{layer}.{name}"), dims, BF16));
        add("attn_norm.weight", &[1024]);
        add("attn_q.weight", &[1024, 1024]);
        add("attn_q.bias", &[1024]);
        add("attn_k.weight", &[1024, values]);
        add("attn_v.weight", &[1024, values]);
        add("attn_output.weight", &[1024, 1024]);
        add("ffn_up.weight", &[1024, 3072]);
        add("ffn_down.weight", &[3072, 1024]);
    }
    tensors
}

/// The type that a mix gives the tensor `name`.
fn type_of(mix: &str, tensors: &[TensorInfo], name: &str) -> WeightType {
    let types = Mix::by_name(mix).unwrap().types(tensors);
    let at = tensors.iter().position(|tensor| tensor.name == name).unwrap_or_else(|| panic!("{name}"));
    let TensorType::Weights(ty) = types[at] else { panic!("{name}") };
    ty
}

/// The layers in which a tensor gets the type `ty`.
fn layers(mix: &str, tensors: &[TensorInfo], name: &str, ty: WeightType) -> Vec<u32> {
    let count = tensors.iter().filter_map(|tensor| layer(&tensor.name)).max().unwrap() + 1;
    (0..count).filter(|layer| type_of(mix, tensors, &format!("blk.{layer}.{name}")) == ty).collect()
}

#[test]
fn q4_k_m_has_better_types_where_llama_cpp_has_them() {
    let tensors = dense(28, 1024);
    let better = [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 24, 25, 26, 27];
    assert_eq!(layers("q4_k_m", &tensors, "attn_v.weight", Q6_K), better);
    assert_eq!(layers("Q4_K_M", &tensors, "ffn_down.weight", Q6_K), better);
    for name in ["attn_q.weight", "attn_k.weight", "attn_output.weight", "ffn_up.weight"] {
        assert_eq!(layers("Q4_K_M", &tensors, name, Q4_K).len(), 28, "{name}");
    }
    for name in ["attn_norm.weight", "attn_q.bias"] {
        assert_eq!(layers("Q4_K_M", &tensors, name, F32).len(), 28, "{name}");
    }
    assert_eq!(type_of("Q4_K_M", &tensors, "token_embd.weight"), Q6_K);
    let mut apart = tensors.clone();
    apart.push(tensor("output.weight", &[1024, 500], BF16));
    assert_eq!(type_of("Q4_K_M", &apart, "token_embd.weight"), Q4_K);
    assert_eq!(type_of("Q4_K_M", &apart, "output.weight"), Q6_K);
}

#[test]
fn layers_count_among_those_with_such_a_tensor() {
    // Attention in every fourth layer only, as in hybrid models.
    let mut tensors = dense(32, 1024);
    tensors.retain(|tensor| !tensor.name.contains("attn_v") || layer(&tensor.name).unwrap() % 4 == 3);
    let better: Vec<u32> = [0, 3, 6, 7].map(|at| 4 * at + 3).into();
    let found = (0..8)
        .map(|at| 4 * at + 3)
        .filter(|layer| type_of("Q4_K_M", &tensors, &format!("blk.{layer}.attn_v.weight")) == Q6_K);
    assert_eq!(found.collect::<Vec<_>>(), better);
}

#[test]
fn uneven_mixes_have_more_bits_for_few_values_and_the_first_layers() {
    let (many, few) = (dense(16, 1024), dense(16, 256));
    assert!(layers("IQ4_XS", &many, "attn_v.weight", Q5_K).is_empty());
    assert_eq!(layers("IQ4_XS", &few, "attn_v.weight", Q5_K).len(), 16);
    assert_eq!(layers("IQ4_NL", &few, "ffn_down.weight", Q5_K), [0, 1]);
    assert_eq!(type_of("IQ4_NL", &few, "token_embd.weight"), Q6_K);
}

#[test]
fn experts_are_small_and_what_stands_beside_them_is_not() {
    let mut tensors = dense(2, 1024);
    tensors.push(tensor("blk.0.ffn_gate_inp.weight", &[1024, 8], BF16));
    tensors.push(tensor("blk.0.ffn_down_exps.weight", &[768, 1024, 8], BF16));
    tensors.push(tensor("blk.0.ffn_down_exps.bias", &[1024, 8], BF16));
    for mix in &MIXES {
        assert_eq!(type_of(mix.name, &tensors, "blk.0.ffn_gate_inp.weight"), F32, "{}", mix.name);
        assert_eq!(type_of(mix.name, &tensors, "blk.0.ffn_down_exps.bias"), F32, "{}", mix.name);
    }
    assert_eq!(type_of("MXFP4", &tensors, "blk.0.ffn_down_exps.weight"), MXFP4);
    assert_eq!(type_of("MXFP4", &tensors, "blk.0.attn_q.weight"), Q8_0);
    assert_eq!(type_of("MXFP4", &tensors, "token_embd.weight"), Q8_0);
    assert_eq!(type_of("MXFP4", &dense(2, 1024), "blk.0.attn_q.weight"), MXFP4);
    assert_eq!(type_of("Q4_K_M", &tensors, "blk.1.attn_k.weight"), Q8_0);
    assert_eq!(type_of("Q4_K_M", &tensors, "blk.1.attn_q.weight"), Q4_K);
}

#[test]
fn rows_that_are_not_whole_blocks_get_smaller_blocks() {
    let tensors: Vec<TensorInfo> =
        [(0, 576), (1, 40)].map(|(layer, row)| tensor(&format!("blk.{layer}.attn_q.weight"), &[row, 64], F32)).into();
    let types = |mix| [0, 1].map(|layer| type_of(mix, &tensors, &format!("blk.{layer}.attn_q.weight")));
    for (mix, ty) in
        [("Q4_K_M", Q5_0), ("Q5_K_M", Q5_1), ("Q6_K", Q8_0), ("IQ4_XS", IQ4_NL), ("Q2_K", Q4_0), ("Q8_0", Q8_0)]
    {
        assert_eq!(types(mix), [ty, F16], "{mix}");
    }
    assert_eq!(types("BF16"), [BF16, BF16]);
}

#[test]
fn small_matrices_and_integers_stay() {
    let mut tensors = dense(1, 1024);
    tensors.push(tensor("blk.0.laurel_l.weight", &[1024, 64], BF16));
    tensors.push(tensor("blk.0.ssm_conv1d.weight", &[4, 64], BF16));
    assert_eq!(type_of("Q4_K_M", &tensors, "blk.0.laurel_l.weight"), BF16);
    assert_eq!(type_of("Q4_K_M", &tensors, "blk.0.ssm_conv1d.weight"), F32);
    let ids = TensorInfo { ty: TensorType::Other(26), ..tensor("blk.0.ffn_gate_tid2eid.weight", &[8, 500], F32) };
    assert_eq!(Mix::by_name("Q4_K_M").unwrap().types(&[ids]), [TensorType::Other(26)]);
}

#[test]
fn mixes_are_told_apart_by_names_and_numbers() {
    for (at, mix) in MIXES.iter().enumerate() {
        assert_eq!(Mix::by_name(&mix.name.to_lowercase()), Some(mix));
        assert!(MIXES[..at].iter().all(|other| other.file_type != mix.file_type), "{}", mix.name);
    }
    assert_eq!(Mix::by_name("Q9"), None);
}

#[test]
fn mixes_have_only_types_that_can_be_made() {
    let mut tensors = dense(32, 256);
    tensors.push(tensor("blk.0.ffn_down_exps.weight", &[768, 1024, 8], BF16));
    tensors.push(tensor("blk.0.ffn_up_exps.weight", &[32, 1024, 8], BF16));
    for mix in &MIXES {
        for (ty, tensor) in mix.types(&tensors).into_iter().zip(&tensors) {
            let TensorType::Weights(ty) = ty else { panic!("{}", tensor.name) };
            let row = vec![0.0; tensor.row_len() as usize];
            let made = crate::quant::quantise_rows(ty, &row, row.len(), None, &mut Vec::new());
            assert_eq!(made, Ok(()), "{} of {}", tensor.name, mix.name);
        }
    }
}

#[test]
fn mixes_go_by_the_names_of_their_types_too() {
    let name = |name: &str| Mix::by_name(name).map(|mix| mix.name);
    assert_eq!(
        [name("q4_k"), name("Q6_K"), name("q5_K"), name("q9")],
        [Some("Q4_K_M"), Some("Q6_K"), Some("Q5_K_M"), None]
    );
    assert!(Mix::names().starts_with("f32, bf16, f16, q8_0, "), "{}", Mix::names());
}
