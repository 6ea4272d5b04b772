//! Bytes as a conversation: a few requests to one tenant, one after the other.
//!
//! ```text
//! PATCH /Users/{user}?attributes=userName
//! if-match: W/"3"
//!
//! {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": []}
//! ---
//! GET /Users/{user}
//! ```
//!
//! A path is below the tenant's base URL unless it begins with `/t/`. A token and a media type are sent along unless
//! a header says otherwise. `{user}`, `{other}` and `{group}` stand for what is there, `{id}` for what the latest
//! answer was about, and `{tag}` for its entity tag.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG};
use http::{HeaderName, HeaderValue, Method, Request, response};
use http_body_util::Full;
use serde_json::Value;

use crate::world::{Peer, World};

/// Most requests in one conversation.
const MOST: usize = 6;

/// An answer.
pub struct Answer {
    /// The method of the request.
    pub method: Method,
    /// Status and headers.
    pub head: response::Parts,
    /// The body as it came.
    pub bytes: Bytes,
    /// The body, if it is JSON.
    pub body: Option<Value>,
}

/// Has the conversation with one tenant, and shows every answer to `check`. What HTTP itself would refuse is left out.
pub fn converse(input: &[u8], world: &World, peer: &Peer, check: impl Fn(&Answer)) {
    let mut words = vec![
        (&b"{user}"[..], peer.users[0].clone()),
        (b"{other}", peer.users[1].clone()),
        (b"{group}", peer.group.clone()),
        (b"{id}", peer.users[0].clone()),
        (b"{tag}", "W/\"1\"".to_owned()),
    ];
    for part in split(input, b"\n---\n").take(MOST) {
        let Some(request) = request(part, peer, &words) else { continue };
        let method = request.method().clone();
        let (head, bytes) = world.send(request);
        let answer = Answer { method, head, body: serde_json::from_slice(&bytes).ok(), bytes };
        check(&answer);
        let id = answer.body.as_ref().and_then(|body| body.get("id")?.as_str()).map(str::to_owned);
        let tag = answer.head.headers.get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        for (word, found) in [(&b"{id}"[..], id), (b"{tag}", tag)] {
            if let (Some(found), Some(slot)) = (found, words.iter_mut().find(|(known, _)| *known == word)) {
                slot.1 = found;
            }
        }
    }
}

fn request(part: &[u8], peer: &Peer, words: &[(&[u8], String)]) -> Option<Request<Full<Bytes>>> {
    let (head, body) = cut(part, b"\n\n").unwrap_or((part, b""));
    let mut lines = head.split(|byte| *byte == b'\n');
    let (method, target) = cut(lines.next()?, b" ")?;
    let target = String::from_utf8(spelt_out(target, words)).ok()?;
    let target = match target.starts_with("/t/") {
        true => target,
        false => format!("/t/{}/scim/v2{target}", peer.name),
    };
    let mut request = Request::builder().method(method).uri(target);
    for line in lines {
        let (name, value) = cut(line, b":")?;
        let name = HeaderName::from_bytes(name).ok()?;
        let value = spelt_out(value.trim_ascii(), words);
        request = request.header(name, HeaderValue::from_bytes(&value).ok()?);
    }
    let mut request = request.body(Full::new(Bytes::from(spelt_out(body, words)))).ok()?;
    let headers = request.headers_mut();
    if !headers.contains_key(AUTHORIZATION) {
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {}", peer.token)).ok()?);
    }
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
    }
    Some(request)
}

/// The text with every word replaced by what it stands for.
fn spelt_out(text: &[u8], words: &[(&[u8], String)]) -> Vec<u8> {
    let mut spelt = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, others)) = rest.split_first() {
        match words.iter().find(|(word, _)| rest.starts_with(word)) {
            Some((word, meaning)) => {
                spelt.extend_from_slice(meaning.as_bytes());
                rest = rest.get(word.len()..).unwrap_or_default();
            }
            None => {
                spelt.push(*first);
                rest = others;
            }
        }
    }
    spelt
}

fn cut<'t>(text: &'t [u8], at: &[u8]) -> Option<(&'t [u8], &'t [u8])> {
    let place = text.windows(at.len()).position(|window| window == at)?;
    Some((text.get(..place)?, text.get(place + at.len()..)?))
}

fn split<'t>(text: &'t [u8], at: &'t [u8]) -> impl Iterator<Item = &'t [u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || match cut(rest?, at) {
        Some((part, others)) => {
            rest = Some(others);
            Some(part)
        }
        None => rest.take(),
    })
}
