//! Known ways to break a GGUF reader, each with the error that it must give. Some have a CVE to their name.

use inglenook_format::gguf::{GgufError as E, TensorProblem as P};

use crate::raw::*;
use crate::{check_parse, in_time, read, read_stream};

type Case = (&'static str, Vec<u8>, E);

#[test]
fn each_case_gives_its_error() {
    for (name, bytes, expected) in [headers(), entries(), values(), alignments(), infos(), data()].concat() {
        assert_eq!(in_time(|| read(&bytes)).map(|_| ()), Err(expected.clone()), "{name}");
        // Without a known length, data beyond the end shows only when it is read.
        let past_end = matches!(expected, E::Tensor { problem: P::PastEnd { .. }, .. });
        assert!(in_time(|| read_stream(&bytes)).is_err() || past_end, "{name}, as a stream");
    }
}

/// Their headers are read, so that whoever asks what the file is gets an answer.
#[test]
fn parts_of_a_model_are_refused_when_their_tensors_are_wanted() {
    for (name, bytes, expected) in splits() {
        let gguf = in_time(|| read(&bytes)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(gguf.check_whole(), Err(expected), "{name}");
    }
    assert_eq!(read(&Raw::new().u32("split.count", 1).bytes()).unwrap().check_whole(), Ok(()));
}

/// A file may hold what nobody needs; only who needs the weights refuses them.
#[test]
fn tensors_of_other_types_are_described_and_refused_as_weights() {
    let of = |dims: &[u64], ty| read(&Raw::new().tensor("t", dims, ty, 0).data(512).bytes()).unwrap();
    let unsupported = |name: &'static str| Err(tensor(P::UnsupportedType(name.into())));
    for (ty, name, dims, bytes) in
        [(15, "Q8_K", 256, 292), (24, "I8", 1, 1), (36, "IQ4_NL_4_4", 64, 36), (28, "F64", 3, 24)]
    {
        let gguf = of(&[dims], ty);
        let info = gguf.tensor("t").unwrap();
        assert_eq!((info.ty.name().as_ref(), info.bytes), (name, bytes));
        assert_eq!(info.weight_type(), unsupported(name));
        check_parse(&gguf, None);
    }
    let unknown = of(&[7, 3], 1000);
    let info = unknown.tensor("t").unwrap();
    assert_eq!((info.ty.name().as_ref(), info.bytes, info.weights()), ("type 1000", 0, 21));
    assert_eq!(info.weight_type(), Err(tensor(P::UnknownType(1000))));
}

#[test]
fn unusual_files_that_are_right() {
    let files = [
        ("neither entries nor tensors", Raw::new().bytes()),
        ("a scalar", Raw::new().tensor("t", &[], F32, 0).data(4).bytes()),
        ("four dimensions and no padding at the end", Raw::new().tensor("t", &[3, 1, 1, 2], F32, 0).data(24).bytes()),
        ("a gap", Raw::new().tensor("a", &[1], F32, 0).tensor("b", &[1], F32, 640).data(644).bytes()),
        ("data out of order", Raw::new().tensor("a", &[9], F32, 32).tensor("b", &[8], F32, 0).data(68).bytes()),
        ("arrays four deep", Raw::new().entry("k", ARRAY, &nested(4)).bytes()),
        ("bad UTF-8 in a value", Raw::new().entry("k", STRING, &text([b'a', 0xff, b'b'])).bytes()),
        ("a part of one", Raw::new().u32("split.no", 0).u32("split.count", 1).u32("split.tensors.count", 0).bytes()),
    ];
    for (name, bytes) in files {
        let gguf = read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        check_parse(&gguf, Some(bytes.len() as u64));
        assert_eq!(read_stream(&bytes).as_ref(), Ok(&gguf), "{name}, as a stream");
    }
    let lossy = read(&Raw::new().entry("k", STRING, &text([b'a', 0xff, b'b'])).bytes()).unwrap();
    assert_eq!(lossy.metadata.str("k"), Ok("a\u{fffd}b"));
}

#[test]
fn a_file_cut_anywhere_says_so() {
    let whole = Raw::new()
        .u32("a.number", 7)
        .entry("words", ARRAY, &[array(STRING, 3), text("x"), text(""), text("löss")].concat())
        .entry("nested", ARRAY, &nested(3))
        .tensor("first", &[32, 2], Q8_0, 0)
        .tensor("second", &[5], F32, 96)
        .data(96 + 20);
    let (bytes, header) = (whole.bytes(), whole.header().len());
    assert!(read(&bytes).is_ok());
    for cut in 0..bytes.len() {
        let error = in_time(|| read(&bytes[..cut])).expect_err("a cut file was accepted");
        let streamed = read_stream(&bytes[..cut]);
        if cut < header {
            assert!(matches!(error, E::Truncated { end, .. } if end == cut as u64), "{cut}: {error:?}");
            assert_eq!(streamed, Err(error), "{cut}");
        } else {
            let past_end = matches!(&error, E::Tensor { problem: P::PastEnd { len, .. }, .. } if *len == cut as u64);
            assert!(past_end, "{cut}: {error:?}");
            assert!(streamed.is_ok());
        }
    }
}

fn headers() -> Vec<Case> {
    let version = |version| Raw { version, ..Raw::new() }.bytes();
    let counts = |tensors, entries| {
        let tensor_count = Some(tensors);
        Raw { tensor_count, entry_count: Some(entries), ..Raw::new() }.bytes()
    };
    let entries = |count| too_many("metadata entries", count, 8192);
    let tensors = |count| too_many("tensors", count, 65_536);
    vec![
        ("empty", vec![], truncated(0, "header")),
        ("another format", b"PK\x03\x04 and so on".to_vec(), E::NotGguf { found: *b"PK\x03\x04" }),
        ("version 0", version(0), E::Version { version: 0 }),
        ("version 1", version(1), E::Version { version: 1 }),
        ("version 4", version(4), E::Version { version: 4 }),
        ("big-endian", version(3u32.swap_bytes()), E::BigEndian),
        ("metadata count overflow (CVE-2024-23605)", counts(0, u64::MAX), entries(u64::MAX)),
        ("metadata count times entry size wraps", counts(0, 1 << 60), entries(1 << 60)),
        ("more entries than the file holds", counts(0, 8192), truncated(24, "metadata")),
        ("tensor count overflow (CVE-2024-21802)", counts(u64::MAX, 0), tensors(u64::MAX)),
        ("tensor count times info size wraps", counts(1 << 59, 0), tensors(1 << 59)),
        ("more tensors than the file holds", counts(65_536, 0), truncated(24, "list of tensors")),
    ]
}

fn entries() -> Vec<Case> {
    let key = |key: &[u8]| Raw::new().u32("first", 1).entry(key, U32, &[0; 4]).bytes();
    let claimed_key =
        |len: u64| [Raw { entry_count: Some(1), ..Raw::new() }.bytes(), len.to_le_bytes().into()].concat();
    let long = |count| too_many("bytes in a metadata key", count, 65_535);
    vec![
        ("empty key", key(b""), E::EmptyKey { index: 1 }),
        ("key that is not UTF-8", key(b"\xffkey"), E::NameNotUtf8 { what: "metadata entry", index: 1 }),
        ("duplicate key", key(b"first"), E::DuplicateKey { key: "first".into() }),
        ("key of 2^64-1 bytes", claimed_key(u64::MAX), long(u64::MAX)),
        ("key of 64 KiB", key(&[b'k'; 65_536]), long(65_536)),
        ("key beyond the file", claimed_key(65_535), truncated(32, "metadata")),
    ]
}

fn values() -> Vec<Case> {
    let value = |ty, bytes: &[u8]| Raw::new().entry("key", ty, bytes).bytes();
    // A claim that the file does not keep: the file ends right after it.
    let claim = |name, ty, bytes: Vec<u8>| {
        let file = value(ty, &bytes);
        let end = file.len() as u64;
        (name, file, truncated(end, "metadata"))
    };
    let unknown = |id| E::ValueType { key: "key".into(), id };
    let boolean = |byte| E::Bool { key: "key".into(), byte };
    let many = [array(ARRAY, 16_385), array(U32, 0).repeat(16_385)].concat();
    vec![
        ("value of unknown type", value(13, &[0; 64]), unknown(13)),
        ("array of unknown type", value(ARRAY, &[array(u32::MAX, 1), vec![0; 64]].concat()), unknown(u32::MAX)),
        ("boolean 2", value(BOOL, &[2]), boolean(2)),
        ("boolean 255 in an array", value(ARRAY, &[array(BOOL, 3), vec![1, 0, 255]].concat()), boolean(255)),
        claim("string of 1 GiB", STRING, (1u64 << 30).to_le_bytes().into()),
        claim("string of 2^64-1 bytes", STRING, u64::MAX.to_le_bytes().into()),
        claim("array of 1 GiB", ARRAY, array(0, 1 << 30)),
        claim("array of 2^61 f64, whose size wraps to 0", ARRAY, array(F64, 1 << 61)),
        claim("array of 2^64-1 bytes", ARRAY, array(0, u64::MAX)),
        claim("array of 2^27 strings", ARRAY, [array(STRING, 1 << 27), text("a")].concat()),
        claim("array of 2^61 strings", ARRAY, array(STRING, 1 << 61)),
        claim("array of 1 GiB of arrays", ARRAY, array(ARRAY, 1 << 30)),
        claim(
            "array whose first string has 1 GiB",
            ARRAY,
            [array(STRING, 1), (1u64 << 30).to_le_bytes().into()].concat(),
        ),
        ("arrays five deep", value(ARRAY, &nested(5)), E::Depth { key: "key".into(), max: 4 }),
        ("arrays a thousand deep", value(ARRAY, &nested(1000)), E::Depth { key: "key".into(), max: 4 }),
        ("more inner arrays than allowed", value(ARRAY, &many), too_many("nested arrays", 16_385, 16_384)),
        ("half a megabyte that is not UTF-8", value(STRING, &text([0xff; 500_000])), E::NotText { key: "key".into() }),
    ]
}

fn alignments() -> Vec<Case> {
    let key = "general.alignment";
    let of = |value| Raw::new().u32(key, value).bytes();
    let bad = |value| E::Alignment { value, max: 1 << 20 };
    let wrong = |found: &str| E::WrongType { key: key.into(), found: found.into(), wanted: "u32" };
    vec![
        ("alignment 0", of(0), bad(0)),
        ("alignment 24", of(24), bad(24)),
        ("alignment 2^31", of(1 << 31), bad(1 << 31)),
        ("alignment 2^32-1", of(u32::MAX), bad(u32::MAX.into())),
        ("alignment as u64", Raw::new().entry(key, U64, &32u64.to_le_bytes()).bytes(), wrong("u64")),
        ("alignment as text", Raw::new().entry(key, STRING, &text("32")).bytes(), wrong("string")),
    ]
}

fn splits() -> Vec<Case> {
    let split =
        |no, count, total| Raw::new().u32("split.no", no).u32("split.count", count).u32("split.tensors.count", total);
    let one = |raw: Raw| raw.tensor("t", &[1], F32, 0).data(4).bytes();
    let bad = |detail: &str| E::BadSplit { detail: detail.into() };
    let negative = Raw::new().entry("split.count", I32, &(-1i32).to_le_bytes()).bytes();
    let words = Raw::new().entry("split.count", STRING, &text("3")).bytes();
    vec![
        ("first part of three", split(0, 3, 9).bytes(), E::Split { no: 0, count: 3 }),
        ("part beyond the last", split(3, 3, 9).bytes(), bad("part number 3 of 3 parts")),
        ("part 2^32-1 of one", split(u32::MAX, 1, 0).bytes(), bad("part number 4294967295 of 1 parts")),
        ("fewer tensors in all than here", one(split(0, 2, 0)), bad("1 tensors in this part, 0 in all 2 parts")),
        ("whole model with tensors missing", one(split(0, 1, 9)), bad("1 tensors in this part, 9 in all 1 parts")),
        ("negative count", negative, E::OutOfRange { key: "split.count".into(), value: -1 }),
        (
            "count as text",
            words,
            E::WrongType { key: "split.count".into(), found: "string".into(), wanted: "an integer" },
        ),
    ]
}

fn infos() -> Vec<Case> {
    let of = |dims: &[u64], ty| Raw::new().tensor("t", dims, ty, 0).data(128).bytes();
    let row = |row, ty: &'static str| P::RowLength { row, block: if ty == "Q6_K" { 256 } else { 32 }, ty: ty.into() };
    let named = |name: &[u8]| Raw::new().tensor(name, &[1], F32, 0).data(4).bytes();
    let twice = Raw::new().tensor("t", &[1], F32, 0).tensor("t", &[1], F32, 32).data(36).bytes();
    let many_dims = {
        let mut bytes = of(&[], F32);
        let at = 24 + text("t").len();
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        bytes
    };
    vec![
        ("five dimensions", of(&[1; 5], F32), tensor(P::Dims(5))),
        ("2^32-1 dimensions", many_dims, tensor(P::Dims(u32::MAX))),
        ("length 0", of(&[0], F32), tensor(P::ZeroDim)),
        ("length 0 behind huge ones", of(&[1 << 63, 1 << 63, 0], F32), tensor(P::ZeroDim)),
        ("row of 33 in blocks of 32", of(&[33], Q8_0), tensor(row(33, "Q8_0"))),
        ("row of 16 in two rows of Q8_0", of(&[16, 2], Q8_0), tensor(row(16, "Q8_0"))),
        ("row of 128 in blocks of 256", of(&[128, 2], 14), tensor(row(128, "Q6_K"))),
        ("weights wrap to 0", of(&[1 << 32, 1 << 32], F32), tensor(P::TooLarge)),
        ("weights wrap to 4", of(&[(1 << 63) + 2, 2], F32), tensor(P::TooLarge)),
        ("bytes wrap (CVE-2026-33298)", of(&[1 << 62], F32), tensor(P::TooLarge)),
        ("bytes beyond 2^63", of(&[1 << 61], F32), tensor(P::TooLarge)),
        (
            "row of 33 in blocks of MXFP4",
            of(&[33], 39),
            tensor(P::RowLength { row: 33, block: 32, ty: "MXFP4".into() }),
        ),
        ("length 0 of a type nobody gave out", of(&[0], 1000), tensor(P::ZeroDim)),
        ("weights wrap in a type nobody gave out", of(&[1 << 32, 1 << 32], 1000), tensor(P::TooLarge)),
        ("no name", named(b""), E::Tensor { name: String::new(), problem: P::NoName }),
        ("name that is not UTF-8", named(b"\xc3"), E::NameNotUtf8 { what: "tensor", index: 0 }),
        ("name of 2 KiB", named(&[b'n'; 2048]), too_many("bytes in a tensor name", 2048, 1024)),
        ("same name twice", twice, tensor(P::Duplicate)),
    ]
}

fn data() -> Vec<Case> {
    let at = |offset, dims: &[u64], len| Raw::new().tensor("t", dims, F32, offset).data(len);
    let past_end = |raw: Raw, size: u64| {
        let end = raw.data_start() + size;
        let len = raw.bytes().len() as u64;
        (raw.bytes(), tensor(P::PastEnd { end, len }))
    };
    let case = |name, (bytes, error)| (name, bytes, error);
    let two =
        |first, second| Raw::new().tensor("a", &[32], F32, first).tensor("t", &[32], F32, second).data(256).bytes();
    let huge = (1 << 61) - 1;
    let pair = Raw::new().tensor("t", &[huge], F32, 0).tensor("u", &[huge], F32, huge * 4 + 4).data(128);
    let inside = Raw::new().tensor("a", &[32], F32, 0).tensor("t", &[1], F32, 32).data(256).bytes();
    vec![
        case("one byte short (CVE-2026-7482)", past_end(at(0, &[8], 31), 32)),
        case("offset past the end", past_end(at(1 << 40, &[1], 64), (1 << 40) + 4)),
        case("size past the end", past_end(at(0, &[1 << 20, 1 << 20], 64), 1 << 42)),
        case("largest size, whose padding wraps i64 (CVE-2026-27940)", past_end(at(0, &[huge], 64), huge * 4)),
        case("sizes whose sum wraps (CVE-2025-53630)", past_end(pair, huge * 4)),
        ("offset and size wrap", at(u64::MAX - 31, &[16], 64).bytes(), tensor(P::TooLarge)),
        ("offset and start of data wrap", at(u64::MAX - 63, &[1], 64).bytes(), tensor(P::TooLarge)),
        ("offset off by one", at(1, &[1], 64).bytes(), tensor(P::Misaligned { offset: 1, alignment: 32 })),
        ("same place", two(0, 0), tensor(P::Overlap("a".into()))),
        ("overlap by half", two(0, 64), tensor(P::Overlap("a".into()))),
        ("one inside another", inside, tensor(P::Overlap("a".into()))),
    ]
}

fn tensor(problem: P) -> E {
    E::Tensor { name: "t".into(), problem }
}

fn truncated(end: u64, section: &'static str) -> E {
    E::Truncated { end, section }
}

fn too_many(what: &'static str, count: u64, max: u64) -> E {
    E::TooMany { what, count, max }
}

/// An array in an array in an array…, the innermost holding one u32.
fn nested(depth: usize) -> Vec<u8> {
    [array(ARRAY, 1).repeat(depth - 1), array(U32, 1), vec![1, 2, 3, 4]].concat()
}
