//! Tensors that change their shape, their rows or their numbers on the way: each against the number that it must have.

use inglenook_format::hf::HfModel;
use serde_json::{Value, json};

use crate::files::{Stored, config, directory, stored, tensors, values};

/// Element `i` of a tensor is `i`, or what `number` makes of it.
fn counted(name: &str, shape: &[u64], number: impl Fn(f32) -> f32) -> Stored {
    let count: u64 = shape.iter().product();
    stored(name, "F32", shape, (0..count).flat_map(|i| number(i as f32).to_le_bytes()).collect())
}

fn open(changes: Value, tensors: &[Stored]) -> HfModel {
    let mut config = config();
    for (key, value) in changes.as_object().unwrap() {
        config[key] = value.clone();
    }
    directory(&config, tensors).open().unwrap()
}

/// Dimensions and numbers of a tensor.
fn found(model: &HfModel, name: &str) -> (Vec<u64>, Vec<f32>) {
    (model.gguf.tensor(name).unwrap().dims.clone(), values(model, name).1)
}

#[test]
fn rows_of_a_head_become_pairs_for_interleaved_rope() {
    let mut tensors = tensors();
    tensors.push(counted("model.layers.0.self_attn.q_proj.bias", &[32], |i| i));
    let model = open(json!({}), &tensors);
    let expected: Vec<f32> = [0, 16]
        .into_iter()
        .flat_map(|head| (0..8).flat_map(move |i| [head + i, head + i + 8]))
        .map(|row| row as f32)
        .collect();
    assert_eq!(found(&model, "blk.0.attn_q.bias"), (vec![32], expected));
}

#[test]
fn norms_get_the_one_that_is_added_to_them() {
    let weights =
        [counted("model.norm.weight", &[3], |i| i), counted("model.layers.0.self_attn.q_norm.weight", &[2], |i| -i)];
    let model = open(json!({ "model_type": "gemma3_text", "sliding_window": 8 }), &weights);
    assert_eq!(found(&model, "output_norm.weight"), (vec![3], vec![1.0, 2.0, 3.0]));
    assert_eq!(found(&model, "blk.0.attn_q_norm.weight"), (vec![2], vec![1.0, 0.0]));
}

#[test]
fn experts_are_stacked_by_their_numbers_wherever_they_lie() {
    let expert = |index: u64| {
        counted(&format!("model.layers.0.mlp.experts.{index}.up_proj.weight"), &[2, 3], move |i| {
            i + 100.0 * index as f32
        })
    };
    let model = open(json!({ "model_type": "qwen3_moe" }), &[expert(1), expert(2), expert(0)]);
    let expected = [0.0, 100.0, 200.0].into_iter().flat_map(|first| (0..6).map(move |i| first + i as f32)).collect();
    assert_eq!(found(&model, "blk.0.ffn_up_exps.weight"), (vec![3, 2, 3], expected));
}

#[test]
fn gates_are_split_from_what_they_gate() {
    let fused = [counted("model.layers.0.block_sparse_moe.input_linear.weight", &[2, 4, 3], |i| i)];
    let model = open(json!({ "model_type": "granitemoe" }), &fused);
    let half = |first: usize| (0..2).flat_map(|expert| (0..6).map(move |i| (expert * 12 + first + i) as f32)).collect();
    assert_eq!(found(&model, "blk.0.ffn_gate_exps.weight"), (vec![3, 2, 2], half(0)));
    assert_eq!(found(&model, "blk.0.ffn_up_exps.weight"), (vec![3, 2, 2], half(6)));
}

#[test]
fn gates_that_alternate_are_split_and_matrices_are_turned() {
    // Two experts, three inputs, four outputs: gate, up, gate, up.
    let fused = [counted("model.layers.0.mlp.experts.gate_up_proj", &[2, 3, 4], |i| i)];
    let model = open(json!({ "model_type": "gpt_oss", "sliding_window": 8 }), &fused);
    let outputs = |first: usize| {
        let input =
            move |expert: usize, output: usize| (0..3).map(move |input| (expert * 12 + input * 4 + output) as f32);
        (0..2).flat_map(|expert| [first, first + 2].into_iter().flat_map(move |output| input(expert, output))).collect()
    };
    assert_eq!(found(&model, "blk.0.ffn_gate_exps.weight"), (vec![3, 2, 2], outputs(0)));
    assert_eq!(found(&model, "blk.0.ffn_up_exps.weight"), (vec![3, 2, 2], outputs(1)));
}

#[test]
fn heads_of_values_go_from_groups_to_rounds() {
    let changes = json!({ "model_type": "qwen3_5_text", "linear_num_key_heads": 2, "linear_num_value_heads": 4,
        "linear_key_head_dim": 2, "linear_value_head_dim": 2 });
    let name = |name: &str| format!("model.layers.0.linear_attn.{name}");
    let weights = [
        counted(&name("in_proj_qkv.weight"), &[16, 1], |i| i),
        counted(&name("conv1d.weight"), &[16, 1, 1], |i| i),
        counted(&name("A_log"), &[4], f32::ln_1p),
        counted(&name("dt_bias"), &[4], |i| i),
        counted(&name("out_proj.weight"), &[2, 8], |i| i),
    ];
    let model = open(changes, &weights);
    // Heads 0 and 1 belong to the first key's head, 2 and 3 to the second.
    assert_eq!(found(&model, "blk.0.ssm_dt.bias").1, [0.0, 2.0, 1.0, 3.0]);
    let decay = found(&model, "blk.0.ssm_a").1;
    assert!(decay.iter().zip([-1.0, -3.0, -2.0, -4.0]).all(|(a, b)| (a - b).abs() < 1e-6), "{decay:?}");
    let rows: Vec<f32> = (0..8).chain([8, 9, 12, 13, 10, 11, 14, 15]).map(|row| row as f32).collect();
    assert_eq!(found(&model, "blk.0.attn_qkv.weight"), (vec![1, 16], rows.clone()));
    assert_eq!(found(&model, "blk.0.ssm_conv1d.weight"), (vec![1, 16], rows));
    let columns = [0, 1, 4, 5, 2, 3, 6, 7].map(|col| col as f32);
    let both = columns.iter().copied().chain(columns.map(|col| col + 8.0)).collect();
    assert_eq!(found(&model, "blk.0.ssm_out.weight"), (vec![8, 2], both));
}

#[test]
fn multipliers_are_folded_into_weights() {
    let changes = json!({ "model_type": "falcon_h1", "mamba_d_ssm": 2, "mamba_n_groups": 1, "mamba_d_state": 1, "mamba_n_heads": 1,
        "ssm_in_multiplier": 0.5, "ssm_multipliers": [1.0, 2.0, 4.0, 8.0, 16.0], "attention_in_multiplier": 2.0, "key_multiplier": 3.0 });
    let weights = [
        counted("model.layers.0.mamba.in_proj.weight", &[7, 2], |_| 1.0),
        counted("model.layers.0.self_attn.k_proj.weight", &[2, 2], |i| i),
    ];
    let model = open(changes, &weights);
    let of_rows = [0.5, 0.5, 1.0, 1.0, 2.0, 4.0, 8.0];
    assert_eq!(
        found(&model, "blk.0.ssm_in.weight").1,
        of_rows.into_iter().flat_map(|factor| [factor, factor]).collect::<Vec<f32>>()
    );
    assert_eq!(found(&model, "blk.0.attn_k.weight").1, [0.0, 6.0, 12.0, 18.0]);
}

#[test]
fn positions_of_padding_are_cut_off() {
    let weights = [counted("roberta.embeddings.position_embeddings.weight", &[5, 2], |i| i)];
    let model = open(json!({ "model_type": "xlm-roberta", "pad_token_id": 1, "max_position_embeddings": 5 }), &weights);
    assert_eq!(found(&model, "position_embd.weight"), (vec![2, 3], (4..10).map(|i| i as f32).collect()));
    assert_eq!(model.gguf.metadata.u32("bert.context_length"), Ok(3));
}

#[test]
fn tables_get_rows_for_tokens_that_are_no_text() {
    let weights = [counted("model.embed_tokens.weight", &[2, 2], |i| i + 1.0)];
    let model = open(json!({ "model_type": "gemma3n_text", "vocab_size": 3 }), &weights);
    assert_eq!(found(&model, "token_embd.weight"), (vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 0.0, 0.0]));
}

#[test]
fn weights_are_rounded_to_three_values_when_the_model_rounds_as_it_runs() {
    let weights = [stored(
        "model.layers.0.mlp.up_proj.weight",
        "F32",
        &[1, 4],
        [0.1f32, -0.9, 0.5, -0.5].iter().flat_map(|x| x.to_le_bytes()).collect(),
    )];
    let plain = open(json!({ "model_type": "bitnet" }), &weights);
    assert_eq!(found(&plain, "blk.0.ffn_up.weight").1, [0.1, -0.9, 0.5, -0.5]);
    let how = json!({ "quant_method": "bitnet", "quantization_mode": "online" });
    let rounded = open(json!({ "model_type": "bitnet", "quantization_config": how }), &weights);
    assert_eq!(found(&rounded, "blk.0.ffn_up.weight").1, [0.0, -0.5, 0.5, -0.5]);
}
