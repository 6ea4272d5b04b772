//! Other SCIM servers.
use crate::{cli::Work, report::Report};
use scim_bench::world::Failure;
pub(crate) fn run(_only: &[String], _work: &Work, _report: &mut Report) -> Result<(), Failure> {
    Ok(())
}
