//! The program with a resource type of its own: what it prints is what a client would be told.

use std::process::Command;

#[test]
fn devices_are_kept_like_users() {
    let output = Command::new(env!("CARGO_BIN_EXE_custom_type")).output().expect("runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let exchanges: Vec<(&str, &str)> = text
        .split_terminator("\n\n")
        .map(|exchange| exchange.split_once("=> ").expect("an answer"))
        .collect();
    let expected = [
        ("POST /Users", "201", "\"number\": \"B-17\""),
        ("POST /Devices", "201", "\"location\": \"https://scim.example/t/demo/scim/v2/Devices/"),
        ("POST /Devices", "201", "Printer on floor 4"),
        ("GET /Devices?filter=", "200", "Ada's laptop"),
        ("GET /Users?filter=", "200", "ada@example.com"),
        ("PATCH /Devices/", "200", "\"ends\": \"2030-03-01T00:00:00Z\""),
        ("GET /Devices?filter=", "200", "\"totalResults\": 0"),
        ("POST /Devices", "409", "the `serial` `XK-2291` is taken"),
        ("POST /Devices", "400", "did you mean `serial`?"),
        ("GET /ResourceTypes/Device", "200", "\"endpoint\": \"/Devices\""),
    ];
    assert_eq!(exchanges.len(), expected.len(), "{text}");
    for ((request, answer), (asked, status, words)) in exchanges.into_iter().zip(expected) {
        assert!(request.starts_with(asked), "{request}");
        assert!(answer.starts_with(status) && answer.contains(words), "{request}=> {answer}");
    }
    let found = text.matches("\"totalResults\": 1").count();
    assert_eq!(found, 2, "each filter on an extension finds one: {text}");
}
