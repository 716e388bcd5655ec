//! How a tensor is cut: into pieces of whole rows, or of one row, small enough that memory holds many.

use inglenook::format::converted::LONGEST_ROW;

/// Weights that are converted by one thread at a time.
const PIECE: u64 = LONGEST_ROW;

/// Some weights that lie one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Where they begin, in rows and columns.
    pub row: u64,
    pub column: u64,
    /// How many rows there are, and how long they are: all of it but for rows that are cut.
    pub rows: u64,
    pub columns: u64,
}

impl Piece {
    pub fn weights(&self) -> u64 {
        self.rows * self.columns
    }
}

/// The pieces of a matrix, in order. No piece has rows from both sides of a multiple of `together`; rows are cut at multiples of 256.
pub fn pieces(row_len: u64, rows: u64, together: u64) -> impl Iterator<Item = Piece> {
    let mut at = (0, 0);
    std::iter::from_fn(move || {
        let (row, column) = at;
        if row == rows {
            return None;
        }
        if row_len > PIECE {
            let columns = PIECE.min(row_len - column);
            at = if column + columns == row_len { (row + 1, 0) } else { (row, column + columns) };
            return Some(Piece { row, column, rows: 1, columns });
        }
        let count = (PIECE / row_len).min(rows - row).min(together - row % together);
        at.0 += count;
        Some(Piece { row, column, rows: count, columns: row_len })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_a_matrix_in_order() {
        let shapes = [(1, 1, 1), (576, 1000, 1000), (576, 1000, 100), (65_536, 3, 3), (65_537, 2, 2), (200_000, 3, 1)];
        for (row_len, rows, together) in shapes {
            let mut next = 0;
            for piece in pieces(row_len, rows, together) {
                assert_eq!(piece.row * row_len + piece.column, next, "{row_len} {rows}");
                assert!(piece.weights() <= PIECE && piece.column % 256 == 0);
                assert_eq!(piece.row / together, (piece.row + piece.rows - 1) / together);
                next += piece.weights();
            }
            assert_eq!(next, row_len * rows);
        }
    }
}
