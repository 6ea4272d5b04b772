//! Any bytes, read as a PATCH message or as its operations alone, are applied to documents or refused, and nothing
//! panics. An operation that is refused leaves the document as it was. A document that was patched is canonical: it
//! is complete, it comes back from the store as it went in, sent back by PUT it decodes to itself, and it holds
//! nothing that nobody may read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scim_core::document::Document;
use scim_core::patch::{MESSAGE, Patch};
use scim_core::{decode, json};
use scim_fuzz::{TYPES, Type};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(body) = json::parse(bytes) else { return };
    let body = match body {
        Value::Array(_) => serde_json::json!({"schemas": [MESSAGE], "Operations": body}),
        other => other,
    };
    for kind in TYPES.iter() {
        let Ok(patch) = Patch::decode(&body, &kind.resource_type) else { continue };
        for before in &kind.documents {
            if let Ok(patched) = patch.apply(before, &kind.resource_type) {
                is_canonical(&patched.document, kind);
                for (path, _) in &patched.hidden {
                    assert!(
                        path.values(patched.document.as_map()).next().is_none(),
                        "{path} is in a document"
                    );
                }
            }
            let mut document = before.clone();
            for operation in &patch.operations {
                let untouched = document.clone();
                if operation.apply(&mut document, &kind.resource_type).is_err() {
                    assert_eq!(document, untouched);
                }
            }
        }
    }
});

fn is_canonical(document: &Document, kind: &Type) {
    let mut completed = document.clone();
    decode::complete(&mut completed, &kind.resource_type).expect("complete");
    assert_eq!(completed.to_json(), document.to_json(), "completing it again changes it");
    assert_eq!(&Document::from_stored(&document.to_json()).expect("stored"), document);
    let again = decode::resource(&kind.body(document), &kind.resource_type).expect("its own output");
    assert_eq!(again.document.to_json(), document.to_json(), "sent back, it is another");
}
