//! A synthetic model that is in no file and hardly in memory: its header, and a piece of random blocks for each kind of tensor, which
//! is repeated as far as a tensor goes. For timing models larger than memory; equal rows do not change what a step costs.

use std::rc::Rc;

use inglenook::format::gguf::write::GgufWriter;
use inglenook::source::{LocalFuture, Source, SourceError};

use super::{Name, describe, tensors, vocabulary};

/// GGUF's alignment of tensors where a file says nothing else.
const ALIGNMENT: u64 = 32;

/// The model as a file.
pub struct Repeated {
    header: Vec<u8>,
    tensors: Vec<Region>,
}

/// Where a tensor lies in the file, and what is repeated there.
struct Region {
    start: u64,
    end: u64,
    piece: Rc<Vec<u8>>,
}

impl Repeated {
    /// The model `name`.
    ///
    /// # Errors
    /// When a shape is none that a file can have.
    pub fn new(name: Name) -> std::io::Result<Repeated> {
        let shape = name.shape();
        let mut writer = GgufWriter::new();
        describe(&mut writer, name, &shape);
        vocabulary::describe(&mut writer, shape.vocab);
        let all = tensors::all(&shape);
        for tensor in &all {
            writer.tensor(&tensor.name, &tensor.dims, tensor.ty)?;
        }
        let mut header = Vec::new();
        writer.start(&mut header)?;
        let mut regions: Vec<Region> = Vec::new();
        let mut pieces = Vec::new();
        for tensor in &all {
            let kind = (tensor.ty, tensor.dims.clone());
            let known = pieces.iter().position(|(known, _)| *known == kind);
            let known = known.unwrap_or_else(|| {
                pieces.push((kind, Rc::new(tensor.pieces(1).next().unwrap_or_default())));
                pieces.len() - 1
            });
            let start = regions.last().map_or(header.len() as u64, |last| last.end.next_multiple_of(ALIGNMENT));
            regions.push(Region { start, end: start + tensor.bytes(), piece: pieces[known].1.clone() });
        }
        Ok(Repeated { header, tensors: regions })
    }

    /// Fills `buf` with the bytes at `offset`; how many there are.
    fn fill(&self, offset: u64, buf: &mut [u8]) -> usize {
        let have = self.len().map_or(0, |len| len.saturating_sub(offset)).min(buf.len() as u64) as usize;
        let mut done = 0;
        while done < have {
            let at = offset + done as u64;
            let rest = &mut buf[done..have];
            done += match self.header.get(at as usize..) {
                Some(header) if !header.is_empty() => copied(header, rest),
                _ => self.fill_from_tensor(at, rest),
            };
        }
        have
    }

    fn fill_from_tensor(&self, at: u64, buf: &mut [u8]) -> usize {
        let after = self.tensors.partition_point(|region| region.start <= at);
        let Region { start, end, piece } = &self.tensors[after - 1];
        if at >= *end {
            // The padding before the next tensor.
            let padding = self.tensors.get(after).map_or(buf.len(), |next| (next.start - at) as usize).min(buf.len());
            buf[..padding].fill(0);
            return padding;
        }
        let inside = ((end - at) as usize).min(buf.len());
        copied(&piece[((at - start) % piece.len() as u64) as usize..], &mut buf[..inside])
    }
}

fn copied(from: &[u8], to: &mut [u8]) -> usize {
    let bytes = from.len().min(to.len());
    to[..bytes].copy_from_slice(&from[..bytes]);
    bytes
}

impl Source for Repeated {
    fn len(&self) -> Option<u64> {
        self.tensors.last().map(|last| last.end)
    }

    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> LocalFuture<'a, Result<(), SourceError>> {
        let wanted = buf.len();
        let have = self.fill(offset, buf);
        let read = if have == wanted { Ok(()) } else { Err(SourceError::UnexpectedEnd { offset, wanted, have }) };
        Box::pin(std::future::ready(read))
    }
}

#[cfg(test)]
mod tests {
    use inglenook::format::gguf::Gguf;

    use super::*;

    #[test]
    fn repeated_model_is_the_written_one_but_for_repetition() {
        let source = Repeated::new(Name::Small).unwrap();
        let gguf = pollster::block_on(Gguf::read(&source)).unwrap();
        let all = tensors::all(&Name::Small.shape());
        for (info, tensor) in gguf.tensors().iter().zip(&all) {
            assert_eq!(info.name, tensor.name);
            let mut bytes = vec![0; tensor.bytes() as usize];
            pollster::block_on(source.read_at(info.offset, &mut bytes)).unwrap();
            let piece = tensor.pieces(1).next().unwrap();
            assert!(bytes.chunks(piece.len()).all(|part| *part == piece[..part.len()]), "{}", tensor.name);
        }
        assert_eq!(source.len(), gguf.tensors().last().map(|last| last.end()));
    }
}
