//! `POST /Bulk` (RFC 7644 §3.7): many operations in one request, each atomic on its own.
//!
//! The identifiers of all resources to create are chosen first, so that a `bulkId` can be resolved wherever it stands
//! and in whatever order. An operation runs after those it refers to. Resources that refer to each other in a circle
//! are created together, in one changeset.

mod order;
mod references;

use std::collections::HashMap;
use std::sync::Arc;

use http::{Method, StatusCode};
use scim_core::message::{BULK_RESPONSE, BulkOperation, BulkRequest, MalformedOperation, error_body};
use scim_core::schema::ResourceType;
use scim_core::text::excerpt;
use scim_core::{Error, ErrorKind, Result};
use scim_store::{Applied, CommitError, Record};
use serde_json::{Map, Value, json};

use self::order::components;
use self::references::{MARK, mentioned, substitute};
use crate::context::Context;
use crate::etag::{self, Precondition};
use crate::reply::Reply;
use crate::resource::{Modified, NewResource, Planned, location};
use crate::route::Endpoint;
use crate::rules::{Origin, Refusal, Remarks, Sent};

/// Most operations that may refer to each other in a circle. They are one changeset, which is tried again for each address
/// in it that is taken.
const MOST_IN_CIRCLE: usize = 100;

/// Runs a bulk request.
pub(crate) async fn bulk(context: &Context<'_>, request: BulkRequest) -> Result<Reply> {
    let tasks: Vec<Task> =
        request.operations.into_iter().map(|operation| Task::new(context, operation)).collect();
    let mut run = Run::new(context, tasks);
    let most_errors = request.fail_on_errors.unwrap_or(u64::MAX);
    for group in run.order() {
        if run.errors >= most_errors {
            break;
        }
        match group.as_slice() {
            [single] if !run.refers_to_itself(*single) => run.single(*single).await,
            circle => run.circle(circle).await,
        }
    }
    Ok(Reply::json(StatusCode::OK, run.response().to_string()))
}

/// One operation and what is known of it.
struct Task {
    operation: BulkOperation,
    /// What it is about, if there is such a type.
    resource_type: Option<Arc<ResourceType>>,
    /// The identifier that a resource to create will have.
    new_id: Option<String>,
    /// The `bulkId`s that the operation mentions.
    mentions: Vec<String>,
    /// Why it cannot be run.
    malformed: Option<Error>,
    outcome: Option<Outcome>,
}

struct Outcome {
    status: u16,
    location: Option<String>,
    version: Option<String>,
    error: Option<Value>,
}

impl Task {
    fn new(context: &Context<'_>, operation: std::result::Result<BulkOperation, MalformedOperation>) -> Self {
        let (operation, malformed) = match operation {
            Ok(operation) => (operation, None),
            Err(MalformedOperation { method, bulk_id, path, error }) => {
                // For the `location` of what was meant.
                let path = path.split(['?', '#']).next().filter(|path| path.starts_with('/'));
                let path = path.unwrap_or_default().to_owned();
                (BulkOperation { method, bulk_id, path, version: None, data: None }, Some(error))
            }
        };
        let new_id = (operation.method == Method::POST.as_str()).then(|| context.new_id());
        let mut mentions = Vec::new();
        let resource_type = match Endpoint::of(&operation.path, context.registry) {
            Some(Endpoint::Collection(resource_type) | Endpoint::Resource(resource_type, _)) => {
                Some(resource_type)
            }
            _ => None,
        };
        if let (Some(data), Some(resource_type)) = (&operation.data, &resource_type) {
            mentioned(data, resource_type, &mut mentions);
        }
        for segment in operation.path.split('/') {
            mentions.extend(segment.strip_prefix(MARK).map(str::to_owned));
        }
        Self { operation, resource_type, new_id, mentions, malformed, outcome: None }
    }
}

struct Run<'a> {
    context: &'a Context<'a>,
    tasks: Vec<Task>,
    /// The task that creates what a `bulkId` stands for.
    by_bulk_id: HashMap<String, usize>,
    errors: u64,
}

impl<'a> Run<'a> {
    fn new(context: &'a Context<'a>, tasks: Vec<Task>) -> Self {
        let creating = tasks.iter().enumerate().filter(|(_, task)| task.new_id.is_some());
        let by_bulk_id =
            creating.filter_map(|(index, task)| Some((task.operation.bulk_id.clone()?, index))).collect();
        Self { context, tasks, by_bulk_id, errors: 0 }
    }

    fn needs(&self, index: usize) -> Vec<usize> {
        let mentions = self.tasks.get(index).map(|task| task.mentions.as_slice()).unwrap_or_default();
        mentions.iter().filter_map(|mention| self.by_bulk_id.get(mention).copied()).collect()
    }

    fn refers_to_itself(&self, index: usize) -> bool {
        self.needs(index).contains(&index)
    }

    /// Groups of operations in an order in which each comes after what it refers to, and otherwise as they were
    /// given. A group of several is a circle.
    fn order(&self) -> Vec<Vec<usize>> {
        let in_order = |index| {
            let mut needs = self.needs(index);
            needs.sort_unstable();
            needs
        };
        let needs: Vec<Vec<usize>> = (0..self.tasks.len()).map(in_order).collect();
        components(&needs)
    }

    async fn single(&mut self, index: usize) {
        if let Some(error) = self.tasks.get_mut(index).and_then(|task| task.malformed.take()) {
            return self.finish(index, Err(error));
        }
        let outcome = match self.resolve(index) {
            Ok(data) => self.perform(index, data).await,
            Err(error) => Err(error),
        };
        self.finish(index, outcome);
    }

    async fn perform(&self, index: usize, data: Option<Value>) -> Result<Outcome> {
        let Some(task) = self.tasks.get(index) else { return Err(lost()) };
        let path = self.resolve_path(&task.operation.path)?;
        let endpoint = Endpoint::of(&path, self.context.registry).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no endpoint `{}`", excerpt(&path)))
        })?;
        let precondition = match &task.operation.version {
            Some(version) => Precondition::of_tag(version),
            None => Precondition::NONE,
        };
        let data = data.unwrap_or(Value::Null);
        let sent = data.clone();
        let context = &self.inside(task, &path, &sent);
        match (task.operation.method.as_str(), endpoint) {
            ("POST", Endpoint::Collection(resource_type)) => {
                let id = task.new_id.clone().ok_or_else(lost)?;
                let planned = context.plan_create(&resource_type, data, id).await?;
                let created = self.created(context, vec![(index, planned)]).await;
                created.into_iter().next().map_or_else(|| Err(lost()), |(_, outcome)| outcome)
            }
            ("PUT", Endpoint::Resource(resource_type, id)) => {
                let record = context.replace(&resource_type, &id, data, &precondition).await?;
                let tag = tag_of(context, &resource_type, &record).await?;
                Ok(self.done(200, &resource_type, &id, tag))
            }
            ("PATCH", Endpoint::Resource(resource_type, id)) => {
                let tag = match context.modify(&resource_type, &id, data, &precondition).await? {
                    Modified::Record(record) => tag_of(context, &resource_type, &record).await?,
                    Modified::Version(version) => Some(etag::plain(version)),
                };
                Ok(self.done(200, &resource_type, &id, tag))
            }
            ("DELETE", Endpoint::Resource(resource_type, id)) => {
                context.delete(&resource_type, &id, &precondition).await?;
                Ok(self.done(204, &resource_type, &id, None))
            }
            (method, _) => Err(Error::new(
                ErrorKind::MethodNotAllowed,
                format!("`{}` cannot be done at `{}` in a bulk request", excerpt(method), excerpt(&path)),
            )
            .remedy(
                "POST to an endpoint such as `/Users`; PUT, PATCH and DELETE one resource such as `/Users/{id}`",
            )),
        }
    }

    /// Creates resources that refer to each other.
    async fn circle(&mut self, members: &[usize]) {
        if members.len() > MOST_IN_CIRCLE {
            for index in members {
                self.finish(*index, Err(too_wide(members.len())));
            }
            return;
        }
        let mut planned = Vec::with_capacity(members.len());
        let mut failure = None;
        for index in members {
            match self.plan(*index).await {
                Ok(plan) => planned.push((*index, plan)),
                Err(error) => {
                    failure.get_or_insert((*index, error));
                }
            }
        }
        if let Some((guilty, error)) = failure {
            for index in members.iter().filter(|index| **index != guilty) {
                let name = self.bulk_id(guilty);
                self.finish(*index, Err(depends_on(&name)));
            }
            return self.finish(guilty, Err(error));
        }
        for (index, outcome) in self.created(self.context, planned).await {
            self.finish(index, outcome);
        }
    }

    /// The context of an operation inside the request.
    fn inside<'b>(&'b self, task: &'b Task, path: &'b str, sent: &'b Value) -> Context<'b> {
        let origin = Origin { method: &task.operation.method, path, body: Sent::Json(sent) };
        Context { origin, ..*self.context }
    }

    async fn plan(&self, index: usize) -> Result<Planned> {
        let data = self.resolve(index)?.unwrap_or(Value::Null);
        let Some(task) = self.tasks.get(index) else { return Err(lost()) };
        let sent = data.clone();
        let context = self.inside(task, &task.operation.path, &sent);
        match (Endpoint::of(&task.operation.path, self.context.registry), &task.new_id) {
            (Some(Endpoint::Collection(resource_type)), Some(id)) => {
                context.plan_create(&resource_type, data, id.clone()).await
            }
            _ => Err(Error::new(ErrorKind::InvalidValue, "only resources to create can refer to each other")),
        }
    }

    /// Creates resources in one changeset.
    async fn created(
        &self,
        context: &Context<'_>,
        planned: Vec<(usize, Planned)>,
    ) -> Vec<(usize, Result<Outcome>)> {
        let (mut operations, mut remarks) = (Vec::with_capacity(planned.len()), Remarks::default());
        let mut resources: Vec<(usize, NewResource)> = Vec::with_capacity(planned.len());
        for (index, plan) in planned {
            operations.push(plan.operation);
            remarks = remarks.with(plan.remarks);
            resources.push((index, plan.resource));
        }
        let paths: Vec<&str> = resources.iter().map(|(_, one)| one.resource_type.endpoint()).collect();
        let action = format!("POST {} (bulk)", paths.join(" "));
        let committed = match context.commit(operations, action, 201, remarks).await {
            Ok(committed) => committed,
            Err(Refusal { operation, error }) => return self.share(&resources, operation, error),
        };
        match committed {
            Ok(committed) => {
                let done = |((index, one), applied): ((usize, NewResource), Applied)| {
                    let tag = Some(etag::plain(applied.version));
                    (index, Ok(self.done(201, &one.resource_type, &one.id, tag)))
                };
                resources.into_iter().zip(committed.applied).map(done).collect()
            }
            Err(error) => self.blame(&resources, error).await,
        }
    }

    /// Gives the operation at fault its error, and the others of the circle theirs.
    async fn blame(
        &self,
        resources: &[(usize, NewResource)],
        error: CommitError,
    ) -> Vec<(usize, Result<Outcome>)> {
        let position = match &error {
            CommitError::Conflict(conflict) => conflict.operation().unwrap_or(0),
            CommitError::Store(_) => 0,
        };
        let Some((_, one)) = resources.get(position) else { return Vec::new() };
        let error = self.context.commit_error(error, &one.resource_type).await;
        self.share(resources, position, error)
    }

    /// The error for the operation at this position, and for the others that they depend on it.
    fn share(
        &self,
        resources: &[(usize, NewResource)],
        position: usize,
        error: Error,
    ) -> Vec<(usize, Result<Outcome>)> {
        let Some((guilty, _)) = resources.get(position) else { return Vec::new() };
        let name = self.bulk_id(*guilty);
        let mut own = Some(error);
        resources
            .iter()
            .map(|(index, _)| match own.take_if(|_| index == guilty) {
                Some(error) => (*index, Err(error)),
                None => (*index, Err(depends_on(&name))),
            })
            .collect()
    }

    fn done(
        &self,
        status: u16,
        resource_type: &Arc<ResourceType>,
        id: &str,
        version: Option<String>,
    ) -> Outcome {
        Outcome {
            status,
            location: Some(location(self.context.base, resource_type.endpoint(), id)),
            version,
            error: None,
        }
    }

    /// A line in the log about an operation that failed. What a client did wrong may quote what it sent, so that only its
    /// kind is told.
    fn tell(&self, operation: usize, error: &Error) {
        let Context { request, tenant, .. } = self.context;
        if matches!(error.kind().status(), 500 | 503 | 507) {
            tracing::error!(
                request,
                tenant = tenant.as_str(),
                operation,
                error = format!("{error:#}"),
                "bulk operation failed"
            );
        } else {
            tracing::debug!(request, operation, kind = ?error.kind(), "bulk operation refused");
        }
    }

    fn finish(&mut self, index: usize, outcome: Result<Outcome>) {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                self.errors += 1;
                self.tell(index + 1, &error);
                let is_known = |task: &&Task| task.new_id.is_none() && !task.operation.path.is_empty();
                // RFC 7644 §3.7.3: "for all operations except for failed POST operations".
                let location = self.tasks.get(index).filter(is_known).map(|task| {
                    let path = &task.operation.path;
                    let path = self.resolve_path(path).unwrap_or_else(|_| path.clone());
                    format!("{}{path}", self.context.base)
                });
                Outcome {
                    status: error.kind().status(),
                    location,
                    version: None,
                    error: Some(error_body(&error)),
                }
            }
        };
        if let Some(task) = self.tasks.get_mut(index) {
            task.outcome = Some(outcome);
        }
    }

    fn bulk_id(&self, index: usize) -> String {
        self.tasks.get(index).and_then(|task| task.operation.bulk_id.clone()).unwrap_or_default()
    }

    /// The data with every `bulkId:` in it replaced by the identifier that it stands for.
    fn resolve(&self, index: usize) -> Result<Option<Value>> {
        let Some(task) = self.tasks.get(index) else { return Err(lost()) };
        for mention in &task.mentions {
            self.identifier(mention)?;
        }
        let mut data = task.operation.data.clone();
        if let (Some(data), Some(resource_type)) = (&mut data, &task.resource_type)
            && !task.mentions.is_empty()
        {
            substitute(data, resource_type, &|name| self.identifier(name).ok());
        }
        Ok(data)
    }

    fn resolve_path(&self, path: &str) -> Result<String> {
        let segments: Result<Vec<String>> = path
            .split('/')
            .map(|segment| match segment.strip_prefix(MARK) {
                Some(name) => self.identifier(name),
                None => Ok(segment.to_owned()),
            })
            .collect();
        Ok(segments?.join("/"))
    }

    fn identifier(&self, bulk_id: &str) -> Result<String> {
        let creating = self.by_bulk_id.get(bulk_id).and_then(|index| self.tasks.get(*index));
        let Some(task) = creating else {
            return Err(Error::new(
                ErrorKind::InvalidValue,
                format!("`bulkId:{}` stands for nothing: no POST of this request has it", excerpt(bulk_id)),
            ));
        };
        if task.outcome.as_ref().is_some_and(|outcome| outcome.error.is_some()) {
            return Err(depends_on(bulk_id));
        }
        task.new_id.clone().ok_or_else(lost)
    }

    /// The response, with the operations in the order of the request. Those that were not run are left out.
    fn response(self) -> Value {
        let operations: Vec<Value> = self
            .tasks
            .into_iter()
            .filter_map(|task| {
                let outcome = task.outcome?;
                let mut entry = Map::new();
                entry.insert("method".to_owned(), task.operation.method.into());
                if let Some(bulk_id) = task.operation.bulk_id {
                    entry.insert("bulkId".to_owned(), bulk_id.into());
                }
                if let Some(location) = outcome.location {
                    entry.insert("location".to_owned(), location.into());
                }
                if let Some(version) = outcome.version {
                    entry.insert("version".to_owned(), version.into());
                }
                entry.insert("status".to_owned(), outcome.status.to_string().into());
                if let Some(error) = outcome.error {
                    entry.insert("response".to_owned(), error);
                }
                Some(Value::Object(entry))
            })
            .collect();
        json!({ "schemas": [BULK_RESPONSE], "Operations": operations })
    }
}

/// The entity tag of what was just written. None where it takes more memberships than an answer holds: the write must not
/// look as if it had failed.
async fn tag_of(
    context: &Context<'_>,
    resource_type: &Arc<ResourceType>,
    record: &Record,
) -> Result<Option<String>> {
    match context.etag(resource_type, record).await {
        Ok(tag) => Ok(Some(tag)),
        Err(error) if error.kind() == ErrorKind::TooMany => Ok(None),
        Err(error) => Err(error),
    }
}

fn too_wide(count: usize) -> Error {
    let words =
        format!("{count} operations refer to each other in a circle, and at most {MOST_IN_CIRCLE} may");
    Error::new(ErrorKind::TooMany, words)
        .remedy("create them without some of the references, and add these afterwards")
}

fn depends_on(bulk_id: &str) -> Error {
    Error::new(
        ErrorKind::InvalidValue,
        format!("`bulkId:{}` stands for a resource that could not be created", excerpt(bulk_id)),
    )
    .remedy("mend that operation and send both again")
}

fn lost() -> Error {
    Error::new(ErrorKind::Internal, "the bulk operation lost its place")
}
