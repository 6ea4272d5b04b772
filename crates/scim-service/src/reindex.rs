//! What is kept beside a document follows the schemas and the rules: index entries, unique values and persons.
//!
//! A store keeps them as schemas and rules wanted them when the document was written. When an operator makes an attribute
//! indexed or unique, what is stored already has no entry for it, and no query would find it; when a tenant gets another
//! policy, its people are not yet the persons that it makes of them; when a version of this program folds case otherwise,
//! keys are not those that it looks for. So the directory remembers what was in force, and what differs is derived anew.
//! Documents and versions stay as they are; a person that becomes another is in the change log.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use scim_core::document::Document;
use scim_core::path::AttributePath;
use scim_core::schema::ResourceType;
use scim_core::text::FOLDING;
use scim_core::time::Timestamp;
use scim_core::{Error, ErrorKind, Result};
use scim_policy::{Finding, Severity};
use scim_store::{Changeset, CommitError, Conflict, Guard, Operation, Query, Record, Start, UniqueKey};
use sha2::{Digest as _, Sha256};

use crate::Service;
use crate::context::store_error;
use crate::directory::{IndexBody, TenantEntry};
use crate::quirk::Quirks;
use crate::resource::content;
use crate::rules::{Changed, EMAIL, Judged, Rules, USER, take_claim};

/// How many resources are derived in one changeset, where nobody changes one of them meanwhile.
const PAGE: usize = 500;
/// How often a tenant whose rules have just been changed is begun with again.
const ATTEMPTS: usize = 20;

impl Service {
    /// Derives anew what differs from what the directory remembers. Other servers on the store that have other schemas, or fold
    /// otherwise, know of it before: they refuse all requests from then on, and the store what they have planned.
    pub(crate) async fn follow_schemas(&self) -> Result<()> {
        let mut behind = Vec::new();
        for resource_type in self.registry().resource_types() {
            let wanted = kept(resource_type);
            let found = self.directory().index(resource_type.name()).await?;
            if found.as_ref().is_none_or(|(found, _)| *found != wanted) {
                behind.push(Behind { resource_type, wanted, found });
            }
        }
        if let Some(Behind { found: Some((index, _)), .. }) = behind
            .iter()
            .find(|behind| behind.found.as_ref().is_some_and(|(found, _)| found.folding > FOLDING))
        {
            return Err(newer(index.folding));
        }
        // Nothing has been touched yet, and whoever serves goes on, where this fails.
        for Behind { resource_type, .. } in behind.iter().filter(|behind| behind.may_collide()) {
            for tenant in self.directory().tenants().await? {
                if let Ok(rules) = self.rules_of(&tenant) {
                    let own = rules.registry.resource_type(resource_type.name()).unwrap_or(resource_type);
                    self.check_unique(own, &tenant).await?;
                }
            }
        }
        for Behind { resource_type, .. } in behind.iter().filter(|behind| behind.found.is_some()) {
            let resource_type = resource_type.name();
            tracing::info!(
                resource_type,
                "what is indexed has changed; index entries are derived anew, and nothing is served before"
            );
        }
        let mut others = false;
        for behind in &behind {
            if let Some((_, version)) = behind.found {
                let begun = behind.wanted.begun();
                let name = behind.resource_type.name();
                if !self.directory().keep_index(name, Some(version), &begun).await? {
                    self.check_mine(behind).await?;
                }
                others = true;
            }
        }
        if others {
            for tenant in self.directory().tenants().await? {
                self.directory().renumber(&tenant.tenant).await?;
            }
        }
        for one in &behind {
            if let Err(error) = self.catch_up(one).await {
                self.give_back(&behind).await?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Lets those derive what is stored who had done so before, since it cannot be done: two of one value came just before
    /// everybody else was refused.
    async fn give_back(&self, behind: &[Behind<'_>]) -> Result<()> {
        for behind in behind {
            if let Some((found, _)) = &behind.found
                && let Ok(Some(version)) = self.check_mine(behind).await
            {
                let name = behind.resource_type.name();
                // Where that fails, another server has begun, and there is nothing to give back.
                let _ = self.directory().keep_index(name, Some(version), &found.begun()).await?;
            }
        }
        Ok(())
    }

    /// Derives what is kept beside the resources of a type.
    async fn catch_up(&self, behind: &Behind<'_>) -> Result<()> {
        let resource_type = behind.resource_type.name();
        let mut count = 0;
        for tenant in self.directory().tenants().await? {
            count += self.catch_up_with(behind, tenant).await?;
        }
        let before = self.check_mine(behind).await?;
        if !self.directory().keep_index(resource_type, before, &behind.wanted).await? {
            self.check_mine(behind).await?;
        }
        if count > 0 {
            tracing::info!(
                resource_type,
                count,
                "what is indexed has changed; index entries were derived anew"
            );
        }
        Ok(())
    }

    /// Derives what is kept beside one tenant's resources of a type. Returns how many there are.
    async fn catch_up_with(&self, behind: &Behind<'_>, mut tenant: TenantEntry) -> Result<usize> {
        let resource_type = behind.resource_type;
        for _ in 0..ATTEMPTS {
            match self.rules_of(&tenant) {
                Ok(rules) => {
                    // With the extensions that the tenant has of its own.
                    let own = rules.registry.resource_type(resource_type.name()).unwrap_or(resource_type);
                    if let Some(derived) = self.derive(own, &tenant, &rules).await? {
                        return Ok(derived.count);
                    }
                }
                // Its requests are refused until its operator gives it rules that fit, and those derive everything.
                Err(error) => {
                    let tenant = tenant.tenant.as_str();
                    tracing::error!(
                        tenant,
                        error = format!("{error:#}"),
                        "what is kept of the tenant's resources stays as it is"
                    );
                    return Ok(0);
                }
            }
            // Its operator has changed its rules, or another server has begun to derive as well.
            self.check_mine(behind).await?;
            match self.directory().latest(&tenant.tenant).await? {
                Some(latest) => tenant = latest,
                None => return Ok(0),
            }
        }
        Err(replaced(&tenant))
    }

    /// Checks that no server with other schemas has begun to derive meanwhile. Gives the version of what says so.
    async fn check_mine(&self, behind: &Behind<'_>) -> Result<Option<u64>> {
        match self.directory().index(behind.resource_type.name()).await? {
            None => Ok(None),
            Some((found, version)) if found == behind.wanted || found == behind.wanted.begun() => {
                Ok(Some(version))
            }
            Some(_) => Err(superseded()),
        }
    }

    /// Checks that no two resources of a type have the same value where the schemas want it to be unique.
    ///
    /// # Errors
    /// `Conflict` with two that have.
    async fn check_unique(&self, resource_type: &Arc<ResourceType>, tenant: &TenantEntry) -> Result<()> {
        let mut seen: HashSet<Digest> = HashSet::new();
        let mut twice = None;
        self.each_claim(resource_type, tenant, |id, claim| {
            let is_new = seen.insert(digest(claim));
            if !is_new {
                twice = Some((id.to_owned(), claim.clone()));
            }
            is_new
        })
        .await?;
        let Some((id, claim)) = twice else { return Ok(()) };
        let mut holder = String::new();
        self.each_claim(resource_type, tenant, |id, other| {
            let is_holder = *other == claim;
            if is_holder {
                id.clone_into(&mut holder);
            }
            !is_holder
        })
        .await?;
        Err(taken_twice(resource_type, tenant, &claim.path, &holder, &id))
    }

    /// Shows the unique values of each resource of a type, until `show` has seen enough.
    async fn each_claim(
        &self,
        resource_type: &Arc<ResourceType>,
        tenant: &TenantEntry,
        mut show: impl FnMut(&str, &UniqueKey) -> bool,
    ) -> Result<()> {
        let mut query = Query::all(Arc::clone(resource_type), PAGE);
        loop {
            let page = self.store().query(&tenant.tenant, &query).await.map_err(store_error)?;
            for record in &page.records {
                let document = Document::from_stored(&record.body)?;
                let content = content(&document, resource_type, Quirks::NONE, record.modified);
                if !content.unique.iter().all(|claim| show(&record.id, claim)) {
                    return Ok(());
                }
            }
            match page.next {
                Some(position) => query.start = Start::After(position),
                None => return Ok(()),
            }
        }
    }

    /// Does what changes of rules have left undone on which nobody has begun since `before`. A tenant for which that fails is
    /// served by its rules all the same, as it was until now.
    pub(crate) async fn follow_rules(&self, before: Timestamp) -> Result<()> {
        for entry in self.directory().unfinished(before).await? {
            let derived = match self.directory().go_on(&entry.tenant, before).await {
                Ok(true) => match self.rules_of(&entry) {
                    Ok(rules) => self.derive_all(&entry, &rules).await,
                    Err(error) => Err(error),
                },
                Ok(false) => continue,
                Err(error) => Err(error),
            };
            let tenant = entry.tenant.as_str();
            match derived {
                Ok(Changed { users, .. }) => tracing::info!(
                    tenant,
                    users,
                    "its rules were changed and not everything was derived by them; now it is"
                ),
                Err(error) => {
                    tracing::error!(
                        tenant,
                        error = format!("{error:#}"),
                        "not everything is derived by the tenant's rules"
                    );
                }
            }
        }
        Ok(())
    }

    /// Checks that this service has the schemas by which what is stored was derived: what it writes would be found under
    /// others, and what it derives would be lost to them.
    ///
    /// # Errors
    /// `Conflict` when servers have other ones.
    pub(crate) async fn check_schemas(&self) -> Result<()> {
        for resource_type in self.registry().resource_types() {
            let name = resource_type.name();
            let index = self.directory().index(name).await?;
            let wanted = kept(resource_type);
            match index {
                Some((index, _)) if index.folding != wanted.folding => {
                    let words = "the servers on this store are of another version than this command";
                    return Err(Error::new(ErrorKind::Conflict, words)
                        .remedy("use the version that they are of, or start a server of this one first"));
                }
                Some((index, _)) if index != wanted => {
                    let words = format!("the servers on this store have other schemas of {name} than these");
                    return Err(Error::new(ErrorKind::Conflict, words).remedy(
                        "give the configuration that they have, with `--config`; where it has changed since they were \
                         started, restart them first",
                    ));
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// Derives what is kept beside all resources of a tenant by the rules that it was just given.
    pub(crate) async fn derive_all(&self, tenant: &TenantEntry, rules: &Rules) -> Result<Changed> {
        // Nothing is planned by older rules any more once the store knows of these: whoever comes between the pages that
        // are read below comes under them.
        if !self.directory().announce(&tenant.tenant, rules.epoch).await? {
            return Err(replaced(tenant));
        }
        let mut changed = Changed { users: 0, persons: 0, against: Vec::new() };
        for resource_type in rules.registry.resource_types() {
            let derived = self.derive(resource_type, tenant, rules).await?;
            let Derived { count, persons, against } = derived.ok_or_else(|| replaced(tenant))?;
            changed.users += if resource_type.name() == USER { count } else { 0 };
            changed.persons += persons;
            changed.against.extend(against);
        }
        self.directory().finish(tenant).await?;
        Ok(changed)
    }

    /// Derives what is kept beside one tenant's resources of a type, unless the tenant has got other rules than these.
    async fn derive(
        &self,
        resource_type: &Arc<ResourceType>,
        tenant: &TenantEntry,
        rules: &Rules,
    ) -> Result<Option<Derived>> {
        let mut query = Query::all(Arc::clone(resource_type), PAGE);
        let mut derived = Derived::default();
        let mut waiting = Vec::new();
        loop {
            let page = self.store().query(&tenant.tenant, &query).await.map_err(store_error)?;
            match self.derive_these(&page.records, resource_type, tenant, rules).await? {
                Step::Done(done) => {
                    derived.count += page.records.len();
                    derived.persons += done.persons;
                    let is_said = |(id, _): &(String, Vec<Finding>)| !done.without.contains(id);
                    derived.against.extend(done.against.into_iter().filter(is_said));
                    waiting.extend(done.without);
                }
                Step::Changed => {
                    query.count = fewer(page.records.len());
                    continue;
                }
                Step::Replaced => return Ok(None),
            }
            query.count = more(query.count);
            match page.next {
                Some(position) => query.start = Start::After(position),
                None => break,
            }
        }
        // Who had what these wanted has been derived by now, and may have given it up.
        let (mut from, mut count) = (0, PAGE);
        while let Some(rest) = waiting.get(from..).filter(|rest| !rest.is_empty()) {
            let ids: Vec<&str> = rest.iter().take(count).map(String::as_str).collect();
            let found = self.store().get(&tenant.tenant, &ids).await.map_err(store_error)?;
            let records: Vec<Record> = found.into_iter().flatten().collect();
            match self.derive_these(&records, resource_type, tenant, rules).await? {
                Step::Done(done) => {
                    derived.against.extend(done.against);
                    (from, count) = (from + ids.len(), more(count));
                }
                Step::Changed => count = fewer(ids.len()),
                Step::Replaced => return Ok(None),
            }
        }
        Ok(Some(derived))
    }

    /// Derives what is kept beside these resources of a type, all of it or nothing.
    async fn derive_these(
        &self,
        records: &[Record],
        resource_type: &Arc<ResourceType>,
        tenant: &TenantEntry,
        rules: &Rules,
    ) -> Result<Step> {
        let at = self.environment().now();
        let mut done = Done::default();
        let mut operations = Vec::with_capacity(records.len());
        for record in records {
            let (operation, findings) = rederive(record, resource_type, rules, tenant.quirks(), at)?;
            operations.push(operation);
            if findings.iter().any(|finding| finding.severity == Severity::Error) {
                done.against.push((record.id.clone(), findings));
            }
        }
        let committed = loop {
            let changeset =
                Changeset { operations: operations.clone(), epoch: rules.epoch, ..Changeset::new(at) };
            let outcome = self.store().commit(&tenant.tenant, changeset).await;
            let Err(CommitError::Conflict(Conflict::Unique { operation, path, holder })) = &outcome else {
                break outcome;
            };
            // What the schemas want unique must be. A claim beside them, on an address or the name of a group, stays with
            // whoever has it.
            if resource_type.unique().iter().any(|unique| unique.to_string() == **path) {
                break outcome;
            }
            let claim = operations.get_mut(*operation).and_then(|operation| take_claim(operation, path));
            let (Some(claim), Some(record)) = (claim, records.get(*operation)) else { break outcome };
            if **path == *EMAIL {
                let finding = rules.policy.email_taken(&claim, "emails", Some(holder));
                done.against.extend(finding.map(|finding| (record.id.clone(), vec![finding])));
            }
            done.without.insert(record.id.clone());
        };
        match committed {
            Ok(committed) => {
                done.persons = committed.applied.iter().filter(|applied| applied.changed).count();
                Ok(Step::Done(done))
            }
            Err(CommitError::Conflict(Conflict::Version { .. } | Conflict::Missing { .. })) => {
                Ok(Step::Changed)
            }
            Err(CommitError::Conflict(Conflict::Epoch { .. })) => Ok(Step::Replaced),
            Err(error) => Err(refused(error, resource_type, tenant, records)),
        }
    }
}

/// How many resources to try again with where one of so many was changed meanwhile: of a tenant that is busy, so many that
/// nobody changes one of them while they are derived.
fn fewer(count: usize) -> usize {
    (count / 2).max(1)
}

fn more(count: usize) -> usize {
    (count * 2).min(PAGE)
}

/// What derives anew what is kept beside a resource, and what the rules say of it.
fn rederive(
    record: &Record,
    resource_type: &ResourceType,
    rules: &Rules,
    quirks: Quirks,
    at: Timestamp,
) -> Result<(Operation, Vec<Finding>)> {
    let document = Document::from_stored(&record.body)?;
    let mut content = content(&document, resource_type, quirks, at);
    let Judged { findings, .. } = rules.derive(&document, resource_type, &mut content);
    let operation = Operation::Rederive {
        id: record.id.clone(),
        resource_type: Arc::clone(resource_type.shared_name()),
        guard: Guard::Version(record.version),
        unique: content.unique,
        index: content.index,
        person: content.person,
    };
    Ok((operation, findings))
}

/// A resource type of which not everything that is stored was derived as it is now.
struct Behind<'a> {
    resource_type: &'a Arc<ResourceType>,
    wanted: IndexBody,
    /// What the directory remembers, and the version of its record.
    found: Option<(IndexBody, u64)>,
}

impl Behind<'_> {
    /// Whether two resources that were let in may have the same unique value by now.
    fn may_collide(&self) -> bool {
        let IndexBody { unique, folding, .. } = &self.wanted;
        self.found.as_ref().is_none_or(|(found, _)| found.unique != *unique || found.folding != *folding)
    }
}

type Digest = [u8; 32];

/// Stands for a unique value, of which there can be very many.
fn digest(claim: &UniqueKey) -> Digest {
    let mut digest = Sha256::new();
    digest.update((claim.path.len() as u64).to_be_bytes());
    digest.update(claim.path.as_bytes());
    digest.update(claim.value.as_bytes());
    digest.finalize().into()
}

/// What is kept beside the documents of resources of a type.
pub(crate) fn kept(resource_type: &ResourceType) -> IndexBody {
    let entry = |path: &AttributePath| {
        let leaf = path.leaf();
        let case = if leaf.is_case_exact() { "exact" } else { "folded" };
        format!("{path} {} {case}", leaf.kind().name())
    };
    let all = |paths: &[AttributePath]| {
        let mut entries: Vec<String> = paths.iter().map(entry).collect();
        entries.sort();
        entries
    };
    IndexBody {
        entries: all(resource_type.indexed()),
        unique: all(resource_type.unique()),
        persons: resource_type.name() == USER,
        folding: FOLDING,
    }
}

/// What came of deriving some resources.
enum Step {
    Done(Done),
    /// Another server, or a request, has changed one of them meanwhile. Nothing was derived.
    Changed,
    /// The tenant has got other rules.
    Replaced,
}

#[derive(Debug, Default)]
struct Done {
    /// How many persons became others.
    persons: usize,
    /// What the rules say of those that they would refuse.
    against: Vec<(String, Vec<Finding>)>,
    /// Those that somebody else has the address or the name of.
    without: BTreeSet<String>,
}

/// What came of deriving.
#[derive(Debug, Default)]
struct Derived {
    /// How many resources were derived.
    count: usize,
    /// How many persons became others.
    persons: usize,
    /// What the rules say of Users that they would refuse. These stay, and so do the persons that they are.
    against: Vec<(String, Vec<Finding>)>,
}

fn replaced(tenant: &TenantEntry) -> Error {
    let words = format!("the rules of tenant `{}` were changed again meanwhile", tenant.tenant);
    Error::new(ErrorKind::Conflict, words).remedy("look at them, then try again")
}

/// The complaint of a server about a store that another one has derived otherwise.
pub(crate) fn superseded() -> Error {
    let words = "a server with other schemas, or of another version, has been started on this store since this one was";
    Error::new(ErrorKind::Unavailable, words)
        .remedy("try again later; its operator restarts this server, with the configuration and the version of that one")
}

fn newer(folding: u32) -> Error {
    let words = format!(
        "what is stored was derived by a newer version: it folds texts by definition {folding}, and this one knows {FOLDING}"
    );
    Error::new(ErrorKind::Conflict, words).remedy("start that version, or restore a backup from before")
}

fn taken_twice(
    resource_type: &ResourceType,
    tenant: &TenantEntry,
    path: &str,
    holder: &str,
    id: &str,
) -> Error {
    let words = format!(
        "the schemas want `{path}` of {} unique, but in tenant `{}` the resources `{holder}` and `{id}` have the same",
        resource_type.name(),
        tenant.tenant
    );
    Error::new(ErrorKind::Conflict, words)
        .remedy("start with the schemas and the version from before, change one of the two, then try again")
}

fn refused(
    error: CommitError,
    resource_type: &ResourceType,
    tenant: &TenantEntry,
    records: &[Record],
) -> Error {
    let name = resource_type.name();
    match error {
        CommitError::Store(error) => store_error(error),
        CommitError::Conflict(Conflict::Unique { operation, path, holder }) => {
            let id = records.get(operation).map_or("", |record| record.id.as_str());
            taken_twice(resource_type, tenant, &path, &holder, id)
        }
        CommitError::Conflict(conflict) => {
            let words = format!("the index entries of {name} could not be derived");
            Error::new(ErrorKind::Internal, words).caused_by(CommitError::Conflict(conflict))
        }
    }
}
