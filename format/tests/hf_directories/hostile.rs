//! What can be wrong with a directory, and the error that says so.

use inglenook_format::hf::HfError;
use inglenook_format::safetensors::SafetensorsError;
use inglenook_format::source::Source;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::files::{Files, config, directory, numbers, safetensors, stored, tensors};

fn refused(files: &Files) -> HfError {
    files.open().map(|model| model.gguf).unwrap_err()
}

fn with_key(key: &str, value: Value) -> HfError {
    let mut config = config();
    config[key] = value;
    refused(&directory(&config, &tensors()))
}

#[test]
fn directory_is_read_when_nothing_is_wrong() {
    let model = directory(&config(), &tensors()).open().unwrap();
    assert_eq!(model.gguf.tensors().len(), 11);
    assert_eq!(model.gguf.metadata.u32("llama.rope.dimension_count"), Ok(16));
}

#[test]
fn files_are_named_when_they_are_missing_or_no_json() {
    let missing = |file: &str| HfError::MissingFile { file: file.into() };
    assert_eq!(refused(&Files::default()), missing("config.json"));
    assert_eq!(refused(&Files::default().with("config.json", config().to_string())), missing("model.safetensors"));
    for text in ["", "[]", "{", "\u{feff}{}", "nul"] {
        let error = refused(&Files::default().with("config.json", text));
        assert!(matches!(&error, HfError::Json { file, .. } if file == "config.json"), "{text:?}: {error}");
    }
    let large = refused(&Files::default().with("config.json", vec![b' '; 5 << 20]));
    assert!(matches!(large, HfError::LargeFile { .. }), "{large}");
}

#[test]
fn index_is_refused_when_it_leads_out_of_the_directory_or_lies() {
    let (first, second) = (tensors()[..4].to_vec(), tensors()[4..].to_vec());
    let index = |name: &str, second_file: &str| {
        let map: serde_json::Map<String, Value> = tensors()
            .iter()
            .enumerate()
            .map(|(at, (tensor, ..))| (tensor.clone(), if at < 4 { "a.safetensors" } else { second_file }.into()))
            .chain([(name.to_owned(), "a.safetensors".into())])
            .collect();
        json!({ "weight_map": map }).to_string()
    };
    let files = |index: String| {
        Files::default()
            .with("config.json", config().to_string())
            .with("a.safetensors", safetensors(&first))
            .with("b.safetensors", safetensors(&second))
            .with("model.safetensors.index.json", index)
    };
    assert!(files(index("model.norm.weight", "b.safetensors")).open().is_ok());
    for name in [
        "../b.safetensors",
        "/b.safetensors",
        "x/b.safetensors",
        "..\\b.safetensors",
        "b.bin",
        ".safetensors",
        "C:b.safetensors",
    ] {
        assert_eq!(refused(&files(index("model.norm.weight", name))), HfError::ShardName { file: name.into() });
    }
    let missing = refused(&files(index("model.norm.weight", "c.safetensors")));
    assert_eq!(missing, HfError::MissingFile { file: "c.safetensors".into() });
    let lies = refused(&files(index("another", "b.safetensors")));
    assert_eq!(lies, HfError::NotInShard { tensor: "another".into(), file: "a.safetensors".into() });
    let twice =
        refused(&files(index("model.norm.weight", "b.safetensors")).with("b.safetensors", safetensors(&tensors())));
    assert!(matches!(twice, HfError::DuplicateTensor { .. }), "{twice}");
}

#[test]
fn shard_is_named_when_it_is_cut_off() {
    let whole = safetensors(&tensors());
    for len in [0, 7, 100, whole.len() - 1] {
        let files = Files::default().with("config.json", config().to_string()).with("model.safetensors", &whole[..len]);
        let error = refused(&files);
        let is_truncated = matches!(&error, HfError::Safetensors { file, error: SafetensorsError::Truncated { .. } } if file == "model.safetensors");
        assert!(is_truncated, "{len}: {error}");
    }
}

#[test]
fn configuration_is_refused_when_a_key_is_missing_or_makes_no_sense() {
    assert_eq!(with_key("model_type", json!("rwkv")), HfError::ModelType { model_type: "rwkv".into() });
    assert_eq!(with_key("model_type", json!(null)), HfError::ModelType { model_type: String::new() });
    for key in ["vocab_size", "num_hidden_layers", "num_attention_heads", "hidden_size"] {
        let missing = with_key(key, json!(null));
        assert_eq!(missing, HfError::MissingKey { key: key.into() });
        for value in [json!("8"), json!(-1), json!(2.5), json!([1]), json!(1u64 << 40)] {
            let error = with_key(key, value.clone());
            assert!(matches!(&error, HfError::BadValue { key: found, .. } if found == key), "{key} = {value}: {error}");
        }
    }
    let zero = with_key("num_attention_heads", json!(0));
    assert!(matches!(zero, HfError::BadValue { .. }), "{zero}");
    let kind = with_key("rope_scaling", json!({ "rope_type": "spiral" }));
    assert!(matches!(kind, HfError::Unsupported { .. }), "{kind}");
}

#[test]
fn tensors_are_refused_when_they_do_not_fit_the_configuration() {
    let add = |more| refused(&directory(&config(), &[tensors(), vec![more]].concat()));
    let unknown = |name: &str| HfError::UnknownTensor { name: name.into(), model_type: "llama".into() };
    assert_eq!(add(numbers("model.layers.0.mlp.extra.weight", &[4])), unknown("model.layers.0.mlp.extra.weight"));
    assert_eq!(
        add(numbers("model.layers.1.input_layernorm.weight", &[32])),
        unknown("model.layers.1.input_layernorm.weight")
    );
    let heads = with_key("num_attention_heads", json!(3));
    assert!(matches!(&heads, HfError::Shape { name, .. } if name.contains("q_proj")), "{heads}");
    let expert = |index: u64| numbers(&format!("model.layers.0.block_sparse_moe.experts.{index}.w1.weight"), &[32, 32]);
    let gap = refused(&directory(&config(), &[tensors(), vec![expert(0), expert(2)]].concat()));
    assert!(matches!(&gap, HfError::MissingTensor { name } if name.starts_with("number 1 of")), "{gap}");
    let dtype = add(stored("model.layers.0.mlp.up_proj.bias", "I32", &[64], vec![0; 256]));
    assert!(matches!(dtype, HfError::Unsupported { .. }), "{dtype}");
    let wide = add(numbers("lm_head.weight", &[1, 1, 1, 1, 8]));
    assert!(matches!(wide, HfError::Shape { .. }), "{wide}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn directory_is_read_or_refused_whatever_its_configuration_says(
        model_type in prop::sample::select(vec![
            "llama", "mixtral", "ministral3", "qwen2", "qwen3_moe", "qwen3_5_text", "qwen3_5_moe_text", "gemma2", "gemma3_text",
            "gemma3n_text", "gemma4_text", "phi3", "glm", "glm4", "glm4_moe", "granite", "granitemoe", "granitemoehybrid", "smollm3", "olmo2",
            "cohere", "cohere2", "exaone4", "hunyuan_v1_dense", "seed_oss", "bitnet", "gpt_oss", "lfm2", "lfm2_moe", "nemotron_h",
            "falcon_h1", "bert", "xlm-roberta", "nomic_bert", "modernbert",
        ]),
        keys in prop::collection::vec((
            prop::sample::select(vec![
                "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "hidden_size", "rope_scaling", "rope_parameters",
                "layer_types", "sliding_window", "sliding_window_pattern", "intermediate_size", "mamba_n_groups", "mamba_d_ssm", "mamba_d_state",
                "linear_num_key_heads", "linear_num_value_heads", "linear_value_head_dim", "activation_sparsity_pattern", "layers_block_type",
                "hybrid_override_pattern", "attn_layer_period", "attn_layer_offset", "quantization_config", "num_experts", "n_inner", "pad_token_id",
                "block_multiple_of", "global_head_dim", "per_layer_config", "id2label", "no_rope_layers", "ssm_multipliers", "mlp_multipliers",
            ]),
            prop::sample::select(vec![
                json!(0), json!(1), json!(3), json!(4294967295u32), json!(-1), json!(1e300), json!(0.3), json!("x"), json!(""), json!([]), json!([1, 0]),
                json!(["full_attention"]), json!({}), json!(true), json!("M*-E"), json!({"rope_type": "llama3", "factor": 0.0}),
                json!({"rope_type": "longrope", "long_factor": [1.0], "short_factor": [1.0]}), json!({"rope_type": "dynamic", "alpha": 1e300}),
                json!({"0": {"head_dim": 7}}), json!({"quant_method": "fp8", "weight_block_size": [0, 1]}),
            ]),
        ), 0..6),
        shapes in prop::collection::vec((0usize..11, prop::collection::vec(0u64..5, 0..4)), 0..3),
    ) {
        let mut config = config();
        config["model_type"] = json!(model_type);
        for (key, value) in keys {
            config[key] = value;
        }
        let mut tensors = tensors();
        for (at, shape) in shapes {
            tensors[at] = numbers(&tensors[at].0.clone(), &shape);
        }
        if let Ok(model) = directory(&config, &tensors).open() {
            let mut whole = vec![0; model.source.len().unwrap() as usize];
            pollster::block_on(model.source.read_at(0, &mut whole)).unwrap();
        }
    }
}
