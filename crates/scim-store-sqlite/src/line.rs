//! A line in which tenants take turns, before threads that take one thing after the other. It has an end: what waits by then
//! is still taken, and threads that find nothing any more are told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use scim_store::{Taken, Tenant, Turns};

/// What waits.
pub(crate) struct Line<T> {
    state: Mutex<State<T>>,
    more: Condvar,
    /// When the line was made.
    began: Instant,
    /// While it is held, how many milliseconds later that began; otherwise 0. Nothing is begun then until all that was begun is
    /// done, and for a moment after. Changed under the lock alone.
    held: AtomicU64,
}

struct State<T> {
    turns: Turns<T>,
    /// What was taken by [`Line::begin_next`] and is not done.
    begun: Taken,
    /// How many threads wait for something. Waking nobody would be a call into the kernel for everything that comes.
    idle: usize,
    /// Whether nothing will come any more.
    is_over: bool,
}

impl<T> Line<T> {
    /// One in which so much of each tenant can wait, and so much be begun and not done.
    pub(crate) fn new(most: usize, begun: usize) -> Self {
        let state = State { turns: Turns::new(most), begun: Taken::new(begun), idle: 0, is_over: false };
        Self {
            state: Mutex::new(state),
            more: Condvar::new(),
            began: Instant::now(),
            held: AtomicU64::new(0),
        }
    }

    /// Lets something wait. Whether there was room for it; otherwise it is dropped.
    pub(crate) fn push(&self, tenant: &Tenant, item: T) -> bool {
        let mut state = self.lock();
        let is_in = !state.is_over && state.turns.push(tenant, item).is_ok();
        let is_awaited = state.idle > 0;
        drop(state);
        if is_in && is_awaited {
            self.more.notify_one();
        }
        is_in
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().turns.waiting()
    }

    /// What is next, if there is anything.
    pub(crate) fn try_next(&self) -> Option<T> {
        self.lock().turns.pop()
    }

    /// What is next, once there is something. Nothing when there will be nothing any more.
    pub(crate) fn next(&self) -> Option<T> {
        self.once(|state| state.turns.pop())
    }

    /// What is next, if there is something by then.
    pub(crate) fn next_until(&self, until: Instant) -> Option<T> {
        let mut state = self.lock();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match state.turns.pop() {
                Some(item) => return Some(item),
                None if state.is_over || left.is_zero() => return None,
                None => {
                    state.idle += 1;
                    (state, _) = self.more.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
                    state.idle -= 1;
                }
            }
        }
    }

    /// As [`Line::next`], of a tenant of whom more may be begun, until it is [`Line::done`].
    pub(crate) fn begin_next(&self) -> Option<(Tenant, T)> {
        self.once(|State { turns, begun, is_over, .. }| {
            if self.is_held() && !*is_over {
                return None;
            }
            let (tenant, item) = turns.pop_of(|tenant| begun.may(tenant))?;
            begun.take(&tenant);
            Some((tenant, item))
        })
    }

    /// Something of the tenant is done. Whoever says so takes what is next, so that nobody has to be woken. If it was the last
    /// while the line is held, waits for it to be released, but no longer than that, unless somebody is on the way who will.
    pub(crate) fn done(&self, tenant: &Tenant, patience: Duration, is_coming: impl Fn() -> bool) {
        let mut state = self.lock();
        state.begun.give_back(tenant);
        if self.is_held() && state.begun.is_empty() {
            let still = |state: &mut State<T>| self.is_held() && !state.is_over;
            loop {
                let waited = self.more.wait_timeout_while(state, patience, still);
                let timed_out;
                (state, timed_out) = waited.unwrap_or_else(PoisonError::into_inner);
                if !timed_out.timed_out() || !is_coming() {
                    break;
                }
            }
            let was_held = self.free();
            drop(state);
            if was_held {
                self.more.notify_all();
            }
        }
    }

    /// Has nothing more be begun by [`Line::begin_next`] before all that was begun is done. Says whether it is: then the line
    /// has to be released.
    pub(crate) fn hold(&self) -> bool {
        let state = self.lock();
        if !self.is_held() {
            self.held.store(self.millis().max(1), Ordering::Relaxed);
        }
        state.begun.is_empty()
    }

    /// Lets things be begun again.
    pub(crate) fn release(&self) {
        let state = self.lock();
        let was_held = self.free();
        drop(state);
        if was_held {
            self.more.notify_all();
        }
    }

    /// Nothing will come any more.
    pub(crate) fn end(&self) {
        self.lock().is_over = true;
        self.more.notify_all();
    }

    /// Ends it, and drops what waits, once that is dropped: for a thread on which all depends, should it panic.
    pub(crate) fn closing(&self) -> Closing<'_, T> {
        Closing(self)
    }

    /// Whether it has been held for so long already.
    pub(crate) fn is_held_for(&self, time: Duration) -> bool {
        let held = self.held.load(Ordering::Relaxed);
        held != 0 && u128::from(self.millis().saturating_sub(held)) >= time.as_millis()
    }

    fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed) != 0
    }

    /// Holds it no longer. Whether it was held.
    fn free(&self) -> bool {
        self.held.swap(0, Ordering::Relaxed) != 0
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn once<R>(&self, take: impl Fn(&mut State<T>) -> Option<R>) -> Option<R> {
        let mut state = self.lock();
        loop {
            match take(&mut state) {
                Some(taken) => return Some(taken),
                None if state.is_over => return None,
                None => {
                    state.idle += 1;
                    state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.idle -= 1;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Line::closing`].
pub(crate) struct Closing<'a, T>(&'a Line<T>);

impl<T> Drop for Closing<'_, T> {
    fn drop(&mut self) {
        self.0.end();
        while self.0.try_next().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A disk may take longer for one transaction than who holds the line is otherwise waited for.
    #[test]
    fn who_is_on_the_way_is_waited_for() {
        let line = Line::new(1, 1);
        let tenant = Tenant::new("acme").expect("a name");
        assert!(line.push(&tenant, ()) && line.begin_next().is_some() && !line.hold());
        let asked = Cell::new(0);
        line.done(&tenant, Duration::from_millis(1), || {
            asked.set(asked.get() + 1);
            asked.get() < 3
        });
        assert_eq!(asked.get(), 3);
        assert!(line.push(&tenant, ()) && line.begin_next().is_some(), "it is not held for ever");
    }
}
