//! Filters, sorting, paging and totals.

use serde_json::{Value, json};

use super::Case;
use super::fixture::{Fixture, after, ids, setting};
use crate::{Position, Query, Side, Start};

pub(super) const CASES: &[Case] = &[
    Case::new("filters on every kind of attribute", filters),
    Case::new("texts longer than a key", long_texts),
    Case::new("filters on memberships", memberships),
    Case::new("sorting puts absent values last and ties by identifier", sorting),
    Case::new("several values sort by the primary or first one", several_values),
    Case::new("pages by offset", offsets),
    Case::new("pages by position, which may be gone", positions),
    Case::new("positions walk every order without loss", walks),
    Case::new("pages end where the room for bodies does", room),
    Case::new("totals", totals),
    Case::new("types are apart", types),
];

fn device(f: &Fixture, id: &str, document: Value) {
    f.must(vec![f.create("Device", id, document)]);
}

fn filters(f: &Fixture) {
    device(
        f,
        "a",
        json!({ "displayName": "Ähre", "code": "X%", "size": -5, "weight": 0.0, "seen": "2024-02-29T12:00:00+02:00",
            "on": true, "tags": ["Red", "BLUE"], "ports": [{ "value": "p1", "type": "in", "rank": 1 },
            { "value": "P2", "type": "out", "rank": 9, "primary": true }], "place": { "room": "R_1", "floor": 2, "names": ["Lab", "Attic"] },
            "note": "50% off" }),
    );
    device(
        f,
        "b",
        json!({ "displayName": "ähren", "code": "x%", "size": 40, "weight": -1.5, "seen": "2024-02-29T10:00:00Z",
            "on": false, "tags": ["green"], "ports": [{ "type": "in" }], "place": { "floor": 3 }, "note": "50" }),
    );
    device(f, "c", json!({ "displayName": "", "code": "X_", "size": 7, "seen": "2025-01-01T00:00:00.5Z" }));
    let check = |filter: &str, expected: &str| {
        for sort in ["", "size ascending", "note descending"] {
            let mut found = f.find("Device", filter, sort);
            found.sort();
            assert_eq!(found.concat(), expected, "{filter} {sort}");
        }
    };
    for (filter, expected) in [
        (r#"id eq "a""#, "a"),
        (r#"id eq "A""#, ""),
        (r#"id eq "zz""#, ""),
        (r#"displayName eq "ÄHRE""#, "a"),
        (r#"displayName sw "äh""#, "ab"),
        (r#"displayName sw """#, "abc"),
        (r#"displayName ew "n""#, "b"),
        (r#"displayName co "HR""#, "ab"),
        (r#"displayName gt "ähre""#, "b"),
        (r#"displayName ge "ähre""#, "ab"),
        (r#"displayName lt "ähren""#, "ac"),
        (r#"displayName le "ähren""#, "abc"),
        (r#"displayName ne "ähre""#, "bc"),
        ("displayName pr", "ab"),
        ("displayName eq null", "c"),
        ("displayName ne null", "ab"),
        (r#"code eq "X%""#, "a"),
        (r#"code sw "X""#, "ac"),
        (r#"code sw "%""#, ""),
        (r#"code eq "X_""#, "c"),
        (r#"note co "%""#, "a"),
        (r#"note sw "50""#, "ab"),
        ("size gt -6", "abc"),
        ("size lt 8", "ac"),
        ("size ge 7 and size lt 40", "c"),
        ("size gt 7 and size lt 7", ""),
        ("size eq 7 and size eq 40", ""),
        ("weight eq 0", "a"),
        ("weight lt 0", "b"),
        ("weight eq null", "c"),
        ("not (weight pr)", "c"),
        (r#"seen eq "2024-02-29T10:00:00.000Z""#, "ab"),
        (r#"seen gt "2024-02-29T10:00:00Z""#, "c"),
        (r#"seen le "2025-01-01T01:00:00.5+01:00""#, "abc"),
        ("on eq true", "a"),
        ("on eq false", "b"),
        ("on ne true", "bc"),
        (r#"tags eq "blue""#, "a"),
        (r#"tags ne "blue""#, "abc"),
        (r#"tags eq "red" and tags eq "blue""#, "a"),
        (r#"tags eq "red" or tags eq "green""#, "ab"),
        (r#"tags sw "r" or tags sw "b" or tags gt "a""#, "ab"),
        ("tags eq null", "c"),
        (r#"ports.value eq "p2""#, "a"),
        (r#"ports eq "P1""#, "a"),
        ("ports.value eq null", "bc"),
        ("ports.rank gt 1 and ports.rank lt 9", "a"),
        ("ports[rank gt 1 and rank lt 9]", ""),
        (r#"ports[value eq "p1" and type eq "in"]"#, "a"),
        (r#"ports[value eq "p1" and type eq "out"]"#, ""),
        (r#"ports[value eq "p2" or type eq "in"]"#, "ab"),
        (r#"ports[not (value eq "p1")]"#, "ab"),
        ("ports[value eq null]", "b"),
        ("ports[value pr]", "a"),
        (r#"place.room eq "r_1""#, "a"),
        (r#"place[room eq "R_1" and floor eq 2]"#, "a"),
        (r#"place.names eq "attic""#, "a"),
        ("place.names eq null", "bc"),
        ("place.room eq null", "bc"),
        (r#"place.room sw "r""#, "a"),
        (r#"meta.created gt "2000-01-01T00:00:00Z""#, "abc"),
        (r#"meta.lastModified lt "2000-01-01T00:00:00Z""#, ""),
        (r#"id eq "a" or id eq "c" or id eq "a""#, "ac"),
        (r#"id eq "a" or size eq 40 or displayName sw "ä""#, "ab"),
        (r#"id eq "a" or note pr"#, "ab"),
        (r#"serial eq "x""#, ""),
    ] {
        check(filter, expected);
    }
}

fn long_texts(f: &Fixture) {
    let base = "é".repeat(128);
    for (id, tail) in [("a", "1"), ("b", "2"), ("c", ""), ("d", "0")] {
        device(
            f,
            id,
            json!({ "displayName": format!("{base}{tail}"), "tags": [format!("{base}{tail}"), "x"] }),
        );
    }
    for (operator, tail, expected) in [
        ("eq", "1", "a"),
        ("eq", "", "c"),
        ("eq", "3", ""),
        ("sw", "", "abcd"),
        ("sw", "2", "b"),
        ("gt", "1", "b"),
        ("ge", "1", "ab"),
        ("lt", "1", "cd"),
        ("le", "1", "acd"),
        ("lt", "", ""),
    ] {
        for (path, is_alone) in [("displayName", true), ("tags", false)] {
            let filter = format!(r#"{path} {operator} "{base}{tail}""#);
            let found = f.find("Device", &filter, "").concat();
            // "x" is less than the base.
            let expected = if !is_alone && operator.starts_with('l') { "abcd" } else { expected };
            assert_eq!(found, expected, "{path} {operator} …{tail}");
        }
    }
}

fn memberships(f: &Fixture) {
    f.must(vec![f.user("u", "u"), f.user("v", "v"), f.user("w", "w")]);
    f.must(vec![f.group("g", &["u", "v"]), f.group("h", &["v", "g"]), f.group("i", &[])]);
    for (kind, filter, expected) in [
        ("Group", r#"members eq "v""#, "gh"),
        ("Group", r#"members.value eq "u""#, "g"),
        ("Group", r#"members.value eq "U""#, ""),
        ("Group", r#"members[value eq "g"]"#, "h"),
        ("Group", r#"members[value eq "v" and type eq "User"]"#, "gh"),
        ("Group", r#"members[value eq "g" and type eq "User"]"#, ""),
        ("Group", r#"members[type eq "group"]"#, "h"),
        ("Group", r#"members[value eq "x" or value eq "g"]"#, "h"),
        ("Group", r#"members[not (value eq "v")]"#, "gh"),
        ("Group", r#"members.type eq "User""#, "gh"),
        ("Group", r#"members eq "u" or members eq "g""#, "gh"),
        ("Group", r#"members eq "u" and members eq "v""#, "g"),
        ("Group", r#"members ne "v""#, "ghi"),
        ("Group", r#"not (members eq "v")"#, "i"),
        ("Group", r#"id eq "g" and members eq "v""#, "g"),
        ("Group", r#"id eq "i" and members eq "v""#, ""),
        ("Group", r#"displayName sw "the" and members[value eq "u"]"#, "g"),
        ("Group", "members pr", "gh"),
        ("Group", "members eq null", "i"),
        ("Group", r#"members co "U""#, ""),
        ("User", r#"groups eq "g""#, "uv"),
        ("User", r#"groups.value eq "h""#, "v"),
        ("User", r#"groups[value eq "h"] and userName eq "V""#, "v"),
        ("User", r#"not (groups eq "g")"#, "w"),
        ("User", "groups pr", "uv"),
        ("User", r#"groups sw "h""#, "v"),
    ] {
        for sort in ["", "meta.lastModified ascending"] {
            assert_eq!(f.find(kind, filter, sort).concat(), expected, "{filter} {sort}");
        }
    }
    assert_eq!(f.find("Group", "members pr", "displayName descending"), ["h", "g"]);
    f.must(vec![f.link("g", setting(&["w"]))]);
    assert_eq!(f.find("Group", r#"members eq "u""#, ""), [""; 0]);
    assert_eq!(f.linked(Side::Groups, "w"), ["g"]);
}

fn sorting(f: &Fixture) {
    for (id, name, size) in [
        ("d", Some("Beta"), Some(2)),
        ("b", Some("alpha"), None),
        ("c", Some("ALPHA"), Some(-1)),
        ("a", None, Some(2)),
        ("e", None, None),
        ("f", Some("émile"), Some(30)),
    ] {
        let mut document = json!({});
        name.inspect(|name| document["displayName"] = json!(name));
        name.inspect(|name| document["note"] = json!(name));
        size.inspect(|size| document["size"] = json!(size));
        device(f, id, document);
    }
    for (sort, expected) in [
        ("displayName ascending", "bcdfae"),
        ("displayName descending", "aefdbc"),
        ("note ascending", "bcdfae"),
        ("note descending", "aefdbc"),
        ("size ascending", "cadfbe"),
        ("size descending", "befadc"),
        ("id ascending", "abcdef"),
        ("id descending", "fedcba"),
        ("meta.created descending", "feacbd"),
    ] {
        assert_eq!(f.find("Device", "", sort).concat(), expected, "{sort}");
        let some = f.find("Device", "size pr or displayName pr", sort).concat();
        assert_eq!(some, expected.replace('e', ""), "{sort} with a filter");
    }
    assert_eq!(f.find("Device", r#"displayName ge "b""#, "displayName descending").concat(), "fd");
    assert_eq!(f.find("Device", "size ge 2 and size lt 30", "size descending").concat(), "ad");
}

fn several_values(f: &Fixture) {
    device(
        f,
        "a",
        json!({ "tags": ["m", "a", "z"], "ports": [{ "value": "b" }, { "value": "y", "primary": true }] }),
    );
    device(f, "b", json!({ "tags": ["n", "b"], "ports": [{ "value": "c" }, { "value": "a" }] }));
    device(f, "c", json!({ "tags": ["c"], "ports": [{ "type": "in" }, { "value": "a" }] }));
    device(f, "d", json!({}));
    for (sort, expected) in [
        ("tags ascending", "cabd"),
        ("tags descending", "dbac"),
        ("ports ascending", "bacd"),
        ("ports.value descending", "cdab"),
    ] {
        assert_eq!(f.find("Device", "", sort).concat(), expected, "{sort}");
    }
    assert_eq!(f.find("Device", r#"tags ge "b""#, "tags ascending").concat(), "cab");
    assert_eq!(f.find("Device", r#"tags ge "b""#, "").concat(), "abc", "each once");
    assert_eq!(f.find("Device", r#"ports.value eq "a""#, "ports descending").concat(), "cb");
}

/// Seven devices `a` to `g`; `on` and `size` tie many of them.
fn seven(f: &Fixture) {
    for (n, id) in ["a", "b", "c", "d", "e", "f", "g"].into_iter().enumerate() {
        let mut document =
            json!({ "size": n / 3, "note": format!("n{}", n % 2), "displayName": format!("x{}", n % 4) });
        if n == 2 || n == 5 {
            document.as_object_mut().unwrap().remove("size");
        }
        device(f, id, document);
    }
}

fn offsets(f: &Fixture) {
    seven(f);
    let page = |filter: &str, sort: &str, offset, count| {
        let query = Query { start: Start::Offset(offset), count, ..f.query("Device", filter, sort) };
        let page = f.ask(&query);
        (ids(&page).concat(), page.total.unwrap(), page.next.map(|next| next.id))
    };
    let answer = |text: &str, total, next: Option<&str>| (text.to_owned(), total, next.map(str::to_owned));
    for (filter, total) in [("", 7), ("displayName pr", 7), ("displayName sw \"X\"", 7)] {
        for sort in ["", "id ascending"] {
            assert_eq!(page(filter, sort, 0, 3), answer("abc", total, Some("c")));
            assert_eq!(page(filter, sort, 4, 3), answer("efg", total, None));
            assert_eq!(page(filter, sort, 6, 3), answer("g", total, None));
            assert_eq!(page(filter, sort, 7, 3), answer("", total, None));
            assert_eq!(page(filter, sort, u64::MAX, 3), answer("", total, None));
            assert_eq!(page(filter, sort, 0, 0), answer("", total, None));
        }
        assert_eq!(page(filter, "size ascending", 1, 4), answer("bdeg", total, Some("g")));
        assert_eq!(page(filter, "size descending", 1, 4), answer("fgde", total, Some("e")));
        assert_eq!(page(filter, "note descending", 2, 3), answer("fac", total, Some("c")));
    }
    assert_eq!(page("displayName eq \"x1\"", "", 1, 1), answer("f", 2, None));
    assert_eq!(page("displayName eq \"x1\"", "note ascending", 0, 1), answer("b", 2, Some("b")));
}

fn positions(f: &Fixture) {
    seven(f);
    let first = |filter: &str, sort: &str, count| {
        let page = f.ask(&Query { count, ..f.query("Device", filter, sort) });
        page.next.expect("more")
    };
    let rest = |filter: &str, sort: &str, position: Position| {
        let page = f.ask(&Query { start: after(position), ..f.query("Device", filter, sort) });
        assert_eq!(page.total, Some(f.ask(&f.query("Device", filter, sort)).records.len() as u64));
        ids(&page).concat()
    };
    let orders = ["", "size ascending", "size descending", "note descending", "id descending"];
    let filters = ["", "displayName pr"];
    let places: Vec<(&str, &str, Position)> = filters
        .iter()
        .flat_map(|filter| orders.iter().map(|sort| (*filter, *sort, first(filter, sort, 3))))
        .collect();
    let before: Vec<String> = places.iter().map(|(f, s, place)| rest(f, s, place.clone())).collect();
    let expected = ["defg", "egcf", "deab", "aceg", "dcba"];
    assert_eq!(before, [expected, expected].concat());
    for (_, _, place) in &places {
        if f.record(&place.id).is_some() {
            f.must(vec![f.delete("Device", &place.id)]);
        }
    }
    for ((filter, sort, place), before) in places.iter().zip(before) {
        let left: String = before.chars().filter(|id| f.record(&id.to_string()).is_some()).collect();
        assert_eq!(rest(filter, sort, place.clone()), left, "{filter} {sort}");
    }
}

fn walks(f: &Fixture) {
    seven(f);
    for filter in
        ["", "size pr or displayName pr", "displayName ge \"x\"", "displayName eq \"x1\" or size eq 1"]
    {
        for by in ["", "size", "displayName", "note", "meta.created", "on", "tags", "id"] {
            for direction in ["ascending", "descending"] {
                let sort = if by.is_empty() { String::new() } else { format!("{by} {direction}") };
                let whole = f.find("Device", filter, &sort);
                for count in [1, 2, 3, 7] {
                    let mut query = Query { count, total: false, ..f.query("Device", filter, &sort) };
                    let mut walked = Vec::new();
                    loop {
                        let page = f.ask(&query);
                        assert_eq!(page.total, None);
                        walked.extend(ids(&page));
                        assert!(walked.len() <= whole.len(), "{filter} {sort} {count}: {walked:?}");
                        let Some(next) = page.next else { break };
                        assert_eq!(page.records.len(), count);
                        query.start = after(next);
                    }
                    assert_eq!(walked, whole, "{filter} {sort} {count}");
                }
            }
        }
    }
}

/// A page ends before what has no room on it, wherever its records come from, and the next goes on there.
fn room(f: &Fixture) {
    seven(f);
    let big = json!({ "size": 1, "note": "n".repeat(1000), "displayName": "x1" });
    device(f, "cc", big);
    let all = f.ask(&f.query("Device", "", ""));
    let size = |id: &str| all.records.iter().find(|record| record.id == id).expect("stored").body.len();
    for filter in ["", "size pr or displayName pr", "displayName ge \"x\"", "displayName eq \"x1\""] {
        for sort in ["", "size descending", "displayName ascending", "note ascending", "id descending"] {
            let whole = f.find("Device", filter, sort);
            for bytes in [0, 100, 250, 1200, usize::MAX] {
                for total in [false, true] {
                    let mut query = Query { bytes, total, ..f.query("Device", filter, sort) };
                    let mut walked: Vec<String> = Vec::new();
                    loop {
                        f.ask_together(&query, Side::Groups, 10);
                        let page = f.ask(&query);
                        assert_eq!(page.total, total.then_some(whole.len() as u64));
                        let here: usize = page.records.iter().map(|record| record.body.len()).sum();
                        let context = format!("{filter} {sort} {bytes}: {:?} after {walked:?}", ids(&page));
                        assert!(here <= bytes || page.records.len() == 1, "{context}");
                        walked.extend(ids(&page));
                        let Some(next) = page.next else { break };
                        let following = whole.get(walked.len()).expect("one more");
                        assert!(here + size(following) > bytes, "{context}");
                        query.start = after(next);
                    }
                    assert_eq!(walked, whole, "{filter} {sort} {bytes}");
                }
            }
        }
    }
}

fn totals(f: &Fixture) {
    let total = |kind: &str, filter: &str| {
        let query = Query { count: 0, ..f.query(kind, filter, "") };
        let page = f.ask(&query);
        assert_eq!((page.records, page.next), (vec![], None));
        page.total.unwrap()
    };
    assert_eq!(total("User", ""), 0);
    f.must(vec![f.user("a", "a"), f.user("b", "b"), f.group("g", &["a"])]);
    assert_eq!((total("User", ""), total("Group", ""), total("Device", "")), (2, 1, 0));
    f.commit(vec![f.user("c", "c"), f.user("d", "a")]).expect_err("a conflict");
    assert_eq!(total("User", ""), 2);
    f.must(vec![f.delete("User", "a"), f.user("e", "e"), f.user("f", "f")]);
    assert_eq!(total("User", ""), 3);
    assert_eq!(total("User", "userName gt \"b\""), 2);
    assert_eq!(total("User", "not (userName eq \"b\")"), 2);
    assert_eq!(total("Group", "members pr"), 0);
}

fn types(f: &Fixture) {
    f.must(vec![f.user("u", "u"), f.group("g", &[])]);
    f.must(vec![f.create("Device", "d", json!({ "displayName": "The g" })), f.group("h", &["d", "u", "g"])]);
    assert_eq!(f.find("Group", r#"displayName eq "the g""#, ""), ["g"]);
    assert_eq!(f.find("Device", r#"displayName eq "the g""#, ""), ["d"]);
    assert_eq!(f.find("Group", r#"id eq "u""#, ""), [""; 0]);
    assert_eq!(f.find("User", r#"groups eq "h""#, ""), ["u"]);
    assert_eq!(f.find("Group", "", "displayName descending"), ["h", "g"]);
}
