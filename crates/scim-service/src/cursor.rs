//! Cursors (RFC 9865): positions in a result, sealed so that a client can neither read nor make one.
//!
//! A cursor is bound to the tenant and the whole query by the authenticated data, and carries its count and expiry
//! inside. Nothing is kept on the server, so every server that shares the store accepts every other's cursors.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key as SealingKey, Nonce};
use scim_core::key::Key;
use scim_core::time::Timestamp;
use scim_core::{Error, ErrorKind, Result};
use scim_store::Position;
use sha2::{Digest, Sha256};

/// Where a walk has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Index of the resource type, where the query goes over several.
    pub(crate) part: u32,
    /// The last record of the page before, or `None` at the start of a part.
    pub(crate) position: Option<Position>,
}

/// Seals and opens cursors.
pub(crate) struct Seal {
    cipher: ChaCha20Poly1305,
    seconds: u32,
}

const NONCE: usize = 12;

impl Seal {
    /// A seal with a key that all servers on the store share. Cursors stay valid for `seconds`.
    pub(crate) fn new(key: &[u8; 32], seconds: u32) -> Self {
        Self { cipher: ChaCha20Poly1305::new(&SealingKey::from(*key)), seconds }
    }

    /// Seals a cursor for a query. `binding` holds everything that must be the same in the next request.
    pub(crate) fn seal(
        &self,
        cursor: &Cursor,
        binding: &Binding,
        count: usize,
        now: Timestamp,
        nonce: [u8; NONCE],
    ) -> Result<String> {
        let mut plain = Vec::with_capacity(96);
        plain.extend_from_slice(&now.plus_seconds(i64::from(self.seconds)).0.to_be_bytes());
        plain.extend_from_slice(&(count as u64).to_be_bytes());
        plain.extend_from_slice(&cursor.part.to_be_bytes());
        if let Some(position) = &cursor.position {
            let key = position.key.as_ref().map_or(&[][..], Key::as_bytes);
            plain.extend_from_slice(&(key.len() as u32).to_be_bytes());
            plain.extend_from_slice(key);
            plain.extend_from_slice(position.id.as_bytes());
        }
        let payload = Payload { msg: &plain, aad: &binding.0 };
        let sealed = self
            .cipher
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| Error::new(ErrorKind::Internal, "the cursor could not be sealed"))?;
        let mut bytes = nonce.to_vec();
        bytes.extend_from_slice(&sealed);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Opens a cursor.
    ///
    /// # Errors
    /// `invalidCursor` when it was not made for this query, `expiredCursor`, or `invalidCount` when the count differs.
    pub(crate) fn open(&self, text: &str, binding: &Binding, count: usize, now: Timestamp) -> Result<Cursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| foreign())?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE).ok_or_else(foreign)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| foreign())?;
        let payload = Payload { msg: sealed, aad: &binding.0 };
        let plain = self.cipher.decrypt(&Nonce::from(nonce), payload).map_err(|_| foreign())?;
        let mut rest = plain.as_slice();
        let expires = i64::from_be_bytes(take(&mut rest)?);
        let made_with = u64::from_be_bytes(take(&mut rest)?);
        let part = u32::from_be_bytes(take(&mut rest)?);
        if expires < now.0 {
            return Err(Error::new(ErrorKind::ExpiredCursor, "the cursor has expired")
                .remedy("start again without one, and ask for the next page sooner"));
        }
        if made_with != count as u64 {
            return Err(Error::new(
                ErrorKind::InvalidCount,
                format!("the cursor was made with a count of {made_with}"),
            )
            .remedy("keep `count` the same for all pages"));
        }
        if rest.is_empty() {
            return Ok(Cursor { part, position: None });
        }
        let length = u32::from_be_bytes(take(&mut rest)?) as usize;
        let (key, id) = rest.split_at_checked(length).ok_or_else(foreign)?;
        let key = (!key.is_empty()).then(|| Key::from_bytes(key));
        let id = String::from_utf8(id.to_vec()).map_err(|_| foreign())?;
        Ok(Cursor { part, position: Some(Position { key, id }) })
    }
}

/// A digest of everything that a cursor is bound to.
pub(crate) struct Binding([u8; 32]);

impl Binding {
    /// Digests the parts, so that no two different lists of parts give the same binding.
    pub(crate) fn new<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        Self(digest.finalize().into())
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N]> {
    let (head, tail) = rest.split_at_checked(N).ok_or_else(foreign)?;
    *rest = tail;
    head.try_into().map_err(|_| foreign())
}

fn foreign() -> Error {
    Error::new(ErrorKind::InvalidCursor, "the cursor was not made for this query")
        .remedy("repeat the query exactly, with the `nextCursor` of its last page, or start again with an empty cursor")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_for_its_own_query_only() {
        let seal = Seal::new(&[7; 32], 60);
        let binding = Binding::new(["tenant", "/Users", "title pr"]);
        for position in [
            None,
            Some(Position { key: None, id: "an-id".to_owned() }),
            Some(Position { key: Some(Key::text("ada")), id: "an-id".to_owned() }),
        ] {
            let cursor = Cursor { part: 3, position };
            let text = seal.seal(&cursor, &binding, 10, Timestamp(1000), [1; 12]).expect("sealed");
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            assert_eq!(seal.open(&text, &binding, 10, Timestamp(61_000)).expect("its own"), cursor);
            let kind = |result: Result<Cursor>| result.expect_err("refused").kind();
            assert_eq!(kind(seal.open(&text, &binding, 10, Timestamp(61_001))), ErrorKind::ExpiredCursor);
            assert_eq!(kind(seal.open(&text, &binding, 11, Timestamp(1000))), ErrorKind::InvalidCount);
            let other = Binding::new(["tenant", "/Userstitle", " pr"]);
            assert_eq!(kind(seal.open(&text, &other, 10, Timestamp(1000))), ErrorKind::InvalidCursor);
            let other_key = Seal::new(&[8; 32], 60);
            assert_eq!(kind(other_key.open(&text, &binding, 10, Timestamp(1000))), ErrorKind::InvalidCursor);
            let cut = text.get(..text.len() - 2).unwrap_or_default();
            assert_eq!(kind(seal.open(cut, &binding, 10, Timestamp(1000))), ErrorKind::InvalidCursor);
        }
        assert!(seal.open("", &binding, 10, Timestamp(0)).is_err());
    }
}
