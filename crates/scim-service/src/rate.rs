//! Rates: one token bucket for each tenant, so that no tenant can slow down another (RFC 6585 §4).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use scim_core::time::Timestamp;
use scim_store::Tenant;

/// The buckets of all tenants.
pub(crate) struct Rates {
    per_second: f64,
    capacity: f64,
    buckets: Mutex<HashMap<Tenant, Bucket>>,
}

struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Rates {
    /// Buckets that fill with `per_second` and hold `burst_seconds` worth of it.
    pub(crate) fn new(per_second: u32, burst_seconds: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        let capacity = per_second * f64::from(burst_seconds.max(1));
        Self { per_second, capacity, buckets: Mutex::new(HashMap::new()) }
    }

    /// Takes one request out of a tenant's bucket, or says after how many seconds there will be one.
    pub(crate) fn take(&self, tenant: &Tenant, now: Timestamp) -> Result<(), u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.contains_key(tenant) {
            buckets.insert(tenant.clone(), Bucket { tokens: self.capacity, at: now });
        }
        let Some(bucket) = buckets.get_mut(tenant) else { return Ok(()) };
        let elapsed = (now.0 - bucket.at.0).max(0) as f64 / 1000.0;
        bucket.tokens = (bucket.tokens + elapsed * self.per_second).min(self.capacity);
        bucket.at = bucket.at.max(now);
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        Err((((1.0 - bucket.tokens) / self.per_second).ceil() as u64).max(1))
    }

    /// Takes out more for a request that was let in and turns out to hold `count` operations. The bucket may run into
    /// debt, so that a large one is served, and those after it wait.
    pub(crate) fn charge(&self, tenant: &Tenant, count: usize) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(tenant) {
            bucket.tokens -= count.saturating_sub(1) as f64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_gets_its_burst_and_then_its_rate() {
        let rates = Rates::new(2, 3);
        let (a, b) = (Tenant::new("a").expect("name"), Tenant::new("b").expect("name"));
        for _ in 0..6 {
            assert_eq!(rates.take(&a, Timestamp(0)), Ok(()));
        }
        assert_eq!(rates.take(&a, Timestamp(0)), Err(1));
        assert_eq!(rates.take(&b, Timestamp(0)), Ok(()), "another tenant is not affected");
        assert_eq!(rates.take(&a, Timestamp(500)), Ok(()));
        assert_eq!(rates.take(&a, Timestamp(500)), Err(1));
        assert_eq!(rates.take(&a, Timestamp(0)), Err(1), "a clock that steps back gives nothing");
    }

    #[test]
    fn a_bulk_request_counts_as_its_operations() {
        let rates = Rates::new(2, 3);
        let tenant = Tenant::new("a").expect("name");
        assert_eq!(rates.take(&tenant, Timestamp(0)), Ok(()));
        rates.charge(&tenant, 10);
        assert_eq!(rates.take(&tenant, Timestamp(0)), Err(3), "four in debt");
        assert_eq!(rates.take(&tenant, Timestamp(2000)), Err(1));
        assert_eq!(rates.take(&tenant, Timestamp(2500)), Ok(()));
    }
}
