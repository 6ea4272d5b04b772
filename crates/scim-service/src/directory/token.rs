//! The form of a token: `scim_`, an identifier of 8 characters, `_`, and 256 random bits.
//!
//! The prefix lets secret scanners find a token that leaked. The identifier finds its record and is no secret; the
//! rest is compared by its hash, in constant time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::TokenEntry;
use crate::environment::Environment;

/// What every token begins with.
const PREFIX: &str = "scim_";
const ID_LENGTH: usize = 8;
const SECRET_LENGTH: usize = 43;
/// 32 characters that no one mistakes for another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A hash of the secret part.
pub(super) type Hash = [u8; 32];

/// A token that was just drawn.
pub(super) struct Drawn {
    pub(super) id: String,
    pub(super) hash: Hash,
    /// All of it, to be shown once.
    pub(super) token: String,
}

impl Drawn {
    pub(super) fn new(environment: &dyn Environment) -> Self {
        let (mut name, mut random) = ([0; ID_LENGTH], [0; 32]);
        environment.fill(&mut name);
        environment.fill(&mut random);
        let letter = |byte: &u8| ALPHABET.get(usize::from(byte % 32)).copied().unwrap_or(b'a');
        let id: String = name.iter().map(letter).map(char::from).collect();
        let secret = URL_SAFE_NO_PAD.encode(random);
        Self { hash: hash(&secret), token: format!("{PREFIX}{id}_{secret}"), id }
    }
}

/// A token that somebody presents.
pub(super) struct Presented<'a> {
    pub(super) id: &'a str,
    secret: &'a str,
}

impl<'a> Presented<'a> {
    /// Takes a token apart; `None` when it cannot be one of ours.
    pub(super) fn parse(token: &'a str) -> Option<Self> {
        let (id, secret) = token.strip_prefix(PREFIX)?.split_once('_')?;
        let fits = is_id(id) && secret.len() == SECRET_LENGTH;
        fits.then_some(Self { id, secret })
    }

    /// Whether it is the token that the entry is about.
    pub(super) fn matches(&self, entry: &TokenEntry) -> bool {
        hash(self.secret).ct_eq(&entry.hash).into()
    }
}

/// Whether this could be the identifier of a token.
pub(super) fn is_id(text: &str) -> bool {
    // All letters are compared at once; a search would be begun for each.
    let is_letter = |byte: u8| ALPHABET.iter().fold(false, |found, letter| found | (*letter == byte));
    text.len() == ID_LENGTH && text.bytes().all(is_letter)
}

fn hash(secret: &str) -> Hash {
    Sha256::digest(secret.as_bytes()).into()
}
