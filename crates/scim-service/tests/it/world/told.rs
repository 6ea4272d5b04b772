//! What the store keeps of requests, and of what the rules said of them.

use scim_store::{AuditEntry, Audited, ReportQuery, Reported, Store, Tenant};
use serde_json::Value;

use super::{World, now};

/// What was said of a request: of whom, and the codes in order.
pub(crate) struct Told {
    pub(crate) subject: String,
    pub(crate) codes: Vec<String>,
}

impl World {
    /// The codes of what the rules said and nothing has settled, with how often it came.
    pub(crate) fn said(&self) -> Vec<(String, u64)> {
        self.each_said("code")
    }

    /// The explanations of these.
    pub(crate) fn words(&self) -> Vec<String> {
        self.each_said("explanation").into_iter().map(|(words, _)| words).collect()
    }

    fn each_said(&self, member: &str) -> Vec<(String, u64)> {
        let reports = self.reported(Some(false));
        let said = reports.iter().flat_map(|reported| {
            let findings: Vec<Value> = serde_json::from_slice(&reported.report.findings).expect("JSON");
            let one = |finding: &Value| (finding[member].as_str().expect("text").to_owned(), reported.count);
            findings.iter().map(one).collect::<Vec<_>>()
        });
        said.collect()
    }

    /// The refusals that nothing has settled, the latest last, with the errors alone.
    pub(crate) fn refusals(&self) -> Vec<Told> {
        self.told(|status| status >= 400, |finding| finding["severity"] == "error")
    }

    /// What was said of requests that were accepted and nothing has settled.
    pub(crate) fn remarks(&self) -> Vec<Told> {
        self.told(|status| status < 400, |_| true)
    }

    fn told(&self, status: impl Fn(u16) -> bool, counts: impl Fn(&Value) -> bool) -> Vec<Told> {
        let reports = self.reported(Some(false));
        let told = |reported: Reported| {
            let findings: Vec<Value> = serde_json::from_slice(&reported.report.findings).expect("JSON");
            let code = |finding: &Value| finding["code"].as_str().expect("a code").to_owned();
            let mut codes: Vec<String> =
                findings.iter().filter(|finding| counts(finding)).map(code).collect();
            codes.sort();
            Told { subject: reported.report.subject, codes }
        };
        reports.into_iter().filter(|reported| status(reported.report.status)).map(told).collect()
    }

    /// How often the rules have said something, settled or not.
    pub(crate) fn heard(&self) -> u64 {
        let reports = self.reported(None);
        reports.iter().map(|reported| reported.count).sum()
    }

    /// What is recorded of the tenant's requests: action, status and detail.
    pub(crate) fn audit(&self) -> Vec<String> {
        let tenant = Tenant::new("acme").expect("a name");
        let audited = now(self.store.audit(&tenant, 0, 1000)).expect("in memory");
        let line = |audited: Audited| {
            let AuditEntry { action, status, detail, .. } = audited.entry;
            format!("{action} {status} {detail}").trim_end().to_owned()
        };
        audited.into_iter().map(line).collect()
    }

    /// Who is recorded for the latest request.
    pub(crate) fn latest_actor(&self) -> String {
        let tenant = Tenant::new("acme").expect("a name");
        let audited = now(self.store.audit(&tenant, 0, 1000)).expect("in memory");
        audited.last().expect("something is recorded").entry.actor.clone()
    }

    /// Whom reports are about.
    pub(crate) fn subjects(&self) -> Vec<String> {
        let reports = self.reported(None);
        reports.into_iter().map(|reported| reported.report.subject).collect()
    }

    /// The digests of requests.
    pub(crate) fn digests(&self) -> Vec<[u8; 32]> {
        let reports = self.reported(None);
        reports.iter().map(|reported| reported.report.digest).collect()
    }

    /// Everything that the store keeps of requests and what was said of them, as text.
    pub(crate) fn reports(&self) -> String {
        let reports = self.reported(None);
        let bodies =
            reports.iter().map(|reported| String::from_utf8_lossy(&reported.report.body).into_owned());
        bodies.collect()
    }

    fn reported(&self, settled: Option<bool>) -> Vec<Reported> {
        let tenant = Tenant::new("acme").expect("a name");
        let query = ReportQuery { after: 0, count: 1000, settled, subject: None };
        now(self.store.reports(&tenant, &query)).expect("in memory")
    }
}
