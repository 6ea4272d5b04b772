//! Any conversation (see `scim_fuzz::conversation`) with a tenant of any kind of identity provider is answered, and
//! nothing panics. No answer is a fault of the server: 501 is the only status from 500 on, inside Bulk too. Every
//! refusal is a SCIM error that tells its own status and says what is wrong, and every other body is JSON.

#![no_main]

use http::header::CONTENT_TYPE;
use libfuzzer_sys::fuzz_target;
use scim_core::message::ERROR;
use scim_fuzz::conversation::{Answer, converse};
use scim_fuzz::world::World;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let world = World::new();
    for peer in &world.tenants {
        converse(input, &world, peer, check);
    }
});

fn check(Answer { method, head, bytes, body }: &Answer) {
    let status = head.status.as_u16();
    let text = String::from_utf8_lossy(bytes);
    assert!(status < 500 || status == 501, "{method} {status}: {text}");
    if matches!(status, 204 | 304) {
        return assert!(bytes.is_empty(), "{method} {status}: {text}");
    }
    let media_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert!(media_type.ends_with("json"), "{method} {status}: {media_type}");
    let Some(body) = body else { panic!("{method} {status}: {text}") };
    if status >= 400 {
        return is_error(body, &status.to_string());
    }
    assert!(body.get("schemas").is_some_and(Value::is_array), "{method} {status}: {text}");
    let operations = body.get("Operations").and_then(Value::as_array).into_iter().flatten();
    for operation in operations {
        let status = operation.get("status").and_then(Value::as_str).unwrap_or_default();
        if let Some(error) = operation.get("response") {
            is_error(error, status);
        }
        assert!(status < "500" || status == "501", "{text}");
    }
}

fn is_error(body: &Value, status: &str) {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    assert_eq!(body.get("schemas"), Some(&serde_json::json!([ERROR])), "{body}");
    assert_eq!(text("status"), status, "{body}");
    assert!(!text("detail").is_empty(), "{body}");
}
