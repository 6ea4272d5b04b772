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
    for (body, expected) in [
        (json!([]), "a search request must be a JSON object"),
        (
            json!({}),
            "a search request must say what it is; send `\"schemas\": [\"urn:ietf:params:scim:api:messages:2.0:SearchRequest\"]`",
        ),
        (json!({"filters": "x"}), "a search request has no member `filters`; did you mean `filter`?"),
        (json!({"count": 1, "Count": 2}), "a search request has `count` twice; send it once"),
        (
            json!({"schemas": [SEARCH_REQUEST], "count": "5"}),
            "`count` of a search request must be a whole number",
        ),
        (
            json!({"schemas": [SEARCH_REQUEST], "attributes": [1]}),
            "`attributes` of a search request must be a list of text",
        ),
    ] {
        assert_eq!(SearchRequest::decode(&body).expect_err("refused").to_string(), expected);
    }
}

#[test]
fn bulk_requests() {
    let request = |operations: Value| {
        BulkRequest::decode(&json!({"schemas": [BULK_REQUEST], "Operations": operations}))
    };
    let user = json!({"method": "POST", "path": "/Users", "bulkId": "a", "data": {}});
    assert_eq!(
        request(json!([user, {"method": "DELETE", "path": "/Users/1"}])).expect("fine").operations.len(),
        2
    );
    for (operations, expected) in [
        (json!([]), "a bulk request needs `Operations`; send at least one"),
        (json!([user, user]), "two operations have the bulkId `a`"),
        (
            json!([{"method": "post"}]),
            "operation 1: `post` is not a method of bulk operations; use POST, PUT, PATCH or DELETE",
        ),
        (
            json!([{"method": "PUT", "path": "Users"}]),
            "operation 1: `path` must begin with a slash; send a path such as `/Users`",
        ),
        (
            json!([{"method": "POST", "path": "/Users", "data": {}}]),
            "operation 1: a POST needs a `bulkId`; give each POST a name of its own",
        ),
        (json!([{"method": "PUT", "path": "/Users/1"}]), "operation 1: a PUT needs `data`"),
    ] {
        assert_eq!(request(operations).expect_err("refused").to_string(), expected);
    }
    let zero = json!({"schemas": [BULK_REQUEST], "failOnErrors": 0, "Operations": [user]});
    assert!(BulkRequest::decode(&zero).is_err());
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
