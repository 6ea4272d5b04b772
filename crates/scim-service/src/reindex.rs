//! What is kept beside a document follows the schemas and the rules: index entries, unique values and persons.
//!
//! A store keeps them as schemas and rules wanted them when the document was written. When an operator makes an attribute
//! indexed or unique, what is stored already has no entry for it, and no query would find it; when a tenant gets another
//! policy, its people are not yet the persons that it makes of them; when a version of this program folds case otherwise,
//! keys are not those that it looks for. So the directory remembers what was in force, and what differs is derived anew.
//! Documents and versions stay as they are; a person that becomes another is in the change log.

use std::sync::Arc;

use scim_core::document::Document;
use scim_core::path::AttributePath;
use scim_core::schema::ResourceType;
use scim_core::text::FOLDING;
use scim_core::{Error, ErrorKind, Result};
use scim_policy::{Finding, Severity};
use scim_store::{Changeset, CommitError, Conflict, Guard, Operation, Query, Record, Start};

use crate::Service;
use crate::context::store_error;
use crate::directory::{IndexBody, TenantEntry};
use crate::quirk::Quirks;
use crate::resource::content;
use crate::rules::{Changed, EMAIL, Judged, Rules, USER, take_claim};

/// How many resources are derived in one changeset.
const PAGE: usize = 500;

impl Service {
    /// Derives anew what differs from what the directory remembers.
    pub(crate) async fn follow_schemas(&self) -> Result<()> {
        for resource_type in self.registry().resource_types() {
            let wanted = wanted(resource_type);
            if self.directory().index(resource_type.name()).await?.as_ref() == Some(&wanted) {
                continue;
            }
            let mut count = 0;
            for tenant in self.directory().tenants().await? {
                match self.rules_of(&tenant) {
                    Ok(rules) => {
                        // With the extensions that the tenant has of its own.
                        let own = rules.registry.resource_type(resource_type.name());
                        count += self.derive(own.unwrap_or(resource_type), &tenant, &rules).await?.count;
                    }
                    // Its requests are refused until its operator gives it rules that fit, and those derive everything.
                    Err(error) => {
                        let tenant = tenant.tenant.as_str();
                        tracing::error!(tenant, error = ?error, "what is kept of the tenant's resources stays as it is");
                    }
                }
            }
            self.directory().keep_index(resource_type.name(), &wanted).await?;
            if count > 0 {
                let resource_type = resource_type.name();
                tracing::info!(
                    resource_type,
                    count,
                    "what is indexed has changed; index entries were derived anew"
                );
            }
        }
        Ok(())
    }

    /// Does what changes of rules have left undone. A tenant for which that fails is served by its rules all the same, as it
    /// was until now.
    pub(crate) async fn follow_rules(&self) -> Result<()> {
        for entry in self.directory().unfinished().await? {
            let derived = match self.rules_of(&entry) {
                Ok(rules) => self.derive_all(&entry, &rules).await,
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
                    tracing::error!(tenant, error = ?error, "not everything is derived by the tenant's rules");
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
            if index.is_some_and(|index| index != wanted(resource_type)) {
                let words = format!("the servers on this store have other schemas of {name} than these");
                return Err(Error::new(ErrorKind::Conflict, words).remedy(
                    "give the configuration that they have, with `--config`; where it has changed since they were \
                     started, restart them first",
                ));
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
            let Derived { count, persons, against } = self.derive(resource_type, tenant, rules).await?;
            changed.users += if resource_type.name() == USER { count } else { 0 };
            changed.persons += persons;
            changed.against.extend(against);
        }
        self.directory().finish(tenant).await?;
        Ok(changed)
    }

    /// Derives what is kept beside one tenant's resources of a type.
    async fn derive(
        &self,
        resource_type: &Arc<ResourceType>,
        tenant: &TenantEntry,
        rules: &Rules,
    ) -> Result<Derived> {
        let quirks = tenant.connection.as_ref().map_or(Quirks::NONE, |connection| connection.quirks());
        let mut query = Query::all(Arc::clone(resource_type), PAGE);
        let mut derived = Derived::default();
        loop {
            let page = self.store().query(&tenant.tenant, &query).await.map_err(store_error)?;
            let at = self.environment().now();
            let mut against = Vec::new();
            let mut operations = Vec::with_capacity(page.records.len());
            for record in &page.records {
                let document = Document::from_stored(&record.body)?;
                let mut content = content(&document, resource_type, quirks, at);
                let Judged { findings, .. } = rules.derive(&document, resource_type, &mut content);
                if findings.iter().any(|finding| finding.severity == Severity::Error) {
                    against.push((record.id.clone(), findings));
                }
                operations.push(Operation::Rederive {
                    id: record.id.clone(),
                    resource_type: Arc::clone(resource_type.shared_name()),
                    guard: Guard::Version(record.version),
                    unique: content.unique,
                    index: content.index,
                    person: content.person,
                });
            }
            let committed = loop {
                let changeset =
                    Changeset { operations: operations.clone(), epoch: rules.epoch, ..Changeset::new(at) };
                let outcome = self.store().commit(&tenant.tenant, changeset).await;
                let Err(CommitError::Conflict(Conflict::Unique { operation, path, holder })) = &outcome
                else {
                    break outcome;
                };
                // What the schemas want unique must be. A claim beside them, on an address or the name of a group, stays with
                // whoever has it.
                if resource_type.unique().iter().any(|unique| unique.to_string() == **path) {
                    break outcome;
                }
                let Some(claim) =
                    operations.get_mut(*operation).and_then(|operation| take_claim(operation, path))
                else {
                    break outcome;
                };
                if **path == *EMAIL {
                    let finding = rules.policy.email_taken(&claim, "emails", Some(holder));
                    let id = page.records.get(*operation).map(|record| record.id.clone());
                    against.extend(id.zip(finding.map(|finding| vec![finding])));
                }
            };
            match committed {
                Ok(committed) => {
                    derived.persons += committed.applied.iter().filter(|applied| applied.changed).count();
                }
                // Another server changes it meanwhile: the page is read again.
                Err(CommitError::Conflict(Conflict::Version { .. } | Conflict::Missing { .. })) => continue,
                Err(CommitError::Conflict(Conflict::Epoch { .. })) => return Err(replaced(tenant)),
                Err(error) => return Err(refused(error, resource_type, tenant, &page.records)),
            }
            derived.against.append(&mut against);
            derived.count += page.records.len();
            match page.next {
                Some(position) => query.start = Start::After(position),
                None => return Ok(derived),
            }
        }
    }
}

fn wanted(resource_type: &ResourceType) -> IndexBody {
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
            let words = format!(
                "the schemas want `{path}` of {name} unique, but in tenant `{}` the resources `{holder}` and `{id}` have \
                 the same",
                tenant.tenant
            );
            Error::new(ErrorKind::Conflict, words).remedy(
                "start with the schemas and the version from before, change one of the two, then try again",
            )
        }
        CommitError::Conflict(conflict) => {
            let words = format!("the index entries of {name} could not be derived");
            Error::new(ErrorKind::Internal, words).caused_by(CommitError::Conflict(conflict))
        }
    }
}
