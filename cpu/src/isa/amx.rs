//! x86-64 with AMX: products of small matrices of bytes.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;

use super::TileSums;

/// Matrices that are ready to be multiplied: of a panel of two vectors, with up to eight rows of x as two bytes each. No others are made
/// while they live.
#[derive(Debug)]
pub struct Tiles {
    /// Rows of x.
    rows: usize,
    /// Words of four columns each.
    words: usize,
}

/// What the processor is told of its matrices.
#[repr(C, align(64))]
struct Shapes([u8; 64]);

impl Tiles {
    /// Whether the processor has them, and lets this process use them.
    pub fn detect() -> bool {
        // AMX-TILE and AMX-INT8. Every processor with AVX2 has the leaf.
        const NEEDED: u32 = 1 << 24 | 1 << 25;
        // What the kernel has to be asked for, since it keeps 8 KiB more of each thread: arch_prctl(2).
        const ARCH_REQ_XCOMP_PERM: libc::c_ulong = 0x1023;
        const XFEATURE_XTILEDATA: libc::c_ulong = 18;
        let has_them = __cpuid_count(7, 0).edx & NEEDED == NEEDED;
        // SAFETY: it takes numbers alone, and changes nothing but what the process may use.
        has_them && unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) } == 0
    }

    /// Makes matrices ready for so many rows of x, 8 at most, and so many words of four columns, 8 at most.
    ///
    /// # Safety
    /// [`Tiles::detect`] has said that there are any.
    #[inline(always)]
    pub unsafe fn new(rows: usize, words: usize) -> Tiles {
        assert!((1..=8).contains(&rows) && (1..=8).contains(&words), "matrices have that much room");
        let mut shapes = Shapes([0; 64]);
        shapes.0[0] = 1;
        // Sums, x, weights: bytes of a row, and rows.
        let [sums, x, weights] = [(64, 2 * rows), (4 * words, 2 * rows), (64, words)];
        for (number, (bytes, rows)) in [sums, sums, x, weights, weights].into_iter().enumerate() {
            shapes.0[16 + 2 * number] = bytes as u8;
            shapes.0[48 + number] = rows as u8;
        }
        // SAFETY: there are matrices, and the shapes are ones that they can have.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &shapes, options(readonly, nostack, preserves_flags)) };
        Tiles { rows, words }
    }

    /// For how many rows of x they are ready.
    #[inline(always)]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// `sums[v][2 * i + j] = weights[v] · bytes j of row i of x`, where `weights` is `[2, words, 16]`, each word four signed bytes, and x has
    /// 32 high bytes, then 32 low ones in each row; those from byte `from` on are multiplied.
    #[inline(always)]
    pub fn multiply(&self, weights: &[u32], x: &[[u32; 16]], from: usize, sums: &mut TileSums) {
        let of_vector = self.words * 16;
        assert!(weights.len() == 2 * of_vector && x.len() == self.rows && from + 4 * self.words <= 32);
        // SAFETY: there are matrices, which have these shapes; memory is read and written as far as the slices go.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tileloadd tmm2, [{x} + {half}]",
                "tileloadd tmm3, [{first} + {line}]",
                "tdpbssd tmm0, tmm2, tmm3",
                "tileloadd tmm4, [{second} + {line}]",
                "tdpbssd tmm1, tmm2, tmm4",
                "tilestored [{sums} + {line}], tmm0",
                "tilestored [{sums} + {line} + 1024], tmm1",
                x = in(reg) x.as_ptr().cast::<u8>().add(from),
                first = in(reg) weights.as_ptr(),
                second = in(reg) weights.as_ptr().add(of_vector),
                sums = in(reg) sums.0.as_mut_ptr(),
                half = in(reg) 32usize,
                line = in(reg) 64usize,
                options(nostack, preserves_flags),
            );
        }
    }
}

impl Drop for Tiles {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: there are matrices.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
    }
}
