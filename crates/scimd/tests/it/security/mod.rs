//! Failures that were seen in other provisioning and identity servers, one test for each.
//!
//! The numbers are those of the table in `docs/security.md`. What a row demands is asked of the real server, over a
//! real socket.

mod abuse;
mod access;
mod tenants;
mod traces;
mod writes;

use crate::http::Answer;
use crate::server::Server;

/// An identifier that nobody has, as long as those of the server.
const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// Whether the process that a test began with still answers.
#[track_caller]
fn still_answers(server: &Server) {
    let client = crate::http::Client::bare(server.process.address, &crate::server::base("acme"));
    let answer = client.call_once("GET", "/Users", &[], None).expect("the same process answers");
    assert_eq!(answer.status, 401);
}

/// Status and body, which is all that a client can tell answers apart by.
fn visible(answer: &Answer) -> (u16, String) {
    (answer.status, answer.text())
}
