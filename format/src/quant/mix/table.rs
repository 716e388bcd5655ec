//! The mixes.

use super::{Layers, Mix, Rule, When};
use crate::quant::WeightType::{self, *};

/// All mixes, those that keep most first.
pub const MIXES: [Mix; 16] = [
    Mix { name: "F32", file_type: 0, base: F32, rules: &[] },
    Mix { name: "BF16", file_type: 32, base: BF16, rules: &[] },
    Mix { name: "F16", file_type: 1, base: F16, rules: &[] },
    Mix { name: "Q8_0", file_type: 7, base: Q8_0, rules: &[] },
    Mix { name: "Q6_K", file_type: 18, base: Q6_K, rules: &[] },
    Mix { name: "Q5_K_M", file_type: 17, base: Q5_K, rules: MEDIUM },
    Mix { name: "Q5_1", file_type: 9, base: Q5_1, rules: EVEN },
    Mix { name: "Q5_0", file_type: 8, base: Q5_0, rules: EVEN },
    Mix { name: "Q4_K_M", file_type: 15, base: Q4_K, rules: MEDIUM },
    Mix { name: "Q4_1", file_type: 3, base: Q4_1, rules: EVEN },
    Mix { name: "Q4_0", file_type: 2, base: Q4_0, rules: EVEN },
    Mix { name: "IQ4_NL", file_type: 25, base: IQ4_NL, rules: UNEVEN },
    Mix { name: "IQ4_XS", file_type: 30, base: IQ4_XS, rules: UNEVEN },
    Mix {
        name: "MXFP4",
        file_type: 38,
        base: MXFP4,
        rules: &[
            rule(OUTPUT, Q8_0),
            rule(EMBEDDINGS, Q8_0),
            rule(EXPERTS, MXFP4).when(When::Experts),
            rule(ANY, Q8_0).when(When::Experts),
        ],
    },
    Mix {
        name: "Q3_K_M",
        file_type: 12,
        base: Q3_K,
        rules: &[
            rule(OUTPUT, Q6_K),
            rule(EMBEDDINGS, Q6_K).when(When::Tied),
            rule(KEYS_AND_VALUES, Q8_0).when(When::Experts),
            rule(VALUES, Q5_K).in_layers(Layers::FirstSixteenth),
            rule(DOWN, Q5_K).in_layers(Layers::FirstSixteenth),
            rule(VALUES, Q4_K),
            rule(DOWN, Q4_K),
            rule(ATTENTION_OUTPUT, Q4_K),
        ],
    },
    Mix {
        name: "Q2_K",
        file_type: 10,
        base: Q2_K,
        rules: &[
            rule(OUTPUT, Q6_K),
            rule(EMBEDDINGS, Q6_K).when(When::Tied),
            rule(KEYS_AND_VALUES, Q8_0).when(When::Experts),
            rule(VALUES, Q4_K).when(When::FewValues),
            rule(VALUES, Q3_K),
            rule(DOWN, Q3_K),
            rule(ATTENTION_OUTPUT, Q3_K),
        ],
    },
];

const MEDIUM: &[Rule] = &[
    rule(OUTPUT, Q6_K),
    rule(EMBEDDINGS, Q6_K).when(When::Tied),
    rule(KEYS_AND_VALUES, Q8_0).when(When::Experts),
    rule(VALUES, Q6_K).in_layers(Layers::Half),
    rule(DOWN, Q6_K).in_layers(Layers::Half),
];

const EVEN: &[Rule] = &[rule(OUTPUT, Q6_K), rule(EMBEDDINGS, Q6_K).when(When::Tied)];

const UNEVEN: &[Rule] = &[
    rule(OUTPUT, Q6_K),
    rule(EMBEDDINGS, Q6_K).when(When::Tied),
    rule(KEYS_AND_VALUES, Q8_0).when(When::Experts),
    rule(VALUES, Q5_K).when(When::FewValues),
    rule(DOWN, Q5_K).in_layers(Layers::FirstEighth),
];

const OUTPUT: &[&str] = &["output.weight"];
const EMBEDDINGS: &[&str] = &["token_embd.weight", "per_layer_token_embd.weight"];
const KEYS_AND_VALUES: &[&str] = &["attn_k.weight", "attn_v.weight"];
/// Values, or what is made into them.
const VALUES: &[&str] = &["attn_v.weight", "attn_qkv.weight", "attn_kv_b.weight"];
const DOWN: &[&str] = &["ffn_down"];
const EXPERTS: &[&str] = &["ffn_gate_exps", "ffn_up_exps", "ffn_gate_up_exps", "ffn_down_exps"];
const ANY: &[&str] = &[""];
const ATTENTION_OUTPUT: &[&str] = &["attn_output.weight"];

const fn rule(names: &'static [&'static str], ty: WeightType) -> Rule {
    Rule { names, layers: Layers::All, when: When::Always, ty }
}

impl Rule {
    const fn when(self, when: When) -> Rule {
        Rule { when, ..self }
    }

    const fn in_layers(self, layers: Layers) -> Rule {
        Rule { layers, ..self }
    }
}
