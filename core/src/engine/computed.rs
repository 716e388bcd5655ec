//! What the device has computed and still holds.

/// Tokens whose keys and values stand in the cache from position 0 on, and whether the logits on the device are those that follow
/// the last of them.
#[derive(Debug, Default)]
pub(super) struct Computed {
    tokens: Vec<u32>,
    logits: bool,
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
        self.logits &= len >= self.tokens.len();
        self.tokens.truncate(len);
    }

    /// Keeps what `prompt` begins with; its length. What logits there are belong to another answer.
    pub fn keep_common(&mut self, prompt: &[u32]) -> usize {
        let same = self.tokens.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        self.truncate(same);
        self.logits = false;
        same
    }

    /// Adds tokens whose keys and values are computed behind those there.
    pub fn extend(&mut self, tokens: &[u32]) {
        self.tokens.extend_from_slice(tokens);
        self.logits = false;
    }

    /// Says whether the logits on the device are those behind the last token.
    pub fn set_logits(&mut self, there: bool) {
        self.logits = there;
    }

    /// Whether logits are there that follow `len` tokens.
    pub fn has_logits_of(&self, len: usize) -> bool {
        self.logits && self.tokens.len() == len
    }
}

#[cfg(test)]
mod tests {
    use super::Computed;

    #[test]
    fn logits_are_those_of_the_last_token_only() {
        let mut computed = Computed::default();
        computed.extend(&[1, 2, 3]);
        assert!(!computed.has_logits_of(3), "nobody has said so");
        computed.set_logits(true);
        assert!(computed.has_logits_of(3) && !computed.has_logits_of(2));
        computed.truncate(3);
        assert!(computed.has_logits_of(3), "nothing is cut off");
        computed.truncate(2);
        assert!(!computed.has_logits_of(2));
        computed.set_logits(true);
        assert_eq!(computed.keep_common(&[1, 2, 7]), 2);
        assert!(!computed.has_logits_of(2), "they belong to another answer");
    }
}
