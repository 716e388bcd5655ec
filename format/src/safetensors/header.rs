//! The JSON of a header: parsed with bounds, then checked.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::{EntryProblem, SafetensorsError};
use super::{Dtype, Entry, MAX_DIMS, MAX_NAME, MAX_TENSORS};

/// Parses a header. Offsets still count from the start of the data; `bytes` is what type and shape say.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Entry>, SafetensorsError> {
    let header: Header = serde_json::from_slice(text).map_err(|error| match error.to_string() {
        // The one refusal of the visitor that is not about the text.
        message if message.starts_with(TOO_MANY) => SafetensorsError::TooMany { max: MAX_TENSORS },
        detail => SafetensorsError::Json { detail },
    })?;
    header.0.into_iter().map(|(name, described)| check(name, described)).collect()
}

/// Makes offsets absolute, and checks that tensors follow one another without gaps. Returns where the last one ends.
pub(super) fn place(entries: &mut [Entry], data_start: u64) -> Result<u64, SafetensorsError> {
    let problem = |entry: &Entry, problem| Err(SafetensorsError::Entry { name: entry.name.clone(), problem });
    let mut by_name: Vec<&Entry> = entries.iter().collect();
    by_name.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = by_name.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return problem(pair[0], EntryProblem::Duplicate);
    }
    entries.sort_by_key(|entry| (entry.offset, entry.bytes));
    let mut end = 0;
    for at in 0..entries.len() {
        let (before, entry) = (at.checked_sub(1).map(|before| entries[before].name.clone()), &mut entries[at]);
        if entry.offset < end {
            return problem(entry, EntryProblem::Overlap(before.unwrap_or_default()));
        }
        if entry.offset > end {
            return problem(entry, EntryProblem::Gap(entry.offset - end));
        }
        // Half the range, as elsewhere sizes are signed.
        let next = end.checked_add(entry.bytes).filter(|next| *next <= i64::MAX as u64 - data_start);
        let Some(next) = next else { return problem(entry, EntryProblem::Size) };
        entry.offset += data_start;
        end = next;
    }
    Ok(data_start + end)
}

fn check(name: String, described: Described<'_>) -> Result<Entry, SafetensorsError> {
    let sized = || {
        let dtype = Dtype::from_name(&described.dtype)
            .ok_or_else(|| EntryProblem::Dtype(described.dtype.chars().take(32).collect()))?;
        let elements = described.shape.0.iter().try_fold(1u64, |product, dim| product.checked_mul(*dim));
        let wanted = elements.and_then(|elements| dtype.bytes(elements)).ok_or(EntryProblem::Size)?;
        let [begin, end] = described.data_offsets;
        let found = i128::from(end) - i128::from(begin);
        if found == i128::from(wanted) { Ok((dtype, wanted)) } else { Err(EntryProblem::Bytes { found, wanted }) }
    };
    match sized() {
        Ok((dtype, bytes)) => {
            Ok(Entry { name, dtype, shape: described.shape.0, offset: described.data_offsets[0], bytes })
        }
        Err(problem) => Err(SafetensorsError::Entry { name, problem }),
    }
}

/// The tensors of a header; `__metadata__` says nothing that is needed.
struct Header<'a>(Vec<(String, Described<'a>)>);

/// A tensor as the header describes it.
#[derive(Deserialize)]
struct Described<'a> {
    #[serde(borrow)]
    dtype: Cow<'a, str>,
    shape: Shape,
    data_offsets: [u64; 2],
}

const TOO_MANY: &str = "too many tensors";

impl<'de> Deserialize<'de> for Header<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    if name.len() > MAX_NAME {
                        return Err(A::Error::custom(format_args!("a name of {} bytes", name.len())));
                    }
                    if entries.len() == MAX_TENSORS {
                        return Err(A::Error::custom(TOO_MANY));
                    }
                    entries.push((name, map.next_value()?));
                }
                Ok(Header(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// A shape of at most [`MAX_DIMS`] dimensions.
struct Shape(Vec<u64>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Dims;
        impl<'de> Visitor<'de> for Dims {
            type Value = Shape;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of dimensions")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
                let mut dims = Vec::new();
                while let Some(dim) = seq.next_element()? {
                    if dims.len() == MAX_DIMS {
                        return Err(A::Error::custom(format_args!("a shape of more than {MAX_DIMS} dimensions")));
                    }
                    dims.push(dim);
                }
                Ok(Shape(dims))
            }
        }
        deserializer.deserialize_seq(Dims)
    }
}
