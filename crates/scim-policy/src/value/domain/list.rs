//! The domains that a tenant administers, and whether an address's domain is among them.
//!
//! It refuses to list what no single organisation administers: public suffixes, free-mail domains, and the domains that
//! a provider's customers share. With subdomains it never reaches across a public suffix, so that listing a provider's
//! domain does not list the provider's customers.

use scim_core::text;

use super::{Domain, DomainError, Reason};

/// Domains below which each customer of one provider has a name. The public suffix list does not know these.
const SHARED: &[&str] = &[
    "mail.onmicrosoft.com",
    "onmicrosoft.com",
    "onmicrosoft.de",
    "onmicrosoft.us",
    "partner.mail.onmschina.cn",
    "partner.onmschina.cn",
];

/// The domains of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainList {
    /// Sorted, each once.
    domains: Vec<Domain>,
    subdomains: bool,
}

impl DomainList {
    /// Reads what a tenant lists. Every entry that cannot be listed is named by its place, counted from zero.
    pub fn new<T: AsRef<str>>(
        entries: impl IntoIterator<Item = T>,
        subdomains: bool,
    ) -> Result<Self, Vec<(usize, DomainError)>> {
        let mut listed: Vec<(Domain, usize)> = Vec::new();
        let mut errors = Vec::new();
        for (place, entry) in entries.into_iter().enumerate() {
            match listable(entry.as_ref()) {
                Ok(domain) => listed.push((domain, place)),
                Err(error) => errors.push((place, error)),
            }
        }
        listed.sort();
        for ((before, _), (domain, place)) in listed.iter().zip(listed.iter().skip(1)) {
            if before == domain {
                errors.push((*place, DomainError::new(&domain.unicode(), Reason::Twice)));
            }
        }
        if errors.is_empty() {
            Ok(Self { domains: listed.into_iter().map(|(domain, _)| domain).collect(), subdomains })
        } else {
            errors.sort_by_key(|(place, _)| *place);
            Err(errors)
        }
    }

    /// Whether the domain is listed or, where subdomains are allowed, lies below one that is.
    pub fn allows(&self, domain: &Domain) -> bool {
        if self.lists(domain.as_str()) {
            return true;
        }
        self.subdomains
            && domain.registrable().is_some_and(|registrable| {
                domain
                    .and_above()
                    .skip(1)
                    .take_while(|above| above.len() >= registrable.len())
                    .any(|above| self.lists(above))
            })
    }

    /// The listed domain that was probably meant by one that is not listed.
    pub fn nearest(&self, domain: &Domain) -> Option<&Domain> {
        // Compared as people read them, so that `bucher.example` is near `bücher.example`.
        let shown: Vec<String> = self.domains.iter().map(Domain::unicode).collect();
        let nearest = text::nearest(&readable(domain), shown.iter().map(String::as_str))?;
        self.domains.iter().zip(&shown).find(|(_, shown)| *shown == nearest).map(|(domain, _)| domain)
    }

    /// The domains, in the order of their ASCII forms.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Domain> {
        self.domains.iter()
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty()
    }

    fn lists(&self, ascii: &str) -> bool {
        self.domains.binary_search_by(|listed| listed.as_str().cmp(ascii)).is_ok()
    }
}

/// The domain, if one organisation can administer it.
fn listable(entry: &str) -> Result<Domain, DomainError> {
    let domain = Domain::parse(entry)?;
    let reason = if domain.is_public_suffix() {
        Reason::PublicSuffix
    } else if domain.is_free_mail() {
        Reason::FreeMail
    } else if SHARED.contains(&domain.as_str()) {
        Reason::Shared
    } else {
        return Ok(domain);
    };
    Err(DomainError::new(entry, reason))
}

/// The domain with every label in Unicode, even those that mislead: a disguise is as near as it looks.
fn readable(domain: &Domain) -> String {
    idna::domain_to_unicode(domain.as_str()).0
}
