//! Names of stored tensors, taken apart.

/// A name without what stands before the layers, as a rule looks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// Number of the layer.
    pub layer: Option<u64>,
    /// Number of the expert, or of the matrix of several that are stacked.
    pub index: Option<u64>,
    /// What is behind the layer's number, with `*` for the expert's: `mlp.experts.*.up_proj.weight`.
    pub rest: String,
}

/// What stands before the names of a text model, longest first.
const PREFIXES: [&str; 12] = [
    "model.language_model.model.",
    "language_model.model.",
    "model.language_model.",
    "model.text_model.",
    "language_model.",
    "text_model.",
    "model.",
    "backbone.",
    "transformer.",
    "roberta.",
    "bert.",
    "distilbert.",
];

/// What stands before a layer's number.
const LAYERS: [&str; 6] = ["layers.", "encoder.layers.", "encoder.layer.", "transformer.layer.", "layer.", "h."];

/// What stands before the number of one of several matrices of a layer or a model.
const STACKS: [&str; 3] = ["experts.", "altup_projections.", "altup_unembed_projections."];

/// What belongs to images or sound, by a part of its name.
const OTHER_SENSES: [&str; 16] = [
    "visual.",
    "vision.",
    "vision_",
    "audio.",
    "audio_",
    "projector.",
    "image_newline",
    "image_",
    "embed_vision.",
    "embed_audio.",
    "patch_embed",
    "patch_merger.",
    "model.connector.",
    "talker.",
    "token2wav.",
    "code2wav.",
];

/// What the format's own converter leaves out of every model: buffers that are computed.
const BUFFERS: [&str; 5] =
    [".attention.masked_bias", ".attention.bias", "rotary_emb.inv_freq", "rotary_pos_emb.inv_freq", "position_ids"];

/// Takes a name apart; `None` for what no text model needs.
pub(super) fn parse(name: &str) -> Option<Name> {
    if OTHER_SENSES.iter().any(|part| name.contains(part)) || BUFFERS.iter().any(|end| name.ends_with(end)) {
        return None;
    }
    let bare = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    let numbered = LAYERS.iter().find_map(|prefix| number(bare.strip_prefix(prefix)?));
    let (layer, rest) = numbered.map_or((None, bare), |(layer, rest)| (Some(layer), rest));
    let stacked = STACKS.iter().find_map(|stack| {
        let begin = rest.find(stack)? + stack.len();
        number(&rest[begin..]).map(|(index, behind)| (index, format!("{}*.{behind}", &rest[..begin])))
    });
    let (index, rest) = stacked.map_or((None, rest.to_owned()), |(index, rest)| (Some(index), rest));
    Some(Name { layer, index, rest })
}

/// A number, and what is behind it and a point.
fn number(text: &str) -> Option<(u64, &str)> {
    let (digits, rest) = text.split_once('.')?;
    let is_number = !digits.is_empty() && digits.len() <= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok().map(|number| (number, rest))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let name = |layer, index, rest: &str| Some(Name { layer, index, rest: rest.into() });
        assert_eq!(parse("model.layers.12.self_attn.q_proj.weight"), name(Some(12), None, "self_attn.q_proj.weight"));
        assert_eq!(parse("model.language_model.embed_tokens.weight"), name(None, None, "embed_tokens.weight"));
        assert_eq!(parse("layers.0.norm.weight"), name(Some(0), None, "norm.weight"));
        let expert = parse("model.layers.3.mlp.experts.17.up_proj.weight");
        assert_eq!(expert, name(Some(3), Some(17), "mlp.experts.*.up_proj.weight"));
        let packed = parse("model.layers.3.mlp.experts.gate_up_proj");
        assert_eq!(packed, name(Some(3), None, "mlp.experts.gate_up_proj"));
        assert_eq!(parse("model.altup_projections.2.weight"), name(None, Some(2), "altup_projections.*.weight"));
        assert_eq!(parse("model.vision_tower.layers.0.q.weight"), None);
        assert_eq!(parse("model.layers.0.self_attn.rotary_emb.inv_freq"), None);
        let huge = "layers.99999999999999999999.x";
        assert_eq!(parse(huge), name(None, None, huge));
    }
}
