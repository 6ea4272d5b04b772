use scim_core::patch::Patch;
use scim_core::schema::Registry;
use serde_json::json;

use super::*;

/// The delta of operations written as `add a b`, `set a`, `remove a b` (by value path) and `clear`.
fn delta(operations: &str) -> MemberDelta {
    let registry = Registry::builtin().expect("built in");
    let group = registry.endpoint("Groups").expect("Group");
    let mut change = MemberChange::default();
    for operation in operations.split(", ") {
        let mut words = operation.split(' ');
        let verb = words.next().unwrap_or_default();
        let ids: Vec<&str> = words.collect();
        let values: Vec<Value> = ids.iter().map(|id| json!({"value": id})).collect();
        let terms: Vec<String> = ids.iter().map(|id| format!("value eq \"{id}\"")).collect();
        let operation = match verb {
            "add" => json!({"op": "add", "path": "members", "value": values}),
            "set" => json!({"op": "replace", "path": "members", "value": values}),
            "clear" => json!({"op": "remove", "path": "members"}),
            _ => json!({"op": "remove", "path": format!("members[{}]", terms.join(" or "))}),
        };
        let message = json!({"schemas": [scim_core::patch::MESSAGE], "Operations": [operation]});
        for step in Patch::decode(&message, group).expect("a patch").operations {
            assert!(MemberChange::concerns(&step, group));
            assert_eq!(change.apply(&step).expect("understood"), None);
        }
    }
    change.into_delta(UnknownMembers::Refuse)
}

#[test]
fn the_last_word_on_a_member_counts() {
    for (operations, clear, remove, add) in [
        ("add a b", false, vec![], vec!["a", "b"]),
        ("add a, add a", false, vec![], vec!["a"]),
        ("add a, remove a", false, vec!["a"], vec![]),
        ("remove a, add a", false, vec![], vec!["a"]),
        ("remove a b, add c", false, vec!["a", "b"], vec!["c"]),
        ("add a, set b c, remove b", true, vec![], vec!["c"]),
        ("add a, clear", true, vec![], vec![]),
        ("clear, add a", true, vec![], vec!["a"]),
    ] {
        let delta = delta(operations);
        assert_eq!(
            (delta.clear, delta.remove, delta.add),
            (clear, owned(&remove), owned(&add)),
            "{operations}"
        );
    }
}

fn owned(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}
