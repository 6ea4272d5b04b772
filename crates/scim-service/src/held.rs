//! What requests hold in memory for as long as clients like: bodies that arrive slowly, and answers that are not taken, be
//! it that a client reads a byte now and then, or that it opens no window over HTTP/2. Those of one tenant have a bound
//! together. It refuses and lets nobody wait, and it does not know what the bytes are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use scim_core::{Error, ErrorKind, Result};
use scim_store::Tenant;

/// What is not worth counting, as the answer that shows one user: servers bound the number of connections and streams.
pub(crate) const SMALL: usize = 4 * 1024;

/// What the requests of all tenants hold.
#[derive(Debug)]
pub(crate) struct Held {
    most: usize,
    by_tenant: Mutex<HashMap<Tenant, usize>>,
}

/// What one body or answer of a tenant holds, until this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    bytes: usize,
    /// How many of them are counted: none as long as there are few.
    counted: usize,
    held: Arc<Held>,
    tenant: Tenant,
}

impl Held {
    /// Each tenant has room for so many bytes, or for a single body or answer of any size.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, by_tenant: Mutex::default() })
    }

    /// For something that holds nothing yet.
    pub(crate) fn share(self: &Arc<Self>, tenant: &Tenant) -> Share {
        Share { bytes: 0, counted: 0, held: Arc::clone(self), tenant: tenant.clone() }
    }

    /// The answer, which is held until nothing has a part of it any more.
    ///
    /// # Errors
    /// As [`Share::grow`].
    pub(crate) fn keep(self: &Arc<Self>, tenant: &Tenant, answer: Bytes) -> Result<Bytes> {
        let mut share = self.share(tenant);
        share.grow(answer.len())?;
        Ok(match share.counted {
            0 => answer,
            _ => Bytes::from_owner(Kept { answer, _share: share }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Tenant, usize>> {
        self.by_tenant.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Room for so many bytes more.
    ///
    /// # Errors
    /// `Unavailable` when the tenant has no room for them.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes <= SMALL {
            return Ok(());
        }
        let more = self.bytes - self.counted;
        let mut by_tenant = self.held.lock();
        let all = by_tenant.get(&self.tenant).copied().unwrap_or_default();
        let with_it = all.saturating_add(more);
        if all > self.counted && with_it > self.held.most {
            let words = "the clients of this tenant send or leave unread too much at once";
            return Err(Error::new(ErrorKind::Unavailable, words)
                .remedy("read what was answered, and try again; the outcome of a write is not known"));
        }
        by_tenant.insert(self.tenant.clone(), with_it);
        self.counted = self.bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.counted == 0 {
            return;
        }
        let mut by_tenant = self.held.lock();
        if let Some(held) = by_tenant.get_mut(&self.tenant) {
            *held = held.saturating_sub(self.counted);
            if *held == 0 {
                by_tenant.remove(&self.tenant);
            }
        }
    }
}

/// An answer and its share.
struct Kept {
    answer: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_room_until_it_takes_what_is_there() {
        let held = Held::new(10_000);
        let (a, b) = (Tenant::new("a").expect("a name"), Tenant::new("b").expect("a name"));
        let answer = |size: usize| Bytes::from(vec![b'x'; size]);
        let whole = held.keep(&a, answer(20_000)).expect("a single one of any size");
        assert_eq!(whole, answer(20_000));
        assert_eq!(held.keep(&a, answer(5000)).expect_err("no room").kind(), ErrorKind::Unavailable);
        assert!(held.keep(&a, answer(SMALL)).is_ok(), "that is not counted");
        let other = held.keep(&b, answer(5000)).expect("another tenant has room of its own");
        let part = whole.slice(..1);
        drop(whole);
        assert!(held.keep(&a, answer(5000)).is_err(), "a part of it is still there");
        drop(part);
        let one = held.keep(&a, answer(5000)).expect("there is room");
        let mut body = held.share(&a);
        for _ in 0..5 {
            body.grow(1000).expect("there is room");
        }
        assert!(body.grow(1000).is_err() && held.keep(&a, answer(5000)).is_err());
        drop(one);
        body.grow(20_000).expect("a single one of any size");
        drop((body, other));
        assert!(held.lock().is_empty());
    }
}
