//! Types that matrices can be converted to.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use inglenook::format::quant::mix::{MIXES, Mix};

/// Reads the name of a mix, in capitals or not.
pub fn mix_parser() -> impl TypedValueParser<Value = &'static Mix> {
    let names = MIXES.iter().map(|mix| &*mix.name.to_lowercase().leak());
    PossibleValuesParser::new(names).map(|name| Mix::by_name(&name).unwrap_or(&MIXES[0]))
}
