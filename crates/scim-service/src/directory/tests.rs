//! The directory over a memory store, with a clock and randomness that stand still.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use scim_core::ErrorKind;
use scim_store::{
    Audited, Change, Changeset, CommitError, Committed, EdgePage, EdgeQuery, MemoryStore, Page, Pending,
    PersonPage, PersonQuery, Query, ReportQuery, Reported, StoreError,
};

use super::*;

/// The memory store never waits, so that one poll is enough.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the store waits"),
    }
}

struct Frozen {
    clock: AtomicI64,
    random: AtomicU64,
    stuck: AtomicBool,
}

impl Frozen {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            clock: AtomicI64::new(1_000_000),
            random: AtomicU64::new(1),
            stuck: AtomicBool::new(false),
        })
    }

    fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1000, Ordering::Relaxed);
    }
}

impl Environment for Frozen {
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.load(Ordering::Relaxed))
    }

    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let step = u64::from(!self.stuck.load(Ordering::Relaxed));
            let mixed = self.random.fetch_add(step, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            *byte = ((mixed ^ mixed >> 31).wrapping_mul(0x94D0_49BB_1331_11EB) >> 56) as u8;
        }
    }
}

/// A memory store that counts reads and can be out of reach.
#[derive(Default)]
struct Counted {
    inner: MemoryStore,
    reads: AtomicUsize,
    down: AtomicBool,
}

impl Counted {
    fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    fn reach(&self) -> Result<&MemoryStore, StoreError> {
        match self.down.load(Ordering::Relaxed) {
            true => Err(StoreError::Unavailable("pulled the plug".into())),
            false => Ok(&self.inner),
        }
    }
}

impl Store for Counted {
    fn get<'a>(&'a self, tenant: &'a Tenant, ids: &'a [&'a str]) -> Pending<'a, Vec<Option<Record>>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { self.reach()?.get(tenant, ids).await })
    }

    fn query<'a>(&'a self, tenant: &'a Tenant, query: &'a Query) -> Pending<'a, Page> {
        Box::pin(async move { self.reach()?.query(tenant, query).await })
    }

    fn edges<'a>(&'a self, tenant: &'a Tenant, query: &'a EdgeQuery) -> Pending<'a, EdgePage> {
        Box::pin(async move { self.reach()?.edges(tenant, query).await })
    }

    fn crowded<'a>(
        &'a self,
        tenant: &'a Tenant,
        after: Option<&'a str>,
        count: usize,
    ) -> Pending<'a, Vec<String>> {
        Box::pin(async move { self.reach()?.crowded(tenant, after, count).await })
    }

    fn persons<'a>(&'a self, tenant: &'a Tenant, query: &'a PersonQuery) -> Pending<'a, PersonPage> {
        Box::pin(async move { self.reach()?.persons(tenant, query).await })
    }

    fn commit<'a>(&'a self, tenant: &'a Tenant, changeset: Changeset) -> Pending<'a, Committed, CommitError> {
        Box::pin(async move { self.reach()?.commit(tenant, changeset).await })
    }

    fn changes<'a>(&'a self, tenant: &'a Tenant, after: u64, count: usize) -> Pending<'a, Vec<Change>> {
        Box::pin(async move { self.reach()?.changes(tenant, after, count).await })
    }

    fn audit<'a>(&'a self, tenant: &'a Tenant, after: u64, count: usize) -> Pending<'a, Vec<Audited>> {
        Box::pin(async move { self.reach()?.audit(tenant, after, count).await })
    }

    fn reports<'a>(&'a self, tenant: &'a Tenant, query: &'a ReportQuery) -> Pending<'a, Vec<Reported>> {
        Box::pin(async move { self.reach()?.reports(tenant, query).await })
    }
}

struct World {
    store: Arc<Counted>,
    environment: Arc<Frozen>,
    /// Follows the log, as a server does.
    server: Directory,
    /// Does not, as a command does.
    command: Directory,
    acme: Tenant,
}

fn world() -> World {
    let (store, environment) = (Arc::new(Counted::default()), Frozen::new());
    let directory = || Directory::new(store.clone(), environment.clone());
    let (server, command) = (directory(), directory());
    let acme = now(command.create_tenant("acme", "test")).expect("created");
    now(server.refresh()).expect("follows");
    World { server, command, acme, store, environment }
}

impl World {
    fn accepts(&self, token: &str) -> bool {
        self.accepts_at("acme", token)
    }

    fn accepts_at(&self, tenant: &str, token: &str) -> bool {
        let known = now(self.server.tenant(tenant)).expect("reads").is_some();
        known && now(self.server.authenticate(tenant, token)).expect("reads").is_some()
    }

    fn token(&self) -> NewToken {
        now(self.command.create_token(&self.acme, None, "test")).expect("created")
    }
}

fn generic() -> Connection {
    Connection::new(Idp::Generic)
}

#[test]
fn a_token_opens_its_own_tenant_only() {
    let world = world();
    now(world.command.create_tenant("umbrella", "test")).expect("created");
    let (first, second) = (world.token(), world.token());
    for _ in 0..2 {
        assert!(
            world.accepts(&first.token) && world.accepts(&second.token),
            "two are valid during a rotation"
        );
        assert!(!world.accepts_at("umbrella", &first.token));
    }
}

#[test]
fn what_is_not_a_token_is_refused() {
    let world = world();
    let NewToken { token, entry } = world.token();
    assert!(world.accepts(&token));
    assert_eq!(token.len(), "scim_".len() + 8 + 1 + 43);
    let secret = token.rsplit('_').next().unwrap_or_default();
    let other = world.token();
    for wrong in [
        String::new(),
        "scim_".to_owned(),
        entry.id.clone(),
        token[1..].to_owned(),
        token[..token.len() - 1].to_owned(),
        format!("{token}A"),
        format!(" {token}"),
        token.to_ascii_uppercase(),
        format!("scim_{}_{}", entry.id, "A".repeat(43)),
        format!("scim_{}_{secret}", other.entry.id),
        format!("scim_Tenant/a_{secret}"),
        "x".repeat(100_000),
        "scim_éééé_é".to_owned(),
    ] {
        assert!(!world.accepts(&wrong), "{wrong}");
    }
}

#[test]
fn a_token_is_kept_as_its_hash_and_never_printed() {
    let world = world();
    let new = world.token();
    let secret = new.token.get(14..).expect("the secret part").to_owned();
    let id = Kind::Token.id(&new.entry.id);
    let record = now(world.store.get(&Tenant::system(), &[&id])).expect("reads").remove(0).expect("there");
    let audit = now(world.store.audit(&Tenant::system(), 0, 100)).expect("reads");
    let printed = format!("{new:?} {record:?} {} {audit:?}", String::from_utf8_lossy(&record.body));
    assert!(!printed.contains(&secret), "{printed}");
    let body: serde_json::Value = serde_json::from_slice(&record.body).expect("JSON");
    assert_eq!(body["tenant"], "acme");
}

#[test]
fn a_token_ends() {
    let world = world();
    let end = world.environment.now().plus_seconds(60);
    let new = now(world.command.create_token(&world.acme, Some(end), "test")).expect("created");
    world.environment.pass(59);
    assert!(world.accepts(&new.token));
    world.environment.pass(1);
    assert!(!world.accepts(&new.token));
    let error = now(world.command.create_token(&world.acme, Some(end), "test")).expect_err("it is past");
    assert_eq!(error.detail(), "1970-01-01T00:17:40.000Z is in the past; choose a later end, or none");
}

/// Its end was told as that of 1970, while the token was good.
#[test]
fn a_token_ends_when_it_can_be_told() {
    let world = world();
    let create = |end| now(world.command.create_token(&world.acme, Some(end), "test"));
    assert!(create(Timestamp::LAST).is_ok());
    for end in [Timestamp(Timestamp::LAST.0 + 1), Timestamp(i64::MAX)] {
        let error = create(end).expect_err("it is too late");
        let expected = "the token would end after the year 9999; choose an earlier end, or none";
        assert_eq!((error.kind(), error.detail().as_str()), (ErrorKind::InvalidValue, expected));
    }
}

#[test]
fn a_revoked_token_is_refused_after_the_next_look_at_the_log() {
    let world = world();
    let new = world.token();
    assert!(world.accepts(&new.token));
    now(world.command.revoke_token(&new.entry.id, "test")).expect("revoked");
    assert!(world.accepts(&new.token), "the server has not looked yet");
    now(world.server.refresh()).expect("looks");
    assert!(!world.accepts(&new.token));
    let error = now(world.command.revoke_token(&new.entry.id, "test")).expect_err("gone");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_revoked_token_is_refused_at_once_where_it_was_revoked() {
    let world = world();
    let new = world.token();
    assert!(world.accepts(&new.token));
    now(world.server.revoke_token(&new.entry.id, "test")).expect("revoked");
    assert!(!world.accepts(&new.token));
}

#[test]
fn entries_are_not_believed_for_long_without_the_log() {
    let world = world();
    let new = world.token();
    assert!(world.accepts(&new.token));
    now(world.command.revoke_token(&new.entry.id, "test")).expect("revoked");
    world.environment.pass(TRUST_SECONDS);
    assert!(world.accepts(&new.token));
    world.environment.pass(1);
    assert!(!world.accepts(&new.token));
}

#[test]
fn a_store_out_of_reach_lets_nobody_in_for_long() {
    let world = world();
    now(world.command.create_connection(&world.acme, generic(), "test")).expect("created");
    now(world.server.refresh()).expect("looks");
    let new = world.token();
    assert!(world.accepts(&new.token));
    world.store.down.store(true, Ordering::Relaxed);
    world.environment.pass(2);
    assert!(now(world.server.refresh()).is_err());
    assert!(world.accepts(&new.token));
    world.environment.pass(TRUST_SECONDS);
    let error = now(world.server.tenant("acme")).expect_err("not believed any more");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!error.detail().contains("plug"), "{error}");
    world.store.down.store(false, Ordering::Relaxed);
    assert!(world.accepts(&new.token));
}

#[test]
fn what_is_known_is_not_read_again_and_what_is_not_costs_no_memory() {
    let world = world();
    now(world.command.create_connection(&world.acme, generic(), "test")).expect("created");
    now(world.server.refresh()).expect("looks");
    let new = world.token();
    now(world.server.refresh()).expect("looks");
    assert!(world.accepts(&new.token));
    let before = world.store.reads();
    for _ in 0..100 {
        assert!(world.accepts(&new.token));
        now(world.server.refresh()).expect("looks");
    }
    assert_eq!(world.store.reads(), before);
    for number in 0..100 {
        assert!(!world.accepts(&format!(
            "scim_abcdef{}{}_{}",
            2 + number % 8,
            2 + number / 8 % 8,
            "A".repeat(43)
        )));
        assert!(now(world.server.tenant(&format!("nobody-{number}"))).expect("reads").is_none());
    }
    assert_eq!(world.store.reads(), before + 200, "a miss reads the store");
    assert_eq!(world.server.cache.len(), (1, 1));
    assert!(now(world.server.tenant("$system")).expect("reads").is_none());
    assert!(now(world.server.tenant("../acme")).expect("reads").is_none());
}

#[test]
fn what_changed_while_it_was_read_is_not_remembered() {
    let world = world();
    let before = world.server.cache.moment();
    let stale = now(world.command.tenant("acme")).expect("reads").expect("there");
    now(world.command.create_connection(&world.acme, generic(), "test")).expect("created");
    now(world.server.refresh()).expect("looks");
    world.server.cache.keep_tenant(stale, before);
    let entry = now(world.server.tenant("acme")).expect("reads").expect("there");
    assert_eq!(entry.connection, Some(generic()));
    // So with a token that is revoked while somebody reads it.
    let NewToken { entry: token, token: presented } =
        now(world.command.create_token(&world.acme, None, "test")).expect("created");
    let before = world.server.cache.moment();
    now(world.command.revoke_token(&token.id, "test")).expect("revoked");
    now(world.server.refresh()).expect("looks");
    world.server.cache.keep_token(Arc::new(token), before);
    assert!(now(world.server.authenticate(entry.tenant.as_str(), &presented)).expect("reads").is_none());
}

#[test]
fn a_token_does_not_open_the_next_tenant_of_the_name() {
    let world = world();
    now(world.command.create_connection(&world.acme, generic(), "test")).expect("created");
    let [old, other] = [world.token(), world.token()].map(|new| new.token);
    let admits = |token: &str| now(world.server.admit("acme", token)).expect("reads").is_some();
    assert!(admits(&old) && admits(&other));
    now(world.command.remove_connection(&world.acme, "test")).expect("removed");
    now(world.server.refresh()).expect("looks");
    assert!(admits(&old), "what is said of the connection is for who has a token");
    // The server does not look at the log any more. It knows the tokens, and has to read the tenant.
    now(world.command.delete_tenant(&world.acme, "test", String::new())).expect("deleted");
    now(world.command.finish_deletion(&world.acme, "test")).expect("free");
    now(world.command.create_tenant("acme", "test")).expect("created");
    now(world.command.create_connection(&world.acme, generic(), "test")).expect("created");
    let new = world.token().token;
    assert!(admits(&new) && !admits(&old) && !admits(&other));
    // So with a token that was looked up before.
    let world = self::world();
    now(world.command.create_connection(&world.acme, generic(), "test")).expect("created");
    let NewToken { entry, token } = world.token();
    let before = world.server.cache.moment();
    now(world.command.revoke_token(&entry.id, "test")).expect("revoked");
    assert!(now(world.server.tenant("acme")).expect("reads").is_some());
    world.server.cache.keep_token(Arc::new(entry), before);
    assert!(now(world.server.admit("acme", &token)).expect("reads").is_none());
}

#[test]
fn new_rules_reach_a_server_that_knows_the_tenant() {
    let world = world();
    now(world.command.create_connection(&world.acme, generic(), "test")).expect("created");
    now(world.server.refresh()).expect("looks");
    let policy = || now(world.server.tenant("acme")).expect("reads").expect("there").policy.clone();
    assert_eq!(policy(), None);
    let entry = now(world.command.tenant("acme")).expect("reads").expect("there");
    let text = Some("[email]\n".to_owned());
    now(world.command.put_rules(&entry, text.clone(), Vec::new(), "test")).expect("nobody was faster");
    assert_eq!(policy(), None, "it is remembered until the log is looked at");
    now(world.server.refresh()).expect("looks");
    assert_eq!(policy(), text);
    assert!(now(world.command.put_rules(&entry, None, Vec::new(), "test")).is_err(), "somebody was faster");
    // A look at the log that took longer than another one does not lead back.
    let position = world.server.cache.position().expect("it follows");
    world.server.cache.advance(position - 1, world.server.now());
    assert_eq!(world.server.cache.position(), Some(position));
}

#[test]
fn a_new_connection_reaches_a_server_that_knows_the_tenant() {
    let world = world();
    let connection = || now(world.server.tenant("acme")).expect("reads").expect("there").connection.clone();
    assert_eq!(connection(), None);
    now(world.command.create_connection(&world.acme, generic(), "test")).expect("created");
    now(world.server.refresh()).expect("looks");
    assert_eq!(connection(), Some(generic()));
    now(world.command.remove_connection(&world.acme, "test")).expect("deleted");
    now(world.server.refresh()).expect("looks");
    assert_eq!(connection(), None);
    assert!(now(world.command.remove_connection(&world.acme, "test")).is_err());
}

#[test]
fn the_log_is_followed_from_its_end_however_long_it_is() {
    for tenants in [0, 1, 2, 511, 512, 513, 3000] {
        let (store, environment) = (Arc::new(Counted::default()), Frozen::new());
        let directory = || Directory::new(store.clone(), environment.clone());
        let (server, command) = (directory(), directory());
        for number in 0..tenants {
            now(command.create_tenant(&format!("t{number}"), "test")).expect("created");
        }
        now(server.refresh()).expect("follows");
        // A tenant is two records.
        assert_eq!(server.cache.position(), Some(2 * tenants));
        for number in 0..1500 {
            now(command.create_tenant(&format!("u{number}"), "test")).expect("created");
        }
        now(server.refresh()).expect("follows");
        assert_eq!(server.cache.position(), Some(2 * (tenants + 1500)));
    }
}

#[test]
fn lists_hold_everything_of_their_tenant_and_nothing_else() {
    let world = world();
    now(world.command.create_tenant("acme-2", "test")).expect("created");
    let other = Tenant::new("acme-2").expect("a name");
    now(world.command.create_connection(&other, generic(), "test")).expect("created");
    for _ in 0..510 {
        world.token();
    }
    now(world.command.create_token(&other, None, "test")).expect("created");
    assert_eq!(now(world.command.tokens(&world.acme)).expect("reads").len(), 510);
    assert_eq!(now(world.command.tokens(&other)).expect("reads").len(), 1);
    let tenants = now(world.command.tenants()).expect("reads");
    let listed: Vec<_> =
        tenants.iter().map(|entry| (entry.tenant.as_str(), entry.connection.is_some())).collect();
    assert_eq!(listed, [("acme", false), ("acme-2", true)]);
}

#[test]
fn an_identifier_that_is_taken_is_drawn_again() {
    let world = world();
    world.environment.stuck.store(true, Ordering::Relaxed);
    world.token();
    let error = now(world.command.create_token(&world.acme, None, "test")).expect_err("always the same");
    assert_eq!(error.kind(), ErrorKind::Internal);
    world.environment.stuck.store(false, Ordering::Relaxed);
    world.token();
}

#[test]
fn every_server_has_the_same_secret() {
    let world = world();
    let secret = now(world.server.secret("cursor")).expect("made");
    assert_eq!(now(world.command.secret("cursor")).expect("read"), secret);
    assert_ne!(now(world.command.secret("other")).expect("made"), secret);
    assert!(!now(world.server.create_secret("cursor", &[0; 32])).expect("refused"), "the first one stays");
}

#[test]
fn every_change_is_audited_once() {
    let world = world();
    let actor = "cli:test";
    now(world.command.create_connection(&world.acme, generic(), actor)).expect("created");
    let id = now(world.command.create_token(&world.acme, None, actor)).expect("created").entry.id;
    now(world.command.revoke_token(&id, actor)).expect("revoked");
    let settings = TenantSettings { unknown_members: Some(scim_store::UnknownMembers::Ignore) };
    now(world.command.configure_tenant(&world.acme, settings, actor)).expect("set up");
    assert_eq!(now(world.command.tenant("acme")).expect("reads").map(|entry| entry.settings), Some(settings));
    now(world.command.remove_connection(&world.acme, actor)).expect("removed");
    assert!(now(world.command.create_tenant("acme", actor)).is_err());
    let audit = now(world.store.audit(&Tenant::system(), 0, 100)).expect("reads");
    let actions: Vec<_> = audit.iter().skip(1).map(|audited| audited.entry.action.clone()).collect();
    let expected = [
        "create generic connection of acme".to_owned(),
        format!("create token {id} of acme"),
        format!("revoke token {id} of acme"),
        "configure tenant acme".to_owned(),
        "remove connection of acme".to_owned(),
    ];
    assert_eq!(actions, expected);
    assert!(
        audit.iter().skip(1).all(|audited| audited.entry.actor == actor && audited.entry.request.len() == 16)
    );
}

#[test]
fn refusals_say_what_to_do() {
    fn check<T: std::fmt::Debug>(result: Result<T>, expected: &str) {
        assert_eq!(result.expect_err("refused").detail(), expected);
    }
    let World { command, acme, .. } = world();
    let nobody = Tenant::new("acmee").expect("a name");
    let far = Tenant::new("umbrella").expect("a name");
    check(now(command.create_tenant("acme", "test")), "tenant `acme` exists already");
    check(
        now(command.create_tenant("Acme!", "test")),
        "`Acme!` is not a tenant name; use 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end",
    );
    check(
        now(command.create_token(&nobody, None, "test")),
        "there is no tenant `acmee`; did you mean `acme`?",
    );
    check(now(command.tokens(&nobody)), "there is no tenant `acmee`; did you mean `acme`?");
    check(
        now(command.create_connection(&far, generic(), "test")),
        "there is no tenant `umbrella`; see `scimd tenant list`",
    );
    check(
        now(command.remove_connection(&acme, "test")),
        "tenant `acme` has no connection; create one with `scimd connection create acme`",
    );
    now(command.create_connection(&acme, generic(), "test")).expect("created");
    check(
        now(command.create_connection(&acme, generic(), "test")),
        "tenant `acme` has a connection already, and a tenant has one at most; create another tenant for another \
         identity provider, or replace this one: `scimd connection replace acme`",
    );
    check(
        now(command.revoke_token("scim_abcdefgh_x", "test")),
        "this is not the identifier of a token; it is the 8 characters between the underscores, as in \
         `scim_abcd2345_…`",
    );
}

#[test]
fn kinds_of_identity_providers() {
    fn check(name: &str, expected: &str) {
        let result = Idp::parse(name).map_or_else(|error| error.detail(), |idp| idp.name().to_owned());
        assert!(result.contains(expected), "{name}: {result}");
    }
    check("entra", "entra");
    check("Okta", "okta");
    check("generic", "generic");
    check("entar", "did you mean `entra`?");
    check("AzureAD", "use `entra`");
    check("adfs", "signs people in but does not provision them; let Entra ID provision");
    check("ad", "does not speak SCIM; synchronise Active Directory to Entra ID");
    check("ldap", "midPoint");
    check("shibboleth", "use `generic`");
    check("keycloak", "use `generic`");
    check("", "use `entra`, `okta` or `generic`");
    check("\u{1b}[31m", "`\\u{1b}[31m` is not a kind");
}

#[test]
fn connections_are_checked_before_they_are_kept() {
    fn check(idp: Idp, idp_tenant: &str, quirks: &[&str], expected: &str) {
        let connection = Connection {
            idp_tenant: (!idp_tenant.is_empty()).then(|| idp_tenant.to_owned()),
            quirks: quirks.iter().map(|&name| name.to_owned()).collect(),
            ..Connection::new(idp)
        };
        let result = connection.check().map_or_else(|error| error.detail(), |()| "fine".to_owned());
        assert!(result.contains(expected), "{connection:?}: {result}");
    }
    check(Idp::Entra, "", &[], "fine");
    check(Idp::Entra, "8f14e45f-ceea-467f-a3a1-0123456789ab", &[], "fine");
    check(Idp::Entra, "8f14e45fceea467fa3a10123456789ab", &[], "not an Entra tenant ID");
    check(Idp::Entra, "contoso.onmicrosoft.com", &[], "it is a GUID");
    check(Idp::Okta, "https://example.okta.com", &[], "fine");
    check(Idp::Okta, "https://example.okta-emea.com/", &[], "fine");
    check(Idp::Okta, "00o1abcd2EFGH3ijk4l5", &[], "fine");
    check(Idp::Okta, "example", &[], "not an Okta organisation");
    check(Idp::Okta, "http://example.okta.com", &[], "not an Okta organisation");
    check(Idp::Okta, "https://example..com", &[], "not an Okta organisation");
    check(Idp::Generic, "anything at all", &["bare-token"], "fine");
    check(Idp::Generic, "a\nb", &[], "`a\\nb` is not usable");
    check(Idp::Generic, "", &["bare-tokn"], "there is no quirk `bare-tokn`");
}

/// Two directories, the first with a tenant that has one of everything.
fn two() -> (Directory, Directory, Tenant, String) {
    let directory = |environment| Directory::new(Arc::new(MemoryStore::new()), environment);
    let (from, to) = (directory(Frozen::new()), directory(Frozen::new()));
    from.environment.fill(&mut [0; 64]);
    let tenant = now(from.create_tenant("acme", "test")).unwrap();
    let other = now(from.create_tenant("other", "test")).unwrap();
    now(from.create_connection(&tenant, Connection::new(Idp::Entra), "test")).unwrap();
    let entry = now(from.tenant("acme")).unwrap().unwrap();
    now(from.put_rules(&entry, Some("[email]".to_owned()), vec![serde_json::json!({ "id": "x" })], "test"))
        .unwrap();
    let token = now(from.create_token(&tenant, Some(Timestamp(9_000_000)), "test")).unwrap().token;
    now(from.create_token(&other, None, "test")).unwrap();
    now(from.secret("cursor")).unwrap();
    (from, to, tenant, token)
}

fn index(unique: &str) -> IndexBody {
    IndexBody {
        entries: vec!["userName string folded".to_owned()],
        unique: vec![unique.to_owned()],
        persons: true,
        folding: 1,
    }
}

fn keep(directory: &Directory, resource_type: &str, unique: &str) {
    let before = now(directory.index(resource_type)).unwrap().map(|(_, version)| version);
    assert!(now(directory.keep_index(resource_type, before, &index(unique))).unwrap());
}

#[test]
fn a_tenant_is_taken_in_with_all_that_is_known_of_it() {
    let (from, to, tenant, token) = two();
    keep(&from, "User", "userName");
    now(to.create_tenant("umbrella", "test")).unwrap();
    now(to.refresh()).unwrap();
    let belongings = now(from.belongings(&tenant)).unwrap();
    assert_eq!(now(to.welcome(&belongings)).unwrap(), Welcome::New);
    assert!(now(to.take_in(&belongings, "cli:store copy")).unwrap());
    assert_eq!(now(to.welcome(&belongings)).unwrap(), Welcome::Known);
    assert!(!now(to.take_in(&belongings, "cli:store copy")).unwrap(), "a second time");
    assert_eq!(now(to.belongings(&tenant)).unwrap(), belongings);
    assert_eq!(now(to.index("User")).unwrap().map(|(index, _)| index), Some(index("userName")));

    let entry = now(to.tenant("acme")).unwrap().unwrap();
    let before = now(from.tenant("acme")).unwrap().unwrap();
    assert_eq!(
        (&entry.connection, &entry.policy, &entry.schemas),
        (&before.connection, &before.policy, &before.schemas)
    );
    assert_eq!(entry.epoch, 1);
    assert!(now(to.authenticate(entry.tenant.as_str(), &token)).unwrap().is_some());
    assert_eq!(now(to.tokens(&tenant)).unwrap().len(), 1);
    let names = |directory: &Directory| {
        let tenants = now(directory.tenants()).unwrap();
        tenants.into_iter().map(|entry| entry.tenant.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&to), ["acme", "umbrella"]);
    let audit = now(to.store.audit(&to.system, 1, 10)).unwrap();
    assert_eq!(audit.len(), 1);
    assert_eq!(
        (audit[0].entry.actor.as_str(), audit[0].entry.action.as_str()),
        ("cli:store copy", "take in tenant acme")
    );
    let changes = now(to.store.changes(&to.system, 1, 100)).unwrap();
    assert!(changes.iter().all(|change| !change.id.starts_with("Secret/")), "{changes:?}");
    assert_ne!(now(to.secret("cursor")).unwrap(), now(from.secret("cursor")).unwrap());
}

#[test]
fn a_tenant_is_not_taken_in_where_it_does_not_fit() {
    fn check<T: std::fmt::Debug>(outcome: Result<T>, expected: &str) {
        let error = outcome.expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    let nobody = Tenant::new("acne").unwrap();
    let (from, to, tenant, _) = two();
    check(now(from.belongings(&nobody)), "did you mean `acme`?");
    let belongings = now(from.belongings(&tenant)).unwrap();
    // Another tenant of that name.
    now(to.create_tenant("acme", "test")).unwrap();
    check(now(to.take_in(&belongings, "test")), "its record `Connection/acme` is another");

    // A token that is taken by somebody else: both directories draw the same.
    let (from, to, tenant, _) = two();
    let belongings = now(from.belongings(&tenant)).unwrap();
    let umbrella = now(to.create_tenant("umbrella", "test")).unwrap();
    let taken = now(from.tokens(&tenant)).unwrap().remove(0);
    let content = record::token_content(&taken.id, &umbrella, &taken.hash, None).unwrap();
    let create = administration::create(Kind::Token, &taken.id, content);
    now(to.change(vec![create], "test", "test".to_owned(), 201)).unwrap().unwrap();
    check(
        now(to.take_in(&belongings, "test")),
        &format!("there is a record `Token/{}` there already", taken.id),
    );
    assert_eq!(now(to.tenant("acme")).unwrap().map(|entry| entry.epoch), None, "whole or not at all");

    // Other schemas.
    let (from, to, tenant, _) = two();
    keep(&from, "User", "userName");
    keep(&to, "User", "externalId");
    let belongings = now(from.belongings(&tenant)).unwrap();
    check(
        now(to.welcome(&belongings)),
        "what is indexed or unique of User differs; start a server of this version with the same configuration",
    );
    keep(&to, "User", "userName");
    assert_eq!(now(to.welcome(&belongings)).unwrap(), Welcome::New);
    keep(&to, "Device", "serial");
    check(now(to.welcome(&belongings)), "of Device differs");
}
