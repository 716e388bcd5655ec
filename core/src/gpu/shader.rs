//! A kernel's source as the facade sees it: text, constants, bindings.

/// How a kernel uses one of its storage bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// `var<storage, read>`.
    Read,
    /// `var<storage, read_write>`.
    Write,
}

/// Language extensions a shader's text relies on; backends write the `enable` lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RequiredFeatures {
    /// f16 arithmetic.
    pub f16: bool,
    /// Subgroup operations.
    pub subgroups: bool,
}

/// A compute shader ready to be compiled. Equal shaders share one pipeline: every field takes part in the comparison,
/// so there is no cache key that could be incomplete.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shader {
    /// The kernel's name, for labels and error messages.
    pub name: &'static str,
    /// WGSL without `enable` lines. The entry point is `main`.
    pub text: String,
    /// `override` constants. Values are whole numbers or f32s kept as their f64 bits.
    constants: Vec<(&'static str, u64)>,
    /// Access of each binding of group 0, in order.
    pub bindings: Vec<Access>,
    /// Extensions used.
    pub needs: RequiredFeatures,
}

impl Shader {
    /// A shader from its parts; `constants` are the values of the text's `override` declarations.
    pub fn new(
        name: &'static str,
        text: String,
        constants: &[(&'static str, f64)],
        bindings: Vec<Access>,
        needs: RequiredFeatures,
    ) -> Shader {
        let constants = constants.iter().map(|(key, value)| (*key, value.to_bits())).collect();
        Shader { name, text, constants, bindings, needs }
    }

    /// Values of the `override` constants.
    pub fn constants(&self) -> Vec<(&'static str, f64)> {
        self.constants.iter().map(|(key, bits)| (*key, f64::from_bits(*bits))).collect()
    }

    /// The text with the `enable` lines in front. naga rejects `enable subgroups;` and browsers require it.
    pub fn wgsl(&self, browser: bool) -> String {
        let f16 = if self.needs.f16 { "enable f16;\n" } else { "" };
        let subgroups = if self.needs.subgroups && browser { "enable subgroups;\n" } else { "" };
        format!("{f16}{subgroups}{}", self.text)
    }
}
