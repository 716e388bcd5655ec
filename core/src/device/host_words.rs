//! Words in host memory.

use std::ops::{Deref, DerefMut};

/// Words in host memory, zeros at first; the system gives pages only once they are used.
#[derive(Debug)]
pub enum HostWords {
    /// From the allocator.
    Allocated(Vec<u32>),
    /// In pages of their own.
    #[cfg(target_os = "linux")]
    Mapped(memmap2::MmapMut),
}

impl HostWords {
    /// So many. `None` where there is no such memory.
    pub fn zeroed(words: usize) -> Option<HostWords> {
        let words: Box<[u32]> = bytemuck::try_zeroed_slice_box(words).ok()?;
        Some(HostWords::Allocated(words.into_vec()))
    }

    /// So many, for what is read whole again and again: in huge pages where the system has them, so that the processor need not look up
    /// every 4 KiB where they are. A matrix may be smaller than a huge page: those that follow one another share it.
    pub fn in_huge_pages(words: usize) -> Option<HostWords> {
        #[cfg(target_os = "linux")]
        if let Ok(pages) = memmap2::MmapMut::map_anon(words.checked_mul(4)?) {
            // A system without them says so, and is no worse for having been asked.
            let _ = pages.advise(memmap2::Advice::HugePage);
            return Some(HostWords::Mapped(pages));
        }
        HostWords::zeroed(words)
    }
}

impl Default for HostWords {
    fn default() -> HostWords {
        HostWords::Allocated(Vec::new())
    }
}

impl Deref for HostWords {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        match self {
            HostWords::Allocated(words) => words,
            #[cfg(target_os = "linux")]
            HostWords::Mapped(pages) => bytemuck::cast_slice(pages),
        }
    }
}

impl DerefMut for HostWords {
    fn deref_mut(&mut self) -> &mut [u32] {
        match self {
            HostWords::Allocated(words) => words,
            #[cfg(target_os = "linux")]
            HostWords::Mapped(pages) => bytemuck::cast_slice_mut(pages),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_zeros_until_they_are_written_wherever_they_lie() {
        for make in [HostWords::zeroed, HostWords::in_huge_pages] {
            let mut words = make(100_003).expect("memory");
            assert_eq!(words.len(), 100_003);
            assert!(words.iter().all(|word| *word == 0));
            words[100_002] = 7;
            assert_eq!(words[100_001..], [0, 7]);
            assert!(make(usize::MAX / 4).is_none(), "no machine has so much");
        }
    }
}
