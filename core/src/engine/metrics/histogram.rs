//! Times in buckets that grow by a constant factor: quantiles to within 9 %, in a fixed amount of memory.

use std::sync::LazyLock;

use serde::{Serialize, Serializer};

/// Upper bound of the first bucket.
const LOWEST_MS: f64 = 0.01;
/// Buckets from a bound to its double.
const PER_OCTAVE: usize = 8;
/// The last bound is 45 minutes.
const OCTAVES: usize = 28;
const BOUNDS: usize = PER_OCTAVE * OCTAVES + 1;

static BOUNDS_MS: LazyLock<[f64; BOUNDS]> =
    LazyLock::new(|| std::array::from_fn(|at| LOWEST_MS * 2f64.powf(at as f64 / PER_OCTAVE as f64)));

/// How often which times were seen, in milliseconds.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    /// Empty before the first time, then one count a bound and one for what is above the last.
    counts: Vec<u64>,
    count: u64,
    sum: f64,
    max: f64,
}

/// What people ask of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Summary {
    /// How many times were seen.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// Half of them were at most this long.
    pub p50: f64,
    /// 95 % were.
    pub p95: f64,
    /// 99 % were.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Histogram {
    /// Adds a time. One below 0, which a clock that was set back gives, counts as 0; one that is no number is left out.
    pub fn record(&mut self, ms: f64) {
        if ms.is_finite() {
            let ms = ms.max(0.0);
            let bucket = BOUNDS_MS.partition_point(|bound| *bound < ms);
            self.counts.resize(BOUNDS + 1, 0);
            self.counts[bucket] += 1;
            self.count += 1;
            self.sum += ms;
            self.max = self.max.max(ms);
        }
    }

    /// Adds all times of another.
    pub fn merge(&mut self, other: &Histogram) {
        if other.count > 0 {
            self.counts.resize(BOUNDS + 1, 0);
            self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
            self.count += other.count;
            self.sum += other.sum;
            self.max = self.max.max(other.max);
        }
    }

    /// How many times were seen.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// All times together.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// A time that the share `q` (0 to 1) of all is not above: the bound of its bucket, so at most 9 % too long. 0 without times.
    pub fn quantile(&self, q: f64) -> f64 {
        let rank = ((q * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        at.map_or(0.0, |at| BOUNDS_MS.get(at).map_or(self.max, |bound| bound.min(self.max)))
    }

    /// Count, mean and quantiles.
    pub fn summary(&self) -> Summary {
        Summary {
            count: self.count,
            mean: if self.count > 0 { self.sum / self.count as f64 } else { 0.0 },
            p50: self.quantile(0.5),
            p95: self.quantile(0.95),
            p99: self.quantile(0.99),
            max: self.max,
        }
    }

    /// Bounds that double, each with how many times were not above it.
    pub fn octaves(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut seen = 0;
        let mut counted = 0;
        (0..=OCTAVES).map(move |octave| {
            let at = octave * PER_OCTAVE;
            seen += self.counts.iter().take(at + 1).skip(counted).sum::<u64>();
            counted = at + 1;
            (BOUNDS_MS[at], seen)
        })
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.summary().serialize(serializer)
    }
}
