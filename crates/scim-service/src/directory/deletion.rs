//! A tenant that is deleted. The directory forgets it first, and at once, so that nobody is let in any more and nothing new
//! can be made for it; what the store keeps of it goes afterwards, in portions, by whoever can reach that. In between, and
//! wherever that was ended, its `Policy` record says so. Nothing here removes a resource.

use std::collections::BTreeMap;

use scim_core::{Error, ErrorKind, Result};
use scim_store::{Guard, Record, Tenant};

use super::administration::{changed_meanwhile, delete, leaving, put};
use super::record::{Kind, PolicyBody, content, read};
use super::{Connection, Directory};

/// The records of a tenant, by kind and name.
type Found = BTreeMap<(Kind, String), Record>;

impl Directory {
    /// Checks that a tenant can be deleted now. Says whether its deletion has begun already.
    ///
    /// # Errors
    /// `NotFound` when there is no such tenant, `Conflict` when its connection is in use.
    pub async fn check_deletion(&self, tenant: &Tenant) -> Result<bool> {
        self.deletable(tenant).await.map(|(found, _)| !is_known(&found, tenant))
    }

    /// Forgets a tenant with its settings, connection, policy, schemas and tokens. Every server on the store answers as if
    /// there had never been one within [`super::TRUST_SECONDS`]; what they let in before changes nothing any more once this
    /// has returned. Gives the number of its last rules, under which what the store keeps of it can be removed; until
    /// [`Directory::finish_deletion`] the name is not free. What was begun already is gone on with.
    ///
    /// The detail is kept in the audit trail of administration.
    ///
    /// # Errors
    /// As [`Directory::check_deletion`], and `Conflict` when somebody else changed something of it meanwhile.
    pub async fn delete_tenant(&self, tenant: &Tenant, actor: &str, detail: String) -> Result<u64> {
        let name = tenant.as_str();
        let (mut found, rules) = self.deletable(tenant).await?;
        let mut epoch = rules.epoch;
        if is_known(&found, tenant) {
            epoch += 1;
            let policy = found.remove(&(Kind::Policy, name.to_owned()));
            let rules = content(name, &PolicyBody { text: None, epoch, leaving: true })?;
            let mut operations = vec![put(Kind::Policy, name, policy.as_ref(), rules)];
            operations.extend(
                found
                    .iter()
                    .map(|((kind, name), record)| delete(*kind, name, Guard::Version(record.version))),
            );
            let action = format!("delete tenant {tenant}");
            if self.change_noting(operations, actor, action, 204, detail).await?.is_err() {
                return Err(changed_meanwhile(tenant));
            }
        }
        // What was made between the look and the change. Nothing more can be: there is no such tenant.
        let rest = self.found(tenant).await?.into_iter().filter(|((kind, _), _)| *kind != Kind::Policy);
        let rest: Vec<_> =
            rest.map(|((kind, name), record)| delete(kind, &name, Guard::Version(record.version))).collect();
        if !rest.is_empty()
            && self.change(rest, actor, format!("delete the rest of {tenant}"), 204).await?.is_err()
        {
            return Err(changed_meanwhile(tenant));
        }
        match self.announce(tenant, epoch).await? {
            true => Ok(epoch),
            false => Err(changed_meanwhile(tenant)),
        }
    }

    /// Takes note that nothing is left of a tenant, whose name is free from now on.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn finish_deletion(&self, tenant: &Tenant, actor: &str) -> Result<()> {
        let name = tenant.as_str();
        let [policy] = self.records([&Kind::Policy.id(name)]).await?;
        if let Some(record) = policy
            && let PolicyBody { epoch, leaving: true, .. } = read(&record)?
        {
            let rules = content(name, &PolicyBody::new(None, epoch))?;
            let operations = vec![put(Kind::Policy, name, Some(&record), rules)];
            // A conflict says that another command was faster.
            let _ = self.change(operations, actor, format!("remove all data of {tenant}"), 204).await?;
        }
        Ok(())
    }

    /// Records that the logs of a tenant are pruned, before anything of them goes. It is in the trail of administration, which
    /// is not pruned. See [`scim_store::retention`].
    ///
    /// # Errors
    /// When the store cannot do it.
    pub async fn record_pruning(&self, tenant: &Tenant, actor: &str, detail: String) -> Result<()> {
        let action = format!("prune the logs of {tenant}");
        // Nothing is changed with which something could be in conflict.
        self.change_noting(Vec::new(), actor, action, 204, detail).await.map(drop)
    }

    /// The records and the rules of a tenant that can be deleted, or is being.
    async fn deletable(&self, tenant: &Tenant) -> Result<(Found, PolicyBody)> {
        let found = self.found(tenant).await?;
        let record = |kind| found.get(&(kind, tenant.as_str().to_owned()));
        let rules = record(Kind::Policy).map(read::<PolicyBody>).transpose()?;
        let rules = rules.unwrap_or(PolicyBody::new(None, 0));
        if !is_known(&found, tenant) && !rules.leaving {
            return Err(self.no_tenant(tenant.as_str()).await);
        }
        let connection = record(Kind::Connection).map(Connection::read).transpose()?;
        if is_known(&found, tenant) && connection.is_some_and(|connection| !connection.paused) {
            let words = format!("the connection of tenant `{tenant}` is in use");
            let remedy =
                format!("`scimd connection pause {tenant}`, or remove it, and delete the tenant then");
            return Err(Error::new(ErrorKind::Conflict, words).remedy(remedy));
        }
        Ok((found, rules))
    }

    /// Checks that nothing of a tenant that was deleted is in the way of another of that name.
    pub(super) fn check_gone(&self, tenant: &Tenant, found: &Found) -> Result<()> {
        let policy = found.get(&(Kind::Policy, tenant.as_str().to_owned()));
        match policy.map(read::<PolicyBody>).transpose()? {
            Some(PolicyBody { leaving: true, .. }) => Err(leaving(tenant)),
            Some(_) | None => Ok(()),
        }
    }
}

/// Whether there is a tenant among its records, and not only what one has left.
pub(super) fn is_known(found: &Found, tenant: &Tenant) -> bool {
    found.contains_key(&(Kind::Tenant, tenant.as_str().to_owned()))
}
