//! The types of elements that safetensors has.

use std::fmt;

/// Type of a tensor's elements, in the format's own names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, missing_docs, reason = "each variant is the type that it is named after")]
pub enum Dtype {
    BOOL,
    F4,
    F6_E2M3,
    F6_E3M2,
    U8,
    I8,
    F8_E5M2,
    F8_E4M3,
    F8_E8M0,
    I16,
    U16,
    F16,
    BF16,
    I32,
    U32,
    F32,
    F64,
    I64,
    U64,
    C64,
}

/// Each type with its name in a file and its bits.
const FACTS: [(Dtype, &str, u64); 20] = [
    (Dtype::BOOL, "BOOL", 8),
    (Dtype::F4, "F4", 4),
    (Dtype::F6_E2M3, "F6_E2M3", 6),
    (Dtype::F6_E3M2, "F6_E3M2", 6),
    (Dtype::U8, "U8", 8),
    (Dtype::I8, "I8", 8),
    (Dtype::F8_E5M2, "F8_E5M2", 8),
    (Dtype::F8_E4M3, "F8_E4M3", 8),
    (Dtype::F8_E8M0, "F8_E8M0", 8),
    (Dtype::I16, "I16", 16),
    (Dtype::U16, "U16", 16),
    (Dtype::F16, "F16", 16),
    (Dtype::BF16, "BF16", 16),
    (Dtype::I32, "I32", 32),
    (Dtype::U32, "U32", 32),
    (Dtype::F32, "F32", 32),
    (Dtype::F64, "F64", 64),
    (Dtype::I64, "I64", 64),
    (Dtype::U64, "U64", 64),
    (Dtype::C64, "C64", 64),
];

impl Dtype {
    /// The type of that name.
    pub fn from_name(name: &str) -> Option<Dtype> {
        FACTS.iter().find(|(_, known, _)| *known == name).map(|(dtype, ..)| *dtype)
    }

    /// Its name in a file.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// Bits of an element.
    pub fn bits(self) -> u64 {
        self.facts().1
    }

    fn facts(self) -> (&'static str, u64) {
        FACTS.iter().find(|(dtype, ..)| *dtype == self).map_or(("", 0), |(_, name, bits)| (*name, *bits))
    }

    /// Bytes of so many elements, where they are whole bytes and 64 bits can count them.
    pub fn bytes(self, elements: u64) -> Option<u64> {
        let bits = elements.checked_mul(self.bits())?;
        bits.is_multiple_of(8).then_some(bits / 8)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_types() {
        for (dtype, name, bits) in FACTS {
            assert_eq!((Dtype::from_name(name), dtype.name(), dtype.bits()), (Some(dtype), name, bits));
        }
        assert_eq!(Dtype::from_name("f32"), None);
        assert_eq!((Dtype::F4.bytes(6), Dtype::F4.bytes(5), Dtype::F64.bytes(1 << 60)), (Some(3), None, None));
    }
}
