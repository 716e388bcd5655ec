//! Sliding windows: how far layers see back, as files say it.

use super::error::ModelError;
use super::keys::Keys;
use inglenook_format::gguf::{Array, Value};

/// Which layers of an architecture have the window of a file that does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WindowPattern {
    /// All of them.
    All,
    /// Of each so many all but the last.
    Every(u32),
    /// Of each so many all but the first, also where the file says how many.
    AfterFirst(u32),
    /// transformers leaves the first layers without, and no key says how many.
    Unknown,
}

/// The windows of a model's layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Windows {
    /// Positions that a token sees in each layer, its own included; none where it sees all.
    pub layers: Vec<Option<u32>>,
    /// The context up to which the model is right although the file does not say which layers have a window.
    pub context: Option<u32>,
}

/// Reads `attention.sliding_window`, and `attention.sliding_window_pattern` where there is one. A window as long as the
/// context is none.
pub(super) fn read(keys: &Keys<'_>, default: WindowPattern, layers: u32, context: u32) -> Result<Windows, ModelError> {
    let window = keys.optional("attention.sliding_window")?.filter(|window| (1..context).contains(window));
    let of = |is_windowed: &dyn Fn(u32) -> bool| Windows {
        layers: (0..layers).map(|layer| window.filter(|_| is_windowed(layer))).collect(),
        context: None,
    };
    let name = "attention.sliding_window_pattern";
    let Some(pattern) = keys.meta.get(&keys.key(name)).filter(|_| window.is_some()) else {
        return Ok(match default {
            WindowPattern::All => of(&|_| true),
            WindowPattern::Every(period) => of(&|layer| layer % period != period - 1),
            WindowPattern::AfterFirst(period) => of(&|layer| layer % period != 0),
            WindowPattern::Unknown => Windows { context: window, ..of(&|_| false) },
        });
    };
    let flags: Option<Vec<bool>> = match pattern {
        Value::Array(Array::Bool(flags)) => Some(flags.clone()),
        Value::Array(array) => array.integers().map(|flags| flags.map(|flag| flag != 0).collect()),
        _ => None,
    };
    match (flags, pattern.as_integer()) {
        (Some(flags), _) if flags.len() == layers as usize => Ok(of(&|layer| flags[layer as usize])),
        // Of each so many layers the last is without, or the first; of none, no layer is.
        (None, Some(period @ 0..=0xffff)) => {
            let period = period as u32;
            let all = if matches!(default, WindowPattern::AfterFirst(_)) { 0 } else { period.saturating_sub(1) };
            Ok(of(&|layer| period == 0 || layer % period != all))
        }
        _ => Err(ModelError::size(format!("`{}` is neither a number nor a flag for each layer", keys.key(name)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inglenook_format::gguf::Metadata;

    fn of(default: WindowPattern, entries: &[(&str, Value)]) -> Result<Windows, ModelError> {
        let entries = entries.iter().map(|(key, value)| (format!("x.attention.{key}"), value.clone())).collect();
        let meta = Metadata::new(entries).unwrap();
        read(&Keys { meta: &meta, prefix: "x" }, default, 4, 1024)
    }

    const W: Option<u32> = Some(37);

    #[test]
    fn window_without_a_pattern_is_that_of_the_architectures_layers() {
        let window = ("sliding_window", 37u32.into());
        let all = Windows { layers: vec![W; 4], context: None };
        assert_eq!(of(WindowPattern::All, std::slice::from_ref(&window)).unwrap(), all);
        let unknown = Windows { layers: vec![None; 4], context: W };
        assert_eq!(of(WindowPattern::Unknown, std::slice::from_ref(&window)).unwrap(), unknown);
        let three = Windows { layers: vec![W, W, None, W], context: None };
        assert_eq!(of(WindowPattern::Every(3), &[window]).unwrap(), three);
    }

    #[test]
    fn window_pattern_says_which_layers_have_one() {
        let with = |pattern: Value| {
            let window = ("sliding_window", 37u32.into());
            of(WindowPattern::Unknown, &[window, ("sliding_window_pattern", pattern)]).map(|windows| windows.layers)
        };
        assert_eq!(with(vec![true, false, false, true].into()).unwrap(), [W, None, None, W]);
        assert_eq!(with(vec![0u32, 1, 1, 0].into()).unwrap(), [None, W, W, None]);
        assert_eq!(with(3u32.into()).unwrap(), [W, W, None, W]);
        assert_eq!(with(1u32.into()).unwrap(), [None; 4]);
        assert_eq!(with(0u32.into()).unwrap(), [W; 4]);
        let window = ("sliding_window", 37u32.into());
        let two = [window, ("sliding_window_pattern", 2u32.into())];
        assert_eq!(of(WindowPattern::AfterFirst(3), &two[..1]).unwrap().layers, [None, W, W, None]);
        assert_eq!(of(WindowPattern::AfterFirst(3), &two).unwrap().layers, [None, W, None, W]);
        for wrong in [Value::from("3"), vec![true, false].into(), 1.5f32.into(), (-1i32).into()] {
            assert!(matches!(with(wrong.clone()), Err(ModelError::Size { .. })), "{wrong:?}");
        }
    }

    #[test]
    fn window_as_long_as_the_context_is_none() {
        for window in [0u32, 1024, 4096] {
            let windows = of(WindowPattern::All, &[("sliding_window", window.into())]).unwrap();
            assert_eq!(windows, Windows { layers: vec![None; 4], context: None }, "{window}");
        }
    }
}
