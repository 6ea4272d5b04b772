//! `scimd tenant delete`: the directory forgets the tenant first, and then all that the store keeps of it goes, by the same
//! means as an unfinished copy (`scim_store::transfer`). Ended at any moment, it is run again.

use std::io::{BufRead, IsTerminal, stderr, stdin};
use std::time::Instant;

use scim_service::directory::Directory;
use scim_store::Tenant;
use scim_store::transfer::{Holdings, PORTION, Portable};

use super::moving::{Meter, Side};
use super::{named, small_runtime};
use crate::Failure;
use crate::cli::Common;
use crate::config::Config;

const ACTOR: &str = "cli:tenant delete";

pub(super) fn run(tenant: &str, yes: bool, common: &Common) -> Result<(), Failure> {
    let tenant = named(tenant)?;
    let Side { store, directory } = Side::open(&Config::load(&common.flags())?.store, false)?;
    small_runtime()?.block_on(delete(&*store, &directory, &tenant, yes, common))
}

async fn delete(
    store: &dyn Portable,
    directory: &Directory,
    tenant: &Tenant,
    yes: bool,
    common: &Common,
) -> Result<(), Failure> {
    let has_begun = directory.check_deletion(tenant).await?;
    let Holdings { rows, .. } = store.holdings(tenant).await?;
    let what =
        format!("{} resources, {} persons and {} memberships", rows.resources, rows.persons, rows.links);
    let mut meter = Meter::new(tenant);
    match has_begun {
        // Whoever began it was asked.
        true => {
            meter.say(&format!("its deletion was begun and not finished; going on with it, {what} are left"))
        }
        false if yes => {}
        false => confirm(tenant, &what, common)?,
    }
    let epoch = directory.delete_tenant(tenant, ACTOR, what.clone()).await?;
    let of = rows.parts() + rows.entries + rows.claims + rows.hidden + rows.persons;
    let mut done = 0;
    loop {
        let began = Instant::now();
        let gone = store.discard(tenant, Some(epoch), PORTION).await.map_err(|error| {
            Failure::Run(format!("{error}; run this again to go on: nobody is let in any more"))
        })?;
        if gone == 0 {
            break;
        }
        done += gone;
        meter.measure("removed", done.min(of), of);
        // Whoever waits for the store has as much of it as this command.
        tokio::time::sleep(began.elapsed()).await;
    }
    meter.end();
    directory.finish_deletion(tenant, ACTOR).await?;
    eprintln!("deleted tenant {tenant}: {what}, its tokens, policy and audit trail; its name is free");
    Ok(())
}

/// Asks whoever sits at a terminal. Anybody else has to say so beforehand.
fn confirm(tenant: &Tenant, what: &str, common: &Common) -> Result<(), Failure> {
    let has = format!(
        "tenant {tenant} has {what}; all of it goes, its audit trail too, and nothing brings it back"
    );
    if !stdin().is_terminal() || !stderr().is_terminal() {
        let again = format!("scimd tenant delete {tenant} --yes{}", common.again());
        return Err(Failure::Usage(format!("{has}. Nothing was changed; if that is meant: {again}")));
    }
    eprintln!("{has}. Type the tenant's name to delete it:");
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer).map_err(|error| Failure::io("cannot ask", &error))?;
    match answer.trim() == tenant.as_str() {
        true => Ok(()),
        false => Err(Failure::Run("that is not its name; nothing was changed".to_owned())),
    }
}
