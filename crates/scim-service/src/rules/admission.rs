//! What a tenant's policy says of a write: in its way, beside it, or against it.
//!
//! A refusal is recorded before it is answered, with the request as it was sent, so that an administrator can read it and
//! the request can be tried again. Warnings and notes are recorded with the write that they are about. Whatever is
//! accepted settles what was said about the same before.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use scim_core::document::Document;
use scim_core::schema::{Membership, ResourceType};
use scim_core::text::fold;
use scim_core::{Error, ErrorKind, Result};
use scim_policy::{Finding, Mode, Severity};
use scim_store::{
    AuditEntry, Changeset, CommitError, Committed, Conflict, Content, Edge, EdgeQuery, MemberDelta,
    Operation, Record, Report, ReportQuery, Side,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::redact::redacted;
use super::{EMAIL, Judged, USER};
use crate::context::{Context, outdated, overtaken, store_error};

/// The body of a request, as it was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sent<'a> {
    /// That of an HTTP request.
    Bytes(&'a Bytes),
    /// That of an operation inside another request.
    Json(&'a Value),
    /// That of the request that a row of a file becomes. A row is mended in its file, and never carried out again.
    Row(&'a Value),
}

/// Where a write came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    /// The HTTP method.
    pub(crate) method: &'a str,
    /// The path below the tenant's base URL.
    pub(crate) path: &'a str,
    pub(crate) body: Sent<'a>,
}

impl Origin<'_> {
    fn body(&self) -> Bytes {
        match self.body {
            Sent::Bytes(bytes) => bytes.clone(),
            Sent::Json(value) | Sent::Row(value) => {
                serde_json::to_vec(value).map(Bytes::from).unwrap_or_default()
            }
        }
    }
}

/// What is recorded beside the operations of a write.
#[derive(Debug, Default)]
pub(crate) struct Remarks {
    /// What there is to say of each operation.
    pub(crate) about: Vec<Remark>,
    /// What there is to say of members, each by itself.
    members: Vec<Remark>,
    /// About whom everything said before is settled.
    pub(crate) settles: Vec<String>,
}

/// What is recorded beside one operation.
#[derive(Debug, Default)]
pub(crate) struct Remark {
    /// Whom the findings are about.
    subject: String,
    /// What the rules said, none of it a refusal.
    findings: Vec<Finding>,
    /// Where the e-mail address of the person came from.
    email_path: String,
}

/// A write that is refused by the rules. The refusal is recorded.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Index of the operation at fault.
    pub(crate) operation: usize,
    pub(crate) error: Error,
}

/// What the rules make of a conflict that the store has found.
enum Ruling {
    /// It is none of theirs.
    NotOurs,
    /// It is no reason to refuse. What it was about was taken out of the operations, and remarked on.
    LetThrough,
    /// This is said against the write, if anything is.
    Against { subject: String, findings: Vec<Finding> },
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        refusal.error
    }
}

impl Remarks {
    /// About a resource by its identifier, or by what stands for it.
    pub(crate) fn about(subject: &str) -> Self {
        Self { settles: vec![subject.to_owned()], ..Self::only(subject) }
    }

    /// About a resource of which this settles nothing.
    fn only(subject: &str) -> Self {
        let about = vec![Remark { subject: subject.to_owned(), ..Remark::default() }];
        Self { about, ..Self::default() }
    }

    /// About a resource that has no identifier yet: by what its client knows it by.
    pub(crate) fn about_new(document: &Document, resource_type: &ResourceType) -> Self {
        match name_of(document, resource_type) {
            Some(name) => Self::about(&name),
            None => Self { about: vec![Remark::default()], ..Self::default() },
        }
    }

    /// About a resource that is there. Of a User, whose name nobody else can have, this settles as well what was said of
    /// creating one of that name.
    pub(crate) fn about_known(id: &str, document: &Document, resource_type: &ResourceType) -> Self {
        let mut remarks = Self::about(id);
        if resource_type.membership() == Some(Membership::Member) {
            remarks.settles.extend(name_of(document, resource_type));
        }
        remarks
    }

    /// About a resource that is written anew. What was said as it was created went by the name that it had then.
    pub(crate) fn about_changed(
        id: &str,
        old: &Document,
        new: &Document,
        resource_type: &ResourceType,
    ) -> Self {
        let mut remarks = Self::about_known(id, new, resource_type);
        if resource_type.membership() == Some(Membership::Member) {
            let before = name_of(old, resource_type).filter(|name| !remarks.settles.contains(name));
            remarks.settles.extend(before);
        }
        remarks
    }

    /// This and another, whose operations come after those of this.
    #[must_use]
    pub(crate) fn with(mut self, other: Self) -> Self {
        self.about.extend(other.about);
        self.members.extend(other.members);
        self.settles.extend(other.settles);
        self
    }

    fn of(&self, operation: usize) -> Option<&Remark> {
        self.about.get(operation)
    }

    fn subject(&self, operation: usize) -> &str {
        self.of(operation).map_or("", |remark| &remark.subject)
    }

    fn say(&mut self, operation: usize, findings: impl IntoIterator<Item = Finding>) {
        if let Some(remark) = self.about.get_mut(operation) {
            remark.findings.extend(findings);
        }
    }

    fn say_of_member(&mut self, subject: String, finding: Finding) {
        match self.members.iter_mut().find(|remark| remark.subject == subject) {
            Some(remark) => remark.findings.push(finding),
            None => self.members.push(Remark { subject, findings: vec![finding], ..Remark::default() }),
        }
    }
}

/// What stands for a resource that has no identifier yet.
fn name_of(document: &Document, resource_type: &ResourceType) -> Option<String> {
    let name = match resource_type.membership()? {
        Membership::Member => "userName",
        Membership::Group => "displayName",
    };
    let value = document.as_map().get(name).and_then(Value::as_str).unwrap_or_default();
    Some(format!("{name}:{}", fold(value)))
}

/// What is kept of a request, and its digest, once a report needs them: a request may be reported many times over.
type KeptRequest = OnceLock<(Bytes, [u8; 32])>;

/// Most memberships that one write is remarked on for, so that who sends cannot make reports as long as they like. All of
/// them can be listed: [`scim_store::Store::crowded`].
const MOST_REMARKS: usize = 100;

/// A member in a group, as a subject.
fn in_group(group: &str, member: &str) -> String {
    format!("{group}/{member}")
}

impl Context<'_> {
    /// Derives the person of a User that is to be written, and holds it to the rules.
    ///
    /// # Errors
    /// The refusal, which is recorded.
    pub(crate) async fn admit(
        &self,
        document: &Document,
        resource_type: &ResourceType,
        content: &mut Content,
        remarks: &mut Remarks,
    ) -> Result<()> {
        let Judged { findings, email_path } = self.rules.derive(document, resource_type, content);
        if findings.iter().any(|finding| finding.severity == Severity::Error) {
            return Err(self.refuse(remarks.subject(0), &findings).await);
        }
        if let Some(remark) = remarks.about.first_mut() {
            remark.email_path = email_path;
        }
        remarks.say(0, findings);
        Ok(())
    }

    /// What is to be recorded about members of a group: of each of them in it.
    pub(crate) fn remarks_on(&self, group: &str, members: &MemberDelta) -> Remarks {
        let mut remarks = Remarks::only(group);
        if self.rules.epoch > 0 {
            let named = members.add.iter().chain(&members.remove);
            remarks.settles = named.map(|member| in_group(group, member)).collect();
        }
        remarks
    }

    /// Restricts a change of members as the rules say.
    pub(crate) fn restrict(&self, members: &mut MemberDelta) {
        let group = self.rules.policy.group();
        members.exclusive = group.is_exclusive();
        if group.mode == Mode::Enforce {
            let types = self.rules.registry.resource_types().iter();
            let groups = types.filter(|known| known.membership() == Some(Membership::Group));
            members.barred = groups.map(|known| Arc::clone(known.shared_name())).collect();
        }
    }

    /// What the rules say of members that are let through although they are in another group, or are groups. `label` is
    /// what the group comes to be called, if that is being written.
    pub(crate) async fn remark_members(
        &self,
        group: &str,
        label: Option<&str>,
        members: &MemberDelta,
        remarks: &mut Remarks,
    ) -> Result<()> {
        if members.add.is_empty() || self.rules.policy.group().mode != Mode::Warn {
            return Ok(());
        }
        let (others, _) = self.elsewhere(group, &members.add).await?;
        let nested = self.groups_among(&members.add).await?;
        if others.is_empty() && nested.is_empty() {
            return Ok(());
        }
        let name = match label {
            Some(label) => label.to_owned(),
            None => self.name(group).await?,
        };
        for (edge, finding) in self.second_groups(&name, &others).await? {
            remarks.say_of_member(in_group(group, &edge.of), finding);
        }
        for member in nested {
            let finding = self.rules.policy.nested_group(&name, &member.label);
            finding
                .into_iter()
                .for_each(|finding| remarks.say_of_member(in_group(group, &member.id), finding));
        }
        Ok(())
    }

    /// Which of these members are groups; the first of them where there are many.
    async fn groups_among(&self, members: &[String]) -> Result<Vec<Record>> {
        let types = self.rules.registry.resource_types().iter();
        let groups: Vec<&str> = types
            .filter(|known| known.membership() == Some(Membership::Group))
            .map(|known| known.name())
            .collect();
        let mut found = Vec::new();
        for some in members.chunks(500) {
            let ids: Vec<&str> = some.iter().map(String::as_str).collect();
            let records = self.store.get(self.tenant, &ids).await.map_err(store_error)?;
            let nested = |record: &Record| groups.contains(&&*record.resource_type);
            found.extend(records.into_iter().flatten().filter(nested));
            if found.len() >= MOST_REMARKS {
                break;
            }
        }
        found.truncate(MOST_REMARKS);
        Ok(found)
    }

    /// Which of these members are in other groups than this one, and who is in this one; the first of them where there are
    /// many.
    async fn elsewhere(&self, group: &str, members: &[String]) -> Result<(Vec<Edge>, HashSet<String>)> {
        let mut query = EdgeQuery { side: Side::Groups, count: 1000, of: members.to_vec(), after: None };
        let (mut others, mut here): (Vec<Edge>, HashSet<String>) = Default::default();
        loop {
            let page = self.store.edges(self.tenant, &query).await.map_err(store_error)?;
            let last = page.edges.last().map(|edge| (edge.of.clone(), edge.id.clone()));
            for edge in page.edges {
                match edge.id == group {
                    true => drop(here.insert(edge.of)),
                    false => others.push(edge),
                }
            }
            match last {
                Some(last) if page.more && others.len() < MOST_REMARKS => query.after = Some(last),
                _ => break,
            }
        }
        others.truncate(MOST_REMARKS);
        Ok((others, here))
    }

    /// The memberships of somebody who goes, as subjects: what was said of them ends with them.
    pub(crate) async fn in_groups(&self, member: &str) -> Result<Vec<String>> {
        let mut query =
            EdgeQuery { side: Side::Groups, count: 1000, of: vec![member.to_owned()], after: None };
        let mut subjects = Vec::new();
        loop {
            let page = self.store.edges(self.tenant, &query).await.map_err(store_error)?;
            query.after = page.edges.last().map(|edge| (edge.of.clone(), edge.id.clone()));
            subjects.extend(page.edges.iter().map(|edge| in_group(&edge.id, member)));
            if !page.more || query.after.is_none() {
                return Ok(subjects);
            }
        }
    }

    /// What the rules say of members who are to come into the group of this name, and are in others.
    async fn second_groups<'e>(&self, name: &str, others: &'e [Edge]) -> Result<Vec<(&'e Edge, Finding)>> {
        let ids: Vec<&str> = others.iter().map(|edge| &*edge.of).collect();
        let people = self.store.get(self.tenant, &ids).await.map_err(store_error)?;
        let findings = others.iter().zip(people).filter_map(|(edge, person)| {
            let person = person.as_ref().and_then(known_as).unwrap_or_else(|| edge.of.clone());
            Some((edge, self.rules.policy.second_group(&person, name, &edge.label)?))
        });
        Ok(findings.collect())
    }

    /// What the rules say of everybody in an operation who cannot come into its group, beginning with the member that the store
    /// found to be in `other`: who mends one after the other waits for the identity provider each time.
    async fn all_second_groups(
        &self,
        operation: Option<&Operation>,
        member: &str,
        other: &str,
    ) -> Result<Vec<Finding>> {
        let name = self.group_name(operation).await?;
        let (person, other) = (self.name(member).await?, self.name(other).await?);
        let mut findings: Vec<Finding> =
            self.rules.policy.second_group(&person, &name, &other).into_iter().collect();
        if let Some(Operation::Create { id, members, .. } | Operation::Replace { id, members, .. }) =
            operation
        {
            let (mut others, here) = self.elsewhere(id, &members.add).await?;
            others.retain(|edge| edge.of != member && !here.contains(&edge.of));
            others.dedup_by(|one, before| one.of == before.of);
            let others = self.second_groups(&name, &others).await?;
            findings.extend(others.into_iter().map(|(_, finding)| finding));
        }
        Ok(findings)
    }

    /// Commits operations with everything that belongs beside them. What the store finds to be against the rules is
    /// refused, or remarked on and written all the same.
    ///
    /// # Errors
    /// The refusal, which is recorded. What else kept the store from committing is the inner error.
    pub(crate) async fn commit(
        &self,
        mut operations: Vec<Operation>,
        action: String,
        status: u16,
        mut remarks: Remarks,
    ) -> std::result::Result<std::result::Result<Committed, CommitError>, Refusal> {
        let settles_below = cleared(&operations);
        let is_bound = operations.iter().any(is_bound);
        let kept = KeptRequest::default();
        loop {
            // Only a conflict over the rules has to be looked at beside the operations again.
            let again = if is_bound { operations.clone() } else { Vec::new() };
            let changeset = Changeset {
                at: self.now,
                epoch: self.rules.epoch,
                operations,
                settles: remarks.settles.clone(),
                settles_below: settles_below.clone(),
                forgets: Vec::new(),
                retries: self.retries.cloned(),
                reports: self.reports(&remarks, status, &kept),
                audit: Some(self.audit(action.clone(), status, String::new())),
            };
            let conflict = match self.store.commit(self.tenant, changeset).await {
                Err(CommitError::Conflict(conflict)) => conflict,
                outcome => return Ok(outcome),
            };
            operations = again;
            let operation = conflict.operation().unwrap_or(0);
            let ruling = self.ruling(&conflict, &mut operations, &mut remarks).await;
            match ruling.map_err(|error| Refusal { operation, error })? {
                Ruling::LetThrough => {}
                Ruling::Against { subject, findings } if !findings.is_empty() => {
                    return Err(Refusal { operation, error: self.refuse(&subject, &findings).await });
                }
                Ruling::Against { .. } | Ruling::NotOurs => return Ok(Err(CommitError::Conflict(conflict))),
            }
        }
    }

    /// What the rules make of a conflict over operations.
    async fn ruling(
        &self,
        conflict: &Conflict,
        operations: &mut [Operation],
        remarks: &mut Remarks,
    ) -> Result<Ruling> {
        let (subject, findings) = match conflict {
            Conflict::Unique { operation, path, holder } if **path == *EMAIL => {
                return self.ruling_on_email(*operation, holder, operations, remarks).await;
            }
            Conflict::Membership { member, group, operation } => {
                let into = operations.get(*operation);
                let findings = self.all_second_groups(into, member, group).await?;
                (subject_in(into, member, remarks.subject(*operation)), findings)
            }
            Conflict::NestedGroup { member, operation } => {
                let into = operations.get(*operation);
                let [name, member_name] = self.names(into, member).await?;
                let finding = self.rules.policy.nested_group(&name, &member_name);
                (subject_in(into, member, remarks.subject(*operation)), finding.into_iter().collect())
            }
            Conflict::Epoch { .. } => {
                self.course.stale.store(true, Ordering::Relaxed);
                return Ok(Ruling::NotOurs);
            }
            Conflict::Missing { .. }
            | Conflict::Exists { .. }
            | Conflict::Version { .. }
            | Conflict::Unique { .. }
            | Conflict::UnknownMembers { .. }
            | Conflict::Settled => return Ok(Ruling::NotOurs),
        };
        Ok(Ruling::Against { subject, findings })
    }

    /// What the rules make of an address that is somebody's already. Where that is no reason to refuse, nobody claims it here.
    async fn ruling_on_email(
        &self,
        operation: usize,
        holder: &str,
        operations: &mut [Operation],
        remarks: &mut Remarks,
    ) -> Result<Ruling> {
        let Some(email) = operations.get_mut(operation).and_then(|operation| take_claim(operation, EMAIL))
        else {
            return Ok(Ruling::NotOurs);
        };
        let email_path = remarks.of(operation).map_or("", |remark| &remark.email_path);
        let holder = self.known(holder).await?;
        let finding = self.rules.policy.email_taken(&email, email_path, holder.as_deref());
        if let Some(error) = finding.clone().filter(|finding| finding.severity == Severity::Error) {
            let subject = remarks.subject(operation).to_owned();
            return Ok(Ruling::Against { subject, findings: vec![error] });
        }
        remarks.say(operation, finding.clone());
        // Those after it would meet the same conflict, one after the other.
        for (later, one) in operations.iter_mut().enumerate().skip(operation + 1) {
            if take_claim_if(one, EMAIL, |claimed| *claimed == email).is_some() {
                remarks.say(later, finding.clone());
            }
        }
        Ok(Ruling::LetThrough)
    }

    /// Records a refusal, and gives the error to answer with.
    async fn refuse(&self, subject: &str, findings: &[Finding]) -> Error {
        let Some(error) = scim_policy::refusal(findings) else {
            return Error::new(ErrorKind::Internal, "a request was refused for no reason");
        };
        let status = error.kind().status();
        let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
        let action = format!("{} {}", self.origin.method, self.origin.path);
        let changeset = Changeset {
            epoch: self.rules.epoch,
            retries: self.retries.cloned(),
            reports: self.report(subject, findings, status, &KeptRequest::default()).into_iter().collect(),
            audit: Some(self.audit(action, status, codes.join(" "))),
            ..Changeset::new(self.now)
        };
        match self.store.commit(self.tenant, changeset).await {
            Ok(_) => error,
            Err(CommitError::Conflict(Conflict::Settled)) => overtaken(),
            Err(CommitError::Conflict(_)) => self.outdated(),
            Err(CommitError::Store(error)) => store_error(error),
        }
    }

    /// Settles what was refused of a User that is sent again as it is. What was said of it as it is stays.
    pub(crate) async fn settle_unchanged(&self, id: &str) -> Result<()> {
        if self.rules.epoch == 0 || self.retries.is_some() {
            return Ok(());
        }
        let subject = Some(id.to_owned());
        let query = ReportQuery { after: 0, count: Report::MOST_OF_SUBJECT, settled: Some(false), subject };
        let open = self.store.reports(self.tenant, &query).await.map_err(store_error)?;
        if open.iter().all(|reported| reported.report.status < 400) {
            return Ok(());
        }
        let said = open.into_iter().map(|reported| reported.report).filter(|report| report.status < 400);
        let changeset = Changeset {
            epoch: self.rules.epoch,
            settles: vec![id.to_owned()],
            reports: said.collect(),
            ..Changeset::new(self.now)
        };
        match self.store.commit(self.tenant, changeset).await {
            Ok(_) => Ok(()),
            Err(CommitError::Conflict(_)) => Err(self.outdated()),
            Err(CommitError::Store(error)) => Err(store_error(error)),
        }
    }

    /// What is in the way of a changeset without operations: nothing but other rules that are in force by now.
    fn outdated(&self) -> Error {
        self.course.stale.store(true, Ordering::Relaxed);
        outdated()
    }

    /// What is reported of a write that is let in. It is never carried out again, so that nothing of the request is kept: of
    /// a person it would be a second copy.
    fn reports(&self, remarks: &Remarks, status: u16, kept: &KeptRequest) -> Vec<Report> {
        let of = |remark: &Remark| self.report(&remark.subject, &remark.findings, status, kept);
        let said = remarks.about.iter().chain(&remarks.members).filter_map(of);
        said.map(|report| Report { body: Bytes::new(), ..report }).collect()
    }

    fn report(&self, subject: &str, findings: &[Finding], status: u16, kept: &KeptRequest) -> Option<Report> {
        if findings.is_empty() {
            return None;
        }
        let said = serde_json::to_vec(findings).ok()?;
        let (body, digest) = kept.get_or_init(|| {
            // A digest of what is taken out would let somebody who reads the reports guess it.
            let body = redacted(&self.origin.body(), &self.rules.registry);
            let mut digest = Sha256::new();
            for part in [self.origin.method.as_bytes(), self.origin.path.as_bytes(), &body] {
                digest.update((part.len() as u64).to_be_bytes());
                digest.update(part);
            }
            let is_left_out = body.len() > Report::MOST_BODY || matches!(self.origin.body, Sent::Row(_));
            let body = if is_left_out { Bytes::new() } else { body };
            (body, digest.finalize().into())
        });
        Some(Report {
            subject: subject.to_owned(),
            digest: *digest,
            request: self.request.to_owned(),
            method: self.origin.method.to_owned(),
            path: self.origin.path.to_owned(),
            body: body.clone(),
            status,
            findings: said.into(),
        })
    }

    /// What the group is called that an operation is about, and another resource.
    async fn names(&self, into: Option<&Operation>, one: &str) -> Result<[String; 2]> {
        Ok([self.group_name(into).await?, self.name(one).await?])
    }

    /// What an administrator knows a resource by, else its identifier.
    async fn name(&self, id: &str) -> Result<String> {
        Ok(self.known(id).await?.unwrap_or_else(|| id.to_owned()))
    }

    /// What an administrator knows a resource by, if it is there.
    async fn known(&self, id: &str) -> Result<Option<String>> {
        let records = self.store.get(self.tenant, &[id]).await.map_err(store_error)?;
        Ok(records.iter().flatten().next().and_then(known_as))
    }

    /// What the group is called whose members an operation changes.
    async fn group_name(&self, operation: Option<&Operation>) -> Result<String> {
        match operation {
            Some(Operation::Create { content, .. }) => Ok(content.label.clone()),
            Some(Operation::Replace { id, .. }) => self.name(id).await,
            Some(Operation::Delete { .. } | Operation::Rederive { .. }) | None => Ok(String::new()),
        }
    }

    fn audit(&self, action: String, status: u16, detail: String) -> AuditEntry {
        let (actor, request) = (self.actor.to_owned(), self.request.to_owned());
        AuditEntry { actor, request, action, status, detail }
    }
}

/// What an administrator of the identity provider knows a resource by: a User by its userName, of which there is one, and not
/// by a name that others may have too; anything else by its label.
fn known_as(record: &Record) -> Option<String> {
    let document = Document::from_stored(&record.body).ok()?;
    let name = document.as_map().get("userName").and_then(Value::as_str).unwrap_or(&record.label);
    (!name.is_empty()).then(|| name.to_owned())
}

/// A group that gets other members altogether, or goes, settles what was said of any of its members.
fn cleared(operations: &[Operation]) -> Vec<String> {
    let groups = operations.iter().filter_map(|operation| match operation {
        Operation::Replace { id, members, .. } if members.clear => Some(id),
        Operation::Delete { id, resource_type, .. } if **resource_type != *USER => Some(id),
        Operation::Create { .. }
        | Operation::Replace { .. }
        | Operation::Delete { .. }
        | Operation::Rederive { .. } => None,
    });
    groups.map(|group| in_group(group, "")).collect()
}

/// Whom it is about that a member may not be in a group.
fn subject_in(operation: Option<&Operation>, member: &str, otherwise: &str) -> String {
    match operation {
        Some(Operation::Replace { id, .. }) => in_group(id, member),
        Some(Operation::Create { .. } | Operation::Delete { .. } | Operation::Rederive { .. }) | None => {
            otherwise.to_owned()
        }
    }
}

/// Whether the store is to hold an operation to the rules: a claim on an address, or restrictions of membership.
fn is_bound(operation: &Operation) -> bool {
    let claims = |content: &Content| content.unique.iter().any(|key| *key.path == *EMAIL);
    let restricted = |members: &MemberDelta| members.exclusive || !members.barred.is_empty();
    match operation {
        Operation::Create { content, members, .. } => claims(content) || restricted(members),
        Operation::Replace { content, members, .. } => {
            content.as_ref().is_some_and(claims) || restricted(members)
        }
        Operation::Rederive { .. } | Operation::Delete { .. } => false,
    }
}

/// Takes back a claim under a path, and says what was claimed.
pub(crate) fn take_claim(operation: &mut Operation, path: &str) -> Option<String> {
    take_claim_if(operation, path, |_| true)
}

fn take_claim_if(
    operation: &mut Operation,
    path: &str,
    is_meant: impl Fn(&String) -> bool,
) -> Option<String> {
    let unique = match operation {
        Operation::Create { content, .. } => &mut content.unique,
        Operation::Replace { content, .. } => &mut content.as_mut()?.unique,
        Operation::Rederive { unique, .. } => unique,
        Operation::Delete { .. } => return None,
    };
    let at = unique.iter().position(|key| *key.path == *path && is_meant(&key.value))?;
    Some(unique.remove(at).value)
}
