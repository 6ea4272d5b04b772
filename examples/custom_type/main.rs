//! A resource type of one's own, and extensions on it and on User: schema documents, and no code.
//!
//! usage: `custom_type`
//!
//! `device.json` and `warranty.json` are what a Device is, `device_type.json` puts it at `/Devices`, and
//! `badge.json` says more of a User. The service is called as the function that it is, without a socket;
//! every request is printed with its answer.

use std::error::Error;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use scim_core::patch;
use scim_core::schema::{Registry, USER};
use scim_core::time::Timestamp;
use scim_service::directory::{Connection, Idp};
use scim_service::environment::Environment;
use scim_service::{Service, Settings};
use scim_store::MemoryStore;
use serde_json::{Value, json};

const BADGE: &str = "urn:example:params:scim:schemas:extension:2.0:Badge";
const DEVICE: &str = "urn:example:params:scim:schemas:2.0:Device";
const WARRANTY: &str = "urn:example:params:scim:schemas:extension:2.0:Warranty";

/// The schemas and types of the RFCs, and ours. A document that contradicts itself or another is refused
/// here.
fn registry() -> Result<Registry, Box<dyn Error>> {
    let registry = Registry::builder()?
        .schema(&serde_json::from_str(include_str!("device.json"))?)?
        .schema(&serde_json::from_str(include_str!("warranty.json"))?)?
        .schema(&serde_json::from_str(include_str!("badge.json"))?)?
        .resource_type(&serde_json::from_str(include_str!("device_type.json"))?)?
        .extend("User", BADGE, false)?
        .build()?;
    Ok(registry)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::new(registry()?).await?;

    let ada = json!({
        "schemas": [USER, BADGE],
        "userName": "ada@example.com",
        BADGE: { "number": "B-17", "floors": [1, 4] },
    });
    let ada = client.send("POST", "/Users", &ada).await?;

    let laptop = json!({
        "schemas": [DEVICE, WARRANTY],
        "displayName": "Ada's laptop",
        "serial": "XK-2291",
        "holder": { "value": ada, "since": "2026-03-01T09:00:00Z" },
        WARRANTY: { "ends": "2027-03-01T00:00:00Z", "level": "return" },
    });
    let laptop = client.send("POST", "/Devices", &laptop).await?;

    let printer = json!({
        "schemas": [DEVICE, WARRANTY],
        "displayName": "Printer on floor 4",
        "serial": "PR-0007",
        WARRANTY: { "ends": "2031-01-01T00:00:00Z" },
    });
    client.send("POST", "/Devices", &printer).await?;

    // Attributes of an extension are named with its URN: in filters, in `sortBy`, in paths of PATCH.
    client.find("/Devices", &format!("{WARRANTY}:ends lt \"2028-01-01T00:00:00Z\"")).await?;
    client.find("/Users", &format!("{BADGE}:floors eq 4 and {BADGE}:number sw \"b\"")).await?;

    let longer = json!({
        "schemas": [patch::MESSAGE],
        "Operations": [
            { "op": "replace", "path": format!("{WARRANTY}:ends"), "value": "2030-03-01T00:00:00Z" },
            { "op": "remove", "path": "holder" },
        ],
    });
    client.send("PATCH", &format!("/Devices/{laptop}"), &longer).await?;
    client.find("/Devices", &format!("{WARRANTY}:ends lt \"2028-01-01T00:00:00Z\"")).await?;

    // What the documents do not allow is refused, with words for whoever has to mend it.
    let twin = json!({
        "schemas": [DEVICE, WARRANTY],
        "displayName": "A second laptop",
        "serial": "XK-2291",
        WARRANTY: { "ends": "2027-03-01T00:00:00Z" },
    });
    client.send("POST", "/Devices", &twin).await?;
    let misspelt = json!({ "schemas": [DEVICE], "displayName": "A phone", "serail": "PH-1" });
    client.send("POST", "/Devices", &misspelt).await?;

    client.send("GET", "/ResourceTypes/Device", &Value::Null).await?;
    Ok(())
}

/// A service with one tenant, and the tenant's token.
struct Client {
    service: Service,
    token: String,
}

impl Client {
    async fn new(registry: Registry) -> scim_core::Result<Self> {
        let settings = Settings::new("https://scim.example");
        let service =
            Service::new(Arc::new(MemoryStore::new()), Arc::new(registry), Arc::new(System), settings);
        service.prepare().await?;
        let directory = service.directory();
        let tenant = directory.create_tenant("demo", "custom_type").await?;
        let connection = Connection::new(Idp::Generic);
        directory.create_connection(&tenant, connection, "custom_type").await?;
        let token = directory.create_token(&tenant, None, "custom_type").await?.token;
        Ok(Self { service, token })
    }

    /// Sends a request, prints it and its answer, and gives the `id` of the resource in the answer.
    async fn send(&self, method: &str, path: &str, body: &Value) -> Result<String, Box<dyn Error>> {
        println!("{method} {path}");
        self.exchange(method, path, body).await
    }

    /// Asks for the resources that match a filter, which is printed as it is before a URL needs it encoded.
    async fn find(&self, endpoint: &str, filter: &str) -> Result<String, Box<dyn Error>> {
        println!("GET {endpoint}?filter={filter}");
        let encoded: String = form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        self.exchange("GET", &format!("{endpoint}?filter={encoded}"), &Value::Null).await
    }

    async fn exchange(&self, method: &str, path: &str, body: &Value) -> Result<String, Box<dyn Error>> {
        let sent = if body.is_null() { String::new() } else { format!("{body:#}\n") };
        print!("{sent}");
        let request = Request::builder()
            .method(method)
            .uri(format!("/t/demo/scim/v2{path}"))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/scim+json")
            .body(Full::new(Bytes::from(sent)))?;
        let response = self.service.handle(request).await;
        println!("=> {}", response.status());
        let answer = response.into_body().collect().await?.to_bytes();
        let answer: Value = serde_json::from_slice(&answer)?;
        println!("{answer:#}\n");
        Ok(answer.get("id").and_then(Value::as_str).unwrap_or_default().to_owned())
    }
}

/// The libraries read no clock and draw no random numbers; here is where both come from.
struct System;

impl Environment for System {
    fn now(&self) -> Timestamp {
        let since = UNIX_EPOCH.elapsed().unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    #[expect(clippy::expect_used, reason = "without randomness no token or identifier may be made")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives randomness");
    }
}
