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
use scim_core::schema::{Registry, ResourceType};
use scim_core::text::FOLDING;
use scim_core::{Error, ErrorKind, Result};
use scim_policy::{Finding, Severity};
use scim_store::{Changeset, CommitError, Conflict, Guard, Operation, Query, Record, Start, Store};

use crate::context::store_error;
use crate::directory::{Directory, IndexBody, TenantEntry};
use crate::environment::Environment;
use crate::quirk::Quirks;
use crate::resource::content;
use crate::rules::{EMAIL, Judged, Rules, USER, take_claim};

/// How many resources are derived in one changeset.
const PAGE: usize = 500;

/// Derives anew what differs from what the directory remembers.
pub(crate) async fn follow_schemas(
    store: &dyn Store,
    registry: &Arc<Registry>,
    directory: &Directory,
    environment: &dyn Environment,
) -> Result<()> {
    for resource_type in registry.resource_types() {
        let wanted = wanted(resource_type);
        if directory.index(resource_type.name()).await?.as_ref() == Some(&wanted) {
            continue;
        }
        let mut count = 0;
        for tenant in directory.tenants().await? {
            match tenant.rules.rules(|| Rules::of(&tenant, registry)) {
                Ok(rules) => count += derive(store, resource_type, &tenant, rules, environment).await?.count,
                // Its requests are refused until its operator gives it rules that fit, and those derive everything.
                Err(error) => {
                    let tenant = tenant.tenant.as_str();
                    tracing::error!(tenant, error = ?error, "what is kept of the tenant's resources stays as it is");
                }
            }
        }
        directory.keep_index(resource_type.name(), &wanted).await?;
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
pub(crate) struct Derived {
    /// How many resources were derived.
    pub(crate) count: usize,
    /// How many persons became others.
    pub(crate) persons: usize,
    /// What the rules say of Users that they would refuse. These stay, and so do the persons that they are.
    pub(crate) against: Vec<(String, Vec<Finding>)>,
}

/// Derives what is kept beside one tenant's resources of a type.
pub(crate) async fn derive(
    store: &dyn Store,
    resource_type: &Arc<ResourceType>,
    tenant: &TenantEntry,
    rules: &Rules,
    environment: &dyn Environment,
) -> Result<Derived> {
    let quirks = tenant.connection.as_ref().map_or(Quirks::NONE, |connection| connection.quirks());
    let mut query = Query::all(Arc::clone(resource_type), PAGE);
    let mut derived = Derived::default();
    loop {
        let page = store.query(&tenant.tenant, &query).await.map_err(store_error)?;
        let at = environment.now();
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
            let outcome = store.commit(&tenant.tenant, changeset).await;
            let Err(CommitError::Conflict(Conflict::Unique { operation, path, .. })) = &outcome else {
                break outcome;
            };
            let claim = operations.get_mut(*operation).filter(|_| **path == *EMAIL).and_then(take_claim);
            let Some(email) = claim else { break outcome };
            // The first of two with the same address keeps it.
            let finding = rules.policy.email_taken(&email, "emails");
            let id = page.records.get(*operation).map(|record| record.id.clone());
            against.extend(id.zip(finding.map(|finding| vec![finding])));
        };
        match committed {
            Ok(committed) => {
                derived.persons += committed.applied.iter().filter(|applied| applied.changed).count();
            }
            // Another server changes it meanwhile: the page is read again.
            Err(CommitError::Conflict(Conflict::Version { .. } | Conflict::Missing { .. })) => continue,
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
