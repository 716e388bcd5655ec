//! Means of samples, with how far they may be off.

/// A mean that grows by a sample at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Mean {
    count: u64,
    mean: f64,
    /// The sum of squared distances from the mean, by Welford's update, which loses nothing where they are small beside it.
    squares: f64,
}

impl Mean {
    /// Takes a sample in.
    pub fn add(&mut self, sample: f64) {
        self.count += 1;
        let before = sample - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (sample - self.mean);
    }

    /// How many samples there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their mean.
    pub fn value(&self) -> f64 {
        self.mean
    }

    /// The standard error of the mean; 0 of fewer than two samples.
    pub fn error(&self) -> f64 {
        match self.count {
            0 | 1 => 0.0,
            count => (self.squares / (count - 1) as f64 / count as f64).sqrt(),
        }
    }

    /// The exponential of the mean and its error to first order: the perplexity, where samples are negative log-likelihoods.
    pub fn exponential(&self) -> (f64, f64) {
        (self.mean.exp(), self.mean.exp() * self.error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_error_are_those_of_the_samples() {
        let mut mean = Mean::default();
        [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].into_iter().for_each(|sample| mean.add(sample + 1e9));
        assert_eq!((mean.count(), mean.value()), (8, 5.0 + 1e9));
        // The sum of squared distances is 32.
        assert!((mean.error() - (32.0f64 / 7.0 / 8.0).sqrt()).abs() < 1e-6, "{}", mean.error());
    }

    #[test]
    fn exponential_of_one_sample_has_no_error() {
        let mut mean = Mean::default();
        mean.add(2.0f64.ln());
        let (value, error) = mean.exponential();
        assert!((value - 2.0).abs() < 1e-12 && error == 0.0);
    }
}
