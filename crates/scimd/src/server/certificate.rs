//! What clients make of the certificate: how long it holds, for which names, and who issued it. They refuse one that does not
//! suit them, and say so to everybody but the operator.

use std::time::Duration;

use scim_core::time::Timestamp;
use tokio_rustls::rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{CertificateError, Error, RootCertStore};

use crate::Failure;
use crate::config::Tls;

/// How long before its end a certificate is spoken of, at most: two weeks, in milliseconds.
const NOTICE: i64 = 14 * 24 * 60 * 60 * 1000;

/// The server's own certificate.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    der: CertificateDer<'static>,
    /// Its first moment.
    from: Timestamp,
    /// Its last moment.
    pub(crate) until: Timestamp,
    /// Whether whoever issued it is in the file as well, or is itself.
    has_issuer: bool,
}

impl Certificate {
    /// What the first certificate of a file says of itself, if that can be read.
    pub(super) fn of(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let der = chain.first()?;
        let parsed = ParsedCertificate::try_from(der).ok()?;
        let algorithms = ring::default_provider().signature_verification_algorithms.all;
        let mut trusted = RootCertStore::empty();
        // The verifier names a moment where it is exceeded, so it is asked at the beginning and at the end of time.
        let ask = |trusted: &RootCertStore, now| {
            verify_server_cert_signed_by_trust_anchor(&parsed, trusted, &[], now, algorithms)
        };
        let [first, last] =
            [0, u64::MAX].map(|second| UnixTime::since_unix_epoch(Duration::from_secs(second)));
        let Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) =
            ask(&trusted, last)
        else {
            return None;
        };
        // One that begins with time itself, from a machine without a clock, is not too early for any moment.
        let not_before = match ask(&trusted, first) {
            Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
                not_before
            }
            _ => first,
        };
        trusted.add_parsable_certificates(chain.iter().cloned());
        let is_unknown = matches!(
            ask(&trusted, not_before),
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
        );
        let (from, until) = (timestamp(not_before), timestamp(not_after));
        Some(Self { der: der.clone().into_owned(), from, until, has_issuer: !is_unknown })
    }

    /// Whether clients accept it.
    ///
    /// # Errors
    /// When they do not, or not yet.
    pub(crate) fn check(&self, files: &Tls, now: Timestamp) -> Result<(), Failure> {
        let Self { from, until, .. } = self;
        let file = files.certificate.display();
        let refuse =
            |words: String| Err(Failure::Usage(format!("clients refuse the certificate in {file}: {words}")));
        if now > *until {
            return refuse(format!("it has ended, at {until}; renew it"));
        }
        if now < *from {
            return refuse(format!("it holds from {from} on, and here it is {now}; is the clock right?"));
        }
        if let Some(host) = files.host.as_deref().filter(|host| !self.is_for(host)) {
            return refuse(format!(
                "it is not for {host}, which `base_url` names; take one whose subject alternative names have it, or \
                 set `behind_proxy = true` if clients see another certificate, that of a proxy"
            ));
        }
        Ok(())
    }

    /// What is missing for most clients, where they see this certificate. Whether those who issued it are known to a client,
    /// only the client can tell.
    pub(super) fn lack(&self, files: &Tls) -> Option<String> {
        let file = files.certificate.display();
        (files.host.is_some() && !self.has_issuer).then(|| {
            format!(
                "{file} does not have the certificate of whoever issued the server's own; clients that do not know the \
                 issuer by themselves, and identity providers do not, refuse the connection; put the intermediate \
                 certificates below the server's, as in the `fullchain.pem` of certbot"
            )
        })
    }

    /// Whether it is for a host. What cannot be told is.
    fn is_for(&self, host: &str) -> bool {
        match (ParsedCertificate::try_from(&self.der), ServerName::try_from(host)) {
            (Ok(parsed), Ok(name)) => verify_server_name(&parsed, &name).is_ok(),
            _ => true,
        }
    }

    /// Whether it ends soon, for a certificate that lasts as long as this one.
    fn ends_soon(&self, now: Timestamp) -> bool {
        let notice = (self.until.0.saturating_sub(self.from.0) / 4).min(NOTICE);
        now.0 >= self.until.0.saturating_sub(notice)
    }

    /// Tells the log of a certificate that clients refuse, or will before long.
    pub(super) fn tell(&self, files: &Tls, now: Timestamp) {
        let certificate = files.certificate.display();
        match self.check(files, now) {
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

    /// A certificate for these, from the beginning of 2026 to a date.
    fn made(names: &[&str], until: (i32, u8, u8)) -> Certificate {
        made_from(2026, names, until)
    }

    fn made_from(first: i32, names: &[&str], (year, month, day): (i32, u8, u8)) -> Certificate {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("parameters");
        params.not_before = date_time_ymd(first, 1, 1);
        params.not_after = date_time_ymd(year, month, day);
        let made = params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
        Certificate::of(std::slice::from_ref(made.der())).expect("it says so")
    }

    fn check(certificate: &Certificate, host: Option<&str>, now: Timestamp) -> Result<(), String> {
        let files = Tls { host: host.map(str::to_owned), certificate: "a.pem".into(), key: "b.pem".into() };
        certificate.check(&files, now).map_err(|failure| failure.to_string())
    }

    /// Of the days since 1970, 20454 is the first of 2026.
    fn day(day: i64) -> Timestamp {
        Timestamp(0).plus_seconds(day * 24 * 60 * 60)
    }

    #[test]
    fn a_certificate_is_spoken_of_before_its_end() {
        for (until, soon) in [((2026, 4, 1), 20_544 - 14), ((2026, 1, 9), 20_462 - 2)] {
            let certificate = made(&["localhost"], until);
            let check = |now| check(&certificate, None, now);
            assert_eq!(certificate.from, day(20_454));
            let early = check(Timestamp(day(20_454).0 - 1)).expect_err("before it begins");
            assert!(early.contains("from 2026-01-01T00:00:00.000Z on"), "{early}");
            assert_eq!(check(day(20_454)), Ok(()));
            assert!(!certificate.ends_soon(Timestamp(day(soon).0 - 1)) && certificate.ends_soon(day(soon)));
            assert_eq!(check(certificate.until), Ok(()));
            let late = check(Timestamp(certificate.until.0 + 1)).expect_err("after it has ended");
            assert!(late.contains("a.pem: it has ended, at 2026-"), "{late}");
        }
    }

    /// Nothing was known of it, so that its end went unnoticed.
    #[test]
    fn a_certificate_from_the_beginning_of_1970_ends_as_well() {
        let certificate = made_from(1970, &["localhost"], (2026, 1, 1));
        assert_eq!(certificate.from, Timestamp(0));
        let ends = certificate.until;
        assert_eq!([Timestamp(0), ends].map(|now| check(&certificate, None, now)), [Ok(()), Ok(())]);
        assert!(check(&certificate, None, Timestamp(ends.0 + 1)).is_err());
    }

    #[test]
    fn a_certificate_is_for_its_names() {
        let certificate = made(&["scim.example.com", "*.example.net", "192.0.2.1", "::1"], (2026, 4, 1));
        let check = |host| check(&certificate, host, day(20_460));
        for host in ["scim.example.com", "SCIM.Example.com", "a.example.net", "192.0.2.1", "::1"] {
            assert_eq!(check(Some(host)), Ok(()), "{host}");
        }
        assert_eq!(check(None), Ok(()));
        for host in ["example.com", "a.scim.example.com", "a.b.example.net", "192.0.2.2", "::2"] {
            let wrong = check(Some(host)).expect_err(host);
            assert!(wrong.contains(&format!("a.pem: it is not for {host}, which `base_url`")), "{wrong}");
            assert!(
                wrong.ends_with(
                    "set `behind_proxy = true` if clients see another certificate, that of a proxy"
                )
            );
        }
    }
}
