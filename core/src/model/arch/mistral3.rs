//! Ministral 3 and files of Mistral Small 3.1 and later that say so: as Llama, with queries that grow with their position.

use super::{Architecture, DECODER};
use crate::kernels::rope::{RopeStyle, Temperature};
use crate::model::config::Config;
use crate::model::error::ModelError;
use crate::model::keys::Keys;

/// Ministral 3.
pub const MISTRAL3: Architecture = Architecture {
    name: "mistral3",
    models: "Ministral 3, Mistral Small 3.1 and 3.2, Devstral 2",
    rope: RopeStyle::Interleaved,
    reads: &["attention.temperature_scale"],
    configure,
    ..DECODER
};

fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    let slope = keys.number("attention.temperature_scale")?.unwrap_or(0.0);
    if !slope.is_finite() {
        return Err(ModelError::size("its attention temperature is not a number"));
    }
    let length = config.ropes[0].original_context;
    config.temperature = (slope != 0.0).then_some(Temperature { slope, length });
    Ok(())
}
