//! What the device has computed and still holds.

/// Tokens whose keys and values stand in the cache from position 0 on, and whether the device is ready to choose the one behind them:
/// the forward pass over the last of them was the last of all.
#[derive(Debug, Default)]
pub(super) struct Computed {
    tokens: Vec<u32>,
    ready: bool,
}

impl Computed {
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    pub fn tokens(&self) -> impl Iterator<Item = u32> {
        self.tokens.iter().copied()
    }

    /// Keeps the first `len` tokens at most.
    pub fn truncate(&mut self, len: usize) {
        self.ready &= len >= self.tokens.len();
        self.tokens.truncate(len);
    }

    /// Keeps what another answer's `prompt` begins with; its length.
    pub fn keep_common(&mut self, prompt: &[u32]) -> usize {
        let same = self.tokens.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        self.truncate(same);
        self.ready = false;
        same
    }

    /// Adds tokens whose keys and values are computed behind those there.
    pub fn extend(&mut self, tokens: &[u32]) {
        self.tokens.extend_from_slice(tokens);
        self.ready = false;
    }

    /// Says whether the device is ready to choose the token behind the last.
    pub fn set_ready(&mut self, ready: bool) {
        self.ready = ready;
    }

    /// Whether it is, and `len` tokens are there.
    pub fn is_ready_at(&self, len: usize) -> bool {
        self.ready && self.tokens.len() == len
    }
}

#[cfg(test)]
mod tests {
    use super::Computed;

    #[test]
    fn the_device_is_ready_behind_the_last_token_only() {
        let mut computed = Computed::default();
        computed.extend(&[1, 2, 3]);
        assert!(!computed.is_ready_at(3), "nobody has said so");
        computed.set_ready(true);
        assert!(computed.is_ready_at(3) && !computed.is_ready_at(2));
        computed.truncate(3);
        assert!(computed.is_ready_at(3), "nothing is cut off");
        computed.truncate(2);
        assert!(!computed.is_ready_at(2));
        computed.set_ready(true);
        assert_eq!(computed.keep_common(&[1, 2, 7]), 2);
        assert!(!computed.is_ready_at(2), "the pass was another answer's");
    }
}
