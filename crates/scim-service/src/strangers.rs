//! Requests whose credential is not accepted: as many a second as a tenant may send, and no more.
//!
//! They are counted by the name of the tenant that they are sent to, whether there is one or not, so that a flood of them tells
//! nothing of which there are. Names share a fixed number of buckets, since anybody can make names up. Whoever has a valid
//! credential never gets here, and is not kept waiting by those who have none.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use scim_core::time::Timestamp;

use crate::rate::{Bucket, Rate};

/// How many buckets there are.
const BUCKETS: usize = 256;

/// The buckets of all names.
pub(crate) struct Strangers {
    rate: Rate,
    /// Which names share a bucket is nobody's to know.
    places: RandomState,
    buckets: Mutex<Vec<Option<Bucket>>>,
}

impl Strangers {
    /// Full buckets.
    pub(crate) fn new(rate: Rate) -> Self {
        let buckets = std::iter::repeat_with(|| None).take(BUCKETS).collect();
        Self { rate, places: RandomState::new(), buckets: Mutex::new(buckets) }
    }

    /// Takes note of a request that is refused, or says after how many seconds another one may be sent to a tenant of this
    /// name.
    pub(crate) fn take(&self, name: &str, now: Timestamp) -> Result<(), u64> {
        let place = self.places.hash_one(name) as usize % BUCKETS;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.get_mut(place);
        bucket
            .map_or(Ok(()), |bucket| self.rate.take(bucket.get_or_insert_with(|| self.rate.bucket(now)), now))
    }
}
