//! What Entra ID and Okta really send, replayed against a server with a connection of that kind.

use std::fs;
use std::path::{Path, PathBuf};

use crate::http::Client;
use crate::server::Server;
use crate::transcript::{Case, Request, Response, parse, run};

/// The custom extension that one of Entra's cases needs.
const CUSTOM_EXTENSION: &str = r#"{
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
    "id": "urn:ietf:params:scim:schemas:extension:CustomExtensionName:2.0:User",
    "name": "CustomExtensionName",
    "description": "What an administrator added to the attribute mapping.",
    "attributes": [{
        "name": "tag", "type": "string", "multiValued": false, "description": "A tag.", "required": false,
        "caseExact": false, "mutability": "readWrite", "returned": "default", "uniqueness": "none"
    }]
}"#;

#[test]
fn entra() {
    replay("entra", 33);
}

#[test]
fn okta() {
    replay("okta", 21);
}

/// Replays all cases of a kind of identity provider and reports each by its name.
fn replay(idp: &str, expected: usize) {
    let cases = cases(idp);
    assert_eq!(cases.len(), expected, "a case was added or lost; say so here");
    let place = crate::server::Place::new("[[schemas]]\nfile = \"custom.json\"\nextends = \"User\"");
    place.directory.write("custom.json", CUSTOM_EXTENSION);
    let server = Server { process: place.serve(), place };
    let token = server.place.tenant("acme", idp);
    let url = server.url("acme");
    let mut client = Client::bare(server.process.address, &crate::server::base("acme"));
    let mut failures = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let unique = format!("t{:x}n{number:x}", std::process::id());
        let outcome = run(case, &url, &token, &unique, &mut |request| send(&mut client, request));
        println!("{} {}", if outcome.is_ok() { "ok  " } else { "FAIL" }, case.name);
        failures.extend(outcome.err());
    }
    assert!(
        failures.is_empty(),
        "{} of {} cases failed:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

fn cases(idp: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(idp);
    let entries = fs::read_dir(&folder).expect("transcripts");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let case = parse(&fs::read_to_string(file).expect("a file"));
        let case = case.unwrap_or_else(|reason| panic!("{}: {reason}", file.display()));
        let stem = file.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        assert_eq!(case.name, format!("{idp}-{stem}"), "the name of a case is that of its file");
        case
    };
    files.iter().map(read).collect()
}

/// Sends a request as it is.
pub(crate) fn send(client: &mut Client, request: Request) -> Result<Response, String> {
    let headers: Vec<(&str, &str)> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let body = request.body.as_ref().map(String::as_bytes);
    let answer =
        client.call(&request.method, &request.path, &headers, body).map_err(|error| error.to_string())?;
    Ok(Response { status: answer.status, body: answer.text(), headers: answer.headers })
}
