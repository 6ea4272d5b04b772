//! Stores before stores: what one does not do itself, it passes on. It decides nothing; which methods are passed on is said
//! by name, so that a new one is a decision of each.

/// Writes methods of a [`Store`](crate::Store) that ask another store the same.
///
/// ```
/// use std::sync::Arc;
/// use scim_store::{Changeset, CommitError, Committed, Pending, Store, StoreError, Tenant, pass_on};
///
/// /// A store that nobody can write to.
/// struct ReadOnly(Arc<dyn Store>);
///
/// impl Store for ReadOnly {
///     pass_on!(self => &*self.0; get, query, edges, crowded, persons, changes, audit, reports);
///     // What the trait has a way of its own for, and the store may have a better one.
///     pass_on!(self => &*self.0; get_with_edges, query_with_edges);
///
///     fn commit<'a>(&'a self, _: &'a Tenant, _: Changeset) -> Pending<'a, Committed, CommitError> {
///         Box::pin(async { Err(StoreError::Unavailable("it is only read".into()).into()) })
///     }
/// }
/// ```
#[macro_export]
macro_rules! pass_on {
    ($this:ident => $store:expr; $($method:ident),+ $(,)?) => {
        $($crate::pass_on!(@$method $this, $store);)+
    };
    (@get $this:ident, $store:expr) => {
        fn get<'a>(
            &'a $this,
            tenant: &'a $crate::Tenant,
            ids: &'a [&'a str],
        ) -> $crate::Pending<'a, Vec<Option<$crate::Record>>> {
            $crate::Store::get($store, tenant, ids)
        }
    };
    (@query $this:ident, $store:expr) => {
        fn query<'a>(
            &'a $this,
            tenant: &'a $crate::Tenant,
            query: &'a $crate::Query,
        ) -> $crate::Pending<'a, $crate::Page> {
            $crate::Store::query($store, tenant, query)
        }
    };
    (@edges $this:ident, $store:expr) => {
        fn edges<'a>(
            &'a $this,
            tenant: &'a $crate::Tenant,
            query: &'a $crate::EdgeQuery,
        ) -> $crate::Pending<'a, $crate::EdgePage> {
            $crate::Store::edges($store, tenant, query)
        }
    };
    (@crowded $this:ident, $store:expr) => {
        fn crowded<'a>(
            &'a $this,
            tenant: &'a $crate::Tenant,
            after: Option<&'a str>,
            count: usize,
        ) -> $crate::Pending<'a, Vec<String>> {
            $crate::Store::crowded($store, tenant, after, count)
        }
    };
    (@persons $this:ident, $store:expr) => {
        fn persons<'a>(
            &'a $this,
            tenant: &'a $crate::Tenant,
            query: &'a $crate::PersonQuery,
        ) -> $crate::Pending<'a, $crate::PersonPage> {
            $crate::Store::persons($store, tenant, query)
        }
    };
    (@get_with_edges $this:ident, $store:expr) => {
        fn get_with_edges<'a>(
            &'a $this,
            tenant: &'a $crate::Tenant,
            id: &'a str,
            side: $crate::Side,
            count: usize,
        ) -> $crate::Pending<'a, Option<($crate::Record, $crate::EdgePage)>> {
            $crate::Store::get_with_edges($store, tenant, id, side, count)
        }
    };
    (@query_with_edges $this:ident, $store:expr) => {
        fn query_with_edges<'a>(
            &'a $this,
            tenant: &'a $crate::Tenant,
            query: &'a $crate::Query,
            side: $crate::Side,
            count: usize,
        ) -> $crate::Pending<'a, ($crate::Page, $crate::EdgePage)> {
            $crate::Store::query_with_edges($store, tenant, query, side, count)
        }
    };
    (@commit $this:ident, $store:expr) => {
        fn commit<'a>(
            &'a $this,
            tenant: &'a $crate::Tenant,
            changeset: $crate::Changeset,
        ) -> $crate::Pending<'a, $crate::Committed, $crate::CommitError> {
            $crate::Store::commit($store, tenant, changeset)
        }
    };
    (@changes $this:ident, $store:expr) => {
        fn changes<'a>(
            &'a $this,
            tenant: &'a $crate::Tenant,
            after: u64,
            count: usize,
        ) -> $crate::Pending<'a, Vec<$crate::Change>> {
            $crate::Store::changes($store, tenant, after, count)
        }
    };
    (@audit $this:ident, $store:expr) => {
        fn audit<'a>(
            &'a $this,
            tenant: &'a $crate::Tenant,
            after: u64,
            count: usize,
        ) -> $crate::Pending<'a, Vec<$crate::Audited>> {
            $crate::Store::audit($store, tenant, after, count)
        }
    };
    (@reports $this:ident, $store:expr) => {
        fn reports<'a>(
            &'a $this,
            tenant: &'a $crate::Tenant,
            query: &'a $crate::ReportQuery,
        ) -> $crate::Pending<'a, Vec<$crate::Reported>> {
            $crate::Store::reports($store, tenant, query)
        }
    };
    (@load $this:ident, $store:expr) => {
        fn load(&$this) -> Option<$crate::Load> {
            $crate::Store::load($store)
        }
    };
    (@spend $this:ident, $store:expr) => {
        fn spend<'a>(
            &'a $this,
            tenant: &'a $crate::Tenant,
            spent: &'a [$crate::Spent],
        ) -> $crate::Pending<'a, Vec<std::time::Duration>> {
            $crate::Store::spend($store, tenant, spent)
        }
    };
}
