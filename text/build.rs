//! Writes Unicode's decompositions and combining classes for `src/tokenizer/normal_forms.rs`, in the order of characters and as differences,
//! so that they take 9 KB of what a page downloads. The tables of the crate they come from are in the order of a hash, and take 44 KB.

use std::path::PathBuf;
use std::{env, fs, io};

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, decompose_canonical, decompose_compatible};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("decompositions.bin"), decompositions())?;
    fs::write(out.join("combining_classes.bin"), combining_classes())
}

/// Of each character that has one: how many have none since the one before; four times the length, plus 0 where it is canonical and
/// composed again, 1 where it is canonical alone, 2 where it is one of compatibility; and each character less that in the same place before.
fn decompositions() -> Vec<u8> {
    let (mut bytes, mut next, mut before) = (Vec::new(), 0, [0; 18]);
    for c in (char::MIN..=char::MAX).filter(|c| !('\u{ac00}'..='\u{d7a3}').contains(c)) {
        let (mut canonical, mut compatible) = (Vec::new(), Vec::new());
        decompose_canonical(c, |part| canonical.push(part));
        decompose_compatible(c, |part| compatible.push(part));
        let (parts, kind) = match () {
            () if canonical != [c] => (canonical, usize::from(!std::iter::once(c).nfc().eq([c]))),
            () if compatible != [c] => (compatible, 2),
            () => continue,
        };
        write(&mut bytes, c as usize - next);
        next = c as usize + 1;
        write(&mut bytes, parts.len() * 4 + kind);
        for (part, before) in parts.iter().zip(&mut before) {
            let step = *part as i32 - std::mem::replace(before, *part as i32);
            // The sign in the lowest bit.
            write(&mut bytes, ((step << 1) ^ (step >> 31)) as usize);
        }
    }
    bytes
}

/// Runs of characters of one class other than 0: how many characters since the run before, how many in it, the class.
fn combining_classes() -> Vec<u8> {
    let mut runs: Vec<(usize, usize, u8)> = Vec::new();
    for c in char::MIN..=char::MAX {
        match (canonical_combining_class(c), runs.last_mut()) {
            (0, _) => {}
            (class, Some((first, count, same))) if class == *same && *first + *count == c as usize => *count += 1,
            (class, _) => runs.push((c as usize, 1, class)),
        }
    }
    let (mut bytes, mut next) = (Vec::new(), 0);
    for (first, count, class) in runs {
        write(&mut bytes, first - next);
        write(&mut bytes, count);
        write(&mut bytes, class.into());
        next = first + count;
    }
    bytes
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn write(bytes: &mut Vec<u8>, mut number: usize) {
    while number > 127 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
}
