//! TLS: 1.3, or 1.2 with the AEAD suites that are all that rustls knows.

use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::Failure;
use crate::config::Tls;

/// The certificate and key in force.
pub(super) struct Identity {
    files: Tls,
    current: RwLock<Arc<ServerConfig>>,
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
    /// As [`Identity::load`].
    pub(super) fn reload(&self) -> Result<(), Failure> {
        let fresh = read(&self.files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// What accepts the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current))
    }
}

/// Reads the files, and says what is wrong with them.
///
/// # Errors
/// When a file cannot be read, or the two do not fit.
pub(crate) fn read(files: &Tls) -> Result<Arc<ServerConfig>, Failure> {
    let Tls { certificate, key } = files;
    let cannot = |path: &std::path::Path, what: &str, error: &dyn std::fmt::Display| {
        Failure::Usage(format!("cannot read {what} from {}: {error}", path.display()))
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain = chain.map_err(|error| cannot(certificate, "a certificate chain", &error))?;
    if chain.is_empty() {
        return Err(cannot(certificate, "a certificate chain", &"it holds none in PEM format"));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| cannot(key, "a private key", &error))?;
    let unfit = |error: rustls::Error| {
        let (key, certificate) = (key.display(), certificate.display());
        Failure::Usage(match error {
            rustls::Error::InconsistentKeys(_) => {
                format!("the key in {key} does not belong to the certificate in {certificate}")
            }
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
    Ok(Arc::new(config))
}
