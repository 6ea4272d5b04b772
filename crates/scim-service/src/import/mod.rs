//! The door for people who come from a file, of a tenant that has no identity provider.
//!
//! A row becomes the User that an identity provider would send, and goes the way of `POST /Users` or `PUT /Users/{id}`: the
//! same schemas, the same rules, the same words, the same records beside it. It refuses to judge anything itself, to read a
//! file, and to serve a tenant with a connection, whose identity provider is the only source.
//!
//! Whoever has rows rehearses all of them, in order, and writes them if none was refused. A rehearsal knows what the rows
//! before would have left behind, so that an address that moves from one person to the next is found free.

mod column;
mod trial;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use scim_core::document::Document;
use scim_core::filter::Filter;
use scim_core::schema::ResourceType;
use scim_core::text::{excerpt, fold};
use scim_core::{Error, ErrorKind, Result};
use scim_policy::Finding;
use scim_store::{Query, Record, ReportQuery, Store};
use serde_json::{Map, Value};

use self::column::Columns;
use self::trial::Trial;
use crate::Service;
use crate::context::{Context, Course, store_error};
use crate::directory::TenantEntry;
use crate::environment::random_id;
use crate::etag::Precondition;
use crate::rules::{Origin, Rules, Sent, user};

/// Rows on their way into a tenant.
pub struct Import<'s> {
    service: &'s Service,
    entry: Arc<TenantEntry>,
    rules: Arc<Rules>,
    resource_type: Arc<ResourceType>,
    columns: Columns,
    trial: Trial,
    /// The lines of the userNames so far.
    seen: HashMap<String, u64>,
    base: String,
    actor: String,
    request: String,
}

/// How the columns of a file are to be understood.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    /// The names in the file.
    pub names: Vec<String>,
    /// Names that stand for others.
    pub renamed: Vec<(String, String)>,
    /// Names of columns that are not looked at.
    pub ignored: Vec<String>,
}

/// What became of a row, or would.
#[derive(Debug)]
pub struct ImportedRow {
    /// The `userName`, as the row has it.
    pub user_name: String,
    /// What was done.
    pub outcome: Outcome,
    /// What the tenant's rules said. Empty where a refusal is none of theirs.
    pub findings: Vec<Finding>,
}

/// What became of a row.
#[derive(Debug)]
pub enum Outcome {
    /// A User was created.
    Created,
    /// A User that was there is another now.
    Updated,
    /// Everything was so already.
    Unchanged,
    /// The row was refused, in the words of the SCIM answer.
    Refused(Error),
}

/// How often a write is planned again because somebody else changed the User meanwhile.
const ATTEMPTS: usize = 5;

impl Service {
    /// Begins an import.
    ///
    /// # Errors
    /// `NotFound` when there is no such tenant, `Forbidden` when it has a connection, `InvalidValue` with every column that
    /// is not understood.
    pub async fn import(&self, tenant: &str, headers: &Headers, actor: &str) -> Result<Import<'_>> {
        let entry = self.directory().find(tenant).await?;
        self.check_schemas().await?;
        if let Some(connection) = &entry.connection {
            return Err(Error::new(
                ErrorKind::Forbidden,
                format!(
                    "tenant `{tenant}` is connected to an identity provider of kind {}, which is the only source of its \
                     people",
                    connection.idp
                ),
            )
            .remedy(format!(
                "create and change them there; if they are to come from files from now on, end the connection first: `scimd \
                 connection remove {tenant}`"
            )));
        }
        let rules = self.rules_of(&entry)?;
        let resource_type = Arc::clone(user(&rules.registry)?);
        let columns = Columns::read(headers, &resource_type, &rules.policy)?;
        Ok(Import {
            trial: Trial::new(self.shared_store(), Arc::clone(&resource_type)),
            seen: HashMap::new(),
            base: self.base_of(&entry.tenant),
            actor: actor.to_owned(),
            request: format!("import-{}", random_id(self.environment())),
            service: self,
            entry,
            rules,
            resource_type,
            columns,
        })
    }
}

impl Import<'_> {
    /// How many cells a row has.
    pub fn width(&self) -> usize {
        self.columns.width()
    }

    /// What would become of the row at this line, once those that were rehearsed before it are written. Nobody is written;
    /// with `record`, a refusal by the rules is kept with the others, as that of a request is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn rehearse(&mut self, line: u64, cells: &[&str], record: bool) -> Result<ImportedRow> {
        let name = self.columns.user_name(cells).to_owned();
        if let Some(first) = self.seen.insert(fold(&name).into_owned(), line).filter(|_| !name.is_empty()) {
            let words = format!("the userName `{}` is in line {first} already", excerpt(&name));
            let error = Error::new(ErrorKind::Uniqueness, words).at("userName");
            let outcome = Outcome::Refused(error.remedy("leave one of the two rows out"));
            return Ok(ImportedRow { user_name: name, outcome, findings: Vec::new() });
        }
        self.trial.begin(&self.entry.tenant, record).await?;
        let outcome = self.row(&self.trial, cells, &name, false).await;
        let findings = self.trial.said();
        Ok(ImportedRow { user_name: name, outcome: kept(outcome)?, findings })
    }

    /// Writes a row. Rows of different people can be written at the same time. A row that changes nothing writes nothing.
    ///
    /// # Errors
    /// When the store cannot be read or written, or when the tenant's rules were replaced meanwhile. What was written
    /// before stays; writing all rows again leads to the same end.
    pub async fn write(&self, cells: &[&str]) -> Result<ImportedRow> {
        let name = self.columns.user_name(cells).to_owned();
        let outcome = self.row(self.service.store(), cells, &name, true).await;
        Ok(ImportedRow { user_name: name, outcome: kept(outcome)?, findings: Vec::new() })
    }

    async fn row(&self, store: &dyn Store, cells: &[&str], name: &str, skip: bool) -> Result<Outcome> {
        if name.is_empty() {
            let error = Error::new(ErrorKind::InvalidValue, "the row has no userName").at("userName");
            return Err(error.remedy("give everybody a userName, or an address, which is taken for it"));
        }
        self.columns.check(cells)?;
        let mut attempts = ATTEMPTS;
        loop {
            let outcome = match self.find(name).await? {
                None => self.create(store, cells, name).await,
                Some(record) => self.update(store, cells, &record, skip).await,
            };
            match outcome {
                // Somebody else was faster.
                Err(error) if error.kind() == ErrorKind::PreconditionFailed && attempts > 1 => attempts -= 1,
                outcome => return outcome,
            }
        }
    }

    async fn create(&self, store: &dyn Store, cells: &[&str], name: &str) -> Result<Outcome> {
        let mut members = Map::new();
        members.insert("userName".to_owned(), name.into());
        self.columns.write(cells, &mut members)?;
        let body = self.body(members);
        let course = Course::default();
        let path = self.resource_type.endpoint();
        let origin = Origin { method: "POST", path, body: Sent::Row(&body) };
        let context = self.context(store, origin, &course);
        context.create(&self.resource_type, body.clone()).await?;
        Ok(Outcome::Created)
    }

    /// Puts what the row says over what is stored; what the file has no column for stays.
    async fn update(
        &self,
        store: &dyn Store,
        cells: &[&str],
        record: &Record,
        skip: bool,
    ) -> Result<Outcome> {
        let stored = Document::from_stored(&record.body)?.into_map();
        let mut members = stored.clone();
        self.columns.write(cells, &mut members)?;
        let is_same = members == stored;
        if is_same && skip && !self.is_talked_of(&record.id).await? {
            return Ok(Outcome::Unchanged);
        }
        let body = self.body(members);
        let course = Course::default();
        let path = format!("{}/{}", self.resource_type.endpoint(), record.id);
        let origin = Origin { method: "PUT", path: &path, body: Sent::Row(&body) };
        let context = self.context(store, origin, &course);
        let precondition = Precondition::of_version(record.version);
        context.replace(&self.resource_type, &record.id, body.clone(), &precondition).await?;
        Ok(if is_same { Outcome::Unchanged } else { Outcome::Updated })
    }

    /// The context of a request that a row becomes.
    fn context<'a>(&'a self, store: &'a dyn Store, origin: Origin<'a>, course: &'a Course) -> Context<'a> {
        let Self { service, entry, rules, base, actor, request, .. } = self;
        service.context(store, entry, rules, base, actor, request, origin, course)
    }

    async fn find(&self, name: &str) -> Result<Option<Record>> {
        let literal = Value::from(name);
        let filter = Some(Filter::parse(&format!("userName eq {literal}"), &self.resource_type)?);
        let query = Query { filter, ..Query::all(Arc::clone(&self.resource_type), 1) };
        let page = self.service.store().query(&self.entry.tenant, &query).await.map_err(store_error)?;
        Ok(page.records.into_iter().next())
    }

    /// Whether something that the rules said of a User is not settled, so that even saying the same again has a meaning.
    async fn is_talked_of(&self, id: &str) -> Result<bool> {
        let subject = Some(id.to_owned());
        let query = ReportQuery { after: 0, count: 1, settled: Some(false), subject };
        let reports = self.service.store().reports(&self.entry.tenant, &query).await.map_err(store_error)?;
        Ok(!reports.is_empty())
    }

    /// The body of a request, with the schemas that its members are of.
    fn body(&self, mut members: Map<String, Value>) -> Value {
        let core = self.resource_type.schema().id().to_owned();
        let extensions = members.keys().filter(|name| self.resource_type.extension(name).is_some()).cloned();
        let schemas: Vec<String> = std::iter::once(core).chain(extensions).collect();
        members.insert("schemas".to_owned(), schemas.into());
        Value::Object(members)
    }
}

impl fmt::Debug for Import<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Import").field("tenant", &self.entry.tenant).finish_non_exhaustive()
    }
}

/// An error that is about the row is its refusal. Everything else ends the import.
fn kept(outcome: Result<Outcome>) -> Result<Outcome> {
    match outcome {
        Err(error) if error.kind().status() < 500 => Ok(Outcome::Refused(error)),
        outcome => outcome,
    }
}
