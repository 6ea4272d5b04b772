//! TLS to the database: who is trusted, and who is not.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use scim_store_postgres::PostgresStore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::cluster::{Database, patient};
use crate::proxy::Proxy;

/// A proxy for `localhost`, and its authority's certificate as PEM.
fn proxy() -> (Proxy, String) {
    let key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = authority.self_signed(&key).expect("a certificate").pem();
    let issuer = Issuer::new(authority, key);
    let server_key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let server = server.signed_by(&server_key, &issuer).expect("a certificate");
    let secret = PrivateKeyDer::try_from(server_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone()], secret)
        .expect("a configuration");
    (Proxy::new(Some(TlsAcceptor::from(Arc::new(config)))), root)
}

#[test]
fn the_server_is_verified() {
    let (proxy, root) = proxy();
    let (_, other_root) = self::proxy();
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, pem: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, pem).expect("a file");
        path.display().to_string().replace('/', "%2F")
    };
    let (right, wrong) = (file("right.pem", &root), file("wrong.pem", &other_root));
    let marked = file("marked.pem", &format!("\u{feff}{root}"));
    let database = Database::new();
    let open = |host: &str, options: &str| {
        let address = proxy.address(&database, host, options);
        PostgresStore::open(&address, patient()).map(drop).map_err(|error| error.to_string())
    };
    for mode in ["require", "verify-full", "prefer"] {
        assert_eq!(open("localhost", &format!("sslmode={mode}&sslrootcert={right}")), Ok(()), "{mode}");
        for (host, root) in [("localhost", &wrong), ("127.0.0.1", &right)] {
            let refused =
                open(host, &format!("sslmode={mode}&sslrootcert={root}")).expect_err("not verified");
            assert!(refused.contains("certificate"), "{mode} {host}: {refused}");
        }
    }
    assert_eq!(
        open("localhost", &format!("sslmode=require&sslrootcert={marked}")),
        Ok(()),
        "behind a byte order mark"
    );
    for text in [root[..root.len() / 2].to_owned(), root.replace('\n', ""), root.replace('\n', " ") + "."] {
        let wrong = file("damaged.pem", &text);
        let refused =
            open("localhost", &format!("sslmode=require&sslrootcert={wrong}")).expect_err("damaged");
        assert!(refused.ends_with("it is cut off or has lost its line breaks"), "{refused}");
    }
    let refused = open("localhost", "sslmode=require").expect_err("the system does not trust it");
    assert!(refused.contains("UnknownIssuer"), "`scimd` gives advice by this word: {refused}");
    let refused = open("localhost", "sslmode=require&sslrootcert=missing.pem").expect_err("no file");
    assert!(refused.contains("the root certificates in missing.pem cannot be used"), "{refused}");
}

/// The cluster speaks no TLS.
#[test]
fn a_server_without_tls_is_refused_where_it_is_required() {
    let database = Database::new();
    let proxy = Proxy::new(None);
    let open = |options: &str| {
        let address = proxy.address(&database, "localhost", options);
        PostgresStore::open(&address, patient()).map(drop).map_err(|error| error.to_string())
    };
    assert!(open("sslmode=require").expect_err("no TLS").contains("TLS"));
    assert_eq!(open("sslmode=prefer"), Ok(()));
    assert_eq!(open(""), Ok(()), "on the loopback interface");
}
