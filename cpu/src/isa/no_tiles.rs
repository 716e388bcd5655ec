//! Where there is no AMX.

use super::TileSums;

/// Matrices: none.
#[derive(Debug)]
pub enum Tiles {}

impl Tiles {
    /// Never called.
    #[inline(always)]
    pub fn rows(&self) -> usize {
        match *self {}
    }

    /// Never called.
    #[inline(always)]
    pub fn multiply(&self, _: &[u32], _: &[[u32; 16]], _: usize, _: &mut TileSums) {
        match *self {}
    }
}
