//! TLS: 1.3, or 1.2 with the AEAD suites that are all that rustls knows.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use scim_core::time::Timestamp;
use scim_service::environment::Environment;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, ServerConfig};

use super::certificate::Certificate;
use crate::Failure;
use crate::config::Tls;
use crate::environment::System;

/// The certificate and key in force.
pub(super) struct Identity {
    files: Tls,
    current: RwLock<Material>,
}

/// What certificate and key make.
pub(crate) struct Material {
    config: Arc<ServerConfig>,
    /// The server's own, if it says of itself what clients look at.
    pub(crate) certificate: Option<Certificate>,
    /// Whether others than the owner and the group can read the key.
    is_open: bool,
}

impl Identity {
    /// Reads the files.
    ///
    /// # Errors
    /// When a file cannot be read, or the two do not fit.
    pub(super) fn load(files: &Tls) -> Result<Self, Failure> {
        Ok(Self { files: files.clone(), current: RwLock::new(read(files)?) })
    }

    /// Reads the files again. What was in force stays so if that fails.
    ///
    /// # Errors
    /// As [`Identity::load`], and when clients would refuse this certificate, but not the one in force.
    pub(super) fn reload(&self) -> Result<(), Failure> {
        let (fresh, now) = (read(&self.files)?, System.now());
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.check(&self.files, now).is_ok() {
            fresh.check(&self.files, now)?;
        }
        *current = fresh;
        Ok(())
    }

    /// What accepts the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current.config))
    }

    /// When the certificate ends, if that can be read.
    pub(super) fn until(&self) -> Option<Timestamp> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.certificate.as_ref().map(|certificate| certificate.until)
    }

    /// Tells the log of a certificate that clients refuse, or will before long.
    pub(super) fn tell(&self) {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(certificate) = &current.certificate {
            certificate.tell(&self.files, System.now());
        }
    }

    /// Tells the log what is wrong with the files though they can be used. It may be on purpose, so that once is enough.
    pub(super) fn warn(&self) {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        for warning in current.warnings(&self.files) {
            tracing::warn!("{warning}");
        }
    }
}

impl Material {
    /// Whether clients accept the certificate, as far as can be told.
    ///
    /// # Errors
    /// When they do not.
    pub(crate) fn check(&self, files: &Tls, now: Timestamp) -> Result<(), Failure> {
        self.certificate.as_ref().map_or(Ok(()), |certificate| certificate.check(files, now))
    }

    /// What is wrong with the files though they can be used.
    pub(crate) fn warnings(&self, files: &Tls) -> impl Iterator<Item = String> {
        let key = files.key.display();
        let open = self.is_open.then(|| {
            format!("everybody on this machine can read the key in {key}; let the group of the server read it, and nobody else: `chmod 640`")
        });
        let lack = self.certificate.as_ref().and_then(|certificate| certificate.lack(files));
        open.into_iter().chain(lack)
    }
}

/// Reads the files, and says what is wrong with them.
///
/// # Errors
/// When a file cannot be read, or the two do not fit.
pub(crate) fn read(files: &Tls) -> Result<Material, Failure> {
    let Tls { certificate, key, .. } = files;
    let chain = sections(certificate, "a certificate chain", |text| {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>()?;
        if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) }
    })?;
    let secret = sections(key, "a private key", PrivateKeyDer::from_pem_slice)?;
    let own = Certificate::of(&chain);
    let unfit = |error: rustls::Error| {
        let (key, certificate) = (key.display(), certificate.display());
        Failure::Usage(match error {
            rustls::Error::InconsistentKeys(_) => format!(
                "the key in {key} does not belong to the first certificate in {certificate}, which has to be the \
                 server's own"
            ),
            // What ring says of a key that it does not take.
            rustls::Error::General(_) => format!(
                "the key in {key} cannot be used; make one that is ECDSA on P-256 or P-384, RSA of 2048 to 4096 \
                 bits, or Ed25519"
            ),
            error => format!("{certificate} and {key} cannot be used: {error}"),
        })
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(unfit)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(unfit)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Material { config: Arc::new(config), certificate: own, is_open: is_open(key) })
}

/// Whether everybody on this machine can read a file.
fn is_open(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

/// What is found in a file of PEM.
fn sections<T>(path: &Path, what: &str, find: impl Fn(&[u8]) -> Result<T, pem::Error>) -> Result<T, Failure> {
    let cannot =
        |error: String| Failure::Usage(format!("cannot read {what} from {}: {error}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| cannot(error.to_string()))?;
    // PEM is ASCII. A byte order mark, which editors write, would hide the section that begins behind it.
    let text = String::from_utf8_lossy(&bytes).replace('\u{feff}', "");
    find(text.as_bytes()).map_err(|error| {
        cannot(match error {
            _ if text.contains("ENCRYPTED") => {
                "it is encrypted, and a server has nobody to ask for the password; write it without one, as \
                 `openssl pkey -in FILE -out OTHER` does"
                    .to_owned()
            }
            pem::Error::NoItemsFound => "it holds none in PEM format".to_owned(),
            // What is to be quoted of these is the whole key, where the breaks between its lines were lost.
            pem::Error::MissingSectionEnd { .. } | pem::Error::IllegalSectionStart { .. } => {
                "it is cut off or has lost its line breaks: `-----BEGIN …-----` and `-----END …-----` are lines of \
                 their own"
                    .to_owned()
            }
            error => error.to_string(),
        })
    })
}
