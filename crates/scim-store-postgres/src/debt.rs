//! What others owe to all servers on a database together, by the database's clock: it is the only one that they share.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use scim_store::{Spent, Tenant};

use crate::error::{Failed, corrupt};
use crate::pool::{Pool, WRITE};
use crate::session::{column, step};

/// Nothing is acknowledged here, so that nobody has to wait for the disk.
const UNSYNCED: &str = "SELECT set_config('synchronous_commit', 'off', true)";

/// Rows are locked in the order in which they are given, so that servers do not wait for one another in a circle.
const SPEND: &str = "INSERT INTO debt (tenant, debtor, until, spent)
    SELECT $1, s.debtor, clock_timestamp() - make_interval(secs => s.within) + make_interval(secs => s.amount),
        make_interval(secs => s.amount)
    FROM unnest($2::text[], $3::float8[], $4::float8[]) AS s(debtor, amount, within)
    ON CONFLICT (tenant, debtor) DO UPDATE
        SET until = greatest(debt.until + excluded.spent, excluded.until), spent = debt.spent + excluded.spent
    RETURNING debtor, greatest(0, extract(epoch FROM until - clock_timestamp()))::float8";

pub(crate) async fn spend(
    pool: Arc<Pool>,
    tenant: Tenant,
    mut spent: Vec<Spent>,
) -> Result<HashMap<String, Duration>, Failed> {
    spent.sort_by(|one, other| one.by.cmp(&other.by));
    let names: Vec<String> = spent.iter().map(|spent| spent.by.clone()).collect();
    let seconds = |of: fn(&Spent) -> Duration| spent.iter().map(|spent| of(spent).as_secs_f64()).collect();
    let (amounts, within): (Vec<f64>, Vec<f64>) =
        (seconds(|spent| spent.amount), seconds(|spent| spent.within));
    let steps = vec![step!(UNSYNCED), step!(SPEND, tenant.as_str().to_owned(), names, amounts, within)];
    let mut rows = pool.lend(&tenant).await?.whole(WRITE, &tenant, steps).await?;
    let owed = rows.pop().unwrap_or_default();
    let owes = |row| {
        let seconds = Duration::try_from_secs_f64(column(row, 1)?);
        Ok((column(row, 0)?, seconds.map_err(|_| corrupt("a debt is no time"))?))
    };
    owed.iter().map(owes).collect()
}
