//! Ids for calls whose text carries none, in the form that the format's models know from training.

/// The form of a format's ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdForm {
    /// `call_` and 16 hexadecimal digits.
    Call,
    /// Nine letters and digits: Mistral's templates refuse any other.
    Nine,
    /// `functions.NAME:INDEX`, as Kimi counts.
    Counted,
}

/// Makes ids. The same seed gives the same ids.
#[derive(Debug)]
pub(super) struct Ids {
    form: IdForm,
    seed: u64,
}

impl Ids {
    pub fn new(form: IdForm, seed: u64) -> Self {
        Self { form, seed }
    }

    /// The id of the call `index` of the answer, to the tool `name`.
    pub fn make(&self, index: u32, name: &str) -> String {
        let mixed = mix(self.seed ^ mix(u64::from(index) + 1));
        match self.form {
            IdForm::Call => format!("call_{mixed:016x}"),
            IdForm::Nine => nine(mixed),
            IdForm::Counted => format!("functions.{name}:{index}"),
        }
    }
}

/// Nine digits of `number` to the base 62.
fn nine(mut number: u64) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let digit = |_| {
        let digit = DIGITS[(number % 62) as usize];
        number /= 62;
        char::from(digit)
    };
    (0..9).map(digit).collect()
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): one bit changed in changes half of the bits out.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_tool_call_format_s_form_and_follow_from_the_seed() {
        let call = Ids::new(IdForm::Call, 7);
        assert_eq!(call.make(0, "f"), Ids::new(IdForm::Call, 7).make(0, "f"));
        assert_ne!(call.make(0, "f"), call.make(1, "f"));
        assert_ne!(call.make(0, "f"), Ids::new(IdForm::Call, 8).make(0, "f"));
        assert_eq!(call.make(0, "f").len(), "call_".len() + 16);
        let nine = Ids::new(IdForm::Nine, 7).make(3, "f");
        assert!(nine.len() == 9 && nine.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{nine}");
        assert_eq!(Ids::new(IdForm::Counted, 7).make(3, "f"), "functions.f:3");
    }
}
