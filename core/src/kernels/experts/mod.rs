//! Mixtures of experts: which experts a row goes to ([`route`]), their matmuls over the rows that chose them ([`matmul`]), and the sum of
//! what they give ([`sum`]). Nothing of it returns to the CPU, and only the chosen experts' weights are read.
//!
//! A *pair* is a row with one of its experts: pair `r · used + j` is the j-th expert of row `r`. Tensors between the matmuls have a row for
//! each pair. For many rows, pairs are first listed by expert ([`sort`]), so that an expert's weights are read once for all of them.

pub mod matmul;
pub mod route;
pub mod sort;
pub mod sum;
