//! TLS with a certificate that the test makes, HTTP/1.1 and HTTP/2 over it, and another certificate without a restart.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::http::{Client, Connection};
use crate::server::{Directory, Place, Process, Server, base, scimd};

/// Writes a certificate for `localhost` and its key, and gives back the certificate.
fn certify(directory: &Directory) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    directory.write("certificate.pem", &made.cert.pem());
    directory.write("key.pem", &made.signing_key.serialize_pem());
    made.cert.der().clone()
}

fn place() -> (Place, CertificateDer<'static>) {
    let place = Place::new("[tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"");
    let certificate = certify(&place.directory);
    (place, certificate)
}

/// Connects, trusting this one certificate and offering this protocol.
async fn connect(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await
}

#[test]
fn a_memory_server_says_how_it_is_reached_over_tls() {
    let directory = Directory::new();
    certify(&directory);
    let config = "listen = \"127.0.0.1:0\"\nstore = \"memory\"\nbase_url = \"https://localhost:8443\"\n\
                  [metrics]\nlisten = \"\"\n[tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\n";
    let mut command = scimd();
    command.args(["serve", "--config"]).arg(directory.write("scimd.toml", config));
    let process = Process::start(command);
    let line = process.wait_for("a command", |out, _| {
        out.lines().find(|line| line.starts_with("curl ")).map(str::to_owned)
    });
    assert!(line.starts_with("curl -sS 'https://localhost:8443/t/demo/scim/v2/Users' "), "{line}");
}

#[tokio::test]
async fn http_1_and_2_are_spoken_over_tls() {
    let (place, certificate) = place();
    let server = Server { process: place.serve(), place };
    let token = server.place.tenant("acme", "generic");
    let address = server.process.address;
    let request = |version| {
        Request::get(format!("https://localhost{}/Users", base("acme")))
            .version(version)
            .header("host", "localhost")
            .header("authorization", format!("Bearer {token}"))
            .body(Empty::<Bytes>::new())
            .expect("a request")
    };

    let stream = connect(address, &certificate, "h2").await.expect("TLS");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("HTTP/2");
    tokio::spawn(connection);
    let answer = sender.send_request(request(Version::HTTP_2)).await.expect("an answer");
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));

    let stream = connect(address, &certificate, "http/1.1").await.expect("TLS");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
    tokio::spawn(connection);
    let answer = sender.send_request(request(Version::HTTP_11)).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("\"totalResults\":0"));
}

#[test]
fn who_speaks_http_is_told_to_speak_tls() {
    let (place, _) = place();
    let process = place.serve();
    let mut socket = std::net::TcpStream::connect(process.address).expect("connects");
    write!(socket, "GET /t/acme/scim/v2/Users HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("asked");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer, whole");
    let (head, body) = answer.split_once("\r\n\r\n").expect("HTTP");
    assert!(head.starts_with("HTTP/1.1 400 ") && body.contains("begin with https://"), "{answer}");
    assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{answer}");
}

#[tokio::test]
async fn a_new_certificate_needs_no_restart() {
    let (place, old) = place();
    let process = place.serve();
    connect(process.address, &old, "http/1.1").await.expect("the old one");
    let new = certify(&place.directory);
    process.signal("HUP");
    process.wait_for("that it read them", |_, err| err.contains("were read again").then_some(()));
    connect(process.address, &new, "http/1.1").await.expect("the new one");
    assert!(connect(process.address, &old, "http/1.1").await.is_err(), "the old one is not in force");

    place.directory.write("key.pem", "nonsense");
    process.signal("HUP");
    process.wait_for("that it did not", |_, err| err.contains("in force stays").then_some(()));
    connect(process.address, &new, "http/1.1").await.expect("what was in force stays");
}

/// Opening a store can take long, where a newer version carries it over, and so can deriving what is in it.
#[test]
fn a_signal_that_comes_before_a_store_is_opened_is_obeyed_when_a_server_serves() {
    let place = Place::new(
        "[[schemas]]\nfile = \"schema.json\"\n[tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"",
    );
    certify(&place.directory);
    let path = place.directory.path().join("schema.json");
    let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo");
    assert!(made.success(), "{made}");
    let process = place.begin();
    // Opens once the server does, which then waits for what is written. One that ends before it does is not waited for.
    let (opened, is_open) = std::sync::mpsc::channel();
    std::thread::spawn(move || opened.send(std::fs::File::options().write(true).open(&path)));
    let mut pipe = process.until("it opened the pipe", || is_open.try_recv().ok()).expect("a pipe");
    process.signal("HUP");
    pipe.write_all(br#"{"id": "urn:example:Badge", "name": "Badge", "attributes": [{"name": "badge"}]}"#)
        .expect("sent");
    drop(pipe);
    let process = process.serving();
    process.wait_for("that it read them", |_, err| err.contains("were read again").then_some(()));
}

#[test]
fn a_certificate_for_another_name_is_of_no_use() {
    let config = |rest: &str| {
        let place = Place::new(&format!(
            "base_url = \"https://scim.example.com:8443\"\n{rest}[tls]\ncertificate = \"certificate.pem\"\nkey = \
             \"key.pem\""
        ));
        certify(&place.directory);
        place
    };
    let place = config("");
    let wrong = "it is not for scim.example.com, which `base_url` names";
    let ran = place.run(&["check"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert!(ran.stderr.contains(wrong), "{}", ran.stderr);
    let process = place.serve();
    process.wait_for("that it is", |_, err| err.contains(wrong).then_some(()));

    let behind_a_proxy = config("behind_proxy = true\n");
    behind_a_proxy.command(&["check"]);

    let made = rcgen::generate_simple_self_signed(["*.example.com".to_owned()]).expect("a certificate");
    let write = |key: &rcgen::KeyPair, certificate: &rcgen::Certificate| {
        place.directory.write("certificate.pem", &certificate.pem());
        place.directory.write("key.pem", &key.serialize_pem());
    };
    write(&made.signing_key, &made.cert);
    place.command(&["check"]);
    process.signal("HUP");
    process.wait_for("that it read them", |_, err| err.contains("were read again").then_some(()));
    // The one in force is better than this.
    certify(&place.directory);
    process.signal("HUP");
    process.wait_for("that it stays", |_, err| err.contains("in force stays").then_some(()));
}

#[test]
fn a_certificate_that_has_ended_is_of_no_use() {
    let (place, _) = place();
    let fine = place.command(&["check"]);
    assert!(fine.contains("certificate     ends at 4096-01-01T00:00:00.000Z"), "{fine}");
    let process = place.serve();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let key = rcgen::KeyPair::generate().expect("a key");
    place.directory.write("certificate.pem", &params.self_signed(&key).expect("a certificate").pem());
    place.directory.write("key.pem", &key.serialize_pem());
    let ran = place.run(&["check"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert!(ran.stderr.contains("it has ended, at 2020-01-01T00:00:00.000Z; renew it"), "{}", ran.stderr);
    let (before, begun) = (process.printed().1, "it has ended, at 2020");
    assert!(!before.contains(begun), "{before}");
    process.signal("HUP");
    let said = process.wait_for("that it has ended", |_, err| {
        err.lines().find(|line| line.contains(begun)).map(str::to_owned)
    });
    assert!(said.contains("the certificate in force stays"), "{said}");
    let process = place.serve();
    process.wait_for("that it has ended", |_, err| err.contains(begun).then_some(()));
}

/// Browsers often find what is missing, so that only the identity provider fails.
#[test]
fn a_file_without_the_intermediate_certificates_is_warned_of() {
    let authority = |name: &str| {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        let made = params.self_signed(&key).expect("a certificate");
        (rcgen::Issuer::new(params, key), made.pem())
    };
    let ((issuer, above), (_, another)) = (authority("Issuer of the test"), authority("Somebody else"));
    let params = rcgen::CertificateParams::new(vec!["scim.example.com".to_owned()]).expect("parameters");
    let key = rcgen::KeyPair::generate().expect("a key");
    let own = params.signed_by(&key, &issuer).expect("a certificate").pem();
    let place = |base_url: &str| {
        let tls = "[tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"";
        let place = Place::new(&format!("{base_url}{tls}"));
        allow(&place.directory.write("key.pem", &key.serialize_pem()), 0o640);
        place
    };
    let warning = "does not have the certificate of whoever issued the server's own";
    let seen = place("base_url = \"https://scim.example.com\"\n");
    for (chain, complete) in
        [(own.clone(), false), (own.clone() + &another, false), (own.clone() + &above, true)]
    {
        seen.directory.write("certificate.pem", &chain);
        let ran = seen.run(&["check"]);
        assert_eq!((ran.code, ran.stderr.contains(warning)), (Some(0), !complete), "{}", ran.stderr);
    }
    seen.directory.write("certificate.pem", &own);
    let process = seen.serve();
    process.wait_for("that it is incomplete", |_, err| err.contains(warning).then_some(()));
    // Nobody is known to see it.
    let unseen = place("");
    unseen.directory.write("certificate.pem", &own);
    assert_eq!(unseen.run(&["check"]).stderr, "");
}

fn allow(file: &Path, mode: u32) {
    std::fs::set_permissions(file, Permissions::from_mode(mode)).expect("it is ours");
}

#[test]
fn a_key_that_everybody_can_read_is_warned_of() {
    let (place, _) = place();
    let key = place.directory.path().join("key.pem");
    let warning = format!("everybody on this machine can read the key in {}", key.display());
    for (mode, is_open) in [(0o600, false), (0o640, false), (0o644, true), (0o604, true)] {
        allow(&key, mode);
        let ran = place.run(&["check"]);
        assert_eq!((ran.code, ran.stderr.contains(&warning)), (Some(0), is_open), "{mode:o}: {}", ran.stderr);
    }
    place.serve().wait_for("that it is open", |_, err| err.contains(&warning).then_some(()));
}

#[test]
fn files_that_do_not_fit_are_refused_with_a_remedy() {
    let (place, _) = place();
    let read = |name: &str| std::fs::read_to_string(place.directory.path().join(name)).expect("it is there");
    let (certificate, key) = (read("certificate.pem"), read("key.pem"));
    certify(&place.directory);
    let (other, other_key) = (read("certificate.pem"), read("key.pem"));
    let check = |certificate: &str, key: &str| {
        place.directory.write("certificate.pem", certificate);
        place.directory.write("key.pem", key);
        place.run(&["check"])
    };
    let encrypted =
        |label: &str, head: &str| format!("-----BEGIN {label}-----\n{head}AAAA\n-----END {label}-----\n");
    let half = |text: &str| text[..text.len() / 2].to_owned();
    for (wrong, wrong_key, words) in [
        (&certificate, &other_key, "key.pem does not belong to the first certificate in"),
        (&(other.clone() + &certificate), &key, "which has to be the server's own"),
        (&key, &certificate, "a certificate chain from"),
        (&certificate, &String::new(), "key.pem: it holds none in PEM format"),
        (&half(&certificate), &key, "certificate.pem: it is cut off"),
        (&certificate, &half(&key), "key.pem: it is cut off"),
        (&certificate, &key.replace('\n', ""), "has lost its line breaks"),
        (&certificate, &key.replace('\n', "\\n"), "has lost its line breaks"),
        (&certificate, &(key.replace('\n', " ") + "."), "has lost its line breaks"),
        (&certificate.replacen("E-----", "E---", 1), &key, "are lines of their own"),
        (&certificate, &encrypted("ENCRYPTED PRIVATE KEY", ""), "openssl pkey"),
        (&certificate, &encrypted("EC PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\n"), "openssl pkey"),
        (&certificate, &encrypted("PRIVATE KEY", ""), "key.pem cannot be used; make one that is ECDSA"),
    ] {
        let ran = check(wrong, wrong_key);
        assert_eq!(ran.code, Some(2), "{words}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
        let secret = key.lines().nth(1).expect("base64");
        assert!(!ran.stderr.contains(secret), "{words}: {}", ran.stderr);
    }
    let marked = format!("\u{feff}{}", certificate.replace('\n', "\r\n"));
    let ran = check(&(marked + "\u{feff}" + &other), &format!("\u{feff}{key}"));
    assert_eq!(ran.code, Some(0), "what an editor on Windows adds: {}", ran.stderr);
}

#[test]
fn a_server_without_tls_goes_on_when_it_is_told_to_read_again() {
    let server = Server::start("");
    let mut client = server.tenant("acme", "generic");
    server.process.signal("HUP");
    server.process.wait_for("that it heard", |_, err| err.contains("nothing to read again").then_some(()));
    client.get("/Users").expect(200);
}

#[test]
fn who_has_said_nothing_does_not_hold_up_the_end() {
    for place in [Place::new(""), place().0] {
        let end = || {
            let process = place.serve();
            let silent = std::net::TcpStream::connect(process.address).expect("connects");
            process.signal("TERM");
            let begun = Instant::now();
            let (code, _, err) = process.ended();
            assert_eq!(code, Some(0), "{err}");
            drop(silent);
            begun.elapsed()
        };
        // Whatever else the machine does, it is not always the whole time that requests may take.
        assert!((0..10).any(|_| end() < Duration::from_secs(5)), "the end takes long each time");
    }
}

/// Clients that cannot connect tell everybody but the operator.
#[test]
fn connections_without_a_session_are_told_of_and_so_is_the_certificate() {
    let config =
        "[metrics]\nlisten = \"127.0.0.1:0\"\n[tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"";
    let place = Place::new(config);
    certify(&place.directory);
    let process = place.serve();
    // A port that is looked at is nothing to speak of.
    drop(Connection::open(process.address).expect("connects"));
    let mut plain = Connection::open(process.address).expect("connects");
    plain.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sends");
    assert_eq!(plain.receive("GET").expect("an answer").status, 400);
    let another = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let outcome = runtime.block_on(connect(process.address, another.cert.der(), "h2"));
    assert!(outcome.is_err(), "it is not trusted");
    let mut reasons = process.wait_for("why they ended", |_, err| {
        let lines = err.lines().filter(|line| line.contains("a connection was ended"));
        let lines = lines.filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let reasons: Vec<String> =
            lines.filter_map(|line| Some(line["reason"].as_str()?.to_owned())).collect();
        (reasons.len() == 2).then_some(reasons)
    });
    reasons.sort();
    assert_eq!(reasons, ["plaintext", "tls"]);
    let text = Client::bare(process.metrics(), "").get("/metrics").text();
    for reason in reasons {
        assert!(
            text.contains(&format!("\nscimd_connections_refused_total{{reason=\"{reason}\"}} 1\n")),
            "{text}"
        );
    }
    // What the library that made it takes for the end of time: the year 4096.
    assert!(text.contains("\nscimd_certificate_end_timestamp_seconds 67090"), "{text}");
}
