//! The application as a process of its own: people are pushed over HTTP, and its own route shows them.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// The application while it runs.
pub(crate) struct App {
    process: Child,
    /// What it prints. Kept, so that it can go on printing.
    _output: Lines<BufReader<ChildStdout>>,
    address: String,
    token: String,
}

impl App {
    /// Starts it, and waits until it says how to reach it.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_axum_app"));
        let mut process =
            command.arg("127.0.0.1:0").args(arguments).stdout(Stdio::piped()).spawn().expect("starts");
        let mut output = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let curl = output.next().expect("a line").expect("text");
        let between = |from: &str, to: &str| {
            let (_, rest) = curl.split_once(from).expect(from);
            rest.split_once(to).expect(to).0.to_owned()
        };
        let (address, token) = (between("http://", "/t/demo"), between("Bearer ", "'"));
        Self { process, _output: output, address, token }
    }

    /// Sends a request and gives the status and the body.
    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut socket = TcpStream::connect(&self.address).expect("connects");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n",
            self.address,
            self.token,
            body.len()
        );
        socket.write_all(format!("{head}{body}").as_bytes()).expect("sends");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, body.to_owned())
    }

    pub(crate) fn create(&self, user: &Value) -> Value {
        let (status, body) = self.send("POST", "/t/demo/scim/v2/Users", &user.to_string());
        assert_eq!(status, 201, "{body}");
        serde_json::from_str(&body).expect("JSON")
    }

    fn people(&self) -> Value {
        let (status, body) = self.send("GET", "/people", "");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("JSON")
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn user(name: &str, active: bool) -> Value {
    json!({ "schemas": [scim_core::schema::USER], "userName": name, "displayName": name, "active": active,
            "emails": [{ "value": format!("{name}@example.com"), "primary": true }] })
}

#[test]
fn who_is_pushed_is_shown() {
    let app = App::start(&[]);
    assert_eq!(app.send("GET", "/", "").0, 200);
    assert_eq!(app.people(), json!([]));
    let bob = app.create(&user("bob", true));
    let ada = app.create(&user("ada", true));
    app.create(&user("eve", false));
    let id = ada["id"].as_str().expect("an identifier");
    assert_eq!(ada["meta"]["location"], format!("http://{}/t/demo/scim/v2/Users/{id}", app.address));
    let shown = |id: &Value, name: &str| {
        let email = format!("{name}@example.com");
        json!({ "id": id, "user_name": name, "name": name, "email": email })
    };
    assert_eq!(app.people(), json!([shown(&ada["id"], "ada"), shown(&bob["id"], "bob")]));
    assert_eq!(app.send("GET", "/t/nobody/scim/v2/Users", "").0, 401);
    assert_eq!(app.send("GET", "/elsewhere", "").0, 404);
}

#[test]
fn people_in_a_file_are_there_at_the_next_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("people.db");
    let arguments = [file.to_str().expect("text")];
    let app = App::start(&arguments);
    app.create(&user("ada", true));
    let before = app.people();
    drop(app);
    assert_eq!(App::start(&arguments).people(), before);
}
