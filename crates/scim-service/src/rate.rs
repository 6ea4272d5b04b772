//! Rates: one token bucket for each tenant, so that no tenant can slow down another (RFC 6585 §4).
//!
//! Each server has buckets of its own and asks nobody. Where several serve one store, each tells it now and then what it
//! has served, learns what the tenant owes to all of them together, and takes that out of its own bucket as far as it is
//! not out already. So others can only take away, and who is told nothing goes on alone.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use scim_core::time::Timestamp;
use scim_store::{Spent, Tenant};

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy)]
pub(crate) struct Rate {
    per_second: f64,
    capacity: f64,
}

/// The buckets of all tenants.
pub(crate) struct Rates {
    rate: Rate,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    buckets: HashMap<Tenant, Bucket>,
    /// When it was last asked what others do not know.
    asked: Option<Timestamp>,
}

/// What somebody may still send.
pub(crate) struct Bucket {
    tokens: f64,
    at: Timestamp,
    /// What others do not know to be spent, and when the first of it was.
    untold: f64,
    since: Timestamp,
}

/// What is less than this part of a second's worth is not worth telling yet.
const WORTH: f64 = 0.1;
/// How long after it was spent others can still be told of it. What was served while the store was away stays between the
/// tenant and each server.
const MEMORY: Duration = Duration::from_secs(5);

/// How much older than the last request one is that tells that the clock was set. Until it is set back further, a bucket does
/// not fill.
const SET_BACK: Duration = Duration::from_secs(1);

impl Rate {
    /// Buckets that fill with `per_second` and hold `burst_seconds` worth of it.
    pub(crate) fn new(per_second: u32, burst_seconds: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, capacity: per_second * f64::from(burst_seconds.max(1)) }
    }

    /// A full bucket.
    pub(crate) fn bucket(self, now: Timestamp) -> Bucket {
        Bucket { tokens: self.capacity, at: now, untold: 0.0, since: now }
    }

    /// Takes one request out of a bucket, or says after how many seconds there will be one.
    pub(crate) fn take(self, bucket: &mut Bucket, now: Timestamp) -> Result<(), u64> {
        self.fill(bucket, now);
        if bucket.tokens >= 1.0 {
            bucket.spend(1.0);
            return Ok(());
        }
        Err((((1.0 - bucket.tokens) / self.per_second).ceil() as u64).max(1))
    }

    fn fill(self, bucket: &mut Bucket, now: Timestamp) {
        let elapsed = since(bucket.at, now).as_secs_f64();
        bucket.tokens = (bucket.tokens + elapsed * self.per_second).min(self.capacity);
        // A request may be a little older than the one before, by as long as its thread had to wait. Further back the clock
        // was set, and the bucket goes on filling from there, instead of waiting until that time has come again.
        let is_set_back = since(now, bucket.at) > SET_BACK;
        bucket.at = if is_set_back { now } else { bucket.at.max(now) };
    }
}

impl Rates {
    /// No bucket yet, for this rate.
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, state: Mutex::default() }
    }

    /// Takes one request out of a tenant's bucket, or says after how many seconds there will be one.
    pub(crate) fn take(&self, tenant: &Tenant, now: Timestamp) -> Result<(), u64> {
        let mut state = self.state();
        if !state.buckets.contains_key(tenant) {
            state.buckets.insert(tenant.clone(), self.rate.bucket(now));
        }
        state.buckets.get_mut(tenant).map_or(Ok(()), |bucket| self.rate.take(bucket, now))
    }

    /// Takes out more for a request that was let in and turns out to hold `count` operations. The bucket may run into
    /// debt, so that a large one is served, and those after it wait.
    pub(crate) fn charge(&self, tenant: &Tenant, count: usize) {
        if let Some(bucket) = self.state().buckets.get_mut(tenant) {
            bucket.spend(count.saturating_sub(1) as f64);
        }
    }

    /// What others have not been told yet. They count as told from now on.
    pub(crate) fn untold(&self, now: Timestamp) -> Vec<Spent> {
        let mut state = self.state();
        let State { buckets, asked } = &mut *state;
        let is_late = asked.replace(now).is_some_and(|asked| since(asked, now) > MEMORY);
        let worth = self.rate.per_second * WORTH;
        let untold = |(tenant, bucket): (&Tenant, &mut Bucket)| {
            if bucket.untold < worth && !is_late {
                return None;
            }
            let amount = std::mem::take(&mut bucket.untold) / self.rate.per_second;
            let amount = Duration::try_from_secs_f64(amount).unwrap_or_default();
            let within = since(bucket.since, now).min(MEMORY);
            (!is_late).then(|| Spent { by: tenant.as_str().to_owned(), amount, within })
        };
        buckets.iter_mut().filter_map(untold).collect()
    }

    /// Takes out what tenants owe to all servers, those that were named included.
    pub(crate) fn learn(&self, spent: &[Spent], owed: &[Duration], now: Timestamp) {
        let mut state = self.state();
        for (Spent { by, .. }, owed) in spent.iter().zip(owed) {
            let Some(bucket) = Tenant::new(by).ok().and_then(|tenant| state.buckets.get_mut(&tenant)) else {
                continue;
            };
            self.rate.fill(bucket, now);
            // What was spent since is not known to others yet.
            let left = self.rate.capacity - owed.as_secs_f64() * self.rate.per_second - bucket.untold;
            bucket.tokens = bucket.tokens.min(left);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    /// Takes out what was spent now.
    fn spend(&mut self, tokens: f64) {
        if self.untold <= 0.0 {
            self.since = self.at;
        }
        self.tokens -= tokens;
        self.untold += tokens;
    }
}

/// The time from one moment to another; none where the clock has stepped back.
fn since(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(to.0.saturating_sub(from.0).try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_gets_its_burst_and_then_its_rate() {
        let rates = Rates::new(Rate::new(2, 3));
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
    fn a_clock_that_is_set_back_stops_no_tenant() {
        let rates = Rates::new(Rate::new(2, 3));
        let (tenant, hour) = (Tenant::new("a").expect("name"), 3_600_000);
        for _ in 0..6 {
            assert_eq!(rates.take(&tenant, Timestamp(hour)), Ok(()));
        }
        for back in [0, hour - 2000] {
            assert_eq!(rates.take(&tenant, Timestamp(hour)), Err(1));
            assert_eq!(rates.take(&tenant, Timestamp(back)), Err(1), "it gives nothing either");
            assert_eq!(rates.take(&tenant, Timestamp(back + 500)), Ok(()));
            assert_eq!(rates.take(&tenant, Timestamp(back + 500)), Err(1));
            assert_eq!(rates.take(&tenant, Timestamp(hour)), Ok(()), "it was set forward again");
            while rates.take(&tenant, Timestamp(hour)).is_ok() {}
        }
    }

    #[test]
    fn a_bulk_request_counts_as_its_operations() {
        let rates = Rates::new(Rate::new(2, 3));
        let tenant = Tenant::new("a").expect("name");
        assert_eq!(rates.take(&tenant, Timestamp(0)), Ok(()));
        rates.charge(&tenant, 10);
        assert_eq!(rates.take(&tenant, Timestamp(0)), Err(3), "four in debt");
        assert_eq!(rates.take(&tenant, Timestamp(2000)), Err(1));
        assert_eq!(rates.take(&tenant, Timestamp(2500)), Ok(()));
    }

    /// Servers whose books are kept as a store keeps them.
    struct Servers {
        all: Vec<Rates>,
        /// When nothing is owed any more.
        until: f64,
    }

    impl Servers {
        fn share(&mut self, server: usize, now: Timestamp) {
            let spent = self.all[server].untold(now);
            let clock = now.0 as f64 / 1000.0;
            let owed: Vec<Duration> = spent
                .iter()
                .map(|Spent { amount, within, .. }| {
                    self.until = self.until.max(clock - within.as_secs_f64()) + amount.as_secs_f64();
                    Duration::from_secs_f64((self.until - clock).max(0.0))
                })
                .collect();
            self.all[server].learn(&spent, &owed, now);
        }
    }

    #[test]
    fn three_servers_let_in_what_one_would() {
        const RATE: u32 = 50;
        let tenant = Tenant::new("a").expect("name");
        for burst in [1, 10] {
            let mut servers = Servers {
                all: (0..3).map(|_| Rates::new(Rate::new(RATE, burst))).collect(),
                until: f64::MIN,
            };
            let mut admitted = Vec::new();
            // All three are asked every ten milliseconds, twice as often as one may be, and each tells once a second.
            for at in (0..120_000).step_by(10) {
                let now = Timestamp(at);
                for server in 0..3 {
                    if servers.all[server].take(&tenant, now).is_ok() {
                        admitted.push(at);
                    }
                    if at % 1000 == 300 * server as i64 {
                        servers.share(server, now);
                    }
                }
            }
            let within = |from: i64, to: i64| admitted.iter().filter(|at| (from..to).contains(at)).count();
            let worth = (RATE * (120 + burst)) as usize;
            assert!(within(0, 120_000) <= worth + 4 * RATE as usize, "{} and {worth}", within(0, 120_000));
            // Once the bursts are paid back, it is the rate that all of them give together.
            let later = within(60_000, 120_000);
            assert!((60 * 45..=60 * 55).contains(&later), "{later} in a minute");
        }
    }

    #[test]
    fn who_may_be_served_is_served_by_any() {
        const RATE: u32 = 50;
        let tenant = Tenant::new("a").expect("name");
        let mut servers =
            Servers { all: (0..3).map(|_| Rates::new(Rate::new(RATE, 2))).collect(), until: f64::MIN };
        // Nine tenths of the rate, by a balancer that takes turns.
        for (number, at) in (0..60_000).step_by(22).enumerate() {
            let (server, now) = (number % 3, Timestamp(at));
            assert_eq!(servers.all[server].take(&tenant, now), Ok(()), "at {at}");
            if number % 45 < 3 {
                servers.share(server, now);
            }
        }
    }

    #[test]
    fn a_server_that_is_told_nothing_goes_on_alone() {
        let rates = Rates::new(Rate::new(10, 2));
        let tenant = Tenant::new("a").expect("name");
        for _ in 0..20 {
            assert_eq!(rates.take(&tenant, Timestamp(0)), Ok(()));
        }
        assert_eq!(rates.untold(Timestamp(0)).len(), 1, "and the store is away");
        assert_eq!(rates.take(&tenant, Timestamp(0)), Err(1));
        assert_eq!(rates.take(&tenant, Timestamp(100)), Ok(()));
        // What is long past is not told, and what is next to nothing is not told yet.
        assert_eq!(rates.untold(Timestamp(60_000)), []);
        assert_eq!(rates.untold(Timestamp(60_000)), []);
        assert_eq!(rates.take(&tenant, Timestamp(60_500)), Ok(()));
        rates.charge(&tenant, 5);
        let [spent] = &rates.untold(Timestamp(61_000))[..] else { panic!("it is told") };
        assert_eq!((spent.amount, spent.within), (Duration::from_millis(500), Duration::from_millis(500)));
        // Others have spent a second's worth, and the tenant has five left; two are spent before that is known.
        rates.charge(&tenant, 3);
        rates.learn(std::slice::from_ref(spent), &[Duration::from_millis(1500)], Timestamp(61_000));
        for _ in 0..3 {
            assert_eq!(rates.take(&tenant, Timestamp(61_000)), Ok(()));
        }
        assert_eq!(rates.take(&tenant, Timestamp(61_000)), Err(1));
        // Nobody gives anything back.
        rates.learn(std::slice::from_ref(spent), &[Duration::ZERO], Timestamp(61_000));
        assert_eq!(rates.take(&tenant, Timestamp(61_000)), Err(1));
    }

    #[test]
    fn what_is_next_to_nothing_waits_until_it_is_more() {
        let rates = Rates::new(Rate::new(100, 10));
        let tenant = Tenant::new("a").expect("name");
        assert_eq!(rates.take(&tenant, Timestamp(0)), Ok(()));
        for second in 0..60 {
            assert_eq!(rates.untold(Timestamp(second * 1000)), []);
        }
        rates.charge(&tenant, 50);
        let [spent] = &rates.untold(Timestamp(60_000))[..] else { panic!("it is told") };
        assert_eq!((spent.amount, spent.within), (Duration::from_millis(500), MEMORY));
    }
}
