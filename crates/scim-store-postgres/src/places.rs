//! Places: one for each connection, and fewer for what takes long. Whoever finds all taken waits, and tenants take turns.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use scim_store::{Taken, Tenant, Turns};
use tokio::sync::oneshot;

/// All places.
pub(crate) struct Places(Mutex<State>);

struct State {
    free: usize,
    taken: Taken,
    waiting: Turns<oneshot::Sender<Place>>,
}

/// A place that is taken, until this is dropped.
pub(crate) struct Place(Option<(Arc<Places>, Tenant)>);

impl Places {
    /// So many, of which one tenant can have so many, and for which so many of each tenant can wait.
    pub(crate) fn new(count: usize, each: usize, most: usize) -> Arc<Self> {
        let state = State { free: count, taken: Taken::new(each), waiting: Turns::new(most) };
        Arc::new(Self(Mutex::new(state)))
    }

    /// A place, once there is one for this tenant. Whoever drops the future does not wait any more. Nothing where too many
    /// of the tenant wait already.
    pub(crate) async fn take(self: &Arc<Self>, tenant: &Tenant) -> Option<Place> {
        let given = {
            let mut state = self.lock();
            if state.free > 0 && state.taken.may(tenant) {
                state.free -= 1;
                state.taken.take(tenant);
                return Some(Place(Some((Arc::clone(self), tenant.clone()))));
            }
            let (give, given) = oneshot::channel();
            state.waiting.push(tenant, give).ok()?;
            given
        };
        given.await.ok()
    }

    /// How many are free, and how many wait for one.
    pub(crate) fn free_and_waiting(&self) -> (usize, usize) {
        let state = self.lock();
        (state.free, state.waiting.waiting())
    }

    /// Takes back a place of this tenant, which goes to whoever is next.
    fn next_after(&self, tenant: &Tenant) -> Option<(Tenant, oneshot::Sender<Place>)> {
        let State { free, taken, waiting } = &mut *self.lock();
        taken.give_back(tenant);
        let next = waiting.pop_of(|tenant| taken.may(tenant));
        match &next {
            Some((tenant, _)) => taken.take(tenant),
            None => *free += 1,
        }
        next
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    /// It goes to whoever is next and still waits.
    fn drop(&mut self) {
        let Some((places, mut tenant)) = self.0.take() else { return };
        while let Some((next, give)) = places.next_after(&tenant) {
            match give.send(Place(Some((Arc::clone(&places), next.clone())))) {
                Ok(()) => return,
                // It is still ours, to be given to another.
                Err(mut refused) => drop(refused.0.take()),
            }
            tenant = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_place_goes_to_whoever_is_next_and_still_waits() {
        let [loud, quiet] = ["loud", "quiet"].map(|name| Tenant::new(name).expect("a name"));
        let places = Places::new(1, 1, 3);
        let Poll::Ready(Some(place)) = poll(pin!(places.take(&loud))) else { panic!("it is free") };
        let mut first = pin!(places.take(&loud));
        let mut third = Box::pin(places.take(&loud));
        let mut second = pin!(places.take(&quiet));
        let mut fourth = pin!(places.take(&loud));
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(third.as_mut()).is_pending());
        assert!(poll(fourth.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        assert!(matches!(poll(pin!(places.take(&loud))), Poll::Ready(None)), "three wait");
        drop(place);
        let Poll::Ready(Some(place)) = poll(first.as_mut()) else { panic!("it is the first") };
        assert!(poll(second.as_mut()).is_pending());
        drop(third);
        drop(place);
        let Poll::Ready(Some(place)) = poll(second.as_mut()) else { panic!("it is the turn of the other") };
        assert!(poll(fourth.as_mut()).is_pending());
        drop(place);
        let Poll::Ready(Some(place)) = poll(fourth.as_mut()) else { panic!("who was before has gone") };
        drop(place);
        assert!(matches!(poll(pin!(places.take(&quiet))), Poll::Ready(Some(_))), "it is free again");
        assert_eq!(places.lock().free, 1);
    }

    #[test]
    fn one_place_is_kept_from_each_tenant() {
        let [loud, quiet] = ["loud", "quiet"].map(|name| Tenant::new(name).expect("a name"));
        let places = Places::new(2, 1, 3);
        let Poll::Ready(Some(of_loud)) = poll(pin!(places.take(&loud))) else { panic!("it is free") };
        let mut more = pin!(places.take(&loud));
        assert!(poll(more.as_mut()).is_pending(), "there is one, for others");
        let Poll::Ready(Some(of_quiet)) = poll(pin!(places.take(&quiet))) else { panic!("it is free") };
        drop(of_quiet);
        assert!(poll(more.as_mut()).is_pending());
        drop(of_loud);
        let Poll::Ready(Some(of_loud)) = poll(more.as_mut()) else { panic!("it has none") };
        drop(of_loud);
        let state = places.lock();
        assert!(state.free == 2 && state.taken.may(&loud));
    }
}
