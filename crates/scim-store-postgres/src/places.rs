//! Places for what takes long, fewer than there are connections. Whoever finds all taken waits, and tenants take turns.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use scim_store::{Tenant, Turns};
use tokio::sync::oneshot;

/// All places.
pub(crate) struct Places(Mutex<State>);

struct State {
    free: usize,
    waiting: Turns<oneshot::Sender<Place>>,
}

/// A place that is taken, until this is dropped.
pub(crate) struct Place(Option<Arc<Places>>);

impl Places {
    /// So many, for which so many of each tenant can wait.
    pub(crate) fn new(count: usize, most: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { free: count, waiting: Turns::new(most) })))
    }

    /// A place, once there is one for this tenant. Whoever drops the future does not wait any more. Nothing where too many
    /// of the tenant wait already.
    pub(crate) async fn take(self: &Arc<Self>, tenant: &Tenant) -> Option<Place> {
        let given = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Some(Place(Some(Arc::clone(self))));
            }
            let (give, given) = oneshot::channel();
            state.waiting.push(tenant, give).ok()?;
            given
        };
        given.await.ok()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    /// It goes to whoever is next and still waits.
    fn drop(&mut self) {
        let Some(places) = self.0.take() else { return };
        loop {
            let next = {
                let mut state = places.lock();
                let next = state.waiting.pop();
                state.free += usize::from(next.is_none());
                next
            };
            match next.map(|next| next.send(Place(Some(Arc::clone(&places))))) {
                None | Some(Ok(())) => return,
                // It is still ours, to be given to another.
                Some(Err(mut refused)) => drop(refused.0.take()),
            }
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
        let places = Places::new(1, 3);
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
}
