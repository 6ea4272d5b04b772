//! What becomes of a connection when a request is answered before its body was read.

use std::time::{Duration, Instant};

use crate::http::{Client, Connection};
use crate::messages::user;
use crate::server::{Server, base};

/// Most clients send head and body one after the other, and keep the connection for the next request.
#[test]
fn a_refused_request_leaves_its_connection_usable() {
    let server = Server::start("");
    let mut client = server.tenant("acme", "generic");
    let stranger = Client::new(server.process.address, &base("acme"), "scim_abcd2345_x");
    let body = user("ada").to_string().into_bytes();
    for (who, method, path, status) in [
        (&stranger, "POST", "/Users", 401),
        (&client, "PUT", "/Schemas", 405),
        (&client, "POST", "/Nowhere", 404),
    ] {
        let message = who.message(method, path, &[], Some(&body));
        let (head, body) = message.split_at(message.len() - body.len());
        let (mut connection, answer) = loop {
            let mut connection = Connection::open(server.process.address).expect("a connection");
            let begun = Instant::now();
            connection.send(head).expect("sent");
            // Whatever the server does with a head alone, it has done.
            for _ in 0..3 {
                let answer = client.call_once("GET", "/Users", &[], None).expect("an answer");
                answer.expect(200);
            }
            connection.send(body).expect("sent");
            let answer = connection.receive(method).expect("an answer");
            // A body is waited for so long. Who is later is cut off, and was kept from being in time by the machine.
            if answer.header("connection").is_none() || begun.elapsed() < Duration::from_secs(1) {
                break (connection, answer);
            }
        };
        assert_eq!((answer.status, answer.header("connection")), (status, None), "{path}");
        connection.send(&client.message("GET", "/Users", &[], None)).expect("sent");
        connection.receive("GET").expect("an answer on the same connection").expect(200);
    }
    client.post("/Users", &user("ada")).expect(201);
    assert!(client.is_connected(), "a body that was read leaves nothing");
}

/// Otherwise the client sends its next request into a connection that is closed, and does not know whether it was taken.
#[test]
fn who_is_cut_off_is_told() {
    let server = Server::start("");
    let client = server.tenant("acme", "generic");
    let stranger = Client::new(server.process.address, &base("acme"), "scim_abcd2345_x");
    for (header, who, status) in [
        ("content-length: 1000000", &stranger, 401),
        ("content-length: 67108864", &client, 413),
        ("content-length: 100\r\nexpect: 100-continue", &stranger, 401),
        ("content-encoding: gzip\r\ncontent-length: 100", &client, 415),
    ] {
        let mut connection = Connection::open(server.process.address).expect("a connection");
        let head = String::from_utf8(who.message("POST", "/Users", &[], None)).expect("UTF-8");
        let head =
            head.replace("content-length: 0", &format!("content-type: application/scim+json\r\n{header}"));
        connection.send(head.as_bytes()).expect("sent");
        let answer = connection.receive("POST").expect("an answer");
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{header}");
        assert_eq!(connection.rest().expect("closed"), b"", "{header}");
    }
}
