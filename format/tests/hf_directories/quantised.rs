//! Quantised weights: each form against its own formula, number by number.

use half::{bf16, f16};
use inglenook_format::hf::HfError;
use inglenook_format::quant::{TensorType, WeightType};
use inglenook_format::source::Source;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::files::{Stored, config, directory, stored, tensors, values};

const ROWS: usize = 64;
const COLS: usize = 96;
const GROUP: usize = 32;
const NAME: &str = "model.layers.0.mlp.up_proj";

/// A directory whose up projection is quantised.
fn open(how: Value, weights: Vec<Stored>) -> Result<(TensorType, Vec<f32>), HfError> {
    let mut config = config();
    config["quantization_config"] = how;
    let rest: Vec<Stored> = tensors().into_iter().filter(|(name, ..)| !name.starts_with(NAME)).collect();
    let model = directory(&config, &[rest, weights].concat()).open()?;
    let (ty, whole) = values(&model, "blk.0.ffn_up.weight");
    // Rows that begin in the middle of a word.
    let info = model.gguf.tensor("blk.0.ffn_up.weight").unwrap();
    let mut raw = vec![0; info.bytes as usize];
    pollster::block_on(model.source.read_at(info.offset, &mut raw)).unwrap();
    for (from, len) in [(0, 1), (37, 2001), (1001, 3), (raw.len() / 2 + 11, raw.len() / 3)] {
        let mut cut = vec![0; len];
        pollster::block_on(model.source.read_at(info.offset + from as u64, &mut cut)).unwrap();
        assert_eq!(cut, &raw[from..from + len], "{from}");
    }
    Ok((ty, whole))
}

fn code(row: usize, col: usize) -> u32 {
    ((row * 7 + col * 3 + row * col / 5) % 16) as u32
}

fn scale(row: usize, group: usize) -> f16 {
    f16::from_f32(0.01 + 0.003 * ((row * 5 + group * 11) % 17) as f32)
}

fn zero(row: usize, group: usize) -> u32 {
    ((row + 3 * group) % 15) as u32
}

/// Words of eight numbers of four bits.
fn words(rows: usize, cols: usize, number: impl Fn(usize, usize, usize) -> u32) -> Vec<u8> {
    let word = |row, col| (0..8).fold(0, |word, place| word | number(row, col, place) << (4 * place));
    (0..rows)
        .flat_map(|row| (0..cols).map(move |col| (row, col)))
        .flat_map(|(row, col)| word(row, col).to_le_bytes())
        .collect()
}

fn halves(rows: usize, cols: usize, number: impl Fn(usize, usize) -> f16) -> Vec<u8> {
    (0..rows)
        .flat_map(|row| (0..cols).map(move |col| (row, col)))
        .flat_map(|(row, col)| number(row, col).to_le_bytes())
        .collect()
}

fn expected(number: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    (0..ROWS).flat_map(|row| (0..COLS).map(move |col| (row, col))).map(|(row, col)| number(row, col)).collect()
}

fn by_group(zero_of: impl Fn(usize, usize) -> u32, how: &str, order: &[usize]) -> Vec<Stored> {
    let groups = COLS / GROUP;
    // Where a word of AWQ has each of its outputs.
    let place = |place: usize| if how == "awq" { order[place] } else { place };
    let codes = match how {
        "awq" => words(COLS, ROWS / 8, |col, word, at| code(8 * word + place(at), col)),
        _ => words(COLS / 8, ROWS, |word, row, at| code(row, 8 * word + at)),
    };
    let shape = if how == "awq" { [COLS as u64, ROWS as u64 / 8] } else { [COLS as u64 / 8, ROWS as u64] };
    vec![
        stored(&format!("{NAME}.qweight"), "I32", &shape, codes),
        stored(
            &format!("{NAME}.qzeros"),
            "I32",
            &[groups as u64, ROWS as u64 / 8],
            words(groups, ROWS / 8, |group, word, at| zero_of(8 * word + place(at), group)),
        ),
        stored(
            &format!("{NAME}.scales"),
            "F16",
            &[groups as u64, ROWS as u64],
            halves(groups, ROWS, |group, row| scale(row, group)),
        ),
    ]
}

#[test]
fn gptq_is_q4_0_when_it_is_symmetric() {
    let how = json!({ "quant_method": "gptq", "bits": 4, "group_size": GROUP, "sym": true, "desc_act": false });
    let (ty, found) = open(how, by_group(|_, _| 7, "gptq", &[])).unwrap();
    assert_eq!(ty, WeightType::Q4_0.into());
    let number = |row, col| scale(row, col / GROUP).to_f32() * (code(row, col) as f32 - 8.0);
    assert_eq!(found, expected(number));
}

#[test]
fn gptq_is_f16_when_it_has_zeros_or_an_order() {
    let how = |order: bool| json!({ "quant_method": "gptq", "bits": 4, "group_size": GROUP, "sym": order, "desc_act": order });
    let (ty, found) = open(how(false), by_group(zero, "gptq", &[])).unwrap();
    assert_eq!(ty, WeightType::F16.into());
    let number = |group: usize, row, col| {
        f16::from_f32(scale(row, group).to_f32() * (code(row, col) as f32 - (zero(row, group) + 1) as f32)).to_f32()
    };
    assert_eq!(found, expected(|row, col| number(col / GROUP, row, col)));
    let group_of = |col: usize| (col * 5 + 1) % (COLS / GROUP);
    let order = (0..COLS).flat_map(|col| (group_of(col) as u32).to_le_bytes()).collect();
    let order = stored(&format!("{NAME}.g_idx"), "I32", &[COLS as u64], order);
    let (_, found) = open(how(true), [by_group(zero, "gptq", &[]), vec![order]].concat()).unwrap();
    assert_eq!(found, expected(|row, col| number(group_of(col), row, col)));
}

#[test]
fn awq_is_f16_and_its_words_are_put_in_order() {
    let how = json!({ "quant_method": "awq", "bits": 4, "group_size": GROUP, "zero_point": true });
    let (ty, found) = open(how, by_group(zero, "awq", &[0, 2, 4, 6, 1, 3, 5, 7])).unwrap();
    assert_eq!(ty, WeightType::F16.into());
    let number = |row, col| {
        let group = col / GROUP;
        f16::from_f32(scale(row, group).to_f32() * (code(row, col) as f32 - zero(row, group) as f32)).to_f32()
    };
    assert_eq!(found, expected(number));
}

#[test]
fn packed_integers_are_q4_0_unless_they_have_zeros() {
    let how = json!({ "quant_method": "compressed-tensors", "format": "pack-quantized",
        "config_groups": { "group_0": { "weights": { "num_bits": 4, "group_size": GROUP } } } });
    let groups = COLS / GROUP;
    let weights = vec![
        stored(
            &format!("{NAME}.weight_packed"),
            "I32",
            &[ROWS as u64, COLS as u64 / 8],
            words(ROWS, COLS / 8, |row, word, at| code(row, 8 * word + at)),
        ),
        stored(&format!("{NAME}.weight_scale"), "F16", &[ROWS as u64, groups as u64], halves(ROWS, groups, scale)),
        stored(&format!("{NAME}.weight_shape"), "I64", &[2], vec![0; 16]),
    ];
    let (ty, found) = open(how.clone(), weights.clone()).unwrap();
    assert_eq!(ty, WeightType::Q4_0.into());
    assert_eq!(found, expected(|row, col| scale(row, col / GROUP).to_f32() * (code(row, col) as f32 - 8.0)));
    let zeros = words(ROWS / 8, groups, |word, group, at| zero(8 * word + at, group));
    let zeros = stored(&format!("{NAME}.weight_zero_point"), "I32", &[ROWS as u64 / 8, groups as u64], zeros);
    let (ty, found) = open(how, [weights, vec![zeros]].concat()).unwrap();
    assert_eq!(ty, WeightType::F16.into());
    let number = |row: usize, col: usize| {
        let group = col / GROUP;
        f16::from_f32(scale(row, group).to_f32() * (code(row, col) as f32 - zero(row, group) as f32)).to_f32()
    };
    assert_eq!(found, expected(number));
}

#[test]
fn eight_bit_floats_are_bf16_whatever_shares_a_scale() {
    // Exponents 6 to 8, both signs, all fractions.
    let byte = |row: usize, col: usize| {
        ((row * 13 + col * 5) % 24 + 0x30) as u8 | if col.is_multiple_of(3) { 0x80 } else { 0 }
    };
    let number = |byte: u8| {
        let magnitude = (1.0 + f32::from(byte & 7) / 8.0) * 2.0f32.powi(i32::from(byte >> 3 & 15) - 7);
        if byte & 0x80 == 0 { magnitude } else { -magnitude }
    };
    let bytes: Vec<u8> =
        (0..ROWS).flat_map(|row| (0..COLS).map(move |col| (row, col))).map(|(row, col)| byte(row, col)).collect();
    let weight = stored(&format!("{NAME}.weight"), "F8_E4M3", &[ROWS as u64, COLS as u64], bytes);
    let scales = |count: usize| (0..count).map(|i| 0.5 + i as f32 / 8.0).collect::<Vec<f32>>();
    let check = |ending: &str, shape: &[u64], block: Value, which: &dyn Fn(usize, usize) -> usize| {
        let numbers = scales(shape.iter().product::<u64>() as usize);
        let scale =
            stored(&format!("{NAME}.{ending}"), "F32", shape, numbers.iter().flat_map(|x| x.to_le_bytes()).collect());
        let how = json!({ "quant_method": "fp8", "weight_block_size": block });
        let (ty, found) = open(how, vec![weight.clone(), scale]).unwrap();
        assert_eq!(ty, WeightType::BF16.into());
        let rounded = |row, col| bf16::from_f32(number(byte(row, col)) * numbers[which(row, col)]).to_f32();
        assert_eq!(found, expected(rounded), "{shape:?}");
    };
    check("weight_scale", &[], Value::Null, &|_, _| 0);
    check("weight_scale", &[ROWS as u64, 1], Value::Null, &|row, _| row);
    check("weight_scale_inv", &[2, 3], json!([48, 40]), &|row, col| row / 48 * 3 + col / 40);
}

#[test]
fn two_bits_of_bitnet_are_q4_0() {
    let mut config = config();
    config["model_type"] = json!("bitnet");
    config["quantization_config"] = json!({ "quant_method": "bitnet", "quantization_mode": "offline" });
    let trit = |row: usize, col: usize| ((row * 5 + col * 7 + row * col) % 3) as u8;
    let quarter = ROWS / 4;
    let byte = |row, col| (0..4).fold(0, |byte, part| byte | trit(row + part * quarter, col) << (2 * part));
    let bytes =
        (0..quarter).flat_map(|row| (0..COLS).map(move |col| (row, col))).map(|(row, col)| byte(row, col)).collect();
    let weights = [
        stored(&format!("{NAME}.weight"), "U8", &[quarter as u64, COLS as u64], bytes),
        stored(&format!("{NAME}.weight_scale"), "BF16", &[1], bf16::from_f32(2.0).to_le_bytes().to_vec()),
    ];
    let rest: Vec<Stored> = tensors().into_iter().filter(|(name, ..)| !name.starts_with(NAME)).collect();
    let model = directory(&config, &[rest, weights.to_vec()].concat()).open().unwrap();
    let (ty, found) = values(&model, "blk.0.ffn_up.weight");
    assert_eq!(ty, WeightType::Q4_0.into());
    assert_eq!(found, expected(|row, col| (f32::from(trit(row, col)) - 1.0) / 2.0));
}

#[test]
fn four_bit_floats_are_blocks_of_gguf_and_gates_are_split_off() {
    let mut config = config();
    config["model_type"] = json!("gpt_oss");
    config["sliding_window"] = json!(16);
    let (experts, rows, blocks) = (2u64, 6u64, 2u64);
    let byte = |expert: u64, row: u64, block: u64, at: u64| (expert * 91 + row * 37 + block * 17 + at * 29) as u8;
    let exponent = |expert: u64, row: u64, block: u64| (100 + expert * 20 + row * 3 + block) as u8;
    let all = |expert| (0..rows).flat_map(move |row| (0..blocks).map(move |block| (expert, row, block)));
    let codes = (0..experts).flat_map(all).flat_map(|(e, r, b)| (0..16).map(move |at| byte(e, r, b, at))).collect();
    let exponents = (0..experts).flat_map(all).map(|(e, r, b)| exponent(e, r, b)).collect();
    let name = "model.layers.0.mlp.experts.gate_up_proj";
    let weights = vec![
        stored(&format!("{name}_blocks"), "U8", &[experts, rows, blocks, 16], codes),
        stored(&format!("{name}_scales"), "U8", &[experts, rows, blocks], exponents),
    ];
    let model = directory(&config, &weights).open().unwrap();
    for (name, first) in [("blk.0.ffn_gate_exps.weight", 0), ("blk.0.ffn_up_exps.weight", 1)] {
        let info = model.gguf.tensor(name).unwrap();
        assert_eq!((&info.dims[..], info.ty.ggml_id()), (&[32 * blocks, rows / 2, experts][..], 39));
        let mut raw = vec![0; info.bytes as usize];
        pollster::block_on(model.source.read_at(info.offset, &mut raw)).unwrap();
        let mut found = raw.chunks_exact(17);
        for (e, r, b) in (0..experts).flat_map(all).filter(|(_, row, _)| row % 2 == first) {
            let block = found.next().unwrap();
            assert_eq!(block[0], exponent(e, r, b));
            for i in 0..32u64 {
                let neighbours = byte(e, r, b, i / 2) >> (4 * (i % 2)) & 15;
                let apart = block[1 + (i % 16) as usize] >> (4 * (i / 16)) & 15;
                assert_eq!(apart, neighbours, "{name}: number {i} of {:?}", (e, r, b));
            }
        }
    }
}

#[test]
fn quantised_weights_are_refused_by_name_when_their_form_is_not_known() {
    let weights = || by_group(zero, "gptq", &[]);
    let unsupported = |how: Value| {
        let error = open(how, weights()).unwrap_err();
        assert!(matches!(error, HfError::Unsupported { .. }), "{error}");
    };
    unsupported(json!({ "quant_method": "hqq", "bits": 4, "group_size": GROUP }));
    unsupported(json!({ "quant_method": "gptq", "bits": 3, "group_size": GROUP }));
    unsupported(json!({ "quant_method": "gptq", "bits": 4 }));
    let how = json!({ "quant_method": "gptq", "bits": 4, "group_size": 48 });
    let groups = open(how, weights()).unwrap_err();
    assert!(matches!(&groups, HfError::Shape { name, .. } if name.ends_with(".scales")), "{groups}");
    let how = json!({ "quant_method": "gptq", "bits": 4, "group_size": GROUP });
    let missing = open(how, weights()[..2].to_vec()).unwrap_err();
    assert_eq!(missing, HfError::MissingTensor { name: format!("{NAME}.scales") });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn weights_are_read_or_refused_whatever_their_shapes_are(
        method in prop::sample::select(vec!["gptq", "awq", "compressed-tensors", "fp8", "bitnet"]),
        group in prop::sample::select(vec![-1i64, 0, 1, 7, 8, 32]),
        flags in any::<[bool; 3]>(),
        parts in prop::collection::vec((
            prop::sample::select(vec![
                (".qweight", "I32"), (".qzeros", "I32"), (".scales", "F16"), (".g_idx", "I32"), (".weight", "F8_E4M3"), (".weight", "U8"),
                (".weight_scale", "F32"), (".weight_scale_inv", "BF16"), (".weight_packed", "I32"), (".weight_zero_point", "I32"), ("_blocks", "U8"),
                ("_scales", "U8"),
            ]),
            prop::collection::vec(prop::sample::select(vec![0u64, 1, 2, 4, 8, 16, 32]), 0..4),
            any::<u8>(),
        ), 1..5),
    ) {
        let mut config = config();
        config["quantization_config"] = json!({ "quant_method": method, "bits": 4, "group_size": group, "sym": flags[0], "desc_act": flags[1],
            "format": "pack-quantized", "weight_block_size": if flags[2] { json!([4, 8]) } else { Value::Null },
            "config_groups": { "group_0": { "weights": { "num_bits": 4 } } } });
        let mut weights: Vec<Stored> = Vec::new();
        for ((ending, dtype), shape, byte) in parts {
            let name = format!("{NAME}{ending}");
            let size = match dtype { "I32" | "F32" => 4, "F16" | "BF16" => 2, _ => 1 };
            if weights.iter().all(|(other, ..)| *other != name) {
                weights.push(stored(&name, dtype, &shape, vec![byte; shape.iter().product::<u64>() as usize * size]));
            }
        }
        if let Ok(model) = directory(&config, &weights).open() {
            let mut whole = vec![0; model.source.len().unwrap() as usize];
            // A zero point that is not what the configuration says is an error here.
            let _ = pollster::block_on(model.source.read_at(0, &mut whole));
        }
    }
}
