//! Models in several GGUF files beside each other, named `…-00001-of-00003.gguf`: opened by the name of any of them.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use inglenook::format::gguf::split::{self, NotOneModel, PartName, join};
use inglenook::format::gguf::{GgufError, PartProblem};
use inglenook::source::{ReadAt, Source};

/// The name of a part, where a file has one; of a model in one file it says nothing.
pub fn name(path: &Path) -> Option<PartName> {
    PartName::parse(path.file_name()?.to_str()?).filter(|name| name.count > 1)
}

/// All parts as one file. `path` is one of them.
///
/// # Errors
/// When one is missing, cannot be read, or does not belong to the others.
pub fn source(path: &Path, name: &PartName) -> Result<Box<dyn Source>> {
    let mut parts = Vec::new();
    for file in name.all() {
        let opened = File::open(path.with_file_name(&file)).and_then(ReadAt::new);
        let source: Box<dyn Source> = match opened {
            Ok(source) => Box::new(source),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(GgufError::Part { file, problem: PartProblem::Missing }.into());
            }
            Err(error) => return Err(error).with_context(|| format!("cannot open {file}")),
        };
        parts.push((file, source));
    }
    let joined = pollster::block_on(join(parts));
    Ok(Box::new(joined.with_context(|| format!("cannot read {} as one model", path.display()))?))
}

/// The one model in a folder of GGUF files: a file, or the first of its parts.
///
/// # Errors
/// When the folder cannot be read, or has none or several.
pub fn only_model(folder: &Path) -> Result<PathBuf> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        names.extend(entry?.file_name().into_string());
    }
    match split::only_model(names.iter().map(String::as_str)) {
        Ok(name) => Ok(folder.join(name)),
        Err(NotOneModel::None) => bail!(
            "{} is a folder without config.json and without the first of a model's GGUF files; name a .gguf file, or a model's folder",
            folder.display()
        ),
        Err(NotOneModel::Several { count, first }) => bail!(
            "{} has {count} models; name the file of one, such as {}",
            folder.display(),
            folder.join(first).display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use inglenook::format::gguf::Gguf;
    use inglenook::format::gguf::write::GgufWriter;
    use inglenook::format::quant::WeightType;

    use super::*;
    use crate::load;

    fn write(folder: &Path, no: u32, count: u32) {
        let mut writer = GgufWriter::new();
        writer.entry("split.no", no).entry("split.count", count).entry("split.tensors.count", u64::from(count));
        writer.tensor(&format!("t{no}"), &[2], WeightType::F32).unwrap();
        let mut out = writer.start(Vec::new()).unwrap();
        out.write(&[no as u8; 8]).unwrap();
        let file = folder.join(format!("m-{:05}-of-{count:05}.gguf", no + 1));
        fs::write(file, out.finish().unwrap()).unwrap();
    }

    #[test]
    fn a_model_in_parts_is_opened_by_any_part_or_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        (0..3).for_each(|no| write(folder.path(), no, 3));
        for path in [folder.path().to_owned(), folder.path().join("m-00002-of-00003.gguf")] {
            let gguf = load::gguf(Some(&path)).unwrap();
            assert_eq!(gguf.tensors().len(), 3, "{}", path.display());
        }
        let source = load::source(Some(folder.path())).unwrap();
        let gguf = pollster::block_on(Gguf::read(source.as_ref())).unwrap();
        let mut bytes = [0; 8];
        pollster::block_on(source.read_at(gguf.tensor("t2").unwrap().offset, &mut bytes)).unwrap();
        assert_eq!(bytes, [2; 8]);
    }

    #[test]
    fn a_missing_part_and_a_folder_of_several_models_are_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let told = || format!("{:#}", load::gguf(Some(folder.path())).unwrap_err());
        assert!(told().contains("without the first of a model's GGUF files"), "{}", told());
        write(folder.path(), 0, 2);
        assert!(told().contains("m-00002-of-00002.gguf is missing"), "{}", told());
        fs::write(folder.path().join("other.gguf"), "").unwrap();
        assert!(told().contains("has 2 models; name the file of one, such as"), "{}", told());
    }
}
