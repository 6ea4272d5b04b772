use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Error, ErrorKind};

#[test]
fn errors_tell_status_type_detail_and_no_source() {
    let error =
        Error::new(ErrorKind::Uniqueness, "taken").remedy("choose another").caused_by("UNIQUE constraint");
    let expected = json!({"schemas": [ERROR], "status": "409", "scimType": "uniqueness", "detail": "taken; choose another"});
    assert_eq!(error_body(&error), expected);
    assert_eq!(error_body(&Error::new(ErrorKind::NotFound, "gone")).get("scimType"), None);
}

#[test]
fn searches() {
    let body = json!({"schemas": [SEARCH_REQUEST], "Filter": "title pr", "count": 5, "attributes": ["id", " userName"],
                      "cursor": "", "sortBy": null});
    let request = SearchRequest::decode(&body).expect("a request");
    assert_eq!(request.filter.as_deref(), Some("title pr"));
    assert_eq!((request.count, request.cursor.as_deref(), request.sort_by), (Some(5), Some(""), None));
    assert_eq!(request.attributes, ["id", "userName"]);
    let body = r#"{"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "domain": "x",
        "count": -99999999999999999999, "startIndex": 99999999999999999999}"#;
    let request = SearchRequest::decode(&serde_json::from_str(body).expect("JSON")).expect("a later RFC's");
    assert_eq!((request.count, request.start_index), (Some(i64::MIN), Some(i64::MAX)));
    for (body, expected) in [
        (json!([]), "a search request must be an object, not an array"),
        (
            json!({}),
            "a search request must say what it is; send `\"schemas\": [\"urn:ietf:params:scim:api:messages:2.0:SearchRequest\"]`",
        ),
        (json!({"filters": "x"}), "a search request has no member `filters`; did you mean `filter`?"),
        (json!({"count": 1, "Count": 2}), "a search request has `count` twice; send it once"),
        (
            json!({"schemas": [SEARCH_REQUEST], "count": "5"}),
            "`count` of a search request must be a whole number, not a string",
        ),
        (
            json!({"schemas": [SEARCH_REQUEST], "count": 5.0}),
            "`count` of a search request must be a whole number, not one with a fraction or an exponent",
        ),
        (
            json!({"schemas": [SEARCH_REQUEST], "attributes": [1]}),
            "`attributes` of a search request must hold strings, not a number",
        ),
    ] {
        assert_eq!(SearchRequest::decode(&body).expect_err("refused").to_string(), expected);
    }
}

#[test]
fn bulk_requests() {
    let request = |operations: Value| {
        BulkRequest::decode(&json!({"schemas": [BULK_REQUEST], "Operations": operations}), 2)
    };
    let user = json!({"method": "POST", "path": "/Users", "bulkId": "a", "data": {}});
    assert_eq!(
        request(json!([user, {"method": "DELETE", "path": "/Users/1"}])).expect("fine").operations.len(),
        2
    );
    for (operations, expected) in [
        (json!([]), "a bulk request needs `Operations`; send at least one"),
        (
            json!([user, user]),
            "operation 2: an earlier operation has the bulkId `a`; give each operation a name of its own",
        ),
        (
            json!([{}, {}, {}]),
            "the request has 3 operations and at most 2 are allowed; split it into several requests",
        ),
    ] {
        assert_eq!(request(operations).expect_err("refused").to_string(), expected);
    }
    for (malformed, expected) in [
        (
            json!({"method": "post"}),
            "`post` is not a method of bulk operations; use POST, PUT, PATCH or DELETE",
        ),
        (
            json!({"method": "PUT", "path": "Users"}),
            "`path` must begin with a slash; send a path such as `/Users`",
        ),
        (
            json!({"method": "POST", "path": "/Users", "data": {}}),
            "a POST needs a `bulkId`; give each POST a name of its own",
        ),
        (
            json!({"method": "PATCH", "path": "/Users/1?attributes=id", "data": {}}),
            "`/Users/1?attributes=id` has a query, and no path of a bulk operation takes one; send the path alone, \
             such as `/Users/{id}`",
        ),
        (json!({"method": "PUT", "path": "/Users/1"}), "a PUT needs `data`"),
        (json!(7), "a bulk operation must be an object, not a number"),
    ] {
        let operations = request(json!([malformed, user])).expect("the other is fine").operations;
        assert!(matches!(operations.get(1), Some(Ok(_))));
        let malformed = operations.into_iter().next().map(|first| first.expect_err("refused").error);
        assert_eq!(malformed.map(|error| error.to_string()).as_deref(), Some(expected));
    }
    let zero = json!({"schemas": [BULK_REQUEST], "failOnErrors": 0, "Operations": [user]});
    assert!(BulkRequest::decode(&zero, 2).is_err());
}

#[test]
fn lists() {
    let mut list = ListWriter::new();
    list.start_index(3);
    list.resource().extend_from_slice(b"{\"a\":1}");
    list.resource().extend_from_slice(b"{\"a\":2}");
    list.next_cursor("abc".to_owned());
    let message: Value = serde_json::from_slice(&list.finish(9)).expect("JSON");
    assert_eq!(
        message,
        json!({"schemas": [LIST_RESPONSE], "totalResults": 9, "itemsPerPage": 2, "startIndex": 3, "nextCursor": "abc",
               "Resources": [{"a": 1}, {"a": 2}]})
    );
}

/// JSON that is often near to a message.
fn any_message() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec!["POST", "DELETE", "/Users", "a", "", BULK_REQUEST]).prop_map(Value::from),
    ];
    let name = prop::sample::select(vec!["method", "path", "bulkId", "BULKID", "data", "version", "x"]);
    let object = prop::collection::vec((name.prop_map(str::to_owned), leaf.clone()), 0..6)
        .prop_map(|members| Value::Object(members.into_iter().collect()));
    let any = prop_oneof![leaf, object, Just(json!([[]]))].boxed();
    (prop::collection::vec(any.clone(), 0..4), any.clone(), any).prop_map(|(list, left, right)| {
        json!({"schemas": [BULK_REQUEST, SEARCH_REQUEST], "Operations": list, "attributes": list,
            "failOnErrors": left, "count": right, "filter": left})
    })
}

fn without(message: &Value, names: &[&str]) -> Value {
    let members = message.as_object().expect("an object").iter();
    let kept = members.filter(|(name, _)| !names.contains(&name.as_str()));
    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

proptest! {
    #[test]
    fn any_json_gets_an_answer(message in any_message()) {
        if let Ok(request) = BulkRequest::decode(&without(&message, &["attributes", "count", "filter"]), 2) {
            for operation in request.operations.iter().flatten() {
                prop_assert!(operation.path.starts_with('/'));
                prop_assert!(operation.method == "DELETE" || operation.data.is_some());
            }
        }
        let _ = SearchRequest::decode(&without(&message, &["Operations", "failOnErrors"]));
    }
}

#[test]
fn a_long_name_is_not_repeated_whole() {
    let long = "x".repeat(1_000_000);
    let detail = |body: Value| BulkRequest::decode(&body, 2).expect_err("refused").detail();
    assert!(detail(json!({&long: 1})).len() < 400);
    let request =
        BulkRequest::decode(&json!({"schemas": [BULK_REQUEST], "Operations": [{"method": long}]}), 2);
    let malformed = request.expect("fine").operations.pop().expect("one").expect_err("refused");
    assert!(malformed.error.detail().len() < 400);
}
