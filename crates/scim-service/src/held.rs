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

/// Bytes of a tenant that are held until this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    bytes: usize,
    of: Option<(Arc<Held>, Tenant)>,
}

impl Held {
    /// Each tenant has room for so many bytes, or for a single body or answer of any size.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, by_tenant: Mutex::default() })
    }

    /// Room for so many bytes more.
    ///
    /// # Errors
    /// `Unavailable` when the tenant has no room for them.
    pub(crate) fn take(self: &Arc<Self>, tenant: &Tenant, bytes: usize) -> Result<Share> {
        if bytes <= SMALL {
            return Ok(Share { bytes, of: None });
        }
        let mut by_tenant = self.lock();
        let held = by_tenant.get(tenant).copied().unwrap_or_default();
        let with_it = held.saturating_add(bytes);
        if held > 0 && with_it > self.most {
            let words = "the clients of this tenant send or leave unread too much at once";
            return Err(Error::new(ErrorKind::Unavailable, words)
                .remedy("read what was answered, and try again; the outcome of a write is not known"));
        }
        by_tenant.insert(tenant.clone(), with_it);
        Ok(Share { bytes, of: Some((Arc::clone(self), tenant.clone())) })
    }

    /// The answer, which is held until nothing has a part of it any more.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(crate) fn keep(self: &Arc<Self>, tenant: &Tenant, answer: Bytes) -> Result<Bytes> {
        let share = self.take(tenant, answer.len())?;
        Ok(match share.of {
            Some(_) => Bytes::from_owner(Kept { answer, _share: share }),
            None => answer,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Tenant, usize>> {
        self.by_tenant.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some((held, tenant)) = self.of.take() else { return };
        let mut by_tenant = held.lock();
        if let Some(held) = by_tenant.get_mut(&tenant) {
            *held = held.saturating_sub(self.bytes);
            if *held == 0 {
                by_tenant.remove(&tenant);
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
        assert!(held.take(&a, 5000).is_err(), "a part of it is still there");
        drop(part);
        let (one, two) = (held.keep(&a, answer(5000)), held.take(&a, 5000));
        assert!(one.is_ok() && two.is_ok() && held.keep(&a, answer(5000)).is_err());
        drop((one, two, other));
        assert!(held.lock().is_empty());
    }
}
