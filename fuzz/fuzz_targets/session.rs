//! A saved session: as it is, and with right checksums around the sections that `\xff\xff` separates, so that damage behind them is
//! reached, too.
#![no_main]

use inglenook::engine::session_file::SessionDecoder;
use libfuzzer_sys::fuzz_target;
use twox_hash::XxHash64;

#[path = "../src/session.rs"]
mod session;

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    read(&sealed(bytes));
});

fn read(file: &[u8]) {
    for (model, layout) in
        [session::model()].into_iter().flat_map(|(model, layout)| [(model.clone(), Some(layout)), (model, None)])
    {
        let mut decoder = SessionDecoder::new(model, layout);
        if file.chunks(7).all(|piece| decoder.push(piece, &mut |_| {}).is_ok()) {
            let _ = decoder.finish();
        }
    }
}

/// A file whose header is what stands before the first separator, and whose sections stand behind it.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut sections = vec![Vec::new()];
    let mut rest = bytes;
    while let Some((first, behind)) = rest.split_first() {
        if rest.starts_with(&[0xff; 2]) {
            sections.push(Vec::new());
            rest = &rest[2..];
        } else {
            sections.last_mut().expect("one at least").push(*first);
            rest = behind;
        }
    }
    let mut file = b"INGLSESS".to_vec();
    file.extend(2u32.to_le_bytes());
    file.extend((sections[0].len() as u32).to_le_bytes());
    let mut checksum = XxHash64::oneshot(0, &file);
    for section in sections {
        checksum = XxHash64::oneshot(checksum, &section);
        file.extend(section);
        file.extend(checksum.to_le_bytes());
    }
    file
}
