//! inglenook
