//! Nothing in a file is dropped in silence: every tensor and every key that changes the computation is used or refused by name.

use inglenook::format::gguf::{Array, Value};
use inglenook::format::quant::{TensorType, WeightType, dequantise, quantise};
use inglenook::model::Model;
use pollster::block_on;

use crate::edit::File;
use crate::{score, unsupported};

/// Architecture and width of the golden models.
const GOLDENS: [&str; 3] = ["llama", "qwen2", "qwen3"];
const HIDDEN: usize = 96;

fn golden(name: &str) -> File {
    File::golden(&format!("models/{name}.gguf"))
}

/// Numbers of a bias, exact in F16 and BF16.
fn bias(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i % 13) as f32 * 0.125 - 0.75).collect()
}

/// What a stage of layer 0 gains by a tensor, at the prompt's last position.
fn gain(name: &str, stage: &str, tensor: &str, ty: WeightType) -> Vec<f32> {
    let [without, with] = [golden(name), golden(name).with_vector(tensor, ty, &bias(HIDDEN))].map(|file| {
        let values = block_on(score(&file).1.tap(stage)).expect("reads").unwrap_or_else(|| panic!("no {stage}"));
        values[39 * HIDDEN..40 * HIDDEN].to_vec()
    });
    with.iter().zip(&without).map(|(with, without)| with - without).collect()
}

#[test]
fn biases_of_the_output_and_down_projections_are_added_whatever_their_type() {
    let types = [WeightType::F32, WeightType::F16, WeightType::BF16];
    for (name, ty) in GOLDENS.into_iter().zip(types) {
        for (tensor, stage) in
            [("blk.0.attn_output.bias", "layer0.attn_residual"), ("blk.0.ffn_down.bias", "layer0.out")]
        {
            for (found, expected) in gain(name, stage, tensor, ty).iter().zip(bias(HIDDEN)) {
                assert!((found - expected).abs() < 1e-4, "{name} {tensor}: {found}, not {expected}");
            }
        }
    }
}

#[test]
fn a_bias_of_the_head_is_added_to_the_logits() {
    let vocab = golden("llama").tokens().len();
    let biased = golden("llama").with_vector("output.bias", WeightType::F32, &bias(vocab));
    let (without, with) = (score(&golden("llama")).0, score(&biased).0);
    for (at, (without, with)) in without.iter().zip(&with).enumerate() {
        assert!((with - without - bias(vocab)[at % vocab]).abs() < 1e-4);
    }
}

#[test]
fn biases_of_the_gates_change_what_is_gated() {
    for name in GOLDENS {
        let plain = block_on(score(&golden(name)).1.tap("layer0.gated")).unwrap().unwrap();
        for tensor in ["blk.0.ffn_gate.bias", "blk.0.ffn_up.bias"] {
            // Zeros change nothing, and so the bias meets its own row.
            let with = |values: &[f32]| {
                let file = golden(name).with_vector(tensor, WeightType::F32, values);
                block_on(score(&file).1.tap("layer0.gated")).unwrap().unwrap()
            };
            assert_eq!(with(&[0.0; 224]), plain);
            let mut one = [0.0; 224];
            one[100] = 2.0;
            let changed = with(&one);
            let differs = |at: &usize| changed[*at] != plain[*at];
            let places: Vec<usize> = (39 * 224..40 * 224).filter(differs).map(|at| at % 224).collect();
            assert_eq!(places, [100], "{name} {tensor}");
        }
    }
}

#[test]
fn vectors_in_half_precision_are_the_numbers_they_hold() {
    for ty in [WeightType::F16, WeightType::BF16] {
        let (mut half, mut whole) = (golden("qwen2"), golden("qwen2"));
        for at in 0..half.tensors.len() {
            if half.tensors[at].dims.len() > 1 {
                continue;
            }
            let numbers: Vec<f32> = bytemuck::pod_collect_to_vec(&half.tensors[at].data);
            let [mut small, mut large] = [Vec::new(), Vec::new()];
            quantise(ty, &numbers, &mut small).unwrap();
            let mut rounded = vec![0.0; numbers.len()];
            dequantise(ty, &small, &mut rounded).unwrap();
            quantise(WeightType::F32, &rounded, &mut large).unwrap();
            (half.tensors[at].ty, half.tensors[at].data) = (ty.into(), small);
            whole.tensors[at].data = large;
        }
        assert_eq!(score(&half).0, score(&whole).0, "{ty}");
    }
}

/// Without the others, since transformers knows no such model: rows without a bias keep none.
#[test]
fn a_bias_of_the_queries_alone_is_that_with_zeros_for_the_others() {
    let alone = golden("qwen3").with_vector("blk.1.attn_q.bias", WeightType::F32, &bias(192));
    let whole = alone.clone().with_vector("blk.1.attn_k.bias", WeightType::F32, &[0.0; 64]);
    let whole = whole.with_vector("blk.1.attn_v.bias", WeightType::F32, &[0.0; 64]);
    assert_eq!(score(&alone).0, score(&whole).0);
    assert_ne!(score(&alone).0, score(&golden("qwen3")).0);
}

/// One file names the three, and another joins them to one matrix.
#[test]
fn a_fused_projection_is_the_three_it_is_made_of() {
    let mut fused = File::golden("models/qwen2.gguf");
    let apart = fused.clone();
    for layer in 0..3 {
        for (kind, dims) in [("weight", vec![96, 160]), ("bias", vec![160])] {
            let names = ["q", "k", "v"].map(|part| format!("blk.{layer}.attn_{part}.{kind}"));
            let data = names.iter().flat_map(|name| fused.tensor(name).data.clone()).collect();
            fused.tensors.retain(|tensor| !names.contains(&tensor.name));
            fused = fused.with(&format!("blk.{layer}.attn_qkv.{kind}"), &dims, WeightType::F32, data);
        }
    }
    assert_eq!(score(&fused).0, score(&apart).0);
}

#[test]
fn tensors_that_nobody_asks_for_are_refused_by_name() {
    for name in [
        "blk.0.attn_norm.bias",
        "blk.2.post_attention_norm.weight",
        "blk.0.ffn_up.scale",
        "blk.9.ffn_gate.weight",
        "token_embd_norm.weight",
        "output_norm.bias",
        "cls.output.weight",
        "something.new",
    ] {
        for file in [File::ember(), golden("llama"), golden("qwen2")] {
            unsupported(&file.with_floats(name), name);
        }
    }
    // A llama file has no norms of heads.
    unsupported(&golden("llama").with_floats("blk.0.attn_q_norm.weight"), "blk.0.attn_q_norm.weight");
    let many =
        (0..9).fold(golden("llama"), |file, layer| file.with_floats(&format!("blk.{layer}.attn_sub_norm.weight")));
    unsupported(&many, "and 6 more");
}

#[test]
fn tensors_that_change_nothing_are_no_reason_to_refuse() {
    let mut file = File::ember();
    for name in [
        "blk.0.attn_rot_embd.weight",
        "blk.0.ffn_up.input_scale",
        "v.blk.0.attn_q.weight",
        "mm.0.weight",
        "calibration.x",
    ] {
        file = file.with_floats(name);
    }
    let file = file.with("steps", &[1], TensorType::Other(26), vec![5, 0, 0, 0]);
    let file = file.with("v.unknown", &[7], TensorType::Other(1000), vec![]);
    assert!(Model::check(&file.header()).is_ok());
    assert_eq!(score(&file).0, score(&File::ember()).0);
}

fn key(name: &str) -> String {
    format!("qwen3.{name}")
}

#[test]
fn keys_that_change_the_computation_are_refused_by_name() {
    let floats = |values: &[f32]| Value::Array(Array::F32(values.to_vec()));
    let cases: Vec<(&str, Value)> = vec![
        ("expert_count", 8u32.into()),
        ("nextn_predict_layers", 1u32.into()),
        ("use_parallel_residual", true.into()),
        ("logit_scale", 0.0625f32.into()),
        ("embedding_scale", 12f32.into()),
        ("residual_scale", 0.22f32.into()),
        ("attn_logit_softcapping", 50f32.into()),
        ("final_logit_softcapping", 30f32.into()),
        ("attention.scale", 0.015f32.into()),
        ("attention.clamp_kqv", 8f32.into()),
        ("attention.max_alibi_bias", 8f32.into()),
        ("attention.temperature_scale", 0.1f32.into()),
        ("attention.chunk_size", 8192u32.into()),
        ("attention.value_length", 32u32.into()),
        ("attention.kv_lora_rank", 512u32.into()),
        ("rope.dimension_sections", Value::Array(Array::I32(vec![11, 11, 10, 0]))),
        ("rope.freq_base_swa", 1e6f32.into()),
        ("activation_sparsity_scale", floats(&[0.0, 1.6])),
        ("hidden_activation", "tanh".into()),
        ("attention.key_length", Value::Array(Array::U32(vec![64, 32, 64]))),
        ("rope.scaling.type", "su".into()),
    ];
    for (name, value) in cases {
        let named = if name.starts_with("hidden") { "tanh".to_owned() } else { key(name) };
        let named = if name == "rope.scaling.type" { "`su`".to_owned() } else { named };
        unsupported(&File::ember().set(&key(name), value), &named);
    }
}

#[test]
fn keys_of_embedding_models_make_a_model_that_answers_nothing() {
    for (name, value) in [("attention.causal", Value::from(false)), ("pooling_type", 3u32.into())] {
        let config = Model::check(&File::ember().set(&key(name), value).header()).expect("an embedding model");
        assert!(config.check_generates().is_err(), "{name}");
    }
    for (name, value) in
        [("attention.causal", Value::from(0u8)), ("attention.causal", "no".into()), ("pooling_type", 9u32.into())]
    {
        assert!(Model::check(&File::ember().set(&key(name), value).header()).is_err(), "{name}");
    }
}

#[test]
fn keys_with_values_that_change_nothing_pass() {
    let cases: Vec<(&str, Value)> = vec![
        ("attention.causal", true.into()),
        ("pooling_type", 0u32.into()),
        ("expert_count", 0u32.into()),
        ("logit_scale", 1f32.into()),
        ("final_logit_softcapping", 0f32.into()),
        ("rope.dimension_sections", Value::Array(Array::I32(vec![0, 0, 0, 0]))),
        ("attention.sliding_window", 0u32.into()),
        ("attention.sliding_window", 1_000_000u32.into()),
        ("rope.scaling.type", "none".into()),
        ("rope.scaling.factor", 0f32.into()),
        ("vocab_size", 99u32.into()),
        ("a_key_of_tomorrow", "whatever".into()),
    ];
    for (name, value) in cases {
        assert!(Model::check(&File::ember().set(&key(name), value).header()).is_ok(), "{name}");
    }
    let heads = |file: &File| file.header().metadata.u32("qwen3.attention.head_count").unwrap();
    let same = vec![heads(&File::ember()); 3];
    let file = File::ember().set("qwen3.attention.head_count", Value::Array(Array::U32(same)));
    assert_eq!(score(&file).0, score(&File::ember()).0, "what is the same in every layer");
}

#[test]
fn window_of_unknown_layers_is_right_in_contexts_that_fit() {
    use inglenook::device::Device;
    use inglenook::engine::{Engine, EngineOptions};
    use inglenook::source::Memory;

    let bytes = File::ember().set("qwen3.attention.sliding_window", 256u32).bytes();
    let load = |context| {
        let options = EngineOptions { context, ..EngineOptions::default() };
        block_on(Engine::load(Device::Cpu, &Memory(&bytes[..]), &options, &mut |_| true))
    };
    assert!(load(None).expect("the window is the default").info().model.context_length <= 256);
    assert!(load(Some(200)).is_ok());
    let error = load(Some(300)).expect_err("a longer context");
    assert_eq!(error.code(), "Unsupported");
    assert!(error.to_string().contains("256"), "{error}");
}

#[test]
fn window_hides_what_is_behind_it_in_the_layers_that_the_pattern_names() {
    let plain = golden("llama");
    let windowed = plain.clone().set("llama.attention.sliding_window", 2u32);
    let (all, none) = (score(&windowed).0, score(&plain).0);
    assert_ne!(all, none, "every layer of a llama");
    let pattern = |flags: Vec<bool>| {
        score(&windowed.clone().set("llama.attention.sliding_window_pattern", Value::Array(Array::Bool(flags)))).0
    };
    assert_eq!(pattern(vec![false; 3]), none);
    assert_eq!(pattern(vec![true; 3]), all);
    let one = pattern(vec![true, false, false]);
    assert!(one != all && one != none);
    let file = windowed.set("llama.attention.sliding_window_pattern", "odd");
    let error = Model::check(&file.header()).expect_err("no pattern").to_string();
    assert!(error.contains("sliding_window_pattern"), "{error}");
}

#[test]
fn a_rope_factor_counts_in_every_spelling() {
    let plain = golden("llama").without("rope_freqs.weight");
    let of = |entries: &[(&str, Value)]| {
        let set = |file: File, (name, value): &(&str, Value)| file.set(&format!("llama.rope.{name}"), value.clone());
        score(&entries.iter().fold(plain.clone(), set)).0
    };
    let unscaled = score(&plain).0;
    let linear = of(&[("scaling.type", "linear".into()), ("scaling.factor", 4f32.into())]);
    assert_ne!(linear, unscaled);
    assert_eq!(of(&[("scaling.factor", 4f32.into())]), linear, "llama.cpp's default type");
    assert_eq!(of(&[("scale_linear", 4f32.into())]), linear, "the older key");
    assert_eq!(of(&[("scaling.type", "none".into()), ("scaling.factor", 4f32.into())]), unscaled);
    let yarn = of(&[("scaling.type", "yarn".into()), ("scaling.factor", 4f32.into())]);
    assert!(yarn != linear && yarn != unscaled);
    assert_ne!(of(&[("scaling.attn_factor", 1.2f32.into())]), unscaled);
    assert_ne!(score(&golden("llama")).0, unscaled, "factors as a tensor");
}

#[test]
fn a_magnitude_of_yarn_is_refused_whatever_the_scaling() {
    let key = "llama.rope.scaling.yarn_attn_factor";
    unsupported(&golden("llama").set(key, 1.2f32), key);
    let linear = golden("llama").set("llama.rope.scaling.type", "linear").set("llama.rope.scaling.factor", 4f32);
    unsupported(&linear.set(key, 0.8f32), key);
    assert!(Model::check(&golden("llama").set(key, 1f32).header()).is_ok());
}

#[test]
fn whole_numbers_are_refused_where_they_may_be_permutations_or_maps() {
    for name in ["blk.0.attn_q.perm", "blk.1.ffn_up.g_idx", "output.perm", "token_embd.map", "d2t", "t2d"] {
        let file = golden("llama").with(name, &[2], TensorType::Other(26), vec![0; 8]);
        unsupported(&file, name);
    }
}

#[test]
fn a_window_that_ends_within_a_page_of_the_cache_bounds_the_context() {
    use inglenook::device::Device;

    let file = golden("qwen3").set("qwen3.attention.sliding_window", 33u32);
    let engine = crate::load(&file, Device::Cpu).expect("loads");
    assert_eq!(engine.info().model.context_length, 33);
}
