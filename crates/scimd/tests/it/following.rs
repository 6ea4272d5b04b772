//! An application that buys no Rust: `examples/follow_persons/follow.py` keeps a table of people by the commands alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::messages::{group, id, op, user, user_with};
use crate::server::{Place, Server, alone, run_in, scimd};

/// The application, and the file of its table.
pub(crate) struct Application<'a> {
    place: &'a Place,
    file: PathBuf,
}

impl<'a> Application<'a> {
    /// One that knows nobody yet.
    pub(crate) fn new(place: &'a Place, name: &str) -> Self {
        Self { place, file: place.directory.path().join(format!("{name}.db")) }
    }

    /// Takes over what came. Its table has then what the server has.
    #[track_caller]
    pub(crate) fn run(&self) -> Vec<Value> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/follow_persons/follow.py");
        let mut command = alone(Command::new("python3"));
        command.arg(script).arg(&self.file).arg("acme").arg("--config").arg(&self.place.config);
        command.env("SCIMD", env!("CARGO_BIN_EXE_scimd"));
        command.envs(self.place.environment.iter().map(|(name, value)| (name, value)));
        let output = command.output().expect("python3");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let people = self.people();
        assert_eq!(people, self.truth());
        people
    }

    fn people(&self) -> Vec<Value> {
        let database = rusqlite::Connection::open(&self.file).expect("a file");
        let columns = FIELDS.join(", ");
        let sql = format!("SELECT {columns} FROM person WHERE tenant = 'acme' ORDER BY id");
        let mut people = database.prepare(&sql).expect("a table");
        let rows = people.query_map([], |row| {
            let text = |at| row.get::<_, Option<String>>(at).map(Value::from);
            let active = row.get::<_, bool>(6).map(Value::from);
            (0..6).map(text).chain([active]).collect::<Result<Value, _>>()
        });
        rows.expect("people").map(|person| person.expect("a person")).collect()
    }

    #[track_caller]
    fn truth(&self) -> Vec<Value> {
        let exported = self.place.command(&["person", "export", "acme", "--format", "json"]);
        let people: Vec<Value> = serde_json::from_str(&exported).expect("a list");
        people.iter().map(|person| FIELDS.map(|field| person[field].clone()).into_iter().collect()).collect()
    }
}

/// What docs/operating.md lets such a role read is enough, and it can do nothing else.
#[test]
fn a_role_of_a_database_that_only_reads_can_follow() {
    let place = Place::in_database("");
    let token = place.tenant("acme", "generic");
    let server = Server { process: place.serve(), place };
    server.client("acme", &token).post("/Users", &user("ada")).expect(201);
    let database = server.place.database();
    let role = database.run("SELECT 'reader_of_' || current_database()").concat();
    database.run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA scim TO {role}; \
         GRANT SELECT ON scim.persons, scim.migration, scim.resource, scim.change, scim.edge TO {role}"
    ));
    let store = database.text(&role);
    let run = |arguments: &[&str]| {
        run_in(server.place.directory.path(), &[arguments, &["--store", &store]].concat())
    };
    for command in ["changes acme", "export acme", "follow --from marks --mark next"] {
        let arguments = ["person"].into_iter().chain(command.split(' ')).chain(["--format", "json"]);
        let ran = run(&arguments.collect::<Vec<_>>());
        let people: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
        assert_eq!(people.len(), 1, "{command}");
    }
    let ran = run(&["token", "create", "acme"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("permission denied"), "{ran:?}");
    database.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

const FIELDS: [&str; 7] = ["id", "first_name", "last_name", "email", "language", "user_group", "active"];

#[test]
fn a_table_has_what_the_server_has_whatever_happens() {
    let (server, mut client) = Server::with("generic");
    let place = &server.place;
    let application = Application::new(place, "application");
    assert_eq!(application.run(), [Value::Null; 0]);
    let create = |client: &mut crate::http::Client, name: &str| {
        let more = json!({ "name": { "givenName": name }, "preferredLanguage": "de" });
        id(&client.post("/Users", &user_with(&format!("{name}@example.com"), more)).expect(201))
    };
    let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| create(&mut client, name));
    let sales = id(&client.post("/Groups", &group("Sales", &[&ada, &bob])).expect(201));
    assert_eq!(application.run().len(), 3);

    client
        .patch(&format!("/Groups/{sales}"), json!([op("replace", "displayName", json!("Team"))]))
        .expect(204);
    client.patch(&format!("/Users/{bob}"), json!([op("replace", "active", json!(false))])).expect(200);
    client.delete(&format!("/Users/{eve}")).expect(204);
    let people = application.run();
    assert!(people.contains(&json!([ada, "ada", null, "ada@example.com", "de", "Team", true])), "{people:?}");
    assert_eq!(people.len(), 2);

    // Other rules make other people of the same users.
    let rules = "[mapping]\nuser_group = \"title\"\n[language]\ndefault = \"en\"\nsupported = [\"en\"]\n";
    let policy = place.directory.write("acme.toml", rules);
    place.command(&["policy", "apply", "acme", &policy.to_string_lossy()]);
    let people = application.run();
    assert!(people.contains(&json!([ada, "ada", null, "ada@example.com", "en", null, true])), "{people:?}");

    // The name is given again, and so are the numbers of changes.
    place.command(&["connection", "remove", "acme"]);
    place.command(&["tenant", "delete", "acme", "--yes"]);
    let token = place.tenant("acme", "generic");
    let mut client = server.client("acme", &token);
    for n in 0..12 {
        create(&mut client, &format!("new{n}"));
    }
    assert_eq!(application.run().len(), 12);
    place.command(&["connection", "remove", "acme"]);
    place.command(&["tenant", "delete", "acme", "--yes"]);
    place.command(&["tenant", "create", "acme"]);
    assert_eq!(application.run(), [Value::Null; 0]);
}

/// What a command would be told to go on after, whatever it lists.
struct Marked<'a> {
    place: &'a Place,
    command: &'a [&'a str],
    mark: Value,
}

impl Marked<'_> {
    /// How many came since the last call, and the number of the mark.
    #[track_caller]
    fn more(&mut self, format: &str) -> (usize, u64) {
        let file = self.place.directory.path().join("mark");
        let file = file.to_str().expect("UTF-8");
        let mut arguments = [self.command, &["--format", format, "--mark", file]].concat();
        let (after, at) = (self.mark["after"].to_string(), self.mark["at"].as_str().unwrap_or_default());
        if !self.mark.is_null() {
            arguments.extend(["--after", &after, "--at", at]);
        }
        let printed = self.place.command(&arguments);
        let rows = match format {
            "json" => serde_json::from_str::<Vec<Value>>(&printed).expect("a list").len(),
            _ => printed.lines().count() - 1,
        };
        self.mark = std::fs::read_to_string(file).expect("a mark").parse().expect("JSON");
        (rows, self.mark["after"].as_u64().expect("a number"))
    }
}

/// Whoever begins with nobody there, or is told of nobody for long, has a place to go on from all the same.
#[test]
fn there_is_a_mark_where_nothing_is_listed() {
    let (server, mut client) = Server::with("generic");
    let place = &server.place;
    let marked = |command| Marked { place, command, mark: Value::Null };
    let mut persons = marked(&["person", "changes", "acme"]);
    let mut trail = marked(&["audit", "list", "acme", "--request", "nobody's"]);
    let mut all = marked(&["audit", "list", "acme", "--limit", "1"]);
    let mut administration = marked(&["audit", "administration", "nobody"]);
    assert_eq!((persons.more("json"), trail.more("json"), all.more("json")), ((0, 0), (0, 0), (0, 0)));
    assert_eq!(persons.mark, json!({ "after": 0, "at": "1970-01-01T00:00:00.000Z" }));
    let (nothing, last) = administration.more("json");
    assert!(nothing == 0 && last > 0, "what others did was looked at");
    assert_eq!(administration.more("csv"), (0, last));
    for name in ["Red", "Blue"] {
        client.post("/Groups", &group(name, &[])).expect(201);
    }
    assert_eq!((persons.more("table"), trail.more("csv"), all.more("json")), ((0, 2), (0, 2), (1, 1)));
    client.post("/Users", &user("ada")).expect(201);
    assert_eq!((persons.more("json"), trail.more("json"), all.more("json")), ((1, 3), (0, 3), (1, 2)));
    assert_eq!((persons.more("json"), trail.more("table")), ((0, 3), (0, 3)));
    // A number alone is told with its moment from then on.
    let whole = persons.mark.clone();
    let file = place.directory.path().join("mark");
    let arguments = ["--after", "3", "--mark", file.to_str().expect("UTF-8")];
    place.command(&[&["person", "changes", "acme"], &arguments[..]].concat());
    assert_eq!(std::fs::read_to_string(&file).expect("a mark"), format!("{whole}\n"));
}

/// A list that was not read to its end was not taken over.
#[test]
fn there_is_no_mark_of_a_list_that_nobody_has_read() {
    let place = Place::new("");
    place.command(&["tenant", "create", "acme"]);
    for command in
        [&["person", "changes", "acme"][..], &["audit", "list", "acme"], &["audit", "administration"]]
    {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut scimd = scimd();
        scimd.args(command).args(["--mark", "mark"]).arg("--config").arg(&place.config);
        scimd.current_dir(place.directory.path()).stdout(writer).stderr(Stdio::piped());
        let output = scimd.spawn().and_then(Child::wait_with_output).expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {stderr}");
        assert!(stderr.contains("mark was not written"), "{command:?}: {stderr}");
        assert!(!place.directory.path().join("mark").exists(), "{command:?}");
    }
}

/// The people of all tenants, as an application keeps them that follows by `person follow` alone.
struct Everybody<'a> {
    place: &'a Place,
    people: BTreeMap<String, BTreeSet<String>>,
}

impl Everybody<'_> {
    /// Takes over what came, and says how many lines that were.
    #[track_caller]
    fn run(&mut self) -> usize {
        let [from, mark] = ["marks", "marks.next"].map(|name| self.place.directory.path().join(name));
        let [from, mark] = [&from, &mark].map(|file| file.to_str().expect("UTF-8"));
        let follow = ["person", "follow", "--from", from, "--mark", mark, "--format", "json"];
        let lines: Vec<Value> = serde_json::from_str(&self.place.command(&follow)).expect("a list");
        for line in &lines {
            let people = self.people.entry(line["tenant"].as_str().expect("a name").to_owned()).or_default();
            match (line["id"].as_str(), line["deleted"] == true) {
                (None, true) => people.clear(),
                (Some(id), true) => drop(people.remove(id)),
                (Some(id), false) => drop(people.insert(id.to_owned())),
                (None, false) => panic!("nobody came: {line}"),
            }
        }
        self.people.retain(|_, people| !people.is_empty());
        std::fs::rename(mark, from).expect("it is there");
        lines.len()
    }

    #[track_caller]
    fn check(&self, expected: &[(&str, usize)]) {
        let counted = self.people.iter().map(|(tenant, people)| (tenant.as_str(), people.len()));
        assert_eq!(counted.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn all_tenants_are_followed_by_one_command() {
    let server = Server::start("");
    let place = &server.place;
    let mut everybody = Everybody { place, people: BTreeMap::new() };
    assert_eq!(everybody.run(), 0);
    let [mut acme, mut umbrella] = ["acme", "umbrella"].map(|name| server.tenant(name, "generic"));
    let ada = id(&acme.post("/Users", &user("ada")).expect(201));
    for name in ["bob", "eve"] {
        umbrella.post("/Users", &user(name)).expect(201);
    }
    assert_eq!(everybody.run(), 3);
    everybody.check(&[("acme", 1), ("umbrella", 2)]);
    assert_eq!(everybody.run(), 0);
    acme.delete(&format!("/Users/{ada}")).expect(204);
    acme.post("/Users", &user("ada")).expect(201);
    assert_eq!(everybody.run(), 2);

    // One tenant goes, and another is made anew under its name. Nothing has to be asked for anew.
    for name in ["acme", "umbrella"] {
        place.command(&["connection", "remove", name]);
        place.command(&["tenant", "delete", name, "--yes"]);
    }
    let token = place.tenant("acme", "generic");
    let mut acme = server.client("acme", &token);
    for name in ["new", "newer"] {
        acme.post("/Users", &user(name)).expect(201);
    }
    assert_eq!(everybody.run(), 4, "one line for either tenant, and two people");
    everybody.check(&[("acme", 2)]);
    assert_eq!(everybody.run(), 0);

    let wrong = place.directory.write("wrong", "{\"acme\":{\"after\":1}}");
    let wrong = wrong.to_str().expect("UTF-8");
    for (from, mark, words) in [
        (wrong, "other", "has no marks that `scimd person follow --mark` wrote: missing field `at`"),
        ("same", "same", "are the same file"),
        (".", "other", "cannot read .: "),
    ] {
        let refused = place.run(&["person", "follow", "--from", from, "--mark", mark]);
        assert!(refused.code == Some(2) && refused.stderr.contains(words), "{refused:?}");
    }
}
