use super::*;
use crate::gguf::Strings;
use crate::gguf::write::GgufWriter;
use crate::quant::WeightType;
use crate::source::Memory;

fn read(bytes: &[u8]) -> Result<Imatrix, ImatrixError> {
    pollster::block_on(Imatrix::read(&Memory(bytes)))
}

fn tensor(name: &str, dims: &[u64]) -> TensorInfo {
    TensorInfo { name: name.into(), dims: dims.into(), ty: WeightType::F32.into(), offset: 0, bytes: 0 }
}

/// A file of the GGUF form: names, dimensions and numbers.
fn gguf(kind: &str, tensors: &[(&str, &[u64], &[f32])]) -> Vec<u8> {
    let mut writer = GgufWriter::new();
    let datasets: Strings = ["wiki.txt", "code.txt"].iter().collect();
    writer.entry("general.type", kind).entry("imatrix.datasets", datasets);
    writer.entry("imatrix.chunk_count", 12u32).entry("imatrix.chunk_size", 512u32);
    for (name, dims, _) in tensors {
        writer.tensor(name, dims, WeightType::F32).unwrap();
    }
    let mut data = writer.start(Vec::new()).unwrap();
    for (_, _, values) in tensors {
        data.write(&floats(values)).unwrap();
    }
    data.finish().unwrap()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn dat(entries: &[(&str, i32, &[f32])], trailer: &[u8]) -> Vec<u8> {
    let mut out = (entries.len() as i32).to_le_bytes().to_vec();
    for (name, calls, values) in entries {
        out.extend((name.len() as i32).to_le_bytes());
        out.extend(name.as_bytes());
        out.extend(calls.to_le_bytes());
        out.extend((values.len() as i32).to_le_bytes());
        out.extend(floats(values));
    }
    out.extend(trailer);
    out
}

#[test]
fn imatrix_is_read_from_gguf_with_counts_before_and_behind() {
    let file = gguf(
        "imatrix",
        &[
            ("a.in_sum2", &[3], &[2.0, 4.0, 0.0]),
            ("a.counts", &[1], &[2.0]),
            ("e.counts", &[1, 2], &[4.0, 0.0]),
            ("e.in_sum2", &[2, 2], &[4.0, 8.0, 0.0, 0.0]),
        ],
    );
    let imatrix = read(&file).unwrap();
    assert_eq!((imatrix.len(), imatrix.chunks), (2, Some(12)));
    assert_eq!(imatrix.datasets, ["wiki.txt", "code.txt"]);
    let a = imatrix.of(&tensor("a", &[3, 5])).unwrap().unwrap();
    assert_eq!((a.of_row(0), a.of_row(4)), (&[1.0, 2.0, 0.0][..], &[1.0, 2.0, 0.0][..]));
    // Two experts of five rows each; the second was never asked.
    let e = imatrix.of(&tensor("e", &[2, 5, 2])).unwrap().unwrap();
    assert_eq!((e.of_row(4), e.of_row(5), e.of_row(9)), (&[1.0, 2.0][..], &[1.0, 1.0][..], &[1.0, 1.0][..]));
    assert_eq!((e.rows_alike(0), e.rows_alike(3), e.rows_alike(5)), (5, 2, 5));
    assert_eq!(imatrix.of(&tensor("b", &[3])), Ok(None));
}

#[test]
fn imatrix_is_read_from_dat_with_and_without_a_trailer() {
    let mut trailer = 7i32.to_le_bytes().to_vec();
    let entries: [(&str, i32, &[f32]); 2] = [("a", 2, &[2.0, 4.0]), ("b", 0, &[3.0])];
    for with_name in [None, Some("text")] {
        if let Some(name) = with_name {
            trailer.extend((name.len() as i32).to_le_bytes());
            trailer.extend(name.as_bytes());
        }
        let imatrix = read(&dat(&entries, &trailer)).unwrap();
        assert_eq!(
            (imatrix.chunks, imatrix.datasets.as_slice()),
            (Some(7), &with_name.map(String::from).into_iter().collect::<Vec<_>>()[..])
        );
        assert_eq!(imatrix.of(&tensor("a", &[2, 9])).unwrap().unwrap().of_row(8), [1.0, 2.0]);
        assert_eq!(imatrix.of(&tensor("b", &[1, 1])).unwrap().unwrap().of_row(0), [3.0]);
    }
    assert_eq!(read(&dat(&entries, &[])).unwrap().chunks, None);
}

#[test]
fn imatrix_of_another_model_is_refused() {
    let imatrix = read(&dat(&[("a", 1, &[1.0; 6])], &[])).unwrap();
    assert!(imatrix.of(&tensor("a", &[6, 3, 4])).unwrap().is_some());
    assert!(imatrix.of(&tensor("a", &[3, 3, 2])).unwrap().is_some());
    for dims in [&[3, 3][..], &[3, 3, 3], &[12, 1], &[u64::MAX, 1, 2]] {
        let error = imatrix.of(&tensor("a", dims)).unwrap_err();
        assert!(matches!(error, ImatrixError::Shape { values: 6, .. }), "{dims:?}: {error}");
    }
}

#[test]
fn hostile_gguf_imatrices_are_refused() {
    let refused = |kind, tensors: &[(&str, &[u64], &[f32])]| read(&gguf(kind, tensors)).unwrap_err();
    let counts = ("a.counts", &[1u64][..], &[1.0f32][..]);
    assert!(matches!(refused("model", &[]), ImatrixError::NotImatrix { found: Some(kind) } if kind == "model"));
    assert!(matches!(refused("imatrix", &[]), ImatrixError::Count { .. }));
    assert_eq!(refused("imatrix", &[counts]), ImatrixError::Half { missing: "a.in_sum2".into() });
    let sums: (&str, &[u64], &[f32]) = ("a.in_sum2", &[3], &[1.0, f32::NAN, 1.0]);
    assert!(matches!(refused("imatrix", &[sums, counts]), ImatrixError::Value { column: 1, .. }));
    let negative: (&str, &[u64], &[f32]) = ("a.in_sum2", &[1], &[-1.0]);
    assert!(matches!(refused("imatrix", &[negative, counts]), ImatrixError::Value { column: 0, .. }));
    let sums: (&str, &[u64], &[f32]) = ("a.in_sum2", &[3], &[1.0; 3]);
    let two: (&str, &[u64], &[f32]) = ("a.counts", &[2], &[1.0; 2]);
    assert!(matches!(refused("imatrix", &[sums, two]), ImatrixError::Counts { sums: 3, counts: 2, .. }));
}

#[test]
fn hostile_dat_imatrices_are_refused_wherever_they_end() {
    let entries: [(&str, i32, &[f32]); 2] = [("a", 2, &[2.0, 4.0]), ("b", 1, &[3.0])];
    let whole = dat(&entries, &[]);
    for end in 0..whole.len() {
        let error = read(&whole[..end]).unwrap_err();
        assert_eq!(error, ImatrixError::Truncated { end: end as u64 });
    }
    assert_eq!(read(&dat(&[("a", 1, &[1.0]), ("a", 1, &[1.0])], &[])), Err(ImatrixError::Twice { name: "a".into() }));
    for (count, what) in [(0i32, "matrices"), (-1, "matrices"), (i32::MAX, "matrices")] {
        let refused = ImatrixError::Count { what, count: count.into() };
        assert_eq!(read(&count.to_le_bytes()), Err(refused));
    }
    // Two thousand million values in 40 bytes.
    let mut huge = dat(&[("a", 1, &[1.0])], &[]);
    let at = huge.len() - 8;
    huge[at..at + 4].copy_from_slice(&i32::MAX.to_le_bytes());
    assert!(matches!(read(&huge), Err(ImatrixError::Truncated { .. })));
}

#[test]
fn written_imatrix_is_read_as_means() {
    let plain = ColumnSums { name: "a".into(), sums: vec![2.0, 4.0, 0.0], counts: vec![2.0] };
    let experts = ColumnSums { name: "e".into(), sums: vec![4.0, 8.0, 0.0, 0.0], counts: vec![4.0, 0.0] };
    let file = write(Vec::new(), "a text", (3, 512), &[plain.clone(), experts]).unwrap();
    let imatrix = read(&file).unwrap();
    assert_eq!((imatrix.len(), imatrix.chunks), (2, Some(3)));
    assert_eq!(imatrix.datasets, ["a text"]);
    assert_eq!(imatrix.of(&tensor("a", &[3, 5])).unwrap().unwrap().of_row(2), [1.0, 2.0, 0.0]);
    let e = imatrix.of(&tensor("e", &[2, 5, 2])).unwrap().unwrap();
    assert_eq!((e.of_row(0), e.of_row(9)), (&[1.0, 2.0][..], &[1.0, 1.0][..]));
    let odd = ColumnSums { counts: vec![1.0, 1.0], ..plain };
    assert_eq!(write(Vec::new(), "", (1, 1), &[odd]).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}
