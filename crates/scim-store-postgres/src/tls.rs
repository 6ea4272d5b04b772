//! TLS to the database: rustls, with the server's certificate verified, name and chain.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::error::OpenError;

/// What makes TLS connections.
#[derive(Clone)]
pub(crate) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Trusts the certificates in a file, or else those that the system trusts.
    pub(crate) fn trusting(file: Option<&Path>) -> Result<Self, OpenError> {
        let mut roots = RootCertStore::empty();
        match file {
            Some(file) => {
                let refused = |error: String| OpenError::RootCertificates { file: file.to_owned(), error };
                let bytes = std::fs::read(file).map_err(|error| refused(error.to_string()))?;
                // PEM is ASCII. A byte order mark, which editors write, would hide the certificate behind it.
                let text = String::from_utf8_lossy(&bytes).replace('\u{feff}', "");
                let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
                let words = |error| match error {
                    // What is to be quoted of these is the whole file, where the breaks between its lines were lost.
                    pem::Error::MissingSectionEnd { .. } | pem::Error::IllegalSectionStart { .. } => {
                        "it is cut off or has lost its line breaks".to_owned()
                    }
                    error => error.to_string(),
                };
                for certificate in found.map_err(|error| refused(words(error)))? {
                    roots.add(certificate).map_err(|error| refused(error.to_string()))?;
                }
                if roots.is_empty() {
                    return Err(refused("it holds none in PEM format".to_owned()));
                }
            }
            None => {
                // One that cannot be read is one less to trust.
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| OpenError::Refused(error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}

impl<S: Socket> MakeTlsConnect<S> for Tls {
    type Stream = Stream<S>;
    type TlsConnect = Connect;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<Connect> {
        // A socket of this machine has none, and no TLS either.
        Ok(Connect { connector: TlsConnector::from(Arc::clone(&self.0)), host: host.to_owned() })
    }
}

/// A connection to be made.
pub(crate) struct Connect {
    connector: TlsConnector,
    host: String,
}

impl<S: Socket> TlsConnect<S> for Connect {
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let name = ServerName::try_from(self.host)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            Ok(Stream(self.connector.connect(name, stream).await?))
        })
    }
}

/// A connection that was made.
pub(crate) struct Stream<S>(tokio_rustls::client::TlsStream<S>);

/// What a connection is made over.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Socket for S {}

impl<S: Socket> TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: Socket> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: Socket> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
