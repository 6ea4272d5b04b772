//! How long a certificate holds. Clients refuse one that has ended, and say so to everybody but the operator.

use std::path::Path;
use std::time::Duration;

use scim_core::time::Timestamp;
use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{CertificateError, Error, RootCertStore};

use crate::Failure;

/// How long before its end a certificate is spoken of, at most: two weeks, in milliseconds.
const NOTICE: i64 = 14 * 24 * 60 * 60 * 1000;

/// The first and the last moment of a certificate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Validity {
    from: Timestamp,
    pub(crate) until: Timestamp,
}

impl Validity {
    /// What a certificate says of itself, if that can be read.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = ParsedCertificate::try_from(certificate).ok()?;
        let algorithms = ring::default_provider().signature_verification_algorithms.all;
        let nobody = RootCertStore::empty();
        // The verifier names a moment where it is exceeded, so it is asked at the beginning and at the end of time.
        let ask = |second| {
            let now = UnixTime::since_unix_epoch(Duration::from_secs(second));
            verify_server_cert_signed_by_trust_anchor(&parsed, &nobody, &[], now, algorithms)
        };
        match (ask(0), ask(u64::MAX)) {
            (
                Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })),
                Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })),
            ) => Some(Self { from: timestamp(not_before), until: timestamp(not_after) }),
            _ => None,
        }
    }

    /// Whether clients accept it.
    ///
    /// # Errors
    /// When they do not, or not yet.
    pub(crate) fn check(self, file: &Path, now: Timestamp) -> Result<(), Failure> {
        let Self { from, until } = self;
        let file = file.display();
        let refuse =
            |words: String| Err(Failure::Usage(format!("clients refuse the certificate in {file}: {words}")));
        if now > until {
            return refuse(format!("it has ended, at {until}; renew it"));
        }
        if now < from {
            return refuse(format!("it holds from {from} on, and here it is {now}; is the clock right?"));
        }
        Ok(())
    }

    /// Whether it ends soon, for a certificate that lasts as long as this one.
    fn ends_soon(self, now: Timestamp) -> bool {
        let notice = (self.until.0.saturating_sub(self.from.0) / 4).min(NOTICE);
        now.0 >= self.until.0.saturating_sub(notice)
    }

    /// Tells the log of a certificate that clients refuse, or will before long.
    pub(super) fn tell(self, file: &Path, now: Timestamp) {
        let certificate = file.display();
        match self.check(file, now) {
            Err(failure) => tracing::error!(%failure, "the certificate in force is of no use"),
            Ok(()) if self.ends_soon(now) => {
                let ends = self.until.to_string();
                tracing::warn!(%certificate, ends, "the certificate in force ends soon: renew it, then send SIGHUP");
            }
            Ok(()) => {}
        }
    }
}

fn timestamp(moment: UnixTime) -> Timestamp {
    Timestamp(0).plus_seconds(i64::try_from(moment.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn a_certificate_is_spoken_of_before_its_end() {
        let day = |day: i64| Timestamp(0).plus_seconds(day * 24 * 60 * 60);
        // Of the days since 1970, 20454 is the first of 2026.
        for (until, soon) in [((2026, 4, 1), 20_544 - 14), ((2026, 1, 9), 20_462 - 2)] {
            let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
            params.not_before = date_time_ymd(2026, 1, 1);
            params.not_after = date_time_ymd(until.0, until.1, until.2);
            let key = KeyPair::generate().expect("a key");
            let made = params.self_signed(&key).expect("a certificate");
            let validity = Validity::of(made.der()).expect("it says so");
            let check = |now: Timestamp| {
                validity.check(Path::new("a.pem"), now).map_err(|failure| failure.to_string())
            };
            assert_eq!(validity.from, day(20_454));
            let early = check(Timestamp(day(20_454).0 - 1)).expect_err("before it begins");
            assert!(early.contains("from 2026-01-01T00:00:00.000Z on"), "{early}");
            assert_eq!(check(day(20_454)), Ok(()));
            assert!(!validity.ends_soon(Timestamp(day(soon).0 - 1)) && validity.ends_soon(day(soon)));
            assert_eq!(check(validity.until), Ok(()));
            let late = check(Timestamp(validity.until.0 + 1)).expect_err("after it has ended");
            assert!(late.contains("a.pem: it has ended, at 2026-"), "{late}");
        }
    }
}
