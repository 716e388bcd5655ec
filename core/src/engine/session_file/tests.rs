use super::*;

fn model() -> SessionModel {
    SessionModel { fingerprint: [7; 32], name: "ember".into(), vocab: 1000, adapters: 0 }
}

fn layout() -> KvLayout {
    KvLayout {
        ty: "f16".into(),
        layers: 2,
        kv_heads: 1,
        head_dim: 4,
        page_tokens: 32,
        page_bytes: 96,
        windows: Vec::new(),
    }
}

fn state() -> Vec<u8> {
    br#"{"messages": [{"role": "user", "content": "Good morning."}]}"#.to_vec()
}

fn tokens() -> Vec<u32> {
    (0..75).map(|at| at * 7 % 1000).collect()
}

fn page(number: u8) -> Vec<u8> {
    (0..96).map(|at| number.wrapping_mul(31) ^ at).collect()
}

/// A file with sections as given, each with the checksum that belongs to it.
fn file(model: &SessionModel, layout: &KvLayout, state: &[u8], tokens: &[u32], pages: &[Vec<u8>]) -> Vec<u8> {
    let (mut encoder, mut file) = SessionEncoder::begin(model, layout, state, tokens, pages.len() as u64);
    pages.iter().for_each(|page| file.extend(encoder.page(page.clone())));
    file.extend(encoder.finish());
    file
}

fn saved() -> Vec<u8> {
    file(&model(), &layout(), &state(), &tokens(), &[page(0), page(1), page(2)])
}

fn read(layout: Option<KvLayout>, file: &[u8], piece: usize) -> Result<Vec<SessionPart>, SessionFileError> {
    let mut decoder = SessionDecoder::new(model(), layout);
    let mut parts = Vec::new();
    for piece in file.chunks(piece) {
        decoder.push(piece, &mut |part| parts.push(part))?;
        assert!(decoder.buffer.capacity() <= 2 * file.len() + 64, "memory is taken for what has come");
    }
    decoder.finish().map(|()| parts)
}

/// A file whose header is another one, its checksums as they should be up to there.
fn with_header(change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let (state_bytes, tokens) = (state().len() as u64, tokens().len() as u64);
    let mut header = Header { model: model(), layout: layout(), state_bytes, tokens, pages: 3 };
    change(&mut header);
    with_header_text(&serde_json::to_vec(&header).unwrap())
}

fn with_header_text(header: &[u8]) -> Vec<u8> {
    let preamble = [&MAGIC[..], &VERSION.to_le_bytes(), &(header.len() as u32).to_le_bytes()].concat();
    let checksum = XxHash64::oneshot(XxHash64::oneshot(0, &preamble), header).to_le_bytes();
    let after = saved()[PREAMBLE + header_bytes(&saved()) + CHECKSUM..].to_vec();
    [preamble, header.to_vec(), checksum.to_vec(), after].concat()
}

fn header_bytes(file: &[u8]) -> usize {
    u32::from_le_bytes(file[12..16].try_into().unwrap()) as usize
}

#[test]
fn decoder_gives_what_was_saved_whatever_the_pieces() {
    let mut wanted = vec![SessionPart::State(state()), SessionPart::Tokens(tokens())];
    let pages = [0, 1, 2].map(|number| SessionPart::Page(page(number)));
    for piece in [1, 3, 16, 100, 1 << 20] {
        assert_eq!(read(None, &saved(), piece).unwrap(), wanted, "without pages");
    }
    wanted.extend(pages);
    for piece in [1, 3, 16, 100, 1 << 20] {
        assert_eq!(read(Some(layout()), &saved(), piece).unwrap(), wanted);
    }
}

#[test]
fn decoder_reads_sessions_of_nothing() {
    let empty = file(&model(), &layout(), &[], &[], &[]);
    let wanted = [SessionPart::State(vec![]), SessionPart::Tokens(vec![])];
    assert_eq!(read(Some(layout()), &empty, 5).unwrap(), wanted);
}

#[test]
fn decoder_reads_sessions_of_fewer_pages_than_were_announced() {
    for count in 0..3 {
        let (mut encoder, mut file) = SessionEncoder::begin(&model(), &layout(), &state(), &tokens(), 3);
        (0..count).for_each(|number| file.extend(encoder.page(page(number))));
        let cut = file.len();
        file.extend(encoder.finish());
        for piece in [1, 7, 1 << 20] {
            assert_eq!(read(Some(layout()), &file, piece).unwrap().len(), 2 + usize::from(count));
            let truncated = Err(SessionFileError::Truncated { section: Section::Page(count.into()) });
            assert_eq!(read(Some(layout()), &file[..cut], piece), truncated, "without its end");
        }
    }
}

#[test]
fn encoder_cuts_a_name_that_would_not_fit() {
    let model = SessionModel { name: "\u{1}".repeat(1 << 20), ..model() };
    assert!(read(Some(layout()), &file(&model, &layout(), &[], &[], &[]), 99).is_ok());
}

#[test]
fn decoder_names_another_model_or_layout() {
    let other = SessionModel { fingerprint: [8; 32], name: "coal".into(), ..model() };
    let error = read(Some(layout()), &file(&other, &layout(), &[], &[], &[]), 99).unwrap_err();
    assert_eq!(error, SessionFileError::OtherModel { saved: "coal".into(), loaded: "ember".into() });
    let q8 = KvLayout { ty: "q8_0".into(), page_bytes: 40, ..layout() };
    let file = file(&model(), &q8, &state(), &tokens(), &[vec![1; 40]]);
    let error = read(Some(layout()), &file, 99).unwrap_err();
    assert_eq!(error, SessionFileError::OtherLayout { saved: Box::new(q8), loaded: Box::new(layout()) });
    assert_eq!(read(None, &file, 99).unwrap().len(), 2, "its conversation is read all the same");
}

#[test]
fn decoder_refuses_other_files_and_versions() {
    assert_eq!(read(None, b"GGUF\x03\0\0\0", 1), Err(SessionFileError::NotASession));
    assert_eq!(read(None, b"", 1), Err(SessionFileError::Truncated { section: Section::Preamble }));
    assert_eq!(read(None, b"INGL", 1), Err(SessionFileError::Truncated { section: Section::Preamble }));
    let mut newer = saved();
    newer[8] = 99;
    assert_eq!(read(None, &newer, 99), Err(SessionFileError::Version { found: 99 }));
}

#[test]
fn decoder_refuses_numbers_that_cannot_be_right_under_good_checksums() {
    let damaged = |section| Err(SessionFileError::Damaged { section });
    let read = |file: Vec<u8>| read(None, &file, 50);
    assert_eq!(read(with_header(|header| header.state_bytes = u64::MAX)), damaged(Section::Header));
    assert_eq!(read(with_header(|header| header.tokens = u64::MAX)), damaged(Section::Header));
    assert_eq!(read(with_header(|header| header.pages = 4)), damaged(Section::Header));
    assert_eq!(read(with_header(|header| header.layout.page_tokens = 0)), damaged(Section::Header));
    assert_eq!(read(with_header(|header| header.layout.page_bytes = u64::MAX)), damaged(Section::Header));
    let far = read(with_header(|header| header.state_bytes = u64::from(u32::MAX / 2)));
    assert_eq!(far, Err(SessionFileError::Truncated { section: Section::State }));
    assert_eq!(read(with_header_text(b"[1, 2")), damaged(Section::Header));
    let nested = "[".repeat(16 * 1024);
    assert_eq!(read(with_header_text(nested.as_bytes())), damaged(Section::Header));
    let unknown = file(&model(), &layout(), &[], &[999, 1000], &[]);
    assert_eq!(read(unknown), damaged(Section::Tokens));
}

/// Cuts, flips, swapped and repeated sections, absurd counts, and bytes behind the end.
#[test]
fn decoder_gives_typed_errors_for_10_000_damaged_files() {
    let whole = saved();
    let pages = whole.len() - END - 3 * (96 + CHECKSUM);
    for seed in 0..10_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut file = whole.clone();
        match seed % 6 {
            0 => file.truncate(random.usize(0..whole.len())),
            1 => file[random.usize(0..whole.len())] ^= 1 << random.u32(0..8),
            2 => {
                let (one, other) = [(0, 1), (0, 2), (1, 2)][random.usize(0..3)];
                let at = |page| pages + page * (96 + CHECKSUM);
                let copy = file[at(one)..at(one) + 104].to_vec();
                file.copy_within(at(other)..at(other) + 104, at(one));
                if random.bool() {
                    file[at(other)..at(other) + 104].copy_from_slice(&copy);
                }
            }
            3 => {
                let number =
                    *random.choice(&[u64::MAX, u64::MAX / 2, u64::MAX / 4 + 1, 1 << 40, 1 << 32, 76, 0]).unwrap();
                let field = random.u32(0..4);
                file = with_header(|header| match field {
                    0 => header.state_bytes = number,
                    1 => header.tokens = number,
                    2 => header.layout.page_bytes = number,
                    _ => header.pages = number,
                });
            }
            4 => {
                let (at, len) = (random.usize(0..whole.len()), random.usize(1..64));
                let end = (at + len).min(whole.len());
                if random.bool() { drop(file.drain(at..end)) } else { random.fill(&mut file[at..end]) }
            }
            _ => file.extend((0..random.usize(1..200)).map(|_| 0)),
        }
        let layout = random.bool().then(layout);
        let result = read(layout, &file, random.usize(1..300));
        assert!(result.is_err() || file == whole, "seed {seed} was taken for a session");
    }
}

#[test]
fn pages_behind_a_window_are_left_out_and_their_sizes_are_known() {
    // Of 75 tokens, the next sees those from 46 on: not the first page.
    let windows = vec![WindowLayout { layers: 1, window: 30, keep: 0, page_bytes: 40 }];
    let layout = KvLayout { windows, ..layout() };
    let pages = [page(0)[..56].to_vec(), page(1), page(2)];
    let file = file(&model(), &layout, &state(), &tokens(), &pages);
    for piece in [1, 100, file.len()] {
        let parts = read(Some(layout.clone()), &file, piece).unwrap();
        assert_eq!(parts[2..], pages.clone().map(SessionPart::Page));
    }
    let text = layout.to_string();
    assert!(text.ends_with("96 bytes, 1 of them with windows of 30 tokens"), "{text}");
    let other = read(Some(super::tests::layout()), &file, 100);
    assert!(matches!(other, Err(SessionFileError::OtherLayout { .. })), "{other:?}");
    // More bytes than the page has.
    let absurd = WindowLayout { layers: 1, window: 30, keep: 0, page_bytes: u64::MAX };
    let found = read_any(with_header(|header| header.layout.windows = vec![absurd.clone(), absurd]));
    assert_eq!(found, Err(damaged(Section::Header)));
}

/// Read where pages are left out, so that no layout is expected.
fn read_any(file: Vec<u8>) -> Result<Vec<SessionPart>, SessionFileError> {
    read(None, &file, 100)
}
