//! What a file says of a model's experts.

use super::error::ModelError;
use super::keys::Keys;
use crate::kernels::experts::route::{Gating, MAX_GROUPS, Routing};

/// Sizes of the experts of a layer, and how they are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExpertConfig {
    /// How they are chosen.
    pub routing: Routing,
    /// Width of an expert.
    pub ffn: u32,
    /// Width of what every token goes to beside; 0 for nothing.
    pub shared_ffn: u32,
    /// Columns of what experts work on, where that is a projection of the stream; else 0.
    pub latent: u32,
    /// Layers at the front that have none.
    pub leading_dense: u32,
    /// Of each so many layers the second alone has some; 0 where all have.
    pub period: u32,
}

/// Keys that [`ExpertConfig::read`] reads.
pub const EXPERT_KEYS: &[&str] = &["expert_count"];

impl ExpertConfig {
    /// Reads it; none where a file has no experts. `ffn` is the width of dense layers, which older files have for their experts, too.
    pub(super) fn read(keys: &Keys<'_>, ffn: u32) -> Result<Option<ExpertConfig>, ModelError> {
        let size = |name: &str| Ok::<_, ModelError>(keys.optional(name)?.unwrap_or(0));
        let experts = match size("expert_count")? {
            0 => return Ok(None),
            count @ 1..=4096 => count,
            count => return Err(ModelError::size(format!("it has {count} experts"))),
        };
        let ffn = match size("expert_feed_forward_length")? {
            0 => ffn,
            width => width,
        };
        let shared_ffn = match size("expert_shared_feed_forward_length")? {
            0 => ffn.saturating_mul(size("expert_shared_count")?),
            width => width,
        };
        let config = ExpertConfig {
            routing: Routing {
                experts,
                used: size("expert_used_count")?,
                gating: match size("expert_gating_func")? {
                    0 | 1 => Gating::Softmax,
                    2 => Gating::Sigmoid,
                    3 => Gating::SoftmaxOfChosen,
                    other => return Err(ModelError::feature(format!("experts chosen in the way {other}"))),
                },
                normalises: keys.flag("expert_weights_norm")?.unwrap_or(true),
                scale: keys.bound("expert_weights_scale", 0.0)?.unwrap_or(1.0),
                groups: size("expert_group_count")?.max(1),
                groups_used: size("expert_group_used_count")?.max(1),
            },
            ffn,
            shared_ffn,
            latent: size("moe_latent_size")?,
            leading_dense: size("leading_dense_block_count")?,
            period: size("moe_every_n_layers")?,
        };
        config.check()?;
        Ok(Some(config))
    }

    /// Whether layer `index` has experts.
    pub fn are_in(&self, index: u32) -> bool {
        index >= self.leading_dense && (self.period == 0 || index % self.period == 1)
    }

    fn check(&self) -> Result<(), ModelError> {
        let Routing { experts, used, groups, groups_used, .. } = self.routing;
        if used == 0 || used > experts {
            return Err(ModelError::size(format!("a token goes to {used} of {experts} experts")));
        }
        let of_groups = experts.checked_div(groups).unwrap_or(0).saturating_mul(groups_used);
        if groups > MAX_GROUPS || !experts.is_multiple_of(groups) || groups_used > groups || used > of_groups {
            return Err(ModelError::size(format!(
                "{used} of {experts} experts are chosen from {groups_used} of {groups} groups"
            )));
        }
        for width in [self.ffn, self.shared_ffn, self.latent] {
            if width > 1 << 18 || !width.is_multiple_of(32) {
                return Err(ModelError::feature(format!("experts of {width} columns, no multiple of 32")));
            }
        }
        if self.ffn == 0 {
            return Err(ModelError::size("its experts have no columns"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inglenook_format::gguf::{Metadata, Value};

    fn read(entries: &[(&str, Value)]) -> Result<Option<ExpertConfig>, ModelError> {
        let base = [("expert_count", 8u32.into()), ("expert_used_count", 2u32.into())];
        let mut all: Vec<(String, Value)> = Vec::new();
        for (key, value) in base.iter().chain(entries) {
            let key = format!("x.{key}");
            all.retain(|(known, _)| *known != key);
            all.push((key, value.clone()));
        }
        ExpertConfig::read(&Keys { meta: &Metadata::new(all).unwrap(), prefix: "x" }, 96)
    }

    #[test]
    fn experts_of_old_files_have_the_width_of_dense_layers() {
        let config = read(&[]).unwrap().unwrap();
        assert_eq!((config.ffn, config.shared_ffn, config.routing.normalises), (96, 0, true));
        let config = read(&[("expert_feed_forward_length", 64u32.into()), ("expert_shared_count", 2u32.into())]);
        assert_eq!(config.unwrap().map(|config| (config.ffn, config.shared_ffn)), Some((64, 128)));
        assert_eq!(read(&[("expert_count", 0u32.into())]).unwrap(), None);
    }

    #[test]
    fn experts_that_cannot_be_are_refused() {
        let wrong: [&[(&str, Value)]; 9] = [
            &[("expert_count", 5000u32.into())],
            &[("expert_used_count", 9u32.into())],
            &[("expert_used_count", 0u32.into())],
            &[("expert_group_count", 3u32.into())],
            &[("expert_group_count", 4u32.into()), ("expert_group_used_count", 5u32.into())],
            &[("expert_group_count", 8u32.into()), ("expert_group_used_count", 1u32.into())],
            &[("expert_gating_func", 4u32.into())],
            &[("expert_feed_forward_length", 40u32.into())],
            &[("expert_weights_scale", f32::NAN.into())],
        ];
        for entries in wrong {
            assert!(read(entries).is_err(), "{entries:?}");
        }
    }
}
