//! Argon2id hashes of passwords, computed away from the threads that serve requests.
//!
//! Each takes 19 MiB and some 20 ms, so that only a few are computed at once and only so many wait.

use std::sync::Arc;

use argon2::password_hash::SaltString;
use argon2::{Argon2, PasswordHasher as _};
use scim_service::PasswordHasher;
use scim_service::environment::Environment;
use scim_store::{Pending, StoreError};
use tokio::sync::Semaphore;

/// How many may wait for each one that is computed.
const WAITING: usize = 16;

/// Hashes passwords with Argon2id.
pub struct Argon2id {
    environment: Arc<dyn Environment>,
    computing: Arc<Semaphore>,
    admitted: Semaphore,
}

impl Argon2id {
    /// A hasher that computes at most `parallel` hashes at once.
    pub fn new(environment: Arc<dyn Environment>, parallel: usize) -> Self {
        Self {
            environment,
            computing: Arc::new(Semaphore::new(parallel)),
            admitted: Semaphore::new(parallel.saturating_mul(WAITING)),
        }
    }
}

impl PasswordHasher for Argon2id {
    fn hash(&self, password: String) -> Pending<'_, String, StoreError> {
        Box::pin(async move {
            let busy = || StoreError::Unavailable("too many passwords are being hashed".into());
            let _admitted = self.admitted.try_acquire().map_err(|_| busy())?;
            let permit = Arc::clone(&self.computing).acquire_owned().await.map_err(|_| busy())?;
            let mut salt = [0; 16];
            self.environment.fill(&mut salt);
            let work = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                let salt = SaltString::encode_b64(&salt).map_err(|error| error.to_string())?;
                let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
                hash.map(|hash| hash.to_string()).map_err(|error| error.to_string())
            });
            let result = work.await.map_err(|error| StoreError::Fault(error.into()))?;
            result.map_err(|message| StoreError::Fault(message.into()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::System;

    #[tokio::test]
    async fn a_hash_is_salted_and_verifies() {
        use argon2::{PasswordHash, PasswordVerifier};

        let hasher = Argon2id::new(Arc::new(System), 1);
        let first = hasher.hash("correct horse".to_owned()).await.expect("hashed");
        let second = hasher.hash("correct horse".to_owned()).await.expect("hashed");
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        assert_ne!(first, second);
        let parsed = PasswordHash::new(&first).expect("a PHC string");
        assert!(Argon2::default().verify_password(b"correct horse", &parsed).is_ok());
        assert!(Argon2::default().verify_password(b"battery staple", &parsed).is_err());
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let hasher = Argon2id::new(Arc::new(System), 0);
        assert!(matches!(hasher.hash("x".to_owned()).await, Err(StoreError::Unavailable(_))));
    }
}
