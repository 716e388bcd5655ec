//! What a file says of a model's recurrences.

use super::error::ModelError;
use super::keys::Keys;
use super::layer_kind::{ConvKind, RecurrentKind};
use crate::kernels::scan::{ScanRule, ScanShape};

/// Numbers of a key at most: an invocation has so many of a state in registers.
const MAX_KEYS: u32 = 256;

/// The sizes that files have in common.
struct Sizes {
    length: u32,
    inner: u32,
    keys: u32,
    key_heads: u32,
    heads: u32,
}

impl Sizes {
    fn read(keys: &Keys<'_>) -> Result<Sizes, ModelError> {
        let sizes = Sizes {
            length: keys.size("ssm.conv_kernel", 1 << 8)?,
            inner: keys.size("ssm.inner_size", 1 << 16)?,
            keys: keys.size("ssm.state_size", MAX_KEYS)?,
            key_heads: keys.size("ssm.group_count", 1 << 10)?,
            heads: keys.size("ssm.time_step_rank", 1 << 10)?,
        };
        let Sizes { inner, keys, key_heads, heads, .. } = sizes;
        if !heads.is_multiple_of(key_heads) || !inner.is_multiple_of(heads) {
            return Err(ModelError::size(format!(
                "{heads} heads of {inner} values in all share {key_heads} keys in its recurrences"
            )));
        }
        let channels = inner + 2 * key_heads * keys;
        if !inner.is_multiple_of(32) || !channels.is_multiple_of(8) || !(inner / key_heads).is_multiple_of(4) {
            return Err(ModelError::feature(format!(
                "recurrences of {inner} values in {key_heads} groups and {channels} channels"
            )));
        }
        Ok(sizes)
    }

    /// `columns`: where queries, keys and values are among the channels.
    fn kind(&self, rule: ScanRule, is_tiled: bool, columns: [u32; 3]) -> RecurrentKind {
        let Sizes { length, inner, keys, key_heads, heads } = *self;
        let scan = ScanShape { heads, values: inner / heads, key_heads, keys, is_tiled, rule, columns };
        RecurrentKind { scan, conv: ConvKind { channels: inner + 2 * key_heads * keys, length } }
    }
}

impl RecurrentKind {
    /// A Mamba 2 mixer. Neighbouring heads share keys and queries, which stand behind the values.
    pub(super) fn mamba(keys: &Keys<'_>) -> Result<RecurrentKind, ModelError> {
        let sizes = Sizes::read(keys)?;
        let of_keys = sizes.key_heads * sizes.keys;
        Ok(sizes.kind(ScanRule::Add, false, [sizes.inner + of_keys, sizes.inner, 0]))
    }

    /// A gated delta net. Each so many heads share keys and queries, which stand before the values.
    pub(super) fn delta_net(keys: &Keys<'_>, eps: f32) -> Result<RecurrentKind, ModelError> {
        let sizes = Sizes::read(keys)?;
        let of_keys = sizes.key_heads * sizes.keys;
        if sizes.inner != sizes.keys * sizes.heads {
            return Err(ModelError::feature(format!(
                "delta nets of {} heads with {} values in all and keys of {}",
                sizes.heads, sizes.inner, sizes.keys
            )));
        }
        Ok(sizes.kind(ScanRule::Delta { eps }, true, [0, of_keys, 2 * of_keys]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inglenook_format::gguf::{Metadata, Value};

    fn read(changed: &[(&str, u32)]) -> Result<[RecurrentKind; 2], ModelError> {
        let base =
            [("conv_kernel", 4), ("inner_size", 96), ("state_size", 16), ("group_count", 2), ("time_step_rank", 6)];
        let of = |name| changed.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
        let entries = base.map(|(name, value)| (format!("x.ssm.{name}"), Value::from(of(name).unwrap_or(value))));
        let meta = Metadata::new(entries.into()).unwrap();
        let keys = Keys { meta: &meta, prefix: "x" };
        Ok([RecurrentKind::mamba(&keys)?, RecurrentKind::delta_net(&keys, 1e-6)?])
    }

    #[test]
    fn recurrent_sizes_follow_from_a_files_keys() {
        let [mamba, delta] = read(&[]).unwrap();
        assert_eq!((mamba.scan.values, mamba.conv.channels, mamba.scan.columns), (16, 160, [128, 96, 0]));
        assert_eq!((delta.scan.width(), delta.conv.length, delta.scan.columns), (96, 4, [0, 32, 64]));
        assert_eq!((mamba.scan.key_of(4), delta.scan.key_of(4)), (1, 0));
    }

    #[test]
    fn recurrent_sizes_that_cannot_be_are_refused() {
        for (name, value) in [
            ("inner_size", 97),
            ("inner_size", 0),
            ("inner_size", u32::MAX),
            ("state_size", 257),
            ("group_count", 4),
            ("group_count", 0),
            ("time_step_rank", 5),
            ("conv_kernel", 0),
            ("inner_size", 192),
        ] {
            assert!(read(&[(name, value)]).is_err(), "{name} {value}");
        }
    }
}
