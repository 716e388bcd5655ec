//! Gemma 4's drafters: a few of its layers, narrower, none of which has keys or values; see `model/assistant.rs`.

use super::gemma4::{GEMMA4, configure_layers};
use super::{Architecture, DECODER};
use crate::model::config::Config;
use crate::model::error::ModelError;
use crate::model::keys::Keys;

/// Drafters of Gemma 4.
pub const GEMMA4_ASSISTANT: Architecture = Architecture {
    name: "gemma4-assistant",
    models: "Gemma 4's drafters (beside the model)",
    windows: GEMMA4.windows,
    reads: &[
        "final_logit_softcapping",
        "rope.freq_base_swa",
        "attention.key_length_swa",
        "attention.shared_kv_layers",
        "embedding_length_per_layer_input",
        "embedding_length_out",
        "nextn_predict_layers",
    ],
    configure,
    decoder: GEMMA4.decoder,
    is_drafter: true,
    ..DECODER
};

fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    configure_layers(config, keys)?;
    config.drafts_for = Some(keys.size("embedding_length_out", 1 << 16)?);
    config.logit_cap = None;
    // It stands where the last keys are, and is rotated as what comes behind them.
    config.ropes.iter_mut().for_each(|rope| rope.shift = 1);
    config.attentions_mut().for_each(|kind| {
        // Of another model: which layer it is, that one knows.
        kind.cache_of = Some(0);
        // It sees as far from there as a window is long, both ends included.
        kind.lifetime.window = kind.lifetime.window.map(|window| window + 1);
    });
    Ok(())
}
