//! Rotation angles: what a file says of them, and the table that kernels read.
//!
//! WGSL promises little of `sin` far from zero, so angles are computed here in f64. A table for every position would
//! grow with the context; instead there is one for positions 0..256 and one for multiples of 256, and the kernel
//! multiplies the two as complex numbers.

use super::error::ModelError;
use super::keys::Keys;
use crate::kernels::rope::RopeStyle;

/// Positions covered by the fine table.
pub const FINE: u32 = 256;

/// Tensors whose elements divide the frequencies: Llama 3.x's, and LongRoPE's for contexts beyond the original one and within.
pub const FACTORS: &str = "rope_freqs.weight";
/// See [`FACTORS`].
pub const LONG_FACTORS: &str = "rope_factors_long.weight";
/// See [`FACTORS`].
pub const SHORT_FACTORS: &str = "rope_factors_short.weight";

/// How queries and keys are rotated.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// The base of the frequencies.
    pub base: f32,
    /// Dimensions of a head that are rotated; even.
    pub dims: u32,
    /// Which dimensions form a pair.
    pub style: RopeStyle,
    /// How frequencies are stretched.
    pub scaling: Scaling,
    /// Cosines and sines are multiplied by this, beside what [`Scaling::Yarn`] asks for.
    pub attention_factor: f32,
    /// Tokens of context before it was extended.
    pub original_context: u32,
    /// Whether a tensor of factors, where there is one, divides these frequencies.
    pub has_factors: bool,
    /// What is added to each position.
    pub shift: u32,
}

/// How a context is extended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scaling {
    /// Not at all, or by a tensor of factors alone.
    None,
    /// The base grows by a power of this, so that the lowest frequency is divided by it and the highest kept (NTK-aware).
    Ntk(f32),
    /// As [`Scaling::Ntk`], and no further than a context beyond the original one needs.
    DynamicNtk(f32),
    /// All frequencies are divided by this.
    Linear(f32),
    /// Low frequencies are divided, high ones kept (Peng et al., 2023).
    Yarn(Yarn),
    /// By [`LONG_FACTORS`] and [`SHORT_FACTORS`] (Ding et al., 2024).
    LongRope,
}

/// The constants of YaRN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Yarn {
    /// What low frequencies are divided by.
    pub factor: f32,
    /// Pairs that make more turns than this within the original context keep their frequency.
    pub beta_fast: f32,
    /// Pairs that make fewer turns than this are divided whole.
    pub beta_slow: f32,
    /// `mscale_all_dim` of transformers, or 0.
    pub log_multiplier: f32,
    /// Whether the pairs between which frequencies go over are whole numbers.
    pub rounds: bool,
}

impl Rope {
    /// Reads it. A factor without a type means linear scaling, as in llama.cpp, and so does the older key `rope.scale_linear`.
    pub(super) fn read(keys: &Keys<'_>, style: RopeStyle, head_dim: u32, context: u32) -> Result<Rope, ModelError> {
        let rope = Rope {
            base: keys.number("rope.freq_base")?.unwrap_or(10_000.0),
            dims: keys.optional("rope.dimension_count")?.unwrap_or(head_dim),
            style,
            scaling: scaling(keys)?,
            attention_factor: match keys.number("rope.scaling.attn_factor")? {
                None | Some(0.0) => 1.0,
                Some(factor) => factor,
            },
            original_context: match keys.optional("rope.scaling.original_context_length")? {
                None | Some(0) => context,
                Some(original) => original,
            },
            has_factors: true,
            shift: 0,
        };
        rope.check(keys, head_dim)?;
        Ok(rope)
    }

    fn check(&self, keys: &Keys<'_>, head_dim: u32) -> Result<(), ModelError> {
        let dims = self.dims;
        if dims == 0 || dims > head_dim || !dims.is_multiple_of(2) {
            return Err(ModelError::size(format!("{dims} of {head_dim} dimensions are rotated")));
        }
        let sane = |value: f32| value.is_finite() && value > 0.0;
        let scaling = match self.scaling {
            Scaling::None | Scaling::LongRope => true,
            Scaling::Linear(factor) => sane(factor),
            Scaling::Ntk(factor) | Scaling::DynamicNtk(factor) => sane(factor) && factor >= 1.0 && dims > 2,
            Scaling::Yarn(Yarn { factor, beta_fast, beta_slow, log_multiplier, .. }) => {
                sane(factor) && sane(beta_fast) && sane(beta_slow) && log_multiplier.is_finite() && self.base > 1.0
            }
        };
        if !scaling || !sane(self.base) || !sane(self.attention_factor) {
            return Err(ModelError::size("its RoPE constants are not positive numbers"));
        }
        let derived = match self.scaling {
            Scaling::Yarn(_) => self.magnitude() / f64::from(self.attention_factor),
            _ => 1.0,
        };
        let what = "a magnitude of its own for rotated queries and keys";
        keys.refuse("rope.scaling.yarn_attn_factor", what, &[0.0, 1.0, -1.0, derived])
    }

    /// Which tensor holds factors, for a model that runs with so much context, if one does: [`FACTORS`] before the others.
    pub fn factors(&self, has: impl Fn(&str) -> bool, context: u32) -> Option<&'static str> {
        if !self.has_factors {
            return None;
        }
        if has(FACTORS) {
            return Some(FACTORS);
        }
        let longer = context > self.original_context;
        let wanted = self.scaling == Scaling::LongRope || has(LONG_FACTORS) || has(SHORT_FACTORS);
        wanted.then_some(if longer { LONG_FACTORS } else { SHORT_FACTORS })
    }

    /// Radians a position for each pair in a model that runs with so much context: `base^(-2i/dims)`, scaled and divided by
    /// `factors[i]` where there are some.
    pub fn frequencies(&self, factors: &[f32], context: u32) -> Vec<f64> {
        let (base, dims) = (self.stretched_base(context), f64::from(self.dims));
        let kept = (0..self.dims / 2).map(|pair| {
            let plain = base.powf(-2.0 * f64::from(pair) / dims);
            plain / f64::from(factors.get(pair as usize).copied().unwrap_or(1.0))
        });
        match self.scaling {
            Scaling::None | Scaling::LongRope | Scaling::Ntk(_) | Scaling::DynamicNtk(_) => kept.collect(),
            Scaling::Linear(factor) => kept.map(|frequency| frequency / f64::from(factor)).collect(),
            Scaling::Yarn(yarn) => {
                let (low, high) = self.ramp(&yarn);
                let divided = |pair: usize| ((pair as f64 - low) / (high - low).max(0.001)).clamp(0.0, 1.0);
                let scale = |share: f64| 1.0 - share + share / f64::from(yarn.factor);
                kept.enumerate().map(|(pair, frequency)| frequency * scale(divided(pair))).collect()
            }
        }
    }

    /// The base, grown where the scaling asks for it. transformers computes [`Scaling::DynamicNtk`] anew as a sequence grows and leaves
    /// the keys that it has as they were; here all positions are rotated alike, as for a sequence of the whole context.
    fn stretched_base(&self, context: u32) -> f64 {
        let dims = f64::from(self.dims);
        let stretch = match self.scaling {
            Scaling::Ntk(factor) => f64::from(factor),
            Scaling::DynamicNtk(factor) => {
                let longer = f64::from(context.max(self.original_context)) / f64::from(self.original_context);
                f64::from(factor) * longer - (f64::from(factor) - 1.0)
            }
            _ => 1.0,
        };
        f64::from(self.base) * stretch.powf(dims / (dims - 2.0).max(1.0))
    }

    /// The pairs between which frequencies go over from kept to divided.
    fn ramp(&self, yarn: &Yarn) -> (f64, f64) {
        let dims = f64::from(self.dims);
        let pair_of = |turns: f32| {
            let wavelength = f64::from(self.original_context) / (f64::from(turns) * std::f64::consts::TAU);
            dims * wavelength.ln() / (2.0 * f64::from(self.base).ln())
        };
        let (low, high) = (pair_of(yarn.beta_fast), pair_of(yarn.beta_slow));
        let (low, high) = if yarn.rounds { (low.floor(), high.ceil()) } else { (low, high) };
        (low.max(0.0), high.min(dims - 1.0))
    }

    /// What cosines and sines are multiplied by.
    pub fn magnitude(&self) -> f64 {
        let yarn = match self.scaling {
            Scaling::Yarn(Yarn { factor, log_multiplier, .. }) => {
                let of = |multiplier: f32| match factor > 1.0 {
                    true => 0.1 * f64::from(multiplier) * f64::from(factor).ln() + 1.0,
                    false => 1.0,
                };
                of(1.0) / of(log_multiplier)
            }
            _ => 1.0,
        };
        yarn * f64::from(self.attention_factor)
    }

    /// `[FINE + ceil(context / FINE), dims / 2]` pairs (cos, sin): first the fine rows, then the coarse ones, which carry the
    /// magnitude.
    pub fn table(&self, factors: &[f32], context: u32) -> Vec<f32> {
        let (frequencies, magnitude) = (self.frequencies(factors, context), self.magnitude());
        let fine = (0..FINE).map(|position| (f64::from(position + self.shift), 1.0));
        let coarse = (0..context.div_ceil(FINE)).map(|row| (f64::from(row) * f64::from(FINE), magnitude));
        fine.chain(coarse)
            .flat_map(|(position, size)| frequencies.iter().map(move |frequency| (position * frequency, size)))
            .flat_map(|(angle, size)| [(size * angle.cos()) as f32, (size * angle.sin()) as f32])
            .collect()
    }

    /// Numbers of [`Rope::table`].
    pub fn table_len(&self, context: u32) -> u64 {
        u64::from(FINE + context.div_ceil(FINE)) * u64::from(self.dims)
    }
}

fn scaling(keys: &Keys<'_>) -> Result<Scaling, ModelError> {
    let factor = match keys.number("rope.scaling.factor")? {
        Some(factor) => Some(factor),
        None => keys.number("rope.scale_linear")?,
    };
    let factor = factor.filter(|factor| *factor != 0.0);
    // Files of Hunyuan models; where the converter has not put it into the base already.
    let alpha = keys.number("rope.scaling.alpha")?.filter(|alpha| ![0.0, 1.0].contains(alpha));
    let or = |name: &str, default: f32| Ok::<f32, ModelError>(keys.number(name)?.unwrap_or(default));
    match keys.text("rope.scaling.type")? {
        None | Some("none" | "dynamic") if alpha.is_some() => Ok(alpha.map_or(Scaling::None, Scaling::Ntk)),
        Some(other) if alpha.is_some() => {
            Err(ModelError::feature(format!("RoPE scaling of the type `{other}` with an `alpha` beside it")))
        }
        Some("dynamic") => Ok(Scaling::DynamicNtk(
            factor.ok_or_else(|| ModelError::feature("RoPE scaling of the type `dynamic` without a factor"))?,
        )),
        None | Some("linear") => Ok(factor.map_or(Scaling::None, Scaling::Linear)),
        Some("none") => Ok(Scaling::None),
        Some("yarn") => Ok(Scaling::Yarn(Yarn {
            factor: factor.ok_or_else(|| ModelError::feature("RoPE scaling of the type `yarn` without a factor"))?,
            beta_fast: or("rope.scaling.yarn_beta_fast", 32.0)?,
            beta_slow: or("rope.scaling.yarn_beta_slow", 1.0)?,
            log_multiplier: or("rope.scaling.yarn_log_multiplier", 0.0)?,
            rounds: true,
        })),
        Some("longrope") if factor.is_none_or(|factor| factor == 1.0) => Ok(Scaling::LongRope),
        Some("longrope") => Err(ModelError::feature("RoPE scaling of the type `longrope` with a factor beside it")),
        Some(other) => Err(ModelError::feature(format!("RoPE scaling of the type `{other}`"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use inglenook_format::gguf::{Metadata, Value};

    const GOLDENS: &str = include_str!("../../../tests/goldens/models/ropes.json");

    fn read(entries: Vec<(String, Value)>) -> Result<Rope, ModelError> {
        let meta = Metadata::new(entries).unwrap();
        Rope::read(&Keys { meta: &meta, prefix: "llama" }, RopeStyle::Interleaved, 32, 1024)
    }

    fn of(entries: &[(&str, Value)]) -> Result<Rope, ModelError> {
        read(entries.iter().map(|(key, value)| (format!("llama.{key}"), value.clone())).collect())
    }

    /// A number of the goldens as a file holds it.
    fn value(json: &Json) -> Value {
        match json {
            Json::String(text) => text.as_str().into(),
            Json::Number(number) if number.is_u64() => (number.as_u64().unwrap() as u32).into(),
            other => (other.as_f64().unwrap() as f32).into(),
        }
    }

    #[test]
    fn every_spelling_of_a_scaling_gives_the_angles_of_transformers() {
        let goldens: Json = serde_json::from_str(GOLDENS).unwrap();
        let cases = goldens["cases"].as_array().unwrap();
        assert!(cases.len() >= 13);
        for case in cases {
            let keys = case["keys"].as_object().unwrap();
            let rope = read(keys.iter().map(|(key, json)| (format!("llama.{key}"), value(json))).collect()).unwrap();
            let tensor = |name: &str| case["tensors"][name].as_array();
            let positions = case["positions"].as_u64().unwrap() as u32;
            let name = rope.factors(|name| tensor(name).is_some(), positions);
            let factors: Vec<f32> =
                name.and_then(tensor).into_iter().flatten().map(|factor| factor.as_f64().unwrap() as f32).collect();
            let expected = case["frequencies"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap());
            for (pair, (found, expected)) in rope.frequencies(&factors, positions).into_iter().zip(expected).enumerate()
            {
                assert!((found / expected - 1.0).abs() < 1e-5, "{keys:?}, pair {pair}: {found}, not {expected}");
            }
            let magnitude = case["magnitude"].as_f64().unwrap();
            assert!((rope.magnitude() - magnitude).abs() < 1e-6, "{keys:?}: {}, not {magnitude}", rope.magnitude());
        }
    }

    #[test]
    fn scalings_that_are_not_understood_are_refused_by_name() {
        let refused = |entries: &[(&str, Value)]| of(entries).unwrap_err();
        for kind in ["ntk", "su", "", "YARN"] {
            let error = refused(&[("rope.scaling.type", kind.into())]);
            assert!(error.is_unsupported() && error.to_string().contains(&format!("`{kind}`")), "{error}");
        }
        let yarn = |key, value: f32| {
            let keys =
                [("rope.scaling.type", "yarn".into()), ("rope.scaling.factor", 4f32.into()), (key, value.into())];
            refused(&keys)
        };
        assert!(yarn("rope.scaling.yarn_attn_factor", 1.7).to_string().contains("llama.rope.scaling.yarn_attn_factor"));
        for kind in ["yarn", "dynamic"] {
            assert!(refused(&[("rope.scaling.type", kind.into())]).is_unsupported(), "{kind} without a factor");
        }
        let alpha = ("rope.scaling.alpha", 50f32.into());
        assert!(refused(&[("rope.scaling.type", "yarn".into()), alpha]).to_string().contains("alpha"));
        for alpha in [0.5, -3.0, f32::NAN, f32::INFINITY] {
            let error = refused(&[("rope.scaling.alpha", alpha.into())]);
            assert!(matches!(error, ModelError::Size { .. }), "{alpha}: {error}");
        }
        for factor in [f32::NAN, -4.0, f32::INFINITY] {
            assert!(matches!(refused(&[("rope.scaling.factor", factor.into())]), ModelError::Size { .. }), "{factor}");
        }
    }

    #[test]
    fn scalings_that_change_nothing_pass() {
        let none: [&[(&str, Value)]; 7] = [
            &[("rope.scaling.alpha", 0f32.into())],
            &[("rope.scaling.alpha", 1f32.into())],
            &[("rope.scaling.type", "none".into()), ("rope.scaling.factor", 8f32.into())],
            &[("rope.scaling.factor", 0f32.into())],
            &[("rope.scale_linear", 0f32.into())],
            &[("rope.scaling.type", "linear".into())],
            &[("rope.scaling.attn_factor", 1f32.into())],
        ];
        for keys in none {
            let rope = of(keys).unwrap();
            assert_eq!((rope.scaling, rope.magnitude()), (Scaling::None, 1.0), "{keys:?}");
        }
        assert_eq!(of(&[("rope.scaling.factor", 4u32.into())]).unwrap().scaling, Scaling::Linear(4.0));
    }

    #[test]
    fn fine_times_coarse_is_the_angle_of_the_position_to_128k_and_beyond() {
        const CONTEXT: u32 = 1 << 20;
        let keys = [("rope.scaling.attn_factor", 1.25f32.into())];
        let rope = Rope { dims: 64, ..of(&keys).unwrap() };
        let (frequencies, table) = (rope.frequencies(&[], CONTEXT), rope.table(&[], CONTEXT));
        assert_eq!(table.len() as u64, rope.table_len(CONTEXT));
        let at = |row: u32, pair: usize| {
            let index = 2 * (row as usize * frequencies.len() + pair);
            (f64::from(table[index]), f64::from(table[index + 1]))
        };
        for position in [0, 255, 256, 31_337, 39_999, 65_535, 131_071, CONTEXT - 1] {
            for (pair, frequency) in frequencies.iter().enumerate() {
                let (c1, s1) = at(position % FINE, pair);
                let (c2, s2) = at(FINE + position / FINE, pair);
                let angle = f64::from(position) * frequency;
                assert!((c1 * c2 - s1 * s2 - 1.25 * angle.cos()).abs() < 4e-7, "cos of pair {pair} at {position}");
                assert!((s1 * c2 + c1 * s2 - 1.25 * angle.sin()).abs() < 4e-7, "sin of pair {pair} at {position}");
            }
        }
    }

    #[test]
    fn dynamic_scaling_keeps_the_frequencies_of_the_original_context() {
        let keys = [("rope.scaling.type", "dynamic".into()), ("rope.scaling.factor", 4f32.into())];
        let (dynamic, plain) = (of(&keys).unwrap(), of(&[]).unwrap());
        assert_eq!(dynamic.frequencies(&[], 1024), plain.frequencies(&[], 1024));
        assert!(dynamic.frequencies(&[], 1025)[15] < plain.frequencies(&[], 1025)[15]);
    }
}
