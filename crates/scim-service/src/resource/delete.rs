//! `DELETE /Users/{id}` (RFC 7644 §3.6).

use std::sync::Arc;

use scim_core::Result;
use scim_core::document::Document;
use scim_core::schema::ResourceType;
use scim_store::{Guard, Operation};

use crate::context::{Context, commit_error};
use crate::etag::Precondition;
use crate::rules::Remarks;

impl Context<'_> {
    /// Deletes a resource and every membership of it.
    pub(crate) async fn delete(
        &self,
        resource_type: &Arc<ResourceType>,
        id: &str,
        precondition: &Precondition,
    ) -> Result<()> {
        let (guard, remarks) = match precondition.guard() {
            // Where there never were rules, nothing was said that would be settled by its name.
            Some(guard) if self.rules.epoch == 0 => (guard, Remarks::about(id)),
            guard => {
                let current = self.record(resource_type, id).await?;
                precondition.check(current.version)?;
                let document = Document::from_stored(&current.body)?;
                let mut remarks = Remarks::about_known(id, &document, resource_type);
                remarks.settles.extend(self.in_groups(id).await?);
                (guard.unwrap_or(Guard::Version(current.version)), remarks)
            }
        };
        let resource_type_name = Arc::clone(resource_type.shared_name());
        let operation = Operation::Delete { id: id.to_owned(), resource_type: resource_type_name, guard };
        let action = format!("DELETE {}/{id}", resource_type.endpoint());
        let outcome = self.commit(vec![operation], action, 204, remarks).await?;
        outcome.map(drop).map_err(|error| commit_error(error, resource_type))
    }
}
