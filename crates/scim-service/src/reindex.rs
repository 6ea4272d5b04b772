//! Index entries and unique values follow the schemas.
//!
//! A store keeps them beside each document, as the schemas wanted them when it was written. When an operator makes an
//! attribute indexed or unique, what is stored already has no entry for it, and no query would find it. So the directory
//! remembers what was in force, and what differs is derived anew before anything is served. Documents, versions and the
//! change log stay as they are.

use std::sync::Arc;

use scim_core::document::Document;
use scim_core::path::AttributePath;
use scim_core::schema::{Registry, ResourceType};
use scim_core::{Error, ErrorKind, Result};
use scim_store::{Changeset, CommitError, Conflict, Guard, Operation, Query, Record, Start, Store};

use crate::context::store_error;
use crate::directory::{Directory, IndexBody, TenantEntry};
use crate::environment::Environment;
use crate::quirk::Quirks;
use crate::resource::content;

/// How many resources are derived in one changeset.
const PAGE: usize = 500;

/// Derives anew what differs from what the directory remembers.
pub(crate) async fn follow_schemas(
    store: &dyn Store,
    registry: &Registry,
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
            count += derive(store, resource_type, &tenant, environment).await?;
        }
        directory.keep_index(resource_type.name(), &wanted).await?;
        if count > 0 {
            let resource_type = resource_type.name();
            tracing::info!(resource_type, count, "the schemas have changed; index entries were derived anew");
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
    IndexBody { entries: all(resource_type.indexed()), unique: all(resource_type.unique()) }
}

/// Derives the entries of one tenant's resources, and says how many there are.
async fn derive(
    store: &dyn Store,
    resource_type: &Arc<ResourceType>,
    tenant: &TenantEntry,
    environment: &dyn Environment,
) -> Result<usize> {
    let quirks = tenant.connection.as_ref().map_or(Quirks::NONE, |connection| connection.quirks());
    let mut query = Query::all(Arc::clone(resource_type), PAGE);
    let mut count = 0;
    loop {
        let page = store.query(&tenant.tenant, &query).await.map_err(store_error)?;
        let at = environment.now();
        let operation = |record: &Record| {
            let content = content(&Document::from_stored(&record.body)?, resource_type, quirks, at);
            Ok(Operation::Rederive {
                id: record.id.clone(),
                resource_type: Arc::clone(resource_type.shared_name()),
                guard: Guard::Version(record.version),
                unique: content.unique,
                index: content.index,
                person: content.person,
            })
        };
        let operations: Result<Vec<Operation>> = page.records.iter().map(operation).collect();
        let changeset = Changeset { operations: operations?, ..Changeset::new(at) };
        match store.commit(&tenant.tenant, changeset).await {
            Ok(_) => {}
            // Another server changes it meanwhile: the page is read again.
            Err(CommitError::Conflict(Conflict::Version { .. } | Conflict::Missing { .. })) => continue,
            Err(error) => return Err(refused(error, resource_type, tenant, &page.records)),
        }
        count += page.records.len();
        match page.next {
            Some(position) => query.start = Start::After(position),
            None => return Ok(count),
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
            Error::new(ErrorKind::Conflict, words)
                .remedy("start with the schemas from before, change one of the two, then change the schemas")
        }
        CommitError::Conflict(conflict) => {
            let words = format!("the index entries of {name} could not be derived");
            Error::new(ErrorKind::Internal, words).caused_by(CommitError::Conflict(conflict))
        }
    }
}
