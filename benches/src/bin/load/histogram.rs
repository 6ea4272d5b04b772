//! Latencies, counted: a histogram whose buckets are as wide as a 128th of what is in them. It keeps no single value.

use std::time::Duration;

/// Each octave has 2^7 buckets, so that a bucket is at most 0.8 % wide.
const BITS: u32 = 7;

/// How often each latency came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram {
    /// By bucket; as long as the largest value needs.
    counts: Vec<u64>,
    count: u64,
    largest: u64,
}

impl Histogram {
    pub(crate) fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let bucket = bucket(nanos);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.count += 1;
        self.largest = self.largest.max(nanos);
    }

    /// Takes in what another one has counted.
    pub(crate) fn add(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (own, other) in self.counts.iter_mut().zip(&other.counts) {
            *own += other;
        }
        self.count += other.count;
        self.largest = self.largest.max(other.largest);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The latency that this share of the values does not exceed, in microseconds, rounded up to the end of its bucket.
    /// `None` without values.
    pub(crate) fn percentile(&self, share: f64) -> Option<f64> {
        let rank = ((share * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Some(end(bucket).min(self.largest) as f64 / 1e3);
            }
        }
        None
    }

    /// The largest value, in microseconds.
    pub(crate) fn largest(&self) -> Option<f64> {
        (self.count > 0).then_some(self.largest as f64 / 1e3)
    }
}

/// Values below 2^(BITS + 1) have a bucket each; above, the leading BITS + 1 bits name the bucket.
fn bucket(nanos: u64) -> usize {
    let shift = (64 - BITS - 1).saturating_sub(nanos.leading_zeros());
    ((u64::from(shift) << BITS) + (nanos >> shift)) as usize
}

/// The largest value of a bucket.
fn end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket >> BITS).saturating_sub(1);
    let leading = bucket - (shift << BITS);
    (leading << shift) + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What sorting all values gives.
    fn naive(values: &[u64], share: f64) -> u64 {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        sorted[((share * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len()) - 1]
    }

    /// Values of every size, from 0 to hours.
    fn values(seed: u64, count: usize) -> Vec<u64> {
        let mut random = crate::random::Random(seed);
        (0..count).map(|_| random.next() >> (20 + random.below(44))).collect()
    }

    #[test]
    fn percentiles_are_those_of_sorted_values() {
        for seed in 1..=50 {
            let values = values(seed, 1 + 37 * seed as usize);
            let (first, second) = values.split_at(values.len() / 2);
            let mut histogram = Histogram::default();
            let mut other = Histogram::default();
            first.iter().for_each(|nanos| histogram.record(Duration::from_nanos(*nanos)));
            second.iter().for_each(|nanos| other.record(Duration::from_nanos(*nanos)));
            histogram.add(&other);
            assert_eq!(histogram.count(), values.len() as u64);
            for share in [0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0] {
                let exact = naive(&values, share) as f64 / 1e3;
                let counted = histogram.percentile(share).expect("there are values");
                assert!(
                    exact <= counted && counted <= exact * (1.0 + 1.0 / 128.0),
                    "seed {seed}, share {share}: {counted} for {exact}"
                );
            }
            assert_eq!(histogram.largest(), values.iter().max().map(|nanos| *nanos as f64 / 1e3));
        }
    }

    #[test]
    fn no_value_is_too_large_and_nothing_has_no_percentile() {
        assert_eq!(Histogram::default().percentile(0.5), None);
        let mut histogram = Histogram::default();
        histogram.record(Duration::MAX);
        assert_eq!(histogram.percentile(0.5), histogram.largest());
        for bucket in 0..7000 {
            assert_eq!(super::bucket(end(bucket)), bucket);
            assert_eq!(super::bucket(end(bucket) + 1), bucket + 1);
        }
    }
}
