//! Typed access to a file's metadata.

use std::borrow::Cow;

use super::error::GgufError;
use super::names::NameIndex;
use super::value::{Array, Strings, Value};

/// A file's metadata: values by key, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    entries: Vec<(String, Value)>,
    index: NameIndex,
}

impl Metadata {
    /// Takes entries in file order.
    ///
    /// # Errors
    /// [`GgufError::DuplicateKey`].
    pub fn new(entries: Vec<(String, Value)>) -> Result<Self, GgufError> {
        match NameIndex::new(&entries, |entry| &entry.0) {
            Ok(index) => Ok(Metadata { entries, index }),
            Err(twice) => Err(GgufError::DuplicateKey { key: entries[twice].0.clone() }),
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All entries, in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The value of `key`, of whatever type.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.index.find(&self.entries, key, |entry| &entry.0).map(|at| &self.entries[at].1)
    }

    /// The integer of `key`, or `None` where the key is missing; an integer of another width counts where it fits.
    ///
    /// # Errors
    /// [`GgufError::WrongType`], [`GgufError::OutOfRange`].
    pub fn opt_integer<T: TryFrom<i128>>(&self, key: &str, wanted: &'static str) -> Result<Option<T>, GgufError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let integer = value.as_integer().ok_or_else(|| wrong_type(key, value, wanted))?;
        T::try_from(integer).map(Some).map_err(|_| GgufError::OutOfRange { key: key.to_owned(), value: integer })
    }

    fn opt_integers<T: TryFrom<i128>>(&self, key: &str, wanted: &'static str) -> Result<Option<Vec<T>>, GgufError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let Value::Array(array) = value else { return Err(wrong_type(key, value, wanted)) };
        let integers = array.integers().ok_or_else(|| wrong_type(key, value, wanted))?;
        integers
            .map(|value| T::try_from(value).map_err(|_| GgufError::OutOfRange { key: key.to_owned(), value }))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// The `u32` of `key`; see [`Metadata::opt_integer`].
    ///
    /// # Errors
    /// [`GgufError::WrongType`], [`GgufError::OutOfRange`].
    pub fn opt_u32(&self, key: &str) -> Result<Option<u32>, GgufError> {
        self.opt_integer(key, "an integer")
    }

    /// The `u64` of `key`; see [`Metadata::opt_integer`].
    ///
    /// # Errors
    /// [`GgufError::WrongType`], [`GgufError::OutOfRange`].
    pub fn opt_u64(&self, key: &str) -> Result<Option<u64>, GgufError> {
        self.opt_integer(key, "an integer")
    }

    /// The float of `key`, an `f64` rounded to `f32`.
    ///
    /// # Errors
    /// [`GgufError::WrongType`].
    pub fn opt_f32(&self, key: &str) -> Result<Option<f32>, GgufError> {
        match self.get(key) {
            None => Ok(None),
            Some(&Value::F32(value)) => Ok(Some(value)),
            Some(&Value::F64(value)) => Ok(Some(value as f32)),
            Some(other) => Err(wrong_type(key, other, "a float")),
        }
    }

    /// The boolean of `key`.
    ///
    /// # Errors
    /// [`GgufError::WrongType`].
    pub fn opt_bool(&self, key: &str) -> Result<Option<bool>, GgufError> {
        match self.get(key) {
            None => Ok(None),
            Some(&Value::Bool(value)) => Ok(Some(value)),
            Some(other) => Err(wrong_type(key, other, "a boolean")),
        }
    }

    /// The string of `key`.
    ///
    /// # Errors
    /// [`GgufError::WrongType`].
    pub fn opt_str(&self, key: &str) -> Result<Option<&str>, GgufError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(value)) => Ok(Some(value)),
            Some(other) => Err(wrong_type(key, other, "a string")),
        }
    }

    /// The string of `key`, where it is one: for what nothing depends on.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.opt_str(key).ok().flatten()
    }

    /// The number of `key`, of whatever type, where it is one: for what nothing depends on.
    pub fn number(&self, key: &str) -> Option<f64> {
        match self.get(key)? {
            Value::F32(value) => Some(f64::from(*value)),
            Value::F64(value) => Some(*value),
            other => other.as_integer().map(|integer| integer as f64),
        }
    }

    /// The strings of `key`.
    ///
    /// # Errors
    /// [`GgufError::WrongType`].
    pub fn opt_strings(&self, key: &str) -> Result<Option<&Strings>, GgufError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(Array::String(value))) => Ok(Some(value)),
            Some(other) => Err(wrong_type(key, other, "an array of strings")),
        }
    }

    /// The floats of `key`, `f64` rounded to `f32`.
    ///
    /// # Errors
    /// [`GgufError::WrongType`].
    pub fn opt_f32s(&self, key: &str) -> Result<Option<Cow<'_, [f32]>>, GgufError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(Array::F32(values))) => Ok(Some(Cow::Borrowed(values))),
            Some(Value::Array(Array::F64(values))) => {
                Ok(Some(values.iter().map(|&value| value as f32).collect::<Vec<_>>().into()))
            }
            Some(other) => Err(wrong_type(key, other, "an array of floats")),
        }
    }

    /// The integers of `key` as `u32`; other widths count where every element fits.
    ///
    /// # Errors
    /// [`GgufError::WrongType`], [`GgufError::OutOfRange`].
    pub fn opt_u32s(&self, key: &str) -> Result<Option<Cow<'_, [u32]>>, GgufError> {
        match self.get(key) {
            Some(Value::Array(Array::U32(values))) => Ok(Some(Cow::Borrowed(values))),
            _ => Ok(self.opt_integers(key, "an array of integers")?.map(Cow::Owned)),
        }
    }

    /// The integers of `key` as `i32`; other widths count where every element fits.
    ///
    /// # Errors
    /// [`GgufError::WrongType`], [`GgufError::OutOfRange`].
    pub fn opt_i32s(&self, key: &str) -> Result<Option<Cow<'_, [i32]>>, GgufError> {
        match self.get(key) {
            Some(Value::Array(Array::I32(values))) => Ok(Some(Cow::Borrowed(values))),
            _ => Ok(self.opt_integers(key, "an array of integers")?.map(Cow::Owned)),
        }
    }
}

macro_rules! required {
    ($($name:ident, $opt:ident, $ty:ty;)*) => {
        /// The same, where the key must be there.
        impl Metadata {$(
            #[doc = concat!("As [`Metadata::", stringify!($opt), "`].")]
            ///
            /// # Errors
            #[doc = concat!("Those of [`Metadata::", stringify!($opt), "`], and [`GgufError::Missing`].")]
            pub fn $name(&self, key: &str) -> Result<$ty, GgufError> {
                self.$opt(key)?.ok_or_else(|| GgufError::Missing { key: key.to_owned() })
            }
        )*}
    };
}
required! {
    u32, opt_u32, u32;
    u64, opt_u64, u64;
    f32, opt_f32, f32;
    bool, opt_bool, bool;
    str, opt_str, &str;
    strings, opt_strings, &Strings;
    f32s, opt_f32s, Cow<'_, [f32]>;
    u32s, opt_u32s, Cow<'_, [u32]>;
    i32s, opt_i32s, Cow<'_, [i32]>;
}

fn wrong_type(key: &str, found: &Value, wanted: &'static str) -> GgufError {
    GgufError::WrongType { key: key.to_owned(), found: found.type_name(), wanted }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Metadata {
        let entries: Vec<(&str, Value)> = vec![
            ("z.count", 7u64.into()),
            ("a.negative", (-1i8).into()),
            ("name", "ember".into()),
            ("eps", 1e-6f64.into()),
            ("tokens", Strings::from_iter(["x", "y"]).into()),
            ("types", Value::Array(Array::U8(vec![1, 255]))),
            ("mixed", Value::Array(Array::I64(vec![1, -5]))),
        ];
        Metadata::new(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()).unwrap()
    }

    #[test]
    fn integers_count_where_they_fit() {
        let meta = sample();
        assert_eq!(meta.u32("z.count"), Ok(7));
        assert_eq!(meta.u32("a.negative"), Err(GgufError::OutOfRange { key: "a.negative".into(), value: -1 }));
        assert_eq!(meta.i32s("types").unwrap().as_ref(), [1, 255]);
        assert_eq!(meta.i32s("mixed").unwrap().as_ref(), [1, -5]);
        assert_eq!(meta.u32s("mixed"), Err(GgufError::OutOfRange { key: "mixed".into(), value: -5 }));
    }

    #[test]
    fn missing_and_wrong_are_told_apart() {
        let meta = sample();
        assert_eq!(meta.opt_u32("no"), Ok(None));
        assert_eq!(meta.u32("no"), Err(GgufError::Missing { key: "no".into() }));
        let wrong = meta.f32s("tokens").unwrap_err();
        assert_eq!(
            wrong,
            GgufError::WrongType {
                key: "tokens".into(),
                found: "array of string".into(),
                wanted: "an array of floats"
            }
        );
        assert_eq!(meta.f32("eps"), Ok(1e-6));
        assert_eq!(meta.strings("tokens").unwrap().get(1), Some("y"));
    }

    #[test]
    fn file_order_is_kept_and_duplicates_are_refused() {
        let meta = sample();
        assert_eq!(meta.iter().next().map(|(key, _)| key), Some("z.count"));
        let twice =
            vec![("k".to_owned(), Value::U8(1)), ("b".to_owned(), Value::U8(1)), ("k".to_owned(), Value::U8(2))];
        assert_eq!(Metadata::new(twice), Err(GgufError::DuplicateKey { key: "k".into() }));
    }
}
