//! Models in several GGUF files: as one file they hold what the whole held, and parts that do not belong together are refused by name.

use inglenook_format::gguf::split::{Joined, NotOneModel, PartName, join, only_model};
use inglenook_format::gguf::write::GgufWriter;
use inglenook_format::gguf::{Gguf, GgufError, PartProblem, Strings};
use inglenook_format::quant::WeightType;
use inglenook_format::source::{Memory, Source};

/// What a part says of itself, and its tensors: names, each with a byte that fills its weights.
struct Part {
    no: u32,
    count: u32,
    total: u64,
    alignment: Option<u32>,
    tensors: Vec<(&'static str, u8)>,
}

fn part(no: u32, tensors: &[(&'static str, u8)]) -> Part {
    Part { no, count: 3, total: 5, alignment: None, tensors: tensors.to_vec() }
}

/// Three sound parts.
fn parts() -> [Part; 3] {
    [part(0, &[("a", 1), ("b", 2)]), part(1, &[("c", 3)]), part(2, &[("d", 4), ("e", 5)])]
}

fn file(part: &Part) -> Vec<u8> {
    let mut writer = GgufWriter::new();
    if part.no == 0 {
        writer.entry("general.architecture", "llama");
        writer.entry("tokenizer.ggml.tokens", ["x", "y"].iter().collect::<Strings>());
    }
    if let Some(alignment) = part.alignment {
        writer.entry("general.alignment", alignment);
    }
    writer.entry("split.no", part.no).entry("split.count", part.count).entry("split.tensors.count", part.total);
    for (at, (name, _)) in part.tensors.iter().enumerate() {
        writer.tensor(name, &[32, 1 + at as u64], WeightType::Q8_0).unwrap();
    }
    let mut out = writer.start(Vec::new()).unwrap();
    for (at, (_, byte)) in part.tensors.iter().enumerate() {
        out.write(&vec![*byte; 34 * (1 + at)]).unwrap();
    }
    out.finish().unwrap()
}

fn joined(parts: &[Part]) -> Result<Joined, GgufError> {
    let named = parts.iter().enumerate().map(|(at, part)| {
        let source: Box<dyn Source> = Box::new(Memory(file(part)));
        (format!("m-{:05}-of-{:05}.gguf", at + 1, parts.len()), source)
    });
    pollster::block_on(join(named.collect()))
}

fn bytes(source: &dyn Source, at: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0xee; len];
    pollster::block_on(source.read_at(at, &mut bytes)).unwrap();
    bytes
}

#[test]
fn parts_are_read_as_one_file_with_every_tensor() {
    let mut aligned = parts();
    aligned[1].alignment = Some(256);
    for parts in [parts(), aligned] {
        let joined = joined(&parts).unwrap();
        let gguf = pollster::block_on(Gguf::read(&joined)).unwrap();
        assert_eq!(gguf.check_whole(), Ok(()));
        assert_eq!(gguf.metadata.str("general.architecture"), Ok("llama"));
        assert!(gguf.metadata.iter().all(|(key, _)| !key.starts_with("split.")));
        let names: Vec<&str> = gguf.tensors().iter().map(|tensor| tensor.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "d", "e"]);
        for (tensor, byte) in gguf.tensors().iter().zip(1..) {
            assert_eq!(bytes(&joined, tensor.offset, tensor.bytes as usize), vec![byte; tensor.bytes as usize]);
        }
        let len = joined.len().unwrap();
        let whole = bytes(&joined, 0, len as usize);
        for at in (0..len).step_by(7) {
            let size = 61.min(len - at) as usize;
            assert_eq!(bytes(&joined, at, size), whole[at as usize..][..size], "{at}");
        }
    }
}

#[test]
fn parts_that_do_not_belong_together_are_refused_by_name() {
    let refused = |change: fn(&mut Vec<Part>)| {
        let mut parts = parts().into();
        change(&mut parts);
        joined(&parts).unwrap_err()
    };
    let problem = |error: GgufError| match error {
        GgufError::Part { file, problem } => (file, problem),
        other => panic!("{other}"),
    };
    let second = || "m-00002-of-00003.gguf".to_owned();
    let swapped = problem(refused(|parts| parts.swap(1, 2)));
    assert_eq!(swapped, (second(), PartProblem::Number { stated: 3, wanted: 2 }));
    let twice = problem(refused(|parts| parts[1] = part(0, &[("a", 1)])));
    assert_eq!(twice, (second(), PartProblem::Number { stated: 1, wanted: 2 }));
    let (_, missing) = problem(refused(|parts| drop(parts.pop())));
    assert_eq!(missing, PartProblem::Count { stated: 3, found: 2 });
    let other = problem(refused(|parts| parts[1].total = 6));
    assert_eq!(other, (second(), PartProblem::OtherModel));
    let lost = refused(|parts| parts.iter_mut().for_each(|part| part.total = 6));
    assert_eq!(lost, GgufError::BadSplit { detail: "5 tensors in all parts, where they say 6".into() });
    let again = refused(|parts| parts[2].tensors[0].0 = "a");
    assert!(again.to_string().contains("tensor \"a\" occurs twice"), "{again}");
    assert!(matches!(joined(&[]), Err(GgufError::BadSplit { .. })));
    let cut: Box<dyn Source> = Box::new(Memory(file(&parts()[0])[..100].to_vec()));
    let error = pollster::block_on(join(vec![("m-00001-of-00001.gguf".into(), cut)])).unwrap_err();
    assert!(matches!(problem(error).1, PartProblem::Header(_)));
}

#[test]
fn names_of_parts_are_told_from_others_and_lead_to_all() {
    let name = PartName::parse("qwen-3-of-4-00002-of-00003.gguf").unwrap();
    assert_eq!((name.no, name.count), (2, 3));
    let all: Vec<String> = name.all().collect();
    assert_eq!(all[0], "qwen-3-of-4-00001-of-00003.gguf");
    assert_eq!(all[2], "qwen-3-of-4-00003-of-00003.gguf");
    for other in [
        "model.gguf",
        "m-00000-of-00003.gguf",
        "m-00004-of-00003.gguf",
        "m-1-of-3.gguf",
        "m-00001-of-99999.gguf",
        "m-+0001-of-00003.gguf",
        "m-00001-of-00003.safetensors",
    ] {
        assert_eq!(PartName::parse(other), None, "{other}");
    }
}

#[test]
fn only_model_is_a_file_or_the_first_of_its_parts() {
    let parts = ["b-00002-of-00002.gguf", "readme.md", "b-00001-of-00002.gguf"];
    assert_eq!(only_model(parts), Ok("b-00001-of-00002.gguf"));
    assert_eq!(only_model(["a.gguf", "tokenizer.json"]), Ok("a.gguf"));
    assert_eq!(only_model(["b-00002-of-00002.gguf", "model.safetensors"]), Err(NotOneModel::None));
    let several = NotOneModel::Several { count: 2, first: "a.gguf".into() };
    assert_eq!(only_model(parts.into_iter().chain(["a.gguf"])), Err(several));
}
