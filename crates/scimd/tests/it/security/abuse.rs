//! Too much, too slow, too clever: rows 26 to 30.

use std::time::Instant;

use serde_json::{Value, json};

use super::{NOBODY, still_answers};
use crate::http::{Client, Connection, encode};
use crate::messages::{SEARCH, bulk, group, id, user, user_with};
use crate::server::{PATIENCE, Server, base};

const MIB: u64 = 1024 * 1024;

#[test]
fn row_26_limits_are_enforced_as_advertised() {
    let server =
        Server::start("[limits]\nmax_operations = 10\nmax_results = 7\ndefault_count = 5\nmax_body = 20000");
    let mut client = server.tenant("acme", "generic");
    for number in 0..9 {
        client.post("/Users", &user(&format!("u{number}"))).expect(201);
    }
    let advertised = client.get("/ServiceProviderConfig").expect(200);
    assert_eq!(advertised["bulk"]["maxOperations"], 10);
    assert_eq!(advertised["bulk"]["maxPayloadSize"], 20000);
    assert_eq!(advertised["filter"]["maxResults"], 7);
    for (query, expected) in [
        ("", 5),
        ("?count=1000000000", 7),
        ("?count=7", 7),
        ("?count=8", 7),
        ("?count=0", 0),
        ("?count=-1", 0),
        ("?count=9223372036854775808", 7),
        ("?count=-9223372036854775809", 0),
        ("?count=9223372036854775807&startIndex=9", 1),
        ("?startIndex=9223372036854775807", 0),
        ("?startIndex=-5&count=2", 2),
    ] {
        let list = client.get(&format!("/Users{query}")).expect(200);
        assert_eq!(list["totalResults"], 9, "{query}");
        assert_eq!(list["Resources"].as_array().map_or(0, Vec::len), expected, "{query}: {list}");
    }
    for query in ["?count=ten", "?count=1e3", "?startIndex=1.5"] {
        client.get(&format!("/Users{query}")).refused(400, "invalidValue");
    }
    let operations = |count: usize| -> Value {
        (0..count).map(|_| json!({ "method": "DELETE", "path": format!("/Users/{NOBODY}") })).collect()
    };
    assert_eq!(
        client.post("/Bulk", &bulk(operations(10))).expect(200)["Operations"].as_array().map(Vec::len),
        Some(10)
    );
    client.post("/Bulk", &bulk(operations(11))).refused(413, "");
    let long = user_with("long", json!({ "displayName": "x".repeat(20000) }));
    client.post("/Users", &long).refused(413, "");
}

/// However large the resources are, a page has room for so much of them, and the client goes on after it.
#[test]
fn row_26_a_page_has_room_for_so_many_bytes() {
    let server = Server::start("[limits]\nmax_page_bytes = 100000");
    let mut client = server.tenant("acme", "generic");
    for number in 0..9 {
        let long = json!({ "displayName": "x".repeat(30_000) });
        client.post("/Users", &user_with(&format!("u{number}"), long)).expect(201);
        client.post("/Groups", &group(&format!("g{number}"), &[])).expect(201);
    }
    let longer = json!({ "displayName": "x".repeat(200_000) });
    client.post("/Users", &user_with("u9", longer)).expect(201);
    let found = |list: &Value| list["Resources"].as_array().cloned().unwrap_or_default();
    for path in
        ["/Users?count=100", "/Users?sortBy=userName&count=100", "/Users?filter=active+pr+or+userName+pr"]
    {
        let list = client.get(path).expect(200);
        assert_eq!((&list["totalResults"], &list["itemsPerPage"]), (&json!(10), &json!(3)), "{path}");
        let last = client.get(&format!("{path}&startIndex=10")).expect(200);
        assert_eq!(found(&last).len(), 1, "{path}: there is always one");
    }
    // Over all types, with and without an order: what has no room comes later, and nothing before it.
    for (path, total) in
        [("/Users?", 10), ("/?", 19), ("/?sortBy=displayName&", 19), ("/?filter=displayName+pr&", 19)]
    {
        let (mut start, mut names) = (1, Vec::new());
        while start <= total {
            let list = client.get(&format!("{path}count=100&startIndex={start}")).expect(200);
            assert_eq!(list["totalResults"], total, "{path}");
            let page = found(&list);
            assert!(!page.is_empty() && list.to_string().len() < 300_000, "{path} {start}");
            start += page.len();
            names.extend(page.iter().map(id));
        }
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!((names.len(), all), (total, total), "{path}");
        if !path.contains("sortBy") {
            let (mut cursor, mut walked) = (String::new(), 0);
            loop {
                let list = client.get(&format!("{path}count=100&cursor={cursor}")).expect(200);
                walked += found(&list).len();
                let Some(next) = list["nextCursor"].as_str() else { break };
                cursor = encode(next);
            }
            assert_eq!(walked, total, "{path}");
        }
    }
}

#[test]
fn row_27_bombs_cost_nothing() {
    let (server, mut client) = Server::with("generic");
    for number in 0..50 {
        client
            .post("/Users", &user_with(&format!("u{number}"), json!({ "displayName": "x".repeat(50_000) })))
            .expect(201);
    }
    // Each thread has a heap of its own, which is there before anything is measured.
    for _ in 0..64 {
        let mut connection = Connection::open(server.process.address).expect("a connection");
        connection.send(&client.message("POST", "/Users", &[], Some(b"{}"))).expect("sent");
        connection.receive("POST").expect("an answer");
    }
    let rise = || {
        let before = server.process.memory();
        for (header, status) in
            [("content-length: 67108864", 413), ("content-encoding: gzip\r\ncontent-length: 100", 415)]
        {
            let mut connection = Connection::open(server.process.address).expect("a connection");
            let message = String::from_utf8(client.message("POST", "/Users", &[], None)).expect("UTF-8");
            let message = message
                .replace("content-length: 0", &format!("content-type: application/scim+json\r\n{header}"));
            connection.send(message.as_bytes()).expect("sent");
            connection.receive("POST").expect("an answer").refused(status, "");
        }
        server.process.memory().saturating_sub(before)
    };
    // A thread that had nothing to do yet makes its heap once; what a bomb costs, it costs each time.
    let rise = (0..3).map(|_| rise()).min().expect("three");
    assert!(rise < 2 * MIB, "{rise} bytes more");

    // A body that does not say how long it is, is read up to the limit and no further.
    let before = server.process.memory();
    let mut connection = Connection::open(server.process.address).expect("a connection");
    let message = String::from_utf8(client.message("POST", "/Users", &[], None)).expect("UTF-8");
    let message = message
        .replace("content-length: 0", "content-type: application/scim+json\r\ntransfer-encoding: chunked");
    connection.send(message.as_bytes()).expect("sent");
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    let sent = (0..1024).take_while(|_| connection.send(&chunk).is_ok()).count();
    if let Ok(answer) = connection.receive("POST") {
        answer.refused(413, "");
    }
    assert!(sent < 1024, "all 64 MiB were read");
    still_answers(&server);
    let rise = server.process.memory().saturating_sub(before);
    // What was read, and as much again for whatever the allocator keeps of it.
    assert!(rise < 16 * MIB, "{rise} bytes more, with a limit of 4 MiB");
}

/// To sort by what has no index, everybody is looked at. They need not be in memory together.
#[test]
fn row_27_a_sorted_page_costs_what_it_shows() {
    let (server, mut client) = Server::with("generic");
    for number in 0..120 {
        let more = json!({ "nickName": format!("n{number}"), "title": "x".repeat(500_000) });
        client.post("/Users", &user_with(&format!("u{number}"), more)).expect(201);
    }
    let before = server.process.memory();
    let found = client.get("/Users?sortBy=nickName&count=2&attributes=nickName").expect(200);
    assert_eq!(found["Resources"][0]["nickName"], "n0");
    let rise = server.process.memory().saturating_sub(before);
    assert!(rise < 75 * MIB, "{rise} bytes more for a page of two, of 57 MiB of users");
}

#[test]
fn row_28_requests_cannot_be_smuggled() {
    let (server, mut client) = Server::with("generic");
    let smuggled = "DELETE /t/acme/scim/v2/Users/1 HTTP/1.1\r\nhost: x\r\n\r\n";
    for framing in [
        "content-length: 4\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 4",
        "content-length: 4\r\ncontent-length: 5",
        "content-length: 4\r\ncontent-length: 4",
        "content-length: 4, 4",
        "content-length: +4",
        "content-length: -4",
        "content-length: 0x4",
        "content-length: 4 4",
        "content-length : 4",
        " content-length: 4",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: xchunked",
        "transfer-encoding: identity, chunked, chunked",
        "transfer-encoding : chunked",
    ] {
        let mut connection = Connection::open(server.process.address).expect("a connection");
        let message = String::from_utf8(client.message("POST", "/Users", &[], None)).expect("UTF-8");
        let message = message.replace("content-length: 0", framing) + "0\r\n\r\n" + smuggled;
        connection.send(message.as_bytes()).expect("sent");
        let answer = connection.receive("POST").unwrap_or_else(|error| panic!("{framing}: {error}"));
        assert_eq!(answer.status, 400, "{framing}: {}", answer.text());
        let rest = connection.rest().expect("the connection is closed");
        assert_eq!(String::from_utf8_lossy(&rest), "", "{framing}: a second answer");
    }
    client.get("/Users").expect(200);
}

#[test]
fn row_28_a_request_names_one_host() {
    let (server, client) = Server::with("generic");
    let message = String::from_utf8(client.message("GET", "/Users", &[], None)).expect("UTF-8");
    let host = format!("host: {}\r\n", server.process.address);
    for (hosts, status) in [(String::new(), 400), (host.repeat(2), 400), (host.clone(), 200)] {
        let mut connection = Connection::open(server.process.address).expect("a connection");
        connection.send(message.replace(&host, &hosts).as_bytes()).expect("sent");
        assert_eq!(connection.receive("GET").expect("an answer").status, status, "{hosts}");
    }
}

#[tokio::test]
async fn row_28_rapid_resets_are_bounded() {
    let (server, client) = Server::with("generic");
    let before = server.process.memory();
    let authorization =
        client.headers.iter().find(|(name, _)| name == "authorization").expect("a token").1.clone();
    let mut resets = 0;
    for _ in 0..20 {
        let socket = tokio::net::TcpStream::connect(server.process.address).await.expect("a connection");
        let (sender, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
        let driver = tokio::spawn(connection);
        let mut sender = sender;
        for _ in 0..2000 {
            let request = http::Request::get("http://localhost/t/acme/scim/v2/Users")
                .header("authorization", &authorization)
                .body(())
                .expect("a request");
            // The server may have had enough, which is what it should have.
            let Ok(ready) = sender.clone().ready().await else { break };
            sender = ready;
            let Ok((_, mut stream)) = sender.send_request(request, false) else { break };
            stream.send_reset(h2::Reason::CANCEL);
            resets += 1;
        }
        drop(sender);
        driver.abort();
    }
    let rise = server.process.memory().saturating_sub(before);
    assert!(resets > 100, "the server never read any of it");
    assert!(rise < 16 * MIB, "{rise} bytes more after {resets} resets");
    println!("{resets} resets");
    client.clone().get("/Users").expect(200);
    still_answers(&server);
}

/// A connection over HTTP/2 of a client that takes nothing of what it is answered, and what drives it.
async fn without_a_window(
    server: &Server,
) -> (h2::client::SendRequest<bytes::Bytes>, tokio::task::JoinHandle<Result<(), h2::Error>>) {
    let socket = tokio::net::TcpStream::connect(server.process.address).await.expect("a connection");
    let handshake = h2::client::Builder::new().initial_window_size(0).handshake(socket);
    let (sender, connection) = handshake.await.expect("HTTP/2");
    (sender, tokio::spawn(connection))
}

/// Answers are in memory until they are taken, and over HTTP/2 a client can leave them there and still be of use.
#[tokio::test]
async fn row_28_answers_that_nobody_takes_are_bounded() {
    const REQUESTS: usize = 40;
    let server = Server::start("[limits]\nmax_page_bytes = 100000");
    let (mut client, mut other) = (server.tenant("acme", "generic"), server.tenant("other", "generic"));
    for client in [&mut client, &mut other] {
        client.post("/Users", &user_with("u", json!({ "displayName": "x".repeat(90_000) }))).expect(201);
    }
    let authorization =
        client.headers.iter().find(|(name, _)| name == "authorization").expect("a token").1.clone();
    let (mut sender, driver) = without_a_window(&server).await;
    let mut answers = Vec::new();
    for _ in 0..REQUESTS {
        let request = http::Request::get("http://localhost/t/acme/scim/v2/Users")
            .header("authorization", &authorization)
            .body(())
            .expect("a request");
        sender = sender.ready().await.expect("ready");
        let (answer, _) = sender.send_request(request, true).expect("sent");
        answers.push(answer.await.expect("an answer"));
    }
    let taken = answers.iter().filter(|answer| answer.status() == 200).count();
    assert!((1..=20).contains(&taken), "{taken} of {REQUESTS}");
    assert!(answers.iter().all(|answer| [200, 503].contains(&answer.status().as_u16())));
    let refused = client.get("/Users");
    refused.refused(503, "");
    other.get("/Users").expect(200);
    drop((answers, sender));
    driver.abort();
    // The server learns of it when it does.
    let left = Instant::now();
    while client.get("/Users").status != 200 {
        assert!(left.elapsed() < PATIENCE, "what nobody takes is held on");
        tokio::task::yield_now().await;
    }
}

/// Nobody's answers are counted who has no token. So each has to be small, on as many streams as there may be.
#[tokio::test]
async fn row_28_streams_that_nobody_takes_from_are_small() {
    const STREAMS: usize = 100;
    let (server, _) = Server::with("generic");
    let mut open = Vec::new();
    let mut before = 0;
    for number in 0..40 {
        if number == 5 {
            // Each thread has a heap of its own by now.
            before = server.process.memory();
        }
        let (mut sender, driver) = without_a_window(&server).await;
        let mut answers = Vec::new();
        for _ in 0..STREAMS {
            let request = http::Request::get("http://localhost/t/acme/scim/v2/Users").body(());
            sender = sender.ready().await.expect("ready");
            let (answer, _) = sender.send_request(request.expect("a request"), true).expect("sent");
            answers.push(answer);
        }
        let mut taken = Vec::new();
        for answer in answers {
            let answer = answer.await.expect("an answer");
            assert!([401, 429].contains(&answer.status().as_u16()));
            taken.push(answer);
        }
        open.push((taken, sender, driver));
    }
    let each = server.process.memory().saturating_sub(before) / (35 * STREAMS as u64);
    assert!(each < 6 * 1024, "{each} bytes for each answer that waits");
    for (_, _, driver) in &open {
        driver.abort();
    }
    still_answers(&server);
}

/// What a filter costs is its length times the size of what it is held against: minutes, for a tenant that means it.
#[test]
fn row_28_a_filter_that_takes_minutes_holds_nobody_up() {
    let Server { process, mut place } = Server::start("");
    let tokens = ["acme", "other"].map(|name| place.tenant(name, "generic"));
    // Marks in the wrong order: each has to be put in its place before anything is compared.
    let name = format!("a{}", "\u{307}\u{323}".repeat(500_000));
    let mut client = Client::new(process.address, &base("acme"), &tokens[0]);
    client.post("/Users", &user_with("u", json!({ "displayName": name }))).expect(201);
    // What is only prepared may take its time.
    process.kill();
    place.environment.push(("SCIMD_LIMITS_REQUEST_TIMEOUT_SECONDS", "20".into()));
    let server = Server { process: place.serve(), place };
    let (client, mut other) = (server.client("acme", &tokens[0]), server.client("other", &tokens[1]));
    let filter: Vec<String> = (0..490).map(|n| format!("displayName co \"{n}\"")).collect();
    let search = json!({ "schemas": [SEARCH], "filter": filter.join(" or "), "attributes": ["id"] });
    let begun = std::sync::Barrier::new(5);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (mut client, search, begun) = (client.clone(), &search, &begun);
            scope.spawn(move || {
                begun.wait();
                let status = client.post("/Users/.search", search).status;
                assert!([200, 503].contains(&status), "{status}");
            });
        }
        begun.wait();
        for number in 0..20 {
            other.post("/Users", &user_with(&format!("u{number}"), json!({}))).expect(201);
            other.get("/Users?count=20").expect(200);
        }
    });
    still_answers(&server);
}

#[test]
fn row_28_silent_connections_are_closed() {
    let server = Server::start("[limits]\nrequest_timeout_seconds = 5");
    let token = server.place.tenant("acme", "generic");
    let client = server.client("acme", &token);
    let body = client.message("POST", "/Users", &[("content-length", "100")], None);
    let body = String::from_utf8(body).expect("UTF-8").replace("content-length: 0\r\n", "");
    let silent: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"GET / HTTP/1.1\r\nhost: x\r\n".to_vec(),
        body.replace("content-length: 100", "content-type: application/json\r\ncontent-length: 100")
            .into_bytes(),
    ];
    std::thread::scope(|scope| {
        for message in &silent {
            let address = server.process.address;
            scope.spawn(move || {
                let mut connection = Connection::open(address).expect("a connection");
                connection.send(message).expect("sent");
                let said = connection.rest().expect("the server closes it");
                let said = String::from_utf8_lossy(&said).into_owned();
                assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
            });
        }
    });
    still_answers(&server);
}

#[test]
fn row_29_nothing_a_client_sends_becomes_sql() {
    let (_server, mut client) = Server::with("generic");
    let odd = [
        "' OR 1=1 --",
        "%",
        "_",
        "\\",
        "\"; DROP TABLE resources; --",
        "a%b_c\\d",
        "''",
        "İ",
        "ß",
        "\u{1F600}",
    ];
    for name in odd {
        client.post("/Users", &user(name)).expect(201);
    }
    let find = |client: &mut Client, filter: &str| {
        client.get(&format!("/Users?filter={}", encode(filter))).expect(200)["totalResults"]
            .as_u64()
            .expect("a number")
    };
    for name in odd {
        let literal = Value::from(name).to_string();
        assert_eq!(find(&mut client, &format!("userName eq {literal}")), 1, "{name}");
        let containing = odd.iter().filter(|other| other.contains(name)).count() as u64;
        assert_eq!(find(&mut client, &format!("userName co {literal}")), containing, "co {name}");
        assert!(find(&mut client, &format!("userName sw {literal}")) >= 1, "sw {name}");
    }
    assert_eq!(find(&mut client, "userName eq \"x' OR '1'='1\""), 0);
    for filter in [
        "userName' eq \"x\"",
        "userName\" eq \"x\"",
        "userName; DROP TABLE resources eq \"x\"",
        "1=1",
        "userName eq 'x'",
        "(SELECT 1) eq 1",
        "userName eq \"x\" OR 1=1",
        "userName eq \"x\" --",
        "userName eq \"a\u{0}b\"",
        "userName\u{0} pr",
    ] {
        let answer = client.get(&format!("/Users?filter={}", encode(filter)));
        assert_eq!(answer.status, 400, "{filter}: {}", answer.text());
    }
    for sort in ["userName; DROP TABLE resources", "userName desc", "1", "(SELECT 1)", "user'Name"] {
        let answer = client.get(&format!("/Users?sortBy={}", encode(sort)));
        assert_eq!(answer.status, 400, "{sort}: {}", answer.text());
    }
    for id in ["' OR 1=1 --", "%", "%00", "a%00b", "*", "1 OR 1=1"] {
        let id = if id.contains("%00") { id.to_owned() } else { encode(id) };
        client.get(&format!("/Users/{id}")).refused(404, "");
    }
    client.post("/Users", &user("a\u{0}b")).refused(400, "invalidValue");
    assert_eq!(client.get("/Users").expect(200)["totalResults"], odd.len());
}

#[test]
fn row_30_locations_are_the_configured_ones() {
    let server = Server::start("base_url = \"https://scim.example.com\"");
    let client = server.tenant("acme", "generic");
    let base = "https://scim.example.com/t/acme/scim/v2";
    for headers in [
        vec![("host", "evil.example")],
        vec![
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-prefix", "/evil"),
        ],
        vec![
            ("forwarded", "host=evil.example;proto=http"),
            ("x-original-url", "/evil"),
            ("x-rewrite-url", "/evil"),
        ],
    ] {
        let mut request = client.clone();
        if headers[0].0 == "host" {
            // The client writes the address by itself; here the first line must be the forged one.
            let bytes = client.message("GET", "/ServiceProviderConfig", &[], None);
            let forged = String::from_utf8(bytes)
                .expect("UTF-8")
                .replace(&format!("host: {}", server.process.address), "host: evil.example");
            let mut connection = Connection::open(server.process.address).expect("a connection");
            connection.send(forged.as_bytes()).expect("sent");
            let answer = connection.receive("GET").expect("an answer");
            assert!(!answer.text().contains("evil") && answer.text().contains(base), "{}", answer.text());
            continue;
        }
        let name = format!("u-{}", headers[0].0);
        let answer = request.with("POST", "/Users", &headers, Some(&user(&name)));
        let created = answer.expect(201);
        let location = format!("{base}/Users/{}", id(&created));
        assert_eq!(answer.header("location"), Some(location.as_str()));
        assert_eq!(created["meta"]["location"], location);
        let group =
            request.with("POST", "/Groups", &headers, Some(&group(&name, &[&id(&created)]))).expect(201);
        assert_eq!(group["members"][0]["$ref"], location);
        for path in ["/Users", "/Schemas", "/ResourceTypes", "/ServiceProviderConfig", "/Nothing"] {
            let answer = request.with("GET", path, &headers, None);
            assert!(!answer.text().contains("evil"), "{}", answer.text());
        }
    }
}
