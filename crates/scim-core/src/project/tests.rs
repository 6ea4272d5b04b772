use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::schema::{ENTERPRISE_USER, GROUP, Registry, USER};

const GADGET: &str = "urn:acme:Gadget";
const NOTE: &str = "urn:acme:Note";

/// A type with an attribute and a sub-attribute of each kind of `returned`.
fn gadgets() -> Arc<ResourceType> {
    let attributes = |extra: Value| {
        let kinds = ["always", "default", "request", "never"];
        let subs: Vec<Value> = kinds.iter().map(|kind| json!({"name": kind, "returned": kind})).collect();
        let mut attributes = subs.clone();
        for kind in kinds {
            attributes.push(json!({"name": format!("{kind}s"), "returned": kind, "subAttributes": subs}));
        }
        attributes.extend(extra.as_array().cloned().unwrap_or_default());
        attributes
    };
    let list = json!([{"name": "list", "multiValued": true, "subAttributes": [
        {"name": "value"}, {"name": "never", "returned": "never"}, {"name": "request", "returned": "request"}]}]);
    let gadget = json!({"id": GADGET, "attributes": attributes(list)});
    let note = json!({"id": NOTE, "attributes": attributes(json!([]))});
    let gadgets = json!({"name": "Gadget", "endpoint": "/Gadgets", "schema": GADGET, "schemaExtensions": [{"schema": NOTE}]});
    let registry = Registry::builder()
        .and_then(|builder| builder.schema(&gadget)?.schema(&note)?.resource_type(&gadgets)?.build())
        .expect("documents");
    Arc::clone(registry.endpoint("Gadgets").expect("Gadget"))
}

fn builtin(endpoint: &str) -> Arc<ResourceType> {
    Arc::clone(Registry::builtin().expect("built in").endpoint(endpoint).expect(endpoint))
}

fn project(resource: &Value, attributes: &[&str], excluded: &[&str], resource_type: &ResourceType) -> Value {
    let mut map = resource.as_object().expect("an object").clone();
    Projection::parse(attributes, excluded, resource_type).expect("a projection").apply(&mut map);
    Value::Object(map)
}

fn user() -> Value {
    json!({
        "schemas": [USER, ENTERPRISE_USER], "id": "7", "userName": "ada", "password": "leak",
        "name": {"givenName": "Ada", "familyName": "L"},
        "emails": [{"value": "a@x", "type": "work"}, {"type": "home"}],
        ENTERPRISE_USER: {"department": "R", "manager": {"value": "1", "displayName": "Bob"}},
        "groups": [], "meta": {"resourceType": "User", "version": "W/\"1\""},
    })
}

/// The user's members that stay, `schemas` and `id` aside.
fn check_user(attributes: &[&str], excluded: &[&str], expected: Value) {
    let mut all = json!({"schemas": [USER, ENTERPRISE_USER], "id": "7"});
    all.as_object_mut().expect("an object").extend(expected.as_object().expect("an object").clone());
    assert_eq!(project(&user(), attributes, excluded, &builtin("Users")), all, "{attributes:?} {excluded:?}");
}

fn without(names: &[&str]) -> Value {
    let mut user = user();
    for name in names.iter().chain(&["password"]) {
        user.as_object_mut().expect("an object").shift_remove(*name);
    }
    user
}

#[test]
fn requests_select_attributes() {
    let urn = |rest: &str| format!("{ENTERPRISE_USER}{rest}");
    let check = |attributes: &[&str], expected| check_user(attributes, &[], expected);
    check(&[], without(&[]));
    check(&["", " "], without(&[]));
    check(&[" USERNAME "], json!({"userName": "ada"}));
    check(&["userName", "nonsense", "name.nonsense", "urn:x:y"], json!({"userName": "ada"}));
    check(&["nonsense"], json!({}));
    check(&["password"], json!({}));
    check(&["urn:ietf:params:scim:schemas:core:2.0:user:userName"], json!({"userName": "ada"}));
    check(&["name.givenName"], json!({"name": {"givenName": "Ada"}}));
    check(&["name.givenName", "name"], json!({"name": {"givenName": "Ada", "familyName": "L"}}));
    check(&["emails.value"], json!({"emails": [{"value": "a@x"}]}));
    check(&["emails.display"], json!({}));
    check(&["groups"], json!({"groups": []}));
    check(&["meta.version"], json!({"meta": {"version": "W/\"1\""}}));
    let extension = user().get(ENTERPRISE_USER).cloned().expect("extension");
    check(&[ENTERPRISE_USER], json!({ENTERPRISE_USER: extension}));
    check(&[&urn(":Department")], json!({ENTERPRISE_USER: {"department": "R"}}));
    check(&[&urn(":manager.value")], json!({ENTERPRISE_USER: {"manager": {"value": "1"}}}));
    check(&[&urn(":manager.value"), ENTERPRISE_USER], json!({ENTERPRISE_USER: extension}));
    check(&["department"], json!({}));
    check(&[USER], without(&[ENTERPRISE_USER]));
    check(&[&USER.to_uppercase(), ENTERPRISE_USER], without(&[]));
}

#[test]
fn requests_exclude_attributes() {
    let check = |excluded: &[&str], expected| check_user(&[], excluded, expected);
    check(&["id", "schemas", "meta", "groups"], without(&["meta", "groups"]));
    check(&["nonsense"], without(&[]));
    check(&[ENTERPRISE_USER], without(&[ENTERPRISE_USER]));
    check(&[USER], json!({ENTERPRISE_USER: user()[ENTERPRISE_USER]}));
    check(&["emails.type", "emails.value"], without(&["emails"]));
    let mut expected = without(&[]);
    expected["emails"] = json!([{"type": "work"}, {"type": "home"}]);
    expected[ENTERPRISE_USER] = json!({"department": "R", "manager": {"displayName": "Bob"}});
    check(&["emails.value", &format!("{ENTERPRISE_USER}:manager.value")], expected);
    check(
        &[&format!("{ENTERPRISE_USER}:manager"), &format!("{ENTERPRISE_USER}:department")],
        without(&[ENTERPRISE_USER]),
    );
}

#[test]
fn returned_decides() {
    let gadgets = gadgets();
    let complex = json!({"always": 1, "default": 1, "request": 1, "never": 1});
    let data = json!({"always": 1, "default": 1, "request": 1, "never": 1,
        "alwayss": complex, "defaults": complex, "requests": complex, "nevers": complex});
    let mut resource = data.clone();
    resource[NOTE] = data;
    resource["list"] = json!([{"value": 1, "never": 1, "request": 1}, {"never": 1}]);
    // The core and the extension follow the same rules, so `expected` is what both hold, `list` aside.
    let check = |attributes: &[&str], excluded: &[&str], expected: Value, list: Value| {
        let twice = |names: &[&str]| -> Vec<String> {
            names.iter().flat_map(|name| [(*name).to_owned(), format!("{NOTE}:{name}")]).collect()
        };
        let (attributes, excluded) = (twice(attributes), twice(excluded));
        let attributes: Vec<&str> = attributes.iter().map(String::as_str).collect();
        let excluded: Vec<&str> = excluded.iter().map(String::as_str).collect();
        let mut whole = expected.clone();
        whole[NOTE] = expected;
        if !list.is_null() {
            whole["list"] = list;
        }
        assert_eq!(
            project(&resource, &attributes, &excluded, &gadgets),
            whole,
            "{attributes:?} {excluded:?}"
        );
    };
    let usual = json!({"always": 1, "default": 1});
    let list = json!([{"value": 1}]);
    check(&[], &[], json!({"always": 1, "default": 1, "alwayss": usual, "defaults": usual}), list.clone());
    check(
        &["nevers", "never", "defaults.never"],
        &[],
        json!({"always": 1, "alwayss": usual, "defaults": {"always": 1}}),
        json!(null),
    );
    check(&["request"], &[], json!({"always": 1, "request": 1, "alwayss": usual}), json!(null));
    check(&["requests"], &[], json!({"always": 1, "alwayss": usual, "requests": usual}), json!(null));
    check(
        &["requests.request", "list.request"],
        &[],
        json!({"always": 1, "alwayss": usual, "requests": {"always": 1, "request": 1}}),
        json!([{"request": 1}]),
    );
    check(
        &["alwayss.request", "defaults", "defaults.request"],
        &[],
        json!({"always": 1, "alwayss": {"always": 1, "request": 1}, "defaults": {"always": 1, "default": 1, "request": 1}}),
        json!(null),
    );
    check(
        &[],
        &["always", "alwayss", "default", "defaults.always", "defaults.default", "request", "list.never"],
        json!({"always": 1, "alwayss": usual, "defaults": {"always": 1}}),
        list.clone(),
    );
    check(
        &[],
        &["alwayss.default", "alwayss.always"],
        json!({"always": 1, "default": 1, "alwayss": {"always": 1}, "defaults": usual}),
        list,
    );

    let core = project(&resource, &["default"], &[], &gadgets);
    assert_eq!(core["default"], json!(1));
    assert_eq!(
        core[NOTE],
        json!({"always": 1, "alwayss": usual}),
        "the name is only that of the core attribute"
    );

    let note = project(&resource, &[NOTE, &format!("{NOTE}:requests.request")], &[], &gadgets);
    let expected =
        json!({"always": 1, "default": 1, "alwayss": usual, "defaults": usual, "requests": complex});
    let mut expected = expected;
    expected["requests"] = json!({"always": 1, "default": 1, "request": 1});
    assert_eq!(note[NOTE], expected, "the extension as a whole, and one more");
}

#[test]
fn both_lists_are_one_too_many() {
    let users = builtin("Users");
    let error = Projection::parse(&["userName"], &["nonsense"], &users).expect_err("both");
    assert_eq!(error.detail(), "`attributes` and `excludedAttributes` exclude each other; send one of them");
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    Projection::parse(&["userName"], &[" "], &users).expect("only one is given");
    let error = Projection::parse(&["a"; MAX_NAMES + 1], &[], &users).expect_err("too many");
    assert_eq!(error.detail(), "the request names more than 500 attributes; name fewer");
}

#[test]
fn documents_are_sent_as_stored_where_that_is_right() {
    let (users, groups) = (builtin("Users"), builtin("Groups"));
    assert!(!Projection::default_of(&gadgets()).keeps_documents());
    let check = |attributes: &[&str], excluded: &[&str], resource_type, keeps, includes: [bool; 3]| {
        let projection = Projection::parse(attributes, excluded, resource_type).expect("a projection");
        assert_eq!(projection.keeps_documents(), keeps, "{attributes:?} {excluded:?}");
        assert_eq!(projection.is_default(), attributes.is_empty() && excluded.is_empty());
        assert_eq!(["members", "meta", "id"].map(|name| projection.includes(name)), includes);
    };
    check(&[], &[], &groups, true, [true, true, true]);
    check(&[], &["members"], &groups, true, [false, true, true]);
    check(&[], &["members", "meta"], &groups, true, [false, false, true]);
    check(&[], &["members.display"], &groups, true, [true, true, true]);
    check(&[], &["displayName"], &groups, false, [true, true, true]);
    check(&[], &["meta"], &users, true, [false, false, true]);
    check(&["members"], &[], &groups, false, [true, false, true]);
    check(&["meta.version"], &[], &groups, false, [false, true, true]);
    check(&[], &["emails.type"], &users, false, [false, true, true]);
    check(&[], &["groups"], &users, true, [false, true, true]);
    check(&[], &[ENTERPRISE_USER], &users, false, [false, true, true]);
    let group = json!({"schemas": [GROUP], "id": "1", "displayName": "G", "members": []});
    assert_eq!(project(&group, &[], &[], &groups), group, "an empty list still says so");
    assert_eq!(project(&group, &["members.value"], &[], &groups)["members"], json!([]));
}

#[test]
fn only_attributes_on_request_make_stored_documents_differ() {
    let check = |attribute: Value, expected: bool| {
        let thing = json!({"id": "urn:acme:Thing", "attributes": [attribute]});
        let things = json!({"name": "Thing", "endpoint": "/Things", "schema": "urn:acme:Thing"});
        let registry = Registry::builder()
            .and_then(|builder| builder.schema(&thing)?.resource_type(&things)?.build())
            .expect("documents");
        let things = registry.endpoint("Things").expect("Thing");
        assert_eq!(Projection::default_of(things).keeps_documents(), !expected, "{attribute}");
    };
    let with = |returned: &str| json!({"name": "a", "subAttributes": [{"name": "b", "returned": returned}, {"name": "c"}]});
    check(json!({"name": "a", "returned": "request"}), true);
    check(json!({"name": "a", "returned": "never"}), false);
    check(json!({"name": "a", "returned": "always"}), false);
    check(with("request"), true);
    check(with("never"), false);
    check(with("default"), false);
}

/// A resource of the type with every attribute there is.
fn full(resource_type: &ResourceType) -> Value {
    fn of(attribute: &Attribute) -> Value {
        let leaf = || match attribute.returned() {
            Returned::Never => json!("c4nary"),
            Returned::Always | Returned::Default | Returned::Request => json!("x"),
        };
        let one = match attribute.sub_attributes() {
            [] => leaf(),
            subs => Value::Object(subs.iter().map(|sub| (sub.name().to_owned(), of(sub))).collect()),
        };
        if attribute.is_multi_valued() { json!([one]) } else { one }
    }
    let members = |attributes: &mut dyn Iterator<Item = &Arc<Attribute>>| -> Map<String, Value> {
        attributes.map(|attribute| (attribute.name().to_owned(), of(attribute))).collect()
    };
    let mut all = members(&mut resource_type.attributes());
    for extension in resource_type.extensions() {
        let schema = extension.schema();
        all.insert(schema.id().to_owned(), Value::Object(members(&mut schema.attributes().iter())));
    }
    Value::Object(all)
}

fn any_names() -> impl Strategy<Value = Vec<String>> {
    let name = prop::sample::select(vec![
        "id",
        "schemas",
        "userName",
        "password",
        "emails",
        "emails.value",
        "emails.type",
        "groups",
        "meta",
        "name",
        "name.givenName",
        ENTERPRISE_USER,
        "never",
        "nevers",
        "nevers.always",
        "request",
        "requests.never",
        "requests",
        "defaults.never",
        "defaults.request",
        "list",
        "list.never",
        "list.value",
        NOTE,
        USER,
        GADGET,
        "nonsense",
        "",
    ]);
    let name = (any::<bool>(), name)
        .prop_map(|(inside, name)| if inside { format!("{NOTE}:{name}") } else { name.to_owned() });
    prop::collection::vec(name, 0..6)
}

proptest! {
    #[test]
    fn nothing_leaks_and_nothing_fixed_is_lost(names in any_names(), exclude in any::<bool>()) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (attributes, excluded) = if exclude { (&[][..], &names[..]) } else { (&names[..], &[][..]) };
        for resource_type in [builtin("Users"), gadgets()] {
            let resource = full(&resource_type);
            let answer = project(&resource, attributes, excluded, &resource_type);
            prop_assert!(!answer.to_string().contains("c4nary"), "{}", answer);
            prop_assert_eq!(&answer["schemas"], &resource["schemas"]);
            prop_assert_eq!(&answer["id"], &resource["id"]);
            prop_assert_eq!(project(&answer, attributes, excluded, &resource_type), answer);
        }
    }

    #[test]
    fn a_document_that_is_kept_is_kept_byte_for_byte(names in any_names()) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let users = builtin("Users");
        let mut document = full(&users).as_object().expect("an object").clone();
        for name in ["id", "meta", "groups", "password"] {
            document.shift_remove(name);
        }
        let projection = Projection::parse(&[], &names, &users).expect("a projection");
        let mut projected = document.clone();
        projection.apply(&mut projected);
        prop_assert_eq!(projection.keeps_documents(), projected == document);
    }
}
