//! Headers of safetensors files that lie: each is refused with an error that names what is wrong.

#![cfg(feature = "hf")]

use inglenook_format::safetensors::{
    Dtype, Entry, EntryProblem, MAX_HEADER, MAX_TENSORS, SafetensorsError, read_header,
};
use inglenook_format::source::{LocalFuture, Memory, Source, SourceError};
use proptest::prelude::*;

fn file(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()
}

fn read(bytes: &[u8]) -> Result<Vec<Entry>, SafetensorsError> {
    pollster::block_on(read_header(&Memory(bytes)))
}

/// The problem of the tensor at fault, and its name.
fn problem(header: &str, data: usize) -> (String, EntryProblem) {
    match read(&file(header, data)) {
        Err(SafetensorsError::Entry { name, problem }) => (name, problem),
        other => panic!("{other:?}"),
    }
}

#[test]
fn header_lists_tensors_in_the_order_of_their_data() {
    let header = r#"{"__metadata__":{"format":"pt"},
        "b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},
        "none":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},
        "a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#;
    let entries = read(&file(header, 16)).unwrap();
    let start = 8 + header.len() as u64;
    let entry = |name: &str, dtype, shape: &[u64], offset, bytes| Entry {
        name: name.into(),
        dtype,
        shape: shape.to_vec(),
        offset: start + offset,
        bytes,
    };
    let expected = [
        entry("a", Dtype::F32, &[], 0, 4),
        entry("none", Dtype::F32, &[0, 7], 4, 0),
        entry("b", Dtype::BF16, &[2, 3], 4, 12),
    ];
    assert_eq!(entries, expected);
    assert_eq!((entries[0].elements(), entries[1].elements()), (1, 0));
}

#[test]
fn tensors_are_refused_when_sizes_disagree() {
    let bytes = problem(r#"{"t":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8);
    assert_eq!(bytes, ("t".into(), EntryProblem::Bytes { found: 8, wanted: 12 }));
    let backwards = problem(r#"{"t":{"dtype":"F32","shape":[3],"data_offsets":[12,0]}}"#, 12);
    assert_eq!(backwards, ("t".into(), EntryProblem::Bytes { found: -12, wanted: 12 }));
    let overflow = problem(r#"{"t":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, 0);
    assert_eq!(overflow, ("t".into(), EntryProblem::Size));
    let dtype = problem(r#"{"t":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}"#, 4);
    assert_eq!(dtype, ("t".into(), EntryProblem::Dtype("F33".into())));
}

#[test]
fn tensors_are_refused_when_their_data_overlaps_or_leaves_gaps() {
    let two = |first: &str, second: &str| {
        format!(
            r#"{{"a":{{"dtype":"U8","shape":[4],"data_offsets":{first}}},"b":{{"dtype":"U8","shape":[4],"data_offsets":{second}}}}}"#
        )
    };
    assert_eq!(problem(&two("[0,4]", "[3,7]"), 7), ("b".into(), EntryProblem::Overlap("a".into())));
    assert_eq!(problem(&two("[0,4]", "[5,9]"), 9), ("b".into(), EntryProblem::Gap(1)));
    assert_eq!(problem(&two("[1,5]", "[5,9]"), 9), ("a".into(), EntryProblem::Gap(1)));
    let far = problem(&two("[0,4]", "[18446744073709551611,18446744073709551615]"), 8);
    assert_eq!(far, ("b".into(), EntryProblem::Gap(u64::MAX - 8)));
    let twice =
        r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#;
    assert_eq!(problem(twice, 2), ("a".into(), EntryProblem::Duplicate));
}

#[test]
fn files_are_refused_when_they_are_cut_off_or_too_long() {
    let whole = file(r#"{"t":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}"#, 9);
    assert!(read(&whole).is_ok());
    for len in 0..whole.len() {
        let error = read(&whole[..len]).unwrap_err();
        assert!(
            matches!(error, SafetensorsError::Truncated { len: found, .. } if found == len as u64),
            "{len}: {error}"
        );
    }
    let trailing = read(&[&whole[..], b"xx"].concat());
    assert_eq!(trailing, Err(SafetensorsError::Trailing { bytes: 2 }));
}

#[test]
fn headers_are_refused_when_they_are_too_long_or_no_json() {
    let long = (MAX_HEADER + 1).to_le_bytes();
    assert_eq!(read(&long), Err(SafetensorsError::Header { bytes: MAX_HEADER + 1, max: MAX_HEADER }));
    let deep = "[".repeat(100_000);
    let shape = format!(r#"{{"t":{{"dtype":"U8","shape":[{}1],"data_offsets":[0,1]}}}}"#, "1,".repeat(8));
    let name = format!(r#"{{"{}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}}"#, "n".repeat(2000));
    for header in ["", "[]", "{", "{}x", &deep, r#"{"t":3}"#, r#"{"t":{"dtype":"U8"}}"#, &shape, &name] {
        let error = read(&file(header, 1)).unwrap_err();
        assert!(matches!(error, SafetensorsError::Json { .. }), "{header:.40}: {error}");
    }
}

#[test]
fn tensors_are_refused_when_they_are_too_many() {
    let header = |count: usize| {
        let entries: Vec<String> = (0..count)
            .map(|i| format!(r#""{i}":{{"dtype":"U8","shape":[1],"data_offsets":[{i},{}]}}"#, i + 1))
            .collect();
        file(&format!("{{{}}}", entries.join(",")), count)
    };
    assert_eq!(read(&header(100_000)).unwrap().len(), 100_000);
    assert_eq!(read(&header(MAX_TENSORS + 1)), Err(SafetensorsError::TooMany { max: MAX_TENSORS }));
}

/// A file whose length is not known, as a download's may be.
struct Unknown(Vec<u8>);

impl Source for Unknown {
    fn len(&self) -> Option<u64> {
        None
    }

    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> LocalFuture<'a, Result<(), SourceError>> {
        assert!(buf.len() <= 1 << 20, "a piece of {} bytes for a length that nobody has checked", buf.len());
        Box::pin(async move { Memory(&self.0[..]).read_at(offset, buf).await })
    }
}

#[test]
fn header_takes_no_memory_when_its_length_is_not_true() {
    let claims = [&MAX_HEADER.to_le_bytes()[..], b"{}"].concat();
    let error = pollster::block_on(read_header(&Unknown(claims))).unwrap_err();
    assert_eq!(error, SafetensorsError::Truncated { wanted: MAX_HEADER + 8, len: 10 });
}

proptest! {
    #[test]
    fn header_is_read_or_refused_when_bytes_are_changed(changes in proptest::collection::vec((0usize..200, any::<u8>()), 1..6)) {
        let header = r#"{"a":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]},"b":{"dtype":"I32","shape":[1],"data_offsets":[8,12]}}"#;
        let mut bytes = file(header, 12);
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        if let Ok(entries) = read(&bytes) {
            let end = entries.last().map_or(0, |entry| entry.offset + entry.bytes);
            prop_assert!(entries.is_empty() || end == bytes.len() as u64);
        }
    }
}
