//! Files that are nowhere written: a header in memory, and behind it spans of bytes that come from elsewhere, with zeros between them.

use std::ops::Range;

use crate::source::SourceError;

/// Fills `buf` from `offset` on of a file of `len` bytes. `spans` are in the order in which they lie behind the header, where `place`
/// says; `read` fills bytes of one, from a place within it on.
///
/// # Errors
/// [`SourceError::UnexpectedEnd`] where there are fewer bytes; those of `read`.
pub(crate) async fn read_virtual<S>(
    (header, len): (&[u8], u64),
    (spans, place): (&[S], impl Fn(&S) -> Range<u64>),
    (offset, buf): (u64, &mut [u8]),
    read: impl AsyncFn(&S, u64, &mut [u8]) -> Result<(), SourceError>,
) -> Result<(), SourceError> {
    let (wanted, mut at) = (buf.len(), offset.min(len));
    let have = (len - at).min(wanted as u64) as usize;
    let mut buf = &mut buf[..have];
    let mut next = spans.partition_point(|span| place(span).end <= at);
    while !buf.is_empty() {
        let in_header = header.len() as u64;
        let (end, span) = match spans.get(next).map(|span| (span, place(span))) {
            _ if at < in_header => (in_header, None),
            Some((span, Range { start, end })) if at >= start => (end, Some((span, start))),
            // Padding, up to the next span or the end.
            span => (span.map_or(u64::MAX, |(_, place)| place.start), None),
        };
        let (piece, rest) = buf.split_at_mut((end - at).min(buf.len() as u64) as usize);
        let count = piece.len() as u64;
        match span {
            Some((span, start)) => {
                read(span, at - start, piece).await?;
                next += usize::from(at + count == end);
            }
            None if at < in_header => piece.copy_from_slice(&header[at as usize..][..piece.len()]),
            None => piece.fill(0),
        }
        at += count;
        buf = rest;
    }
    if have == wanted { Ok(()) } else { Err(SourceError::UnexpectedEnd { offset, wanted, have }) }
}
