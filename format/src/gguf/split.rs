//! Models in several GGUF files, shown as one.
//!
//! llama.cpp's `gguf-split` gives the files names that end in `-00001-of-00003.gguf`, and each of them the keys `split.no` (from 0),
//! `split.count` and `split.tensors.count` (of all files). The first file has the metadata; each has a list of its own tensors.

use super::write::GgufWriter;
use super::{Gguf, GgufError, PartProblem};
use crate::source::{LocalFuture, Source, SourceError};
use crate::virtual_file::read_virtual;

/// More parts than this are refused before one is opened.
const MAX_PARTS: u32 = 4096;
/// What a part's own file says of it, and the whole does not.
const KEYS: &str = "split.";

/// The name of a part: `BASE-00001-of-00003.gguf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartName {
    base: String,
    /// Number of the part, from 1.
    pub no: u32,
    /// How many parts there are.
    pub count: u32,
}

impl PartName {
    /// Reads a file's name; none where it is not that of one of several parts.
    pub fn parse(name: &str) -> Option<PartName> {
        let (rest, count) = name.strip_suffix(".gguf")?.rsplit_once("-of-")?;
        let (base, no) = rest.rsplit_once('-')?;
        let number = |digits: &str| {
            let is_plain = digits.len() == 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_plain.then(|| digits.parse::<u32>().ok()).flatten()
        };
        let (no, count) = (number(no)?, number(count)?);
        (1 <= no && no <= count && count <= MAX_PARTS).then(|| PartName { base: base.to_owned(), no, count })
    }

    /// The names of all parts, in their order.
    pub fn all(&self) -> impl Iterator<Item = String> {
        (1..=self.count).map(|no| format!("{}-{no:05}-of-{:05}.gguf", self.base, self.count))
    }
}

/// Why files are not those of one model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOneModel {
    /// No GGUF file, or of a model's parts not the first.
    #[error("there is no config.json, and no GGUF file that is a model by itself or the first of its parts")]
    None,
    /// More than one.
    #[error("there are {count} models; choose the files of one, such as {first}")]
    Several {
        /// How many.
        count: usize,
        /// The first of them.
        first: String,
    },
}

/// The one model among files of these names: a GGUF file, or the first of its parts.
///
/// # Errors
/// [`NotOneModel`].
pub fn only_model<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<&'n str, NotOneModel> {
    let is_first = |name: &str| PartName::parse(name).is_none_or(|part| part.no == 1);
    let mut models: Vec<&str> = names.into_iter().filter(|name| name.ends_with(".gguf") && is_first(name)).collect();
    models.sort_unstable();
    match &models[..] {
        [] => Err(NotOneModel::None),
        [model] => Ok(model),
        [first, ..] => Err(NotOneModel::Several { count: models.len(), first: (*first).into() }),
    }
}

/// Bytes of the virtual file that lie in a part.
struct Span {
    /// In bytes from the start of the virtual file.
    at: u64,
    bytes: u64,
    part: usize,
    /// In bytes from the start of the part.
    from: u64,
}

/// All parts as one file. Any range can be read, in any order.
pub struct Joined {
    header: Vec<u8>,
    parts: Vec<(String, Box<dyn Source>)>,
    /// In the order of the virtual file.
    spans: Vec<Span>,
    len: u64,
}

impl std::fmt::Debug for Joined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Joined").field("len", &self.len).field("parts", &self.parts.len()).finish_non_exhaustive()
    }
}

/// Reads the headers of a model's parts, which come in their order, each with its name.
///
/// # Errors
/// [`GgufError::Part`] for a part that cannot be read, is another one than its place says, or disagrees with the first; for a tensor of
/// two parts; where parts are missing.
pub async fn join(parts: Vec<(String, Box<dyn Source>)>) -> Result<Joined, GgufError> {
    let mut writer = GgufWriter::new();
    let (mut places, mut first): (Vec<(usize, u64, u64)>, Option<Split>) = (Vec::new(), None);
    for (at, (file, source)) in parts.iter().enumerate() {
        let bad = |problem| GgufError::Part { file: file.clone(), problem };
        let gguf = Gguf::read(&**source).await.map_err(|error| bad(PartProblem::Header(Box::new(error))))?;
        let split = Split::of(&gguf).map_err(|error| bad(PartProblem::Header(Box::new(error))))?;
        split.check(at, parts.len(), first.as_ref()).map_err(bad)?;
        if first.is_none() {
            for (key, value) in gguf.metadata.iter().filter(|(key, _)| !key.starts_with(KEYS)) {
                writer.entry(key, value.clone());
            }
            first = Some(split);
        }
        for tensor in gguf.tensors_by_offset() {
            let declared = writer.tensor(&tensor.name, &tensor.dims, tensor.ty);
            declared.map_err(|error| GgufError::BadSplit { detail: error.to_string() })?;
            places.push((at, tensor.offset, tensor.bytes));
        }
    }
    let found = places.len() as u64;
    match first {
        Some(Split { tensors: Some(total), .. }) if total != found => {
            Err(GgufError::BadSplit { detail: format!("{found} tensors in all parts, where they say {total}") })
        }
        Some(_) => assemble(&writer, parts, places).await,
        None => Err(GgufError::BadSplit { detail: "no part at all".into() }),
    }
}

/// Gives each tensor its place, which the header that is written says.
async fn assemble(
    writer: &GgufWriter,
    parts: Vec<(String, Box<dyn Source>)>,
    places: Vec<(usize, u64, u64)>,
) -> Result<Joined, GgufError> {
    let mut header = Vec::new();
    let written = writer.start(&mut header).map(drop);
    written.map_err(|error| GgufError::BadSplit { detail: error.to_string() })?;
    let mut joined = Joined { header, parts, spans: Vec::new(), len: u64::MAX };
    // The header alone tells where tensors are, before anything lies there.
    let gguf = Gguf::read(&joined).await?;
    for (tensor, (part, from, bytes)) in gguf.tensors().iter().zip(places) {
        joined.spans.push(Span { at: tensor.offset, bytes, part, from });
    }
    joined.len = gguf.tensors().last().map_or(gguf.data_start, |tensor| tensor.end());
    Ok(joined)
}

/// What a part says of itself.
struct Split {
    no: u32,
    count: u32,
    tensors: Option<u64>,
}

impl Split {
    fn of(gguf: &Gguf) -> Result<Split, GgufError> {
        let metadata = &gguf.metadata;
        Ok(Split {
            no: metadata.opt_u32("split.no")?.unwrap_or(0),
            count: metadata.opt_u32("split.count")?.unwrap_or(0),
            tensors: metadata.opt_u64("split.tensors.count")?,
        })
    }

    /// Whether it is the part at a place of so many.
    fn check(&self, at: usize, count: usize, first: Option<&Split>) -> Result<(), PartProblem> {
        if u64::from(self.count) != count as u64 {
            return Err(PartProblem::Count { stated: self.count, found: count });
        }
        if u64::from(self.no) != at as u64 {
            return Err(PartProblem::Number { stated: u64::from(self.no) + 1, wanted: at + 1 });
        }
        match first {
            Some(first) if first.tensors != self.tensors => Err(PartProblem::OtherModel),
            _ => Ok(()),
        }
    }
}

impl Source for Joined {
    fn len(&self) -> Option<u64> {
        Some(self.len)
    }

    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> LocalFuture<'a, Result<(), SourceError>> {
        let place = |span: &Span| span.at..span.at + span.bytes;
        let read = async |span: &Span, from: u64, out: &mut [u8]| self.read_part(span, from, out).await;
        Box::pin(read_virtual((&self.header, self.len), (&self.spans, place), (offset, buf), read))
    }
}

impl Joined {
    async fn read_part(&self, span: &Span, from: u64, out: &mut [u8]) -> Result<(), SourceError> {
        let (name, source) = &self.parts[span.part];
        source.read_at(span.from + from, out).await.map_err(|error| match error {
            SourceError::Aborted => SourceError::Aborted,
            error => SourceError::Transport { message: format!("{name}: {error}") },
        })
    }
}
