use serde_json::json;

use super::*;

fn refusal(document: serde_json::Value) -> String {
    Schema::from_json(&document).expect_err("refused").to_string()
}

#[test]
fn the_built_in_documents_agree_with_each_other() {
    let registry = Registry::builtin().expect("built in");
    let user = registry.endpoint("Users").expect("User");
    let unique: Vec<String> = user.unique().iter().map(ToString::to_string).collect();
    assert_eq!(unique, ["userName"]);
    let indexed: Vec<String> = user.indexed().iter().map(ToString::to_string).collect();
    assert_eq!(
        indexed,
        ["userName", "externalId", "displayName", "emails.value", "name.familyName", "meta.lastModified"]
    );
    assert_eq!(user.membership(), Some(Membership::Member));
    assert_eq!(registry.schemas().len(), 6);
}

#[test]
fn a_registry_grows_into_another() {
    let registry = Registry::builtin().expect("built in");
    let acme = json!({"id": "urn:acme:User", "name": "Acme", "attributes": [{"name": "badge"}]});
    let builder = registry.to_builder().without("Group").without("Nothing").schema(&acme).expect("a schema");
    let grown = builder.extend("User", "urn:acme:User", false).expect("a type").build().expect("fits");
    let names = |registry: &Registry| -> Vec<String> {
        registry.resource_types().iter().map(|resource_type| resource_type.name().to_owned()).collect()
    };
    assert_eq!((names(&grown), grown.schemas().len()), (vec!["User".to_owned()], 6));
    assert!(grown.schema(GROUP).is_none());
    assert!(grown.endpoint("Users").and_then(|user| user.extension("urn:acme:user")).is_some());
    assert_eq!(names(&registry), ["User", "Group"], "the first one stays as it is");
}

/// The URN of one schema may begin with that of another, and a path leads into the longest.
#[test]
fn a_path_leads_into_the_schema_with_the_longest_urn() {
    const SHORT: &str = "urn:acme:Staff";
    const LONG: &str = "urn:acme:Staff:Badge";
    for urns in [[SHORT, LONG], [LONG, SHORT]] {
        let mut builder = Registry::builtin().expect("built in").to_builder();
        for urn in urns {
            let schema = json!({"id": urn, "attributes": [{"name": "colour"}]});
            builder = builder.schema(&schema).expect("a schema").extend("User", urn, false).expect("a type");
        }
        let registry = builder.build().expect("fits");
        let user = registry.endpoint("Users").expect("User");
        for urn in urns {
            let path = format!("{urn}:colour");
            let found = crate::path::AttributePath::parse(&path, user).expect("an attribute");
            assert_eq!((found.urn(), found.to_string()), (Some(urn), path));
        }
    }
}

#[test]
fn documents_survive_being_written_and_read() {
    for schema in Registry::builtin().expect("built in").schemas() {
        let again = Schema::from_json(&schema.to_json()).expect("its own document");
        assert_eq!(&again, &**schema);
    }
}

/// RFC 7643 §2.1: `nameChar = "$" / "-" / "_" / DIGIT / ALPHA`.
#[test]
fn an_attribute_name_has_what_the_rfc_lets_it_have() {
    let document = json!({"id": "urn:acme:User", "attributes": [{"name": "a$b-c_1"}, {"name": "$ref"}]});
    let builder = Registry::builtin().expect("built in").to_builder().schema(&document).expect("a schema");
    let registry = builder.extend("User", "urn:acme:User", false).expect("a type").build().expect("fits");
    let user = registry.endpoint("Users").expect("User");
    let filter = crate::filter::Filter::parse("urn:acme:User:A$B-c_1 eq \"x\"", user).expect("a filter");
    assert_eq!(filter.to_string(), "urn:acme:User:a$b-c_1 eq \"x\"");
    for name in ["", "$", "-a", "_a", "1a", "a.b", "a b", "ä"] {
        let document = json!({"id": "urn:acme:X", "attributes": [{"name": name}]});
        assert!(refusal(document).contains("is not an attribute name"), "{name}");
    }
}

#[test]
fn a_wrong_document_is_refused_with_its_place() {
    let attribute = |attribute: serde_json::Value| json!({"id": "urn:acme:X", "attributes": [attribute]});
    for (document, expected) in [
        (json!({"id": "acme", "attributes": []}), "the schema id `acme` is not a URI"),
        (json!([]), "not a schema document: invalid length 0, expected an object with `id` and `attributes`"),
        (
            json!({"id": "urn:acme:X", "attributes": ["a"]}),
            "not a schema document: invalid type: string \"a\", expected an attribute, which is an object",
        ),
        (
            attribute(json!({"name": "a", "type": "sting"})),
            "`urn:acme:X:a`: unknown type `sting`; did you mean `string`?",
        ),
        (attribute(json!({"name": "1a"})), "`urn:acme:X:1a` is not an attribute name"),
        (
            attribute(json!({"name": "a", "type": "complex"})),
            "sub-attributes and type `complex` need each other",
        ),
        (attribute(json!({"name": "a", "multivalued": true})), "unknown field `multivalued`"),
        (
            attribute(json!({"name": "a", "mutability": "writeOnly", "returned": "always"})),
            "a writeOnly attribute cannot be returned; set `returned` to `never`",
        ),
        (
            json!({"id": "urn:acme:X", "attributes": [{"name": "a"}, {"name": "A"}]}),
            "`urn:acme:X` declares `A` twice",
        ),
    ] {
        let refusal = refusal(document);
        assert!(refusal.contains(expected), "{refusal}");
    }
}

#[test]
fn a_registry_that_does_not_fit_together_is_refused() {
    let builder = || Registry::builder().expect("built in");
    let device =
        |endpoint: &str, schema: &str| json!({"name": "Device", "endpoint": endpoint, "schema": schema});
    for (refusal, expected) in [
        (
            builder().extend("Usr", ENTERPRISE_USER, false).err(),
            "there is no resource type `Usr`; did you mean `User`?",
        ),
        (builder().resource_type(&device("/Me", USER)).err(), "the endpoint `/Me` belongs to the protocol"),
        (
            builder().resource_type(&device("/Users", USER)).err(),
            "resource type `Device` clashes with `User`",
        ),
        (
            builder()
                .resource_type(&device("/Devices", "urn:acme:Device"))
                .expect("a document")
                .build()
                .err(),
            "resource type `Device`: there is no schema `urn:acme:Device`; add its document",
        ),
    ] {
        let refusal = refusal.expect("refused").to_string();
        assert!(refusal.contains(expected), "{refusal}");
    }
}
