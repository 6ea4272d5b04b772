//! `scimd audit prune`: what of a tenant's two logs is older than it has to be kept goes, in portions between which others
//! write. Ended at any moment, it is run again.

use std::time::Instant;

use scim_service::environment::Environment;
use scim_store::retention::Cut;
use scim_store::transfer::PORTION;

use super::moving::{Meter, Side};
use super::small_runtime;
use crate::Failure;
use crate::cli::OfTenant;
use crate::config::Config;
use crate::environment::System;

const ACTOR: &str = "cli:audit prune";

/// With `dry`, nothing goes.
pub(super) fn run(of: &OfTenant, older_than: i64, dry: bool) -> Result<(), Failure> {
    let Side { store, directory } = Side::open(&Config::load(&of.common.flags())?.store, false)?;
    small_runtime()?.block_on(async {
        let tenant = directory.find(&of.tenant).await?.tenant.clone();
        let moment = System.now().plus_seconds(-older_than);
        let cut = Cut::before(&*store, &tenant, moment).await?;
        let what = format!("{cut} from before {moment}");
        if cut.is_empty() || dry {
            eprintln!("tenant {tenant} has {what} to remove; nothing was removed");
            return Ok(());
        }
        directory.record_pruning(&tenant, ACTOR, what.clone()).await?;
        let mut meter = Meter::new(&tenant);
        let mut done = 0;
        loop {
            let began = Instant::now();
            let gone = store.prune(&tenant, &cut, PORTION).await.map_err(|error| {
                Failure::Run(format!("{error}; run this again to go on, what is left is whole"))
            })?;
            if gone == 0 {
                break;
            }
            done += gone;
            meter.measure("removed", done.min(cut.entries()), cut.entries());
            // Whoever waits for the store has as much of it as this command.
            tokio::time::sleep(began.elapsed()).await;
        }
        meter.end();
        eprintln!(
            "removed {what} of tenant {tenant}; who follows from an earlier place is told to begin anew"
        );
        Ok(())
    })
}
